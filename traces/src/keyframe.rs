//! Keyframes: stored memory images, so that a seek replays a bounded number of events.
//!
//! Each holds the pages changed since an earlier one. While recording, keyframe `k` (counted from 1) builds on
//! `k - lowbit(k)`, as in a Fenwick tree: a seek reads at most log2(k) keyframes, and a page that changes all the time
//! is stored at most log2 times as often as with plain differences. The few keyframes of an excerpt each build on the
//! one before. What builds on no keyframe builds on the events that set memory up, so that what the module's data segments give
//! is not stored.

use crate::page::PAGE;
use serde::{Deserialize, Serialize};

/// Fewest events between keyframes.
const MIN_EVENTS: u64 = 1 << 20;

/// What it may cost to replay the events between keyframes, at least: one for each, and one for each byte that its chunk holds of
/// what was not foreseen. Some 20 ms of a seek.
const MIN_COST: u64 = 10 << 20;

/// Events between keyframes for every dirty page: keeps keyframes a small part of the file.
const EVENTS_PER_DIRTY_PAGE: u64 = 8 * 1024;

/// Pages in one block of a keyframe: 4 MiB.
pub(crate) const PAGES_PER_BLOCK: usize = 1024;

/// What a keyframe builds on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Base {
    /// Memory after so many events, which are in the first chunk.
    Events(u64),
    /// The keyframe of this number, from 1.
    Keyframe(u64),
}

/// Where a keyframe is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeyframeEntry {
    /// The position whose memory this is.
    pub(crate) position: u64,
    /// What it builds on.
    pub(crate) base: Base,
    /// Sizes of all memories in pages of the memory, and bytes in such a page.
    pub(crate) sizes: Vec<(u64, u32)>,
    /// Offsets of its blocks of pages.
    pub(crate) blocks: Vec<u64>,
}

/// Number of the keyframe that keyframe `k` (from 1) builds on while recording; 0 is what comes before all.
pub(crate) fn base(k: u64) -> u64 {
    k & (k.wrapping_sub(1))
}

/// Whether a keyframe is due, this many events, bytes in columns and dirty pages after the last one.
pub(crate) fn due(events: u64, bytes: u64, dirty_pages: u64) -> bool {
    events >= MIN_EVENTS
        && events.saturating_add(bytes) >= MIN_COST
        && events >= dirty_pages.saturating_mul(EVENTS_PER_DIRTY_PAGE)
}

/// Head of a block of pages; the pages' bytes follow.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct PageList(pub(crate) Vec<(u32, u64)>);

impl PageList {
    /// Bytes of page contents that must follow.
    pub(crate) fn bytes(&self) -> u64 {
        self.0.len() as u64 * PAGE
    }
}
