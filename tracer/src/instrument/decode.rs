//! Reads raw records: a block of bytes in, sites and operands out.
//!
//! The hot half of a recording. Plain stores of up to 8 bytes are decoded inline, everything else out of line.

mod carried;
mod digested;
mod hooks;
mod lanes;
mod step;

use super::raw::{
    CALLER, CALLER_SIZE, FIRST_SEGMENT, HOST_RECORD, NOTE, NOTE_SIZE, READ_BACK, READ_BACK_SIZE, SEGMENT_HEAD,
};
use super::{MemoryDecl, Segment, Stretch};
use forkpoint_traces::{Site, SiteId};
pub use lanes::LANES;
use step::{Brief, Extent, Kind, Span, Step, read_u32, read_u64};
use thiserror::Error;

/// A raw block that no rewritten module can have written.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RawRecordError {
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
    /// A record of what a store left in memory, without a store before it.
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

/// Receives what the decoder reads.
pub trait RecordSink {
    /// An event of an instruction, with the operands that [`RecordDecoder::decode_block`] describes.
    fn event(&mut self, site: SiteId, operands: [u64; 3]);

    /// The event of a store of up to 8 bytes: the same as [`RecordSink::event`] with `[address, value, 0]`.
    #[inline]
    fn store(&mut self, site: SiteId, address: u64, value: u64) {
        self.event(site, [address, value, 0]);
    }

    /// The events of `count` such stores of one value, to addresses that are `stride` apart.
    fn stores(&mut self, site: SiteId, address: u64, stride: u64, value: u64, count: u64) {
        (0..count).for_each(|number| self.store(site, address.wrapping_add(stride.wrapping_mul(number)), value));
    }

    /// Memory holds these bytes (low half, high half; as many as the store has) after the store at `site` to
    /// `address`, the last event given to [`RecordSink::event`], instead of the stored ones.
    fn read_back(&mut self, site: SiteId, address: u64, found: [u64; 2]);

    /// The next step of a host call is a call at this mark.
    fn caller(&mut self, _mark: u32) {}

    /// The run has reached a mark.
    fn mark(&mut self, _mark: u32) {}

    /// A note at this mark, if there was one.
    fn note(&mut self, _mark: u32, _words: [u64; 2]) {}

    /// A step of a host call, encoded. The rewritten module leaves none by itself: a sink without a host needs no
    /// such method.
    fn host(&mut self, _event: &[u8]) {}

    /// A stretch of digested events has ended.
    fn stretch(&mut self, _stretch: &Stretch) {}
}

/// The event of the host record at `at`, and where the next record begins.
fn host_event(bytes: &[u8], at: usize) -> Result<(&[u8], usize), RawRecordError> {
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
    /// The same segments, as a digest needs them.
    extents: Vec<Extent>,
    /// The same in less space.
    briefs: Vec<Brief>,
    /// Where plain segments write, by step.
    spans: Vec<Span>,
    steps: Vec<Step>,
    /// Bytes in a page of each memory.
    page_sizes: Vec<u32>,
    /// Site and address of the hook call before.
    hooked: Option<(SiteId, u64)>,
}

impl RecordDecoder {
    /// The decoder for what `instrument` made of a module.
    pub fn new(sites: &[Site], segments: &[Segment], memories: &[MemoryDecl]) -> RecordDecoder {
        let wide = |memory: u32| memories.get(memory as usize).is_some_and(|memory| memory.memory64);
        let steps: Vec<Step> = sites.iter().map(|site| Step::new(site, wide)).collect();
        let segments: Vec<(u32, u32)> = segments
            .iter()
            .map(|segment| {
                let end = segment.first.saturating_add(segment.count).min(steps.len() as u32);
                (segment.first.min(end), end)
            })
            .collect();
        RecordDecoder::of(steps, segments, memories.iter().map(|memory| memory.page_size).collect())
    }

    /// A decoder of these steps, where each segment is a range of them, and of memories with pages of these sizes.
    fn of(steps: Vec<Step>, segments: Vec<(u32, u32)>, page_sizes: Vec<u32>) -> RecordDecoder {
        let mut spans = vec![Span::default(); steps.len()];
        let mut extent = |&(first, end): &(u32, u32)| {
            let (extent, of_segment) = Extent::of(&steps, first, end);
            spans[first as usize..end as usize].copy_from_slice(&of_segment);
            extent
        };
        let extents: Vec<Extent> = segments.iter().map(&mut extent).collect();
        let briefs = extents.iter().map(Extent::brief).collect();
        RecordDecoder { segments, extents, briefs, spans, steps, page_sizes, hooked: None }
    }

    fn step(&self, site: SiteId) -> Option<&Step> {
        self.steps.get(site.0.checked_sub(SiteId::FIRST.0)? as usize)
    }

