//! The file of a trace, block by block, and the index of what is in it.

use crate::block::{self, Tag};
use crate::chunk::{Columns, FullChunk};
use crate::error::TraceError;
use crate::file::form::Form;
use crate::file::{FORMAT_VERSION, MAGIC, TRAILER_MAGIC};
use crate::ids::{FuncIndex, Position};
use crate::index::{ChunkEntry, EngineWords, EventDigests, Index};
use crate::keyframe::KeyframeEntry;
use crate::wire;
use std::fs::File;
use std::io::{BufWriter, Write};

/// Compression level of everything that is written once per run.
const LEVEL: i32 = 3;

/// Of what is written all the time.
const FASTEST: i32 = 1;

/// Of a file that is sent. Higher levels take several times as long for a few percent.
const SMALLEST: i32 = 17;

/// What a recording adds to the file while it runs.
pub(super) enum Part {
    /// The native code of a function, encoded.
    Native(FuncIndex, Vec<u8>),
    /// A chunk.
    Chunk(FullChunk),
    /// What was kept of events that are left out, in the form of a chunk.
    Kept(FullChunk),
    /// A block of pages, which belongs to the next keyframe.
    Pages(Vec<u8>),
    /// A keyframe, without its blocks of pages.
    Keyframe(KeyframeEntry),
}

/// Writes blocks.
pub(super) struct Blocks {
    out: BufWriter<File>,
    /// Offset in the file of the next block.
    at: u64,
    index: Index,
    /// Blocks of pages since the last keyframe.
    pages: Vec<u64>,
    form: Form,
}

impl Blocks {
    pub(super) fn new(file: File, form: Form) -> Blocks {
        let out = BufWriter::with_capacity(1 << 20, file);
        Blocks { out, at: 0, index: Index::default(), pages: Vec::new(), form }
    }

    /// Length of the file so far.
    pub(super) fn length(&self) -> u64 {
        self.at
    }

    /// Writes what precedes the first event.
    pub(super) fn head(&mut self, header: &[u8], module: &[u8], sites: &[u8]) -> Result<(), TraceError> {
        self.raw(&MAGIC)?;
        self.raw(&FORMAT_VERSION.to_le_bytes())?;
        self.block(Tag::Header, header)?;
        self.block(Tag::Module, module)?;
        self.block(Tag::Sites, sites)?;
        self.flush()
    }

    fn raw(&mut self, bytes: &[u8]) -> Result<(), TraceError> {
        self.out.write_all(bytes).map_err(TraceError::io("writing the trace"))?;
        self.at += bytes.len() as u64;
        Ok(())
    }

    /// Writes a block and returns its offset.
    fn block(&mut self, tag: Tag, raw: &[u8]) -> Result<u64, TraceError> {
        let at = self.at;
        let level = match self.form {
            Form::Excerpt { with_module: false } => SMALLEST,
            Form::Recording if tag != Tag::Pages => LEVEL,
            Form::Recording | Form::Passing | Form::Excerpt { with_module: true } => FASTEST,
        };
        self.at += block::write(&mut self.out, tag, raw, level).map_err(TraceError::io("writing the trace"))?;
        Ok(at)
    }

    /// For the columns of a chunk.
    fn chunk_level(&self) -> i32 {
        match self.form {
            Form::Excerpt { with_module: false } => SMALLEST,
            Form::Recording | Form::Passing | Form::Excerpt { with_module: true } => FASTEST,
        }
    }

    fn flush(&mut self) -> Result<(), TraceError> {
        self.out.flush().map_err(TraceError::io("writing the trace"))
    }

    /// Adds a part. A chunk's columns come back for another one.
    pub(super) fn put(&mut self, part: Part) -> Result<Option<Columns>, TraceError> {
        match part {
            Part::Native(func, code) => {
                let at = self.block(Tag::Native, &code)?;
                self.index.native.push((func, at));
            }
            Part::Chunk(chunk) => return self.chunk(chunk).map(Some),
            Part::Kept(chunk) => {
                let (_, payload, columns) =
                    chunk.pack(self.chunk_level()).map_err(TraceError::io("compressing what is kept"))?;
                let at = self.block(Tag::Kept, &payload)?;
                self.index.kept.push(at);
                self.flush()?;
                return Ok(Some(columns));
            }
            Part::Pages(raw) => {
                let at = self.block(Tag::Pages, &raw)?;
                self.pages.push(at);
            }
            Part::Keyframe(entry) => {
                let entry = KeyframeEntry { blocks: std::mem::take(&mut self.pages), ..entry };
                self.block(Tag::Keyframe, &wire::encode(&entry))?;
                self.index.keyframes.push(entry);
                self.flush()?;
            }
        }
        Ok(None)
    }

    fn chunk(&mut self, chunk: FullChunk) -> Result<Columns, TraceError> {
        let (head, payload, columns) =
            chunk.pack(self.chunk_level()).map_err(TraceError::io("compressing a chunk"))?;
        let offset = self.block(Tag::Chunk, &payload)?;
        self.index.chunks.push(ChunkEntry {
            offset,
            first: Position(head.first),
            count: head.count,
            digest: head.digest,
            observed: head.observed,
            pages: head.pages,
        });
        // So that a reader of an unfinished file sees whole chunks soon.
        self.flush()?;
        Ok(columns)
    }

    /// Ends the file with its index; `synced` waits until the disk has it. Returns the length.
    pub(super) fn close(
        &mut self,
        words: EngineWords,
        digests: Option<EventDigests>,
        wall_ms: u64,
        synced: bool,
    ) -> Result<u64, TraceError> {
        (self.index.words, self.index.digests, self.index.wall_ms) = (words, digests, wall_ms);
        let index = wire::encode(&self.index);
        let at = self.block(Tag::Index, &index)?;
        self.raw(&at.to_le_bytes())?;
        self.raw(&TRAILER_MAGIC)?;
        self.flush()?;
        if synced {
            self.out.get_ref().sync_data().map_err(TraceError::io("writing the trace"))?;
        }
        Ok(self.at)
    }
}
