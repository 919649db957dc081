//! When bytes first stood somewhere in memory.

use super::Timeline;
use crate::error::ReplayError;
use forkpoint_traces::{Event, Image, MemoryIndex, PAGE, Position};
use std::ops::Range;
use std::sync::Arc;

/// Longer texts are refused by [`Timeline::next_appearance`].
pub(crate) const MOST_SOUGHT: usize = 4096;

/// Bytes of memory that are looked at in one piece.
const PIECE: u64 = 1 << 16;

/// Bytes that came to stand in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appearance {
    /// The event that completed them.
    pub position: Position,
    /// The memory.
    pub memory: MemoryIndex,
    /// Where they begin.
    pub address: u64,
}

impl Timeline {
    /// The first event from `from` on that makes these bytes stand somewhere where they did not stand before, whichever events
    /// wrote their parts. Memory is left where the search ended.
    ///
    /// ```
    /// use forkpoint_replay::Timeline;
    /// use forkpoint_traces::{MemoryIndex, Position};
    ///
    /// let mut timeline = Timeline::open("../traces/samples/orbit-jit.fpt".as_ref())?;
    /// // The last byte of one store, and the first two of what lies behind it.
    /// let found = timeline.next_appearance(&[0x8d, 0x3f, 0xf1, 0xd4], Position(0))?;
    /// assert_eq!(found, None);
    /// let found = timeline.next_appearance(&[0xf1, 0xd4, 0xa3], Position(0))?.expect("they are stored");
    /// assert_eq!((found.position, found.memory, found.address), (Position(9), MemoryIndex(0), 0x10));
    /// # Ok::<(), forkpoint_replay::ReplayError>(())
    /// ```
    ///
    /// # Errors
    /// When there are no bytes or more than 4096, the trace is damaged or leaves out events, and [`ReplayError::Cancelled`].
    pub fn next_appearance(&mut self, sought: &[u8], from: Position) -> Result<Option<Appearance>, ReplayError> {
        if sought.is_empty() || sought.len() > MOST_SOUGHT {
            return Err(ReplayError::SoughtBytes { length: sought.len(), most: MOST_SOUGHT });
        }
        self.seek(from)?;
        self.undo.clear();
        let sites = Arc::clone(self.trace.sites());
        let mut hot = [false; 256];
        sought.iter().for_each(|byte| hot[usize::from(*byte)] = true);
        let (mut before, mut after) = (Vec::new(), Vec::new());
        while self.position.0 < self.len() {
            let position = self.position;
            if let Some(gap) = self.trace.gap(position) {
                // What is left out may have made them stand.
                return Err(forkpoint_traces::TraceError::LeftOut { asked: position, gap }.into());
            }
            self.load(position)?;
            let chunk = self.chunk.as_ref().expect("just loaded");
            while let Some(raw) = chunk.get(self.position) {
                let here = self.position;
                let impossible = |source| ReplayError::Event { position: here, source };
                let event = Event::read(&raw, &sites)?;
                // A store of bytes none of which is sought completes nothing.
                let cold = event.bytes().is_some_and(|bytes| !bytes.iter().any(|byte| hot[usize::from(*byte)]));
                let written = event.written().filter(|(.., length)| *length > 0 && !cold);
                let around =
                    written.map(|(memory, address, length)| (memory, around(address, length, sought.len() as u64)));
                if let Some((memory, range)) = &around {
                    read(&self.image, *memory, range, &mut before);
                }
                self.image.apply(&raw).map_err(impossible)?;
                self.position = here.next();
                if let Some((memory, range)) = around {
                    read(&self.image, memory, &range, &mut after);
                    if let Some(at) = appeared(&before, &after, sought) {
                        let address = range.start + at as u64;
                        return Ok(Some(Appearance { position: here, memory, address }));
                    }
                }
            }
        }
        Ok(None)
    }

    /// The nearest place from `from` on where these bytes stand in a memory at the current position.
    pub fn find_bytes(&self, memory: MemoryIndex, sought: &[u8], from: u64) -> Option<u64> {
        if sought.is_empty() || sought.len() > MOST_SOUGHT {
            return None;
        }
        let size = self.image.size(memory)?.bytes();
        let length = sought.len() as u64;
        let zeros = sought.iter().all(|byte| *byte == 0);
        let mut piece = Vec::new();
        // Pages that were never written are zero: only bytes that are all zero can stand there.
        let mut pages = self.image.pages_in(memory, from / PAGE..u64::MAX).map(|(number, _)| number).peekable();
        let mut start = from;
        while start.saturating_add(length) <= size {
            if !zeros {
                let next = pages.peek()?.saturating_mul(PAGE).saturating_sub(length - 1);
                start = start.max(next);
            }
            let end = start.saturating_add(PIECE).saturating_add(length).min(size);
            read(&self.image, memory, &(start..end), &mut piece);
            if let Some(at) = find(&piece, sought) {
                return Some(start + at as u64);
            }
            start = end.saturating_sub(length - 1).max(start + 1);
            while pages.next_if(|page| (page + 1).saturating_mul(PAGE) <= start).is_some() {}
            if end == size {
                return None;
            }
        }
        None
    }
}

/// Where bytes of this length can stand that have some of those written.
fn around(address: u64, length: u64, sought: u64) -> Range<u64> {
    address.saturating_sub(sought - 1)..address.saturating_add(length).saturating_add(sought - 1)
}

/// Reads what is inside of memory.
fn read(image: &Image, memory: MemoryIndex, range: &Range<u64>, out: &mut Vec<u8>) {
    let size = image.size(memory).map_or(0, |size| size.bytes());
    let length = range.end.min(size).saturating_sub(range.start);
    out.clear();
    out.resize(usize::try_from(length).unwrap_or(0), 0);
    image.read(memory, range.start, out);
}

fn find(bytes: &[u8], sought: &[u8]) -> Option<usize> {
    bytes.windows(sought.len()).position(|window| window == sought)
}

/// Where bytes stand now and did not stand before.
fn appeared(before: &[u8], after: &[u8], sought: &[u8]) -> Option<usize> {
    let stands = |bytes: &[u8], at: usize| bytes.get(at..at + sought.len()) == Some(sought);
    (0..after.len().saturating_sub(sought.len() - 1)).find(|at| stands(after, *at) && !stands(before, *at))
}
