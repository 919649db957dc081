//! Instruments a module, runs it under an engine in a child process, records what it does.
//!
//! Constraints: the engine may crash, hang or lie, so it runs in a child process that never writes the trace;
//! one rewritten module runs on every engine, so that equal runs give equal events; and what is recorded is
//! checked against the memory that the engine really held, in release builds too.
//!
//! To get started: [`Program::new`] and [`Program::record`] are the whole path. [`child::main`] is what the child process runs: a program
//! that records must call it when it is started with [`child::ARGUMENT`].

// Who prints is the command, in one place.
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))]

pub mod child;
mod engine;
mod error;
mod features;
mod host;
pub mod instrument;
mod job;
mod link;
mod memories;
mod observe;
mod populated;
mod protocol;
mod record;
mod scratch;
mod shared;
mod spec;
mod switch;
mod validity;
mod values;

pub use engine::linked_engines;
pub use error::RecordError;
pub use features::{FeatureError, FeatureSwitches};
pub use host::WasiSetup;
pub use host::embed::{HostError, HostFunctions, HostMemory, OutOfBounds};
pub use host::preload::Preload;
pub use host::script::HostScript;
pub use host::stub::{Stub, StubError};
pub use job::{Watch, WatchedRange};
#[doc(hidden)]
pub use record::fuzzing;
pub use record::{
    CallError, CallResult, Checkpoint, EndDifference, EndMemory, EndPage, EndState, Finding, Findings, Found, Gauge,
    HostSource, Imports, Invocation, MadeUp, NOTES_IN_A_DIGEST, Note, Notes, Phase, Plain, Program, Progress,
    Recorded, Request, Stdio, Work, every_call, own_host,
};
pub use scratch::Scratch;
pub use spec::{
    BundledRunner, BundledSpec, CapiSpec, Compiler, EngineSpec, Mode, OptLevel, PythonCompiler, SpecError, Target,
    Tuning, V8Compiler, WasmEdgeMode, WasmEdgeSpec, WasmtimeSpec,
};
pub use switch::Switch;
pub use values::{ValueError, WasmValue, parse_value};
