//! Reading a chunk: columns become events again, all of them or those of the host alone.

use super::group::GroupedValues;
use super::{
    BLOBS, COLUMNS, CONTROL, ChunkHead, GROUPED, GROUPS, HOST, SITES, VALUES, WORDS, blob_column, take_blob,
};
use crate::block;
use crate::error::TraceError;
use crate::ids::SiteId;
use crate::predict::Predictor;
use crate::raw::RawEvent;
use crate::site::{Layout, MAX_OPERANDS, Operand};
use crate::{varint, wire};
use xxhash_rust::xxh3::Xxh3;

/// A chunk's columns, decompressed and checked.
pub(crate) struct ChunkColumns {
    pub(crate) head: ChunkHead,
    columns: [Vec<u8>; COLUMNS],
    at: u64,
}

impl ChunkColumns {
    /// Decompresses the payload of the chunk block at `at`, and checks its digest.
    pub(crate) fn new(payload: &[u8], at: u64) -> Result<ChunkColumns, TraceError> {
        let columns = ChunkColumns::decompress(payload, at, |_| true)?;
        let mut digest = Xxh3::new();
        for column in &columns.columns {
            digest.update(&(column.len() as u64).to_le_bytes());
            digest.update(column);
        }
        digest.update(&columns.head.count.to_le_bytes());
        if digest.digest128().to_le_bytes() != columns.head.digest {
            return Err(TraceError::corrupt(at, "the digest of a chunk is not that of its events"));
        }
        Ok(columns)
    }

    /// The same without the values of instructions, most of the bytes of most chunks: for [`ChunkColumns::decode`] into a
    /// sink that does not want them. Their digest stays unchecked; the block's sum covers them.
    pub(crate) fn without_values(payload: &[u8], at: u64) -> Result<ChunkColumns, TraceError> {
        ChunkColumns::decompress(payload, at, |column| ![VALUES, GROUPS, GROUPED].contains(&column))
    }

