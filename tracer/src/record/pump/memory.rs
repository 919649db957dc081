//! Memories as the engine holds them, against those that the events make: after instantiation, at checkpoints, at the end.

use super::{Pieces, Pump, answer, unannounced};
use crate::error::RecordError;
use crate::instrument::{DataKind, HOST_PIECE};
use crate::protocol::Order;
use crate::record::images::{self, Difference, ShownImage};
use crate::record::javascript::given;
use crate::record::mismatches::{self, Differs, Mismatch};
use crate::record::{HostSource, Keep, checkpoints};
use forkpoint_traces::{
    DataIndex, Hex, HostEvent, Image, MemoryIndex, Milestone, Observation, PAGE, Stage, TraceWriter, written_pages,
};
use std::fmt::Write;
use std::os::unix::net::UnixStream;
use wasmparser::{Parser, Payload, TypeRef};

/// Bytes of memory that may always be something else than the events say: all of them are kept.
const MOST_OBSERVED: u64 = 256 << 20;

/// Most stretches of bytes that the words about a failed instantiation show.
const SHOWN_STRETCHES: usize = 4;

/// What a memory is imported as, unescaped.
fn imported_memory(module: &[u8], memory: MemoryIndex) -> Option<String> {
    let imports = Parser::new(0).parse_all(module).find_map(|payload| match payload {
        Ok(Payload::ImportSection(section)) => Some(section),
        _ => None,
    })?;
    let memories =
        imports.into_imports().filter_map(Result::ok).filter(|import| matches!(import.ty, TypeRef::Memory(_)));
    memories.skip(memory.0 as usize).map(|import| format!("{}.{}", import.module, import.name)).next()
}

