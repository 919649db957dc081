//! Recording many engines: the reference first, all others on its host calls.

use super::Row;
use crate::compare::Comparison;
use forkpoint_replay::printable;
use forkpoint_tracer::{EngineSpec, Recorded};
use forkpoint_traces::Outcome;
use std::path::{Path, PathBuf};

/// What one engine left: its recording, or nothing.
pub(super) struct Run {
    pub trace: PathBuf,
    pub recorded: Option<Recorded>,
}

/// The runs, and which of them the others are compared with: `None` when nothing could be recorded.
type Runs = (Vec<Run>, Option<usize>);

/// Records every engine, the reference before the others. `None` when the user ended it.
pub(super) fn record_all(comparison: &Comparison, folder: &Path, rows: &mut [Row]) -> Option<Runs> {
    let sides = &comparison.sides;
    let name = |index: usize| folder.join(file_name(index, &sides[index].engine));
    let mut runs: Vec<Run> = (0..sides.len()).map(|index| Run { trace: name(index), recorded: None }).collect();
    let mut order: Vec<usize> = (0..sides.len()).collect();
    // Stable: the engines that answer host calls come first, otherwise all stay as they were given. One that cannot be asked
    // says why in its row.
    let Comparison { session, ways, .. } = comparison;
    let answers = |engine: &EngineSpec| {
        let asked = || session.program.needs_host() && session.answers_itself(engine, ways.host).unwrap_or(false);
        engine.has_linked_host() || asked()
    };
    order.sort_by_key(|index| !answers(&sides[*index].engine));

    // The log of a run that broke off answers too little, so the first that comes to an end is the reference.
    let mut ended = None;
    let mut tried = 0;
    while ended.is_none() && tried < order.len() {
        let index = order[tried];
        tried += 1;
        if !record(comparison, index, tried == 1, &mut runs[index], &mut rows[index]) {
            return None;
        }
        let outcome = runs[index].recorded.as_ref().map(|recorded| &recorded.outcome);
        if matches!(outcome, Some(Outcome::Finished | Outcome::Exited { .. } | Outcome::Trapped { .. })) {
            ended = Some(index);
        }
    }
    let recorded = |index: &usize| runs[*index].recorded.is_some();
    let Some(reference) = ended.or_else(|| order.iter().copied().find(recorded)) else {
        return Some((runs, None));
    };
    let pins = comparison.ways.host.pins() && comparison.session.program.needs_host();
    if pins {
        // Where the trace is replaced by one that knows more, that one has the same host log.
        comparison.pinned.replace(Some(runs[reference].trace.clone()));
    }
    for (number, index) in order.into_iter().enumerate() {
        // What was tried before had other answers from its host: once more, with the reference's.
        let again = pins && runs[index].recorded.is_some();
        if index != reference
            && (number >= tried || again)
            && !record(comparison, index, false, &mut runs[index], &mut rows[index])
        {
            return None;
        }
    }
    for (index, run) in runs.iter().enumerate() {
        let Some(recorded) = &run.recorded else { continue };
        if let Err(error) = comparison.narrow(&sides[index], &run.trace, recorded) {
            let error = words(&error, false);
            rows[index].notes.push(format!("a second run to find the store behind a difference failed: {error}"));
        }
    }
    Some((runs, Some(reference)))
}

/// Records one engine; what goes wrong is in its row. False when the user ended it.
fn record(comparison: &Comparison, index: usize, first: bool, run: &mut Run, row: &mut Row) -> bool {
    // The guest's output is shown once.
    let echo = comparison.ways.echo && first;
    match comparison.record_side(&comparison.sides[index], &run.trace, echo) {
        Ok(None) => return false,
        Ok(recorded) => run.recorded = recorded,
        Err(error) => {
            run.recorded = None;
            row.error = Some(words(&error, comparison.ways.keep));
        }
    }
    true
}

/// An error in one line. Where a trace is not `kept`, nobody needs to know where it was.
pub(super) fn words(error: &anyhow::Error, kept: bool) -> String {
    let causes = error.chain().map(ToString::to_string);
    let told = causes.filter(|cause| kept || !cause.starts_with("what was recorded until then"));
    let mut words: Vec<String> = Vec::new();
    for cause in told {
        if !words.last().is_some_and(|last| last.ends_with(&cause)) {
            words.push(cause);
        }
    }
    printable(&words.join(": ")).to_string()
}

/// A file name that is this engine's alone, since the same engine may be named twice.
fn file_name(index: usize, engine: &EngineSpec) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || "-.+=".contains(c) { c } else { '_' };
    let engine: String = engine.to_string().chars().map(safe).take(60).collect();
    format!("{:02}-{engine}.fpt", index + 1)
}
