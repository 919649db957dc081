//! Compares WebAssembly engines: runs one module under several of them, finds the first event at which they diverge,
//! and reruns them to find out why.
//! Constraints: nothing here prints, results are data; runs can be repeated at will only if one host answers all of
//! them, so the host is pinned unless the caller says otherwise; and an engine that fails is a result, not an error.
//!
//! To get started: [`Comparison`] for two engines (`comparison.rs` reads top to bottom), [`Survey`] for many, [`Sweep`]
//! for many modules, [`BuildComparison`] for two builds of a program. [`Progress`] follows a comparison, and the `interrupt` of its requests ends it.
//!
//! ```standalone_crate
//! use forkpoint_compare::Comparison;
//! use forkpoint_tracer::{Imports, Program, Request, child};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     // An engine runs in another process: this program, started again.
//!     let arguments: Vec<String> = std::env::args().collect();
//!     if arguments.get(1).is_some_and(|first| first == child::ARGUMENT) {
//!         return Ok(child::main(&arguments[2..])?);
//!     }
//!     let module = wat::parse_str(
//!         r#"(module (memory 1) (func (export "run") (param i32)
//!              (i32.store (i32.const 16) (local.get 0))))"#,
//!     )?;
//!     let program = Program::new("store.wat", module, &["run 7".parse()?], &Imports::default())?;
//!     let folder = std::env::temp_dir();
//!     let lhs = Request::new("wasmtime:jit".parse()?, folder.join("doc-lhs.fpt"))?;
//!     let rhs = Request { engine: "wasmi".parse()?, output: folder.join("doc-rhs.fpt"), ..lhs.clone() };
//!     let compared = Comparison::new(&program, [lhs, rhs]).run()?;
//!     println!("{}", compared.report);
//!     assert_eq!(compared.report.agree, Some(true));
//!     Ok(())
//! }
//! ```

// Only the command prints, in one place.
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))]

mod agreement;
mod build_calls;
mod builds;
mod calls;
mod command_runs;
mod compared;
mod comparison;
mod differences;
mod digests;
mod error;
mod files;
mod guard;
mod host;
mod json;
mod ladder;
mod loads;
mod narrow;
mod nondeterminism;
mod progress;
mod record;
mod recording;
mod redact;
mod reduce;
mod reruns;
mod runs;
mod settings;
mod survey;
mod sweep;
mod windows;

pub use builds::{BuildComparison, BuildGuard, ComparedBuilds, refuse_invalid_build};
pub use calls::{calls_around, far_step};
pub use command_runs::CommandRuns;
pub use compared::Compared;
pub use comparison::Comparison;
pub use differences::PlainDifference;
pub use error::{CompareError, in_one_line};
pub use files::{
    is_script, left_by_killed_recorders, open_recorded, open_trace, read_module, read_script, refuse_same,
};
pub use guard::{Guard, Unsteady};
pub use host::{HostMode, OwnHost, OwnHosts};
pub use json::{json_indented, json_line};
pub use loads::loads_before;
pub use nondeterminism::Nondeterminism;
pub use progress::{Doing, Progress, Silent};
pub use record::{record, record_app};
pub use recording::Recording;
pub use redact::{Redacted, Redaction, Replacements};
pub use reduce::{OwnCheck, OwnSide, Reduced, Reduction, ReductionEnd, ReductionStatus, Reproduction};
pub use reruns::{FirstCall, FirstNan, FollowsFrom, FoundPlace, LeftOpen, Reruns, Unlike};
pub use settings::{Kept, Reask, Settings};
pub use survey::{EngineGroup, EngineRow, Survey, Surveyed};
pub use sweep::{
    AssertionCount, Baseline, CommandSum, Deviation, EngineAssertions, EngineCommands, InputModule, ModuleAnswer,
    ModuleRow, ModuleSite, ReasonCount, Shard, SignatureCount, Store, Summary, Sweep, SweepCalls, SweepChange,
    SweepChanges, merge, modules, read_baseline,
};
pub use windows::{last_writer, with_windows};
