//! Reading a trace that may come from a stranger, or be cut off.

mod events;
mod excerpt;
mod gaps;
mod host_log;
mod keyframes;

pub use events::Scanner;
pub use excerpt::{Excerpt, ExcerptModule};
pub use host_log::HostLog;

use super::{Sites, open};
use crate::block::{self, BlockHead, Tag};
use crate::error::TraceError;
use crate::header::Header;
use crate::ids::{FuncIndex, Position, SiteId};
use crate::image::Image;
use crate::index::{ChunkEntry, EngineWords, Index};
use crate::limits;
use crate::milestone::Milestone;
use crate::native::NativeFunction;
use crate::outcome::Outcome;
use crate::predict::Predictor;
use crate::site::SiteTable;
use crate::source::Source;
use crate::wire;
use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// Reads a trace. Opening it reads the header, the module, the sites and the index; events are read chunk by
/// chunk.
pub struct TraceReader {
    file: Source,
    length: u64,
    /// Where the blocks after the site table begin.
    start: u64,
    /// Where the readable part ends.
    end: u64,
    header: Header,
    module: Arc<[u8]>,
    sites: Arc<SiteTable>,
    data: Arc<[Range<u32>]>,
    index: Index,
    /// Where the native code of each function is.
    native: HashMap<FuncIndex, u64>,
    incomplete: Option<String>,
    predictor: Predictor,
    /// Most bytes of memory that the events may fill.
    memory: u64,
}

impl TraceReader {
    /// Opens a trace, complete or not.
    ///
    /// # Errors
    /// When the file cannot be read, is not a trace, has another format version, ends before its first event could
    /// have been recorded, or contradicts itself.
    pub fn open(path: &Path) -> Result<TraceReader, TraceError> {
        TraceReader::of(Source::open(path)?, None)
    }

    /// Opens a trace that is part of another file. If it was written without its module, `module` has it.
    ///
    /// # Errors
    /// As those of [`TraceReader::open`].
    pub fn of(file: Source, module: Option<Arc<[u8]>>) -> Result<TraceReader, TraceError> {
        let length = file.length();
        let (header, mut at) = open::header(&file, length)?;
        let chunk_events = header.chunk_events.max(1);
        let stored = open::expect(&file, &mut at, length, Tag::Module, "module")?;
        let module: Arc<[u8]> = match module {
            Some(module) if stored.is_empty() => module,
            None if stored.is_empty() && header.module.length > 0 => return Err(TraceError::NoModule),
            _ => stored.into(),
        };
        header.module.check(&module, at)?;
        header.program.as_ref().map_or(Ok(()), |program| program.check(module.len()))?;
        let table: Sites =
            wire::decode(&open::expect(&file, &mut at, length, Tag::Sites, "site table")?, at, "site table")?;
        for &(start, end) in &table.data {
            if start > end || end as usize > module.len() {
                return Err(TraceError::corrupt(at, format!("data segment at {start:#x}..{end:#x} of the module")));
            }
        }
        if table.sites.len() > (module.len() / limits::MIN_INSTRUCTION).max(limits::FREE_SITES) {
            let (sites, bytes) = (table.sites.len(), module.len());
            return Err(TraceError::corrupt(at, format!("{sites} instructions in a module of {bytes} bytes")));
        }
        let sites = Arc::new(SiteTable::new(table.sites));
        let (index, end, incomplete) = open::index(&file, at, length, chunk_events)?;
        let predictor = Predictor::new(sites.layouts());
        let data = table.data.iter().map(|&(start, end)| start..end).collect();
        let native = index.native.iter().rev().copied().collect();
        let memory = limits::memory(length, module.len());
        Ok(TraceReader {
            file,
            length,
            start: at,
            end,
            header,
            module,
            sites,
            data,
            native,
            index,
            incomplete,
            predictor,
            memory,
        })
    }

    /// Lets the events fill this many bytes of memory, if that is more than the length of the file allows: for a
    /// trusted file.
    pub fn allow_memory(&mut self, bytes: u64) {
        self.memory = self.memory.max(bytes.min(limits::MAX_MEMORY));
    }

    /// Its bytes.
    pub fn source(&self) -> &Source {
        &self.file
    }

    /// The header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The original binary module.
    pub fn module(&self) -> &Arc<[u8]> {
        &self.module
    }

    /// The site table.
    pub fn sites(&self) -> &Arc<SiteTable> {
        &self.sites
    }

    /// Where in the module each data segment's bytes are.
    pub fn data(&self) -> &[Range<u32>] {
        &self.data
    }

