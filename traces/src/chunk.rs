//! A chunk: a fixed number of events in columns, readable alone.
//!
//! Columns: *control* (varint count of fully foreseen events, then a byte that flags what was not foreseen: bit 0 the
//! site, bits 1 to 3 the operands), *sites*, *words* (zigzag varint differences to the last value), *values* (raw
//! bytes), *blobs* (varint length and bytes) and *host* (the same, for host calls: a separate column, so that the
//! host log can be read without the stores). Each column is one zstd frame. The digest is XXH3-128 over the raw
//! columns: they are a function of the events alone, so equal digests mean equal events whatever the engine, and
//! hashing them costs per stored byte, not per event.

use crate::block;
use crate::compression;
use crate::error::TraceError;
use crate::filter::PageFilter;
use crate::ids::SiteId;
use crate::limits::{MAX_BLOB, MAX_COLUMNS};
use crate::predict::Predictor;
use crate::raw::RawEvent;
use crate::site::{Layout, MAX_OPERANDS, Operand};
use crate::{varint, wire};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use xxhash_rust::xxh3::Xxh3;

const COLUMNS: usize = 6;
const CONTROL: usize = 0;
const SITES: usize = 1;
const WORDS: usize = 2;
const VALUES: usize = 3;
const BLOBS: usize = 4;
const HOST: usize = 5;

/// A chunk is closed early when its blobs hold this much, so that big host writes cannot make it huge. The other
/// columns need no count: an event adds less than 64 bytes to them, and the number of events is bounded.
const FULL: usize = 8 << 20;

/// The column that holds the blobs of a site's events.
#[inline]
fn blob_column(site: SiteId) -> usize {
    if site == SiteId::HOST { HOST } else { BLOBS }
}

/// Takes the next blob off a column.
pub(crate) fn take_blob<'a>(column: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(varint::read(column)?).ok().filter(|length| *length <= MAX_BLOB)?;
    let (blob, rest) = column.split_at_checked(length)?;
    *column = rest;
    Some(blob)
}

/// Head of a chunk; an incomplete file's index is rebuilt from it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ChunkHead {
    /// Position of the first event.
    pub(crate) first: u64,
    /// Number of events.
    pub(crate) count: u32,
    /// XXH3-128 over the raw columns.
    pub(crate) digest: [u8; 16],
    /// How many of them record that memory differed from what the events before make it.
    pub(crate) observed: u32,
    /// Which memory pages it touches, roughly.
    pub(crate) pages: PageFilter,
    columns: [(u32, u32); COLUMNS],
}

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

impl ChunkHead {
    /// Refuses columns that together are larger than any writer's.
    fn check_columns(&self, at: u64) -> Result<(), TraceError> {
        let raw: u64 = self.columns.iter().map(|(raw, _)| u64::from(*raw)).sum();
        if raw > MAX_COLUMNS {
            return Err(TraceError::corrupt(at, format!("the columns of a chunk claim {raw} bytes")));
        }
        Ok(())
    }
}

/// A chunk's columns, decompressed and checked.
pub(crate) struct ChunkColumns {
    pub(crate) head: ChunkHead,
    columns: [Vec<u8>; COLUMNS],
    at: u64,
}

impl ChunkColumns {
    /// Decompresses the payload of the chunk block at `at`.
    pub(crate) fn new(payload: &[u8], at: u64) -> Result<ChunkColumns, TraceError> {
        let (head, mut rest): (ChunkHead, &[u8]) = wire::decode_prefix(payload, at, "chunk head")?;
        head.check_columns(at)?;
        let mut columns: [Vec<u8>; COLUMNS] = Default::default();
        let mut digest = Xxh3::new();
        for (column, (raw, stored)) in columns.iter_mut().zip(head.columns) {
            if stored as usize > rest.len() {
                return Err(TraceError::corrupt(at, format!("a column claims {raw} bytes, {stored} stored")));
            }
            let (bytes, after) = rest.split_at(stored as usize);
            rest = after;
            if raw > 0 {
                *column = block::decompress(bytes, raw as usize, at)?;
            }
            digest.update(&u64::from(raw).to_le_bytes());
            digest.update(column);
        }
        digest.update(&head.count.to_le_bytes());
        if digest.digest128().to_le_bytes() != head.digest {
            return Err(TraceError::corrupt(at, "the digest of a chunk is not that of its events"));
        }
        Ok(ChunkColumns { head, columns, at })
    }

