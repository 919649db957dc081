//! The raw record that rewritten code leaves in the buffer, and its decoder.
//!
//! The layout is described in the [module's documentation](super). [`Payload`] is its only source: the
//! emitting side takes sizes and field positions from it, the decoding side its table.

use super::{MemoryDecl, Segment};
use crate::protocol::HOOK_SIZE;
use forkpoint_traces::{HostEvent, MemoryOp, Shape, Site, SiteId};
use thiserror::Error;

/// Number of the first segment in raw records. Lower numbers are free for records of the host's own.
pub const FIRST_SEGMENT: u32 = 16;

/// Number of the record that says what memory held after the store before it, in place of the stored value: its
/// payload is 16 bytes, of which as many count as the store has.
pub(super) const READ_BACK: u32 = 1;

/// Bytes of a [`READ_BACK`] record.
pub(super) const READ_BACK_SIZE: u32 = SEGMENT_HEAD + 16;

/// Number of the record that the host leaves behind a host call's step: length u32, and an encoded `HostEvent`. The
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

/// In place of a site in a call of the hook: the run has come to a mark, the first operand.
pub(crate) const MARK_HOOK: u32 = 4;

/// In place of a site in a call of the hook: an imported function is called at a mark, the first operand.
pub(super) const CALLER_HOOK: u32 = 5;

/// In place of a site in a call of the hook: a note at a mark, the first operand, with two words.
pub(super) const NOTE_HOOK: u32 = 6;

/// Bytes of a host write in one record.
const HOST_PIECE: usize = 32 << 10;

/// Bytes of the segment number in front of a segment's payloads.
pub(super) const SEGMENT_HEAD: u32 = 4;

/// A raw block that no rewritten module can have written.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RecordError {
    /// No segment has this number.
    #[error(
        "a raw block of {length} bytes names segment {segment} at byte {offset}, but the module's segments are numbered from {FIRST_SEGMENT} to below {end}"
    )]
    UnknownSegment {
        /// The number found.
        segment: u32,
        /// Where in the block.
        offset: usize,
        /// One past the last number.
        end: u32,
        /// Length of the block in bytes.
        length: usize,
    },
    /// What a store left in memory is told without a store before it.
    #[error("a raw block of {length} bytes has a read-back without a store at byte {offset}")]
    NoStore {
        /// Where in the block.
        offset: usize,
        /// Length of the block in bytes.
        length: usize,
    },
    /// A hook was called with the number of a site that does not exist.
    #[error("a hook names site {0}, which the module does not have")]
    UnknownSite(u32),
    /// The block ends where no instruction can have left the cursor.
    #[error("a raw block of {length} bytes ends inside of a record: {needed} bytes were expected at byte {offset}")]
    Cut {
        /// Where the record (or its part) starts.
        offset: usize,
        /// Bytes it needs.
        needed: usize,
        /// Length of the block in bytes.
        length: usize,
    },
}

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
    /// Nothing: the segment number alone says that it happened.
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

    /// Sizes of the fields in bytes; 0 for fields it does not have.
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

/// Which way a record is read. Stores of up to 8 bytes in 32-bit memories are almost all there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Store32,
    Store64,
    Vector,
    Grow,
    Other,
}

/// One site as the decoder needs it: 32 bytes, so that a step is in one cache line.
#[derive(Debug, Clone, Copy)]
struct Step {
    /// Added to the base address of a store.
    offset: u64,
    /// Keeps the bytes of a store's value.
    mask: u64,
    size: u8,
    kind: Kind,
    fields: [u8; 3],
}

/// Takes what the decoder reads.
pub trait RecordSink {
    /// An event of an instruction, with the operands as [`RecordDecoder::decode_block`] says.
    fn event(&mut self, site: SiteId, operands: [u64; 3]);

