//! How a run goes, as its frames say: the same for a run that is recorded and for one that is not.
//!
//! [`Course::take`] checks each frame ([`FrameCheck`]), answers what every run answers in the same way, keeps the outcome and the
//! results of calls, and hands on as a [`Turn`] what a trace or an end state is made of.

mod directives;

use super::conduct::FrameCheck;
use super::launch::Launched;
use super::script::{ScriptCheck, ScriptCourse, ScriptTurn};
use super::stepping::{START, Stepping};
use super::{CallResult, HostSource, Phase, Program, Request, environment};
use crate::error::RecordError;
use crate::host::answer::{Host, Reply};
use crate::instrument::Instrumented;
use crate::protocol::{Frame, Message, TrapFrame};
use crate::values::WasmValue;
use directives::is_of_directive;
use forkpoint_traces::{
    EngineInfo, GlobalIndex, GlobalState, GuestOutcome, HostEvent, MemoryIndex, Outcome, Stage, TrapKind,
};
use std::time::{Duration, Instant};

/// What a frame means beyond what the course keeps of it.
pub(super) enum Turn {
    /// Nothing more.
    Nothing,
    /// The engine is up. Once per run, although an AOT engine has two processes.
    Up(EngineInfo),
    /// The engine accepted the module at a stage.
    Accepted(Stage),
    /// The engine rejected the module. The words are the course's message.
    Rejected { stage: Stage, offset: Option<u64>, code: Option<String> },
    /// The module is instantiated, and its memories were shown.
    Instantiated,
    /// A step begins. `None` is one that calls no export, or whose needs are not met.
    Began(Option<(String, Vec<WasmValue>)>),
    /// A step ended without results: bytes were put, as `HostEvent::Write` says, or nothing was done.
    Stepped(Option<HostEvent>),
    /// A call returned.
    Returned(Vec<WasmValue>),
    /// A call trapped. The words are the course's message, unless the outcome is another.
    Trapped { trap: TrapKind, frames: Vec<TrapFrame> },
    /// The guest called `proc_exit`.
    Exited(i32),
    /// A host call goes on: record the events, then give the process the order.
    Host(Reply),
    /// A step of a program of several modules.
    Script(ScriptTurn),
    /// A frame that the course has no part in.
    Other(Frame),
}

/// A run in progress.
pub(super) struct Course<'a> {
    program: &'a Program,
    module: &'a Instrumented,
    request: &'a Request,
    check: FrameCheck,
    /// Of a program of several modules: its directives, and what may be said about them.
    script: Option<(ScriptCourse, ScriptCheck)>,
    /// Answers host calls, where the engine's process asks for answers.
    host: Option<Host>,
    stepping: Stepping<'a>,
    /// How a call ended, for such a host.
    left: Option<GuestOutcome>,
    /// Indices of the globals that the state at the end shows.
    shown_globals: Vec<GlobalIndex>,
    /// When the engine first said something.
    up: Option<Instant>,
    /// When the module was instantiated, and how long after that the last call ended.
    instantiated: Option<Instant>,
    running: Duration,
    /// How the run ended, as far as it is known.
    pub(super) outcome: Option<Outcome>,
    /// Words about the outcome; unescaped.
    pub(super) message: Option<String>,
    /// What became of the calls, the start function's included.
    pub(super) calls: Vec<CallResult>,
    /// Mutable globals and sizes of tables at the end.
    pub(super) globals: Vec<GlobalState>,
    pub(super) tables: Vec<u64>,
    /// How often the command of an engine that is one was run.
    pub(super) command_runs: u32,
}

