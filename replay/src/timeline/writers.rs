//! Who wrote a byte. Chunks whose page filter denies its page are skipped unread.

use super::Timeline;
use crate::error::ReplayError;
use forkpoint_traces::{MemoryIndex, Position};

impl Timeline {
    /// The last event before `before` that wrote the byte at `address`.
    pub fn last_writer(
        &mut self,
        memory: MemoryIndex,
        address: u64,
        before: Position,
    ) -> Result<Option<Position>, ReplayError> {
        let mut end = Position(before.0.min(self.len()));
        while end.0 > 0 {
            let number = self.trace.chunk_of(Position(end.0 - 1))?;
            let entry = &self.trace.chunks()[number];
            let first = entry.first;
            if entry.may_touch(memory, address) {
                self.load(first)?;
                for position in (first.0..end.0).rev() {
                    if self.writes(Position(position), memory, address)? {
                        return Ok(Some(Position(position)));
                    }
                }
            }
            end = first;
        }
        Ok(None)
    }

    /// The first event from `from` on that wrote the byte at `address`.
    pub fn next_writer(
        &mut self,
        memory: MemoryIndex,
        address: u64,
        from: Position,
    ) -> Result<Option<Position>, ReplayError> {
        let mut start = from;
        while start.0 < self.len() {
            let number = self.trace.chunk_of(start)?;
            let entry = &self.trace.chunks()[number];
            let end = entry.end();
            if entry.may_touch(memory, address) {
                self.load(start)?;
                for position in start.0..end.0 {
                    if self.writes(Position(position), memory, address)? {
                        return Ok(Some(Position(position)));
                    }
                }
            }
            start = end;
        }
        Ok(None)
    }

    /// Whether the event at `position`, in the loaded chunk, wrote the byte.
    fn writes(&self, position: Position, memory: MemoryIndex, address: u64) -> Result<bool, ReplayError> {
        let chunk = self.chunk.as_ref().expect("the caller loaded it");
        let raw = chunk.get(position).expect("the caller loaded it");
        if let Some(site) = self.trace.sites().get(raw.site)
            && let Some(width) = site.op.shape().width()
        {
            // The usual case, without building an event.
            return Ok(site.memory == memory && address.wrapping_sub(raw.operands[0]) < u64::from(width));
        }
        Ok(self
            .trace
            .event(&raw)?
            .written()
            .is_some_and(|(written, start, length)| written == memory && address.wrapping_sub(start) < length))
    }
}
