//! Which events wrote bytes. Chunks whose page filter excludes their pages are skipped unread.

use super::Timeline;
use crate::error::ReplayError;
use forkpoint_traces::{ChunkEntry, Event, MemoryIndex, PAGE, Position};
use std::ops::Range;

/// A range of more pages than this is searched for in every chunk.
const MOST_PAGES: u64 = 64;

impl Timeline {
    /// The last event before `before` that wrote any of these bytes.
    ///
    /// # Errors
    /// When a chunk is damaged.
    pub fn last_writer(
        &mut self,
        memory: MemoryIndex,
        bytes: Range<u64>,
        before: Position,
    ) -> Result<Option<Position>, ReplayError> {
        let mut end = Position(before.0.min(self.len()));
        while end.0 > 0 {
            let number = self.trace.chunk_of(Position(end.0 - 1))?;
            let entry = &self.trace.chunks()[number];
            let first = entry.first;
            // Skipping many chunks takes time, too.
            self.come_to(end)?;
            if may_touch(entry, memory, &bytes) {
                self.load(first)?;
                for position in (first.0..end.0).rev() {
                    if self.writes(Position(position), memory, &bytes)? {
                        return Ok(Some(Position(position)));
                    }
                }
            }
            end = first;
        }
        Ok(None)
    }

    /// The first event from `from` on that wrote any of these bytes.
    ///
    /// # Errors
    /// When a chunk is damaged.
    pub fn next_writer(
        &mut self,
        memory: MemoryIndex,
        bytes: Range<u64>,
        from: Position,
    ) -> Result<Option<Position>, ReplayError> {
        let mut start = from;
        while start.0 < self.len() {
            let number = self.trace.chunk_of(start)?;
            let entry = &self.trace.chunks()[number];
            let end = entry.end();
            self.come_to(start)?;
            if may_touch(entry, memory, &bytes) {
                self.load(start)?;
                for position in start.0..end.0 {
                    if self.writes(Position(position), memory, &bytes)? {
                        return Ok(Some(Position(position)));
                    }
                }
            }
            start = end;
        }
        Ok(None)
    }

    /// Whether the event at `position`, in the loaded chunk, wrote any of the bytes.
    fn writes(&self, position: Position, memory: MemoryIndex, bytes: &Range<u64>) -> Result<bool, ReplayError> {
        let chunk = self.chunk.as_ref().expect("the caller loaded it");
        let raw = chunk.get(position).expect("the caller loaded it");
        let overlap = |start: u64, length: u64| start < bytes.end && bytes.start < start.saturating_add(length);
        if let Some((site, address, width)) = raw.stored(self.trace.sites()) {
            return Ok(site.memory == memory && overlap(address, width));
        }
        let written = Event::read(&raw, self.trace.sites())?.written();
        Ok(written.is_some_and(|(written, start, length)| written == memory && overlap(start, length)))
    }
}

/// Whether an event of the chunk may have written any of the bytes.
fn may_touch(entry: &ChunkEntry, memory: MemoryIndex, bytes: &Range<u64>) -> bool {
    let pages = bytes.start / PAGE..bytes.end.div_ceil(PAGE);
    pages.end.saturating_sub(pages.start) > MOST_PAGES
        || pages.into_iter().any(|page| entry.may_touch(memory, page * PAGE))
}