    /// Memory holds these bytes (low half, high half; as many as the store has) after the store at `site` to
    /// `address`, the last event given to [`RecordSink::event`], in place of what was stored.
    fn read_back(&mut self, site: SiteId, address: u64, found: [u64; 2]);

    /// The next step of a host call is a call at this mark.
    fn caller(&mut self, _mark: u32) {}

    /// The run has come to a mark.
    fn mark(&mut self, _mark: u32) {}

    /// The code has something to say at this mark, if there was one.
    fn note(&mut self, _mark: u32, _words: [u64; 2]) {}

    /// A step of a host call, encoded. The rewritten module leaves none by itself: who records no host needs no such sink.
    fn host(&mut self, _event: &[u8]) {}
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

/// The event of the host record at `at`, and where the next record begins.
fn host_event(bytes: &[u8], at: usize) -> Result<(&[u8], usize), RecordError> {
    let start = at + 8;
    if start > bytes.len() {
        return Err(cut(bytes, at, 8));
    }
    let length = read_u32(bytes, at + 4) as usize;
    match start.checked_add(length).and_then(|end| Some((bytes.get(start..end)?, end))) {
        Some(found) => Ok(found),
        None => Err(cut(bytes, start, length)),
    }
}

/// Turns raw blocks into `(site, operands)`.
#[derive(Debug, Clone)]
pub struct RecordDecoder {
    /// First step and the one past the last, by segment.
    segments: Vec<(u32, u32)>,
    steps: Vec<Step>,
    /// Site and address of the hook call before.
    hooked: Option<(SiteId, u64)>,
}

/// Reads `N` bytes at `at`, those past the end of `bytes` as zero.
#[inline(always)]
fn padded<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    match bytes.get(at..).and_then(|rest| rest.first_chunk()) {
        Some(chunk) => *chunk,
        None => padded_slow(bytes, at),
    }
}

/// Only the last record of a block gets here.
#[cold]
fn padded_slow<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut chunk = [0; N];
    let rest = bytes.get(at..).unwrap_or_default();
    let length = rest.len().min(N);
    chunk[..length].copy_from_slice(&rest[..length]);
    chunk
}

#[inline(always)]
fn read_u32(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32::from_le_bytes(padded(bytes, at)))
}

#[inline(always)]
fn read_u64(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(padded(bytes, at))
}

impl RecordDecoder {
    /// The decoder for what `instrument` made of a module.
    pub fn new(sites: &[Site], segments: &[Segment], memories: &[MemoryDecl]) -> RecordDecoder {
        let wide = |memory: u32| memories.get(memory as usize).is_some_and(|memory| memory.memory64);
        let steps = sites
            .iter()
            .map(|site| {
                let payload = Payload::new(site.op, wide(site.memory.0), wide(site.source));
                let fields = payload.fields();
                let (kind, mask) = match payload {
                    Payload::Store { width: 16, .. } => (Kind::Vector, u64::MAX),
                    Payload::Store { wide, width } => {
                        let kind = if wide { Kind::Store64 } else { Kind::Store32 };
                        (kind, u64::MAX >> (64 - 8 * u32::from(width)))
                    }
                    Payload::Grow { wide } => (Kind::Grow, if wide { u64::MAX } else { u64::from(u32::MAX) }),
                    _ => (Kind::Other, 0),
                };
                Step {
                    offset: site.static_offset,
                    mask,
                    size: payload.size() as u8,
                    kind,
                    fields: fields.map(|size| size as u8),
                }
            })
            .collect::<Vec<_>>();
        let segments = segments
            .iter()
            .map(|segment| {
                let end = segment.first.saturating_add(segment.count).min(steps.len() as u32);
                (segment.first.min(end), end)
            })
            .collect();
        RecordDecoder { segments, steps, hooked: None }
    }

