//! Searching for events that match a filter.

use super::Timeline;
use super::stop::Stop;
use super::writers::may_touch;
use crate::error::ReplayError;
use crate::filter::BoundFilter;
use forkpoint_traces::{ChunkEntry, MemoryIndex, Position, Scanner, TraceError, TraceReader};

/// Memories that a chunk is asked about where a filter names none: the filter of its pages does not say which there are.
const MEMORIES: u32 = 4;

impl Timeline {
    /// The first event from `from` on that matches. A filter that no event can match is answered at once, and chunks that cannot
    /// hold a match are not read. An example is at [`EventFilter::parse`](crate::EventFilter::parse).
    ///
    /// # Errors
    /// When a chunk is damaged, and [`ReplayError::Cancelled`].
    pub fn next_match(&mut self, filter: &BoundFilter, from: Position) -> Result<Option<Position>, ReplayError> {
        let chunks = self.trace.chunks();
        let first = chunks.partition_point(|chunk| chunk.end() <= from);
        let later: Vec<usize> = (first..chunks.len()).collect();
        self.match_in(filter, &later, |trace, scanner, chunk| {
            let (mut position, mut found) = (trace.chunks()[chunk].first, None);
            let read = trace.scan_chunk(scanner, chunk, filter.needs_values(), |raw| {
                if position >= from && filter.matches_raw(position, &raw)? {
                    found = Some(position);
                    return Err(Stop::Here);
                }
                position = position.next();
                Ok(())
            });
            read.or_else(Stop::error).map(|()| found)
        })
    }

    /// The last event before `before` that matches.
    ///
    /// # Errors
    /// As [`Timeline::next_match`].
    pub fn last_match(&mut self, filter: &BoundFilter, before: Position) -> Result<Option<Position>, ReplayError> {
        let end = self.trace.chunks().partition_point(|chunk| chunk.first < before);
        let earlier: Vec<usize> = (0..end).rev().collect();
        self.match_in(filter, &earlier, |trace, scanner, chunk| {
            let (mut position, mut found) = (trace.chunks()[chunk].first, None);
            let read = trace.scan_chunk(scanner, chunk, filter.needs_values(), |raw| {
                if position >= before {
                    return Err(Stop::Here);
                }
                if filter.matches_raw(position, &raw)? {
                    found = Some(position);
                }
                position = position.next();
                Ok(())
            });
            read.or_else(Stop::error).map(|()| found)
        })
    }

    fn match_in(
        &mut self,
        filter: &BoundFilter,
        chunks: &[usize],
        search: impl Fn(&TraceReader, &mut Scanner, usize) -> Result<Option<Position>, TraceError> + Sync,
    ) -> Result<Option<Position>, ReplayError> {
        match filter.can_match() {
            true => self.nearest(chunks, |chunk| may_match(filter, chunk), search),
            false => Ok(None),
        }
    }
}

/// Whether a chunk can hold a match, by the pages that its events write.
fn may_match(filter: &BoundFilter, chunk: &ChunkEntry) -> bool {
    filter.within().is_none_or(|(memory, bytes)| match memory {
        Some(memory) => may_touch(chunk, *memory, bytes),
        None => (0..MEMORIES).any(|memory| may_touch(chunk, MemoryIndex(memory), bytes)),
    })
}
