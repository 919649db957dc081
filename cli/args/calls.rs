//! What `calls` is asked.

use super::SourceMapArgs;
use super::parse::{TimeLimit, parse_limit, parse_position};
use crate::project::engine;
use clap::Args;
use forkpoint_tracer::EngineSpec;
use forkpoint_traces::Position;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub struct CallsArgs {
    /// The trace, the left one of two, or a pack of both
    pub lhs: PathBuf,
    /// The right one
    pub rhs: Option<PathBuf>,
    /// An event of the left trace [default: the first divergence; of a single trace, where it trapped or its module's last event]
    #[arg(long, value_name = "POSITION", value_parser = parse_position)]
    pub at: Option<Position>,
    /// The engine that runs the recording again, the left one of two [default: the one that it names]
    #[arg(short, long, visible_alias = "lhs-engine", value_parser = engine)]
    pub engine: Option<EngineSpec>,
    /// The engine that runs the right recording again [default: the one that it names]
    #[arg(long, value_parser = engine)]
    pub rhs_engine: Option<EngineSpec>,
    /// Time limit of each run: 500ms, 10s, 2m, or none
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = parse_limit)]
    pub timeout: TimeLimit,
    /// Print JSON (docs/json.md)
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub source_map: SourceMapArgs,
}
