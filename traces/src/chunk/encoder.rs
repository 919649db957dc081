//! Writing a chunk: events become columns.

use super::{COLUMNS, CONTROL, ChunkHead, SITES, VALUES, WORDS, blob_column};
use crate::compression;
use crate::filter::PageFilter;
use crate::ids::SiteId;
use crate::predict::Predictor;
use crate::raw::RawEvent;
use crate::site::{Layout, Operand};
use crate::{varint, wire};
use std::sync::Arc;
use xxhash_rust::xxh3::Xxh3;

/// A chunk is closed early when its blobs hold this much, so that big host writes cannot make it huge. The other
/// columns need no count: an event adds less than 64 bytes to them, and the number of events is bounded.
const FULL: usize = 8 << 20;

/// Collects events into columns.
pub(crate) struct ChunkEncoder {
    layouts: Arc<[Layout]>,
    predictor: Predictor,
    columns: [Vec<u8>; COLUMNS],
    run: u64,
    count: u32,
    observed: u32,
    bytes: usize,
}

impl ChunkEncoder {
    pub(crate) fn new(layouts: Arc<[Layout]>) -> ChunkEncoder {
        let mut predictor = Predictor::new(layouts.len());
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

    /// Adds an event. Its site must be in the table.
    #[inline]
    pub(crate) fn push(&mut self, event: &RawEvent) {
        let layout = &self.layouts[event.site.0 as usize];
        let mut flags = 0u8;
        let expected = self.predictor.successor();
        if event.site.0 != expected {
            flags |= 1;
            let difference = i64::from(event.site.0) - i64::from(expected);
            varint::write(&mut self.columns[SITES], varint::zigzag(difference as u64));
        }
        let state = self.predictor.enter(event.site.0);
        if layout.store != 0 {
            // Address and value, as in the loop below: unrolled, since nearly every event is a store.
            let [address, value, _] = event.operands;
            let [first, second, _] = &mut state.lanes;
            if address == first.predict() {
                first.hit(address);
            } else {
                flags |= 2;
                varint::write(&mut self.columns[WORDS], varint::zigzag(address.wrapping_sub(first.last)));
                first.miss(address);
            }
            if value == second.predict() {
                second.hit(value);
            } else {
                flags |= 4;
                self.columns[VALUES].extend_from_slice(&value.to_le_bytes()[..usize::from(layout.store)]);
                second.miss(value);
            }
            self.end_event(flags);
            return;
        }
        for i in 0..usize::from(layout.count) {
            let lane = &mut state.lanes[i];
            let value = event.operands[i];
            if value == lane.predict() {
                lane.hit(value);
                continue;
            }
            flags |= 2 << i;
            match layout.operands[i] {
                Operand::Word => {
                    varint::write(&mut self.columns[WORDS], varint::zigzag(value.wrapping_sub(lane.last)));
                }
                Operand::Bytes(width) => {
                    self.columns[VALUES].extend_from_slice(&value.to_le_bytes()[..usize::from(width)]);
                }
            }
            lane.miss(value);
        }
        if layout.blob {
            let column = &mut self.columns[blob_column(event.site)];
            varint::write(column, event.blob.len() as u64);
            column.extend_from_slice(event.blob);
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
            varint::write(&mut self.columns[CONTROL], self.run);
            self.columns[CONTROL].push(flags);
            self.run = 0;
        }
    }

    /// Closes the chunk that began at position `first` and starts the next. Returns its head and the payload
    /// of its block.
    pub(crate) fn finish(&mut self, first: u64, pages: PageFilter) -> std::io::Result<(ChunkHead, Vec<u8>)> {
        let mut digest = Xxh3::new();
        let mut sizes = [(0, 0); COLUMNS];
        let mut stored = Vec::new();
        for (size, column) in sizes.iter_mut().zip(&self.columns) {
            digest.update(&(column.len() as u64).to_le_bytes());
            digest.update(column);
            let start = stored.len();
            if !column.is_empty() {
                stored.extend_from_slice(&compression::compress(column, 1)?);
            }
            *size = (column.len() as u32, (stored.len() - start) as u32);
        }
        digest.update(&self.count.to_le_bytes());
        let head = ChunkHead {
            first,
            count: self.count,
            digest: digest.digest128().to_le_bytes(),
            observed: self.observed,
            pages,
            columns: sizes,
        };
        let mut payload = wire::encode(&head);
        payload.extend_from_slice(&stored);
        self.columns.iter_mut().for_each(Vec::clear);
        self.predictor.reset();
        (self.run, self.count, self.observed, self.bytes) = (0, 0, 0, 0);
        Ok((head, payload))
    }
}
