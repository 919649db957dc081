//! Turns the child's frames into a trace.

use super::images::{Difference, Incoming};
use super::process::{Child, Ended, Stopped, Watch};
use super::{CallResult, Program, Progress, Recorded, Request, trap};
use crate::error::RecordError;
use crate::instrument::{DataKind, RecordDecoder};
use crate::protocol::{Frame, Message, NO_OFFSET, NativeFrame};
use crate::shared;
use forkpoint_traces::{
    EngineInfo, FuncIndex, Header, HostInfo, Limits, MemoryIndex, MemoryState, Milestone, ModuleInfo, NativeFunction,
    NativePoint, Outcome, RawEvent, SiteId, TraceError, TraceWriter, TrapKind,
};
use std::collections::HashSet;
use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

/// Events in a chunk: see docs/performance.md for what other sizes cost.
const CHUNK_EVENTS: u32 = 1 << 17;

/// An initial memory image in pieces: address and bytes. Held until every memory is known.
type Pieces = Vec<(u64, Vec<u8>)>;

/// A recording in progress.
pub(super) struct Pump<'a> {
    program: &'a Program,
    request: &'a Request,
    progress: Progress<'a>,
    decoder: RecordDecoder,
    recorded_functions: HashSet<FuncIndex>,
    writer: Option<TraceWriter>,
    incoming: Option<Incoming>,
    initial: Vec<(Incoming, Pieces)>,
    instantiated: bool,
    /// When the last instantiation was seen, and how long the calls took.
    started: Option<Instant>,
    running: Duration,
    /// The call in progress: nothing, the start function, or a call by number.
    call: Option<Option<u32>>,
    calls: Vec<CallResult>,
    final_memories: Vec<MemoryState>,
    mismatch: Option<RecordError>,
    outcome: Option<Outcome>,
    message: Option<String>,
    ended: bool,
    /// Blocks of records received.
    blocks: u32,
}

