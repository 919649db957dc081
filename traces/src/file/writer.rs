//! Writing a trace, in constant memory.

use super::Sites;
use super::form::Form;
use super::output::Output;
use crate::block::Tag;
use crate::chunk::ChunkEncoder;
use crate::error::TraceError;
use crate::header::Header;
use crate::ids::{MemoryIndex, SiteId};
use crate::image::{CorruptEvent, Image};
use crate::index::{EngineWords, EventDigests};
use crate::keyframe::{self, Base, KeyframeEntry, PAGES_PER_BLOCK, PageList};
use crate::limits::{self, MAX_CHUNK_EVENTS};
use crate::milestone::Milestone;
use crate::native::NativeFunction;
use crate::page::PAGE;
use crate::raw::RawEvent;
use crate::site::{Site, SiteTable};
use crate::wire;
use blocks::{Blocks, Part};
use packer::Packer;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

mod blocks;
mod events;
mod gaps;
mod packer;

/// Most bytes of an engine's message that are kept.
const MAX_MESSAGE: usize = 1 << 20;

/// A trace that was written to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finished {
    /// Length of the file in bytes.
    pub length: u64,
    /// Bytes of memory that its reader must allow it
    /// ([`TraceReader::allow_memory`](crate::TraceReader::allow_memory)), if its events fill more than those of a
    /// stranger's file of this length may.
    pub to_allow: Option<u64>,
}

/// Writes a trace during the run, under a temporary name that ends with `.partial`; [`TraceWriter::finish`] gives it
/// the requested one. What was written stays readable whatever happens next: if the writer is dropped before that,
/// the file is an incomplete trace, under the requested name unless something else has it.
pub struct TraceWriter {
    form: Form,
    packer: Packer,
    /// Declared after `packer`, which must have written everything before the file gets its name.
    output: Output,
    chunk: ChunkEncoder,
    chunk_events: u32,
    events: u64,
    last_keyframe: u64,
    /// Bytes in the columns of the chunks since.
    bytes: u64,
    /// Number of keyframes.
    keyframes: u64,
    image: Image,
    /// How many events set memory up, once they have: what builds on no keyframe builds on them. The interval after these ends without
    /// a keyframe.
    set_up: Option<u64>,
    /// The first event that is left out, while events are.
    left_out_from: Option<u64>,
    /// Digests of all events, if there are.
    digests: Option<EventDigests>,
    started: Instant,
}

impl TraceWriter {
    /// Begins the trace `path` and writes everything known before the first event: the header, the original binary
    /// `module`, its sites, and where in it each data segment's bytes are. What is at `path` stays there until
    /// [`TraceWriter::finish`]; a device or a FIFO is written to directly.
    ///
    /// # Errors
    /// When the file cannot be created or written; then no file is left.
    pub fn create(
        path: &Path,
        header: &Header,
        module: Arc<[u8]>,
        sites: Vec<Site>,
        data: Vec<Range<u32>>,
    ) -> Result<TraceWriter, TraceError> {
        TraceWriter::create_in(Form::Recording, path, header, module, sites, data)
    }

    /// Begins a trace that is soon read by this process, and by nobody else: its module is not in it.
    ///
    /// # Errors
    /// Those of [`TraceWriter::create`].
    pub fn create_passing(
        path: &Path,
        header: &Header,
        module: Arc<[u8]>,
        sites: Vec<Site>,
        data: Vec<Range<u32>>,
    ) -> Result<TraceWriter, TraceError> {
        TraceWriter::create_in(Form::Passing, path, header, module, sites, data)
    }

