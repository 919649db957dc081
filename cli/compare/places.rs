//! Where a run trapped, crashed, hung or was ended, when its engine does not say: asked in a rerun whose code leaves the
//! number of a mark before each instruction that can trap.

use super::reruns::{Asked, NAMES, Reruns};
use crate::open::recorded as open;
use anyhow::{Context, Result};
use forkpoint_replay::{Report, SiteReport, Symbols, Timeline, Verdict};
use forkpoint_tracer::instrument::{Ask, Options};
use forkpoint_traces::{Event, Milestone, Outcome, Place, Position, TrapKind};
use serde::Serialize;
use std::fmt;
use std::fs;
use std::sync::Arc;

/// The place at which a run ended, as a rerun found it.
#[derive(Debug, Serialize)]
pub struct FoundPlace {
    /// `lhs` or `rhs`.
    pub side: &'static str,
    /// Whether the run trapped there; otherwise it is the last place that it is known to have come to.
    pub trapped: bool,
    /// The function's index.
    pub function: u32,
    /// Its name.
    pub name: String,
    /// The instruction; `None` where the function had begun, and come to no instruction that can trap.
    pub site: Option<SiteReport>,
}

/// What is missing about the end of a side at a position.
enum Missing {
    /// Where it trapped.
    Trap,
    /// Where it was when it crashed or was ended.
    End,
}

fn missing(timeline: &mut Timeline, position: Position) -> Result<Option<Missing>> {
    if position.0 >= timeline.len() {
        return Ok(None);
    }
    Ok(match timeline.event(position)? {
        // Where a function begins there is no instruction.
        Event::Milestone(Milestone::Trapped { trap: TrapKind::StackOverflow, func: Some(_), .. }) => None,
        Event::Milestone(Milestone::Trapped { offset: None, .. }) => Some(Missing::Trap),
        Event::Milestone(Milestone::End { outcome, .. }) => {
            let ended = matches!(outcome, Outcome::Crashed { .. } | Outcome::TimedOut | Outcome::OutOfMemory);
            (ended && timeline.trace().words().place.is_none()).then_some(Missing::End)
        }
        _ => None,
    })
}

/// How many events of instructions lie before a position.
fn instructions_before(timeline: &mut Timeline, position: Position) -> Result<u64> {
    let mut count = 0;
    for at in 0..position.0 {
        count += u64::from(timeline.event(Position(at))?.site().is_some());
    }
    Ok(count)
}

impl Asked<'_> {
    /// Finds the places that the sides' ends at the divergence lack. Whether a trace was replaced by one that has it.
    pub(super) fn places(&self, report: &Report, reruns: &mut Reruns) -> Result<bool> {
        let asks = [Verdict::Trap, Verdict::Crash, Verdict::Poisoned, Verdict::Timeout];
        // Without a verdict both may have been ended from outside.
        if report.verdict.is_some_and(|verdict| !asks.contains(&verdict)) {
            return Ok(false);
        }
        // In a sweep another time limit is too much for this.
        if self.comparison.ways.quiet && matches!(report.verdict, None | Some(Verdict::Timeout)) {
            return Ok(false);
        }
        let mut replaced = false;
        for (side, name) in NAMES.into_iter().enumerate() {
            let mut timeline = open(&self.traces[side])?;
            let position = Position(report.position.unwrap_or(timeline.len().saturating_sub(1)));
            let Some(missing) = missing(&mut timeline, position)? else { continue };
            let events = instructions_before(&mut timeline, position)?;
            drop(timeline);
            let options = Options { ask: Ask::Places { events }, ..self.base.clone() };
            if let Err(why) = self.ask(side, options, position.0)? {
                reruns.notes.push(format!("the place where {} ended is not known: {why}", name));
                continue;
            }
            let mut again = open(&self.file(side))?;
            let found = match missing {
                Missing::Trap => trap_at(&mut again, position)?,
                // The last thing there is, wherever it stands: events before may be lost with a process that is ended.
                Missing::End => again.trace().words().place,
            };
            let Some(place) = found else {
                reruns.notes.push(format!("a rerun does not tell where {} ended, either", name));
                continue;
            };
            let symbols = Symbols::new(Arc::clone(again.trace().module()));
            reruns.places.push(FoundPlace {
                side: name,
                trapped: matches!(missing, Missing::Trap),
                function: place.func.0,
                name: symbols.function_name(place.func),
                site: place.offset.map(|offset| SiteReport::at(place.func, offset, &symbols)),
            });
            fs::copy(self.file(side), &self.traces[side])
                .with_context(|| format!("replacing {}", self.traces[side].display()))?;
            replaced = true;
        }
        Ok(replaced)
    }
}

/// Where a run trapped at a position.
fn trap_at(timeline: &mut Timeline, position: Position) -> Result<Option<Place>> {
    if position.0 >= timeline.len() {
        return Ok(None);
    }
    Ok(match timeline.event(position)? {
        Event::Milestone(Milestone::Trapped { func, offset, .. }) => func.map(|func| Place { func, offset }),
        _ => None,
    })
}

impl fmt::Display for FoundPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FoundPlace { side, trapped, name, .. } = self;
        let how = if *trapped { "trapped" } else { "had last come to" };
        match &self.site {
            Some(site) if *trapped => write!(f, "By a rerun with markers, {side} {how} at {site}."),
            Some(site) => write!(f, "By a rerun with markers, {side} {how} {site}."),
            None if *trapped => write!(f, "By a rerun with markers, {side} {how} in {name}."),
            None => write!(f, "By a rerun with markers, {side} {how} {name}."),
        }
    }
}
