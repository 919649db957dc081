//! Native code of one function, as an engine's process sends it.

/// Native code of one function in the engine: `function u32, start u64, number of points u32, points (native offset
/// u32, wasm offset u32), code`. Function and wasm offsets are those of the rewritten module.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NativeFrame {
    pub(crate) function: u32,
    /// Offset of the code in the engine's text section.
    pub(crate) start: u64,
    /// Native code from the first number on belongs to the second, [`NO_OFFSET`] for none.
    pub(crate) points: Vec<(u32, u32)>,
    pub(crate) code: Vec<u8>,
}

/// No wasm instruction.
pub(crate) const NO_OFFSET: u32 = u32::MAX;

impl NativeFrame {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(16 + 8 * self.points.len() + self.code.len());
        bytes.extend_from_slice(&self.function.to_le_bytes());
        bytes.extend_from_slice(&self.start.to_le_bytes());
        bytes.extend_from_slice(&(self.points.len() as u32).to_le_bytes());
        for (native, wasm) in &self.points {
            bytes.extend_from_slice(&native.to_le_bytes());
            bytes.extend_from_slice(&wasm.to_le_bytes());
        }
        bytes.extend_from_slice(&self.code);
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<NativeFrame> {
        fn word(bytes: &mut &[u8]) -> Option<u32> {
            let (word, rest) = bytes.split_first_chunk::<4>()?;
            *bytes = rest;
            Some(u32::from_le_bytes(*word))
        }
        let mut rest = bytes;
        let function = word(&mut rest)?;
        let start = u64::from(word(&mut rest)?) | u64::from(word(&mut rest)?) << 32;
        let count = word(&mut rest)? as usize;
        let (points, code) = rest.split_at_checked(count.checked_mul(8)?)?;
        let points = points
            .chunks_exact(8)
            .map(|mut point| Some((word(&mut point)?, word(&mut point)?)))
            .collect::<Option<_>>()?;
        Some(NativeFrame { function, start, points, code: code.to_vec() })
    }
}
