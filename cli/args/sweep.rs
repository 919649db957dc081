//! The command line of `sweep`.

use super::{HostMode, RunArgs};
use crate::compare::many::EngineList;
use clap::Args;
use forkpoint_replay::NanBits;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

#[derive(Debug, Args)]
pub struct SweepArgs {
    /// A folder with .wasm and .wat files at any depth, or a list file: one path per line, each optionally followed by
    /// ` :: CALL`, as often as there are calls
    #[arg(required_unless_present = "merge")]
    pub input: Option<PathBuf>,
    /// The engines, as in compare --engines: 'wasmtime:jit;wasmi'; repeatable
    #[arg(long, value_name = "ENGINE[;ENGINE...]", required_unless_present = "merge")]
    pub engines: Vec<EngineList>,
    /// Modules at a time [default: as many as there are processors]
    #[arg(short, long, value_name = "N")]
    pub jobs: Option<usize>,
    /// Only every n-th module, the i-th of them: 1/4 to 4/4. By the hash of its path, so each machine of a cluster takes
    /// its own part of the same input
    #[arg(long, value_name = "I/N")]
    pub shard: Option<Shard>,
    /// Keep the rows in this folder, and for each signature the traces of the first module that has it. Started again with
    /// the same folder, a sweep goes on where it was ended
    #[arg(short, long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Known results: the rows.jsonl of an earlier sweep. Then only what is not known there makes the exit code 1
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// In place of a sweep: put together what the shards in these folders found
    #[arg(long, value_name = "DIR", num_args = 1.., conflicts_with_all = ["input", "engines", "shard", "jobs"])]
    pub merge: Vec<PathBuf>,
    /// How often each export with parameters is called where nothing says how: with zeros, then with other arguments each time,
    /// ends of types and of memory among them (docs/sweep.md); 256 calls of a module at most
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub calls: u16,
    /// Seed for these arguments
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// Who answers the guest's host calls, as in compare
    #[arg(long, value_enum, default_value_t = HostMode::Pinned)]
    pub host: HostMode,
    /// Skip the runs without recording, which show whether recording changes a result
    #[arg(long)]
    pub no_guard: bool,
    /// Do not run a module again to ask more about a divergence, as in compare
    #[arg(long)]
    pub no_reruns: bool,
    /// What to do about events that differ in NaN bits only, as in compare
    #[arg(long, value_name = "WHAT", default_value_t = NanBits::default())]
    pub nan_bits: NanBits,
    /// Print the summary as JSON (docs/json.md)
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub run: RunArgs,
}

/// How long a run may take where nothing is said: one module that hangs must not end a sweep.
const PATIENCE: Duration = Duration::from_secs(10);

impl SweepArgs {
    /// How long a run may take.
    pub fn patience(&self) -> Duration {
        self.run.timeout.unwrap_or(PATIENCE)
    }
}

/// A part of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// From 1.
    pub index: u64,
    pub count: u64,
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Shard, String> {
        let numbers = text.split_once('/').and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
        match numbers {
            Some((index, count)) if (1..=count).contains(&index) => Ok(Shard { index, count }),
            _ => Err("write I/N with I from 1 to N, as in 2/4".to_string()),
        }
    }
}
