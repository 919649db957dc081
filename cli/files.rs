//! Traces that the user names: opening them, and pointing out what killed recorders left beside them.

use crate::output::tell;
use anyhow::{Context, Result};
use forkpoint_compare::{left_by_killed_recorders, open_trace};
use forkpoint_replay::{Timeline, printable};
use forkpoint_traces::{MEMORY_VARIABLE, TraceReader};
use std::path::Path;

/// Opens a trace to be read.
pub fn reader(path: &Path) -> Result<TraceReader> {
    let mut trace = open_trace(path)?;
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

/// Notes the incomplete traces that killed recorders of this file left.
pub fn note_unfinished(output: &Path) {
    for left in left_by_killed_recorders(output) {
        let left = printable(&left.display().to_string());
        tell(&format!("note: a recorder that was killed left an incomplete trace: {left}"));
    }
}