    /// Number of events.
    pub fn events(&self) -> u64 {
        self.index.chunks.last().map_or(0, |chunk| chunk.end().0)
    }

    /// Length of the file in bytes.
    pub fn file_length(&self) -> u64 {
        self.length
    }

    /// Whether the recorder closed the file.
    pub fn is_complete(&self) -> bool {
        self.incomplete.is_none()
    }

    /// Why the file is incomplete, if it is.
    pub fn incomplete(&self) -> Option<&str> {
        self.incomplete.as_deref()
    }

    /// The engine's own message about the end of the run, unescaped: escape it before printing.
    pub fn message(&self) -> Option<&str> {
        self.index.words.message.as_deref()
    }

    /// All that the engine itself said about the end.
    pub fn words(&self) -> &EngineWords {
        &self.index.words
    }

    /// Number of events that record that memory differed from what the events before make it.
    pub fn observed(&self) -> u64 {
        self.index.chunks.iter().map(|chunk| u64::from(chunk.observed)).sum()
    }

    /// Bytes of the file from the first chunk on: what grows with the run.
    pub fn event_bytes(&self) -> u64 {
        self.index.chunks.first().map_or(0, |chunk| self.length.saturating_sub(chunk.offset))
    }

    /// How long recording took, in milliseconds; 0 when incomplete.
    pub fn wall_ms(&self) -> u64 {
        self.index.wall_ms
    }

    /// All chunks in order.
    pub fn chunks(&self) -> &[ChunkEntry] {
        &self.index.chunks
    }

    /// The number of the chunk that holds the event at `position`.
    ///
    /// # Errors
    /// When there is no such event, or it is left out.
    pub fn chunk_of(&self, position: Position) -> Result<usize, TraceError> {
        let chunk = self.index.chunks.partition_point(|chunk| chunk.end() <= position);
        let Some(found) = self.index.chunks.get(chunk) else {
            return Err(TraceError::OutOfRange { asked: position, events: self.events() });
        };
        if found.first > position {
            let gap = self.gap_before(chunk);
            return Err(TraceError::LeftOut { asked: position, gap });
        }
        Ok(chunk)
    }

    /// Memory before the first event.
    pub fn empty_image(&self) -> Image {
        Image::new(Arc::clone(&self.sites), Arc::clone(&self.module), Arc::clone(&self.data)).with_room(self.memory)
    }

    /// Walks all blocks after the site table, checks their sums, and compares the index with them.
    ///
    /// # Errors
    /// When a block is damaged, is where none may be, or contradicts the index.
    pub fn check_blocks(&self) -> Result<(), TraceError> {
        open::check_blocks(
            &self.file,
            &self.index,
            self.start..self.end,
            self.is_complete(),
            self.header.chunk_events.max(1),
        )
    }

    /// The functions whose native code was kept.
    pub fn native_functions(&self) -> impl Iterator<Item = FuncIndex> {
        self.index.native.iter().map(|(func, _)| *func)
    }

    /// The native code of a function, where the recorder kept it.
    pub fn native_code(&self, func: FuncIndex) -> Result<Option<NativeFunction>, TraceError> {
        let Some(at) = self.native.get(&func) else { return Ok(None) };
        let head = self.block_at(*at, Tag::Native)?;
        wire::decode(&block::read(&self.file, &head)?, *at, "native code").map(Some)
    }

    /// The target triple of the native code in this trace, `None` where none was kept.
    pub fn native_target(&self) -> Option<&str> {
        (!self.index.native.is_empty()).then_some(self.header.engine.target.as_str())
    }

    /// How the run ended: the last event, if the trace has it.
    pub fn outcome(&mut self) -> Result<Option<Outcome>, TraceError> {
        let Some(last) = self.index.chunks.len().checked_sub(1) else { return Ok(None) };
        let (mut left, mut outcome) = (self.index.chunks[last].count, None);
        self.read_chunk(last, |event| {
            left = left.saturating_sub(1);
            if left == 0 && event.site == SiteId::MILESTONE {
                outcome = match Milestone::decode(event.blob)? {
                    Milestone::End { outcome, .. } => Some(outcome),
                    _ => None,
                };
            }
            Ok::<(), TraceError>(())
        })?;
        Ok(outcome)
    }

    fn block_at(&self, at: u64, tag: Tag) -> Result<BlockHead, TraceError> {
        let head = block::head(&self.file, at, self.length)?
            .ok_or_else(|| TraceError::corrupt(at, "the index points past the end of the file"))?;
        if head.tag != tag {
            return Err(TraceError::corrupt(
                at,
                format!("a {:?} block where a {tag:?} block was expected", head.tag),
            ));
        }
        Ok(head)
    }
}
