//! The command line of `reduce`.

use super::parse::{TimeLimit, host_modes, parse_limit};
use super::{GuestArgs, ProgramArgs, RunArgs};
use crate::project::engine;
use clap::Args;
use forkpoint_compare::HostMode;
use forkpoint_tracer::EngineSpec;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub struct ReduceArgs {
    /// Instead of a module, a recording or a pack can be named: module, calls, limits, engines and what the host answered are
    /// in it
    #[command(flatten)]
    pub program: ProgramArgs,
    /// The recording of the right side, if the left one's is named: its engine runs the module again
    #[arg(value_name = "OTHER", conflicts_with_all = ["modules", "node"])]
    pub other: Option<PathBuf>,
    #[command(flatten)]
    pub run: RunArgs,
    /// The left engine, the reference: calls are cut out of its run [default: wasmtime:jit, or the one that a recording names,
    /// if it is linked in]
    #[arg(long, value_parser = engine)]
    pub lhs: Option<EngineSpec>,
    /// The right engine [default: wasmtime:aot, or the one that a recording names, if it is linked in]
    #[arg(long, value_parser = engine)]
    pub rhs: Option<EngineSpec>,
    /// Who answers the guest's host calls, as for `compare`
    #[arg(long, value_parser = host_modes(), default_value_t = HostMode::Pinned)]
    pub host: HostMode,
    /// The limit of --memory-page-limit for the left side only
    #[arg(long, value_name = "PAGES")]
    pub lhs_memory_page_limit: Option<u64>,
    /// The limit of --memory-page-limit for the right side only
    #[arg(long, value_name = "PAGES")]
    pub rhs_memory_page_limit: Option<u64>,
    /// The file to write: text, or binary if its name ends in .wasm
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Write a page for a bug tracker, too, in Markdown: the module, the engines, the command, the first divergence
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Write a script in the form of the specification's tests (.wast), too, that the left engine passes and the right one fails
    #[arg(long, value_name = "FILE")]
    pub script: Option<PathBuf>,
    /// Write a shell script, too, that ends with 0 if a module (its first argument, or the reduced one) diverges in the same way:
    /// for `git bisect run`, `creduce`, `wasm-tools shrink`
    #[arg(long, value_name = "FILE")]
    pub predicate: Option<PathBuf>,
    /// Write a shell script, too, that shows the divergence by the engines' own commands, without forkpoint. They are run if their
    /// programs are there, as with --report
    #[arg(long, value_name = "FILE")]
    pub reproduce: Option<PathBuf>,
    /// Write a pack of the reduced module's traces, too (docs/pack.md)
    #[arg(long, value_name = "FILE")]
    pub pack: Option<PathBuf>,
    /// Keep how far the reduction is in this file; if it is there, the same command goes on from it
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,
    /// After this time the smallest module so far is written: 30s, 10m, or none
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = parse_limit)]
    pub time: TimeLimit,
    /// Report as JSON (docs/json.md)
    #[arg(long)]
    pub json: bool,
}

impl ReduceArgs {
    /// What is run, and what it is given.
    pub fn guest(&self) -> GuestArgs {
        GuestArgs { program: self.program.clone(), run: self.run.clone() }
    }
}
