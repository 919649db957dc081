//! Which events wrote bytes. Chunks whose page filter excludes their pages are skipped unread.

use super::Timeline;
use super::stop::Stop;
use crate::error::ReplayError;
use forkpoint_traces::{ChunkEntry, MemoryIndex, PAGE, Position, TraceError};
use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

/// A range of more pages than this is searched for in every chunk.
const MOST_PAGES: u64 = 64;

impl Timeline {
    /// The last event before `before` that wrote any of these bytes.
    ///
    /// # Errors
    /// When a chunk is damaged, or no event wrote them since the trace left some out.
    pub fn last_writer(
        &mut self,
        memory: MemoryIndex,
        bytes: Range<u64>,
        before: Position,
    ) -> Result<Option<Position>, ReplayError> {
        let gap = self.trace.gaps().take_while(|gap| gap.start < before).last();
        let start = gap.as_ref().map_or(Position(0), |gap| gap.end);
        let chunks = self.trace.chunks();
        let begin = chunks.partition_point(|chunk| chunk.first < start);
        let earlier: Vec<usize> = (begin..chunks.partition_point(|chunk| chunk.first < before)).rev().collect();
        let may = |chunk: &ChunkEntry| may_touch(chunk, memory, &bytes);
        let found = self.nearest(&earlier, may, |trace, scanner, chunk| {
            let mut last = None;
            let read = trace.read_writes(scanner, chunk, |position, written, address, length| {
                if position >= before {
                    return Err(Stop::Here);
                }
                if written == memory && overlaps(address, length, &bytes) {
                    last = Some(position);
                }
                Ok(())
            });
            read.or_else(Stop::error).map(|()| last)
        })?;
        match gap {
            Some(gap) if found.is_none() => Err(TraceError::LeftOut { asked: Position(gap.end.0 - 1), gap }.into()),
            _ => Ok(found),
        }
    }

    /// The first event from `from` on that wrote any of these bytes.
    ///
    /// # Errors
    /// When a chunk is damaged, or no event wrote them until the trace leaves some out.
    pub fn next_writer(
        &mut self,
        memory: MemoryIndex,
        bytes: Range<u64>,
        from: Position,
    ) -> Result<Option<Position>, ReplayError> {
        let chunks = self.trace.chunks();
        let gap = self.trace.gaps().find(|gap| gap.end > from);
        let end = gap.as_ref().map_or(chunks.len(), |gap| chunks.partition_point(|chunk| chunk.end() <= gap.start));
        let later: Vec<usize> = (chunks.partition_point(|chunk| chunk.end() <= from)..end).collect();
        let may = |chunk: &ChunkEntry| may_touch(chunk, memory, &bytes);
        let found = self.nearest(&later, may, |trace, scanner, chunk| {
            let mut next = None;
            let read = trace.read_writes(scanner, chunk, |position, written, address, length| {
                if position >= from && written == memory && overlaps(address, length, &bytes) {
                    next = Some(position);
                    return Err(Stop::Here);
                }
                Ok(())
            });
            read.or_else(Stop::error).map(|()| next)
        })?;
        match gap {
            Some(gap) if found.is_none() => Err(TraceError::LeftOut { asked: gap.start.max(from), gap }.into()),
            _ => Ok(found),
        }
    }
}

/// Whether `length` bytes at `address` and these bytes have any in common.
#[inline]
fn overlaps(address: u64, length: u64, bytes: &Range<u64>) -> bool {
    address < bytes.end && bytes.start < address.saturating_add(length)
}

/// An event that wrote bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Writer {
    pub(crate) position: Position,
    pub(crate) written: Range<u64>,
}

/// The last writer of each of many bytes. All of them share one walk back through the trace, which goes on only while
/// the writer of a byte that is asked for is missing.
pub(crate) struct LastWriters {
    memory: MemoryIndex,
    missing: BTreeSet<u64>,
    found: HashMap<u64, Writer>,
    /// Where the walk has come to: the events before are still to be searched.
    end: Position,
}

impl LastWriters {
    /// The writers of these bytes before an event.
    pub(crate) fn new(memory: MemoryIndex, bytes: impl Iterator<Item = u64>, before: Position) -> LastWriters {
        LastWriters { memory, missing: bytes.collect(), found: HashMap::new(), end: before }
    }

    /// The last writer of one of the bytes.
    pub(crate) fn of(&mut self, timeline: &mut Timeline, byte: u64) -> Result<Option<Writer>, ReplayError> {
        while self.end.0 > 0 && self.missing.contains(&byte) {
            self.walk_chunk(timeline)?;
        }
        Ok(self.found.get(&byte).cloned())
    }

    fn walk_chunk(&mut self, timeline: &mut Timeline) -> Result<(), ReplayError> {
        let (Some(&first), Some(&last)) = (self.missing.first(), self.missing.last()) else { return Ok(()) };
        let number = timeline.trace.chunk_of(Position(self.end.0 - 1))?;
        let entry = &timeline.trace.chunks()[number];
        let start = entry.first;
        timeline.come_to(self.end)?;
        if may_touch(entry, self.memory, &(first..last.saturating_add(1))) {
            // At most one for each event of a chunk.
            let mut writers = Vec::new();
            let missing = first..last.saturating_add(1);
            let mut scanner = timeline.scanner.take().unwrap_or_else(|| timeline.trace.scanner());
            let read = timeline.trace.read_writes(&mut scanner, number, |position, memory, address, length| {
                if position >= self.end {
                    return Err(Stop::Here);
                }
                if memory == self.memory && overlaps(address, length, &missing) {
                    writers.push((position, address..address.saturating_add(length)));
                }
                Ok(())
            });
            timeline.scanner = Some(scanner);
            read.or_else(Stop::error)?;
            for (position, written) in writers.into_iter().rev() {
                while let Some(&byte) = self.missing.range(written.clone()).next() {
                    self.missing.remove(&byte);
                    self.found.insert(byte, Writer { position, written: written.clone() });
                }
            }
        }
        self.end = start;
        Ok(())
    }
}

/// Whether an event of the chunk may have written any of the bytes.
pub(super) fn may_touch(entry: &ChunkEntry, memory: MemoryIndex, bytes: &Range<u64>) -> bool {
    let pages = bytes.start / PAGE..bytes.end.div_ceil(PAGE);
    pages.end.saturating_sub(pages.start) > MOST_PAGES
        || pages.into_iter().any(|page| entry.may_touch(memory, page * PAGE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_walk_finds_the_writers_that_searches_find() {
        let mut timeline = Timeline::open("../traces/samples/orbit-jit.fpt".as_ref()).expect("a sample");
        let (memory, events) = (MemoryIndex(0), timeline.len());
        for end in [events, events / 2, 3, 0].map(Position) {
            let bytes = (0..200).step_by(3);
            let mut writers = LastWriters::new(memory, bytes.clone(), end);
            for byte in bytes {
                let found = writers.of(&mut timeline, byte).expect("a whole trace").map(|writer| writer.position);
                let expected = timeline.last_writer(memory, byte..byte + 1, end).expect("a whole trace");
                assert_eq!(found, expected, "byte {byte} before {end}");
            }
        }
    }
}
