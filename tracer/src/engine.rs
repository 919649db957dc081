//! Engines in the child process: which one does a job, and what they have in common.

mod capi;
mod command;
mod drive;
mod lent;
mod library;
mod limit;
mod linking;
mod script;
mod session;
mod wasmedge;
pub(crate) mod wasmi;
mod wasmtime;
mod words;
mod world;

pub(crate) use capi::{PROPOSALS, WASMER_COMPILERS, WASMTIME_ALLOCATORS, WASMTIME_COMPILERS};
pub(crate) use command::{CommandStatus, Go, run_command};

use crate::job::{Job, Task};
use crate::link::{Control, Out};
use crate::protocol::Message;
use crate::shared::Slots;
use crate::spec::EngineSpec;
use drive::Engine;
use std::io;

/// Name and version of the engines that are part of this program. Other engines report theirs when they run.
pub fn linked_engines() -> [(&'static str, &'static str); 2] {
    [("Wasmtime", wasmtime::VERSION), ("wasmi", wasmi::VERSION)]
}

/// Does a child's job under its engine; an error means that the parent is gone.
pub(crate) fn run(job: &Job, mut out: Out, control: Control, slots: Slots) -> io::Result<()> {
    let engine: Result<Box<dyn Engine>, String> = match &job.engine {
        EngineSpec::Command(spec) => return command::run(spec, job, out, control),
        EngineSpec::Wasmtime(spec) => wasmtime::open(spec, job),
        EngineSpec::Wasmi => wasmi::open(job),
        EngineSpec::Capi(spec) => capi::open(spec, job),
        EngineSpec::WasmEdge(spec) => wasmedge::open(spec, job),
        EngineSpec::Bundled(spec) => Err(format!("`{spec}` is a separate program")),
        EngineSpec::Runner { command } => Err(format!("`{command}` is a separate program")),
    };
    match engine {
        Ok(engine) => match &job.task {
            Task::Run(run) if let Some(script) = &run.script => {
                script::drive(&*engine, job, run, script, (out, control, slots))
            }
            _ => drive::drive(&*engine, job, out, control, slots),
        },
        Err(error) => out.message(&Message::SetupFailed(error)),
    }
}
