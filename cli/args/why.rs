//! What `why` is asked.

use super::SourceMapArgs;
use super::parse::{TimeLimit, parse_limit, parse_position};
use crate::project::engine;
use clap::Args;
use forkpoint_tracer::EngineSpec;
use forkpoint_traces::Position;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub struct WhyArgs {
    /// The left trace, or a pack of both
    pub lhs: PathBuf,
    /// The right trace
    pub rhs: Option<PathBuf>,
    /// The bytes that differ: an address, a range of them, or a variable: 0x400, 0x400..0x410, counter
    #[arg(long, value_name = "ADDR[..ADDR]|VARIABLE")]
    pub of: String,
    /// Before which event of the left trace they differ [default: at the end]
    #[arg(long, value_name = "POSITION", value_parser = parse_position)]
    pub at: Option<Position>,
    /// The index of the memory
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub memory: u32,
    /// Run both recordings again and follow what was loaded, in place of what may have been
    #[arg(long)]
    pub loads: bool,
    /// The engine that runs the left recording again [default: the one that it names]
    #[arg(short, long, visible_alias = "lhs-engine", value_parser = engine, requires = "loads")]
    pub engine: Option<EngineSpec>,
    /// The engine that runs the right recording again [default: the one that it names]
    #[arg(long, value_parser = engine, requires = "loads")]
    pub rhs_engine: Option<EngineSpec>,
    /// Time limit of each run: 500ms, 10s, 2m, or none
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = parse_limit, requires = "loads")]
    pub timeout: TimeLimit,
    /// Print JSON (docs/json.md)
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub source_map: SourceMapArgs,
}
