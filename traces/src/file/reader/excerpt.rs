//! A smaller trace of the same run: what it holds is what this one holds, and the rest is left out.

use super::TraceReader;
use crate::block::{self, Tag};
use crate::chunk::{ChunkColumns, take_blob};
use crate::error::TraceError;
use crate::file::Finished;
use crate::file::form::Form;
use crate::file::writer::TraceWriter;
use crate::header::Header;
use crate::host::HostEvent;
use crate::ids::{FuncIndex, Position, SiteId};
use crate::image::Image;
use crate::index::{DigestOf, EngineWords};
use crate::milestone::Milestone;
use crate::raw::RawEvent;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// What an excerpt holds.
pub struct Excerpt<'a> {
    /// Events that it holds, besides the first and the last one.
    pub held: &'a [Range<Position>],
    /// Its header.
    pub header: &'a Header,
    /// The engine's words about the end.
    pub words: &'a EngineWords,
    /// Its module.
    pub module: ExcerptModule,
    /// Changes each step of a host call that is left out.
    pub edit: Option<&'a mut dyn FnMut(&mut HostEvent)>,
}

/// The module of an excerpt.
pub enum ExcerptModule {
    /// The same one, which is elsewhere: the excerpt can only be opened with it, by [`TraceReader::of`].
    Elsewhere,
    /// The same one.
    Same,
    /// Another one with instructions and data segments at the same places.
    Other(Arc<[u8]>),
}

impl TraceReader {
    /// Writes the trace `output`, which leaves out all other events: their host calls and digests are kept, and memory
    /// wherever events are held. It has the native code of functions that its events are of. What this trace leaves out stays
    /// left out. `progress` is told the position reached, and says whether to go on; `None` if not.
    ///
    /// # Errors
    /// When this trace is damaged, or the other one cannot be written.
    pub fn excerpt(
        &mut self,
        excerpt: Excerpt,
        output: &Path,
        progress: &mut dyn FnMut(Position) -> bool,
    ) -> Result<Option<Finished>, TraceError> {
        let Excerpt { held, header, words, module, edit } = excerpt;
        let last = self.events().saturating_sub(1);
        // With the events that set memory up, keyframes need not hold what the module's data segments give.
        let set_up = Position(0)..Position(self.set_up()?.max(1));
        let held: Vec<Range<Position>> =
            held.iter().cloned().chain([set_up, Position(last)..Position(self.events())]).collect();
        let (sites, data) = (self.sites.iter().map(|(_, site)| site.clone()).collect(), self.data.to_vec());
        let with_module = !matches!(module, ExcerptModule::Elsewhere);
        let module = match module {
            ExcerptModule::Other(module) => module,
            ExcerptModule::Elsewhere | ExcerptModule::Same => Arc::clone(&self.module),
        };
        let writer = TraceWriter::create_in(Form::Excerpt { with_module }, output, header, module, sites, data)?;
        let mut copy = Copy { writer, held, known: true, edit };
        for func in self.functions_of(&copy.held)? {
            if let Some(code) = self.native_code(func)? {
                copy.writer.native(&code)?;
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
                copy.writer.leave_out()?;
                copy.known = false;
            }
            while let Some(at) = kept.pop_if(|at| *at < offset) {
                copy.keep_steps(self, at, Tag::Kept)?;
            }
            if copy.wants(first..self.index.chunks[chunk].end()) {
                if !copy.known {
                    let image = self.memory_at(chunk)?;
                    copy.writer.jump(first, &image)?;
                    copy.known = true;
                }
                self.read_chunk(chunk, |event| copy.push(&event))?;
            } else {
                copy.writer.leave_out()?;
                copy.known = false;
                copy.keep_steps(self, offset, Tag::Chunk)?;
            }
        }
        let digests = self.digests(DigestOf::Records).or_else(|| self.digests(DigestOf::Chunks));
        if let Some(digests) = digests {
            copy.writer.set_digests(digests.into_owned());
        }
        copy.writer.finish(words.clone()).map(Some)
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

    /// How many events of the first chunk come before the first call and the first instruction.
    fn set_up(&mut self) -> Result<u64, TraceError> {
        let (mut events, mut is_over) = (0, self.index.chunks.is_empty());
        if is_over {
            return Ok(0);
        }
        self.read_chunk(0, |event| {
            let sets_up = match event.site {
                SiteId::MILESTONE => !matches!(Milestone::decode(event.blob)?, Milestone::Invoke { .. }),
                site => !site.is_instruction() && site != SiteId::HOST,
            };
            is_over |= !sets_up;
            events += u64::from(!is_over);
            Ok::<(), TraceError>(())
        })?;
        Ok(events)
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
struct Copy<'a> {
    writer: TraceWriter,
    held: Vec<Range<Position>>,
    /// Whether the writer has seen all events so far.
    known: bool,
    edit: Option<&'a mut dyn FnMut(&mut HostEvent)>,
}

impl Copy<'_> {
    fn wants(&self, events: Range<Position>) -> bool {
        wants(&self.held, events)
    }

    fn push(&mut self, event: &RawEvent) -> Result<(), TraceError> {
        let at = Position(self.writer.events());
        if self.wants(at..at.next()) {
            self.writer.hold()?;
            return self.writer.push(event);
        }
        self.writer.leave_out()?;
        if event.site != SiteId::HOST {
            return self.writer.push(event);
        }
        let edited = self.edited(event.blob)?;
        self.writer.push(&RawEvent::host(&edited))
    }

    /// A step of a host call as the excerpt has it.
    fn edited<'b>(&mut self, step: &'b [u8]) -> Result<Cow<'b, [u8]>, TraceError> {
        let Some(edit) = &mut self.edit else { return Ok(Cow::Borrowed(step)) };
        let mut event = HostEvent::decode(step)?;
        edit(&mut event);
        Ok(Cow::Owned(event.encode()))
    }

    /// Keeps the host calls of a block whose events are left out.
    fn keep_steps(&mut self, trace: &TraceReader, at: u64, tag: Tag) -> Result<(), TraceError> {
        let head = trace.block_at(at, tag)?;
        let column = ChunkColumns::host(&block::read(&trace.file, &head)?, at)?;
        let mut rest = column.as_slice();
        while !rest.is_empty() {
            let step = take_blob(&mut rest).ok_or_else(|| TraceError::corrupt(at, "the host log is cut off"))?;
            let step = self.edited(step)?;
            self.writer.keep_step(&step)?;
        }
        Ok(())
    }
}
