//! The command line.

use crate::compare::many::EngineList;
mod guest;
mod parse;
mod sweep;

pub use guest::{GuestArgs, RunArgs, options_for};
pub use parse::parse_size;
pub use sweep::{Shard, SweepArgs};

use clap::{Args, Parser, Subcommand, ValueEnum};
use forkpoint_replay::NanBits;
use forkpoint_tracer::{Cpu, EngineSpec, OptLevel, Target};
use parse::{parse_duration, parse_position, parse_range};
use serde::Serialize;
use std::path::PathBuf;
use std::time::Duration;

/// Where two WebAssembly runs part.
///
/// Records what a module does to its linear memories under an engine, finds the first event at which two runs
/// diverge, and shows it. Exit codes: 0 the runs agree, 1 they diverge, 2 there is no answer (bad input, a run
/// that timed out, an incomplete trace).
#[derive(Debug, Parser)]
#[command(name = "forkpoint", version, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a module and record every change to its memories
    Record(RecordArgs),
    /// Record a module under two engines and report the first divergence
    Compare(CompareArgs),
    /// Compare many modules under many engines: one row each, alike divergences told once
    Sweep(SweepArgs),
    /// Run a recording again, from its file alone, and check it event by event
    Replay(ReplayArgs),
    /// Find the first divergence of two traces
    Diff(DiffArgs),
    /// Show what a trace holds
    Info(InfoArgs),
    /// Print the events of a trace
    Dump(DumpArgs),
    /// List the engines that can be used here, and what each of them knows
    Engines(EnginesArgs),
    /// Look at one trace, or at two side by side, in the terminal
    View(ViewArgs),
    /// Check that a program speaks the runner protocol (docs/runner-protocol.md)
    RunnerCheck(RunnerCheckArgs),
}

#[derive(Debug, Args)]
pub struct RecordArgs {
    #[command(flatten)]
    pub guest: GuestArgs,
    /// The trace to write [default: the module's name with .fpt]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// The engine: wasmtime:jit or wasmtime:aot, with settings as in wasmtime:aot,target=portable,opt=none
    #[arg(short, long, default_value = "wasmtime:jit")]
    pub engine: EngineSpec,
    /// What code is made for: host, portable (this architecture's baseline) or a target triple
    #[arg(long, value_name = "TARGET")]
    pub target: Option<Target>,
    /// Switch CPU features on and off: +fma-avx2
    #[arg(long, value_name = "FEATURES", value_parser = Cpu::parse_list, allow_hyphen_values = true)]
    pub cpu: Option<CpuList>,
    /// Optimization level: none, speed or speed-and-size
    #[arg(long, value_name = "LEVEL")]
    pub opt: Option<OptLevel>,
    /// Fixed clocks and random source: what two recordings can be compared by that were made one by one
    #[arg(long)]
    pub deterministic: bool,
    /// Print a summary as JSON in place of the guest's results
    #[arg(long)]
    pub json: bool,
    /// Print no summary
    #[arg(short, long)]
    pub quiet: bool,
}

/// Clap takes a type named `Vec` for a repeatable option; this is one option with a list in it.
pub type CpuList = std::vec::Vec<Cpu>;

#[derive(Debug, Args)]
pub struct CompareArgs {
    #[command(flatten)]
    pub guest: GuestArgs,
    /// The left engine, the reference
    #[arg(long, default_value = "wasmtime:jit")]
    pub lhs: EngineSpec,
    /// The right engine
    #[arg(long, default_value = "wasmtime:aot")]
    pub rhs: EngineSpec,
    /// In place of --lhs and --rhs: any number of engines; repeatable, and a list with semicolons is as good
    ///
    /// For example --engines 'wasmtime:jit;wasmi;wasmtime:aot,opt=none' --engines 'runner:node runners/node/runner.mjs'.
    /// The command of a runner goes on to the end of the list, so a runner comes last in one. The reference is the first
    /// engine that can answer host calls and whose run comes to an end.
    #[arg(long, value_name = "ENGINE[;ENGINE...]")]
    #[arg(conflicts_with_all = ["lhs", "rhs", "lhs_memory_page_limit", "rhs_memory_page_limit"])]
    pub engines: Vec<EngineList>,
    /// Who answers the guest's host calls: pinned, the left side for real and the right side from its recording, or
    /// live, each side for real
    #[arg(long, value_enum, default_value_t = HostMode::Pinned)]
    pub host: HostMode,
    /// The limit of --memory-page-limit for the left side only
    #[arg(long, value_name = "PAGES")]
    pub lhs_memory_page_limit: Option<u64>,
    /// The limit of --memory-page-limit for the right side only
    #[arg(long, value_name = "PAGES")]
    pub rhs_memory_page_limit: Option<u64>,
    /// Keep the traces in this directory: lhs.fpt and rhs.fpt, or with --engines 01-ENGINE.fpt and so on
    #[arg(short, long, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Do not run both sides without recording first, to see whether recording changes what they do
    #[arg(long)]
    pub no_guard: bool,
    /// Do not run the sides again to ask more about a divergence: where an engine trapped that does not say so, whether it
    /// follows from the bits of NaNs, which function first returned otherwise
    #[arg(long)]
    pub no_reruns: bool,
    /// Show what the guest of the left side prints (on standard error)
    #[arg(long)]
    pub echo: bool,
    #[command(flatten)]
    pub report: ReportArgs,
}

