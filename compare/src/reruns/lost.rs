//! Events that are lost with the last stores before a trap: code that loses stores before a trap also loses the
//! recorder's inline records. A host call cannot be lost, so both sides are recorded by hooks.

use super::asked::Asked;
use crate::error::CompareError;
use crate::files::{open_recorded, replace};
use forkpoint_replay::{Report, Side, Timeline};
use forkpoint_tracer::Recorded;
use forkpoint_tracer::instrument::{Options, Style};
use forkpoint_traces::{Event, Milestone, Outcome, Position};

impl Asked<'_> {
    /// If one side, recorded inline, trapped with fewer events than the other, which reached the same trap in the
    /// end, records both sides by hooks. Keeps these recordings if they show that events were lost.
    pub(super) fn lost_records(
        &self,
        report: &Report,
        notes: &mut Vec<String>,
    ) -> Result<Option<[Recorded; 2]>, CompareError> {
        let Some(position) = report.position else { return Ok(None) };
        let mut timelines = [open_recorded(self.trace(Side::Lhs))?, open_recorded(self.trace(Side::Rhs))?];
        let [lhs, rhs] = &mut timelines;
        let outcomes = [lhs.trace_mut().outcome()?, rhs.trace_mut().outcome()?];
        let [Some(outcome @ Outcome::Trapped { .. }), Some(other)] = outcomes else { return Ok(None) };
        if !outcome.may_be(&other) {
            return Ok(None);
        }
        let mut short = None;
        for (side, timeline) in Side::BOTH.into_iter().zip(&mut timelines) {
            if trapped_at(timeline, position)? == Some(0) && !timeline.trace().header().recorder.hooks {
                // If both trapped here, the traps differ, and that is the divergence.
                short = if short.is_some() { return Ok(None) } else { Some(side) };
            }
        }
        let Some(short) = short else { return Ok(None) };
        let hooks = Options { style: Style::Hooks, ..self.options.clone() };
        let recorded = [self.again(Side::Lhs, hooks.clone())?, self.again(Side::Rhs, hooks)?];
        let mut again = open_recorded(&self.file(short))?;
        let found = trapped_at(&mut again, position)?.filter(|found| *found > 0);
        let as_before = recorded.iter().all(|run| run.outcome.may_be(&outcome));
        let Some(found) = found.filter(|_| as_before) else { return Ok(None) };
        for side in Side::BOTH {
            replace(self.trace(side), &self.file(side))?;
        }
        notes.push(format!(
            "the inline records of {found} events before its trap were lost in {}, as other stores are that its code loses; both sides were recorded again by hooks",
            short.word()
        ));
        Ok(Some(recorded))
    }
}

/// How many events of instructions follow `position` before the next trap; `None` if anything comes before it except
/// these and observed differences.
fn trapped_at(timeline: &mut Timeline, position: Position) -> Result<Option<u64>, CompareError> {
    let mut found = 0;
    for at in position.0..timeline.len() {
        match timeline.event(Position(at))? {
            Event::Milestone(Milestone::Trapped { .. }) => return Ok(Some(found)),
            Event::Observed { .. } => {}
            event if event.site().is_some() => found += 1,
            _ => return Ok(None),
        }
    }
    Ok(None)
}
