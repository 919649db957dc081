//! `forkpoint dump`: the events of a trace, one per line.

use crate::answer::Answer;
use crate::args::DumpArgs;
use crate::files;
use crate::output::{Lines, tell};
use crate::{progress, source_maps};
use anyhow::{Result, bail};
use forkpoint_replay::{Symbols, printable};
use forkpoint_traces::{FuncIndex, Position, TraceError, TraceReader};
use lines::{EventLines, Wanted};
use std::collections::HashSet;
use std::io::{self, IsTerminal};
use std::sync::atomic::Ordering;

mod lines;
mod stores;

/// Runs the command.
pub fn run(args: &DumpArgs) -> Result<Answer> {
    let mut trace = files::reader(&args.trace)?;
    let symbols = source_maps::symbols(&trace, &args.source_map)?;
    let functions = match &args.func {
        Some(name) => Some(find_functions(name, &trace, &symbols)?),
        None => None,
    };
    let from = args.from.unwrap_or_default();
    let end = Position(trace.events());
    if let Some(to) = args.to.filter(|to| from >= *to) {
        bail!("--from {from} is not before --to {to}: --to is one past the last event");
    }
    if args.from.is_some() && from >= end {
        bail!("--from {from} is past the end: this trace has {} events", trace.events());
    }
    if args.to.is_some_and(|to| to > end) {
        tell(&format!("note: this trace ends before --to: it has {} events", trace.events()));
    }
    let to = args.to.unwrap_or(end).min(end);
    let (kinds, addresses) = (args.kind.clone(), args.addr);
    let mut lines =
        EventLines::new(symbols, trace.sites().clone(), args.json, Wanted { functions, kinds, addresses });
    // On a terminal, the events themselves show progress.
    let shown = progress::show(io::stdout().is_terminal());
    let done = progress::events("dump", to.0.saturating_sub(from.0));
    let mut out = Lines::new();
    if from < to {
        let begins = trace.chunks().partition_point(|chunk| chunk.end() <= from);
        for chunk in begins..trace.chunks().len() {
            let first = trace.chunks()[chunk].first;
            if first >= to {
                break;
            }
            let mut next = first;
            let read = trace.read_chunk(chunk, |raw| {
                let position = next;
                if position >= to {
                    return Err(Stop::End);
                }
                next = next.next();
                if position >= from { lines.event(position, &raw, &mut out).map_err(Stop::Error) } else { Ok(()) }
            });
            match read {
                Err(Stop::Error(error)) => return Err(error),
                Ok(()) | Err(Stop::End) => {}
            }
            done.store(next.0 - from.0.min(next.0), Ordering::Relaxed);
        }
    }
    out.finish()?;
    drop(shown);
    for gap in trace.gaps().filter(|gap| gap.start < to && from < gap.end) {
        let last = Position(gap.end.0 - 1);
        tell(&format!("note: this trace leaves out the events from {} to {last}", gap.start));
    }
    if let Some(why) = trace.incomplete() {
        tell(&format!("note: this trace is incomplete: {}", printable(why)));
    }
    Ok(Answer::Yes)
}

/// Why no more events are read.
enum Stop {
    /// The last one asked for was.
    End,
    Error(anyhow::Error),
}

impl From<TraceError> for Stop {
    fn from(error: TraceError) -> Stop {
        Stop::Error(error.into())
    }
}

/// Functions with this index or name.
fn find_functions(name: &str, trace: &TraceReader, symbols: &Symbols) -> Result<HashSet<FuncIndex>> {
    let recorded: HashSet<FuncIndex> = trace.sites().iter().map(|(_, site)| site.func).collect();
    let bare = name.trim_start_matches('$');
    let found: HashSet<FuncIndex> = match bare.parse::<u32>() {
        Ok(index) => recorded.iter().copied().filter(|func| func.0 == index).collect(),
        Err(_) => recorded
            .iter()
            .copied()
            .filter(|func| symbols.function_name(*func).trim_start_matches('$') == bare)
            .collect(),
    };
    if found.is_empty() {
        bail!("no function `{}` with a memory-changing instruction in this trace", printable(name));
    }
    Ok(found)
}