    fn decompress(payload: &[u8], at: u64, wanted: impl Fn(usize) -> bool) -> Result<ChunkColumns, TraceError> {
        let (head, mut rest): (ChunkHead, &[u8]) = wire::decode_prefix(payload, at, "chunk head")?;
        head.check_columns(at)?;
        let mut columns: [Vec<u8>; COLUMNS] = Default::default();
        for (i, (column, (raw, stored))) in columns.iter_mut().zip(head.columns).enumerate() {
            let Some((bytes, after)) = rest.split_at_checked(stored as usize) else {
                return Err(TraceError::corrupt(at, format!("a column claims {raw} bytes, {stored} stored")));
            };
            rest = after;
            if raw > 0 && wanted(i) {
                *column = block::decompress(bytes, raw as usize, at)?;
            }
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

    /// Hands every event to `sink` in order, until it returns an error. `predictor` is one of these `layouts`.
    #[inline]
    pub(crate) fn decode<S: Sink>(
        &self,
        layouts: &[Layout],
        predictor: &mut Predictor,
        sink: &mut S,
    ) -> Result<(), S::Error> {
        let cut = |what: &str| TraceError::corrupt(self.at, format!("the {what} column of a chunk is cut off"));
        let [mut control, mut sites, mut words, mut values, mut blobs, mut host] =
            [CONTROL, SITES, WORDS, VALUES, BLOBS, HOST].map(|i| self.columns[i].as_slice());
        predictor.reset();
        let mut grouped = GroupedValues::default();
        if S::VALUES {
            let (groups, values) = (&self.columns[GROUPS], &self.columns[GROUPED]);
            grouped = GroupedValues::read(groups, values, layouts, predictor.take_values()).ok_or_else(|| {
                TraceError::corrupt(self.at, "the groups of values of a chunk do not fit its values or sites")
            })?;
        }
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
        let mut left = self.head.count;
        while left > 0 {
            left -= 1;
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
            if site as usize >= layouts.len() {
                return Err(
                    TraceError::corrupt(self.at, format!("event of site {site}, which is not in the table")).into()
                );
            }
            let state = predictor.enter(site);
            if state.width != 0 {
                // Nearly every event is a store of up to 8 bytes.
                let (memory, width) = (state.memory, state.width);
                let [first, second] = &mut state.lanes;
                let mut address = first.predict();
                if flags & 2 == 0 {
                    first.hit(address);
                } else {
                    let difference = varint::read(&mut words).ok_or_else(|| cut("word"))?;
                    address = address.wrapping_add(varint::unzigzag(difference));
                    first.miss(address);
                }
                let mut value = 0;
                if S::VALUES {
                    value = second.predict();
                    if flags & 4 == 0 {
                        second.hit(value);
                    } else {
                        value = if state.grouped {
                            grouped.next(site, width).ok_or_else(|| cut("grouped"))?
                        } else {
                            take_value(&mut values, width).ok_or_else(|| cut("value"))?
                        };
                        second.miss(value);
                    }
                }
                sink.store(SiteId(site), Store { memory, width, address, value })?;
                if state.successor == site && run > 0 {
                    // A loop around one store: nothing else is looked up while all is foreseen.
                    let again = run.min(left.into());
                    let [first, second] = &mut state.lanes;
                    for _ in 0..again {
                        let (address, value) = (first.predict(), second.predict());
                        first.hit(address);
                        second.hit(value);
                        let value = if S::VALUES { value } else { 0 };
                        sink.store(SiteId(site), Store { memory, width, address, value })?;
                    }
                    left -= again as u32;
                    run -= again;
                }
                continue;
            }
            let layout = &layouts[site as usize];
            let mut operands = [0; MAX_OPERANDS];
            for (i, operand) in operands.iter_mut().enumerate().take(usize::from(layout.count)) {
                let is_value = matches!(layout.operands[i], Operand::Bytes(_));
                if is_value && !S::VALUES {
                    continue;
                }
                let lane = predictor.lane(i);
                if flags & (2 << i) == 0 {
                    *operand = lane.predict();
                    lane.hit(*operand);
                    continue;
                }
                *operand = match layout.operands[i] {
                    Operand::Word => {
                        let difference = varint::read(&mut words).ok_or_else(|| cut("word"))?;
                        lane.predict().wrapping_add(varint::unzigzag(difference))
                    }
                    Operand::Bytes(width) => take_value(&mut values, width).ok_or_else(|| cut("value"))?,
                };
                lane.miss(*operand);
            }
            let mut blob: &[u8] = &[];
            if layout.blob {
                let column = if blob_column(SiteId(site)) == HOST { &mut host } else { &mut blobs };
                blob = take_blob(column).ok_or_else(|| cut("blob"))?;
            }
            sink.event(RawEvent { site: SiteId(site), operands, blob })?;
        }
        if S::VALUES {
            predictor.give_back(grouped.sites);
        }
        Ok(())
    }
}

/// A store of up to 8 bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Store {
    pub(crate) memory: u32,
    pub(crate) width: u8,
    pub(crate) address: u64,
    pub(crate) value: u64,
}

/// Takes decoded events.
pub(crate) trait Sink {
    /// Why it takes no more.
    type Error: From<TraceError>;

    /// Whether it wants the values of instructions. Where it does not, they are 0.
    const VALUES: bool = true;

    /// A store of up to 8 bytes.
    fn store(&mut self, site: SiteId, store: Store) -> Result<(), Self::Error>;

    /// Any other event.
    fn event(&mut self, event: RawEvent) -> Result<(), Self::Error>;
}

/// Takes the next value of `width` bytes, at most 8, off its column.
#[inline]
fn take_value(column: &mut &[u8], width: u8) -> Option<u64> {
    let length = usize::from(width);
    // One load, of which only the first bytes count, is faster than a copy of a length that varies.
    if let (Some(bytes), 1..=8) = (column.first_chunk(), width) {
        *column = &column[length..];
        return Some(u64::from_le_bytes(*bytes) & (u64::MAX >> (64 - 8 * u32::from(width))));
    }
    let (bytes, rest) = column.split_at_checked(length)?;
    *column = rest;
    let mut value = [0; 8];
    value.get_mut(..length)?.copy_from_slice(bytes);
    Some(u64::from_le_bytes(value))
}
