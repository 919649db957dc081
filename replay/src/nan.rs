//! Differences in the bits of NaNs only, which the specification allows: the engine chooses the sign of a NaN that an
//! operation makes, and mostly its payload.

use crate::error::ReplayError;
use crate::timeline::Timeline;
use forkpoint_traces::{
    Event, GlobalState, MemoryIndex, MemoryOp, MemoryState, Milestone, Position, Shape, SiteTable, ValueType,
    WasmValue,
};

/// What to do about events that differ in NaN bits only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NanBits {
    /// They count as equal.
    Ignore,
    /// The search continues after them; if it finds nothing else, the first of them is the divergence.
    #[default]
    Report,
    /// The first of them is the divergence.
    Stop,
}

impl std::str::FromStr for NanBits {
    type Err = String;

    fn from_str(text: &str) -> Result<NanBits, String> {
        match text {
            "ignore" => Ok(NanBits::Ignore),
            "report" => Ok(NanBits::Report),
            "stop" => Ok(NanBits::Stop),
            _ => Err(format!("unknown value `{text}` for --nan-bits: write ignore, report or stop")),
        }
    }
}

impl std::fmt::Display for NanBits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            NanBits::Ignore => "ignore",
            NanBits::Report => "report",
            NanBits::Stop => "stop",
        })
    }
}

/// Events that differ in NaN bits only, found on the way to a divergence or to the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NanDifferences {
    /// The first of them.
    pub first: Position,
    /// How many.
    pub count: u64,
    /// The bytes of the first on the left.
    pub lhs: Vec<u8>,
    /// The bytes of the first on the right.
    pub rhs: Vec<u8>,
}

fn is_nan32(bits: u32) -> bool {
    f32::from_bits(bits).is_nan()
}

fn is_nan64(bits: u64) -> bool {
    f64::from_bits(bits).is_nan()
}

fn word32(bytes: &[u8]) -> u32 {
    bytes.first_chunk().map_or(0, |word| u32::from_le_bytes(*word))
}

fn word64(bytes: &[u8]) -> u64 {
    bytes.first_chunk().map_or(0, |word| u64::from_le_bytes(*word))
}

/// The floats that a value may consist of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Floats {
    /// One of 32 bits.
    F32,
    /// One of 64 bits.
    F64,
    /// Those of a vector, or of one of its lanes: which of the two is unknown.
    Lanes,
}

impl Floats {
    /// What an instruction stores; `None` for integers, whose bits are never a NaN's.
    fn stored_by(op: MemoryOp) -> Option<Floats> {
        match op.shape() {
            Shape::Store { ty: ValueType::F32, .. } => Some(Floats::F32),
            Shape::Store { ty: ValueType::F64, .. } => Some(Floats::F64),
            Shape::Store { ty: ValueType::V128, .. } => Some(Floats::Lanes),
            Shape::Lane { width: 4.. } => Some(Floats::Lanes),
            _ => None,
        }
    }

    /// Whether two unequal values are equal except for floats that are NaNs on both sides.
    fn differ_in_nan_bits_only(self, lhs: &[u8], rhs: &[u8]) -> bool {
        let floats = |width: usize, nan: fn(&[u8]) -> bool| {
            lhs.len().is_multiple_of(width)
                && lhs
                    .chunks(width)
                    .zip(rhs.chunks(width))
                    .all(|(left, right)| left == right || nan(left) && nan(right))
        };
        let singles = || floats(4, |bytes| is_nan32(word32(bytes)));
        let doubles = || floats(8, |bytes| is_nan64(word64(bytes)));
        lhs.len() == rhs.len()
            && lhs != rhs
            && match self {
                Floats::F32 => singles(),
                Floats::F64 => doubles(),
                Floats::Lanes => singles() || doubles(),
            }
    }
}