    /// The host column alone, of the payload of the chunk block at `at`.
    pub(crate) fn host(payload: &[u8], at: u64) -> Result<Vec<u8>, TraceError> {
        let (head, rest): (ChunkHead, &[u8]) = wire::decode_prefix(payload, at, "chunk head")?;
        head.check_columns(at)?;
        let start: usize = head.columns[..HOST].iter().map(|(_, stored)| *stored as usize).sum();
        let (raw, stored) = head.columns[HOST];
        let bytes = rest.get(start..).and_then(|rest| rest.get(..stored as usize));
        let Some(bytes) = bytes else {
            return Err(TraceError::corrupt(at, format!("the host column claims {raw} bytes, {stored} stored")));
        };
        if raw == 0 { Ok(Vec::new()) } else { block::decompress(bytes, raw as usize, at) }
    }

    /// Calls `sink` for every event in order, until it returns an error.
    #[inline]
    pub(crate) fn decode<E: From<TraceError>>(
        &self,
        layouts: &[Layout],
        predictor: &mut Predictor,
        mut sink: impl FnMut(RawEvent) -> Result<(), E>,
    ) -> Result<(), E> {
        let cut = |what: &str| TraceError::corrupt(self.at, format!("the {what} column of a chunk is cut off"));
        let [mut control, mut sites, mut words, mut values, mut blobs, mut host] =
            [CONTROL, SITES, WORDS, VALUES, BLOBS, HOST].map(|i| self.columns[i].as_slice());
        predictor.reset();
        let mut run = 0u64;
        let mut pending = 0u8;
        let mut next = |run: &mut u64, pending: &mut u8| -> Result<(), TraceError> {
            if control.is_empty() {
                *run = u64::MAX;
                return Ok(());
            }
            *run = varint::read(&mut control).ok_or_else(|| cut("control"))?;
            let (&flags, rest) = control.split_first().ok_or_else(|| cut("control"))?;
            control = rest;
            *pending = flags;
            Ok(())
        };
        next(&mut run, &mut pending)?;
        for _ in 0..self.head.count {
            let mut flags = 0;
            if run == 0 {
                flags = pending;
                next(&mut run, &mut pending)?;
            } else {
                run -= 1;
            }
            let mut site = predictor.successor();
            if flags & 1 != 0 {
                let difference = varint::unzigzag(varint::read(&mut sites).ok_or_else(|| cut("site"))?);
                site = u64::from(site).wrapping_add(difference) as u32;
            }
            let Some(layout) = layouts.get(site as usize) else {
                return Err(
                    TraceError::corrupt(self.at, format!("event of site {site}, which is not in the table")).into()
                );
            };
            let state = predictor.enter(site);
            let mut operands = [0; MAX_OPERANDS];
            for (i, operand) in operands.iter_mut().enumerate().take(usize::from(layout.count)) {
                let lane = &mut state.lanes[i];
                if flags & (2 << i) == 0 {
                    *operand = lane.predict();
                    lane.hit(*operand);
                    continue;
                }
                *operand = match layout.operands[i] {
                    Operand::Word => {
                        let difference = varint::read(&mut words).ok_or_else(|| cut("word"))?;
                        lane.last.wrapping_add(varint::unzigzag(difference))
                    }
                    Operand::Bytes(width) => {
                        let (bytes, rest) =
                            values.split_at_checked(usize::from(width)).ok_or_else(|| cut("value"))?;
                        values = rest;
                        let mut value = [0; 8];
                        value[..bytes.len()].copy_from_slice(bytes);
                        u64::from_le_bytes(value)
                    }
                };
                lane.miss(*operand);
            }
            let mut blob: &[u8] = &[];
            if layout.blob {
                let column = if blob_column(SiteId(site)) == HOST { &mut host } else { &mut blobs };
                blob = take_blob(column).ok_or_else(|| cut("blob"))?;
            }
            sink(RawEvent { site: SiteId(site), operands, blob })?;
        }
        Ok(())
    }
}
