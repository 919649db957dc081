//! The command line of `pack`.

use super::parse::{TimeLimit, parse_limit, parse_size};
use crate::project::engine;
use clap::Args;
use forkpoint_tracer::EngineSpec;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub struct PackArgs {
    /// The left trace, the reference
    pub lhs: PathBuf,
    /// The right trace
    pub rhs: PathBuf,
    /// The pack to write: a zip archive, as in bug.zip
    #[arg(short, long, value_name = "FILE", required_unless_present = "list")]
    pub output: Option<PathBuf>,
    /// Keep the traces as they are, and not a window around where the runs part
    #[arg(long)]
    pub whole: bool,
    /// Most bytes that the pack may have: 25M, 1G
    #[arg(long, value_name = "SIZE", default_value = "25M", value_parser = parse_size, conflicts_with = "whole")]
    pub limit: u64,
    /// Replace what the divergence does not need of what the guest was given: arguments, environment, contents of files, names, random
    /// numbers; and the module's custom sections
    ///
    /// Both engines run again, and the host gives them other bytes. The pack holds these runs, if they diverge in the same way as
    /// the recorded ones; what they need as it is stays, and is listed.
    #[arg(long, conflicts_with_all = ["whole", "list"])]
    pub redact: bool,
    /// The engine to run the left side again [default: the one that the trace names, if it is linked in]
    #[arg(long, value_name = "ENGINE", value_parser = engine, requires = "redact")]
    pub lhs_engine: Option<EngineSpec>,
    /// The engine to run the right side again
    #[arg(long, value_name = "ENGINE", value_parser = engine, requires = "redact")]
    pub rhs_engine: Option<EngineSpec>,
    /// Time limit of each run of --redact: 500ms, 10s, 2m, or none
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = parse_limit)]
    pub timeout: TimeLimit,
    /// Print what the pack would hold of yours, and write nothing
    #[arg(long, conflicts_with = "output")]
    pub list: bool,
    #[command(flatten)]
    pub report: super::ReportArgs,
}