/// Whether two values are NaNs of one type, or vectors that differ in NaNs only. An integer never is one.
fn nan_values(lhs: &WasmValue, rhs: &WasmValue) -> bool {
    match (lhs, rhs) {
        (WasmValue::F32(left), WasmValue::F32(right)) => is_nan32(*left) && is_nan32(*right),
        (WasmValue::F64(left), WasmValue::F64(right)) => is_nan64(*left) && is_nan64(*right),
        (WasmValue::V128(left), WasmValue::V128(right)) => Floats::Lanes.differ_in_nan_bits_only(left, right),
        _ => false,
    }
}

/// Whether two unequal events at the same position, other than the ends of runs, differ in NaN bits only.
pub(crate) fn only_nan_bits(lhs: &Event, rhs: &Event, sites: &SiteTable) -> bool {
    match (lhs, rhs) {
        (
            Event::Store { site, address, value, .. },
            Event::Store { site: other, address: there, value: against, .. },
        ) => {
            let floats = sites.get(*site).and_then(|site| Floats::stored_by(site.op));
            site == other
                && address == there
                && floats.is_some_and(|floats| floats.differ_in_nan_bits_only(value.bytes(), against.bytes()))
        }
        (
            Event::Milestone(Milestone::Returned { results }),
            Event::Milestone(Milestone::Returned { results: others }),
        ) => {
            results.len() == others.len()
                && results.iter().zip(others).all(|(left, right)| left == right || nan_values(left, right))
        }
        _ => false,
    }
}

/// Whether the ends of two runs differ in NaN bits only: in float globals, and in memory because of earlier events.
/// `passed` says whether such events were passed over. All other events are equal, so replaying each trace shows what
/// these led to, wherever in memory: an end that equals its replay differs in nothing else.
pub(crate) fn end_differs_in_nan_bits_only(
    lhs: &mut Timeline,
    rhs: &mut Timeline,
    left: &Event,
    right: &Event,
    passed: bool,
) -> Result<bool, ReplayError> {
    let (
        Event::Milestone(Milestone::End { outcome, memories, globals, tables }),
        Event::Milestone(Milestone::End { outcome: other, memories: others, globals: theirs, tables: others_tables }),
    ) = (left, right)
    else {
        return Ok(false);
    };
    let same = |left: &GlobalState, right: &GlobalState| {
        left.index == right.index && (left.value == right.value || nan_values(&left.value, &right.value))
    };
    if !outcome.may_be(other)
        || tables != others_tables
        || globals.len() != theirs.len()
        || !globals.iter().zip(theirs).all(|(left, right)| same(left, right))
    {
        return Ok(false);
    }
    if memories == others {
        return Ok(true);
    }
    let sizes = memories.iter().map(|memory| memory.pages).eq(others.iter().map(|memory| memory.pages));
    Ok(passed && sizes && is_replayed(lhs, memories)? && is_replayed(rhs, others)?)
}

/// Whether memory at the end of a run equals its replay.
fn is_replayed(timeline: &mut Timeline, memories: &[MemoryState]) -> Result<bool, ReplayError> {
    if timeline.trace().header().recorder.scope.is_some() {
        return Ok(false);
    }
    timeline.seek(Position(timeline.len()))?;
    let image = timeline.memory();
    Ok(memories
        .iter()
        .enumerate()
        .all(|(memory, state)| image.state(MemoryIndex(memory as u32)).as_ref() == Some(state)))
}