    /// Decodes a block of hook calls (site u32 and three operands u64 each) and host records.
    ///
    /// # Errors
    /// When no rewritten module can have made the calls. Events before were given to `sink`.
    pub fn decode_hooks(&mut self, bytes: &[u8], sink: &mut impl RecordSink) -> Result<(), RecordError> {
        let mut at = 0;
        while at < bytes.len() {
            if bytes.len() - at < SEGMENT_HEAD as usize {
                return Err(cut(bytes, at, SEGMENT_HEAD as usize));
            }
            let site = read_u32(bytes, at) as u32;
            if site == HOST_RECORD {
                let (event, end) = host_event(bytes, at)?;
                sink.host(event);
                (at, self.hooked) = (end, None);
                continue;
            }
            if bytes.len() - at < HOOK_SIZE {
                return Err(cut(bytes, at, HOOK_SIZE));
            }
            let operands = [read_u64(bytes, at + 4), read_u64(bytes, at + 12), read_u64(bytes, at + 20)];
            self.decode_hook(site, operands, sink)?;
            at += HOOK_SIZE;
        }
        Ok(())
    }

    /// Decodes a call of the hook: the number of a site and its raw operands, zero-extended.
    ///
    /// # Errors
    /// When no rewritten module can have made the call.
    pub fn decode_hook(
        &mut self,
        site: u32,
        operands: [u64; 3],
        sink: &mut impl RecordSink,
    ) -> Result<(), RecordError> {
        match site {
            MARK_HOOK => {
                sink.mark(operands[0] as u32);
                return Ok(());
            }
            CALLER_HOOK => {
                sink.caller(operands[0] as u32);
                return Ok(());
            }
            NOTE_HOOK => {
                sink.note(operands[0] as u32, [operands[1], operands[2]]);
                return Ok(());
            }
            _ => {}
        }
        let site = SiteId(site);
        if site == SiteId::OBSERVED {
            let (store, address) = self.hooked.ok_or(RecordError::NoStore { offset: 0, length: 0 })?;
            sink.read_back(store, address, [operands[0], operands[1]]);
            return Ok(());
        }
        let step = site.0.checked_sub(SiteId::FIRST.0).and_then(|index| self.steps.get(index as usize));
        let step = step.ok_or(RecordError::UnknownSite(site.0))?;
        let [first, second, third] = operands;
        let operands = match step.kind {
            Kind::Store32 | Kind::Store64 => [first.wrapping_add(step.offset), second & step.mask, 0],
            Kind::Vector => [first.wrapping_add(step.offset), second, third],
            Kind::Grow if second == step.mask => [first, u64::MAX, 0],
            Kind::Grow | Kind::Other => {
                let mut operands = [first, second, third];
                for (operand, size) in operands.iter_mut().zip(step.fields) {
                    *operand &= u64::MAX.checked_shr(64 - 8 * u32::from(size)).unwrap_or(0);
                }
                operands
            }
        };
        self.hooked = Some((site, operands[0]));
        sink.event(site, operands);
        Ok(())
    }

