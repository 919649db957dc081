//! Which event of one trace is beside which of the other.

use crate::deed::{same_deed, same_deed_anywhere};
use crate::divergence::Divergence;
use crate::error::ReplayError;
use crate::side::Side;
use crate::timeline::Timeline;
use forkpoint_traces::Position;
use std::ops::Range;

/// One row: the events that are side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    /// Position on the left, `None` where only the right has an event.
    pub lhs: Option<Position>,
    /// Position on the right, `None` where only the left has an event.
    pub rhs: Option<Position>,
}

impl Pair {
    /// The position that a side has in this row.
    pub fn of(self, side: Side) -> Option<Position> {
        side.of([self.lhs, self.rhs])
    }
}

/// Pairs two traces row by row: by position up to where they part; from there to where they agree again, side by side
/// as long as both have events; then by position again, shifted by the difference. Traces of two builds are paired by what they
/// do ([`align_builds`](crate::align_builds)). Events that a trace leaves out are one row, which has the position of the first one.
/// Nothing is stored per row.
#[derive(Debug, Clone)]
pub struct Alignment {
    events: [u64; 2],
    /// The rows that there would be for events that a trace leaves out, in order.
    left_out: Vec<Range<u64>>,
    /// Where both sides are paired anew, ascending in row and positions. The first is the beginning.
    anchors: Vec<Anchor>,
    /// Which events are equal.
    alike: Alike,
}

/// Which events are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Alike {
    /// The same ones, of one module.
    Events,
    /// Those of two builds that do the same.
    Deeds,
    /// Those of two builds that do the same, wherever each keeps its data.
    DeedsAnywhere,
}

/// A row, and the positions from which both sides are paired.
#[derive(Debug, Clone, Copy, Default)]
struct Anchor {
    row: u64,
    positions: [u64; 2],
}

impl Anchor {
    /// The one that follows at these positions: the side that gets there first waits.
    fn next(self, positions: [u64; 2]) -> Anchor {
        let distance = |side: usize| positions[side].saturating_sub(self.positions[side]);
        Anchor { row: self.row.saturating_add(distance(0).max(distance(1))), positions }
    }
}

impl Alignment {
    /// Pairs two traces that part at `divergence`.
    pub fn new(lhs: &Timeline, rhs: &Timeline, divergence: Option<&Divergence>) -> Alignment {
        let resync = divergence.and_then(|divergence| divergence.resync);
        let resync = resync.map(|resync| Anchor::default().next([resync.lhs.0, resync.rhs.0]));
        let anchors = std::iter::once(Anchor::default()).chain(resync).collect();
        let events = [lhs.len(), rhs.len()];
        Alignment { events, left_out: Vec::new(), anchors, alike: Alike::Events }.leaving_out(&[lhs, rhs])
    }

    /// Pairs the traces of two builds anew at these positions, in order.
    pub(crate) fn of_builds(lhs: &Timeline, rhs: &Timeline, anew: &[[Position; 2]], alike: Alike) -> Alignment {
        let mut anchors = vec![Anchor::default()];
        for [left, right] in anew {
            anchors.extend(anchors.last().map(|last| last.next([left.0, right.0])));
        }
        Alignment { events: [lhs.len(), rhs.len()], left_out: Vec::new(), anchors, alike }
    }

    /// Whether the traces are of two builds of a program.
    pub fn is_of_builds(&self) -> bool {
        self.alike != Alike::Events
    }

    /// A trace without a partner, for a view of one.
    pub fn single(trace: &Timeline) -> Alignment {
        let events = [trace.len(), 0];
        let anchors = vec![Anchor::default()];
        Alignment { events, left_out: Vec::new(), anchors, alike: Alike::Events }.leaving_out(&[trace])
    }

