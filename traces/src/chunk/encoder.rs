//! Writing a chunk: events become columns.

use super::column::Columns;
use super::{CONTROL, FullChunk, GROUPED, SITES, VALUES, WORDS, blob_column};
use crate::filter::PageFilter;
use crate::ids::SiteId;
use crate::predict::Predictor;
use crate::raw::RawEvent;
use crate::site::{Layout, Operand};
use crate::varint;
use std::sync::Arc;

/// A chunk is closed early when its blobs hold this much, so that big host writes cannot make it huge. The other
/// columns need no count: an event adds less than 64 bytes to them, and the number of events is bounded.
const FULL: usize = 8 << 20;

/// Collects events into columns.
pub(crate) struct ChunkEncoder {
    layouts: Arc<[Layout]>,
    predictor: Predictor,
    columns: Columns,
    run: u64,
    count: u32,
    observed: u32,
    bytes: usize,
}

impl ChunkEncoder {
    pub(crate) fn new(layouts: Arc<[Layout]>) -> ChunkEncoder {
        let mut predictor = Predictor::new(&layouts);
        predictor.reset();
        ChunkEncoder { layouts, predictor, columns: Default::default(), run: 0, count: 0, observed: 0, bytes: 0 }
    }

    /// Events collected so far.
    #[inline]
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// Whether the chunk should be closed before it has all its events.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.bytes >= FULL
    }

    /// Memory and width of the store of up to 8 bytes at a site, `None` for anything else.
    #[inline]
    pub(crate) fn store_at(&self, site: SiteId) -> Option<(u32, u8)> {
        self.predictor.store(site.0)
    }

    /// Adds a store that [`ChunkEncoder::store_at`] knows: nearly every event there is. Its address and value come in
    /// registers: as a [`RawEvent`] they would be written to memory and read back at once, which costs more than
    /// everything else here.
    #[inline]
    pub(crate) fn store(&mut self, site: SiteId, address: u64, value: u64, width: u8) {
        let mut flags = self.enter(site);
        let state = self.predictor.entered();
        let grouped = state.grouped;
        let [first, second] = &mut state.lanes;
        if address == first.predict() {
            first.hit(address);
        } else {
            flags |= 2;
            self.columns[WORDS].varint(varint::zigzag(address.wrapping_sub(first.predict())));
            first.miss(address);
        }
        if value == second.predict() {
            second.hit(value);
        } else {
            flags |= 4;
            if grouped {
                self.columns[GROUPED].value(value, width);
                self.columns.grouping.owner(site.0);
            } else {
                self.columns[VALUES].value(value, width);
            }
            second.miss(value);
        }
        self.end_event(flags);
    }

    /// Whether this site's store would be foreseen again and again, with addresses that are `stride` apart.
    #[inline]
    pub(crate) fn foresees(&mut self, site: SiteId, address: u64, stride: u64, value: u64) -> bool {
        if self.predictor.successor() != site.0 || !self.predictor.is_at(site.0) {
            return false;
        }
        let [first, second] = &self.predictor.entered().lanes;
        (first.predict(), second.predict()) == (address, value) && first.goes_on(stride) && second.goes_on(0)
    }

    /// Adds so many stores that [`ChunkEncoder::foresees`].
    #[inline]
    pub(crate) fn again(&mut self, count: u32, stride: u64) {
        let [first, _] = &mut self.predictor.entered().lanes;
        first.hit(first.last.wrapping_add(stride.wrapping_mul(count.into())));
        self.count += count;
        self.run += u64::from(count);
    }

    /// Moves on to a site; gives the flag that says whether it was foreseen.
    #[inline]
    fn enter(&mut self, site: SiteId) -> u8 {
        let expected = self.predictor.successor();
        self.predictor.enter(site.0);
        if site.0 == expected {
            return 0;
        }
        let difference = i64::from(site.0) - i64::from(expected);
        self.columns[SITES].varint(varint::zigzag(difference as u64));
        1
    }

    /// Adds an event. Its site must be in the table.
    pub(crate) fn push(&mut self, event: &RawEvent) {
        let layout = &self.layouts[event.site.0 as usize];
        if layout.store != 0 {
            let [address, value, _] = event.operands;
            return self.store(event.site, address, value, layout.store);
        }
        let (layout, mut flags) = (*layout, self.enter(event.site));
        for (i, value) in event.operands.into_iter().enumerate().take(usize::from(layout.count)) {
            let lane = self.predictor.lane(i);
            if value == lane.predict() {
                lane.hit(value);
                continue;
            }
            flags |= 2 << i;
            match layout.operands[i] {
                Operand::Word => self.columns[WORDS].varint(varint::zigzag(value.wrapping_sub(lane.predict()))),
                Operand::Bytes(width) => self.columns[VALUES].value(value, width),
            }
            lane.miss(value);
        }
        if layout.blob {
            let column = &mut self.columns[blob_column(event.site)];
            column.varint(event.blob.len() as u64);
            column.extend(event.blob);
            self.bytes += event.blob.len();
            self.observed += u32::from(event.site == SiteId::OBSERVED);
        }
        self.end_event(flags);
    }

    #[inline]
    fn end_event(&mut self, flags: u8) {
        self.count += 1;
        if flags == 0 {
            self.run += 1;
        } else {
            self.columns[CONTROL].varint(self.run);
            self.columns[CONTROL].byte(flags);
            self.run = 0;
        }
    }

    /// Closes the chunk that began at position `first` and starts the next, in `emptied` columns.
    pub(crate) fn finish(&mut self, first: u64, pages: PageFilter, emptied: Columns) -> FullChunk {
        let columns = std::mem::replace(&mut self.columns, emptied);
        let layouts = Arc::clone(&self.layouts);
        let chunk = FullChunk { first, count: self.count, observed: self.observed, pages, columns, layouts };
        self.predictor.reset();
        (self.run, self.count, self.observed, self.bytes) = (0, 0, 0, 0);
        chunk
    }
}
