//! Processes for one run: for AOT one that compiles, then the one that runs.

use super::files::SharedFiles;
use super::process::{Child, Limits, ProcessEnd, Stopped};
use super::rewritings::Rewritten;
use super::{Phase, Program, Request, Stdio, script};
use crate::cache::ModuleCache;
use crate::error::RecordError;
use crate::job::{Job, Run, Task};
use crate::protocol::{Frame, Message, VERSION};
use crate::scratch::Scratch;
use crate::spec::EngineSpec;
use forkpoint_traces::Outcome;
use std::borrow::Cow;
use std::cell::Cell;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

/// The files of a run: what is run, and the module that it was made of.
const MODULE: &str = "module.wasm";
const ORIGINAL: &str = "original.wasm";

/// How the last process ended.
pub(super) struct Launched {
    pub(super) ended: ProcessEnd,
    /// Whether it said that it had sent everything.
    pub(super) finished: bool,
}

impl Launched {
    /// The error where the process ended for a reason that is not the engine's: it exited, or fell silent, before it
    /// said how the run ended. `said` is what it did say.
    pub(super) fn failure(&self, said: Option<&Outcome>, request: &Request) -> Option<RecordError> {
        let told = self.finished || matches!(said, Some(Outcome::Rejected { .. }));
        if told || self.ended.stopped.is_some() || self.ended.signal().is_some() {
            return None;
        }
        Some(RecordError::Failed { engine: request.engine.to_string(), words: self.ended.words() })
    }

    /// How the run ended, from what the child `said` and from how its process ended.
    pub(super) fn outcome(&self, said: Option<Outcome>, instantiated: bool) -> Outcome {
        match (said, self.ended.stopped) {
            // The run was over before the order to stop reached it.
            (Some(outcome), _) if self.finished => outcome,
            (_, Some(Stopped::TimedOut)) => Outcome::TimedOut,
            (_, Some(Stopped::Interrupted)) => Outcome::Interrupted,
            (_, Some(Stopped::OutOfMemory)) => Outcome::OutOfMemory,
            (Some(outcome @ Outcome::Rejected { .. }), None) => outcome,
            (_, None) if self.finished && !instantiated => Outcome::NotRun,
            (_, None) if self.finished => Outcome::Finished,
            (_, None) => Outcome::Crashed { signal: self.ended.signal() },
        }
    }
}

/// Runs `module`, which was made of a program's, as `run` says. `sink` gets every frame, and the socket to answer by.
pub(super) fn launch<'a>(
    program: &'a Program,
    request: &Request,
    module: &'a Rewritten,
    mut run: Run,
    mut sink: impl FnMut(Frame, &mut UnixStream) -> Result<(), RecordError>,
) -> Result<Launched, RecordError> {
    let folder = Scratch::new().map_err(RecordError::io("creating a temporary folder"))?;
    // Other programs may change what they are given.
    let trusted = request.engine.is_of_this_program() && !request.engine.is_command();
    let put = |files: &SharedFiles, name: &str, bytes: &dyn Fn() -> Cow<'a, [u8]>| {
        let put = match trusted {
            true => files.link(name, bytes, folder.path()),
            false => std::fs::write(folder.path().join(name), bytes()),
        };
        put.map_err(RecordError::io("writing a module"))
    };
    match &program.script {
        Some(several) => {
            if let EngineSpec::Command(spec) = &request.engine {
                let refused = |message| RecordError::Setup { spec: request.engine.to_string(), message };
                script::followed(several, spec).map_err(refused)?;
            }
            let (job, files) = script::job(several, module);
            let write = |(name, bytes): &(String, Vec<u8>)| std::fs::write(folder.path().join(name), bytes);
            files.iter().try_for_each(write).map_err(RecordError::io("writing a module"))?;
            run.script = Some(job);
        }
        None => {
            put(&module.files, MODULE, &|| Cow::from(&module.module))?;
            put(&program.files, ORIGINAL, &|| Cow::from(&*program.original))?;
            if let Some(file) = &run.digests {
                put(&module.files, file, &|| Cow::from(module.decoder().carry()))?;
            }
        }
    }
    // Several modules are compiled where they run, also ahead of time.
    let ahead = request.engine.compiles_ahead() && run.script.is_none();
    let limits = Limits::new(request.timeout, request.max_memory, Arc::clone(&request.interrupt))
        .with_events(request.event_limit, &request.gauge);
    request.gauge.enter(Phase::Compiling);
    let mut see = |job: &Job, stdin: &Stdio| -> Result<Launched, RecordError> {
        let (finished, heard) = (Cell::new(false), Cell::new(false));
        let ended = loop {
            let child = Child::spawn(request, job, folder.path(), stdin)?;
            let is_reused = child.is_reused();
            let ended = child.run(&limits, &finished, |frame, socket| {
                heard.set(true);
                if finished.get() {
                    return Err(RecordError::Protocol("a frame after the last, `End`".to_string()));
                }
                if matches!(frame, Frame::Message(Message::End)) {
                    finished.set(true);
                    return Ok(());
                }
                sink(frame, socket)
            })?;
            // A kept process that died while it waited may still have taken the job. Each turn uses one up.
            if heard.get() || !is_reused || ended.stopped.is_some() {
                break ended;
            }
        };
        Ok(Launched { ended, finished: finished.get() })
    };
    let mut job = Job {
        protocol: VERSION,
        engine: request.engine.clone(),
        original: folder.path().join(ORIGINAL),
        module: folder.path().join(MODULE),
        stack_switching: module.stack_switching,
        deep_calls: program.javascript.is_some() && request.engine.is_of_this_program(),
        memory_page_limit: request.memory_page_limit,
        features: request.run_features(),
        cache: request.cache.as_ref().filter(|_| trusted).and_then(|cache| match &program.script {
            Some(_) => Some(ModuleCache::of_several(cache)),
            None => ModuleCache::new(cache, module.module.len(), || module.hash(), || program.hash()),
        }),
        task: Task::Run(Box::new(run)),
    };
    if ahead {
        let output = folder.path().join("module.cwasm");
        let task = Task::Compile { output: output.clone() };
        let compile = Job { features: request.features.clone(), task, ..job.clone() };
        let compiled = see(&compile, &Stdio::Null)?;
        if !compiled.finished {
            return Ok(compiled);
        }
        job.module = output;
    }
    see(&job, &request.stdin)
}
