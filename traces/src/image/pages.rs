//! The pages of one memory: they appear when something other than zero is written to them.
//!
//! Nearly every memory is below 4 GiB, so its pages are found by index; a memory64 may have pages anywhere.

use super::MemorySize;
use crate::page::PAGE;
use std::collections::BTreeMap;
use std::ops::Range;

/// Pages below this number (4 GiB) are found by index, those above in a map.
const LOW_PAGES: u64 = 1 << 20;

/// A page that has been written.
pub(super) struct Page {
    pub(super) bytes: [u8; PAGE as usize],
    /// Number of the chunk that last wrote it.
    pub(super) chunk: u32,
    /// Number of the keyframe interval that last wrote it.
    pub(super) interval: u32,
}

/// One linear memory.
pub(super) struct Memory {
    pub(super) size: MemorySize,
    low: Vec<Option<Box<Page>>>,
    high: BTreeMap<u64, Box<Page>>,
}

impl Memory {
    /// A memory that is all zero.
    pub(super) fn new(pages: u64, page_size: u32) -> Memory {
        Memory { size: MemorySize { pages, page_size }, low: Vec::new(), high: BTreeMap::new() }
    }

    /// The page with this number, `None` for one that is absent and reads as zeros.
    #[inline]
    pub(super) fn page(&self, number: u64) -> Option<&Page> {
        if number < LOW_PAGES {
            self.low.get(number as usize)?.as_deref()
        } else {
            self.high.get(&number).map(|page| &**page)
        }
    }

    #[inline]
    pub(super) fn page_mut(&mut self, number: u64) -> Option<&mut Page> {
        if number < LOW_PAGES {
            self.low.get_mut(number as usize)?.as_deref_mut()
        } else {
            self.high.get_mut(&number).map(|page| &mut **page)
        }
    }

    /// How many pages' worth of memory the table of pages grows by when a page with this number is added.
    #[cold]
    pub(super) fn table_pages(&self, number: u64) -> u64 {
        if number >= LOW_PAGES {
            return 0;
        }
        let more = (number + 1).saturating_sub(self.low.len() as u64);
        // A growing table reserves as much again.
        2 * more * size_of::<Option<Box<Page>>>() as u64 / PAGE
    }

    /// Adds an empty page.
    #[cold]
    pub(super) fn add(&mut self, number: u64) {
        if number >= LOW_PAGES {
            self.high.insert(number, new_page());
            return;
        }
        let number = number as usize;
        if number >= self.low.len() {
            self.low.resize_with(number + 1, || None);
        }
        self.low[number] = Some(new_page());
    }

    /// Every existing page with a number in `range`, ascending.
    pub(super) fn pages_in(&self, range: Range<u64>) -> impl Iterator<Item = (u64, &Page)> {
        let low = self.low_in(range.clone()).filter_map(|i| Some((i as u64, self.low[i].as_deref()?)));
        let high = range.start..range.end.max(range.start);
        low.chain(self.high.range(high).map(|(i, page)| (*i, &**page)))
    }

    /// The part of `range` that is found by index.
    fn low_in(&self, range: Range<u64>) -> Range<usize> {
        let most = self.low.len() as u64;
        range.start.min(most) as usize..range.end.min(most) as usize
    }

    /// The first existing page with a number in `range`.
    pub(super) fn first_page_in(&self, range: Range<u64>) -> Option<u64> {
        self.pages_in(range).next().map(|(page, _)| page)
    }

    /// The last existing page with a number in `range`.
    pub(super) fn last_page_in(&self, range: Range<u64>) -> Option<u64> {
        let high = self.high.range(range.clone()).next_back().map(|(page, _)| *page);
        high.or_else(|| self.low_in(range).rev().find(|i| self.low[*i].is_some()).map(|i| i as u64))
    }
}

fn new_page() -> Box<Page> {
    Box::new(Page { bytes: [0; PAGE as usize], chunk: 0, interval: 0 })
}
