//! The digest of a whole memory.

use crate::page::{PAGE, written_pages};
use xxhash_rust::xxh3::Xxh3;

/// Digests a memory from its non-zero 4 KiB pages, given in ascending order: XXH3-64 over each page's number (u64,
/// little endian) and bytes. Pages that were never touched cost nothing, and it does not matter whether an engine
/// distinguishes them from zeros.
#[derive(Default)]
pub struct MemoryDigest(Xxh3);

impl MemoryDigest {
    /// Adds bytes that start at a multiple of 4 KiB; a last page may be short.
    pub fn update(&mut self, address: u64, bytes: &[u8]) {
        for (number, page) in written_pages(bytes) {
            self.0.update(&(address / PAGE + number).to_le_bytes());
            self.0.update(page);
        }
    }

    /// The digest.
    pub fn finish(&self) -> u64 {
        self.0.digest()
    }
}
