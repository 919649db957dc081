//! Events that a trace leaves out: it holds what was recorded around them, and the digests of all.

use super::TraceReader;
use crate::ids::Position;
use crate::index::{ChunkEntry, DigestOf, EventDigests};
use std::borrow::Cow;
use std::ops::Range;

impl TraceReader {
    /// The events between a chunk and the one before.
    pub(super) fn gap_before(&self, chunk: usize) -> Range<Position> {
        let chunks = &self.index.chunks;
        let start = chunk.checked_sub(1).and_then(|last| chunks.get(last)).map_or(Position(0), |last| last.end());
        start..chunks.get(chunk).map_or(start, |chunk| chunk.first)
    }

    /// All stretches of events that are left out, in order.
    pub fn gaps(&self) -> impl Iterator<Item = Range<Position>> {
        (1..self.index.chunks.len()).map(|chunk| self.gap_before(chunk)).filter(|gap| !gap.is_empty())
    }

    /// The events that are left out around `position`, if it is one of them.
    pub fn gap(&self, position: Position) -> Option<Range<Position>> {
        let chunk = self.index.chunks.partition_point(|chunk| chunk.end() <= position);
        Some(self.gap_before(chunk)).filter(|gap| gap.contains(&position))
    }

    /// The events of a range that the trace holds, as ranges in order.
    pub fn held(&self, range: Range<Position>) -> Vec<Range<Position>> {
        let mut held = Vec::new();
        let mut from = range.start;
        for gap in self.gaps().chain([range.end..range.end]).filter(|gap| gap.end > range.start) {
            held.push(from..gap.start.min(range.end));
            from = gap.end;
            if from >= range.end {
                break;
            }
        }
        held.retain(|part| part.start < part.end);
        held
    }

    /// One past the last event from `position` on before one is left out, or the end.
    pub fn held_until(&self, position: Position) -> Position {
        let gap = self.gaps().find(|gap| gap.end > position);
        gap.map_or(Position(self.events()), |gap| gap.start.max(position))
    }

    /// Digests of all events in such stretches, if the trace has them: a trace that holds all events has those of its
    /// chunks.
    pub fn digests(&self, of: DigestOf) -> Option<Cow<'_, EventDigests>> {
        if let Some(digests) = self.index.digests.as_ref().filter(|digests| digests.of == of) {
            return Some(Cow::Borrowed(digests));
        }
        if of != DigestOf::Chunks || self.gaps().next().is_some() {
            return None;
        }
        let chunks = || self.index.chunks.iter();
        let (ends, digests) = (chunks().map(ChunkEntry::end).collect(), chunks().map(|chunk| chunk.digest).collect());
        Some(Cow::Owned(EventDigests { of, ends, digests }))
    }
}
