//! A memory page by page: those that are not all zero, and digests of them.

use crate::populated::populated;
use forkpoint_traces::{PAGE, written_pages};
use xxhash_rust::xxh3::xxh3_64;

/// [`PAGE`] as a `usize`, for slices of memory.
pub(super) const PAGE_BYTES: usize = PAGE as usize;

/// Longest run of pages in one frame.
pub(super) const RUN: usize = 1 << 20;

/// Every page that is not all zero, by number. What was never touched is not read.
pub(super) fn pages(bytes: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    let mut next = 0;
    populated(bytes).into_iter().flat_map(move |part| {
        // Ranges consist of system pages, which may differ from the memory's: two ranges may share one.
        let first = (part.start / PAGE_BYTES).max(next);
        next = part.end.div_ceil(PAGE_BYTES).max(first);
        let part = &bytes[(first * PAGE_BYTES).min(bytes.len())..(next * PAGE_BYTES).min(bytes.len())];
        written_pages(part).map(move |(number, page)| (first as u64 + number, page))
    })
}

/// Digest of one page; a short last page is padded with zeros.
pub(crate) fn digest(page: &[u8]) -> u64 {
    if page.len() == PAGE_BYTES {
        return xxh3_64(page);
    }
    let mut whole = [0; PAGE_BYTES];
    whole[..page.len()].copy_from_slice(page);
    xxh3_64(&whole)
}