impl Pump<'_> {
    /// Memories as they are between instantiation and start: sizes and data as read from the engine.
    pub(super) fn instantiated(&mut self) -> Result<(), RecordError> {
        let initial = std::mem::take(&mut self.initial);
        let instrumented = self.rewritten;
        if initial.len() != instrumented.memories.len() {
            return Err(RecordError::Protocol(format!(
                "images of {} memories, the module has {}",
                initial.len(),
                instrumented.memories.len()
            )));
        }
        self.accepted(Stage::Instantiate)?;
        let given = self.given.take();
        let given = given.as_ref().or_else(|| self.program.javascript.as_ref()?.given.as_ref());
        let Some(writer) = self.writer.as_mut() else { return Err(unannounced("the end")) };
        let javascript = self.program.javascript.is_some() && self.request.host == HostSource::Live;
        for ((incoming, _), declared) in initial.iter().zip(&instrumented.memories) {
            let (memory, mut pages) = (incoming.memory(), incoming.pages());
            if javascript && declared.imported {
                // JavaScript may have made it larger than the module asks for.
                pages = pages.min(declared.minimum);
            }
            writer.milestone(&Milestone::Memory { memory, pages, page_size: declared.page_size })?;
        }
        for (segment, data) in instrumented.data.iter().enumerate() {
            if let DataKind::Active { memory, address } = &data.kind {
                let memory = *memory;
                let value = |global: u32| given.and_then(|given| given.address(global));
                let address = address.value(value).ok_or_else(|| {
                    RecordError::Protocol(format!("the address of data segment {segment} is not known"))
                })?;
                let (segment, length) = (DataIndex(segment as u32), data.bytes.len() as u64);
                writer.milestone(&Milestone::DataInit { segment, memory, address, length })?;
                mismatches::outside(writer, &mut self.mismatches)?;
            }
        }
        if !javascript {
            return self.strays(initial);
        }
        if let (Some(given), Some(javascript)) = (given, &self.program.javascript) {
            for event in given::steps(given, &javascript.reach) {
                writer.host(&event)?;
            }
        }
        self.brought(initial)
    }

    /// Records what JavaScript brought along in memories that the module imports: it made and filled them before.
    fn brought(&mut self, initial: Vec<(ShownImage, Pieces)>) -> Result<(), RecordError> {
        let mut changes = Vec::new();
        for ((mut incoming, pieces), declared) in initial.into_iter().zip(&self.rewritten.memories) {
            let Some(writer) = self.writer.as_mut() else { return Err(unannounced("the end")) };
            let memory = incoming.memory();
            let more = incoming.pages().saturating_sub(declared.minimum);
            if declared.imported && more > 0 {
                writer.host(&HostEvent::Grow { memory, delta: more, before: declared.minimum })?;
            }
            let mut sink =
                |Difference { address, engine, .. }| changes.push((declared.imported, memory, address, engine));
            for (address, bytes) in pieces {
                incoming.bytes(memory.0, address, &bytes, writer.image(), &mut sink)?;
            }
            incoming.end(writer.image(), &mut sink);
        }
        for (imported, memory, address, bytes) in changes {
            let writer = self.writer()?;
            if !imported {
                writer.stray_bytes(memory, address, &bytes)?;
                continue;
            }
            for (piece, bytes) in (0..).zip(bytes.chunks(HOST_PIECE)) {
                let address = address.saturating_add(piece * HOST_PIECE as u64);
                writer.host(&HostEvent::Write { memory, address, bytes: bytes.to_vec() })?;
            }
        }
        Ok(())
    }

    /// Records what memories hold after instantiation instead of what is declared.
    pub(super) fn strays(&mut self, initial: Vec<(ShownImage, Pieces)>) -> Result<(), RecordError> {
        let Some(writer) = self.writer.as_mut() else { return Err(unannounced("the end")) };
        for (mut incoming, pieces) in initial {
            let mut strays = Vec::new();
            let mut sink = |difference| strays.push(difference);
            let memory = incoming.memory();
            for (address, bytes) in pieces {
                incoming.bytes(memory.0, address, &bytes, writer.image(), &mut sink)?;
            }
            incoming.end(writer.image(), &mut sink);
            for Difference { address, engine, .. } in strays {
                writer.stray_bytes(memory, address, &engine)?;
            }
        }
        Ok(())
    }

    /// What an instantiation that failed left in the memories that the module imports, where the engine shows them: they
    /// are kept as those of the end. In words, for the engine's message.
    pub(super) fn left_behind(&mut self) -> Result<String, RecordError> {
        let mut words = String::new();
        let Some(writer) = self.writer.as_ref() else { return Ok(words) };
        for (mut incoming, pieces) in std::mem::take(&mut self.initial) {
            // No memory is recorded: all that is not zero differs.
            let mut left = Vec::new();
            let mut sink = |difference| left.push(difference);
            let memory = incoming.memory();
            for (address, bytes) in pieces {
                incoming.bytes(memory.0, address, &bytes, writer.image(), &mut sink)?;
            }
            self.final_memories.push(incoming.end(writer.image(), &mut sink));
            for Difference { address, engine, .. } in left.iter().take(SHOWN_STRETCHES) {
                let name = imported_memory(&self.program.original, memory).unwrap_or_else(|| memory.0.to_string());
                let _ = write!(words, "\nleft in imported memory {name} at {address:#x}: {:#}", Hex(engine));
            }
        }
        Ok(words)
    }

    /// A memory's image begins.
    pub(super) fn image(&mut self, memory: u32, pages: u64) -> Result<(), RecordError> {
        self.incoming = Some(ShownImage::new(memory, pages));
        if !self.course.is_loading() {
            // The end: what is found now belongs into the trace.
            self.writer()?.hold()?;
            return self.size(memory, pages);
        }
        self.initial.push((ShownImage::new(memory, pages), Vec::new()));
        Ok(())
    }

    pub(super) fn image_bytes(&mut self, memory: u32, address: u64, bytes: Vec<u8>) -> Result<(), RecordError> {
        if self.course.is_loading() {
            if let Some((_, pieces)) = self.initial.last_mut() {
                // Zeros may be sent, and need not be kept.
                pieces.extend(written_pages(&bytes).map(|(number, page)| (address + number * PAGE, page.to_vec())));
                return Ok(());
            }
            return Err(unannounced("bytes"));
        }
        let writer = self.writer.as_mut().ok_or_else(|| unannounced("bytes"))?;
        let mut found = Vec::new();
        if self.checkpoint.is_some() {
            images::page(MemoryIndex(memory), address, &bytes, writer.image(), &mut found);
        } else {
            let incoming = self.incoming.as_mut().ok_or_else(|| unannounced("bytes"))?;
            incoming.bytes(memory, address, &bytes, writer.image(), &mut |difference| found.push(difference))?;
        }
        self.observe(MemoryIndex(memory), found)
    }

    pub(super) fn image_end(&mut self) -> Result<(), RecordError> {
        let (Some(incoming), Some(writer)) = (self.incoming.take(), self.writer.as_ref()) else {
            return Err(unannounced("the end"));
        };
        if self.course.is_loading() {
            return Ok(());
        }
        let memory = incoming.memory();
        let mut found = Vec::new();
        let state = incoming.end(writer.image(), &mut |difference| found.push(difference));
        self.final_memories.push(state);
        self.observe(memory, found)
    }

    /// A checkpoint begins: memories have these sizes in pages.
    pub(super) fn checkpoint_begin(&mut self, pages: Vec<u64>) -> Result<(), RecordError> {
        for (memory, engine) in pages.iter().enumerate() {
            self.size(memory as u32, *engine)?;
        }
        self.checkpoint = Some(checkpoints::Digests::new(pages));
        Ok(())
    }

    /// All digests of a checkpoint are there: asks for the pages that are not what they should be.
    pub(super) fn checkpoint_end(&mut self, socket: &mut UnixStream) -> Result<(), RecordError> {
        let (Some(checkpoint), Some(writer)) = (self.checkpoint.take(), self.writer.as_ref()) else {
            return Err(unannounced("the end of a checkpoint"));
        };
        let suspects = checkpoint.suspects(writer.image());
        self.checkpoint = Some(checkpoints::Digests::default());
        answer(&Order::Show(suspects), socket)
    }

    /// Compares a memory's size, in pages, with the replayed one.
    fn size(&mut self, memory: u32, engine: u64) -> Result<(), RecordError> {
        let (memory, checks) = (MemoryIndex(memory), self.checks());
        let writer = self.writer()?;
        let Some(replayed) = writer.image().size(memory).map(|size| size.pages) else {
            return Err(RecordError::Protocol(format!(
                "memory {} is shown, which the module does not have",
                memory.0
            )));
        };
        if engine != replayed && checks {
            let events = writer.events();
            writer.found_size(memory, engine)?;
            self.mismatches.add(Mismatch { memory, events, what: Differs::Size { engine, replayed } });
        }
        Ok(())
    }

    /// Whether everything is recorded, so that replayed memory must be the engine's.
    fn checks(&self) -> bool {
        self.request.keep != Keep::Digests && self.request.options.scope.is_everything()
    }

    /// Records what the engine's memory holds instead of the replayed bytes.
    fn observe(&mut self, memory: MemoryIndex, found: Vec<Difference>) -> Result<(), RecordError> {
        if !self.checks() {
            return Ok(());
        }
        let fresh = self.writer.as_ref().map_or(0, |writer| fresh_pages(writer.image(), memory, &found));
        let bytes = found.iter().map(|difference| difference.engine.len() as u64).sum::<u64>();
        // A single byte in a fresh page costs the whole page.
        self.observed += bytes.max(fresh * PAGE);
        if self.observed > MOST_OBSERVED {
            // What a lost or misplaced store of all that the events wrote would make, and no flood.
            let most = *self.most_observed.get_or_insert_with(|| {
                let model = self.writer.as_ref().map(TraceWriter::image);
                let pages = model.map_or(0, |model| model.pages_in(memory, 0..u64::MAX).count() as u64);
                MOST_OBSERVED + 2 * PAGE * pages.saturating_sub(self.found_pages)
            });
            if self.observed > most {
                return Err(RecordError::Protocol(format!(
                    "{} bytes of memory {} that differ from the events",
                    self.observed, memory.0
                )));
            }
        }
        self.found_pages += fresh;
        for Difference { address, engine, replayed } in found {
            let by = Observation::Checkpoint;
            let writer = self.writer()?;
            let events = writer.events();
            writer.observed(memory, address, by, &engine)?;
            self.mismatches.add(Mismatch { memory, events, what: Differs::Bytes { address, engine, replayed, by } });
        }
        Ok(())
    }
}

/// How many pages the model has not yet that differences, with ascending addresses, would add to it.
fn fresh_pages(model: &Image, memory: MemoryIndex, found: &[Difference]) -> u64 {
    let (mut fresh, mut next) = (0, 0);
    for Difference { address, engine, .. } in found {
        let end = address.saturating_add(engine.len() as u64).div_ceil(PAGE);
        let start = next.max(address / PAGE);
        if start < end {
            fresh += end - start - model.pages_in(memory, start..end).count() as u64;
            next = end;
        }
    }
    fresh
}
