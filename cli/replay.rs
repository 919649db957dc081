//! `forkpoint replay`: run a recording again from its file alone, and check it event by event.

use crate::answer::Answer;
use crate::args::ReplayArgs;
use crate::diff::compare_traces;
use crate::files::{reader, timeline};
use crate::output::{quoted, tell};
use crate::progress;
use crate::rerun::Rerun;
use crate::source_maps;
use anyhow::{Context, Result};
use forkpoint_compare::refuse_same;
use forkpoint_replay::{Pack, Timeline};
use forkpoint_tracer::Request;
use forkpoint_traces::Outcome;
use std::fs;

/// Runs the command.
pub fn run(args: &ReplayArgs) -> Result<Answer> {
    let file = &args.trace.file;
    let mut trace = reader(&args.trace)?;
    let rerun = Rerun::new(&mut trace, file, args.engine.as_ref())?;
    if let Some(output) = &args.output {
        refuse_same(output, [file])?;
    }
    // A device or a FIFO cannot be read back for the comparison.
    let direct = args
        .output
        .as_ref()
        .filter(|output| fs::metadata(output).is_ok_and(|file| !file.is_file() && !file.is_dir()));
    let output = args.output.clone().filter(|_| direct.is_none()).unwrap_or(rerun.request.output.clone());
    let base = rerun.request.clone();
    let request = Request { output: output.clone(), echo: args.echo, timeout: args.timeout.0, ..base };
    let shown = progress::show(false);
    let recorded = rerun.record(file, request)?;
    if recorded.outcome == Outcome::Interrupted {
        tell("interrupted");
        return Ok(Answer::None);
    }
    if recorded.outcome == Outcome::TimedOut && args.timeout.is_default() {
        tell("note: a replay ends after 5 minutes unless --timeout gives another time, or none");
    }
    if let Some(direct) = direct {
        fs::OpenOptions::new()
            .write(true)
            .open(direct)
            .and_then(|mut to| std::io::copy(&mut fs::File::open(&output)?, &mut to))
            .with_context(|| format!("writing {}", direct.display()))?;
    }
    drop(shown);
    let hint = match &args.output {
        Some(output) => {
            let [file, new] = [&args.trace.file, output].map(|path| quoted(path.as_os_str()));
            match Pack::is_one(&args.trace.file) {
                true => format!("\nlook at it: forkpoint view {new}\n"),
                false => format!("\nlook at it: forkpoint view {file} {new}\n"),
            }
        }
        None => "\nlook at it: add -o FILE to keep the new run, then forkpoint view both\n".to_string(),
    };
    let sides = source_maps::with([Timeline::new(trace), timeline(&output)?], &args.source_map)?;
    compare_traces(sides, &args.report, &hint)
}
