//! The index at the end of a trace: what makes seeks fast. It can be rebuilt from the blocks before it.

use crate::filter::PageFilter;
use crate::ids::{CodeOffset, FuncIndex, MemoryIndex, Position};
use crate::keyframe::KeyframeEntry;
use crate::page::PAGE;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Where a chunk is and what it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChunkEntry {
    /// Offset of its block in the file.
    pub(crate) offset: u64,
    /// Position of its first event.
    pub first: Position,
    /// Number of events.
    pub count: u32,
    /// Digest of its events; equal digests at equal positions mean equal events, whatever the engine.
    pub digest: [u8; 16],
    /// How many of its events record that memory differed from what the events before make it.
    pub observed: u32,
    pub(crate) pages: PageFilter,
}

impl ChunkEntry {
    /// Position one past its last event.
    pub fn end(&self) -> Position {
        Position(self.first.0 + u64::from(self.count))
    }

    /// Whether an event of the chunk may have written to the 4 KiB page of `address`; `false` is certain if the
    /// recorder can be believed: only the verification of a trace checks it.
    pub fn may_touch(&self, memory: MemoryIndex, address: u64) -> bool {
        self.pages.may_contain(memory.0, address / PAGE)
    }
}

/// What the engine itself says about the end of a run. Not part of the events: two engines never use the same words.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct EngineWords {
    /// Its message, unescaped, if it had any.
    pub message: Option<String>,
    /// For a rejection: the byte offset in the original module that the engine points at.
    pub offset: Option<u64>,
    /// For a rejection: the engine's own error code.
    pub code: Option<String>,
    /// The end of what the engine's process wrote to its standard error, unescaped, at most 4 KiB; `None` if it wrote
    /// nothing, or if the run ended by itself.
    pub last_words: Option<String>,
    /// Where in the module the run ended if no milestone records it: after a crash, a time limit, a memory limit.
    pub place: Option<Place>,
}

/// A place in the original module, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The function.
    pub func: FuncIndex,
    /// The instruction.
    pub offset: Option<CodeOffset>,
}

/// What events are digested in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum DigestOf {
    /// What the recorder says, and the same for all recordings of one module.
    #[default]
    Records,
    /// Chunks of a trace that held all events.
    Chunks,
}

/// Digests of a run's events in *stretches*: equal ones mean equal events, whether a trace holds them or leaves them out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct EventDigests {
    /// What a stretch is, and what its digest covers.
    pub of: DigestOf,
    /// One past the last event of each stretch. The first stretch begins with the first event.
    pub ends: Vec<Position>,
    /// The digest of each.
    pub digests: Vec<[u8; 16]>,
}

impl EventDigests {
    /// Whether ends ascend, and each has a digest.
    pub(crate) fn is_sound(&self) -> bool {
        self.ends.len() == self.digests.len() && self.ends.is_sorted()
    }

    /// The first stretch that `other` does not have the same: its events, as far as `self` has them. `None` if all are
    /// the same.
    pub fn first_difference(&self, other: &EventDigests) -> Option<Range<Position>> {
        debug_assert_eq!(self.of, other.of, "digests of other things say nothing");
        let stretch = |number: usize| Some((self.ends.get(number)?, self.digests.get(number)?));
        let theirs = |number: usize| Some((other.ends.get(number)?, other.digests.get(number)?));
        let most = self.ends.len().max(other.ends.len());
        let number = (0..most).find(|number| stretch(*number) != theirs(*number))?;
        let start = number.checked_sub(1).and_then(|last| self.ends.get(last)).copied().unwrap_or_default();
        Some(start..self.ends.get(number).copied().unwrap_or(start))
    }
}

/// The last block of a complete trace.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Index {
    pub(crate) chunks: Vec<ChunkEntry>,
    /// Offsets of the blocks that hold what was kept of the events between chunks.
    pub(crate) kept: Vec<u64>,
    pub(crate) digests: Option<EventDigests>,
    pub(crate) keyframes: Vec<KeyframeEntry>,
    pub(crate) native: Vec<(FuncIndex, u64)>,
    pub(crate) words: EngineWords,
    /// Wall-clock time from the first block to the last, in milliseconds.
    pub(crate) wall_ms: u64,
}

impl Index {
    /// Number of events in the first chunk.
    pub(crate) fn first_chunk(&self) -> u64 {
        self.chunks.first().map_or(0, |chunk| chunk.end().0)
    }
}
