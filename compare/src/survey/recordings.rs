//! Recording many engines: the reference first, then the others with its answers to host calls.

use super::rows::EngineRun;
use crate::error::{CompareError, in_one_line, without_partial};
use crate::runs::Runs;
use forkpoint_replay::printable;
use forkpoint_tracer::{Keep, Request};
use forkpoint_traces::Outcome;

impl EngineRun {
    /// Records it. A failure is noted in its row.
    fn record(&mut self, runs: &Runs, shown: bool) -> Result<(), CompareError> {
        let recorded = if shown { runs.record_shown(&self.side) } else { runs.record(&self.side) };
        match recorded {
            Err(error) if error.is_interrupt() => return Err(error),
            Err(error) => {
                self.recorded = None;
                let words = if self.kept { in_one_line(&error) } else { without_partial(&error) };
                self.row.error = Some(printable(&words));
            }
            Ok(recorded) => self.recorded = Some(recorded),
        }
        Ok(())
    }
}

/// Records every engine, the reference first. Returns which one that is; `None` if nothing could be recorded.
pub(super) fn record_all(runs: &mut Runs, engines: &mut [EngineRun]) -> Result<Option<usize>, CompareError> {
    let mut order: Vec<usize> = (0..engines.len()).collect();
    // A stable sort: the engines that answer host calls come first. The row of an engine that cannot be asked says
    // why.
    let answers = |side: &Request| {
        let asked = || runs.program.needs_host() && runs.settings.answers_itself(runs.program, side).unwrap_or(false);
        side.engine.has_linked_host() || asked()
    };
    order.sort_by_cached_key(|index| {
        let side = &engines[*index].side;
        (side.engine.needs_reference(), !answers(side))
    });

    // The log of a run that was cut short answers too little, so the reference is the first engine that finishes.
    let mut ended = None;
    let mut tried = 0;
    while ended.is_none() && tried < order.len() {
        let index = order[tried];
        // The guest's output is shown once.
        engines[index].record(runs, tried == 0)?;
        tried += 1;
        let outcome = engines[index].recorded.as_ref().map(|recorded| &recorded.outcome);
        if matches!(outcome, Some(Outcome::Finished | Outcome::Exited { .. } | Outcome::Trapped { .. })) {
            ended = Some(index);
        } else if outcome.is_some() && engines[index].side.keep == Keep::Digests {
            // Digests of a run that was cut short say nothing, and the next engine may take as long.
            return Ok(None);
        }
    }
    let recorded = |index: &usize| engines[*index].recorded.is_some();
    let Some(reference) = ended.or_else(|| order.iter().copied().find(recorded)) else { return Ok(None) };
    // A better trace that replaces this one has the same host log.
    runs.pin(&engines[reference].side.output);
    runs.refer(&engines[reference].side.output);
    let pins = runs.settings.host.pins() && runs.program.needs_host();
    for (number, index) in order.into_iter().enumerate() {
        // Earlier attempts had answers from another host: repeat them with the reference's.
        let again = pins && engines[index].recorded.is_some();
        if index != reference && (number >= tried || again) {
            engines[index].record(runs, false)?;
        }
    }
    for EngineRun { side, recorded, row, .. } in engines {
        let Some(recorded) = recorded else { continue };
        if let Err(error) = runs.narrow(side, recorded) {
            let error = printable(&without_partial(&error));
            row.notes.push(format!("a second run to find the store that causes a difference failed: {error}"));
        }
    }
    Ok(Some(reference))
}