    /// The same, in another form.
    pub(super) fn create_in(
        form: Form,
        path: &Path,
        header: &Header,
        module: Arc<[u8]>,
        sites: Vec<Site>,
        data: Vec<Range<u32>>,
    ) -> Result<TraceWriter, TraceError> {
        if header.chunk_events > MAX_CHUNK_EVENTS {
            let events = header.chunk_events;
            let what = format!("chunks of {events} events, the format allows {MAX_CHUNK_EVENTS}");
            return Err(TraceError::corrupt(0, what));
        }
        header.module.check(&module, 0)?;
        header.program.as_ref().map_or(Ok(()), |program| program.check(module.len()))?;
        let chunk_events = header.chunk_events.max(1);
        let table = Sites { sites, data: data.iter().map(|range| (range.start, range.end)).collect() };
        let sites = wire::encode(&table);
        let header = wire::encode(header);
        // What a reader would refuse is refused now, before there is a file.
        wire::decode::<Header>(&header, 0, "header")?;
        wire::decode::<Sites>(&sites, 0, "sites")?;
        let creating = TraceError::io(format!("creating the trace {}", path.display()));
        let (file, output) = Output::create(path).map_err(creating)?;
        let mut blocks = Blocks::new(file, form);
        let without = matches!(form, Form::Excerpt { with_module: false } | Form::Passing);
        let stored = if without { &[][..] } else { &module };
        if let Err(error) = blocks.head(&header, stored, &sites) {
            output.discard();
            return Err(error);
        }
        let table = Arc::new(SiteTable::new(table.sites));
        Ok(TraceWriter {
            form,
            packer: Packer::new(blocks),
            output,
            chunk: ChunkEncoder::new(table.layouts().into()),
            chunk_events,
            events: 0,
            last_keyframe: 0,
            bytes: 0,
            keyframes: 0,
            image: Image::new(table, Arc::clone(&module), data.into()),
            set_up: None,
            left_out_from: None,
            digests: None,
            started: Instant::now(),
        })
    }

    /// Keeps the native code of a function, for the target in the header's engine. Only before the first event. A
    /// function with more code than a block holds is left out.
    pub fn native(&mut self, function: &NativeFunction) -> Result<(), TraceError> {
        let code = wire::encode(function);
        if !Tag::Native.holds(code.len()) {
            return Ok(());
        }
        self.packer.put(Part::Native(function.func, code))
    }

    /// Records an event. The model sees it too: an impossible event is an error.
    ///
    /// # Errors
    /// When the file cannot be written or the event contradicts earlier ones.
    #[inline]
    pub fn push(&mut self, event: &RawEvent) -> Result<(), TraceError> {
        if self.set_up.is_none() && event.site == SiteId::MILESTONE {
            self.before_milestone(event);
        }
        self.image.apply(event).map_err(|error| self.impossible(&error))?;
        self.events += 1;
        if self.left_out_from.is_some() {
            return self.keep(event);
        }
        self.chunk.push(event);
        if self.chunk.count() >= self.chunk_events || self.chunk.is_full() {
            self.end_chunk()?;
        }
        Ok(())
    }

    /// Records an event of an instruction with an address, or another first operand, and one value: the same as
    /// [`TraceWriter::push`] of [`RawEvent::instruction`], and three times as fast for a store of up to 8 bytes, since
    /// nothing of it goes through memory.
    ///
    /// # Errors
    /// As [`TraceWriter::push`].
    #[inline]
    pub fn store(&mut self, site: SiteId, address: u64, value: u64) -> Result<(), TraceError> {
        let Some((memory, width)) = self.chunk.store_at(site) else {
            return self.push(&RawEvent::instruction(site, [address, value, 0]));
        };
        self.image.store(memory, address, value, width).map_err(|error| self.impossible(&error))?;
        self.events += 1;
        if self.left_out_from.is_some() {
            return Ok(());
        }
        self.chunk.store(site, address, value, width);
        if self.chunk.count() >= self.chunk_events {
            self.end_chunk()?;
        }
        Ok(())
    }

    /// Records the first of `count` stores of one value by one instruction, to addresses that are `stride` apart from `address` on: as
    /// many as are foreseen and need no care, and how many these are. The same as [`TraceWriter::store`] of each, in a third of the time.
    ///
    /// # Errors
    /// As [`TraceWriter::push`].
    pub fn foreseen_stores(
        &mut self,
        site: SiteId,
        address: u64,
        stride: u64,
        value: u64,
        count: u64,
    ) -> Result<u64, TraceError> {
        if self.left_out_from.is_some() || !self.chunk.foresees(site, address, stride, value) {
            return Ok(0);
        }
        let Some((memory, width)) = self.chunk.store_at(site) else { return Ok(0) };
        let count = count.min(self.chunk_events.saturating_sub(self.chunk.count()).into());
        let done = self.image.stores(memory, address, stride, value, width, count);
        self.events += done;
        self.chunk.again(done as u32, stride);
        if self.chunk.count() >= self.chunk_events {
            self.end_chunk()?;
        }
        Ok(done)
    }

