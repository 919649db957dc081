//! A decoder as bytes, for the engine's process: it reads the records that it digests.
//!
//! Both processes are of the same build, so the form is nobody else's: three counts, then steps, segments and page sizes, all
//! numbers little-endian.

use super::RecordDecoder;
use super::step::Step;

/// Bytes of a segment: its first step, and the one past its last.
const SEGMENT: usize = 8;

impl RecordDecoder {
    /// The decoder as bytes.
    pub(crate) fn carry(&self) -> Vec<u8> {
        let RecordDecoder { steps, segments, page_sizes, .. } = self;
        let size = 12 + steps.len() * Step::CARRIED + segments.len() * SEGMENT + page_sizes.len() * 4;
        let mut bytes = Vec::with_capacity(size);
        for count in [steps.len(), segments.len(), page_sizes.len()] {
            bytes.extend_from_slice(&(count as u32).to_le_bytes());
        }
        steps.iter().for_each(|step| bytes.extend_from_slice(&step.carry()));
        for (first, end) in segments {
            bytes.extend_from_slice(&first.to_le_bytes());
            bytes.extend_from_slice(&end.to_le_bytes());
        }
        page_sizes.iter().for_each(|size| bytes.extend_from_slice(&size.to_le_bytes()));
        bytes
    }

    /// The decoder that was carried in these bytes; `None` if it was none.
    pub(crate) fn carried(bytes: &[u8]) -> Option<RecordDecoder> {
        let (counts, rest) = bytes.split_first_chunk::<12>()?;
        let [steps, segments, memories] = [0, 4, 8].map(|at| word(&counts[at..]) as usize);
        let (of_steps, rest) = rest.split_at_checked(steps.checked_mul(Step::CARRIED)?)?;
        let (of_segments, sizes) = rest.split_at_checked(segments.checked_mul(SEGMENT)?)?;
        let steps: Option<Vec<Step>> = of_steps.as_chunks().0.iter().map(Step::carried).collect();
        let steps = steps?;
        let segments = of_segments.as_chunks::<SEGMENT>().0.iter().map(|ends| {
            let (first, end) = (word(ends), word(&ends[4..]));
            (first <= end && end as usize <= steps.len()).then_some((first, end))
        });
        let segments = segments.collect::<Option<_>>()?;
        let (sizes, []) = sizes.as_chunks::<4>() else { return None };
        let page_sizes = sizes.iter().map(|size| u32::from_le_bytes(*size)).collect::<Vec<_>>();
        (page_sizes.len() == memories).then(|| RecordDecoder::of(steps, segments, page_sizes))
    }
}

/// The number that bytes begin with.
fn word(bytes: &[u8]) -> u32 {
    bytes.first_chunk().map_or(0, |word| u32::from_le_bytes(*word))
}
