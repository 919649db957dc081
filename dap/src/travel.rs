//! Going through the rows: steps, and runs to the next stop, both ways.

use crate::breakpoints::Breakpoints;
use crate::frames;
use crate::place::{Place, thread_of};
use forkpoint_replay::{ReplayError, Side};
use forkpoint_traces::{Event, Milestone, Position, RawEvent, SiteId};
use serde_json::{Value, json};
use std::sync::Arc;

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Forward,
    Back,
}

/// How far a step goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// One row.
    Row,
    /// To a row of another source line or function; without source lines, one row.
    Line,
    /// To a row of another function. Traces have no calls and returns.
    Out,
}

/// Why the rows are at rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stop {
    pub(crate) side: Side,
    reason: &'static str,
    words: String,
}

impl Stop {
    pub(crate) fn new(side: Side, reason: &'static str, words: impl Into<String>) -> Stop {
        Stop { side, reason, words: words.into() }
    }

    /// The event that tells the editor.
    pub(crate) fn body(&self) -> Value {
        json!({
            "reason": self.reason,
            "description": self.words,
            "text": self.words,
            "threadId": thread_of(self.side),
            "allThreadsStopped": true,
        })
    }
}

/// The row after or before one; `None` at the end or the beginning.
fn neighbour(place: &Place, row: u64, way: Way) -> Option<u64> {
    match way {
        Way::Forward => (row < place.last_row()).then(|| row + 1),
        Way::Back => row.checked_sub(1),
    }
}

fn at_the_edge(side: Side, way: Way) -> Stop {
    let words = match way {
        Way::Forward => "the end of the recording",
        Way::Back => "the beginning of the recording",
    };
    Stop::new(side, "entry", words)
}

/// Takes a step.
pub(crate) fn step(place: &mut Place, side: Side, step: Step, way: Way) -> Result<Stop, ReplayError> {
    let begun = where_it_is(place, side, step)?;
    let mut row = place.row();
    loop {
        let Some(next) = neighbour(place, row, way) else {
            place.go(row)?;
            return Ok(if row == place.row() { at_the_edge(side, way) } else { Stop::new(side, "step", "") });
        };
        row = next;
        place.go(row)?;
        if step == Step::Row || place.event(side)?.is_some() && where_it_is(place, side, step)? != begun {
            return Ok(Stop::new(side, "step", ""));
        }
        if begun.is_none() {
            return Ok(Stop::new(side, "step", ""));
        }
    }
}

/// What a step leaves: a function, and perhaps a line in it.
type Left = Option<(u32, Option<(String, u32)>)>;

fn where_it_is(place: &mut Place, side: Side, step: Step) -> Result<Left, ReplayError> {
    let Some((func, offset)) = frames::instruction(place, side)? else { return Ok(None) };
    let line = match step {
        Step::Line => {
            let frames = place.timeline(side).symbols().source(offset);
            let first = frames.into_iter().find_map(|frame| Some((frame.file?, frame.line?)));
            // Without lines, each event is one.
            Some(first.unwrap_or_else(|| (String::new(), offset.0.wrapping_add(place.row() as u32))))
        }
        Step::Row | Step::Out => None,
    };
    Ok(Some((func.0, line)))
}

/// Goes on to the next stop. It stays where it is if that is cancelled.
pub(crate) fn run(place: &mut Place, side: Side, breakpoints: &Breakpoints, way: Way) -> Result<Stop, ReplayError> {
    let mut nearest: Option<(u64, Stop)> = None;
    let mut found = |row: Option<u64>, stop: &dyn Fn() -> Stop| {
        let Some(row) = row else { return };
        let nearer =
            nearest.as_ref().is_none_or(|(best, _)| if way == Way::Forward { row < *best } else { row > *best });
        if nearer {
            nearest = Some((row, stop()));
        }
    };
    let here = place.row();
    if breakpoints.divergences {
        let row = match place.both() {
            None => None,
            Some((lhs, rhs, alignment)) => match way {
                Way::Forward => alignment.next_mismatch(lhs, rhs, here + 1)?,
                Way::Back => alignment.previous_mismatch(lhs, rhs, here)?,
            },
        };
        found(row, &|| Stop::new(side, "exception", "the runs differ"));
    }
    for of in place.sides() {
        for watch in &breakpoints.watches {
            let (memory, bytes) = (watch.memory, watch.bytes.clone());
            let (from, before) = (place.before(of, here + 1), place.before(of, here));
            let timeline = place.timeline(of);
            let at = match way {
                Way::Forward => held(timeline.next_writer(memory, bytes, from))?,
                Way::Back => held(timeline.last_writer(memory, bytes, before))?,
            };
            let words = format!("{of} writes watched bytes at {:#x}", watch.bytes.start);
            found(at.map(|at| place.row_of(of, at)), &|| Stop::new(of, "data breakpoint", words.clone()));
        }
        let table = Arc::clone(place.timeline(of).trace().sites());
        let sites = breakpoints.sites(&table);
        let traps = breakpoints.traps;
        if !sites.is_empty() || traps {
            let fits = |event: &RawEvent| {
                if event.site != SiteId::MILESTONE || !traps {
                    return Ok(sites.contains(&event.site));
                }
                Ok(matches!(Event::read(event, &table)?, Event::Milestone(Milestone::Trapped { .. })))
            };
            let (from, before) = (place.before(of, here + 1), place.before(of, here));
            let timeline = place.timeline(of);
            let at = match way {
                Way::Forward => timeline.next_that(from, fits)?,
                Way::Back => timeline.last_that(before, fits)?,
            };
            let is_trap = match at {
                Some(at) => timeline.event(at)?.site().is_none_or(|site| !sites.contains(&site)),
                None => false,
            };
            let stop = || match is_trap {
                true => Stop::new(of, "exception", format!("{of} trapped")),
                false => Stop::new(of, "breakpoint", ""),
            };
            found(at.map(|at| place.row_of(of, at)), &stop);
        }
    }
    match nearest {
        Some((row, stop)) => {
            place.go(row)?;
            Ok(stop)
        }
        None => {
            place.go(if way == Way::Forward { place.last_row() } else { 0 })?;
            Ok(at_the_edge(side, way))
        }
    }
}

/// A search that ends where a trace leaves events out has found nothing.
fn held(found: Result<Option<Position>, ReplayError>) -> Result<Option<Position>, ReplayError> {
    match found {
        Err(ReplayError::Trace(forkpoint_traces::TraceError::LeftOut { .. })) => Ok(None),
        found => found,
    }
}
