//! The format of raw records: what rewritten code leaves in the buffer, and the form of hook calls in a frame.
//!
//! The layout is described in the [module's documentation](super). [`Payload`] is its only source: the emitting side takes
//! sizes and field positions from it, the [decoder](super::decode) its table.

use forkpoint_traces::{HostEvent, MemoryOp, Shape};

/// Bytes of one call of the hook: the site as u32 and three operands as u64.
pub(crate) const HOOK_SIZE: usize = 28;

/// Number of the first segment in raw records. Lower numbers are for other records.
pub const FIRST_SEGMENT: u32 = 16;

/// Number of the record of what memory held after the preceding store, instead of the stored value: its payload is 16
/// bytes, of which as many count as the store has.
pub(super) const READ_BACK: u32 = 1;

/// Bytes of a [`READ_BACK`] record.
pub(super) const READ_BACK_SIZE: u32 = SEGMENT_HEAD + 16;

/// Number of the record that the host leaves after a host call's step: length u32, and an encoded `HostEvent`. The
/// same in blocks of inline records and of hook calls.
pub const HOST_RECORD: u32 = 2;

/// Number of the record before a direct call of an imported function: the number of a mark as u32.
pub(super) const CALLER: u32 = 3;

/// Bytes of a [`CALLER`] record.
pub(super) const CALLER_SIZE: u32 = SEGMENT_HEAD + 4;

/// Number of the record that is a note: the number of a mark as u32, and 16 bytes.
pub(super) const NOTE: u32 = 4;

/// Bytes of a [`NOTE`] record.
pub(super) const NOTE_SIZE: u32 = SEGMENT_HEAD + 20;

/// Instead of a site in a call of the hook: the run has reached a mark, the first operand.
pub(crate) const MARK_HOOK: u32 = 4;

/// Instead of a site in a call of the hook: an imported function is called at a mark, the first operand.
pub(crate) const CALLER_HOOK: u32 = 5;

/// Instead of a site in a call of the hook: a note at a mark, the first operand, with two words.
pub(crate) const NOTE_HOOK: u32 = 6;

/// Bytes of a host write in one record.
pub(crate) const HOST_PIECE: usize = 32 << 10;

/// Bytes of the segment number in front of a segment's payloads.
pub(super) const SEGMENT_HEAD: u32 = 4;

/// The fields of one instruction's record, in order. *Wide* fields have 8 bytes (64-bit memories), others 4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Payload {
    /// `address value`.
    Store { wide: bool, width: u8 },
    /// `delta result`.
    Grow { wide: bool },
    /// `destination byte length`; the byte is one byte.
    Fill { wide: bool },
    /// `destination source length`; the length is wide when both memories are.
    Copy { wide: bool, source_wide: bool },
    /// `destination source length`; only the destination may be wide.
    Init { wide: bool },
    /// Nothing: the segment number alone shows that it happened.
    Drop,
}

fn word(wide: bool) -> u32 {
    if wide { 8 } else { 4 }
}

impl Payload {
    /// The record of `op`, given whether the memory written and the one read are 64-bit.
    pub(super) fn new(op: MemoryOp, wide: bool, source_wide: bool) -> Payload {
        match op.shape() {
            Shape::Store { width, .. } | Shape::Rmw { width, .. } | Shape::Lane { width } => {
                Payload::Store { wide, width }
            }
            Shape::Grow => Payload::Grow { wide },
            Shape::Fill => Payload::Fill { wide },
            Shape::Copy => Payload::Copy { wide, source_wide },
            Shape::Init => Payload::Init { wide },
            Shape::Drop => Payload::Drop,
        }
    }

    /// Sizes of the fields in bytes; 0 for missing fields.
    pub(super) fn fields(self) -> [u32; 3] {
        match self {
            Payload::Store { wide, width } => [word(wide), u32::from(width), 0],
            Payload::Grow { wide } => [word(wide), word(wide), 0],
            Payload::Fill { wide } => [word(wide), 1, word(wide)],
            Payload::Copy { wide, source_wide } => [word(wide), word(source_wide), word(wide && source_wide)],
            Payload::Init { wide } => [word(wide), 4, 4],
            Payload::Drop => [0, 0, 0],
        }
    }

    /// Size of the whole record in bytes.
    pub(super) fn size(self) -> u32 {
        self.fields().iter().sum()
    }
}

/// A [`HOST_RECORD`] of an encoded `HostEvent`.
fn host_record(event: &[u8]) -> Vec<u8> {
    let mut record = Vec::with_capacity(8 + event.len());
    record.extend_from_slice(&HOST_RECORD.to_le_bytes());
    record.extend_from_slice(&(event.len() as u32).to_le_bytes());
    record.extend_from_slice(event);
    record
}

/// The records of a step of a host call: long writes become several.
pub fn host_records(event: &HostEvent) -> Vec<Vec<u8>> {
    let HostEvent::Write { memory, address, bytes } = event else { return vec![host_record(&event.encode())] };
    let piece = |(i, bytes): (usize, &[u8])| {
        let address = address.saturating_add((i * HOST_PIECE) as u64);
        host_record(&HostEvent::Write { memory: *memory, address, bytes: bytes.to_vec() }.encode())
    };
    bytes.chunks(HOST_PIECE).enumerate().map(piece).collect()
}

/// A run of sites whose records share one head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// Index in [`Instrumented::sites`](super::Instrumented::sites) of its first site.
    pub first: u32,
    /// How many sites.
    pub count: u32,
}