    /// The same, where each stretch that a trace leaves out is one row.
    fn leaving_out(mut self, sides: &[&Timeline]) -> Alignment {
        let rows = |side: usize, gap: Range<Position>| self.place(side, gap.start)..self.place(side, gap.end);
        let gaps =
            sides.iter().enumerate().flat_map(|(side, timeline)| timeline.trace().gaps().map(move |gap| (side, gap)));
        let mut gaps: Vec<Range<u64>> = gaps.map(|(side, gap)| rows(side, gap)).collect();
        gaps.sort_unstable_by_key(|gap| gap.start);
        let mut merged: Vec<Range<u64>> = Vec::new();
        for gap in gaps {
            match merged.last_mut().filter(|last| gap.start <= last.end) {
                Some(last) => last.end = last.end.max(gap.end),
                None => merged.push(gap),
            }
        }
        self.left_out = merged;
        self
    }

    /// Number of rows.
    pub fn rows(&self) -> u64 {
        let last = self.anchors.last().copied().unwrap_or_default();
        self.row_at(last.next(self.events).row)
    }

    /// The events of a row.
    pub fn row(&self, row: u64) -> Pair {
        self.pair_at(self.place_of(row))
    }

    /// Whether a row stands for events that a trace leaves out.
    pub fn is_left_out(&self, row: u64) -> bool {
        let place = self.place_of(row);
        self.left_out.iter().any(|gap| gap.start == place)
    }

    /// The position on the other side that one has beside it, whether they are left out or not.
    pub fn beside(&self, side: Side, position: Position) -> Option<Position> {
        self.pair_at(self.place(side.index(), position)).of(side.other())
    }

    /// The place of a row.
    fn place_of(&self, row: u64) -> u64 {
        let mut row = row;
        for gap in &self.left_out {
            if row <= gap.start {
                break;
            }
            row = row.saturating_add(gap.end - gap.start - 1);
        }
        row
    }

    /// What would be in a row if every event had one.
    fn pair_at(&self, row: u64) -> Pair {
        let after = self.anchors.partition_point(|anchor| anchor.row <= row);
        let anchor = self.anchors[after.saturating_sub(1)];
        let side = |side: usize| {
            let position = anchor.positions[side].saturating_add(row - anchor.row);
            let end = self.anchors.get(after).map_or(self.events[side], |next| next.positions[side]);
            (position < end.min(self.events[side])).then_some(Position(position))
        };
        Pair { lhs: side(0), rhs: side(1) }
    }

    /// The row of a position on the left.
    pub fn row_of_lhs(&self, position: Position) -> u64 {
        self.row_at(self.place(0, position))
    }

    /// The row of a position on the right.
    pub fn row_of_rhs(&self, position: Position) -> u64 {
        self.row_at(self.place(1, position))
    }

