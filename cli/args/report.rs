//! What a report shows.

use clap::Args;
use forkpoint_replay::NanBits;

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
