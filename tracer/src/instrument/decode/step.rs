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

impl Kind {
    const ALL: [Kind; 5] = [Kind::Store32, Kind::Store64, Kind::Vector, Kind::Grow, Kind::Other];
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

    /// Bytes of a carried step.
    pub(super) const CARRIED: usize = 24;

    /// The step as bytes.
    pub(super) fn carry(&self) -> [u8; Step::CARRIED] {
        let mut bytes = [0; Step::CARRIED];
        bytes[..8].copy_from_slice(&self.offset.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.mask.to_le_bytes());
        bytes[16..18].copy_from_slice(&self.memory.to_le_bytes());
        bytes[18..21].copy_from_slice(&self.fields);
        (bytes[21], bytes[22]) = (self.size, self.kind as u8);
        bytes
    }

    /// The step that was carried in these bytes; `None` if it was none.
    pub(super) fn carried(bytes: &[u8; Step::CARRIED]) -> Option<Step> {
        let [a, b, c, d, e, f, g, h, rest @ ..] = *bytes;
        let [i, j, k, l, m, n, o, p, low, high, first, second, third, size, kind, _] = rest;
        let kind = Kind::ALL.into_iter().find(|known| *known as u8 == kind)?;
        let whole = [first, second, third].iter().map(|field| u32::from(*field)).sum::<u32>() == u32::from(size);
        whole.then_some(Step {
            offset: u64::from_le_bytes([a, b, c, d, e, f, g, h]),
            mask: u64::from_le_bytes([i, j, k, l, m, n, o, p]),
            size,
            kind,
            fields: [first, second, third],
            memory: u16::from_le_bytes([low, high]),
        })
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

    /// The raw operands of a call of the hook that these operands of an event come from, as far as they count.
    pub(super) fn raw(&self, operands: [u64; 3]) -> [u64; 3] {
        let [first, second, third] = operands;
        match self.kind {
            Kind::Store32 | Kind::Store64 => [first.wrapping_sub(self.offset), second & self.mask, 0],
            Kind::Vector => [first.wrapping_sub(self.offset), second, third],
            Kind::Grow if second == u64::MAX => [first, self.mask, 0],
            Kind::Grow | Kind::Other => operands,
        }
    }

    /// The bits of raw operands that count.
    pub(super) fn masks(&self) -> [u64; 3] {
        match self.kind {
            Kind::Store32 | Kind::Store64 => [u64::MAX, self.mask, 0],
            Kind::Vector => [u64::MAX; 3],
            Kind::Grow | Kind::Other => {
                self.fields.map(|size| u64::MAX.checked_shr(64 - 8 * u32::from(size)).unwrap_or(0))
            }
        }
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
    /// Its first step.
    pub(super) first: u32,
    /// Number of its steps.
    pub(super) count: u16,
    /// Whether it has nothing but stores to the first memory, a 32-bit one. Others are rare, and decoded.
    pub(super) plain: bool,
    /// Bytes of its record.
    pub(super) size: u32,
    /// The first stores of a plain segment, and the last of them again where there are fewer: no branch, which would often be
    /// mispredicted.
    pub(super) spans: [Span; 4],
}

/// Where in a record the address of a store may be to be among a few.
pub(super) const FARTHEST: u16 = 63;

/// A segment in 12 bytes: of a large program's segments those that are in use must fit into the nearer caches.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Brief {
    /// The most that is added to the addresses of its stores to have the ends of what they write.
    pub(super) top: u32,
    /// Where in the record the addresses of its first four stores are; the last again where there are fewer: no branch, which
    /// would often be mispredicted.
    pub(super) at: [u8; 4],
    /// Bytes of its record.
    pub(super) size: u8,
    /// Number of its steps.
    pub(super) count: u8,
    pub(super) stores: Stores,
}

/// How a segment's stores are found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Stores {
    /// It is not plain, or too long.
    #[default]
    Other,
    /// There are at most four.
    Few,
    /// There are more, or they are far apart.
    Many,
}

/// A store of a plain segment, as a digest needs it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Span {
    /// Where in the segment's record its address is.
    pub(super) at: u16,
    /// What is added to the address to have the end of what it writes.
    pub(super) top: u32,
}

impl Extent {
    /// The same in less space.
    pub(super) fn brief(&self) -> Brief {
        let (Ok(size), Ok(count), true) = (u8::try_from(self.size), u8::try_from(self.count), self.plain) else {
            return Brief::default();
        };
        let few = usize::from(self.count) <= self.spans.len() && self.spans.iter().all(|span| span.at <= FARTHEST);
        let stores = if few { Stores::Few } else { Stores::Many };
        let top = self.spans.iter().map(|span| span.top).max().unwrap_or(0);
        Brief { top, at: self.spans.map(|span| span.at as u8), size, count, stores }
    }

    /// The extent of the segment with the steps `first..end` of `steps`, and the stores in it, which count if it is plain.
    pub(super) fn of(steps: &[Step], first: u32, end: u32) -> (Extent, Vec<Span>) {
        let steps = &steps[first as usize..end as usize];
        let is_store = |step: &Step| matches!(step.kind, Kind::Store32 | Kind::Vector);
        let is_plain = |step: &Step| is_store(step) && step.memory == 0 && step.fields[0] == 4;
        let mut size = SEGMENT_HEAD;
        let mut plain = u16::try_from(steps.len()).is_ok() && steps.iter().all(is_plain);
        let mut spans = Vec::with_capacity(steps.len());
        for step in steps {
            let top = step.offset.saturating_add(u64::from(step.size) - u64::from(step.fields[0]));
            plain &= u16::try_from(size).is_ok() && u32::try_from(top).is_ok();
            spans.push(Span { at: size as u16, top: top as u32 });
            size += u32::from(step.size);
        }
        let last = spans.iter().take(4).next_back().copied().unwrap_or_default();
        let four = [0, 1, 2, 3].map(|number| spans.get(number).copied().unwrap_or(last));
        (Extent { first, count: steps.len() as u16, plain, size, spans: four }, spans)
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