    /// How far the right side is when the left one is before the event at `position`.
    pub fn rhs_beside(&self, position: Position) -> Position {
        let row = self.row_of_lhs(position);
        // Rows grow with positions.
        let (mut low, mut high) = (0, self.events[1]);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.row_of_rhs(Position(middle)) < row { low = middle + 1 } else { high = middle }
        }
        Position(low)
    }

    /// The row of a position if every event had one.
    fn place(&self, side: usize, position: Position) -> u64 {
        let after = self.anchors.partition_point(|anchor| anchor.positions[side] <= position.0);
        let anchor = self.anchors[after.saturating_sub(1)];
        anchor.row.saturating_add(position.0 - anchor.positions[side])
    }

    /// The row that is there for a place.
    fn row_at(&self, place: u64) -> u64 {
        let hidden = |gap: &Range<u64>| place.min(gap.end - 1).saturating_sub(gap.start);
        place - self.left_out.iter().map(hidden).sum::<u64>()
    }

    /// Whether the events of a row are equal; a row with one event is not. Events that a trace leaves out are not unequal.
    pub fn is_equal(&self, lhs: &mut Timeline, rhs: &mut Timeline, row: u64) -> Result<bool, ReplayError> {
        match self.row(row) {
            Pair { lhs: Some(left), rhs: Some(right) } => {
                if lhs.leaves_out(left) || rhs.leaves_out(right) {
                    return Ok(true);
                }
                match self.alike {
                    Alike::Events => lhs.same_event(left, rhs, right),
                    Alike::Deeds => Ok(same_deed(&lhs.event(left)?, &rhs.event(right)?)),
                    Alike::DeedsAnywhere => Ok(same_deed_anywhere(&lhs.event(left)?, &rhs.event(right)?)),
                }
            }
            _ => Ok(false),
        }
    }

    /// The first row from `from` on whose events differ.
    pub fn next_mismatch(
        &self,
        lhs: &mut Timeline,
        rhs: &mut Timeline,
        from: u64,
    ) -> Result<Option<u64>, ReplayError> {
        let (mut row, rows) = (from, self.rows());
        while row < rows {
            if let Pair { lhs: Some(left), rhs: Some(right) } = self.row(row)
                && left == right
                && !self.is_of_builds()
                // Events that were read already are compared faster than their chunks are found.
                && !(lhs.is_loaded(left) && rhs.is_loaded(left))
                && let Some(equal) = equal_around(lhs, rhs, left)?
            {
                lhs.come_to(left)?;
                // What one trace leaves out may end among what the other does, in the same row.
                row = self.row_of_lhs(equal.end).max(row + 1);
                continue;
            }
            if !self.is_equal(lhs, rhs, row)? {
                return Ok(Some(row));
            }
            row += 1;
        }
        Ok(None)
    }

    /// The last row before `before` whose events differ.
    pub fn previous_mismatch(
        &self,
        lhs: &mut Timeline,
        rhs: &mut Timeline,
        before: u64,
    ) -> Result<Option<u64>, ReplayError> {
        let mut row = before.min(self.rows());
        while row > 0 {
            if let Pair { lhs: Some(left), rhs: Some(right) } = self.row(row - 1)
                && left == right
                && !self.is_of_builds()
                // Events that were read already are compared faster than their chunks are found.
                && !(lhs.is_loaded(left) && rhs.is_loaded(left))
                && let Some(equal) = equal_around(lhs, rhs, left)?
            {
                lhs.come_to(left)?;
                row = self.row_of_lhs(equal.start).min(row - 1);
                continue;
            }
            if !self.is_equal(lhs, rhs, row - 1)? {
                return Ok(Some(row - 1));
            }
            row -= 1;
        }
        Ok(None)
    }
}

/// The events of the chunk at `position`, if both traces have the same one there. What a trace leaves out has no unequal row,
/// either.
fn equal_around(lhs: &Timeline, rhs: &Timeline, position: Position) -> Result<Option<Range<Position>>, ReplayError> {
    if let Some(gap) = lhs.trace().gap(position).or_else(|| rhs.trace().gap(position)) {
        return Ok(Some(gap));
    }
    let left = &lhs.trace().chunks()[lhs.trace().chunk_of(position)?];
    let right = &rhs.trace().chunks()[rhs.trace().chunk_of(position)?];
    let equal = (left.first, left.count, left.digest) == (right.first, right.count, right.digest);
    Ok(equal.then(|| left.first..left.end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builds_are_paired_anew_at_each_thing_that_is_seen() {
        let mut anchors = vec![Anchor::default()];
        for positions in [[2, 2], [5, 3], [6, 7]] {
            anchors.push(anchors[anchors.len() - 1].next(positions));
        }
        let alignment = Alignment { events: [8, 8], left_out: Vec::new(), anchors, alike: Alike::Deeds };
        let rows: Vec<[Option<u64>; 2]> = (0..alignment.rows())
            .map(|row| Side::BOTH.map(|side| alignment.row(row).of(side).map(|position| position.0)))
            .collect();
        let expected = [
            [Some(0), Some(0)],
            [Some(1), Some(1)],
            [Some(2), Some(2)],
            [Some(3), None],
            [Some(4), None],
            [Some(5), Some(3)],
            [None, Some(4)],
            [None, Some(5)],
            [None, Some(6)],
            [Some(6), Some(7)],
            [Some(7), None],
        ];
        assert_eq!(rows, expected);
        for (row, [left, right]) in (0..).zip(rows) {
            assert!(left.is_none_or(|left| alignment.row_of_lhs(Position(left)) == row));
            assert!(right.is_none_or(|right| alignment.row_of_rhs(Position(right)) == row));
        }
    }
}
