//! Which pages of memory a chunk touches, roughly.

use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Bits in a [`PageFilter`].
const FILTER_BITS: u64 = 2048;

/// This many consecutive pages set nearly every bit: more are not counted one by one.
const MANY: u64 = 2 * FILTER_BITS;

/// A Bloom filter with one hash over the 4 KiB pages that a chunk touches: fixed size, so that an index
/// stays small whatever a run does. A set bit means *perhaps*.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PageFilter(#[serde(with = "crate::wire::bytes")] Vec<u8>);

impl PageFilter {
    pub(crate) fn new() -> PageFilter {
        PageFilter(vec![0; (FILTER_BITS / 8) as usize])
    }

    #[inline]
    fn bit(memory: u32, page: u64) -> (usize, u8) {
        // Fibonacci hashing: neighbouring pages, the usual case, get different bits.
        let mixed = (page ^ (u64::from(memory) << 40)).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 53;
        ((mixed / 8) as usize, 1 << (mixed % 8))
    }

    #[inline]
    pub(crate) fn insert(&mut self, memory: u32, page: u64) {
        let (byte, bit) = Self::bit(memory, page);
        self.0[byte] |= bit;
    }

    /// Inserts consecutive pages, in bounded time however many.
    pub(crate) fn insert_range(&mut self, memory: u32, pages: Range<u64>) {
        if pages.end.saturating_sub(pages.start) >= MANY {
            self.0.fill(u8::MAX);
        } else {
            pages.for_each(|page| self.insert(memory, page));
        }
    }

    /// Whether the page may have been touched. A filter of a wrong size, from a stranger's file, excludes nothing.
    pub(crate) fn may_contain(&self, memory: u32, page: u64) -> bool {
        let (byte, bit) = Self::bit(memory, page);
        self.0.get(byte).is_none_or(|bits| bits & bit != 0)
    }
}
