//! The same run without recording: what recording is measured against, and what it must not change.

use super::conduct::FrameCheck;
use super::end::{EndMemories, EndState};
use super::launch::launch;
use super::process::answer;
use super::pump::not_the_engines;
use super::stepping::Stepping;
use super::{CallResult, Phase, Program, Request};
use crate::error::RecordError;
use crate::host::answer::{Host, Reply};
use crate::instrument::Instrumented;
use crate::job::{Checkpoints, Run};
use crate::protocol::{Frame, Message};
use crate::values::WasmValue;
use forkpoint_traces::{EngineInfo, GlobalIndex, GlobalState, Outcome, PAGE, Put, Step, TrapKind, written_pages};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// A run of the original module in the same kind of process.
#[derive(Debug, Clone)]
pub struct Plain {
    /// The engine, as it says itself.
    pub engine: Option<EngineInfo>,
    /// How it ended, and what it left behind.
    pub end: EndState,
    /// Wall-clock time of the engine's processes.
    pub elapsed: Duration,
    /// The part of it between instantiation and the end of the last call.
    pub running: Duration,
}

impl Program {
    /// Runs the original module as [`Program::record`] runs the rewritten one, and writes no trace. Nothing is
    /// added to the module but exports, so that its end state can be looked at.
    ///
    /// # Errors
    /// When the engine's process cannot be started or breaks the protocol.
    pub fn run_plain(&self, request: &Request) -> Result<Plain, RecordError> {
        let begun = Instant::now();
        request.gauge.enter(Phase::Rewriting);
        let module = self.exposed()?;
        let run = Run { native_limit: 0, watch: None, checkpoints: Checkpoints::None, ..self.run(request, &module) };
        self.check_host(request)?;
        // Only a runner asks.
        let asks = !request.engine.is_of_this_program();
        let host = asks.then(|| Host::open(&self.host_spec(request))).transpose()?;
        let mut seen = Seen::new(self, host, &module);
        let launched =
            launch(request, &self.original, &module, run, |frame, socket| seen.frame(frame, request, socket))?;
        if seen.engine.is_none() && launched.ended.stopped.is_none() {
            return Err(RecordError::NoEngine(launched.ended.words()));
        }
        seen.end.memories = seen.memories.finish();
        if let Some(failure) = launched.failure(seen.outcome.as_ref(), request) {
            return Err(failure);
        }
        if !launched.finished {
            let last_words = launched.ended.last_words();
            if launched.ended.stopped.is_none() {
                not_the_engines(request, last_words.as_deref().unwrap_or_default())?;
            }
            seen.end.message = seen.end.message.take().or(last_words);
        }
        seen.end.outcome = launched.outcome(seen.outcome.take(), seen.instantiated);
        Ok(Plain { engine: seen.engine, end: seen.end, elapsed: begun.elapsed(), running: seen.running })
    }
}

/// What was seen of the run so far.
struct Seen<'a> {
    program: &'a Program,
    stepping: Stepping<'a>,
    host: Option<Host>,
    conduct: FrameCheck,
    global_indices: Vec<u32>,
    engine: Option<EngineInfo>,
    instantiated: bool,
    started: Option<Instant>,
    running: Duration,
    call: Option<u32>,
    outcome: Option<Outcome>,
    memories: EndMemories,
    end: EndState,
}