    #[cold]
    fn impossible(&self, error: &CorruptEvent) -> TraceError {
        TraceError::corrupt(self.packer.length(), format!("event #{}: {error}", self.events))
    }

    /// Memory as the events so far make it.
    pub fn image(&self) -> &Image {
        &self.image
    }

    /// The sites of this trace.
    pub fn sites(&self) -> &SiteTable {
        self.image.sites()
    }

    /// Number of events so far.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// Bytes written so far, without the chunk in progress and those that wait to be compressed.
    pub fn written(&self) -> u64 {
        self.packer.written()
    }

    fn end_chunk(&mut self) -> Result<(), TraceError> {
        if self.chunk.count() == 0 {
            return Ok(());
        }
        let pages = self.image.take_touched();
        let first = self.events - u64::from(self.chunk.count());
        let chunk = self.chunk.finish(first, pages, self.packer.columns());
        self.bytes += chunk.length() as u64;
        self.packer.put(Part::Chunk(chunk))?;
        if keyframe::due(self.events - self.last_keyframe, self.bytes, self.image.dirty_pages()) {
            self.keyframe()?;
        }
        Ok(())
    }

    /// With the first call, memory is set up.
    fn before_milestone(&mut self, event: &RawEvent) {
        let in_first_chunk = self.events == u64::from(self.chunk.count());
        if in_first_chunk && matches!(Milestone::decode(event.blob), Ok(Milestone::Invoke { .. })) {
            self.image.dirty_since(u64::MAX, |_, _, _| {});
            self.set_up = Some(self.events);
        }
    }

    fn keyframe(&mut self) -> Result<(), TraceError> {
        self.keyframes += 1;
        let mut lists = Vec::new();
        let number = match self.form {
            Form::Recording | Form::Passing => keyframe::base(self.keyframes),
            Form::Excerpt { .. } => self.keyframes - 1,
        };
        let base = match number {
            0 => Base::Events(self.set_up.unwrap_or(0)),
            number => Base::Keyframe(number),
        };
        self.image
            .dirty_since(number + u64::from(self.set_up.is_some()), |memory, page, _| lists.push((memory, page)));
        for list in lists.chunks(PAGES_PER_BLOCK) {
            let mut raw = wire::encode(&PageList(list.to_vec()));
            let mut bytes = [0; PAGE as usize];
            for &(memory, page) in list {
                self.image.read(MemoryIndex(memory), page * PAGE, &mut bytes);
                raw.extend_from_slice(&bytes);
            }
            self.packer.put(Part::Pages(raw))?;
        }
        let (position, sizes) = (self.events, self.image.sizes());
        self.packer.put(Part::Keyframe(KeyframeEntry { position, base, sizes, blocks: Vec::new() }))?;
        (self.last_keyframe, self.bytes) = (self.events, 0);
        Ok(())
    }

    /// Closes the trace and gives it its name. `words` are what the engine itself said about the end.
    ///
    /// # Errors
    /// When the file cannot be written; it is then an incomplete trace. When another process has written a file of
    /// this name since [`TraceWriter::create`]: [`TraceError::Taken`] has the name of this one.
    pub fn finish(mut self, mut words: EngineWords) -> Result<Finished, TraceError> {
        self.hold()?;
        self.end_chunk()?;
        if let Some(message) = &mut words.message {
            message.truncate(message.floor_char_boundary(MAX_MESSAGE));
        }
        let blocks = self.packer.settle()?;
        let wall_ms = self.started.elapsed().as_millis() as u64;
        let length =
            blocks.close(words, self.digests, wall_ms, self.form != Form::Passing && !self.output.is_direct())?;
        self.output.publish()?;
        let (filled, allowed) = (self.image.filled(), limits::memory(length, self.image.module().len()));
        Ok(Finished { length, to_allow: (filled > allowed).then_some(filled) })
    }
}
