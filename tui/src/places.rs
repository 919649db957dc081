//! What is kept to come back: where the cursor was before each jump, and marks.

use crate::traces::Direction;
use std::collections::BTreeMap;

/// Most jumps that are kept.
const MOST: usize = 100;

/// Rows that the user can return to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Jumps {
    /// Where the cursor was before each jump, the last one last.
    back: Vec<u64>,
    /// Where it was before each way back.
    forward: Vec<u64>,
    /// Marked rows by their letters.
    marks: BTreeMap<char, u64>,
}

impl Jumps {
    /// Notes that a jump leaves this row, which ends the way forward.
    pub(crate) fn left(&mut self, row: u64) {
        self.forward.clear();
        push(&mut self.back, row);
    }

    /// The row to go to from the row `here`, back or forward.
    pub(crate) fn take(&mut self, direction: Direction, here: u64) -> Option<u64> {
        let (from, to) = match direction {
            Direction::Backward => (&mut self.back, &mut self.forward),
            Direction::Forward => (&mut self.forward, &mut self.back),
        };
        let row = from.pop()?;
        push(to, here);
        Some(row)
    }

    /// The same events have other rows now.
    pub(crate) fn map(&mut self, row: impl Fn(u64) -> u64) {
        let marked = self.marks.values_mut();
        self.back.iter_mut().chain(&mut self.forward).chain(marked).for_each(|there| *there = row(*there));
    }

    /// Marks a row.
    pub(crate) fn mark(&mut self, letter: char, row: u64) {
        self.marks.insert(letter, row);
    }

    /// The row with this mark.
    pub(crate) fn marked(&self, letter: char) -> Option<u64> {
        self.marks.get(&letter).copied()
    }

    /// All marks: letter and row.
    pub(crate) fn marks(&self) -> impl Iterator<Item = (char, u64)> {
        self.marks.iter().map(|(letter, row)| (*letter, *row))
    }

    /// The letter of a row's mark.
    pub(crate) fn letter(&self, row: u64) -> Option<char> {
        self.marks.iter().find(|(_, marked)| **marked == row).map(|(letter, _)| *letter)
    }
}

fn push(rows: &mut Vec<u64>, row: u64) {
    if rows.len() >= MOST {
        rows.remove(0);
    }
    rows.push(row);
}
