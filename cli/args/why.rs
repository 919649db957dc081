//! What `why` is asked.

use super::SourceMapArgs;
use super::parse::parse_position;
use clap::Args;
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
    /// Print JSON (docs/json.md)
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub source_map: SourceMapArgs,
}
