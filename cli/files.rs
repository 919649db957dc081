//! Traces and packs that the user names: opening them, and pointing out what killed recorders left beside them.

use crate::args::TraceArg;
use crate::output::tell;
use anyhow::{Context, Result, bail};
use forkpoint_compare::{left_by_killed_recorders, open_trace};
use forkpoint_replay::{Pack, Timeline, printable};
use forkpoint_traces::{MEMORY_VARIABLE, TraceReader};
use std::path::Path;

/// Opens a trace to be read, or a side of a pack.
pub fn reader(arg: &TraceArg) -> Result<TraceReader> {
    if !Pack::is_one(&arg.file) {
        if arg.side.is_some() {
            bail!("{} is a trace, not a pack of two: leave out --side", arg.file.display());
        }
        return allowed(open_trace(&arg.file)?);
    }
    let Pack { lhs, rhs, .. } = pack(&arg.file)?;
    allowed(arg.side.unwrap_or_default().of([lhs, rhs]))
}

/// Opens two traces to be replayed: two files, or a pack of both.
pub fn pair(lhs: &Path, rhs: Option<&Path>) -> Result<[Timeline; 2]> {
    match rhs {
        Some(rhs) => Ok([timeline(lhs)?, timeline(rhs)?]),
        None if Pack::is_one(lhs) => {
            let Pack { lhs, rhs, .. } = pack(lhs)?;
            Ok([Timeline::new(allowed(lhs)?), Timeline::new(allowed(rhs)?)])
        }
        None => bail!("{} is a single trace: name two, or a pack of both", lhs.display()),
    }
}

/// Opens a trace to be replayed.
pub fn timeline(path: &Path) -> Result<Timeline> {
    if Pack::is_one(path) {
        bail!("{} is a pack of two traces: name it alone", path.display());
    }
    Ok(Timeline::new(allowed(open_trace(path)?)?))
}

fn pack(path: &Path) -> Result<Pack> {
    Pack::open(path).with_context(|| format!("opening the pack {}", path.display()))
}

/// Lets a trace fill as much memory as the user allows.
fn allowed(mut trace: TraceReader) -> Result<TraceReader> {
    if let Some(bytes) = allowance()? {
        trace.allow_memory(bytes);
    }
    Ok(trace)
}

/// How much memory the user allows traces to fill, if that is said.
pub fn allowance() -> Result<Option<u64>> {
    let Some(size) = std::env::var_os(MEMORY_VARIABLE) else { return Ok(None) };
    let bytes = crate::args::parse_size(&size.to_string_lossy()).map_err(anyhow::Error::msg);
    bytes.map(Some).with_context(|| format!("the environment variable {MEMORY_VARIABLE}"))
}

/// Notes the incomplete traces that killed recorders of this file left.
pub fn note_unfinished(output: &Path) {
    for left in left_by_killed_recorders(output) {
        let left = printable(&left.display().to_string());
        tell(&format!("note: a recorder that was killed left an incomplete trace: {left}"));
    }
}