/// Who answers host calls in a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HostMode {
    /// One run for real, all others from its recording
    Pinned,
    /// Every run for real
    Live,
}

#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// The recording
    pub file: PathBuf,
    /// The engine [default: the one that the recording names]
    #[arg(short, long)]
    pub engine: Option<EngineSpec>,
    /// Keep the trace of the new run
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// End the run after so long: 500ms, 10s, 2m
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub timeout: Option<Duration>,
    /// Show what the guest prints
    #[arg(long)]
    pub echo: bool,
    #[command(flatten)]
    pub report: ReportArgs,
}

#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Report as JSON (docs/json.md)
    #[arg(long)]
    pub json: bool,
    /// What to do about events that differ in the sign or payload of NaNs only, which the specification allows:
    /// ignore them, report them if nothing else differs, or stop at the first
    #[arg(long, value_name = "WHAT", default_value_t = NanBits::default())]
    pub nan_bits: NanBits,
    /// Events shown before and after the divergence
    #[arg(long, default_value_t = 3, value_name = "N")]
    pub context: u64,
}

#[derive(Debug, Args)]
pub struct RunnerCheckArgs {
    /// One JSON array, an object for each part of the protocol
    #[arg(long)]
    pub json: bool,
    /// The runner's program and its own arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

#[derive(Debug, Args)]
pub struct DiffArgs {
    /// The left trace, the reference
    pub lhs: PathBuf,
    /// The right trace
    pub rhs: PathBuf,
    #[command(flatten)]
    pub report: ReportArgs,
}

#[derive(Debug, Args)]
pub struct InfoArgs {
    /// The trace
    pub file: PathBuf,
    /// As JSON
    #[arg(long)]
    pub json: bool,
    /// Read every chunk, check every checksum and replay all events
    #[arg(long)]
    pub verify: bool,
}

#[derive(Debug, Args)]
pub struct DumpArgs {
    /// The trace
    pub file: PathBuf,
    /// First position
    #[arg(long, value_name = "POSITION", value_parser = parse_position)]
    pub from: Option<u64>,
    /// One past the last position
    #[arg(long, value_name = "POSITION", value_parser = parse_position)]
    pub to: Option<u64>,
    /// Only events of this function: its index or its name
    #[arg(long, value_name = "FUNC")]
    pub func: Option<String>,
    /// Only events that write this address, or one in a range: 0x400 or 0x400..0x500
    #[arg(long, value_name = "ADDR[..ADDR]", value_parser = parse_range)]
    pub addr: Option<(u64, u64)>,
    /// Only events of this kind; repeatable
    #[arg(long, value_parser = clap::builder::PossibleValuesParser::new(forkpoint_traces::Event::KINDS))]
    pub kind: Vec<String>,
    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct EnginesArgs {
    /// Engines to look at besides those linked in: capi:jit,lib=PATH, wasmedge:aot,lib=PATH, runner:COMMAND
    pub engines: Vec<EngineSpec>,
    /// As JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct ViewArgs {
    /// The trace, or the left one of two
    pub lhs: PathBuf,
    /// The right one
    pub rhs: Option<PathBuf>,
    /// Where to start [default: the first divergence, or the beginning]
    #[arg(long, value_name = "POSITION", value_parser = parse_position)]
    pub at: Option<u64>,
}
