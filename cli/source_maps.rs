//! Source maps that the user names, or that are in a folder of --source.

use crate::args::SourceMapArgs;
use crate::output::tell;
use anyhow::{Context, Result, bail};
use forkpoint_compare::in_one_line;
use forkpoint_replay::{SourceFiles, SourceMap, Symbols, Timeline, printable};
use forkpoint_traces::TraceReader;
use std::sync::Arc;

/// The map that the user names.
pub fn named(args: &SourceMapArgs) -> Result<Option<Arc<SourceMap>>> {
    let Some(file) = &args.source_map else { return Ok(None) };
    let map = SourceMap::read(file).with_context(|| format!("--source-map {}", file.display()))?;
    Ok(Some(Arc::new(map)))
}

/// Traces with the map that the user names.
pub fn with<const N: usize>(timelines: [Timeline; N], args: &SourceMapArgs) -> Result<[Timeline; N]> {
    let map = named(args)?;
    if map.is_some() {
        refuse_several(&timelines.each_ref().map(Timeline::trace))?;
    }
    Ok(timelines.map(|timeline| timeline.with_source_map(map.as_ref())))
}

/// The symbols of a trace, with the map that the user names.
pub fn symbols(trace: &TraceReader, args: &SourceMapArgs) -> Result<Symbols> {
    let symbols = Symbols::of(trace);
    let Some(map) = named(args)? else { return Ok(symbols) };
    refuse_several(&[trace])?;
    Ok(symbols.with_source_map(&map))
}

/// A map belongs to one module.
pub fn refuse_several(traces: &[&TraceReader]) -> Result<()> {
    let other = |pair: &[&TraceReader]| pair[0].header().module.hash != pair[1].header().module.hash;
    if traces.iter().any(|trace| trace.header().program.is_some()) || traces.windows(2).any(other) {
        bail!("--source-map names the map of one module, and these are several: leave it out");
    }
    Ok(())
}

/// The trace with the map that its module names, if an allowed folder has it.
pub fn in_folders(timeline: Timeline, files: &SourceFiles) -> Timeline {
    let symbols = timeline.symbols();
    let url = symbols.source_map_url().filter(|_| !symbols.has_debug_info());
    let Some(file) = url.and_then(|url| files.locate(url).ok()) else { return timeline };
    match SourceMap::read(&file) {
        Ok(map) => timeline.with_source_map(Some(&Arc::new(map))),
        Err(error) => {
            let (file, why) = (printable(&file.display().to_string()), printable(&in_one_line(&error)));
            tell(&format!("note: {file}: {why}"));
            timeline
        }
    }
}
