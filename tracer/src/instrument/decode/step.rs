//! Sites and segments in the decoder's form: the sizes of their records, and their meaning.

use super::super::raw::{Payload, SEGMENT_HEAD};
use forkpoint_traces::Site;

/// How a record is read. Stores of up to 8 bytes in 32-bit memories are almost all there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Store32,
    Store64,
    Vector,
    Grow,
    Other,
}

/// One site in the decoder's form: 24 bytes, so that two or three steps share a cache line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    /// Added to the base address of a store.
    pub(super) offset: u64,
    /// Keeps the bytes of a store's value.
    pub(super) mask: u64,
    pub(super) size: u8,
    pub(super) kind: Kind,
    pub(super) fields: [u8; 3],
    /// The memory that is written. A module has at most a thousand.
    pub(super) memory: u16,
}

impl Step {
    /// The step of `site`; `wide` says whether a memory has 64 bits.
    pub(super) fn new(site: &Site, wide: impl Fn(u32) -> bool) -> Step {
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
            memory: u16::try_from(site.memory.0).unwrap_or(u16::MAX),
        }
    }

    /// The operands of an event, of the raw operands of a call of the hook.
    #[inline]
    pub(super) fn operands(&self, raw: [u64; 3]) -> [u64; 3] {
        let [first, second, third] = raw;
        match self.kind {
            Kind::Store32 | Kind::Store64 => [first.wrapping_add(self.offset), second & self.mask, 0],
            Kind::Vector => [first.wrapping_add(self.offset), second, third],
            Kind::Grow if second == self.mask => [first, u64::MAX, 0],
            Kind::Grow | Kind::Other => {
                let mut operands = raw;
                for (operand, size) in operands.iter_mut().zip(self.fields) {
                    *operand &= u64::MAX.checked_shr(64 - 8 * u32::from(size)).unwrap_or(0);
                }
                operands
            }
        }
    }

    /// The address past the last byte of the store to a 32-bit memory whose fields `fields` begins with.
    #[inline(always)]
    pub(super) fn end_of(&self, fields: &[u8]) -> u64 {
        read_u32(fields, 0).wrapping_add(self.offset).saturating_add(u64::from(self.size) - 4)
    }

    /// Appends the record of a call of the hook with these raw operands, as inline code would have written it.
    #[inline]
    pub(super) fn encode(&self, raw: [u64; 3], record: &mut Vec<u8>) {
        if self.kind == Kind::Vector {
            record.extend_from_slice(&raw[0].to_le_bytes()[..usize::from(self.fields[0])]);
            record.extend_from_slice(&raw[1].to_le_bytes());
            record.extend_from_slice(&raw[2].to_le_bytes());
            return;
        }
        for (operand, size) in raw.iter().zip(self.fields) {
            record.extend_from_slice(&operand.to_le_bytes()[..usize::from(size)]);
        }
    }

    /// Everything but plain stores; kept out of the hot loop.
    #[inline(never)]
    pub(super) fn rare(&self, bytes: &[u8], mut at: usize) -> [u64; 3] {
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

/// A segment as a whole, in one load.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extent {
    /// Its first step, and the one past the last.
    pub(super) first: u32,
    pub(super) end: u32,
    /// Bytes of its record.
    pub(super) size: u32,
    /// Whether it has nothing but stores to the first memory, a 32-bit one. Others are rare, and decoded.
    pub(super) plain: bool,
}

impl Extent {
    /// The extent of the segment with the steps `first..end` of `steps`.
    pub(super) fn of(steps: &[Step], first: u32, end: u32) -> Extent {
        let steps = &steps[first as usize..end as usize];
        let is_store = |step: &Step| matches!(step.kind, Kind::Store32 | Kind::Vector);
        let is_plain = |step: &Step| is_store(step) && step.memory == 0 && step.fields[0] == 4;
        let size = SEGMENT_HEAD + steps.iter().map(|step| u32::from(step.size)).sum::<u32>();
        Extent { first, end, size, plain: steps.iter().all(is_plain) }
    }
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
pub(super) fn read_u32(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32::from_le_bytes(padded(bytes, at)))
}

#[inline(always)]
pub(super) fn read_u64(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(padded(bytes, at))
}
