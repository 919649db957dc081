//! A chunk that has all its events and is not packed yet. Packing, that is hashing and compressing its columns, needs
//! nothing else, so any thread can do it.

use super::column::{Column, Columns};
use super::{COLUMNS, ChunkHead};
use crate::filter::PageFilter;
use crate::site::Layout;
use crate::{compression, wire};
use std::sync::Arc;
use xxhash_rust::xxh3::Xxh3;

/// The events of a chunk in columns, and what its head says of them.
pub(crate) struct FullChunk {
    pub(super) first: u64,
    pub(super) count: u32,
    pub(super) observed: u32,
    pub(super) pages: PageFilter,
    pub(super) columns: Columns,
    pub(super) layouts: Arc<[Layout]>,
}

impl FullChunk {
    /// Bytes in its columns.
    pub(crate) fn length(&self) -> usize {
        self.columns.iter().map(|column| column.bytes().len()).sum()
    }

    /// Its head, the payload of its block, and its columns for the next chunk; `level` is zstd's.
    pub(crate) fn pack(self, level: i32) -> std::io::Result<(ChunkHead, Vec<u8>, Columns)> {
        let FullChunk { first, count, observed, pages, mut columns, layouts } = self;
        columns.group(&layouts);
        let mut digest = Xxh3::new();
        let mut sizes = [(0, 0); COLUMNS];
        let mut stored = Vec::new();
        for (size, column) in sizes.iter_mut().zip(columns.iter().map(Column::bytes)) {
            digest.update(&(column.len() as u64).to_le_bytes());
            digest.update(column);
            let start = stored.len();
            if !column.is_empty() {
                stored.extend_from_slice(&compression::compress(column, level)?);
            }
            *size = (column.len() as u32, (stored.len() - start) as u32);
        }
        digest.update(&count.to_le_bytes());
        let digest = digest.digest128().to_le_bytes();
        let head = ChunkHead { first, count, digest, observed, pages, columns: sizes };
        let mut payload = wire::encode(&head);
        payload.extend_from_slice(&stored);
        columns.clear();
        Ok((head, payload, columns))
    }
}
