//! The runner's half of forkpoint's runner protocol, version 2 (docs/runner-protocol.md).
//!
//! A runner implements [`Engine`] and [`Guest`] for its engine and passes it to [`serve`], which reads the job, makes
//! the calls and sends every frame in the order that the protocol requires. Nothing of forkpoint is used here: the
//! document is enough.

mod frames;
mod host;
mod job;
mod value;

pub use frames::{Halt, Recorder};
pub use host::Memories;
pub use job::{Call, Job};
pub use value::Value;

use serde_json::json;
use std::io;

/// The version of the protocol that this crate speaks.
pub const VERSION: u64 = 2;

/// Module name of the import that a recorded module calls after every event.
pub const HOOK_MODULE: &str = "forkpoint";
/// Field name of that import; its type is `[i32 i64 i64 i64] -> []`, see [`Recorder::hook`].
pub const HOOK_NAME: &str = "event";

/// Export name of the start function, which the recorder took out.
const START: &str = "forkpoint:start";

/// What the recorder writes into the trace about an engine.
pub struct About {
    pub name: &'static str,
    pub version: &'static str,
    /// How it executes code: `jit`, `interpreter`.
    pub mode: &'static str,
    pub compiler: &'static str,
    pub opt_level: &'static str,
    pub target: String,
    /// Names and values of other settings.
    pub settings: Vec<(&'static str, String)>,
}

/// An engine, configured.
pub trait Engine {
    type Guest: Guest;

    fn about(&self) -> About;

    /// Compiles and instantiates a module: imported memories are new ones, the hook calls [`Recorder::hook`].
    fn instantiate(&self, module: &[u8], recorder: &Recorder) -> Result<Self::Guest, Rejected>;
}

/// The engine rejected the module.
pub struct Rejected {
    /// `compile` or `instantiate`.
    pub stage: &'static str,
    pub message: String,
}

impl Rejected {
    /// For `map_err`: an error at this stage.
    pub fn at<E: std::fmt::Display>(stage: &'static str) -> impl Fn(E) -> Rejected {
        move |error| {
            // With all causes where `Display` prints them, and without where the engine found them.
            let words = format!("{error:#}");
            let message = words.split_once("\nStack backtrace:").map_or(&*words, |(words, _)| words);
            Rejected { stage, message: message.to_string() }
        }
    }
}

/// An instance of a module.
pub trait Guest {
    /// Calls an exported function.
    fn call(&mut self, call: &Call) -> Ended;

    /// Size in pages and bytes of an exported memory.
    fn memory(&self, name: &str) -> Option<(u64, &[u8])>;

    /// Value of an exported global.
    fn global(&mut self, name: &str) -> Option<Value>;

    /// Size in elements of an exported table.
    fn table(&mut self, name: &str) -> Option<u64>;
}

/// How a call ended.
pub enum Ended {
    Returned(Vec<Value>),
    Trapped(Trap),
    Exited(i32),
    Stopped,
}

impl From<&Halt> for Ended {
    fn from(halt: &Halt) -> Ended {
        match halt {
            Halt::Stopped => Ended::Stopped,
            Halt::Exited(code) => Ended::Exited(*code),
            Halt::Trapped(words) => {
                Ended::Trapped(Trap { kind: "HostError", message: words.clone(), frames: Vec::new() })
            }
        }
    }
}

/// A trap.
pub struct Trap {
    /// One of the protocol's names: `Unreachable`, `MemoryOutOfBounds`, ... `Other`.
    pub kind: &'static str,
    /// The engine's message, without a backtrace.
    pub message: String,
    /// Innermost first; empty if the engine does not know.
    pub frames: Vec<Frame>,
}

/// A frame of the guest's stack, in numbers of the original module.
pub struct Frame {
    pub function: u32,
    /// Offset of the instruction in the module.
    pub offset: Option<u32>,
}

/// Does the job that the command line names, and reports. An error means that nobody can be reached.
pub fn serve<E: Engine>(arguments: &[String], set_up: impl FnOnce() -> Result<E, String>) -> io::Result<()> {
    let (job, recorder) = frames::connect(arguments)?;
    let job = match job {
        Ok(job) => job,
        Err(message) => return recorder.message(&json!({ "SetupFailed": message })),
    };
    let engine = match set_up() {
        Ok(engine) => engine,
        Err(message) => return recorder.message(&json!({ "SetupFailed": message })),
    };
    recorder.know(&job);
    recorder.message(&hello(&engine.about(), &job))?;
    let guest = match engine.instantiate(&job.module, &recorder) {
        Ok(guest) => guest,
        Err(Rejected { stage, message }) => {
            return recorder.message(&json!({ "Rejected": { "stage": stage, "message": message } }));
        }
    };
    run(guest, &job, &recorder)
}

fn hello(about: &About, job: &Job) -> serde_json::Value {
    json!({ "Hello": {
        "protocol": VERSION,
        "spec": job.spec,
        "name": about.name,
        "version": about.version,
        "mode": about.mode,
        "compiler": about.compiler,
        "opt_level": about.opt_level,
        "target": about.target,
        "cpu_features": [],
        "settings": about.settings,
    }})
}

/// Everything after instantiation.
fn run(mut guest: impl Guest, job: &Job, recorder: &Recorder) -> io::Result<()> {
    images(&guest, job, recorder)?;
    recorder.message(&json!("Instantiated"))?;
    recorder.watch(job)?;
    let start = Call { function: START.to_string(), arguments: Vec::new() };
    let start = job.has_start.then_some((None, &start));
    let calls = job.calls.iter().enumerate().map(|(number, call)| (Some(number), call));
    for (number, call) in start.into_iter().chain(calls) {
        recorder.message(&json!({ "Call": number }))?;
        let ended = guest.call(call);
        recorder.message(&ended.message())?;
        // If the start function failed, there is no instance, so no export can be called.
        let failed_start = number.is_none() && !matches!(ended, Ended::Returned(_));
        if failed_start || matches!(ended, Ended::Stopped | Ended::Exited(_)) {
            break;
        }
    }
    images(&guest, job, recorder)?;
    let globals: Vec<_> = job.globals.iter().filter_map(|name| Some(guest.global(name)?.to_json())).collect();
    let tables: Vec<_> = job.tables.iter().filter_map(|name| guest.table(name)).collect();
    recorder.message(&json!({ "State": { "globals": globals, "tables": tables } }))?;
    recorder.message(&json!("End"))
}

/// Sends all memories.
fn images(guest: &impl Guest, job: &Job, recorder: &Recorder) -> io::Result<()> {
    for (number, name) in job.memories.iter().enumerate() {
        let (pages, bytes) = guest.memory(name).ok_or_else(|| io::Error::other(format!("no memory `{name}`")))?;
        recorder.image(number as u32, pages, bytes)?;
    }
    Ok(())
}

impl Ended {
    fn message(&self) -> serde_json::Value {
        match self {
            Ended::Returned(values) => json!({ "Returned": values.iter().map(Value::to_json).collect::<Vec<_>>() }),
            Ended::Stopped => json!("Stopped"),
            Ended::Exited(code) => json!({ "Exited": code }),
            Ended::Trapped(Trap { kind, message, frames }) => {
                let frames: Vec<_> = frames
                    .iter()
                    .map(|frame| json!({ "function": frame.function, "offset": frame.offset, "name": null }))
                    .collect();
                json!({ "Trapped": { "trap": kind, "message": message, "frames": frames } })
            }
        }
    }
}
