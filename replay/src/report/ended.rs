//! Where a run stopped that trapped, crashed or was ended: its place, or the instructions between which it lies.

use super::parts::{BetweenReport, EventReport, SiteReport};
use super::places::site_at;
use crate::describe::describe;
use crate::divergence::Divergence;
use crate::error::ReplayError;
use crate::side::Side;
use crate::symbols::Symbols;
use crate::timeline::Timeline;
use forkpoint_traces::{Event, Milestone, Outcome, Position, SiteTable};

/// Most events that are searched for an instruction, before the end and after it.
const MOST_EVENTS: u64 = 1 << 12;

/// Whether the event ends a run in the middle of a call.
pub(super) fn ends_run(event: &Event) -> bool {
    match event {
        Event::Milestone(Milestone::Trapped { .. }) => true,
        Event::Milestone(Milestone::End { outcome, .. }) => {
            outcome.is_cut_short() || matches!(outcome, Outcome::Crashed { .. })
        }
        _ => false,
    }
}

/// The side whose event at the divergence ends its run: the left one if both do.
pub(super) fn ended_side(divergence: &Divergence) -> Option<Side> {
    let ends = |side: &Side| side.of([&divergence.lhs, &divergence.rhs]).as_ref().is_some_and(ends_run);
    Side::BOTH.into_iter().find(ends)
}

/// Where a run stopped that crashed or was ended, as far as its trace says.
pub(super) fn place(event: &Event, timeline: &Timeline, sites: &SiteTable, symbols: &Symbols) -> Option<SiteReport> {
    match event {
        Event::Milestone(Milestone::End { .. }) if ends_run(event) => {
            let place = timeline.trace().words().place?;
            Some(site_at(place.func, place.offset?, None, symbols))
        }
        event => super::places::site_of(event, sites, symbols),
    }
}

/// The instructions around the end of `side`, whose place is unknown.
pub(super) fn between(
    side: Side,
    at: Position,
    [lhs, rhs]: [&mut Timeline; 2],
    sites: &SiteTable,
    symbols: &Symbols,
) -> Result<Option<BetweenReport>, ReplayError> {
    let (own, other) = if side == Side::Lhs { (lhs, rhs) } else { (rhs, lhs) };
    if !calls_before(own, at)? {
        // It ended while the module was validated, compiled or instantiated: not in an instruction.
        return Ok(None);
    }
    let after = (at.0.saturating_sub(MOST_EVENTS)..at.0).rev();
    let before = at.0..other.len().min(at.0.saturating_add(MOST_EVENTS));
    Ok(Some(BetweenReport {
        side,
        after: first_instruction(own, after.map(Position), sites, symbols)?,
        before: first_instruction(other, before.map(Position), sites, symbols)?,
    }))
}

/// Whether a call had begun.
fn calls_before(timeline: &mut Timeline, at: Position) -> Result<bool, ReplayError> {
    for position in 0..at.0.min(MOST_EVENTS) {
        if timeline.trace().gap(Position(position)).is_some() {
            // Only what comes after instantiation is left out.
            return Ok(true);
        }
        if timeline.event(Position(position))?.kind() == "invoke" {
            return Ok(true);
        }
    }
    // Only calls produce this many events.
    Ok(at.0 > MOST_EVENTS)
}

fn first_instruction(
    timeline: &mut Timeline,
    positions: impl Iterator<Item = Position>,
    sites: &SiteTable,
    symbols: &Symbols,
) -> Result<Option<EventReport>, ReplayError> {
    for position in positions {
        if timeline.trace().gap(position).is_some() {
            return Ok(None);
        }
        if !timeline.site(position)?.is_instruction() {
            continue;
        }
        let event = timeline.event(position)?;
        let site = super::places::site_of(&event, sites, symbols);
        return Ok(Some(EventReport { position, event: describe(&event, sites, symbols), site }));
    }
    Ok(None)
}
