//! The command line of `sweep`.

use super::parse::host_modes;
use super::{EngineList, Format, RunArgs};
use clap::Args;
use forkpoint_compare::{HostMode, Shard};
use forkpoint_replay::NanBits;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, Args)]
pub struct SweepArgs {
    /// A folder with .wasm and .wat files at any depth, or a list file: one path per line, each optionally followed by
    /// ` :: CALL`, repeated for each call
    #[arg(required_unless_present = "merge")]
    pub input: Option<PathBuf>,
    /// The engines, as in compare --engines: 'wasmtime:jit;wasmi'; repeatable
    #[arg(long, value_name = "ENGINE[;ENGINE...]", required_unless_present = "merge")]
    pub engines: Vec<EngineList>,
    /// How many modules to run at a time [default: the number of processors]
    #[arg(short, long, value_name = "N")]
    pub jobs: Option<usize>,
    /// Run only part I of N, such as 1/4: modules are divided by the hash of their paths, so each machine of a cluster can
    /// take a part of the same input
    #[arg(long, value_name = "I/N")]
    pub shard: Option<Shard>,
    /// Keep the rows in this folder and, for each signature, the traces of the first module that has it. With the same
    /// folder, an interrupted sweep continues
    #[arg(short, long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// The rows.jsonl of an earlier sweep: only results that are new against it give exit code 1
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// Run nothing, and combine the results of the shards in these folders
    #[arg(long, value_name = "DIR", num_args = 1.., conflicts_with_all = ["input", "engines", "shard", "jobs"])]
    pub merge: Vec<PathBuf>,
    /// How often to call each export with parameters if no calls are given: first with zeros, then with other arguments,
    /// such as the limits of types and of memory (docs/sweep.md); at most 256 calls per module
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub calls: u16,
    /// Seed for these arguments
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// Who answers the guest's host calls, as in compare
    #[arg(long, value_parser = host_modes(), default_value_t = HostMode::Pinned)]
    pub host: HostMode,
    /// Skip the runs without recording, which show whether recording changes a result
    #[arg(long)]
    pub no_guard: bool,
    /// Skip the reruns that find out more about a divergence, as in compare
    #[arg(long)]
    pub no_reruns: bool,
    /// What to do about events that differ in NaN bits only, as in compare
    #[arg(long, value_name = "WHAT", default_value_t = NanBits::default())]
    pub nan_bits: NanBits,
    /// Print the summary as JSON (docs/json.md)
    #[arg(long)]
    pub json: bool,
    /// In which form to print the result (docs/ci.md)
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Text, conflicts_with = "json")]
    pub format: Format,
    #[command(flatten)]
    pub run: RunArgs,
}

/// Time limit of a run unless one is given: one module that hangs must not end a sweep.
const PATIENCE: Duration = Duration::from_secs(10);

impl SweepArgs {
    /// The time limit of a run.
    pub fn patience(&self) -> Duration {
        self.run.timeout.unwrap_or(PATIENCE)
    }
}
