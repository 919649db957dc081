//! Where a run trapped, crashed, hung or was ended, if its engine does not say: found by a rerun that sets a mark
//! before each instruction that can trap.

use super::asked::Asked;
use crate::error::CompareError;
use crate::files::{open_recorded, replace};
use crate::settings::Reask;
use forkpoint_replay::{Report, Side, SiteReport, Timeline, Verdict};
use forkpoint_tracer::instrument::{Ask, Options};
use forkpoint_traces::{Event, FuncIndex, Milestone, Outcome, Place, Position, TrapKind};
use serde::Serialize;

/// The place at which a run ended, as a rerun found it.
#[derive(Debug, Serialize)]
pub struct FoundPlace {
    /// The side whose run it is.
    pub side: Side,
    /// Whether the run trapped there; otherwise it is the last place that the run is known to have reached.
    pub trapped: bool,
    /// The function's index.
    pub function: FuncIndex,
    /// Its name.
    pub name: String,
    /// The instruction; `None` if the function had begun and reached no instruction that can trap.
    pub site: Option<SiteReport>,
}

/// What is not known about the end of a side at a position.
enum Missing {
    /// Where it trapped.
    Trap,
    /// Where it was when it crashed or was ended.
    End,
}

fn missing(timeline: &mut Timeline, position: Position) -> Result<Option<Missing>, CompareError> {
    if position.0 >= timeline.len() {
        return Ok(None);
    }
    Ok(match timeline.event(position)? {
        // The mark at a function's start belongs to no instruction.
        Event::Milestone(Milestone::Trapped { trap: TrapKind::StackOverflow, func: Some(_), .. }) => None,
        Event::Milestone(Milestone::Trapped { offset: None, .. }) => Some(Missing::Trap),
        Event::Milestone(Milestone::End { outcome, .. }) => {
            let ended = matches!(outcome, Outcome::Crashed { .. } | Outcome::TimedOut | Outcome::OutOfMemory);
            (ended && timeline.trace().words().place.is_none()).then_some(Missing::End)
        }
        _ => None,
    })
}

/// How many events of instructions precede a position.
fn instructions_before(timeline: &mut Timeline, position: Position) -> Result<u64, CompareError> {
    let mut count = 0;
    for at in 0..position.0 {
        count += u64::from(timeline.event(Position(at))?.site().is_some());
    }
    Ok(count)
}

impl Asked<'_> {
    /// Finds the places that are missing for the ends of sides at the divergence. Replaces each such trace with one
    /// that has its place.
    pub(super) fn places(
        &self,
        report: &Report,
        places: &mut Vec<FoundPlace>,
        notes: &mut Vec<String>,
    ) -> Result<(), CompareError> {
        let asks = [Verdict::Trap, Verdict::Crash, Verdict::Poisoned, Verdict::Timeout];
        // Without a verdict, both may have been ended from outside.
        if report.verdict.is_some_and(|verdict| !asks.contains(&verdict)) {
            return Ok(());
        }
        // A place is not worth another time limit there.
        if self.runs.settings.reruns == Reask::Quickly && matches!(report.verdict, None | Some(Verdict::Timeout)) {
            return Ok(());
        }
        for side in Side::BOTH {
            let name = side.word();
            let mut timeline = open_recorded(self.trace(side))?;
            let position = report.position.unwrap_or(Position(timeline.len().saturating_sub(1)));
            let Some(missing) = missing(&mut timeline, position)? else { continue };
            let events = instructions_before(&mut timeline, position)?;
            drop(timeline);
            let options = Options { ask: Ask::Places { events }, ..self.options.clone() };
            if let Err(why) = self.ask(side, options, position)? {
                notes.push(format!("the place where {name} ended is not known: {why}"));
                continue;
            }
            let mut again = open_recorded(&self.file(side))?;
            let found = match missing {
                Missing::Trap => trap_at(&mut again, position)?,
                // The last mark, wherever it is: events before it may be lost when a process is killed.
                Missing::End => again.trace().words().place,
            };
            let Some(place) = found else {
                notes.push(format!("a rerun does not show where {name} ended, either"));
                continue;
            };
            let symbols = self.runs.symbols();
            places.push(FoundPlace {
                side,
                trapped: matches!(missing, Missing::Trap),
                function: place.func,
                name: symbols.function_name(place.func),
                site: place.offset.map(|offset| SiteReport::at(place.func, offset, symbols)),
            });
            replace(self.trace(side), &self.file(side))?;
        }
        Ok(())
    }
}

/// Where a run trapped at a position.
fn trap_at(timeline: &mut Timeline, position: Position) -> Result<Option<Place>, CompareError> {
    if position.0 >= timeline.len() {
        return Ok(None);
    }
    Ok(match timeline.event(position)? {
        Event::Milestone(Milestone::Trapped { func, offset, .. }) => func.map(|func| Place { func, offset }),
        _ => None,
    })
}