impl NanDifferences {
    /// Whether a pair of events takes its address or value from the first pair of NaNs: the same bytes of it on both
    /// sides, sign- or zero-extended.
    pub fn leads_to(&self, lhs: &Event, rhs: &Event) -> bool {
        let words = |event: &Event| -> Vec<u64> {
            let address = event.written().map(|(_, address, _)| address);
            let value = event.bytes().filter(|bytes| bytes.len() <= 8).map(|bytes| {
                let mut word = [0; 8];
                word[..bytes.len()].copy_from_slice(bytes);
                u64::from_le_bytes(word)
            });
            address.into_iter().chain(value).collect()
        };
        let parts = |bytes: &[u8], start: usize, width: usize| -> Option<[u64; 2]> {
            let part = bytes.get(start..start + width)?;
            let mut word = [0; 8];
            word[..width].copy_from_slice(part);
            let zero = u64::from_le_bytes(word);
            let shift = 64 - 8 * width as u32;
            Some([zero, ((zero << shift) as i64 >> shift) as u64 & u64::from(u32::MAX)])
        };
        let pairs: Vec<(u64, u64)> = words(lhs).into_iter().zip(words(rhs)).filter(|(a, b)| a != b).collect();
        [1usize, 2, 4, 8].into_iter().any(|width| {
            (0..self.lhs.len()).any(|start| {
                let (Some(left), Some(right)) = (parts(&self.lhs, start, width), parts(&self.rhs, start, width))
                else {
                    return false;
                };
                left.iter().zip(right).any(|(left, right)| left != &right && pairs.contains(&(*left, right)))
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nans_are_told_from_other_values_by_type() {
        let quiet = 0x7fc0_0000u32.to_le_bytes();
        let negative = 0xffc0_0000u32.to_le_bytes();
        let one = 1.0f32.to_le_bytes();
        let single = |lhs: &[u8], rhs: &[u8]| Floats::F32.differ_in_nan_bits_only(lhs, rhs);
        assert!(single(&quiet, &negative));
        assert!(!single(&quiet, &one));
        assert!(!single(&quiet, &quiet), "equal values do not differ");
        let (left, right) = ([one, quiet].concat(), [one, negative].concat());
        assert!(Floats::Lanes.differ_in_nan_bits_only(&left, &right));
        assert!(!Floats::F64.differ_in_nan_bits_only(&left, &[one, one].concat()), "a double that is no NaN");
        assert!(!Floats::Lanes.differ_in_nan_bits_only(&left, &[quiet, negative].concat()));
        assert!(Floats::F64.differ_in_nan_bits_only(&f64::NAN.to_le_bytes(), &(-f64::NAN).to_le_bytes()));
        assert!(!Floats::Lanes.differ_in_nan_bits_only(&[], &[]));
    }

    /// -1 and -2 have the bits of NaNs, and so do many pointers of 64-bit programs.
    #[test]
    fn integers_are_never_nans() {
        for op in MemoryOp::ALL {
            let float = op.mnemonic().starts_with('f') || op.mnemonic().starts_with("v128.store");
            let small = op.shape().width().is_none_or(|width| width < 4);
            assert_eq!(Floats::stored_by(*op).is_some(), float && !small, "{}", op.mnemonic());
        }
        assert!(!nan_values(&WasmValue::I32(-1), &WasmValue::I32(-2)));
        assert!(!nan_values(&WasmValue::I64(-1), &WasmValue::I64(-2)));
    }

    #[test]
    fn results_that_are_nans_are_known_by_their_type() {
        let single = WasmValue::F32;
        assert!(nan_values(&single(0x7fc0_0000), &single(0xffc0_0000)));
        assert!(!nan_values(&single(0x7fc0_0000), &single(0x3f80_0000)));
        let double = |value: f64| WasmValue::F64(value.to_bits());
        assert!(nan_values(&double(f64::NAN), &double(-f64::NAN)));
        assert!(!nan_values(&double(f64::NAN), &single(0x7fc0_0000)));
        let vector = |first: u32| {
            let mut bytes = [1; 16];
            bytes[..4].copy_from_slice(&first.to_le_bytes());
            WasmValue::V128(bytes)
        };
        assert!(nan_values(&vector(0x7fc0_0000), &vector(0xffc0_0000)));
        assert!(!nan_values(&vector(0x7fc0_0000), &vector(1)));
        let reference = |word: &str| WasmValue::Reference(word.to_string());
        assert!(!nan_values(&reference("null"), &reference("nan")));
    }
}
