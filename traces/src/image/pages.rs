//! The pages of one memory: they appear when something other than zero is written to them.
//!
//! Nearly every memory is below 4 GiB, so its pages are found by index; a memory64 may have pages anywhere.

use super::MemorySize;
use crate::page::PAGE;
use std::collections::BTreeMap;
use std::ops::Range;

/// Pages below this number (4 GiB) are found by index, those above in a map.
const LOW_PAGES: u64 = 1 << 20;

/// The bytes of a page.
pub(super) type Bytes = [u8; PAGE as usize];

/// When a page was last written. Kept apart from its bytes: behind 4,096 of them it would lie on another page of the
/// system's, and each store would touch two.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Stamp {
    /// Number of the chunk.
    pub(super) chunk: u32,
    /// Number of the keyframe interval.
    pub(super) interval: u32,
}

/// One linear memory.
pub(super) struct Memory {
    size: MemorySize,
    /// The size in bytes.
    bytes: u64,
    low: Vec<Option<Box<Bytes>>>,
    /// Of the pages in `low`.
    stamps: Vec<Stamp>,
    high: BTreeMap<u64, (Box<Bytes>, Stamp)>,
}

impl Memory {
    /// A memory that is all zero.
    pub(super) fn new(pages: u64, page_size: u32) -> Memory {
        let size = MemorySize { pages, page_size };
        Memory { size, bytes: size.bytes(), low: Vec::new(), stamps: Vec::new(), high: BTreeMap::new() }
    }

    pub(super) fn size(&self) -> MemorySize {
        self.size
    }

    /// The size in bytes.
    #[inline]
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Gives it another size. Its pages stay as they are.
    pub(super) fn resize(&mut self, pages: u64) {
        self.size.pages = pages;
        self.bytes = self.size.bytes();
    }

    /// The page with this number, `None` where all zeros stand for it.
    #[inline]
    pub(super) fn page(&self, number: u64) -> Option<&Bytes> {
        if number < LOW_PAGES {
            self.low.get(number as usize)?.as_deref()
        } else {
            self.high.get(&number).map(|(bytes, _)| &**bytes)
        }
    }

    #[inline]
    pub(super) fn page_mut(&mut self, number: u64) -> Option<(&mut Bytes, &mut Stamp)> {
        if number < LOW_PAGES {
            let number = number as usize;
            Some((self.low.get_mut(number)?.as_deref_mut()?, self.stamps.get_mut(number)?))
        } else {
            self.high.get_mut(&number).map(|(bytes, stamp)| (&mut **bytes, stamp))
        }
    }

    /// How many pages' worth of memory the table of pages takes more, once it has a page with this number.
    #[cold]
    pub(super) fn table_pages(&self, number: u64) -> u64 {
        if number >= LOW_PAGES {
            return 0;
        }
        let more = (number + 1).saturating_sub(self.low.len() as u64);
        // A growing table reserves as much again.
        2 * more * (size_of::<Option<Box<Bytes>>>() + size_of::<Stamp>()) as u64 / PAGE
    }

    /// Adds an empty page.
    #[cold]
    pub(super) fn add(&mut self, number: u64) {
        if number >= LOW_PAGES {
            self.high.insert(number, (new_page(), Stamp::default()));
            return;
        }
        let number = number as usize;
        if number >= self.low.len() {
            self.low.resize_with(number + 1, || None);
            self.stamps.resize(number + 1, Stamp::default());
        }
        self.low[number] = Some(new_page());
    }

    /// Every page that was written after keyframe `base`, ascending.
    pub(super) fn written_since(&self, base: u64) -> impl Iterator<Item = (u64, &Bytes)> {
        let since = move |stamp: &Stamp| u64::from(stamp.interval) > base;
        let low = self.low.iter().zip(&self.stamps).enumerate();
        let low =
            low.filter_map(move |(i, (page, stamp))| Some((i as u64, page.as_deref().filter(|_| since(stamp))?)));
        let high = self.high.iter().filter(move |(_, (_, stamp))| since(stamp));
        low.chain(high.map(|(number, (bytes, _))| (*number, &**bytes)))
    }

    /// Every existing page with a number in `range`, ascending.
    pub(super) fn pages_in(&self, range: Range<u64>) -> impl Iterator<Item = (u64, &Bytes)> {
        let low = self.low_in(range.clone()).filter_map(|i| Some((i as u64, self.low[i].as_deref()?)));
        let high = range.start..range.end.max(range.start);
        low.chain(self.high.range(high).map(|(i, (bytes, _))| (*i, &**bytes)))
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

fn new_page() -> Box<Bytes> {
    Box::new([0; PAGE as usize])
}
