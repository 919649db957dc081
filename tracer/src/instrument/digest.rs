//! Digests of a run's events: whether two runs did the same, without a trace of either.
//!
//! A digest covers the run as inline records would encode it: segment numbers and fields as in the [buffer](super::raw),
//! steps of host calls as the records that the host leaves, and a byte for each milestone. Calls of the hook are encoded
//! the same way, and where a buffer was sent does not show. So runs of one module have equal digests exactly if they have
//! the same events in the same order, whatever the engine and the way to record. One digest covers a *stretch* of events,
//! [`STRETCH`] or a few more: a stretch ends where a segment begins.

use forkpoint_traces::{DigestOf, EventDigests, MemoryIndex, Position};
use std::ops::Range;
use xxhash_rust::xxh3::Xxh3;

/// Events of instructions in a stretch, at least.
pub const STRETCH: u64 = 1 << 18;

/// The digests of a whole run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunDigest {
    /// How many events of instructions there were.
    pub events: u64,
    /// Where each stretch ends, in events of instructions and in all events, and its XXH3-128. The last one may be short.
    pub stretches: Vec<Stretch>,
    /// Whether an instruction wrote outside of memory and went on, which no correct engine lets it do.
    pub outside: bool,
}

/// A stretch of events, from the end of the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// Number of events of instructions up to its end.
    pub events: u64,
    /// Number of all events up to its end.
    pub end: Position,
    /// Its digest.
    pub digest: u128,
}

impl RunDigest {
    /// The events of instructions, by their number, of the first stretch that `other` does not have the same.
    pub fn first_difference(&self, other: &RunDigest) -> Option<Range<u64>> {
        let most = self.stretches.len().max(other.stretches.len());
        let number = (0..most).find(|number| self.stretches.get(*number) != other.stretches.get(*number))?;
        let start = number.checked_sub(1).and_then(|last| self.stretches.get(last)).map_or(0, |last| last.events);
        let ends = [self, other].map(|digest| digest.stretches.get(number).map_or(start, |stretch| stretch.events));
        Some(start..ends[0].max(ends[1]))
    }

    /// The digests as a trace has them.
    pub fn in_trace(&self) -> EventDigests {
        EventDigests {
            of: DigestOf::Records,
            ends: self.stretches.iter().map(|stretch| stretch.end).collect(),
            digests: self.stretches.iter().map(|stretch| stretch.digest.to_le_bytes()).collect(),
        }
    }
}

/// A milestone whose place among the events a digest covers.
#[derive(Debug, Clone, Copy)]
pub enum Covered {
    /// A call begins.
    Invoke = 1,
    /// It returned.
    Returned,
    /// It trapped.
    Trapped,
    /// The guest called `proc_exit`.
    Exited,
}

/// Digests events as they come: see [`RecordDecoder::digest_block`](super::RecordDecoder::digest_block).
#[derive(Clone)]
pub struct Digester {
    hasher: Xxh3,
    events: u64,
    /// Other events: milestones and steps of host calls.
    others: u64,
    /// Events in a stretch, and the number of events at which the next one begins.
    stretch: u64,
    next: u64,
    stretches: Vec<Stretch>,
    /// Sizes of memories in bytes.
    sizes: Vec<u64>,
    outside: bool,
}

impl Digester {
    /// A digest for every `stretch` events.
    pub fn every(stretch: u64) -> Digester {
        let (events, others, next, outside) = (0, 0, stretch, false);
        let (stretches, sizes) = (Vec::new(), Vec::new());
        Digester { hasher: Xxh3::new(), events, others, stretch, next, stretches, sizes, outside }
    }

    /// Covers bytes of the encoded run.
    #[inline]
    pub fn update(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
    }

    /// Covers a milestone.
    pub fn cover(&mut self, milestone: Covered) {
        self.update(&[milestone as u8]);
    }

    /// Events of instructions so far.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// Says how many other events there have been, which decides at which positions stretches end.
    pub fn set_others(&mut self, others: u64) {
        self.others = others;
    }

    /// Counts a step of a host call among the records.
    #[inline]
    pub(super) fn count_other(&mut self) {
        self.others += 1;
    }

    /// Says how large memories are now, in bytes and by index.
    pub fn set_sizes(&mut self, sizes: impl IntoIterator<Item = u64>) {
        self.sizes.clear();
        self.sizes.extend(sizes);
    }

    /// Grows a memory by so many bytes.
    pub(super) fn grow(&mut self, memory: MemoryIndex, bytes: u64) {
        if let Some(size) = self.sizes.get_mut(memory.0 as usize) {
            *size = size.saturating_add(bytes);
        }
    }

    /// Notes where a store to a memory ends.
    #[inline(always)]
    pub(super) fn wrote(&mut self, memory: u16, end: u64) {
        self.outside |= self.sizes.get(usize::from(memory)).is_none_or(|size| end > *size);
    }

    /// The size of the first memory in bytes.
    pub(super) fn size_of_first(&self) -> u64 {
        self.sizes.first().copied().unwrap_or(0)
    }

    /// Notes whether stores lie outside of the first memory.
    pub(super) fn note_outside(&mut self, outside: bool) {
        self.outside |= outside;
    }

    /// Counts events of instructions whose bytes are covered, or will be before the stretch ends.
    #[inline]
    pub(super) fn count(&mut self, events: u64) {
        self.events += events;
    }

    /// How many events the stretch still takes. Without room, it must end before the next segment.
    #[inline]
    pub(super) fn room(&self) -> u64 {
        self.next.saturating_sub(self.events)
    }

    /// Ends the stretch, and returns it: all its bytes are covered.
    pub(super) fn end_stretch(&mut self) -> Stretch {
        let (events, end) = (self.events, Position(self.events + self.others));
        let stretch = Stretch { events, end, digest: self.hasher.digest128() };
        self.stretches.push(stretch);
        self.hasher.reset();
        self.next = self.events + self.stretch;
        stretch
    }

    /// The digests, now that the run is over.
    pub fn finish(mut self) -> RunDigest {
        self.end_stretch();
        RunDigest { events: self.events, stretches: self.stretches, outside: self.outside }
    }
}
