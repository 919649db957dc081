//! Where the memories of two builds differ, at each thing that an observer sees.

use super::walk::Walk;
use forkpoint_traces::{Image, MemoryIndex, PAGE};
use std::collections::{BTreeMap, HashSet};

const ZEROS: &[u8; PAGE as usize] = &[0; PAGE as usize];

/// Most pages whose differing bytes are looked at, and most bytes of each: of more, evenly spread ones.
const MOST_PAGES: usize = 256;
const MOST_BYTES: usize = 64;

/// The pages that differ now, and how often memory differed.
#[derive(Default)]
pub(super) struct Differing {
    /// By memory and number, how many bytes of the page differ.
    pages: BTreeMap<(MemoryIndex, u64), u32>,
    /// At how many of the things that were seen memory differed.
    pub(super) seen: u64,
}

impl Differing {
    /// Compares everything, as at the beginning. Returns how many bytes are the same and not zero, and how many differ.
    pub(super) fn all(&mut self, lhs: &Image, rhs: &Image) -> [u64; 2] {
        let memories = lhs.memories().max(rhs.memories());
        let pages: HashSet<(MemoryIndex, u64)> = (0..memories)
            .map(MemoryIndex)
            .flat_map(|memory| {
                let numbers =
                    |image: &Image| image.pages_in(memory, 0..u64::MAX).map(|(page, _)| page).collect::<Vec<_>>();
                numbers(lhs).into_iter().chain(numbers(rhs)).map(move |page| (memory, page)).collect::<Vec<_>>()
            })
            .collect();
        let mut same = 0;
        for (memory, page) in &pages {
            let equal = |(left, right): (&u8, &u8)| left == right && *left != 0;
            same +=
                bytes(lhs, *memory, *page).iter().zip(bytes(rhs, *memory, *page)).filter(|pair| equal(*pair)).count()
                    as u64;
        }
        self.compare(lhs, rhs, pages);
        [same, self.bytes()]
    }

    /// Compares the pages that either side wrote.
    pub(super) fn step(&mut self, lhs: &mut Walk, rhs: &mut Walk) {
        let mut pages = lhs.take_touched();
        pages.extend(rhs.take_touched());
        self.compare(&lhs.image, &rhs.image, pages);
        self.seen += u64::from(!self.pages.is_empty());
    }

    fn compare(&mut self, lhs: &Image, rhs: &Image, pages: HashSet<(MemoryIndex, u64)>) {
        for (memory, page) in pages {
            let (left, right) = (bytes(lhs, memory, page), bytes(rhs, memory, page));
            let count = if left == right { 0 } else { left.iter().zip(right).filter(|(l, r)| l != r).count() };
            match count {
                0 => self.pages.remove(&(memory, page)),
                count => self.pages.insert((memory, page), count as u32),
            };
        }
    }

    /// How many bytes differ now.
    pub(super) fn bytes(&self) -> u64 {
        self.pages.values().map(|count| u64::from(*count)).sum()
    }

    /// The addresses of differing bytes, ascending, by memory: all of them if they are few.
    pub(super) fn addresses(&self, lhs: &Image, rhs: &Image) -> BTreeMap<MemoryIndex, Vec<u64>> {
        let mut found: BTreeMap<MemoryIndex, Vec<u64>> = BTreeMap::new();
        for &(memory, page) in spread(&self.pages.keys().copied().collect::<Vec<_>>(), MOST_PAGES) {
            let (left, right) = (bytes(lhs, memory, page), bytes(rhs, memory, page));
            let differing: Vec<u64> =
                (0..PAGE).filter(|at| left[*at as usize] != right[*at as usize]).map(|at| page * PAGE + at).collect();
            found.entry(memory).or_default().extend(spread(&differing, MOST_BYTES));
        }
        found
    }
}

/// A page's bytes; absent ones are zero.
fn bytes(image: &Image, memory: MemoryIndex, page: u64) -> &[u8] {
    image.pages_in(memory, page..page.saturating_add(1)).next().map_or(ZEROS.as_slice(), |(_, bytes)| bytes)
}

/// At most `most` of the items, evenly spread, the first among them.
fn spread<T>(items: &[T], most: usize) -> impl Iterator<Item = &T> {
    items.iter().step_by(items.len().div_ceil(most).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_spread_is_few_and_even() {
        let items: Vec<u32> = (0..10).collect();
        assert_eq!(spread(&items, 10).count(), 10);
        assert_eq!(spread(&items, 4).collect::<Vec<_>>(), [&0, &3, &6, &9]);
        assert_eq!(spread::<u32>(&[], 4).count(), 0);
    }
}
