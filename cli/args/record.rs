//! The command line of `record`.

use super::GuestArgs;
use crate::project::engine;
use clap::{Args, ValueEnum};
use forkpoint_tracer::{EngineSpec, OptLevel, Switch, Target};
use forkpoint_traces::Outcome;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub struct RecordArgs {
    #[command(flatten)]
    pub guest: GuestArgs,
    /// The trace to write [default: the module's name with .fpt]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// The engine and its settings, separated by commas: wasmtime:aot,target=portable,opt=none
    ///
    /// wasmtime:jit, :aot, :winch-jit, :winch-aot, :pulley or :pulley-aot; wasmi; node, node:liftoff or node:turbofan;
    /// python, python:cranelift or python:winch; capi:jit,lib=PATH or capi:aot,lib=PATH for a library with the interface
    /// wasm.h; wasmedge:interpreter, :jit or :aot, with lib=PATH; command:TEMPLATE;
    /// runner:COMMAND. `forkpoint engines` tests which of them
    /// work here; docs/engines.md lists their settings.
    #[arg(short, long, default_value = "wasmtime:jit", value_parser = engine)]
    pub engine: EngineSpec,
    /// Compile for this target: host, portable (this architecture's baseline) or a target triple
    #[arg(long, value_name = "TARGET")]
    pub target: Option<Target>,
    /// Switch CPU features on and off: +fma,-avx2
    #[arg(long, value_name = "FEATURES", value_parser = Switch::parse_cpu, allow_hyphen_values = true)]
    pub cpu: Option<CpuList>,
    /// Optimization level: none, speed or speed-and-size
    #[arg(long, value_name = "LEVEL")]
    pub opt: Option<OptLevel>,
    /// Who answers the guest's WASI calls: the linked Wasmtime's host or the engine's own
    ///
    /// By default Wasmtime's host answers, whatever the engine: other engines get its recorded answers. With `own` the
    /// engine's own host answers, such as node:wasi; `forkpoint engines` lists the engines that have one.
    #[arg(long, value_enum, default_value_t = RecordHost::Wasmtime)]
    pub host: RecordHost,
    /// Fix clocks and random numbers, so that separately made recordings can be compared
    #[arg(long)]
    pub deterministic: bool,
    /// Exit with 1 if the run ends in one of these ways, separated by commas: trap, crash, rejected, timeout, out-of-memory,
    /// unanswered, no-room, interrupted or exit (a code other than 0). By default the command succeeds however the run ends
    #[arg(long, value_name = "END,...", value_delimiter = ',')]
    pub fail_on: Vec<End>,
    /// Print a summary as JSON instead of the guest's results
    #[arg(long)]
    pub json: bool,
    /// Print no summary
    #[arg(short, long)]
    pub quiet: bool,
}

/// The ways a run can end, for `--fail-on`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum End {
    /// A call trapped
    Trap,
    /// The engine's process crashed
    Crash,
    /// The engine rejected the module
    Rejected,
    /// --timeout ended it
    Timeout,
    /// --max-memory ended it
    OutOfMemory,
    /// A host call had no answer
    Unanswered,
    /// --alloc made no room for an argument
    NoRoom,
    /// Ctrl-C or SIGTERM ended it
    Interrupted,
    /// The guest exited with a code other than 0
    Exit,
}

impl End {
    /// Whether the run ended this way.
    pub fn is(self, outcome: &Outcome) -> bool {
        match outcome {
            Outcome::Trapped { .. } => self == End::Trap,
            Outcome::Crashed { .. } => self == End::Crash,
            Outcome::Rejected { .. } => self == End::Rejected,
            Outcome::TimedOut => self == End::Timeout,
            Outcome::OutOfMemory => self == End::OutOfMemory,
            Outcome::Unanswered => self == End::Unanswered,
            Outcome::NoRoom => self == End::NoRoom,
            Outcome::Interrupted => self == End::Interrupted,
            Outcome::Exited { code } => self == End::Exit && *code != 0,
            _ => false,
        }
    }
}

/// A type alias, since clap takes a plain `Vec` for a repeatable option; this option holds a list.
pub type CpuList = std::vec::Vec<Switch>;

/// Who answers host calls when a run is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RecordHost {
    /// The host of the linked Wasmtime
    Wasmtime,
    /// The engine's own host
    Own,
}
