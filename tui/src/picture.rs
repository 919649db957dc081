//! Where and when one side writes to one memory: time goes across, the pages that are written go down. The picture is finer than any
//! screen, and added up to what a screen has room for.

use forkpoint_replay::Heat;

/// Parts of time in a picture, at most.
pub(crate) const COLUMNS: u64 = 1024;

/// Parts of the pages, at most.
pub(crate) const ROWS: usize = 64;

/// From few writes to many.
const DENSITY: &[u8] = b".:+*#@";

/// Where and when one side writes to one memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Picture {
    /// The writes.
    pub(crate) heat: Heat,
    /// The 4 KiB pages that are written, ascending.
    pub(crate) pages: Vec<u64>,
    /// The events that the trace leaves out: first, and one past the last.
    pub(crate) gaps: Vec<(u64, u64)>,
}

impl Picture {
    /// Writes in parts of time and of the pages, both as ranges of `across` and `down` equal parts.
    pub(crate) fn writes(&self, column: u64, across: u64, row: u64, down: u64) -> u64 {
        let of = |at: u64, parts: u64, all: usize| {
            let start = (at * all as u64 / parts) as usize;
            let end = ((at + 1) * all as u64 / parts) as usize;
            start..end.max(start + 1).min(all)
        };
        let columns = of(column, across, self.heat.columns);
        let rows = of(row, down, self.heat.rows);
        let counts = |row: usize| self.heat.counts.get(row * self.heat.columns..).unwrap_or_default();
        rows.flat_map(|row| counts(row).get(columns.clone()).unwrap_or_default()).sum()
    }

    /// Whether the trace leaves out all events of a part of time.
    pub(crate) fn is_gap(&self, column: u64, across: u64) -> bool {
        let [start, end] = [column, column + 1].map(|column| start_of(column, across, self.heat.events));
        self.gaps.iter().any(|(first, past)| *first <= start && end.max(start + 1) <= *past)
    }

    /// The first page of a row.
    pub(crate) fn page(&self, row: u64, down: u64) -> u64 {
        let at = (row * self.pages.len() as u64).div_ceil(down.max(1));
        self.pages.get(at as usize).copied().unwrap_or(0)
    }
}

/// The column of a position.
pub(crate) fn column_of(position: u64, across: u64, events: u64) -> u64 {
    let column = u128::from(position) * u128::from(across) / u128::from(events.max(1));
    (column as u64).min(across.saturating_sub(1))
}

/// The first position of a column.
pub(crate) fn start_of(column: u64, across: u64, events: u64) -> u64 {
    (u128::from(column) * u128::from(events)).div_ceil(u128::from(across.max(1))) as u64
}

/// The character for a number of writes, on a logarithmic scale.
pub(crate) fn density(count: u64, most: u64) -> char {
    if count == 0 {
        return ' ';
    }
    let share = (count as f64).ln_1p() / (most.max(1) as f64).ln_1p();
    let level = (share * DENSITY.len() as f64).ceil() as usize;
    char::from(DENSITY[level.clamp(1, DENSITY.len()) - 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_and_positions_belong_together() {
        for (events, across) in [(1, 80), (3, 80), (80, 80), (1000, 77), (u64::MAX, 100)] {
            for column in 0..across {
                let start = start_of(column, across, events);
                if start < events && start < start_of(column + 1, across, events) {
                    assert_eq!(column_of(start, across, events), column, "{events} events in {across} columns");
                }
            }
            assert_eq!(
                column_of(events - 1, across, events),
                (across - 1).min(column_of(events - 1, across, events))
            );
        }
        assert_eq!(column_of(7, 80, 0), 79, "a run without events");
    }

    #[test]
    fn every_write_is_in_a_cell_and_more_writes_are_denser() {
        let heat = Heat { columns: 10, rows: 2, counts: (0..20).collect(), events: 10 };
        let picture = Picture { heat, pages: vec![0, 5], gaps: vec![(4, 6)] };
        for (across, down) in [(10, 2), (5, 1), (3, 2), (1, 1)] {
            let sum: u64 = (0..across)
                .flat_map(|c| (0..down).map(move |r| (c, r)))
                .map(|(c, r)| picture.writes(c, across, r, down))
                .sum();
            assert_eq!(sum, (0..20).sum::<u64>(), "{across} by {down}");
        }
        assert!(picture.is_gap(2, 5) && !picture.is_gap(1, 5) && !picture.is_gap(1, 2));
        assert_eq!((picture.page(0, 2), picture.page(1, 2), picture.page(0, 1)), (0, 5, 0));
        let line: String = [0, 1, 3, 10, 50, 200, 1000].map(|count| density(count, 1000)).iter().collect();
        assert_eq!(line, " .:+*#@");
        assert_eq!((density(1, 1), density(u64::MAX, u64::MAX)), ('@', '@'));
    }
}