impl Seen<'_> {
    fn new<'a>(program: &'a Program, host: Option<Host>, module: &Instrumented) -> Seen<'a> {
        Seen {
            program,
            stepping: Stepping::new(&program.steps),
            host,
            conduct: FrameCheck::new(module),
            global_indices: module.globals.iter().map(|global| global.index).collect(),
            engine: None,
            instantiated: false,
            started: None,
            running: Duration::ZERO,
            call: None,
            outcome: None,
            memories: EndMemories::default(),
            end: EndState {
                outcome: Outcome::Finished,
                message: None,
                calls: Vec::new(),
                memories: Vec::new(),
                globals: Vec::new(),
                tables: Vec::new(),
            },
        }
    }

    fn frame(&mut self, frame: Frame, request: &Request, socket: &mut UnixStream) -> Result<(), RecordError> {
        self.conduct.see(&frame)?;
        match frame {
            Frame::Message(message) => return self.message(message, request, socket),
            Frame::Guest { range, bytes } => self.host()?.bytes(range, &bytes)?,
            Frame::Image { address, bytes, .. } => {
                let first = address / PAGE;
                for (number, page) in written_pages(&bytes) {
                    self.memories.page(first.saturating_add(number), page)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn host(&mut self) -> Result<&mut Host, RecordError> {
        let unasked = || RecordError::Protocol("a host call of an engine that answers them itself".to_string());
        self.host.as_mut().ok_or_else(unasked)
    }

    /// Tells the child what its host does about a call.
    fn reply(&mut self, reply: Reply, socket: &mut UnixStream) -> Result<(), RecordError> {
        if let Some(why) = reply.unanswered {
            self.outcome = Some(Outcome::Unanswered);
            self.end.message = Some(why);
        }
        answer(&reply.order, socket)
    }

    fn message(&mut self, message: Message, request: &Request, socket: &mut UnixStream) -> Result<(), RecordError> {
        match message {
            Message::Hello(hello) => {
                self.program.check_own_host(request, &hello.engine)?;
                self.engine = Some(hello.engine);
            }
            Message::SetupFailed(message) => {
                return Err(RecordError::Setup { spec: request.engine.to_string(), message });
            }
            Message::Failed(words) => {
                return Err(RecordError::Failed { engine: request.engine.to_string(), words });
            }
            Message::Rejected { stage, message, .. } => {
                not_the_engines(request, &message)?;
                self.outcome = Some(Outcome::Rejected { stage });
                self.end.message = Some(message);
            }
            Message::Instantiated => {
                // How memories are at the end is what counts.
                self.memories.clear();
                self.instantiated = true;
                self.started = Some(Instant::now());
                request.gauge.enter(Phase::Running);
            }
            Message::Image { pages, .. } => {
                self.memories.begin(pages);
            }
            Message::Call(call) => self.call = call,
            Message::Returned(_) | Message::Trapped { .. } if self.is_left_out() => self.call = None,
            Message::Returned(_) if self.putting().is_some() => {
                let put = self.putting().map(|(number, _, (_, address))| (number, address));
                if let Some((number, address)) = put {
                    self.stepping.done(number, &[address]);
                }
                self.call = None;
            }
            // The added code traps at address 0, and the engine where the bytes do not fit.
            Message::Trapped { trap: TrapKind::Unreachable | TrapKind::MemoryOutOfBounds, .. }
                if self.putting().is_some() =>
            {
                let words = self
                    .putting()
                    .map(|(number, put, (address, _))| self.stepping.no_room(number, put, address, None));
                self.call = None;
                self.outcome = Some(Outcome::NoRoom);
                self.end.message = words;
            }
            Message::Returned(values) => {
                self.outcome.get_or_insert(Outcome::Finished);
                self.end_call(Ok(values));
            }
            Message::Trapped { trap, message, .. } => {
                if self.outcome != Some(Outcome::NoRoom) {
                    self.outcome = Some(Outcome::Trapped { trap });
                    self.end.message = Some(message);
                }
                self.end_call(Err(trap));
            }
            Message::Exited(code) => {
                self.outcome = Some(Outcome::Exited { code });
                self.running = self.started.map_or(Duration::ZERO, |started| started.elapsed());
            }
            // How the calls before ended is not how the run did; that its host had no answer is.
            Message::Stopped => self.outcome = self.outcome.take().filter(|outcome| *outcome == Outcome::Unanswered),
            Message::Unanswered { why, damaged: true } => return Err(RecordError::HostLog { what: why }),
            Message::Unanswered { why, damaged: false } => {
                self.outcome = Some(Outcome::Unanswered);
                self.end.message = Some(why);
            }
            Message::HostCall { function, arguments } => {
                let reply = self.host()?.call(function, arguments)?;
                self.reply(reply, socket)?;
            }
            Message::HostAnswered(end) => {
                let reply = self.host()?.answered(end)?;
                self.reply(reply, socket)?;
            }
            Message::HostReadEnd => {
                let reply = self.host()?.read_end()?;
                self.reply(reply, socket)?;
            }
            Message::State { globals, tables } => {
                let indices = self.global_indices.iter().copied();
                self.end.globals = indices
                    .zip(globals)
                    .map(|(index, value)| GlobalState { index: GlobalIndex(index), value })
                    .collect();
                self.end.tables = tables;
            }
            _ => {}
        }
        Ok(())
    }

    fn end_call(&mut self, result: Result<Vec<WasmValue>, TrapKind>) {
        self.running = self.started.map_or(Duration::ZERO, |started| started.elapsed());
        let function = match self.call.take() {
            None => "(start)".to_string(),
            Some(number) => {
                if let Ok(values) = &result {
                    self.stepping.done(number, values);
                }
                match self.stepping.step(number) {
                    Some(Step::Call(call)) => call.function.clone(),
                    _ => return,
                }
            }
        };
        self.end.calls.push(CallResult { function, result });
    }

    /// Whether what goes on is a step that needs one which is not done.
    fn is_left_out(&self) -> bool {
        match self.call.and_then(|number| self.stepping.step(number)) {
            Some(Step::Call(call)) => self.stepping.arguments(call).is_none(),
            Some(Step::Put(put)) => self.stepping.address(put).is_none(),
            None => false,
        }
    }

    /// The put that goes on: its number, and where the bytes go.
    fn putting(&self) -> Option<(u32, &Put, (u64, WasmValue))> {
        let number = self.call?;
        match self.stepping.step(number)? {
            Step::Put(put) => Some((number, put, self.stepping.address(put)?)),
            Step::Call(_) => None,
        }
    }
}
