//! A chunk: a fixed number of events in columns, readable alone.
//!
//! Columns: *control* (varint count of fully foreseen events, then a byte that flags what was not foreseen: bit 0 the
//! site, bits 1 to 3 the operands), *sites*, *words* (zigzag varint differences to the foreseen value), *values* (raw
//! bytes), *blobs* (varint length and bytes), *host* (the same, for host calls: a separate column, so that the
//! host log can be read without the stores), and *groups* and *grouped*, what stores of integers have instead of values
//! ([`group`]). Each column is one zstd frame. The digest is XXH3-128 over the raw
//! columns: they are a function of the events alone, so equal digests mean equal events whatever the engine, and
//! hashing them costs per stored byte, not per event.

use crate::error::TraceError;
use crate::filter::PageFilter;
use crate::ids::SiteId;
use crate::limits::{MAX_BLOB, MAX_COLUMNS};
use crate::varint;
use serde::{Deserialize, Serialize};

mod column;
mod decoder;
mod encoder;
mod full;
mod group;

pub(crate) use column::Columns;
pub(crate) use decoder::{ChunkColumns, Sink, Store};
pub(crate) use encoder::ChunkEncoder;
pub(crate) use full::FullChunk;

const COLUMNS: usize = 8;
const CONTROL: usize = 0;
const SITES: usize = 1;
const WORDS: usize = 2;
const VALUES: usize = 3;
const BLOBS: usize = 4;
const HOST: usize = 5;
const GROUPS: usize = 6;
const GROUPED: usize = 7;

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
