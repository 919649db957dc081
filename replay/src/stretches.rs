//! All stretches in which two runs differ.

use crate::alignment::Alignment;
use crate::error::ReplayError;
use crate::filter::BoundFilter;
use crate::side::Side;
use crate::timeline::Timeline;
use std::ops::Range;

/// Equal rows in a row that end a stretch.
const APART: u64 = 16;

/// Rows in which two runs differ, with fewer than 16 equal ones in between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Differing {
    /// The rows, from the first unequal one to one past the last.
    pub rows: Range<u64>,
    /// How many of them are unequal.
    pub count: u64,
}

/// Events to pass over in a search for divergences, by side: an unequal row is passed over if all its events match.
pub type Ignored<'a> = [&'a BoundFilter; 2];

impl Alignment {
    /// The first unequal row from `from` on that is not ignored.
    ///
    /// # Errors
    /// When a trace is damaged, and [`ReplayError::Cancelled`].
    pub fn next_mismatch_but(
        &self,
        lhs: &mut Timeline,
        rhs: &mut Timeline,
        from: u64,
        ignored: Option<Ignored>,
    ) -> Result<Option<u64>, ReplayError> {
        let mut from = from;
        while let Some(row) = self.next_mismatch(lhs, rhs, from)? {
            if !self.is_ignored(lhs, rhs, row, ignored)? {
                return Ok(Some(row));
            }
            from = row + 1;
            self.report(lhs, row)?;
        }
        Ok(None)
    }

    /// The last unequal row before `before` that is not ignored.
    ///
    /// # Errors
    /// As [`Alignment::next_mismatch_but`].
    pub fn previous_mismatch_but(
        &self,
        lhs: &mut Timeline,
        rhs: &mut Timeline,
        before: u64,
        ignored: Option<Ignored>,
    ) -> Result<Option<u64>, ReplayError> {
        let mut before = before;
        while let Some(row) = self.previous_mismatch(lhs, rhs, before)? {
            if !self.is_ignored(lhs, rhs, row, ignored)? {
                return Ok(Some(row));
            }
            before = row;
            self.report(lhs, row)?;
        }
        Ok(None)
    }

    /// The stretches in which the runs differ, in order and at most so many. Returns whether there are more.
    ///
    /// ```
    /// use forkpoint_replay::{Alignment, NanBits, Timeline, first_divergence};
    ///
    /// let mut lhs = Timeline::open("../traces/samples/orbit-jit.fpt".as_ref())?;
    /// let mut rhs = Timeline::open("../traces/samples/orbit-portable.fpt".as_ref())?;
    /// let divergence = first_divergence(&mut lhs, &mut rhs, NanBits::Report)?.divergence;
    /// let alignment = Alignment::new(&lhs, &rhs, divergence.as_ref());
    /// let (stretches, more) = alignment.differing(&mut lhs, &mut rhs, 100, None)?;
    /// assert_eq!((stretches[0].rows.clone(), stretches[0].count, more), (12..13, 1, false));
    /// # Ok::<(), forkpoint_replay::ReplayError>(())
    /// ```
    ///
    /// # Errors
    /// As [`Alignment::next_mismatch_but`].
    pub fn differing(
        &self,
        lhs: &mut Timeline,
        rhs: &mut Timeline,
        most: usize,
        ignored: Option<Ignored>,
    ) -> Result<(Vec<Differing>, bool), ReplayError> {
        let (mut found, mut from) = (Vec::<Differing>::new(), 0);
        while let Some(row) = self.next_mismatch_but(lhs, rhs, from, ignored)? {
            let count = found.len();
            match found.last_mut().filter(|last| row - last.rows.end < APART) {
                Some(last) => {
                    last.rows.end = row + 1;
                    last.count += 1;
                }
                None if count == most => return Ok((found, true)),
                None => found.push(Differing { rows: row..row + 1, count: 1 }),
            }
            from = row + 1;
            self.report(lhs, row)?;
        }
        Ok((found, false))
    }

    fn is_ignored(
        &self,
        lhs: &mut Timeline,
        rhs: &mut Timeline,
        row: u64,
        ignored: Option<Ignored>,
    ) -> Result<bool, ReplayError> {
        let Some(ignored) = ignored else { return Ok(false) };
        let pair = self.row(row);
        for (side, timeline) in Side::BOTH.into_iter().zip([lhs, rhs]) {
            if let Some(position) = pair.of(side) {
                let event = timeline.event(position)?;
                if !side.of(ignored).matches(position, &event) {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Now and then tells how far a long search has come.
    fn report(&self, lhs: &Timeline, row: u64) -> Result<(), ReplayError> {
        match self.row(row).lhs.filter(|_| row.is_multiple_of(4096)) {
            Some(position) => lhs.come_to(position),
            None => Ok(()),
        }
    }
}
