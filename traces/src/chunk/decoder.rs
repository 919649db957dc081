//! Reading a chunk: columns become events again, all of them or those of the host alone.

use super::{BLOBS, COLUMNS, CONTROL, ChunkHead, HOST, SITES, VALUES, WORDS, blob_column, take_blob};
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
            predictor.enter(site);
            let mut operands = [0; MAX_OPERANDS];
            for (i, operand) in operands.iter_mut().enumerate().take(usize::from(layout.count)) {
                let lane = predictor.lane(i);
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
