//! Turns the child's frames into a trace.

mod memory;
mod put;

use super::conduct::FrameCheck;
use super::images::ShownImage;
use super::launch::Launched;
use super::marks::Marks;
use super::mismatches::Mismatches;
use super::process::{ProcessEnd, answer};
use super::sink::WriterSink;
use super::stepping::Stepping;
use super::watch::Watching;
use super::{CallResult, Program, Progress, Recorded, Request, checkpoints, environment, header, native, trap};
use crate::error::RecordError;
use crate::host::answer::{Host, Reply};
use crate::instrument::{Instrumented, RecordDecoder, Style};
use crate::protocol::{Frame, Message, NativeFrame, Order};
use crate::shared;
use forkpoint_traces::{
    EngineInfo, EngineWords, Finished, FuncIndex, GlobalIndex, GlobalState, MAX_CHUNK_EVENTS, MemoryState, Milestone,
    Outcome, Place, Stage, Step, TraceError, TraceWriter, TrapKind,
};
use std::collections::HashSet;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

/// Events in a chunk: see docs/performance.md for what other sizes cost.
const CHUNK_EVENTS: u32 = MAX_CHUNK_EVENTS;

/// An initial memory image in pieces: address and bytes. Held until every memory is known.
type Pieces = Vec<(u64, Vec<u8>)>;

/// A recording in progress.
pub(super) struct Pump<'a> {
    program: &'a Program,
    rewritten: &'a Instrumented,
    request: &'a Request,
    output: &'a Path,
    /// Which host answers for real.
    own_host: Option<String>,
    /// Whether the engine's runner may lose events in a crash and can do otherwise.
    offers_care: bool,
    host: Option<Host>,
    conduct: FrameCheck,
    style: Style,
    progress: Progress<'a>,
    decoder: RecordDecoder,
    recorded_functions: HashSet<FuncIndex>,
    writer: Option<TraceWriter>,
    /// Where watched bytes are compared after every event.
    watching: Option<Watching>,
    checkpoint: Option<checkpoints::Digests>,
    incoming: Option<ShownImage>,
    initial: Vec<(ShownImage, Pieces)>,
    /// The last stage at which the engine accepted the module.
    accepted: Option<Stage>,
    instantiated: bool,
    /// When the last instantiation was seen, and how long the calls took.
    /// When the engine first answered.
    greeted: Option<Instant>,
    compiling: Option<Duration>,
    started: Option<Instant>,
    running: Duration,
    /// The call in progress: nothing, the start function, or a call by number.
    call: Option<Option<u32>>,
    stepping: Stepping<'a>,
    calls: Vec<CallResult>,
    final_memories: Vec<MemoryState>,
    globals: Vec<GlobalState>,
    tables: Vec<u64>,
    mismatches: Mismatches,
    marks: Marks,
    /// Whether the run was told to end because there are enough notes.
    cut: bool,
    /// How many bytes of memory were not what the events say, and how many may be once there are many.
    observed: u64,
    most_observed: Option<u64>,
    /// Pages that the model has for no other reason than that.
    found_pages: u64,
    outcome: Option<Outcome>,
    words: EngineWords,
    /// Blocks of records received.
    blocks: u32,
}

