//! One run under any engine: what is reported to the recorder, and in which order.
//!
//! An engine implements [`Engine`], [`Loaded`] and [`Guest`], and gives the module a hook or takes its blocks of
//! records through the [`Session`]. Everything else is here, so that runs under two engines differ only by the
//! engine.

use super::session::{Halt, Next, Session};
use super::words;
use super::world::World;
use crate::instrument::{Covered, START_EXPORT};
use crate::job::{ExportCall, Job, Run, Task};
use crate::link::{Control, Out};
use crate::memories::{Memories, View};
use crate::observe::{Watcher, send_image};
use crate::protocol::HostEnd;
use crate::protocol::{Hello, Message, TrapFrame};
use crate::shared::Slots;
use crate::values::WasmValue;
use forkpoint_traces::{EngineInfo, GuestOutcome, Stage, TrapKind};
use std::io;
use std::path::Path;

/// An engine, configured.
pub(crate) trait Engine {
    /// Its description, for the trace's header.
    fn about(&self) -> EngineInfo;

    /// Whether the module in this file is valid for the engine and its proposals.
    fn validate(&self, module: &Path) -> Result<(), Rejected>;

    /// Compiles the module in one file to another, for [`Engine::load`] in a later process.
    fn compile_ahead(&self, module: &Path, output: &Path) -> Result<(), Rejected>;

    /// Loads the module in this file, whether it is compiled already or not, as `run` says.
    fn load<'a>(&'a self, module: &Path, run: &Run) -> Result<Box<dyn Loaded + 'a>, Rejected>;

    /// A store for a program of several modules.
    ///
    /// # Errors
    /// In words, when there is none.
    fn world<'a>(&'a self, run: &'a Run, session: Session) -> Result<Box<dyn World + 'a>, String>;
}

/// A module that an engine has accepted.
pub(crate) trait Loaded {
    /// Sends the native code of all functions, if the engine gives it and it is at most `limit` bytes.
    fn send_native(&self, _limit: u64, _out: &mut Out) -> io::Result<()> {
        Ok(())
    }

    /// Instantiates it; its start function is an export.
    fn instantiate<'a>(&'a self, run: &Run, session: Session) -> Result<Box<dyn Guest + 'a>, Rejected>;
}

/// Why a guest cannot have the engine's own host.
pub(super) enum NoHost {
    /// The engine itself would not instantiate it.
    Rejected(String),
    /// The way to call the host does not work, which says nothing about the engine.
    Failed(String),
}

impl NoHost {
    /// Reports it to the recorder, if it ends the run.
    pub(super) fn tell(self, session: &mut Session) -> Rejected {
        match self {
            NoHost::Rejected(words) => Rejected::instantiate(words),
            NoHost::Failed(words) => {
                // The recorder ends here; if it is gone, it needs no message.
                let _ = session.out.message(&Message::Failed(words.clone()));
                Rejected::instantiate(words)
            }
        }
    }
}

/// A module that an engine rejected.
pub(crate) struct Rejected {
    pub(crate) stage: Stage,
    /// The engine's own message.
    pub(crate) message: String,
    /// The engine's own error code.
    pub(crate) code: Option<String>,
}

impl Rejected {
    pub(crate) fn at(stage: Stage, message: impl Into<String>) -> Rejected {
        Rejected { stage, message: message.into(), code: None }
    }

    pub(crate) fn validate(message: impl Into<String>) -> Rejected {
        Rejected::at(Stage::Validate, message)
    }

    pub(crate) fn compile(message: impl Into<String>) -> Rejected {
        Rejected::at(Stage::Compile, message)
    }

    pub(crate) fn instantiate(message: impl Into<String>) -> Rejected {
        Rejected::at(Stage::Instantiate, message)
    }
}

/// Gets the session and all memories as they are.
pub(crate) type Visit<'a> = &'a mut dyn FnMut(&mut Session, &[View]) -> io::Result<()>;