impl<'a> Course<'a> {
    /// A run of `module`, which was made of `program`'s.
    pub(super) fn new(
        program: &'a Program,
        module: &'a Instrumented,
        request: &'a Request,
    ) -> Result<Course<'a>, RecordError> {
        // Engines of this program have their host in their own process.
        let asks = !request.engine.is_of_this_program();
        Ok(Course {
            program,
            request,
            check: FrameCheck::new(module, program.javascript.is_some() && request.host == HostSource::Live),
            script: program.script.as_ref().map(|script| (ScriptCourse::new(script), ScriptCheck::new(script))),
            host: asks.then(|| Host::open(&program.host_spec(request))).transpose()?,
            stepping: Stepping::new(&program.steps),
            left: None,
            shown_globals: module.globals.iter().map(|global| global.index).collect(),
            module,
            up: None,
            instantiated: None,
            running: Duration::ZERO,
            outcome: None,
            message: None,
            calls: Vec::new(),
            globals: Vec::new(),
            tables: Vec::new(),
            command_runs: 0,
        })
    }

    /// Whether the module was instantiated.
    pub(super) fn is_instantiated(&self) -> bool {
        self.instantiated.is_some()
    }

    /// Whether images that come now are those of new memories.
    pub(super) fn is_loading(&self) -> bool {
        match &self.script {
            Some((script, _)) => script.is_loading(),
            None => !self.is_instantiated(),
        }
    }

    /// The time since the engine's process first said something.
    pub(super) fn since_up(&self) -> Option<Duration> {
        self.up.map(|up| up.elapsed())
    }

    /// The time between instantiation and the end of the last call, or now while a call goes on.
    pub(super) fn running(&self) -> Duration {
        match self.instantiated {
            Some(instantiated) if self.stepping.is_in_progress() => instantiated.elapsed(),
            _ => self.running,
        }
    }

    /// Takes the next frame. `size` tells the size of a memory in bytes, where it is known.
    ///
    /// # Errors
    /// When the frame must not come now, or says that there is no run to go on with.
    pub(super) fn take(
        &mut self,
        frame: Frame,
        size: impl Fn(MemoryIndex) -> Option<u64>,
    ) -> Result<Turn, RecordError> {
        match &mut self.script {
            None => self.check.see(&frame)?,
            Some((_, check)) => {
                // What values and versions may be is the same.
                self.check.see_values(&frame)?;
                check.see(&frame)?;
            }
        }
        match frame {
            Frame::Message(message) if self.script.is_some() && is_of_directive(&message) => {
                Ok(self.directive(message))
            }
            Frame::Message(message) => self.message(message, size),
            Frame::Guest { range, bytes } => self.host()?.bytes(range, &bytes).map(|()| Turn::Nothing),
            other => Ok(Turn::Other(other)),
        }
    }

    fn message(&mut self, message: Message, size: impl Fn(MemoryIndex) -> Option<u64>) -> Result<Turn, RecordError> {
        let engine = || self.request.engine.to_string();
        Ok(match message {
            Message::Hello(hello) if self.up.is_none() => {
                self.program.check_own_host(self.request, &hello.engine)?;
                self.check_programs(&hello.engine)?;
                self.check_javascript(&hello.engine)?;
                self.up = Some(Instant::now());
                Turn::Up(hello.engine)
            }
            // The running process of an AOT engine; its compiling process said the same.
            Message::Hello(_) => Turn::Nothing,
            Message::SetupFailed(message) => return Err(RecordError::Setup { spec: engine(), message }),
            Message::Failed(words) => return Err(RecordError::Failed { engine: engine(), words }),
            Message::Accepted(stage) => Turn::Accepted(stage),
            Message::Rejected { stage, message, offset, code } => {
                not_the_engines(self.request, &message)?;
                self.ends(Outcome::Rejected { stage }, message);
                Turn::Rejected { stage, offset, code }
            }
            Message::Instantiated => {
                self.instantiated = Some(Instant::now());
                self.request.gauge.enter(Phase::Running);
                Turn::Instantiated
            }
            Message::Call(call) => Turn::Began(self.stepping.begin(call)?),
            Message::Invoke { function, arguments } => {
                let name =
                    |function| self.program.javascript.as_ref().map(|javascript| javascript.reach.name(function));
                let name = function.map_or(Some(START.to_string()), name).unwrap_or_default();
                Turn::Began(Some((name, arguments)))
            }
            Message::Returned(_) | Message::Trapped { .. } if self.stepping.is_left_out() => {
                self.stepping.leave_out();
                Turn::Stepped(None)
            }
            Message::Returned(_) if self.stepping.is_put() => Turn::Stepped(self.stepping.put(size)),
            Message::Trapped { trap, .. } if self.stepping.has_no_room(trap, &size) => {
                let words = self.stepping.no_room(size);
                self.ends(Outcome::NoRoom, words);
                Turn::Stepped(None)
            }
            Message::Returned(values) => {
                self.left = self.told_of_ends().then(|| GuestOutcome::Returned(values.clone()));
                self.outcome.get_or_insert(Outcome::Finished);
                self.end_call(Ok(values.clone()));
                Turn::Returned(values)
            }
            Message::Trapped { trap, message, frames } => {
                if self.program.javascript.is_some() {
                    // JavaScript may catch it, and goes on.
                    self.left = self.told_of_ends().then_some(GuestOutcome::Trapped(trap));
                    self.outcome.get_or_insert(Outcome::Finished);
                    self.end_call(Err(trap));
                    return Ok(Turn::Trapped { trap, frames });
                }
                // A put that had no room is what ends the run, whatever other calls come to.
                if self.outcome != Some(Outcome::NoRoom) {
                    self.ends(Outcome::Trapped { trap }, message);
                }
                self.end_call(Err(trap));
                Turn::Trapped { trap, frames }
            }
            Message::Exited(code) => {
                self.outcome = Some(Outcome::Exited { code });
                self.running = self.running();
                self.stepping.leave_out();
                Turn::Exited(code)
            }
            Message::Stopped => {
                // The earlier calls do not decide how the run ended; a host without an answer does.
                self.outcome = self.outcome.take().filter(|outcome| *outcome == Outcome::Unanswered);
                Turn::Nothing
            }
            Message::CommandRuns(runs) => {
                self.command_runs = self.command_runs.saturating_add(runs);
                Turn::Nothing
            }
            Message::Cut(why) => {
                self.ends(Outcome::Interrupted, why);
                self.running = self.running();
                self.stepping.leave_out();
                Turn::Nothing
            }
            Message::Unanswered { why, damaged: true } => return Err(RecordError::HostLog { what: why }),
            Message::Unanswered { why, damaged: false } => {
                self.ends(Outcome::Unanswered, why);
                Turn::Nothing
            }
            Message::HostCall { function, arguments } => {
                let reply = self.host()?.call(function, arguments)?;
                self.reply(reply)
            }
            Message::Between => {
                let left = self.left.take();
                let host = self.host()?;
                let (leave, other) = match left.map(|end| host.leave(end)).transpose()? {
                    None => (None, None),
                    Some((event, other)) => (Some(event), other),
                };
                let mut reply = match other {
                    Some(why) => Reply::stop(why),
                    None => host.between()?,
                };
                reply.events.splice(0..0, leave);
                self.reply(reply)
            }
            Message::Entered(end) => {
                let reply = self.host()?.entry_ended(end)?;
                self.reply(reply)
            }
            Message::HostAnswered(end) => {
                let reply = self.host()?.answered(end)?;
                self.reply(reply)
            }
            Message::HostReadEnd => {
                let reply = self.host()?.read_end()?;
                self.reply(reply)
            }
            Message::State { globals, tables } => {
                let indices = self.shown_globals.iter().copied();
                self.globals = indices.zip(globals).map(|(index, value)| GlobalState { index, value }).collect();
                self.tables = tables;
                Turn::Nothing
            }
            other => Turn::Other(Frame::Message(other)),
        })
    }

    /// Whether the host of a program that lives in JavaScript is here, and has to know how calls end.
    fn told_of_ends(&self) -> bool {
        self.program.javascript.is_some() && self.host.is_some() && self.request.host != HostSource::Live
    }

    fn end_call(&mut self, result: Result<Vec<WasmValue>, TrapKind>) {
        self.running = self.running();
        self.calls.extend(self.stepping.end(result));
    }

    fn ends(&mut self, outcome: Outcome, message: String) {
        (self.outcome, self.message) = (Some(outcome), Some(message));
    }

    fn host(&mut self) -> Result<&mut Host, RecordError> {
        let unasked = || RecordError::Protocol("a host call of an engine that answers them itself".to_string());
        self.host.as_mut().ok_or_else(unasked)
    }

    fn reply(&mut self, mut reply: Reply) -> Turn {
        if let Some(why) = reply.unanswered.take() {
            self.ends(Outcome::Unanswered, why);
        }
        Turn::Host(reply)
    }

    /// Checks that the run says something about the engine: its process came up, and did not fail by itself.
    ///
    /// # Errors
    /// When it does not.
    pub(super) fn check_end(&self, launched: &Launched) -> Result<(), RecordError> {
        if self.up.is_none() && launched.ended.stopped.is_none() {
            return Err(RecordError::NoEngine(launched.ended.words()));
        }
        launched.failure(self.outcome.as_ref(), self.request).map_or(Ok(()), Err)
    }

    /// Decides how the run ended, from what its process said and from how the process ended. Gives the last words of a
    /// process that broke off.
    ///
    /// # Errors
    /// When those words are about what this machine lacks.
    pub(super) fn end(&mut self, launched: &Launched) -> Result<Option<String>, RecordError> {
        if let Some((script, _)) = &self.script {
            self.message = self.message.take().or_else(|| script.said());
        }
        let last_words = (!launched.finished).then(|| launched.ended.last_words()).flatten();
        if !launched.finished && launched.ended.stopped.is_none() {
            not_the_engines(self.request, last_words.as_deref().unwrap_or_default())?;
        }
        // A program whose directives are all done has run, whatever became of them.
        let ran = self.is_instantiated() || self.script.is_some();
        self.outcome = Some(launched.outcome(self.outcome.take(), ran));
        Ok(last_words)
    }
}

/// An error where an engine's words are about what this machine lacks.
fn not_the_engines(request: &Request, words: &str) -> Result<(), RecordError> {
    match environment::lacks(words) {
        None => Ok(()),
        Some(what) => {
            let (engine, words) = (request.engine.to_string(), words.trim_end().to_string());
            Err(RecordError::Environment { engine, words, what })
        }
    }
}
