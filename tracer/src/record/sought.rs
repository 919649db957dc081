//! The last writer of some bytes, found while events go by.

use forkpoint_traces::{Event, MemoryIndex, Position, RawEvent, SiteId, SiteTable, TraceError};
use std::ops::Range;

/// Bytes whose last writer is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sought {
    /// Which memory.
    pub memory: MemoryIndex,
    /// Which bytes.
    pub bytes: Range<u64>,
    /// Only events before this position count.
    pub before: Position,
}

/// An event that wrote some of the sought bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundWriter {
    /// Its position.
    pub position: Position,
    site: SiteId,
    operands: [u64; 3],
    blob: Vec<u8>,
}

impl FoundWriter {
    /// The event. `sites` are those of its trace.
    ///
    /// # Errors
    /// When it makes no sense with these sites.
    pub fn event(&self, sites: &SiteTable) -> Result<Event, TraceError> {
        Event::read(&RawEvent { site: self.site, operands: self.operands, blob: &self.blob }, sites)
    }
}

/// Looks at every event that goes by.
pub(super) struct Search {
    sought: Sought,
    pub(super) found: Option<FoundWriter>,
}

impl Search {
    pub(super) fn new(sought: Sought) -> Search {
        Search { sought, found: None }
    }

    /// Looks at the event at a position.
    pub(super) fn see(&mut self, position: Position, raw: &RawEvent, sites: &SiteTable) {
        if position >= self.sought.before {
            return;
        }
        let written = match raw.stored(sites) {
            Some((site, address, width)) => Some((site.memory, address, width)),
            None => Event::read(raw, sites).ok().and_then(|event| event.written()),
        };
        let Sought { memory, bytes, .. } = &self.sought;
        let hits = |(written, address, length): (MemoryIndex, u64, u64)| {
            written == *memory && address < bytes.end && bytes.start < address.saturating_add(length)
        };
        if written.is_some_and(hits) {
            let RawEvent { site, operands, blob } = raw;
            self.found = Some(FoundWriter { position, site: *site, operands: *operands, blob: blob.to_vec() });
        }
    }
}