    /// Decodes a raw block: the bytes of the buffer up to the cursor. Calls `sink` for each event in order,
    /// with operands as an event of the site carries them: `[effective address, value, 0]` for stores of up to 8
    /// bytes, `[effective address, low half, high half]` for vectors, `[delta, result]` for `memory.grow` with
    /// [`u64::MAX`] for a refusal, `[destination, byte, length]` for fills, `[destination, source, length]` for
    /// copies and inits, nothing for drops.
    ///
    /// The last segment of a block may be incomplete: a trap ended it.
    ///
    /// # Errors
    ///
    /// When no rewritten module can have written the block. Events before the faulty place were given to
    /// `sink`.
    #[inline]
    pub fn decode_block(&self, bytes: &[u8], sink: &mut impl RecordSink) -> Result<(), RecordError> {
        let mut at = 0;
        let mut last = None;
        while at < bytes.len() {
            let start = at;
            if bytes.len() - at < SEGMENT_HEAD as usize {
                return Err(cut(bytes, at, SEGMENT_HEAD as usize));
            }
            let number = read_u32(bytes, at) as u32;
            let segment = number.wrapping_sub(FIRST_SEGMENT) as usize;
            let Some(&(first, end)) = self.segments.get(segment) else {
                if number == READ_BACK {
                    let (site, address) = last.ok_or(RecordError::NoStore { offset: at, length: bytes.len() })?;
                    if bytes.len() - at < READ_BACK_SIZE as usize {
                        return Err(cut(bytes, at, READ_BACK_SIZE as usize));
                    }
                    at += SEGMENT_HEAD as usize;
                    sink.read_back(site, address, [read_u64(bytes, at), read_u64(bytes, at + 8)]);
                    at += 16;
                    continue;
                }
                if number == HOST_RECORD {
                    let (event, end) = host_event(bytes, at)?;
                    sink.host(event);
                    (at, last) = (end, None);
                    continue;
                }
                if number == CALLER || number == NOTE {
                    let size = if number == CALLER { CALLER_SIZE } else { NOTE_SIZE } as usize;
                    if bytes.len() - at < size {
                        return Err(cut(bytes, at, size));
                    }
                    let mark = read_u32(bytes, at + 4) as u32;
                    match number {
                        CALLER => sink.caller(mark),
                        _ => sink.note(mark, [read_u64(bytes, at + 8), read_u64(bytes, at + 16)]),
                    }
                    at += size;
                    continue;
                }
                return Err(RecordError::UnknownSegment {
                    segment: number,
                    offset: at,
                    end: FIRST_SEGMENT.saturating_add(self.segments.len() as u32),
                    length: bytes.len(),
                });
            };
            at += SEGMENT_HEAD as usize;
            let mut site = SiteId::FIRST.0.wrapping_add(first);
            for step in &self.steps[first as usize..end as usize] {
                let size = usize::from(step.size);
                let left = bytes.len() - at;
                if left < size {
                    // The head alone is never committed, except for an instruction without operands.
                    if left == 0 && at > start + SEGMENT_HEAD as usize {
                        return Ok(());
                    }
                    return Err(cut(bytes, at, size));
                }
                let operands = match step.kind {
                    Kind::Store32 => {
                        [read_u32(bytes, at).wrapping_add(step.offset), read_u64(bytes, at + 4) & step.mask, 0]
                    }
                    Kind::Store64 => {
                        [read_u64(bytes, at).wrapping_add(step.offset), read_u64(bytes, at + 8) & step.mask, 0]
                    }
                    _ => step.rare(bytes, at),
                };
                sink.event(SiteId(site), operands);
                last = Some((SiteId(site), operands[0]));
                site = site.wrapping_add(1);
                at += size;
            }
        }
        Ok(())
    }
}

impl Step {
    /// Everything but plain stores; kept out of the hot loop.
    #[inline(never)]
    fn rare(&self, bytes: &[u8], mut at: usize) -> [u64; 3] {
        let mut operands = [0; 3];
        if self.kind == Kind::Vector {
            let address = usize::from(self.fields[0]);
            let base = if address == 8 { read_u64(bytes, at) } else { read_u32(bytes, at) };
            let value = at + address;
            return [base.wrapping_add(self.offset), read_u64(bytes, value), read_u64(bytes, value + 8)];
        }
        for (operand, size) in operands.iter_mut().zip(self.fields) {
            *operand = match size {
                0 => 0,
                1 => u64::from(padded::<1>(bytes, at)[0]),
                4 => read_u32(bytes, at),
                _ => read_u64(bytes, at),
            };
            at += usize::from(size);
        }
        if self.kind == Kind::Grow && operands[1] == self.mask {
            operands[1] = u64::MAX;
        }
        operands
    }
}

#[cold]
fn cut(bytes: &[u8], offset: usize, needed: usize) -> RecordError {
    RecordError::Cut { offset, needed, length: bytes.len() }
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