impl<'a> Pump<'a> {
    pub(super) fn new(program: &'a Program, request: &'a Request, progress: Progress<'a>) -> Pump<'a> {
        Pump {
            program,
            request,
            progress,
            decoder: program.instrumented.decoder(),
            recorded_functions: program.instrumented.sites.iter().map(|site| site.func).collect(),
            writer: None,
            incoming: None,
            initial: Vec::new(),
            instantiated: false,
            started: None,
            running: Duration::ZERO,
            call: None,
            calls: Vec::new(),
            final_memories: Vec::new(),
            mismatch: None,
            outcome: None,
            message: None,
            ended: false,
            blocks: 0,
        }
    }

    /// Sees the compiling child through. `false` when there is nothing to run: the outcome is known.
    pub(super) fn compile(&mut self, child: Child, watch: &Watch) -> Result<bool, RecordError> {
        let ended = child.run(watch, |frame| self.frame(frame))?;
        let compiled = std::mem::take(&mut self.ended);
        if !compiled {
            self.conclude(&ended)?;
        }
        Ok(compiled)
    }

    /// Sees the running child through.
    pub(super) fn run(&mut self, child: Child, watch: &Watch) -> Result<(), RecordError> {
        let ended = child.run(watch, |frame| self.frame(frame))?;
        self.conclude(&ended)
    }

    /// Decides how the run ended, from what the child said and from how its process ended.
    fn conclude(&mut self, ended: &Ended) -> Result<(), RecordError> {
        if self.writer.is_none() && ended.stopped.is_none() {
            return Err(RecordError::NoEngine(ended.status.to_string()));
        }
        if self.instantiated && !self.ended {
            self.rescue(ended)?;
        }
        self.outcome = match (&self.outcome, ended.stopped) {
            // The run was over before the order to stop reached it.
            (Some(outcome), _) if self.ended => Some(outcome.clone()),
            (_, Some(Stopped::TimedOut)) => Some(Outcome::TimedOut),
            (_, Some(Stopped::Interrupted)) => Some(Outcome::Interrupted),
            (Some(outcome @ Outcome::Rejected { .. }), None) => Some(outcome.clone()),
            (_, None) if self.ended => Some(Outcome::Finished),
            (_, None) => Some(Outcome::Crashed { signal: ended.status.signal() }),
        };
        Ok(())
    }

    /// Takes the records that a process which came to no end left in its buffer.
    fn rescue(&mut self, ended: &Ended) -> Result<(), RecordError> {
        let bytes =
            ended.buffer.unsent(self.blocks).map_err(RecordError::io("reading the buffer of a dead process"))?;
        match self.records(&bytes) {
            // Whatever killed the engine may have written there before: what made sense until then is kept.
            Err(error @ (RecordError::RawRecord(_) | RecordError::Trace(TraceError::Corrupt { .. }))) => {
                let note = format!("the last records are damaged, some events are missing: {error}");
                self.message = Some(self.message.take().map_or(note.clone(), |message| format!("{message}\n{note}")));
                Ok(())
            }
            result => result,
        }
    }

    /// Writes the end of the trace.
    pub(super) fn finish(mut self, elapsed: Duration) -> Result<Recorded, RecordError> {
        let outcome = self.outcome.take().unwrap_or(Outcome::Interrupted);
        let Some(mut writer) = self.writer.take() else {
            // Stopped before the engine was up: nothing was recorded and no file made.
            return Err(RecordError::NoEngine(outcome.to_string()));
        };
        let memories = std::mem::take(&mut self.final_memories);
        writer.milestone(&Milestone::End { outcome: outcome.clone(), memories })?;
        let events = writer.events();
        let bytes = writer.finish(self.message.clone())?;
        if let Some(mismatch) = self.mismatch {
            return Err(mismatch);
        }
        Ok(Recorded {
            events,
            bytes,
            outcome,
            message: self.message,
            calls: self.calls,
            elapsed,
            running: self.running,
        })
    }

    fn writer(&mut self) -> Result<&mut TraceWriter, RecordError> {
        self.writer.as_mut().ok_or_else(|| RecordError::Protocol("a frame before the first, `Hello`".to_string()))
    }

    fn frame(&mut self, frame: Frame) -> Result<(), RecordError> {
        match frame {
            Frame::Records(bytes) => {
                shared::count_block(&mut self.blocks);
                self.records(&bytes)
            }
            Frame::HostWrite { memory, address, bytes } => {
                Ok(self.writer()?.bytes(SiteId::HOST_WRITE, MemoryIndex(memory), address, &bytes)?)
            }
            Frame::Image { memory, address, bytes } => self.image_bytes(memory, address, bytes),
            Frame::Native(native) => self.native(native),
            Frame::Message(message) => self.message(message),
        }
    }

    fn records(&mut self, bytes: &[u8]) -> Result<(), RecordError> {
        let Some(writer) = self.writer.as_mut() else {
            return Err(RecordError::Protocol("records before the first frame, `Hello`".to_string()));
        };
        let mut failed = None;
        self.decoder.decode_block(bytes, &mut |site, operands| {
            if failed.is_none() {
                failed = writer.push(&RawEvent { site, operands, blob: &[] }).err();
            }
        })?;
        if let Some(error) = failed {
            return Err(error.into());
        }
        (self.progress)(writer.events(), writer.written());
        Ok(())
    }

    fn message(&mut self, message: Message) -> Result<(), RecordError> {
        match message {
            Message::Hello(engine) => self.hello(engine),
            Message::SetupFailed(message) => {
                Err(RecordError::Setup { spec: self.request.engine.to_string(), message })
            }
            Message::Rejected { stage, message } => {
                self.outcome = Some(Outcome::Rejected { stage });
                self.message = Some(message);
                Ok(())
            }
            Message::Image { memory, pages } => {
                self.incoming = Some(Incoming::new(memory, pages));
                if !self.instantiated {
                    self.initial.push((Incoming::new(memory, pages), Vec::new()));
                }
                Ok(())
            }
            Message::ImageEnd => self.image_end(),
            Message::Instantiated => self.instantiated(),
            Message::Call(call) => self.begin_call(call),
            Message::Returned(values) => {
                let results = values.iter().map(ToString::to_string).collect();
                self.writer()?.milestone(&Milestone::Returned { results })?;
                self.outcome.get_or_insert(Outcome::Finished);
                self.end_call(Ok(values));
                Ok(())
            }
            Message::Trapped { trap, message, frames } => {
                let frames = trap::original(frames, self.program);
                let (func, offset) = frames.first().map_or((None, None), |frame| (Some(frame.func), frame.offset));
                self.writer()?.milestone(&Milestone::Trapped { trap, func, offset })?;
                self.outcome = Some(Outcome::Trapped { trap });
                self.message = Some(trap::with_frames(message, &frames));
                self.end_call(Err(trap));
                Ok(())
            }
            Message::Exited(code) => {
                self.writer()?.milestone(&Milestone::Exited { code })?;
                self.outcome = Some(Outcome::Exited { code });
                Ok(())
            }
            Message::Stopped => Ok(()),
            Message::End => {
                self.ended = true;
                Ok(())
            }
        }
    }

    fn hello(&mut self, engine: EngineInfo) -> Result<(), RecordError> {
        if self.writer.is_some() {
            // The running child of an AOT engine; its compiling child said the same.
            return Ok(());
        }
        let wasi = &self.request.wasi;
        let header = Header {
            forkpoint: env!("CARGO_PKG_VERSION").to_string(),
            engine,
            module: ModuleInfo::of(&self.program.name, &self.program.original),
            host: HostInfo {
                arguments: wasi.arguments.clone(),
                environment: wasi.environment.clone(),
                directories: wasi
                    .directories
                    .iter()
                    .map(|(host, guest)| format!("{}::{guest}", host.display()))
                    .collect(),
                deterministic: wasi.deterministic,
            },
            limits: Limits { timeout_ms: self.request.timeout.map(|timeout| timeout.as_millis() as u64) },
            command: self.request.command.clone(),
            chunk_events: CHUNK_EVENTS,
        };
        let data = self
            .program
            .instrumented
            .data
            .iter()
            .map(|segment| segment.bytes.start as u32..segment.bytes.end as u32)
            .collect();
        self.writer = Some(TraceWriter::create(
            &self.request.output,
            &header,
            self.program.original.clone(),
            self.program.instrumented.sites.clone(),
            data,
        )?);
        Ok(())
    }

    fn native(&mut self, native: NativeFrame) -> Result<(), RecordError> {
        let offsets = &self.program.instrumented.offsets;
        let Some(func) = offsets.function(native.function).filter(|func| self.recorded_functions.contains(func))
        else {
            return Ok(());
        };
        let mut points: Vec<NativePoint> = Vec::with_capacity(native.points.len());
        for (offset, wasm) in native.points {
            let mapped = (wasm != NO_OFFSET).then(|| offsets.original(wasm)).flatten();
            let point = NativePoint {
                offset,
                site: mapped.map(|mapped| mapped.offset),
                recorder: mapped.is_some_and(|mapped| mapped.recorder),
            };
            if points.last().is_none_or(|last| (last.site, last.recorder) != (point.site, point.recorder)) {
                points.push(point);
            }
        }
        let function = NativeFunction { func, start: native.start, code: native.code, points };
        Ok(self.writer()?.native(&function)?)
    }

    fn begin_call(&mut self, call: Option<u32>) -> Result<(), RecordError> {
        let milestone = match call {
            None => Milestone::Invoke { function: "(start)".to_string(), arguments: Vec::new() },
            Some(number) => {
                let Some(call) = self.program.calls.get(number as usize) else {
                    return Err(RecordError::Protocol(format!("call number {number} was not asked for")));
                };
                Milestone::Invoke {
                    function: call.function.clone(),
                    arguments: call.arguments.iter().map(ToString::to_string).collect(),
                }
            }
        };
        self.call = Some(call);
        Ok(self.writer()?.milestone(&milestone)?)
    }

    fn end_call(&mut self, result: Result<Vec<crate::values::WasmValue>, TrapKind>) {
        self.running = self.started.map_or(Duration::ZERO, |started| started.elapsed());
        let Some(Some(number)) = self.call.take() else { return };
        if let Some(call) = self.program.calls.get(number as usize) {
            self.calls.push(CallResult { function: call.function.clone(), result });
        }
    }

    /// Memories as they are between instantiation and start: sizes and data as read from the engine.
    fn instantiated(&mut self) -> Result<(), RecordError> {
        let initial = std::mem::take(&mut self.initial);
        let instrumented = &self.program.instrumented;
        if initial.len() != instrumented.memories.len() {
            return Err(RecordError::Protocol(format!(
                "images of {} memories, the module has {}",
                initial.len(),
                instrumented.memories.len()
            )));
        }
        let writer = self.writer()?;
        for ((incoming, _), declared) in initial.iter().zip(&instrumented.memories) {
            let (memory, pages) = (incoming.memory(), incoming.pages());
            writer.milestone(&Milestone::Memory { memory, pages, page_size: declared.page_size })?;
        }
        for (segment, data) in instrumented.data.iter().enumerate() {
            if let DataKind::Active { memory, address } = data.kind {
                let length = data.bytes.len() as u64;
                writer.milestone(&Milestone::DataInit { segment: segment as u32, memory, address, length })?;
            }
        }
        for (mut incoming, pieces) in initial {
            let mut strays = Vec::new();
            let mut sink = |difference| strays.push(difference);
            let memory = incoming.memory();
            for (address, bytes) in pieces {
                incoming.bytes(memory.0, address, &bytes, writer.image(), &mut sink)?;
            }
            incoming.end(writer.image(), &mut sink);
            for Difference { address, engine, .. } in strays {
                writer.bytes(SiteId::STRAY_BYTES, memory, address, &engine)?;
            }
        }
        self.instantiated = true;
        self.started = Some(Instant::now());
        Ok(())
    }

    fn image_bytes(&mut self, memory: u32, address: u64, bytes: Vec<u8>) -> Result<(), RecordError> {
        if !self.instantiated {
            if let Some((_, pieces)) = self.initial.last_mut() {
                pieces.push((address, bytes));
                return Ok(());
            }
            return Err(RecordError::Protocol("bytes of a memory that was not announced".to_string()));
        }
        let (Some(incoming), Some(writer)) = (self.incoming.as_mut(), self.writer.as_ref()) else {
            return Err(RecordError::Protocol("bytes of a memory that was not announced".to_string()));
        };
        let mismatch = &mut self.mismatch;
        let mut sink = |difference| note(mismatch, memory, writer, difference);
        incoming.bytes(memory, address, &bytes, writer.image(), &mut sink)
    }

    fn image_end(&mut self) -> Result<(), RecordError> {
        let (Some(incoming), Some(writer)) = (self.incoming.take(), self.writer.as_ref()) else {
            return Err(RecordError::Protocol("the end of a memory that was not announced".to_string()));
        };
        if !self.instantiated {
            return Ok(());
        }
        let (memory, engine) = (incoming.memory(), incoming.pages());
        let replayed = writer.image().size(memory).map_or(0, |size| size.pages);
        let mismatch = &mut self.mismatch;
        if engine != replayed && mismatch.is_none() {
            *mismatch = Some(RecordError::SizeMismatch { memory: memory.0, engine, replayed });
        }
        let mut sink = |difference| note(mismatch, memory.0, writer, difference);
        let state = incoming.end(writer.image(), &mut sink);
        self.final_memories.push(state);
        Ok(())
    }
}

/// Keeps the first byte in which the engine's memory is not the replayed one.
fn note(mismatch: &mut Option<RecordError>, memory: u32, writer: &TraceWriter, difference: Difference) {
    if mismatch.is_none() {
        *mismatch = Some(RecordError::Mismatch {
            memory,
            address: difference.address,
            engine: difference.engine.first().copied().unwrap_or(0),
            replayed: difference.replayed.first().copied().unwrap_or(0),
            events: writer.events(),
        });
    }
}
