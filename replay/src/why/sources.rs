//! Where the values of two events may come from: bytes of memory that differed when they were stored.

use super::chain::{Evidence, LoadPlace, MOST_SOURCES};
use super::loaded::LoadedFrom;
use crate::error::ReplayError;
use crate::pages;
use crate::timeline::Timeline;
use forkpoint_traces::{Event, MemoryIndex, Position};
use std::ops::Range;

/// Most stretches of differing bytes that are looked at.
const MOST_STRETCHES: usize = 256;

/// Most bytes of a stretch that are looked at.
const MOST_BYTES: u64 = 4096;

/// Longer values are compared by their first bytes.
const MOST_VALUE: u64 = 16;

/// Bytes that a difference may have come from.
pub(super) struct Source {
    pub(super) memory: MemoryIndex,
    pub(super) bytes: Range<u64>,
    /// Before which events they differed.
    pub(super) moments: [Position; 2],
    pub(super) evidence: Evidence,
    pub(super) loaded: Option<LoadPlace>,
    /// How many other sources with this evidence were written after it.
    pub(super) rank: u32,
}

impl Source {
    /// Bytes that were loaded, as one of those with a number.
    pub(super) fn loaded((rank, from): (u32, LoadedFrom)) -> Source {
        let LoadedFrom { memory, bytes, place, evidence } = from;
        Source { memory, bytes, moments: place.before, evidence, loaded: Some(place), rank }
    }
}

/// Whether bytes differ between the two memories as they are.
pub(super) fn differ(lhs: &Timeline, rhs: &Timeline, memory: MemoryIndex, bytes: &Range<u64>) -> bool {
    let read = |timeline: &Timeline, start: u64, out: &mut [u8]| timeline.memory().read(memory, start, out);
    let mut start = bytes.start;
    while start < bytes.end {
        let length = (bytes.end - start).min(MOST_BYTES) as usize;
        let (mut left, mut right) = (vec![0; length], vec![0; length]);
        if read(lhs, start, &mut left) == 0 && read(rhs, start, &mut right) == 0 {
            return false;
        }
        read(rhs, start, &mut right);
        if left != right {
            return true;
        }
        start += length as u64;
    }
    false
}

/// Sources of what two events of one instruction wrote to `bytes`, the most likely first. Both timelines are at their event.
pub(super) fn of(
    lhs: &mut Timeline,
    rhs: &mut Timeline,
    events: [&Event; 2],
    bytes: &Range<u64>,
    writers: [Position; 2],
) -> Result<Vec<Source>, ReplayError> {
    if let [
        Event::Copy { address, source_memory, source, length, .. },
        Event::Copy { source_memory: other_memory, source: other, .. },
    ] = events
        && (source_memory, source) == (other_memory, other)
    {
        let (start, end) = (bytes.start.max(*address), bytes.end.min(address.saturating_add(*length)));
        let from = source.saturating_add(start - address)..source.saturating_add(end.saturating_sub(*address));
        let copied = differ(lhs, rhs, *source_memory, &from);
        return Ok(Vec::from_iter(copied.then_some(Source {
            memory: *source_memory,
            bytes: from,
            moments: writers,
            evidence: Evidence::Copied,
            loaded: None,
            rank: 0,
        })));
    }
    let mut found = Vec::new();
    let values = events.map(|event| event.bytes().unwrap_or_default());
    for memory in (0..lhs.memory().memories().max(rhs.memory().memories())).map(MemoryIndex) {
        for stretch in pages::differing(lhs.memory(), rhs.memory(), memory, MOST_STRETCHES) {
            let same = same_values(lhs, rhs, memory, &stretch, values);
            let (bytes, evidence) = match same {
                Some(bytes) => (bytes, Evidence::SameValues),
                None => (stretch, Evidence::Recent),
            };
            found.push(Source { memory, bytes, moments: writers, evidence, loaded: None, rank: 0 });
        }
    }
    if found.iter().any(|source| source.evidence == Evidence::SameValues) {
        found.retain(|source| source.evidence == Evidence::SameValues);
    }
    let mut dated = Vec::new();
    for source in found {
        // Written by neither is as old as can be.
        let left = lhs.last_writer(source.memory, source.bytes.clone(), writers[0]).unwrap_or(None);
        // A value may differ in one of its bytes, and is loaded as a whole.
        let written = match left {
            Some(writer) if source.evidence == Evidence::Recent => lhs.event(writer)?.written(),
            _ => None,
        };
        let bytes = match written {
            Some((_, start, length)) if length <= MOST_VALUE => start..start.saturating_add(length),
            _ => source.bytes,
        };
        dated.push((left, Source { bytes, ..source }));
    }
    dated.sort_by_key(|(writer, _)| std::cmp::Reverse(*writer));
    // What was written again comes first, then what was written last.
    for (_, source) in &mut dated {
        if source.evidence == Evidence::Recent && source.bytes == *bytes {
            source.evidence = Evidence::Updated;
        }
    }
    dated.sort_by_key(|(_, source)| source.evidence);
    dated.dedup_by(|a, b| (a.1.memory, &a.1.bytes) == (b.1.memory, &b.1.bytes));
    let ranked = (0..).zip(dated.into_iter().take(MOST_SOURCES));
    Ok(ranked.map(|(rank, (_, source))| Source { rank, ..source }).collect())
}

/// Where in and around a stretch the two values stand that were stored.
fn same_values(
    lhs: &Timeline,
    rhs: &Timeline,
    memory: MemoryIndex,
    stretch: &Range<u64>,
    values: [&[u8]; 2],
) -> Option<Range<u64>> {
    let width = (values[0].len() as u64).min(MOST_VALUE);
    if width == 0 || values[0].len() != values[1].len() {
        return None;
    }
    let start = stretch.start.saturating_sub(width - 1);
    let end = stretch.end.min(stretch.start + MOST_BYTES).saturating_add(width - 1);
    let (mut left, mut right) = (vec![0; (end - start) as usize], vec![0; (end - start) as usize]);
    lhs.memory().read(memory, start, &mut left);
    rhs.memory().read(memory, start, &mut right);
    let values = values.map(|value| &value[..width as usize]);
    let both = left.windows(width as usize).zip(right.windows(width as usize));
    let at = both.into_iter().position(|(left, right)| [left, right] == values)? as u64;
    Some(start + at..start + at + width)
}
