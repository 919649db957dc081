//! A smaller trace of the same run: what it holds is what this one holds, and the rest is left out.

use super::TraceReader;
use crate::block::{self, Tag};
use crate::chunk::{ChunkColumns, take_blob};
use crate::error::TraceError;
use crate::file::Finished;
use crate::file::form::Form;
use crate::file::writer::TraceWriter;
use crate::header::Header;
use crate::ids::{FuncIndex, Position};
use crate::image::Image;
use crate::index::DigestOf;
use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

impl TraceReader {
    /// Writes the trace `output`, which holds the events in `held` (ascending), the first event and the last one, and
    /// leaves out all others: their host calls and digests are kept, and memory wherever events are held. It is written
    /// without its module, under another `header`, and without the native code of functions that none of the events is of.
    /// What this trace leaves out stays left out. `progress` is told the position reached, and says whether to go on.
    ///
    /// # Errors
    /// When this trace is damaged, or the other one cannot be written.
    pub fn excerpt(
        &mut self,
        held: &[Range<Position>],
        header: &Header,
        output: &Path,
        progress: &mut dyn FnMut(Position) -> bool,
    ) -> Result<Option<Finished>, TraceError> {
        let last = self.events().saturating_sub(1);
        let held: Vec<Range<Position>> =
            held.iter().cloned().chain([Position(0)..Position(1), Position(last)..Position(self.events())]).collect();
        let (sites, data) = (self.sites.iter().map(|(_, site)| site.clone()).collect(), self.data.to_vec());
        let module = Arc::clone(&self.module);
        let writer = TraceWriter::create_in(Form::Excerpt, output, header, module, sites, data)?;
        let mut excerpt = Excerpt { writer, held, known: true };
        for func in self.functions_of(&excerpt.held)? {
            if let Some(code) = self.native_code(func)? {
                excerpt.writer.native(&code)?;
            }
        }
        let mut kept = self.index.kept.clone();
        kept.reverse();
        for chunk in 0..self.index.chunks.len() {
            let entry = &self.index.chunks[chunk];
            let (first, offset) = (entry.first, entry.offset);
            if !progress(first) {
                return Ok(None);
            }
            if !self.gap_before(chunk).is_empty() {
                excerpt.writer.leave_out()?;
                excerpt.known = false;
            }
            while let Some(at) = kept.pop_if(|at| *at < offset) {
                excerpt.keep_steps(self, at, Tag::Kept)?;
            }
            if excerpt.wants(first..self.index.chunks[chunk].end()) {
                if !excerpt.known {
                    let image = self.memory_at(chunk)?;
                    excerpt.writer.jump(first, &image)?;
                    excerpt.known = true;
                }
                self.read_chunk(chunk, |event| excerpt.push(&event))?;
            } else {
                excerpt.writer.leave_out()?;
                excerpt.known = false;
                excerpt.keep_steps(self, offset, Tag::Chunk)?;
            }
        }
        let digests = self.digests(DigestOf::Records).or_else(|| self.digests(DigestOf::Chunks));
        if let Some(digests) = digests {
            excerpt.writer.set_digests(digests.into_owned());
        }
        excerpt.writer.finish(self.index.words.clone()).map(Some)
    }

    /// The functions that the instructions of these events are in.
    fn functions_of(&mut self, held: &[Range<Position>]) -> Result<BTreeSet<FuncIndex>, TraceError> {
        let mut functions = BTreeSet::new();
        if self.native.is_empty() {
            return Ok(functions);
        }
        let sites = Arc::clone(&self.sites);
        for chunk in 0..self.index.chunks.len() {
            let entry = &self.index.chunks[chunk];
            let mut position = entry.first;
            if !wants(held, position..entry.end()) {
                continue;
            }
            self.read_without_values(chunk, |event| {
                let is_held = wants(held, position..position.next());
                functions.extend(sites.get(event.site).filter(|_| is_held).map(|site| site.func));
                position = position.next();
                Ok::<(), TraceError>(())
            })?;
        }
        Ok(functions)
    }

    /// Memory before the first event of a chunk.
    fn memory_at(&mut self, chunk: usize) -> Result<Image, TraceError> {
        let mut image = self.empty_image();
        let to = self.index.chunks[chunk].first;
        let mut at = self.restore(to, &mut image)?;
        while at < to {
            let number = self.chunk_of(at)?;
            self.replay_chunk(number, &mut image, &mut at, |position, error| {
                TraceError::corrupt(0, format!("event {position}: {error}"))
            })?;
        }
        Ok(image)
    }
}

/// Whether any of these events is to be held.
fn wants(held: &[Range<Position>], events: Range<Position>) -> bool {
    held.iter().any(|held| held.start < events.end && events.start < held.end)
}

/// An excerpt while it is written.
struct Excerpt {
    writer: TraceWriter,
    held: Vec<Range<Position>>,
    /// Whether the writer has seen all events so far.
    known: bool,
}

impl Excerpt {
    fn wants(&self, events: Range<Position>) -> bool {
        wants(&self.held, events)
    }

    fn push(&mut self, event: &crate::raw::RawEvent) -> Result<(), TraceError> {
        let at = Position(self.writer.events());
        if self.wants(at..at.next()) {
            self.writer.hold()?
        } else {
            self.writer.leave_out()?
        }
        self.writer.push(event)
    }

    /// Keeps the host calls of a block whose events are left out.
    fn keep_steps(&mut self, trace: &TraceReader, at: u64, tag: Tag) -> Result<(), TraceError> {
        let head = trace.block_at(at, tag)?;
        let column = ChunkColumns::host(&block::read(&trace.file, &head)?, at)?;
        let mut rest = column.as_slice();
        while !rest.is_empty() {
            let step = take_blob(&mut rest).ok_or_else(|| TraceError::corrupt(at, "the host log is cut off"))?;
            self.writer.keep_step(step)?;
        }
        Ok(())
    }
}
