//! Which events of two builds share a row.
//!
//! Between two things that an observer sees, writes that do the same share one, and so do other writes to the same
//! place. What only one build writes has a row of its own.

use super::stream::{Addresses, ROW, Stream, Write, same, search};
use crate::error::ReplayError;
use crate::timeline::Timeline;
use forkpoint_traces::Position;
use std::iter;

/// Most places that are kept at which rows begin anew.
const MOST_PLACES: usize = 1 << 20;

/// Most searches, and most pairs of writes that are weighed against each other: for one gap, and in all.
const MOST_SEARCHES: usize = 1 << 18;
const MOST_PAIRS: usize = 1 << 22;
const MOST_PAIRS_IN_ALL: usize = 1 << 30;

/// What it is worth that two writes share a row: those that do the same, and those that write to the same place.
const SAME: u32 = 4;
const SAME_PLACE: u32 = 1;

/// The positions in both builds from which on rows are counted anew, in order.
pub(super) struct Rows {
    places: Vec<[Position; 2]>,
    /// The events that come next.
    next: [Position; 2],
    addresses: Addresses,
    searches: usize,
    pairs: usize,
}

impl Rows {
    /// Pairs two builds that did the same at these positions, and may have done anything after the last.
    pub(super) fn pair(
        lhs: &mut Timeline,
        rhs: &mut Timeline,
        addresses: Addresses,
        seen: &[[Position; 2]],
    ) -> Result<Vec<[Position; 2]>, ReplayError> {
        let ends = [Position(lhs.len()), Position(rhs.len())];
        let mut rows = Rows { places: Vec::new(), next: [Position(0); 2], addresses, searches: 0, pairs: 0 };
        let mut left = Stream::from(lhs, Position(0), addresses)?;
        let mut right = Stream::from(rhs, Position(0), addresses)?;
        for &at in seen.iter().chain(iter::once(&ends)) {
            left.go_on(at[0]);
            right.go_on(at[1]);
            let all = rows.through(&mut left, &mut right)?;
            rows.go_to(at, all);
        }
        Ok(rows.places)
    }

    /// Pairs one stretch. Returns whether all writes after the last pair are known to be one build's alone.
    fn through(&mut self, lhs: &mut Stream, rhs: &mut Stream) -> Result<bool, ReplayError> {
        let mut alone = false;
        loop {
            lhs.fill(ROW)?;
            rhs.fill(ROW)?;
            if lhs.ahead.is_empty() && rhs.ahead.is_empty() {
                return Ok(alone);
            }
            let same = same(lhs, rhs);
            if same > 0 {
                for (left, right) in lhs.take(same)?.iter().zip(&rhs.take(same)?) {
                    self.share(left, right, alone);
                    alone = false;
                }
                continue;
            }
            self.searches += 1;
            let known = self.searches <= MOST_SEARCHES && self.places.len() < MOST_PLACES;
            let found = if known { search(lhs, rhs)? } else { None };
            let Some([left, right]) = found else {
                lhs.take_all()?;
                rhs.take_all()?;
                return Ok(false);
            };
            let (left, right) = (lhs.take(left)?, rhs.take(right)?);
            for [one, other] in self.best(&left, &right) {
                self.share(&left[one], &right[other], true);
            }
            alone = true;
        }
    }

    /// Gives two writes one row.
    fn share(&mut self, left: &Write, right: &Write, alone: bool) {
        self.go_to([left.position, right.position], alone);
        self.next = [left.position, right.position].map(|Position(at)| Position(at + 1));
    }

    /// Has both go on there, in one row. Whether each event before it that has no row yet gets one of its own: those of the left
    /// build come first.
    fn go_to(&mut self, [left, right]: [Position; 2], alone: bool) {
        let between = [left.0.saturating_sub(self.next[0].0), right.0.saturating_sub(self.next[1].0)];
        if alone && between[0] > 0 && between[1] > 0 {
            self.places.push([left, self.next[1]]);
            self.places.push([left, right]);
        } else if between[0] != between[1] {
            self.places.push([left, right]);
        }
        self.next = [left, right];
    }

    /// Which writes of a gap share a row: the best choice that keeps both orders.
    fn best(&mut self, lhs: &[Write], rhs: &[Write]) -> Vec<[usize; 2]> {
        let pairs = lhs.len().saturating_mul(rhs.len());
        self.pairs = self.pairs.saturating_add(pairs);
        if pairs > MOST_PAIRS || self.pairs > MOST_PAIRS_IN_ALL {
            return Vec::new();
        }
        let addresses = self.addresses;
        let same_place = |left: &Write, right: &Write| match addresses {
            Addresses::Count => (left.memory, left.address) == (right.memory, right.address),
            Addresses::Free => left.place == right.place,
        };
        let worth = |left: &Write, right: &Write| match (left.deed == right.deed, same_place(left, right)) {
            (true, _) => SAME,
            (_, true) => SAME_PLACE,
            _ => 0,
        };
        // The worth of what is left, from each pair on: the row after, and the one that is made.
        let mut after = vec![0; rhs.len() + 1];
        let mut chosen = vec![Choice::Left; pairs];
        for (left, choices) in lhs.iter().zip(chosen.chunks_mut(rhs.len().max(1))).rev() {
            let mut here = vec![0; rhs.len() + 1];
            for (at, (right, choice)) in rhs.iter().zip(choices).enumerate().rev() {
                let worth = worth(left, right);
                let together = if worth > 0 { worth + after[at + 1] } else { 0 };
                let alone = after[at].max(here[at + 1]);
                (here[at], *choice) = match () {
                    () if together >= alone && worth > 0 => (together, Choice::Both),
                    () if after[at] >= here[at + 1] => (alone, Choice::Left),
                    () => (alone, Choice::Right),
                };
            }
            after = here;
        }
        let (mut found, mut one, mut other) = (Vec::new(), 0, 0);
        while one < lhs.len() && other < rhs.len() {
            match chosen[one * rhs.len() + other] {
                Choice::Both => {
                    found.push([one, other]);
                    (one, other) = (one + 1, other + 1);
                }
                Choice::Left => one += 1,
                Choice::Right => other += 1,
            }
        }
        found
    }
}

/// Who comes next.
#[derive(Debug, Clone, Copy)]
enum Choice {
    Both,
    Left,
    Right,
}
