//! The memory that the engine's process and the recorder share: *slots*, each with the layout of the guest's buffer.
//!
//! Slots are filled in turn. While the recorder reads one block of records, the engine already fills the next slot, and
//! waits only if all are full. What a process recorded is not lost with it, whether it crashes, aborts or is killed:
//! each slot begins with the cursor, as the rewritten module leaves it, and the number of the block that the slot holds,
//! so the recorder knows which blocks it does not have. The dead process does not have to do anything: a crash handler would
//! run in a broken process.

mod recorder;
mod slots;

pub(crate) use recorder::{SharedBuffer, count_block};
pub(crate) use slots::{Receiver, Slots};

use crate::instrument::{BUFFER_LIMIT, BUFFER_PAGES, CURSOR_AT, KEPT_AT, MARK_AT, RECORDS_AT};
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};

/// Length of a slot in bytes: that of the guest's buffer.
const LENGTH: usize = (BUFFER_PAGES as usize) << 16;

/// How many slots there are: one to fill, one to read, and one that waits, so that neither side waits for the other.
const SLOTS: usize = 3;

/// Address in a slot of the number of the block that it holds, from 1. 0 while it has held none, and in what a runner shares,
/// which has one slot and does not number what it fills it with (docs/runner-protocol.md).
const NUMBER_AT: usize = 4;

/// Blocks shorter than this go through the socket: that takes less time than changing slots.
const SHORT: usize = 32 << 10;

/// Appends a record to a buffer, the guest's or the host's own; `false` if it is full and must be sent first.
pub(crate) fn append(buffer: &mut [u8], record: &[u8]) -> bool {
    let Some((place, used)) = room(buffer, record.len()) else { return false };
    place.copy_from_slice(record);
    set_word(buffer, CURSOR_AT, used);
    true
}

/// Where records of a buffer are: behind what the host keeps, up to the cursor.
fn records(buffer: &[u8]) -> Range<usize> {
    let [start, end] = [KEPT_AT, CURSOR_AT].map(|at| buffer.len().min(RECORDS_AT + word(buffer, at) as usize));
    start..end.max(start)
}

/// Empties a buffer.
fn clear(buffer: &mut [u8]) {
    set_word(buffer, CURSOR_AT, word(buffer, KEPT_AT));
}

/// Room for a record of this length, and the cursor after it; `None` if the buffer must be sent first.
#[inline]
fn room(buffer: &mut [u8], length: usize) -> Option<(&mut [u8], u32)> {
    let used = word(buffer, CURSOR_AT) as usize;
    // The space beyond the limit is for a segment of the guest that began below it.
    if used + length > BUFFER_LIMIT as usize {
        return None;
    }
    let start = RECORDS_AT + used;
    Some((buffer.get_mut(start..start + length)?, (used + length) as u32))
}

/// The number of the mark that the guest reached last, in its own buffer.
pub(crate) fn mark(buffer: &[u8]) -> u32 {
    word(buffer, MARK_AT)
}

/// Sets that number.
pub(crate) fn set_mark(buffer: &mut [u8], mark: u32) {
    set_word(buffer, MARK_AT, mark);
}

/// Has the guest pass on its buffer, which is empty, when there are so many bytes of records in it.
pub(crate) fn set_limit(buffer: &mut [u8], limit: u32) {
    set_word(buffer, KEPT_AT, BUFFER_LIMIT.saturating_sub(limit));
    clear(buffer);
}

fn word(buffer: &[u8], at: usize) -> u32 {
    buffer.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |word| u32::from_le_bytes(*word))
}

/// Writes a word that another process reads: the compiler neither omits nor moves the write.
fn set_word(buffer: &mut [u8], at: usize, value: u32) {
    let Some(bytes) = buffer.get_mut(at..at + 4) else { return };
    // SAFETY: any four aligned bytes are an `AtomicU32`, and ours alone while they are borrowed.
    let (_, words, _) = unsafe { bytes.align_to_mut::<AtomicU32>() };
    match words.first() {
        // Release: no write before it may come after it. The recorder looks at a slot when a frame says that it is full, or
        // when this process is dead.
        Some(word) => word.store(value.to_le(), Ordering::Release),
        // If unaligned, it is not an engine's memory, whose start is at least this aligned.
        None => bytes.copy_from_slice(&value.to_le_bytes()),
    }
}
