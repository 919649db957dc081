//! Shows watched bytes after every event: the child's half of `record/watch.rs`.

use super::pages::RUN;
use crate::job::{Watch, WatchedRange};
use crate::protocol::FrameWriter;
use forkpoint_traces::MemoryIndex;
use std::io::{self, Write};

/// The part of a range that exists.
fn watched<'a>(range: &WatchedRange, bytes: &'a [u8]) -> &'a [u8] {
    let clamp = |address: u64| usize::try_from(address).unwrap_or(usize::MAX).min(bytes.len());
    &bytes[clamp(range.address)..clamp(range.address.saturating_add(range.length))]
}

/// Checks watched bytes whenever an event is complete, and keeps the records until they change.
pub(crate) struct Watcher {
    memory: MemoryIndex,
    /// Each range, and its last contents.
    places: Vec<(WatchedRange, Vec<u8>)>,
    records: Vec<u8>,
    /// Whether these are calls of the hook.
    hooks: bool,
}

impl Watcher {
    /// Watches from now on, when the memory holds `bytes`.
    pub(crate) fn new(watch: &Watch, bytes: &[u8]) -> Watcher {
        let places = watch.ranges.iter().map(|range| (*range, watched(range, bytes).to_vec())).collect();
        Watcher { memory: watch.memory, places, records: Vec::new(), hooks: false }
    }

    /// The memory that is watched.
    pub(crate) fn memory(&self) -> MemoryIndex {
        self.memory
    }

    /// Takes the records since the last call, calls of the hook or others.
    pub(crate) fn keep(&mut self, records: &[u8], hooks: bool) {
        self.records.extend_from_slice(records);
        self.hooks = hooks;
    }

    /// Sends the records and the contents of the watched bytes, if those have changed. `bytes` is the watched memory
    /// after the last of the records. Returns whether it sent a block of records.
    pub(crate) fn look<W: Write>(&mut self, bytes: &[u8], out: &mut FrameWriter<W>) -> io::Result<bool> {
        let mut sent = false;
        if self.records.len() >= RUN || self.places.iter().any(|(range, last)| watched(range, bytes) != last) {
            sent = self.send(out)?;
        }
        for (range, last) in &mut self.places {
            let now = watched(range, bytes);
            if now != last {
                out.watched(self.memory.0, range.address, now)?;
                *last = now.to_vec();
            }
        }
        Ok(sent)
    }

    /// Sends the records kept so far. Returns whether there were any.
    pub(crate) fn send<W: Write>(&mut self, out: &mut FrameWriter<W>) -> io::Result<bool> {
        if self.records.is_empty() {
            return Ok(false);
        }
        match self.hooks {
            true => out.hooks(&self.records)?,
            false => out.records(&self.records)?,
        }
        self.records.clear();
        Ok(true)
    }
}
