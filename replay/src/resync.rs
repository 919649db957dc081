//! Where two runs agree again after they parted.

use crate::error::ReplayError;
use crate::timeline::Timeline;
use forkpoint_traces::{Event, Milestone, Position};
use std::collections::HashMap;

/// Events on each side that are searched when the two took different paths.
const WINDOW: u64 = 1 << 14;

/// Events searched when both still run the same instructions but with other operands.
const SAME_PATH_WINDOW: u64 = 1 << 20;

/// Equal events in a row that count as agreement.
const AGREEMENT: u64 = 16;

/// The first pair of positions from which on the two runs agree again, for a while at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resync {
    /// Position on the left.
    pub lhs: Position,
    /// Position on the right.
    pub rhs: Position,
    /// Whether the events from there on are equal. If not, the runs execute the same instructions again, with
    /// different operands.
    pub equal: bool,
}

/// Looks for a resync after the events at `at` differed.
pub(crate) fn find(lhs: &mut Timeline, rhs: &mut Timeline, at: Position) -> Result<Option<Resync>, ReplayError> {
    if same_path(lhs, rhs, at)? {
        return same_shift(lhs, rhs, at);
    }
    shifted(lhs, rhs, at)
}

/// One past the last event from `at` on that the trace holds without leaving any out.
fn held(timeline: &Timeline, at: Position) -> u64 {
    timeline.trace().held_until(at).0
}

/// Whether both sides run the same instructions from `at` on.
fn same_path(lhs: &mut Timeline, rhs: &mut Timeline, at: Position) -> Result<bool, ReplayError> {
    let end = held(lhs, at).min(held(rhs, at)).min(at.0.saturating_add(AGREEMENT));
    for position in (at.0..end).map(Position) {
        let (left, right) = (lhs.site(position)?, rhs.site(position)?);
        // What the recorder adds has no instruction: a return and a trap share a number, but not a path.
        let same =
            left == right && (left.is_instruction() || lhs.event(position)?.kind() == rhs.event(position)?.kind());
        if !same {
            return Ok(false);
        }
    }
    Ok(end > at.0)
}

fn same_shift(lhs: &mut Timeline, rhs: &mut Timeline, at: Position) -> Result<Option<Resync>, ReplayError> {
    // What memory holds at the end still differs because of what parted the runs.
    let end = if ends_match(lhs, rhs)? { lhs.len() - 1 } else { lhs.len().min(rhs.len()) };
    let limit = end.min(held(lhs, at)).min(held(rhs, at)).min(at.0.saturating_add(SAME_PATH_WINDOW));
    let mut equal = 0;
    for position in at.0 + 1..limit {
        let position = Position(position);
        if lhs.same_event(position, rhs, position)? {
            equal += 1;
        } else {
            equal = 0;
        }
        if equal == AGREEMENT || (equal > 0 && position.0 + 1 == end) {
            let first = Position(position.0 + 1 - equal);
            return Ok(Some(Resync { lhs: first, rhs: first, equal: true }));
        }
    }
    Ok(None)
}

/// Whether both have the same number of events, and the last ones ended in the same way.
fn ends_match(lhs: &mut Timeline, rhs: &mut Timeline) -> Result<bool, ReplayError> {
    let Some(last) = lhs.len().checked_sub(1).filter(|_| lhs.len() == rhs.len()).map(Position) else {
        return Ok(false);
    };
    Ok(match (lhs.event(last)?, rhs.event(last)?) {
        (
            Event::Milestone(Milestone::End { outcome, .. }),
            Event::Milestone(Milestone::End { outcome: other, .. }),
        ) => outcome.may_be(&other),
        _ => false,
    })
}

/// The two took different paths: the nearest place where the same events come again, or at least the same
/// instructions, found through runs of them that occur on both sides. A loop executes the same instructions in every
/// iteration, so where one side skipped an iteration only the events distinguish them.
fn shifted(lhs: &mut Timeline, rhs: &mut Timeline, at: Position) -> Result<Option<Resync>, ReplayError> {
    // An event without an instruction is the same only if all of it is. The high bit keeps it apart from sites.
    let site = |timeline: &mut Timeline, position| match timeline.site(position)? {
        site if site.is_instruction() => Ok(u64::from(site.0)),
        _ => Ok(timeline.event_hash(position)? | 1 << 63),
    };
    let events = [window(lhs, at, Timeline::event_hash)?, window(rhs, at, Timeline::event_hash)?];
    let sites = [window(lhs, at, site)?, window(rhs, at, site)?];
    let full = sites.iter().any(|sites| sites.len() as u64 == WINDOW);
    // Short traces agree on what they have.
    for gram in [AGREEMENT as usize, 4, 1] {
        if gram < AGREEMENT as usize && full {
            break;
        }
        let places = nearest(&events, gram).map(|places| (places, true));
        if let Some(((i, j), equal)) = places.or_else(|| Some((nearest(&sites, gram)?, false))) {
            return Ok(Some(Resync { lhs: Position(at.0 + i as u64), rhs: Position(at.0 + j as u64), equal }));
        }
    }
    Ok(None)
}

/// The nearest two places with the same `gram` keys in a row.
fn nearest([left, right]: &[Vec<u64>; 2], gram: usize) -> Option<(usize, usize)> {
    let mut places: HashMap<&[u64], usize> = HashMap::new();
    for (i, keys) in left.windows(gram).enumerate() {
        places.entry(keys).or_insert(i);
    }
    right
        .windows(gram)
        .enumerate()
        .filter_map(|(j, keys)| Some((*places.get(keys)?, j)))
        .filter(|&(i, j)| (i, j) != (0, 0))
        .min_by_key(|(i, j)| i + j)
}

/// The keys of the events that are searched.
fn window(
    timeline: &mut Timeline,
    at: Position,
    key: impl Fn(&mut Timeline, Position) -> Result<u64, ReplayError>,
) -> Result<Vec<u64>, ReplayError> {
    let end = held(timeline, at).min(at.0.saturating_add(WINDOW));
    (at.0..end).map(|position| key(timeline, Position(position))).collect()
}