    /// The raw operands of a call of the hook for an event, if there is such a site.
    pub(crate) fn raw(&self, site: SiteId, operands: [u64; 3]) -> Option<[u64; 3]> {
        Some(self.step(site)?.raw(operands))
    }

    /// The operands of an event, of raw operands of a call of the hook.
    pub(crate) fn operands(&self, site: SiteId, raw: [u64; 3]) -> Option<[u64; 3]> {
        Some(self.step(site)?.operands(raw))
    }

    /// For each site, the bits of raw operands that count.
    pub(crate) fn masks(&self) -> Vec<[u64; 3]> {
        self.steps.iter().map(Step::masks).collect()
    }

    /// Decodes a raw block: the bytes of the buffer up to the cursor. Calls `sink` for each event in order, with the
    /// operands of the site's event: `[effective address, value, 0]` for stores of up to 8 bytes, `[effective
    /// address, low half, high half]` for vectors, `[delta, result]` for `memory.grow` with [`u64::MAX`] for a
    /// refusal, `[destination, byte, length]` for fills, `[destination, source, length]` for copies and inits,
    /// nothing for drops.
    ///
    /// The last segment of a block may be incomplete: a trap ended it.
    ///
    /// # Errors
    ///
    /// When no rewritten module can have written the block. `sink` has received the events before the fault.
    #[inline]
    pub fn decode_block(&self, bytes: &[u8], sink: &mut impl RecordSink) -> Result<(), RawRecordError> {
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
                    let (site, address) = last.ok_or(RawRecordError::NoStore { offset: at, length: bytes.len() })?;
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
                return Err(RawRecordError::UnknownSegment {
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
                let number = SiteId(site);
                let address = match step.kind {
                    Kind::Store32 if end - first == 1 => {
                        let alike = Alike::at(bytes, start, step);
                        let address = alike.base.wrapping_add(step.offset);
                        if alike.count < FEW {
                            sink.store(number, address, alike.value & step.mask);
                            last = Some((number, address));
                            at += size;
                            continue;
                        }
                        sink.stores(number, address, alike.stride, alike.value & step.mask, alike.count);
                        at = start
                            + (SEGMENT_HEAD as usize + size) * (alike.count as usize - 1)
                            + SEGMENT_HEAD as usize;
                        address.wrapping_add(alike.stride.wrapping_mul(alike.count - 1))
                    }
                    Kind::Store32 => {
                        let address = read_u32(bytes, at).wrapping_add(step.offset);
                        sink.store(number, address, read_u64(bytes, at + 4) & step.mask);
                        address
                    }
                    Kind::Store64 => {
                        let address = read_u64(bytes, at).wrapping_add(step.offset);
                        sink.store(number, address, read_u64(bytes, at + 8) & step.mask);
                        address
                    }
                    _ => {
                        let operands = step.rare(bytes, at);
                        sink.event(number, operands);
                        operands[0]
                    }
                };
                last = Some((number, address));
                site = site.wrapping_add(1);
                at += size;
            }
        }
        Ok(())
    }
}

/// Fewer records that are alike are read one by one.
const FEW: u64 = 8;

/// Records of a segment with one store to a 32-bit memory, one behind the other: as a loop leaves them that stores one value.
struct Alike {
    /// The first address, without the static offset.
    base: u64,
    /// What is between two addresses.
    stride: u64,
    /// The value; only the bytes that are stored count.
    value: u64,
    /// How many there are: at least the first one, which must be whole.
    count: u64,
}

impl Alike {
    #[inline]
    fn at(bytes: &[u8], start: usize, step: &Step) -> Alike {
        let size = SEGMENT_HEAD as usize + usize::from(step.size);
        let address = SEGMENT_HEAD as usize;
        let value = |at: usize| read_u64(bytes, at + address + 4);
        let head = read_u32(bytes, start);
        let mut alike = Alike { base: read_u32(bytes, start + address), stride: 0, value: value(start), count: 1 };
        let is_next = |at: usize| {
            bytes.len() - at >= size && read_u32(bytes, at) == head && (value(at) ^ alike.value) & step.mask == 0
        };
        let mut at = start + size;
        if !is_next(at) {
            return alike;
        }
        let mut expected = read_u32(bytes, at + address);
        let stride = expected.wrapping_sub(alike.base);
        let mut count = 1;
        while is_next(at) && read_u32(bytes, at + address) == expected {
            count += 1;
            expected = expected.wrapping_add(stride);
            at += size;
        }
        (alike.stride, alike.count) = (stride, count);
        alike
    }
}

#[cold]
fn cut(bytes: &[u8], offset: usize, needed: usize) -> RawRecordError {
    RawRecordError::Cut { offset, needed, length: bytes.len() }
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
