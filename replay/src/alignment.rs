//! Which event of one trace is beside which of the other.

use crate::divergence::Divergence;
use crate::error::ReplayError;
use crate::side::Side;
use crate::timeline::Timeline;
use forkpoint_traces::Position;

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
/// as long as both have events; then by position again, shifted by the difference. Nothing is stored per row.
#[derive(Debug, Clone, Copy)]
pub struct Alignment {
    events: [u64; 2],
    /// First row after the stretch in which the runs took different paths, and the positions there.
    resync_row: u64,
    resync: [u64; 2],
}

impl Alignment {
    /// Pairs two traces that part at `divergence`.
    pub fn new(lhs: &Timeline, rhs: &Timeline, divergence: Option<&Divergence>) -> Alignment {
        let resync =
            divergence.and_then(|divergence| divergence.resync).map_or([0, 0], |resync| [resync.lhs.0, resync.rhs.0]);
        Alignment { events: [lhs.len(), rhs.len()], resync_row: resync[0].max(resync[1]), resync }
    }

    /// A trace without a partner, for a view of one.
    pub fn single(events: u64) -> Alignment {
        Alignment { events: [events, 0], resync_row: 0, resync: [0, 0] }
    }

    /// Number of rows.
    pub fn rows(&self) -> u64 {
        let after = |side: usize| self.events[side].saturating_sub(self.resync[side]);
        self.resync_row.saturating_add(after(0).max(after(1)))
    }

    /// The events of a row.
    pub fn row(&self, row: u64) -> Pair {
        let side = |side: usize| {
            let position = if row < self.resync_row {
                // Before the resync rows are positions; the side that gets there first waits.
                (row < self.resync[side]).then_some(row)
            } else {
                Some(self.resync[side].saturating_add(row - self.resync_row))
            };
            position.filter(|position| *position < self.events[side]).map(Position)
        };
        Pair { lhs: side(0), rhs: side(1) }
    }

    /// The row of a position on the left.
    pub fn row_of_lhs(&self, position: Position) -> u64 {
        self.row_of(0, position)
    }

    /// The row of a position on the right.
    pub fn row_of_rhs(&self, position: Position) -> u64 {
        self.row_of(1, position)
    }

    fn row_of(&self, side: usize, position: Position) -> u64 {
        match position.0.checked_sub(self.resync[side]) {
            Some(after) => self.resync_row.saturating_add(after),
            None => position.0,
        }
    }

    /// Whether the events of a row are equal; a row with one event is not.
    pub fn is_equal(&self, lhs: &mut Timeline, rhs: &mut Timeline, row: u64) -> Result<bool, ReplayError> {
        match self.row(row) {
            Pair { lhs: Some(left), rhs: Some(right) } => lhs.same_event(left, rhs, right),
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
        let mut row = from;
        while row < self.rows() {
            if let Pair { lhs: Some(left), rhs: Some(right) } = self.row(row)
                && left == right
                && let Some(end) = end_of_equal_chunk(lhs, rhs, left)?
            {
                lhs.come_to(left)?;
                row = self.row_of_lhs(end);
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
                && end_of_equal_chunk(lhs, rhs, left)?.is_some()
            {
                lhs.come_to(left)?;
                let first = lhs.trace().chunks()[lhs.trace().chunk_of(left)?].first;
                row = self.row_of_lhs(first);
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

/// Where the chunk at `position` ends, if both traces have the same one there.
fn end_of_equal_chunk(lhs: &Timeline, rhs: &Timeline, position: Position) -> Result<Option<Position>, ReplayError> {
    let left = &lhs.trace().chunks()[lhs.trace().chunk_of(position)?];
    let right = &rhs.trace().chunks()[rhs.trace().chunk_of(position)?];
    let equal = (left.first, left.count, left.digest) == (right.first, right.count, right.digest);
    Ok(equal.then(|| left.end()))
}
