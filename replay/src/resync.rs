//! Where two runs agree again after they parted.

use crate::error::ReplayError;
use crate::timeline::Timeline;
use forkpoint_traces::{Position, SiteId};
use std::collections::HashMap;

/// Events on each side that are searched when the two went different ways.
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
}

/// Looks for a resync after the events at `at` differed.
pub(crate) fn find(lhs: &mut Timeline, rhs: &mut Timeline, at: Position) -> Result<Option<Resync>, ReplayError> {
    if same_path(lhs, rhs, at)? {
        return same_shift(lhs, rhs, at);
    }
    shifted(lhs, rhs, at)
}

/// Whether both sides run the same instructions from `at` on.
fn same_path(lhs: &mut Timeline, rhs: &mut Timeline, at: Position) -> Result<bool, ReplayError> {
    let end = lhs.len().min(rhs.len()).min(at.0.saturating_add(AGREEMENT));
    for position in at.0..end {
        if lhs.site(Position(position))? != rhs.site(Position(position))? {
            return Ok(false);
        }
    }
    Ok(end > at.0)
}

fn same_shift(lhs: &mut Timeline, rhs: &mut Timeline, at: Position) -> Result<Option<Resync>, ReplayError> {
    let end = lhs.len().min(rhs.len());
    let limit = end.min(at.0.saturating_add(SAME_PATH_WINDOW));
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
            return Ok(Some(Resync { lhs: first, rhs: first }));
        }
    }
    Ok(None)
}

/// The two went different ways: the nearest place where the same instructions run again, found through
/// runs of site numbers that occur on both sides.
fn shifted(lhs: &mut Timeline, rhs: &mut Timeline, at: Position) -> Result<Option<Resync>, ReplayError> {
    let left = window(lhs, at)?;
    let right = window(rhs, at)?;
    // Short traces agree on what they have.
    for gram in [AGREEMENT as usize, 4, 1] {
        if gram < AGREEMENT as usize && (left.len() as u64 == WINDOW || right.len() as u64 == WINDOW) {
            break;
        }
        let mut places: HashMap<&[SiteId], usize> = HashMap::new();
        for (i, sites) in left.windows(gram).enumerate() {
            places.entry(sites).or_insert(i);
        }
        let nearest = right
            .windows(gram)
            .enumerate()
            .filter_map(|(j, sites)| Some((*places.get(sites)?, j)))
            .filter(|&(i, j)| (i, j) != (0, 0))
            .min_by_key(|(i, j)| i + j);
        if let Some((i, j)) = nearest {
            return Ok(Some(Resync { lhs: Position(at.0 + i as u64), rhs: Position(at.0 + j as u64) }));
        }
    }
    Ok(None)
}

fn window(timeline: &mut Timeline, at: Position) -> Result<Vec<SiteId>, ReplayError> {
    let end = timeline.len().min(at.0.saturating_add(WINDOW));
    (at.0..end).map(|position| timeline.site(Position(position))).collect()
}
