//! Runs that were cut short: where their events stop says nothing about the engine.
//!
//! A run may be ended from outside (time limit, memory limit, Ctrl-C), and if an engine dies, its last events may
//! never reach the recorder. If the events of such a run are the beginning of the other's, the two agree as far as it
//! went, and nothing more is known.

use crate::error::ReplayError;
use crate::side::Side;
use crate::timeline::Timeline;
use forkpoint_traces::{Event, Header, Milestone, Outcome, Position};

/// The name of the header setting that says what happens to the last events of a run that does not finish; traces
/// without it always keep them.
const SETTING: &str = "last events";

/// Whether the last events before this end may be missing in a trace with this header.
fn may_lack(header: &Header, outcome: &Outcome) -> bool {
    let kept = header.engine.settings.iter().find(|(name, _)| name == SETTING).map(|(_, kept)| kept.as_str());
    match outcome {
        Outcome::Crashed { signal: None } => true,
        Outcome::Crashed { .. } => kept.is_some_and(|kept| kept != "kept" && kept != "kept but when cut short"),
        outcome => outcome.is_cut_short() && kept.is_some_and(|kept| kept != "kept" && kept != "kept but in a crash"),
    }
}

/// Why nothing follows from the pair of events at `position`, the first unequal one or the last: one of them ends a
/// run that was cut short, and what it would have done next is unknown. `None` if something does follow.
pub(crate) fn cut_short(
    lhs: &mut Timeline,
    rhs: &mut Timeline,
    [left, right]: [Option<&Event>; 2],
    position: Position,
) -> Result<Option<String>, ReplayError> {
    let ends = [lhs.trace_mut().outcome()?, rhs.trace_mut().outcome()?];
    let end = |event: Option<&Event>| match event {
        Some(Event::Milestone(Milestone::End { outcome, .. })) => Some(outcome.clone()),
        _ => None,
    };
    let stops = [end(left), end(right)];
    let headers = [lhs.trace().header(), rhs.trace().header()];
    let lacks = |side: Side| stops[side.index()].as_ref().is_some_and(|outcome| may_lack(side.of(headers), outcome));
    let from_outside = |outcome: &Option<Outcome>| outcome.as_ref().is_some_and(Outcome::is_cut_short);
    let both = from_outside(&ends[0]) && from_outside(&ends[1]) && stops.iter().any(from_outside);
    if !both && !Side::BOTH.into_iter().any(lacks) {
        return Ok(None);
    }
    let words = |side: Side| {
        let ended = ends[side.index()].as_ref().map_or("has no end".to_string(), ToString::to_string);
        let missing = if lacks(side) { ", and its last events may be missing" } else { "" };
        format!("{side} {ended}{missing}")
    };
    let position = position.0;
    Ok(Some(format!(
        "the runs agree as far as they went, on {position} events: {}; {}",
        words(Side::Lhs),
        words(Side::Rhs)
    )))
}