impl<'a> Pump<'a> {
    pub(super) fn new(
        program: &'a Program,
        rewritten: &'a Instrumented,
        request: &'a Request,
        output: &'a Path,
        progress: Progress<'a>,
    ) -> Result<Pump<'a>, RecordError> {
        // Only a runner asks.
        let asks = !request.engine.is_of_this_program();
        let host = asks.then(|| Host::open(&program.host_spec(request))).transpose()?;
        Ok(Pump {
            program,
            host,
            conduct: FrameCheck::new(rewritten),
            rewritten,
            request,
            output,
            own_host: None,
            offers_care: false,
            style: request.effective_options().style,
            progress,
            decoder: rewritten.decoder(),
            recorded_functions: rewritten.sites.iter().map(|site| site.func).collect(),
            writer: None,
            watching: None,
            checkpoint: None,
            incoming: None,
            initial: Vec::new(),
            accepted: None,
            instantiated: false,
            greeted: None,
            compiling: None,
            started: None,
            running: Duration::ZERO,
            call: None,
            stepping: Stepping::new(&program.steps),
            calls: Vec::new(),
            final_memories: Vec::new(),
            globals: Vec::new(),
            tables: Vec::new(),
            mismatches: Mismatches::default(),
            marks: Marks::new(rewritten, &request.effective_options()),
            cut: false,
            observed: 0,
            most_observed: None,
            found_pages: 0,
            outcome: None,
            words: EngineWords::default(),
            blocks: 0,
        })
    }

    /// Decides how the run ended, from what the child said and from how its process ended.
    pub(super) fn conclude(&mut self, launched: &Launched) -> Result<(), RecordError> {
        if self.writer.is_none() && launched.ended.stopped.is_none() {
            return Err(RecordError::NoEngine(launched.ended.words()));
        }
        if let Some(failure) = launched.failure(self.outcome.as_ref(), self.request) {
            return Err(failure);
        }
        if self.instantiated && !launched.finished {
            self.rescue(&launched.ended)?;
        }
        if !launched.finished {
            self.words.last_words = launched.ended.last_words();
            if launched.ended.stopped.is_none() {
                not_the_engines(self.request, self.words.last_words.as_deref().unwrap_or_default())?;
            }
        }
        let outcome = launched.outcome(self.outcome.take(), self.instantiated);
        // Ended from outside, it may have come to its end in good order.
        if self.instantiated && (!launched.finished || outcome.is_cut_short()) {
            self.words.place = self.words.place.or(self.last_place(&launched.ended)?);
        }
        self.outcome = Some(outcome);
        Ok(())
    }

    /// Whether its last events may have died with the engine's process, and would not if its runner took care.
    pub(super) fn offers_care(&self) -> bool {
        self.offers_care
    }

    /// Where a process that came to no end was, as far as its code told.
    fn last_place(&self, ended: &ProcessEnd) -> Result<Option<Place>, RecordError> {
        let mark = ended.buffer.mark().map_err(RecordError::io("reading the buffer of a dead process"))?;
        Ok(self.marks.place_of(mark).or(self.marks.place()))
    }

    /// Takes the records that a process which came to no end left in its buffer.
    fn rescue(&mut self, ended: &ProcessEnd) -> Result<(), RecordError> {
        let bytes =
            ended.buffer.unsent(self.blocks).map_err(RecordError::io("reading the buffer of a dead process"))?;
        match self.records(&bytes, self.style) {
            // Whatever killed the engine may have written there before: what made sense until then is kept.
            Err(error @ (RecordError::RawRecord(_) | RecordError::Trace(TraceError::Corrupt { .. }))) => {
                let note = format!("the last records are damaged, some events are missing: {error}");
                let message = &mut self.words.message;
                *message = Some(message.take().map_or(note.clone(), |message| format!("{message}\n{note}")));
                Ok(())
            }
            result => result,
        }
    }

    /// Writes the end of the trace.
    pub(super) fn finish(mut self, elapsed: Duration) -> Result<Recorded, RecordError> {
        let outcome = self.outcome.take().unwrap_or(Outcome::Interrupted);
        if self.call.is_some() {
            // It did not come to the end of its call.
            self.running = self.started.map_or(Duration::ZERO, |started| started.elapsed());
        }
        let Some(mut writer) = self.writer.take() else {
            // Stopped before the engine was up: nothing was recorded and no file made.
            return Err(RecordError::NoEngine(outcome.to_string()));
        };
        writer.milestone(&Milestone::End {
            outcome: outcome.clone(),
            memories: self.final_memories.clone(),
            globals: self.globals.clone(),
            tables: self.tables.clone(),
        })?;
        let events = writer.events();
        let Finished { length: bytes, to_allow } = writer.finish(self.words.clone())?;
        Ok(Recorded {
            events,
            bytes,
            to_allow,
            host: self.own_host,
            outcome,
            message: self.words.message,
            last_words: self.words.last_words,
            calls: self.calls,
            memories: self.final_memories,
            globals: self.globals,
            tables: self.tables,
            mismatches: self.mismatches,
            notes: self.marks.finish(),
            elapsed,
            compiling: self.compiling,
            running: self.running,
        })
    }

    fn writer(&mut self) -> Result<&mut TraceWriter, RecordError> {
        self.writer.as_mut().ok_or_else(|| RecordError::Protocol("a frame before the first, `Hello`".to_string()))
    }

    /// Takes a frame; answers go to `socket`.
    pub(super) fn frame(&mut self, frame: Frame, socket: &mut UnixStream) -> Result<(), RecordError> {
        self.conduct.see(&frame)?;
        if self.marks.enough() && !self.cut {
            self.cut = true;
            answer(&Order::Stop, socket)?;
        }
        match frame {
            Frame::Records(bytes) => {
                shared::count_block(&mut self.blocks);
                self.records(&bytes, Style::Inline)
            }
            Frame::Hooks(bytes) => {
                shared::count_block(&mut self.blocks);
                self.records(&bytes, Style::Hooks)
            }
            Frame::Guest { range, bytes } => self.host()?.bytes(range, &bytes),
            Frame::Watched { address, bytes } => {
                if let Some(watching) = &mut self.watching {
                    watching.engine_holds(address, bytes);
                }
                Ok(())
            }
            Frame::Digests { memory, digests } => {
                if let Some(checkpoint) = &mut self.checkpoint {
                    checkpoint.add(memory, &digests);
                }
                Ok(())
            }
            Frame::Image { memory, address, bytes } => self.image_bytes(memory, address, bytes),
            Frame::Native(native) => self.native(native),
            Frame::Message(message) => self.message(message, socket),
        }
    }

    fn records(&mut self, bytes: &[u8], style: Style) -> Result<(), RecordError> {
        let Some(writer) = self.writer.as_mut() else {
            return Err(RecordError::Protocol("records before the first frame, `Hello`".to_string()));
        };
        let mut sink = WriterSink {
            writer,
            watching: self.watching.as_mut(),
            mismatches: &mut self.mismatches,
            marks: &mut self.marks,
            failed: None,
        };
        match style {
            Style::Inline => self.decoder.decode_block(bytes, &mut sink)?,
            Style::Hooks => self.decoder.decode_hooks(bytes, &mut sink)?,
        }
        if let Some(error) = sink.failed {
            return Err(error.into());
        }
        self.request.gauge.count(writer.events(), writer.written());
        (self.progress)(writer.events(), writer.written());
        Ok(())
    }

    fn message(&mut self, message: Message, socket: &mut UnixStream) -> Result<(), RecordError> {
        match message {
            Message::Hello(hello) => self.hello(hello.engine),
            Message::SetupFailed(message) => {
                Err(RecordError::Setup { spec: self.request.engine.to_string(), message })
            }
            Message::Accepted(stage) => self.accepted(stage),
            Message::Rejected { stage, message, offset, code } => {
                not_the_engines(self.request, &message)?;
                self.outcome = Some(Outcome::Rejected { stage });
                if stage == Stage::Instantiate {
                    self.accepted(Stage::Compile)?;
                }
                let message = message + &self.left_behind()?;
                let offset = if stage == Stage::Validate { offset } else { self.original_offset(offset) };
                self.words = EngineWords { message: Some(message), offset, code, ..EngineWords::default() };
                Ok(())
            }
            Message::Image { memory, pages } => {
                self.incoming = Some(ShownImage::new(memory, pages));
                if self.instantiated {
                    return self.size(memory, pages);
                }
                self.initial.push((ShownImage::new(memory, pages), Vec::new()));
                Ok(())
            }
            Message::ImageEnd => self.image_end(),
            Message::Instantiated => self.instantiated(),
            Message::Watching => {
                let Some(model) = self.writer.as_ref().map(TraceWriter::image) else {
                    return Err(unannounced("a watch"));
                };
                self.watching = self.request.watch.as_ref().map(|watch| Watching::new(watch, model));
                Ok(())
            }
            Message::Call(call) => self.begin_call(call),
            Message::Returned(_) | Message::Trapped { .. } if self.is_left_out() => {
                self.call = None;
                self.settle()
            }
            Message::Returned(_) if self.putting().is_some() => self.has_put(),
            Message::Trapped { .. } if self.has_no_room() => self.not_put(),
            Message::Returned(values) => {
                self.settle()?;
                self.writer()?.milestone(&Milestone::Returned { results: values.clone() })?;
                self.outcome.get_or_insert(Outcome::Finished);
                self.end_call(Ok(values));
                Ok(())
            }
            Message::Trapped { trap, message, frames } => {
                self.settle()?;
                let frames = trap::original(frames, self.rewritten, &self.program.functions);
                let (mut func, mut offset) =
                    frames.first().map_or((None, None), |frame| (Some(frame.func), frame.offset));
                // The engine's own word counts for more.
                if let Some(place) = self.marks.place()
                    && offset.is_none()
                    && func.is_none_or(|func| func == place.func)
                {
                    (func, offset) = (Some(place.func), place.offset);
                }
                self.writer()?.milestone(&Milestone::Trapped { trap, func, offset })?;
                if self.outcome != Some(Outcome::NoRoom) {
                    self.outcome = Some(Outcome::Trapped { trap });
                    self.words.message = Some(trap::with_frames(message, &frames));
                }
                self.end_call(Err(trap));
                Ok(())
            }
            Message::Marked(mark) => {
                self.marks.come_to(mark);
                Ok(())
            }
            Message::Exited(code) => {
                self.settle()?;
                self.writer()?.milestone(&Milestone::Exited { code })?;
                self.outcome = Some(Outcome::Exited { code });
                Ok(())
            }
            Message::Stopped => {
                // How the calls before ended is not how the run did; that its host had no answer is.
                self.outcome = self.outcome.take().filter(|outcome| *outcome == Outcome::Unanswered);
                Ok(())
            }
            Message::Unanswered { why, damaged: true } => Err(RecordError::HostLog { what: why }),
            Message::Unanswered { why, damaged: false } => {
                self.outcome = Some(Outcome::Unanswered);
                self.words.message = Some(why);
                Ok(())
            }
            Message::HostCall { function, arguments } => {
                let reply = self.host()?.call(function, arguments)?;
                self.reply(reply, socket)
            }
            Message::HostAnswered(end) => {
                let reply = self.host()?.answered(end)?;
                self.reply(reply, socket)
            }
            Message::HostReadEnd => {
                let reply = self.host()?.read_end()?;
                self.reply(reply, socket)
            }
            Message::Checkpoint { pages } => {
                for (memory, engine) in pages.iter().enumerate() {
                    self.size(memory as u32, *engine)?;
                }
                self.checkpoint = Some(checkpoints::Digests::new(pages));
                Ok(())
            }
            Message::CheckpointEnd => self.checkpoint_end(socket),
            Message::CheckpointDone => {
                self.checkpoint = None;
                Ok(())
            }
            Message::State { globals, tables } => {
                let indices = self.rewritten.globals.iter().map(|global| global.index);
                self.globals = indices
                    .zip(globals)
                    .map(|(index, value)| GlobalState { index: GlobalIndex(index), value })
                    .collect();
                self.tables = tables;
                Ok(())
            }
            Message::Failed(message) => {
                Err(RecordError::Failed { engine: self.request.engine.to_string(), words: message })
            }
            // The process's own matter.
            Message::End => Ok(()),
        }
    }

    fn hello(&mut self, mut engine: EngineInfo) -> Result<(), RecordError> {
        if self.writer.is_some() {
            // The running child of an AOT engine; its compiling child said the same.
            return Ok(());
        }
        self.program.check_own_host(self.request, &engine)?;
        self.greeted = Some(Instant::now());
        // As the user wrote it, whatever a runner makes of that.
        engine.spec = self.request.engine.to_string();
        self.offers_care =
            engine.settings.iter().any(|(name, kept)| name == header::LAST_EVENTS && kept == header::KEPT_WITH_CARE);
        let header = header::of(self.program, self.request, engine, CHUNK_EVENTS);
        self.own_host = header::own_host(&header.engine).ok();
        let data =
            self.rewritten.data.iter().map(|segment| segment.bytes.start as u32..segment.bytes.end as u32).collect();
        self.writer = Some(TraceWriter::create(
            self.output,
            &header,
            self.program.original.clone(),
            self.rewritten.sites.clone(),
            data,
        )?);
        Ok(())
    }

    /// Records that the module is accepted at a stage, and so at those before. A stage comes once: what was compiled
    /// ahead is loaded by another process, which says the same again.
    fn accepted(&mut self, stage: Stage) -> Result<(), RecordError> {
        let passed = self.accepted;
        for stage in Stage::ALL.into_iter().filter(|next| Some(*next) > passed && *next <= stage) {
            self.writer()?.milestone(&Milestone::Accepted { stage })?;
        }
        if passed < Some(Stage::Compile) && stage >= Stage::Compile {
            self.compiling = self.greeted.map(|greeted| greeted.elapsed());
        }
        self.accepted = passed.max(Some(stage));
        Ok(())
    }

    /// An offset in the module that the engine compiles, as one in the original module.
    fn original_offset(&self, offset: Option<u64>) -> Option<u64> {
        if self.program.invalid().is_some() {
            return offset;
        }
        let mapped = self.rewritten.offsets.original(u32::try_from(offset?).ok()?)?;
        Some(u64::from(mapped.offset.0))
    }

    fn host(&mut self) -> Result<&mut Host, RecordError> {
        let unasked = || RecordError::Protocol("a host call of an engine that answers them itself".to_string());
        self.host.as_mut().ok_or_else(unasked)
    }

    /// Records what the host does about a call, and tells the child.
    fn reply(&mut self, reply: Reply, socket: &mut UnixStream) -> Result<(), RecordError> {
        self.settle()?;
        for event in reply.events {
            let event = self.marks.placed(event);
            self.writer()?.host(&event)?;
        }
        if let Some(why) = reply.unanswered {
            self.outcome = Some(Outcome::Unanswered);
            self.words.message = Some(why);
        }
        answer(&reply.order, socket)
    }

    fn native(&mut self, native: NativeFrame) -> Result<(), RecordError> {
        match native::original(native, self.rewritten, &self.recorded_functions) {
            Some(function) => Ok(self.writer()?.native(&function)?),
            None => Ok(()),
        }
    }

    fn begin_call(&mut self, call: Option<u32>) -> Result<(), RecordError> {
        let invoked = match call.map(|number| self.stepping.step(number).ok_or(number)) {
            None => Some(("(start)".to_string(), Vec::new())),
            Some(Err(number)) => {
                return Err(RecordError::Protocol(format!("call number {number} was not asked for")));
            }
            Some(Ok(Step::Put(_))) => None,
            Some(Ok(Step::Call(call))) => {
                self.stepping.arguments(call).map(|arguments| (call.function.clone(), arguments))
            }
        };
        self.call = Some(call);
        self.marks.begin_call();
        let Some((function, arguments)) = invoked else { return Ok(()) };
        Ok(self.writer()?.milestone(&Milestone::Invoke { function, arguments })?)
    }

    fn end_call(&mut self, result: Result<Vec<crate::values::WasmValue>, TrapKind>) {
        self.running = self.started.map_or(Duration::ZERO, |started| started.elapsed());
        let Some(Some(number)) = self.call.take() else { return };
        if let Ok(values) = &result {
            self.stepping.done(number, values);
        }
        if let Some(Step::Call(call)) = self.stepping.step(number) {
            self.calls.push(CallResult { function: call.function.clone(), result });
        }
    }

    /// Compares watched bytes after the last event, where there are any.
    fn settle(&mut self) -> Result<(), RecordError> {
        if let (Some(watching), Some(writer)) = (&mut self.watching, &mut self.writer) {
            watching.settle(writer, &mut self.mismatches)?;
        }
        Ok(())
    }
}

/// An error where an engine's words are about what this machine lacks.
pub(super) fn not_the_engines(request: &Request, words: &str) -> Result<(), RecordError> {
    match environment::lacks(words) {
        None => Ok(()),
        Some(what) => {
            let (engine, words) = (request.engine.to_string(), words.trim_end().to_string());
            Err(RecordError::Environment { engine, words, what })
        }
    }
}

fn unannounced(what: &str) -> RecordError {
    RecordError::Protocol(format!("{what} of a memory that was not announced"))
}
