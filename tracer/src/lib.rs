//! Instruments a module, runs it under an engine in a child process, and records what it does.
//!
//! Constraints: the engine may crash, hang or lie, so it runs in a child process that never writes the trace;
//! one rewritten module runs on every engine, so that equal runs give equal events; and what is recorded is
//! checked against the memory that the engine really held, in release builds too.
//!
//! [`Program::new`] and [`Program::record`] are the whole path. A program that records must call [`child::main`] when it is
//! started with [`child::ARGUMENT`]: the engine's process is the same program again.
//!
//! ```rust,standalone_crate
//! use forkpoint_tracer::{Imports, Program, Request, child};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let arguments: Vec<String> = std::env::args().collect();
//!     if arguments.get(1).is_some_and(|first| first == child::ARGUMENT) {
//!         return Ok(child::main(&arguments[2..])?);
//!     }
//!     let module = r#"(module (memory 1)
//!         (func (export "run") (param i32) (i32.store (i32.const 8) (local.get 0))))"#;
//!     let calls = ["run 64".parse()?];
//!     let program = Program::new("guest.wat", wat::parse_str(module)?, &calls, &Imports::default())?;
//!
//!     let folder = tempfile::tempdir()?;
//!     let request = Request::new("wasmi".parse()?, folder.path().join("guest.fpt"))?;
//!     let recorded = program.record(&request, &mut |_, _| {})?;
//!     assert_eq!(recorded.outcome, forkpoint_traces::Outcome::Finished);
//!     Ok(())
//! }
//! ```

// Only the command prints, in one place.
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))]

mod cache;
mod cache_folder;
pub mod child;
mod engine;
mod error;
mod features;
mod handover;
mod host;
pub mod instrument;
mod job;
mod link;
mod memories;
mod observe;
mod own_command;
mod populated;
mod protocol;
mod record;
mod scratch;
mod script;
mod shared;
mod spec;
mod switch;
mod validity;
mod values;

pub use cache::CodeCache;
pub use cache_folder::{CACHE_VARIABLE, cache_folder, check_private, make_private};
pub use engine::linked_engines;
pub use error::RecordError;
pub use features::{FeatureError, FeatureSwitches};
pub use host::WasiSetup;
pub use host::embed::{HostError, HostFunctions};
pub use host::memory::{HostMemory, OutOfBounds};
pub use host::preload::Preload;
pub use host::script::HostScript;
pub use host::stub::{Stub, StubError};
pub use job::{Watch, WatchedRange};
pub use own_command::{
    AFTERWARDS, CHECKED, OwnCommand, OwnModule, OwnRun, Shows, VALUE, own_command, run_own_command,
};
pub use record::{
    App, AppRecorded, CallError, CallResult, Checkpoint, CommandWays, Differs, EndDifference, EndMemory, EndPage,
    EndState, FoundWriter, Gauge, HostSource, Imports, Invocation, Keep, MadeUp, Mismatch, Mismatches,
    NOTES_IN_A_DIGEST, Note, Notes, Page, Phase, Plain, Program, Progress, Recorded, Request, Sought, Stdio, Work,
    Workers, every_call, own_host,
};
#[doc(hidden)]
pub use record::{fuzzing, write_block};
pub use scratch::Scratch;
pub use script::ScriptError;
pub use spec::{
    BundledRunner, BundledSpec, CapiSpec, CommandSpec, Compiler, EngineSpec, Mode, OptLevel, PythonCompiler,
    SpecError, Target, Tuning, V8Compiler, WasmEdgeMode, WasmEdgeSpec, WasmtimeSpec, Way,
};
pub use switch::Switch;
pub use values::{ValueError, WasmValue, parse_value};
