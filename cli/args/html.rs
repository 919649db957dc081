//! The command line of `report`.

use super::SourceMapArgs;
use clap::Args;
use forkpoint_replay::NanBits;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub struct HtmlArgs {
    /// The left trace, the reference; or a pack of both
    pub lhs: PathBuf,
    /// The right trace
    pub rhs: Option<PathBuf>,
    /// The page to write; - for standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Rows of events before the divergence, and after it
    #[arg(long, value_name = "N", default_value_t = 40)]
    pub rows: u64,
    /// What to do about events that differ in the sign or payload of NaNs only, as in `diff`
    #[arg(long, value_name = "WHAT", default_value_t = NanBits::default())]
    pub nan_bits: NanBits,
    #[command(flatten)]
    pub source_map: SourceMapArgs,
}