/// Does what an engine must do after an event. `visit` is called to look at the session and the memories.
pub(super) fn go_on(next: Next, visit: impl FnOnce(Visit<'_>) -> io::Result<()>) -> Result<(), Halt> {
    match next {
        Next::GoOn => Ok(()),
        Next::Stop => Err(Halt),
        Next::Look => {
            let mut looked = Ok(());
            let visited = visit(&mut |session, views| {
                looked = session.look(views);
                Ok(())
            });
            visited.map_err(|_| Halt).and(looked)
        }
    }
}

/// Gets the session, and all memories for reading and for changes.
pub(crate) type Lend<'a> = &'a mut dyn FnMut(&mut Session, &mut dyn Memories);

/// An instance.
pub(crate) trait Guest {
    /// Passes on the session, and the memories that the run names, in its order. Records that the guest keeps itself
    /// are taken first.
    fn visit(&mut self, visit: Visit<'_>) -> io::Result<()>;

    /// Lends the session and the memories, as for a host call. Records that the guest keeps itself are taken first.
    fn lend(&mut self, _with: Lend<'_>) -> io::Result<()> {
        let words = "this engine does not run programs that live in JavaScript here yet: docs/javascript.md names those that do";
        Err(io::Error::new(io::ErrorKind::Unsupported, words))
    }

    /// Calls an export.
    fn call(&mut self, call: &ExportCall) -> Ended;

    /// The value of an exported global.
    fn global(&mut self, name: &str) -> Option<WasmValue>;

    /// The size of an exported table.
    fn table(&mut self, name: &str) -> Option<u64>;
}

/// How a call ended, as the engine reports it.
pub(crate) enum Ended {
    /// It returned these values.
    Returned(Vec<WasmValue>),
    /// It did not return.
    Trapped { trap: TrapKind, message: String, frames: Vec<TrapFrame> },
    /// The guest exited by the engine's own means.
    Exited(i32),
    /// The interface to the engine cannot make this call, which says nothing about the engine.
    Impossible(String),
}

impl Ended {
    /// A call that cannot be made at all.
    pub(crate) fn no_function(name: &str) -> Ended {
        let message = format!("no function is exported as `{name}`");
        Ended::Trapped { trap: TrapKind::HostError, message, frames: Vec::new() }
    }
}

/// Does the job and reports; an error means that the parent is gone.
pub(crate) fn drive(engine: &dyn Engine, job: &Job, mut out: Out, control: Control, slots: Slots) -> io::Result<()> {
    out.message(&hello(engine, job))?;
    match stages(engine, job, &mut out, control, slots)? {
        Ok(()) => out.message(&Message::End),
        Err(Rejected { stage, mut message, code }) => {
            // Where the recorder puts files for a run is not a setting.
            if let Some(folder) = job.module.parent() {
                message = message.replace(&format!("{}/", folder.display()), "");
            }
            let offset = words::offset_in(&message).filter(|_| stage != Stage::Instantiate);
            out.message(&Message::Rejected { stage, message, offset, code })
        }
    }
}

/// What the recorder is told of an engine first.
pub(super) fn hello(engine: &dyn Engine, job: &Job) -> Message {
    let mut about = engine.about();
    about.settings.extend(job.memory_page_limit.map(|pages| ("memory_page_limit".to_string(), pages.to_string())));
    for switch in job.features.switches() {
        // The engine's defaults are not settings.
        let own = format!("wasm_{}", switch.name.replace('-', "_"));
        about.settings.retain(|(name, _)| *name != own);
        about.settings.push((own, switch.enabled.to_string()));
    }
    Message::Hello(Hello::of(about))
}

/// One stage after another, then the calls. The inner error is the engine's rejection.
fn stages(
    engine: &dyn Engine,
    job: &Job,
    out: &mut Out,
    control: Control,
    slots: Slots,
) -> io::Result<Result<(), Rejected>> {
    // A compiled module has been validated already.
    if !matches!(&job.task, Task::Run(run) if run.precompiled) {
        if let Err(rejected) = engine.validate(&job.original) {
            return Ok(Err(rejected));
        }
        out.message(&Message::Accepted(Stage::Validate))?;
    }
    let (run, module) = match &job.task {
        Task::Compile { output } => {
            let compiled = engine.compile_ahead(&job.module, output);
            if compiled.is_ok() {
                out.message(&Message::Accepted(Stage::Compile))?;
            }
            return Ok(compiled);
        }
        Task::Run(run) => match engine.load(&job.module, run) {
            Ok(module) => (run, module),
            Err(rejected) => return Ok(Err(rejected)),
        },
    };
    out.message(&Message::Accepted(Stage::Compile))?;
    if run.stages_only {
        return Ok(Ok(()));
    }
    module.send_native(run.native_limit, out)?;
    let folder = job.module.parent().unwrap_or(Path::new("."));
    let session = Session::new(out.clone(), control, slots, run, folder)?;
    match module.instantiate(run, session) {
        Ok(mut guest) => play(&mut *guest, run, out).map(Ok),
        Err(rejected) => Ok(Err(rejected)),
    }
}

/// Everything from instantiation on.
fn play(guest: &mut dyn Guest, run: &Run, out: &mut Out) -> io::Result<()> {
    guest.visit(&mut |session, views| {
        let sent = send_images(session, views);
        session.begin(views)?;
        if let Some(watch) = &run.watch {
            let watched = views.iter().find(|view| view.memory == watch.memory.0);
            session.watch(Watcher::new(watch, watched.map_or(&[], |view| view.bytes)));
        }
        sent
    })?;
    out.message(&Message::Instantiated)?;
    if let Err(unanswered) = calls(guest, run, out)? {
        return out.message(&Message::SetupFailed(unanswered));
    }
    guest.visit(&mut |session, views| {
        session.end_digests()?;
        send_images(session, views)
    })?;
    let globals = run.globals.iter().filter_map(|name| guest.global(name)).collect();
    let tables = run.tables.iter().filter_map(|name| guest.table(name)).collect();
    out.message(&Message::State { globals, tables })
}

fn send_images(session: &mut Session, views: &[View]) -> io::Result<()> {
    views.iter().try_for_each(|view| send_image(view, &mut session.out))
}

/// Shows what a failed instantiation left in the memories that the module imports: segments before the one that does
/// not fit have been copied. If the recorder is gone, the next message fails.
pub(crate) fn left_behind(session: &mut Session, views: &[View]) {
    let _ = send_images(session, views);
}

/// Makes all calls. The inner error names the one that cannot be made.
fn calls(guest: &mut dyn Guest, run: &Run, out: &mut Out) -> io::Result<Result<(), String>> {
    let start = ExportCall { function: START_EXPORT.to_string(), arguments: Vec::new(), vectors: false };
    let start = run.has_start.then_some((None, &start));
    let calls = run.calls.iter().enumerate().map(|(i, call)| (Some(i as u32), call));
    for (number, call) in start.into_iter().chain(calls) {
        guest.visit(&mut |session, _| {
            session.begin_call();
            Ok(())
        })?;
        if run.javascript {
            match between(guest) {
                Ok(true) => {}
                Ok(false) => return stopped(guest, out),
                Err(error) if error.kind() == io::ErrorKind::Unsupported => return Ok(Err(error.to_string())),
                Err(error) => return Err(error),
            }
        }
        // Once more, so that the guest's own buffer forgets it, too.
        guest.visit(&mut |session, _| session.cover(Covered::Invoke))?;
        out.message(&Message::Call(number))?;
        let ended = guest.call(call);
        let (mut end, mut mark) = (None, None);
        guest.visit(&mut |session, views| {
            end = session.take_end()?;
            mark = session.mark();
            session.settle(views)?;
            match (&end, &ended) {
                (None | Some(HostEnd::Trapped(_)), Ended::Trapped { .. }) => session.checkpoint_at_trap(views),
                _ => Ok(()),
            }
        })?;
        let message = match (end, ended) {
            // It was asked to stop, but finished first.
            (Some(HostEnd::Stopped), Ended::Trapped { .. }) => Message::Stopped,
            (Some(HostEnd::Exited(code)), _) => Message::Exited(code),
            (_, Ended::Impossible(what)) => return Ok(Err(what)),
            (Some(HostEnd::Trapped(message)), Ended::Trapped { frames, .. }) => {
                Message::Trapped { trap: TrapKind::HostError, message, frames }
            }
            (_, Ended::Returned(values)) => Message::Returned(values),
            (_, Ended::Trapped { trap, message, frames }) => Message::Trapped { trap, message, frames },
            (_, Ended::Exited(code)) => Message::Exited(code),
        };
        if let (Some(mark), Message::Trapped { .. }) = (mark, &message) {
            out.message(&Message::Marked(mark))?;
        }
        if let Some(milestone) = covered(&message) {
            guest.visit(&mut |session, _| session.cover(milestone))?;
        }
        out.message(&message)?;
        if run.javascript && !left(guest, &message)? {
            return stopped(guest, out);
        }
        let over = matches!(message, Message::Exited(_) | Message::Stopped);
        // If the start function failed, there is no instance, so no export can be called.
        if over || number.is_none() && !matches!(message, Message::Returned(_)) {
            return Ok(Ok(()));
        }
    }
    if run.javascript && !between(guest)? {
        return stopped(guest, out);
    }
    Ok(Ok(()))
}

/// The milestone that a call's end is.
fn covered(message: &Message) -> Option<Covered> {
    match message {
        Message::Returned(_) => Some(Covered::Returned),
        Message::Trapped { .. } => Some(Covered::Trapped),
        Message::Exited(_) => Some(Covered::Exited),
        _ => None,
    }
}

/// Does what a host that lives in JavaScript does between calls; `false` if the run ends there.
fn between(guest: &mut dyn Guest) -> io::Result<bool> {
    let mut ended: Option<Ended> = None;
    loop {
        let mut next = Err(Halt);
        guest.lend(&mut |session, memories| {
            next = match ended.take() {
                None => session.between(memories),
                Some(ended) => session.between_ended(ended, memories),
            };
        })?;
        match next {
            Ok(None) => return Ok(true),
            Ok(Some(call)) => ended = Some(guest.call(&call)),
            Err(Halt) => return Ok(false),
        }
    }
}

/// Tells such a host how a call ended; `false` if the run ends there.
fn left(guest: &mut dyn Guest, message: &Message) -> io::Result<bool> {
    let end = match message {
        Message::Returned(values) => GuestOutcome::Returned(values.clone()),
        Message::Trapped { trap, .. } => GuestOutcome::Trapped(*trap),
        _ => return Ok(true),
    };
    let (mut end, mut told) = (Some(end), Ok(()));
    guest.lend(&mut |session, _| told = end.take().map_or(Ok(()), |end| session.left(end)))?;
    Ok(told.is_ok())
}

/// Ends a run between two calls.
fn stopped(guest: &mut dyn Guest, out: &mut Out) -> io::Result<Result<(), String>> {
    guest.visit(&mut |session, _| session.take_end().map(|_| ()))?;
    out.message(&Message::Stopped)?;
    Ok(Ok(()))
}
