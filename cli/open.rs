//! Opening traces that the user names.

use crate::files::Reading;
use anyhow::{Context, Result};
use forkpoint_replay::Timeline;
use forkpoint_traces::{MEMORY_VARIABLE, TraceReader};
use std::path::Path;

/// Opens a trace to be read.
pub fn reader(path: &Path) -> Result<TraceReader> {
    let mut trace = TraceReader::open(path).reading(path)?;
    if let Some(size) = std::env::var_os(MEMORY_VARIABLE) {
        let size = size.to_string_lossy();
        let bytes = crate::args::parse_size(&size).map_err(anyhow::Error::msg);
        trace.allow_memory(bytes.with_context(|| format!("the environment variable {MEMORY_VARIABLE}"))?);
    }
    Ok(trace)
}

/// Opens a trace to be replayed.
pub fn timeline(path: &Path) -> Result<Timeline> {
    Ok(Timeline::new(reader(path)?))
}

/// Opens a trace that this command has recorded: its events may fill as much memory as the guest has.
pub fn recorded(path: &Path) -> Result<Timeline> {
    let mut trace = reader(path)?;
    trace.allow_memory(u64::MAX);
    Ok(Timeline::new(trace))
}
