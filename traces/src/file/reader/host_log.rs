//! The host log of a trace, read alone.

use super::TraceReader;
use crate::block::{self, Tag};
use crate::chunk::{ChunkColumns, take_blob};
use crate::error::TraceError;
use crate::file::open;
use crate::header::Header;
use crate::host::HostEvent;
use crate::index::Index;
use crate::source::Source;
use std::path::Path;

/// Reads the steps of all host calls of a trace in order, and nothing else: one chunk is in memory at a time. Bytes
/// that were put into memory between calls of the guest are not a step, unless JavaScript makes those calls.
pub struct HostLog {
    file: Source,
    length: u64,
    /// Offsets of the chunks still to be read, the next one last.
    chunks: Vec<u64>,
    column: Vec<u8>,
    at: usize,
    /// Whether a host call has begun and not returned.
    calling: bool,
    /// Whether all that the host does between calls is a step, too.
    everything: bool,
}

impl TraceReader {
    /// The host log from its start.
    ///
    /// # Errors
    /// When the file cannot be opened a second time.
    pub fn host_log(&self) -> Result<HostLog, TraceError> {
        Ok(HostLog::of(self.file.try_clone()?, &self.header, &self.index))
    }
}

impl HostLog {
    /// The host log of a trace from its start. The module is not read, which takes longest of opening a trace.
    ///
    /// # Errors
    /// Those of [`TraceReader::open`], but for what is wrong with module and sites.
    pub fn open(path: &Path) -> Result<HostLog, TraceError> {
        let file = Source::open(path)?;
        let length = file.length();
        let (header, mut at) = open::header(&file, length)?;
        open::skip(&file, &mut at, length, Tag::Module, "module")?;
        open::skip(&file, &mut at, length, Tag::Sites, "site table")?;
        let (index, ..) = open::index(&file, at, length, header.chunk_events.max(1))?;
        Ok(HostLog::of(file, &header, &index))
    }

    fn of(file: Source, header: &Header, index: &Index) -> HostLog {
        let chunks = index.chunks.iter().map(|chunk| chunk.offset);
        // Blocks are in the order of the run.
        let mut chunks: Vec<u64> = chunks.chain(index.kept.iter().copied()).collect();
        chunks.sort_unstable_by_key(|at| std::cmp::Reverse(*at));
        let (length, everything) = (file.length(), header.javascript.is_some());
        HostLog { file, length, chunks, column: Vec::new(), at: 0, calling: false, everything }
    }

    /// The next step, `None` at the end.
    ///
    /// # Errors
    /// When the trace is damaged.
    pub fn next_event(&mut self) -> Result<Option<HostEvent>, TraceError> {
        loop {
            let event = self.next_step()?;
            match &event {
                Some(HostEvent::Write { .. }) if !self.calling && !self.everything => continue,
                Some(HostEvent::Call(_)) => self.calling = true,
                Some(HostEvent::Return { .. }) => self.calling = false,
                _ => {}
            }
            return Ok(event);
        }
    }

    fn next_step(&mut self) -> Result<Option<HostEvent>, TraceError> {
        while self.at == self.column.len() {
            let Some(offset) = self.chunks.pop() else { return Ok(None) };
            let head = block::head(&self.file, offset, self.length)?
                .filter(|head| matches!(head.tag, Tag::Chunk | Tag::Kept))
                .ok_or_else(|| TraceError::corrupt(offset, "no chunk where the index says that there is one"))?;
            self.column = ChunkColumns::host(&block::read(&self.file, &head)?, offset)?;
            self.at = 0;
        }
        let mut rest = &self.column[self.at..];
        let blob = take_blob(&mut rest).ok_or_else(|| TraceError::corrupt(0, "the host log is cut off"))?;
        let event = HostEvent::decode(blob)?;
        self.at = self.column.len() - rest.len();
        Ok(Some(event))
    }
}
