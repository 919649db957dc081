//! Ranges of memory that a host call has touched, joined where they meet.

use std::collections::BTreeMap;
use std::ops::Range;

/// A set of addresses.
#[derive(Debug, Default)]
pub(crate) struct Touched(BTreeMap<u64, u64>);

impl Touched {
    /// Adds a range; returns the parts of it that were not in the set, in ascending order.
    pub(crate) fn add(&mut self, range: Range<u64>) -> Vec<Range<u64>> {
        if range.is_empty() {
            return Vec::new();
        }
        let first = self.0.range(..range.start).next_back().filter(|(_, end)| **end >= range.start);
        let from = first.map_or(range.start, |(start, _)| *start);
        let met: Vec<(u64, u64)> = self.0.range(from..=range.end).map(|(start, end)| (*start, *end)).collect();
        let (mut fresh, mut at, mut whole) = (Vec::new(), range.start, range.clone());
        for (start, end) in met {
            if at < start.min(range.end) {
                fresh.push(at..start.min(range.end));
            }
            at = at.max(end);
            whole = whole.start.min(start)..whole.end.max(end);
            self.0.remove(&start);
        }
        if at < range.end {
            fresh.push(at..range.end);
        }
        self.0.insert(whole.start, whole.end);
        fresh
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_new_comes_back() {
        let mut touched = Touched::default();
        assert_eq!(touched.add(10..20), std::slice::from_ref(&(10..20)));
        assert_eq!(touched.add(30..40), std::slice::from_ref(&(30..40)));
        assert_eq!(touched.add(5..35), [5..10, 20..30]);
        assert_eq!(touched.add(5..40), []);
        assert_eq!(touched.add(40..41), std::slice::from_ref(&(40..41)));
        assert_eq!(touched.add(0..0), []);
        assert_eq!(touched.add(0..6), std::slice::from_ref(&(0..5)));
        assert_eq!(touched.0.into_iter().collect::<Vec<_>>(), [(0, 41)]);
    }
}
