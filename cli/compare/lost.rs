//! Events that are lost with the stores of a trap's last moments: code that forgets stores before a trap forgets the
//! recorder's inline records among them. A call of the host cannot be forgotten, so both sides are recorded by hooks.

use super::reruns::{Asked, NAMES, Reruns};
use crate::open::recorded as open;
use anyhow::{Context, Result};
use forkpoint_replay::{Report, Timeline};
use forkpoint_tracer::Recorded;
use forkpoint_tracer::instrument::{Options, Style};
use forkpoint_traces::{Event, Milestone, Outcome, Position};
use std::fs;

impl Asked<'_> {
    /// Records both sides by hooks where one, recorded inline, trapped with fewer events than the other, which trapped
    /// alike in the end; takes these recordings where they show that events were lost.
    pub(super) fn lost_records(&self, report: &Report, reruns: &mut Reruns) -> Result<Option<[Recorded; 2]>> {
        let Some(position) = report.position.map(Position) else { return Ok(None) };
        let mut timelines = [open(&self.traces[0])?, open(&self.traces[1])?];
        let [lhs, rhs] = &mut timelines;
        let outcomes = [lhs.trace_mut().outcome()?, rhs.trace_mut().outcome()?];
        let [Some(outcome @ Outcome::Trapped { .. }), Some(other)] = outcomes else { return Ok(None) };
        if !outcome.may_be(&other) {
            return Ok(None);
        }
        let mut short = None;
        for (side, timeline) in timelines.iter_mut().enumerate() {
            if trapped_at(timeline, position)? == Some(0) && !timeline.trace().header().recorder.hooks {
                // Where both trapped here, they trapped otherwise: that is what differs.
                short = if short.is_some() { return Ok(None) } else { Some(side) };
            }
        }
        let Some(short) = short else { return Ok(None) };
        let hooks = Options { style: Style::Hooks, ..self.base.clone() };
        let recorded = [self.again(0, hooks.clone())?, self.again(1, hooks)?];
        let mut again = open(&self.file(short))?;
        let found = trapped_at(&mut again, position)?.filter(|found| *found > 0);
        let alike = recorded.iter().all(|run| run.outcome.may_be(&outcome));
        let Some(found) = found.filter(|_| alike) else { return Ok(None) };
        for side in 0..2 {
            fs::copy(self.file(side), &self.traces[side])
                .with_context(|| format!("replacing {}", self.traces[side].display()))?;
        }
        reruns.notes.push(format!(
            "the inline records of {found} events before its trap were lost in {}, as stores are that its code forgets; \
             both sides were recorded again by hooks",
            NAMES[short]
        ));
        Ok(Some(recorded))
    }
}

/// How many events of instructions there are from `position` on before the next trap; `None` where anything but these and
/// what memory was found to hold comes before it.
fn trapped_at(timeline: &mut Timeline, position: Position) -> Result<Option<u64>> {
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
