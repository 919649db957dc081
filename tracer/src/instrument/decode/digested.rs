//! Reads blocks for their digests: of most events, it looks at nothing but where they write.

use super::super::digest::Digester;
use super::super::raw::{CALLER, CALLER_HOOK, CALLER_SIZE, FIRST_SEGMENT, HOST_RECORD, SEGMENT_HEAD};
use super::hooks::{HookRecord, hook_record};
use super::step::{Kind, Span, read_u32};
use super::{RawRecordError, RecordDecoder, RecordSink, cut, host_event};
use forkpoint_traces::{HostEvent, MemoryIndex, SiteId};

/// Most bytes of an encoded [`HostEvent::Grow`]: longer ones need not be decoded.
const GROW: usize = 32;

/// How many whole records of `SIZE` bytes with this head, each of one store, `bytes` begin with, at most `most`; and the highest
/// of their addresses.
#[inline(always)]
fn stores<const SIZE: usize>(bytes: &[u8], head: [u8; 4], most: u64) -> (u64, u32) {
    let (mut records, mut highest) = (0, 0);
    for record in bytes.as_chunks::<SIZE>().0 {
        let (Some((found, fields)), true) = (record.split_first_chunk(), records < most) else { break };
        if *found != head {
            break;
        }
        highest = highest.max(fields.first_chunk().map_or(0, |address| u32::from_le_bytes(*address)));
        records += 1;
    }
    (records, highest)
}

/// The 32-bit address at `at` of a record.
#[inline(always)]
fn address(record: &[u8], at: usize) -> u32 {
    record.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |address| u32::from_le_bytes(*address))
}

/// The same for a segment of one store whose record has `size` bytes. A function of its own, so that the compiler keeps all of it
/// in registers.
#[inline(never)]
fn repeated(bytes: &[u8], head: [u8; 4], size: u32, most: u64) -> (u64, u32) {
    match size {
        9 => stores::<9>(bytes, head, most),
        10 => stores::<10>(bytes, head, most),
        12 => stores::<12>(bytes, head, most),
        16 => stores::<16>(bytes, head, most),
        _ => stores::<24>(bytes, head, most),
    }
}

/// Hands on what is needed besides a digest, growing memories, and notes the rest in the digester.
struct Noted<'a, S> {
    decoder: &'a RecordDecoder,
    digester: &'a mut Digester,
    sink: &'a mut S,
}

impl<S: RecordSink> RecordSink for Noted<'_, S> {
    fn event(&mut self, site: SiteId, operands: [u64; 3]) {
        self.digester.count(1);
        let Some(step) = self.decoder.step(site) else { return };
        let [address, second, length] = operands;
        match step.kind {
            Kind::Grow => {
                if second != u64::MAX {
                    self.decoder.grow(MemoryIndex(u32::from(step.memory)), address, self.digester);
                }
                self.sink.event(site, operands);
            }
            // A drop has no operands, and a length of 0 at address 0.
            Kind::Other => self.digester.wrote(step.memory, address.saturating_add(length)),
            _ => self.digester.wrote(step.memory, address.saturating_add(u64::from(step.size - step.fields[0]))),
        }
    }

    fn read_back(&mut self, _: SiteId, _: u64, _: [u64; 2]) {}
}

impl RecordDecoder {
    /// Digests a block of inline records. `sink` gets growing memories, steps of host calls and their places.
    ///
    /// # Errors
    /// When no rewritten module that is asked for nothing but events can have written the block.
    pub fn digest_block(
        &self,
        bytes: &[u8],
        digester: &mut Digester,
        sink: &mut impl RecordSink,
    ) -> Result<(), RawRecordError> {
        // What is covered, and how far this has come.
        let (mut covered, mut at) = (0, 0);
        // Of the events that the digester has not counted yet: how many, how many the stretch still takes, and whether one lies
        // outside of memory. Kept here, where the loop has them in registers.
        let (mut counted, mut room, mut outside) = (0, digester.room(), false);
        while at < bytes.len() {
            let Some(head) = bytes[at..].first_chunk() else { return Err(cut(bytes, at, SEGMENT_HEAD as usize)) };
            let number = u32::from_le_bytes(*head);
            let extent = self.extents.get(number.wrapping_sub(FIRST_SEGMENT) as usize);
            if let Some(extent) = extent
                && counted < room
                && let Some(record) = bytes[at..].get(..extent.size as usize).filter(|_| extent.plain)
            {
                let limit = digester.size_of_first();
                let end_of = |span: &Span| u64::from(address(record, span.at.into())) + u64::from(span.top);
                let [first, ..] = &extent.spans;
                outside |= extent.spans.iter().map(end_of).fold(0, u64::max) > limit;
                at += record.len();
                counted += u64::from(extent.count);
                if usize::from(extent.count) > extent.spans.len() {
                    let range = extent.first as usize..extent.first as usize + usize::from(extent.count);
                    let spans = self.spans.get(range).unwrap_or_default();
                    outside |= spans.iter().fold(false, |outside, span| outside | (end_of(span) > limit));
                }
                // Programs are loops: the same segment often comes again at once.
                if bytes[at..].first_chunk() == Some(head) && extent.count == 1 && counted < room {
                    let (more, highest) = repeated(&bytes[at..], *head, extent.size, room - counted);
                    outside |= more > 0 && u64::from(highest) + u64::from(first.top) > limit;
                    at += more as usize * record.len();
                    counted += more;
                }
                continue;
            }
            digester.count(std::mem::take(&mut counted));
            if let Some(extent) = extent {
                if digester.room() == 0 {
                    digester.update(&bytes[covered..at]);
                    sink.stretch(&digester.end_stretch());
                    (covered, room) = (at, digester.room());
                    continue;
                }
                // The last one of a block may be incomplete: a trap ended it.
                let end = bytes.len().min(at + extent.size as usize);
                self.decode_block(&bytes[at..end], &mut Noted { decoder: self, digester, sink })?;
                at = end;
            } else {
                at = self.digest_other(bytes, at, number, digester, sink)?;
            }
            room = digester.room();
        }
        digester.count(counted);
        digester.note_outside(outside);
        digester.update(&bytes[covered..]);
        Ok(())
    }

    /// Reads a record that is not a segment's; gives the place of the next one.
    #[cold]
    fn digest_other(
        &self,
        bytes: &[u8],
        at: usize,
        number: u32,
        digester: &mut Digester,
        sink: &mut impl RecordSink,
    ) -> Result<usize, RawRecordError> {
        match number {
            HOST_RECORD => {
                let (event, end) = host_event(bytes, at)?;
                self.host(event, digester, sink);
                Ok(end)
            }
            CALLER if bytes.len() - at < CALLER_SIZE as usize => Err(cut(bytes, at, CALLER_SIZE as usize)),
            CALLER => {
                sink.caller(read_u32(bytes, at + 4) as u32);
                Ok(at + CALLER_SIZE as usize)
            }
            _ => Err(RawRecordError::UnknownSegment {
                segment: number,
                offset: at,
                end: FIRST_SEGMENT.saturating_add(self.extents.len() as u32),
                length: bytes.len(),
            }),
        }
    }

    /// Counts a step of a host call, which may grow a memory, and hands it on.
    fn host(&self, event: &[u8], digester: &mut Digester, sink: &mut impl RecordSink) {
        digester.count_other();
        if let (true, Ok(HostEvent::Grow { memory, delta, .. })) = (event.len() <= GROW, HostEvent::decode(event)) {
            self.grow(memory, delta, digester);
        }
        sink.host(event);
    }

    /// A memory has grown by so many pages.
    fn grow(&self, memory: MemoryIndex, pages: u64, digester: &mut Digester) {
        let page_size = self.page_sizes.get(memory.0 as usize).copied().unwrap_or(0);
        digester.grow(memory, pages.saturating_mul(u64::from(page_size)));
    }

    /// Digests a block of calls of the hook: as the inline records that they stand for.
    ///
    /// # Errors
    /// When no rewritten module that is asked for nothing but events can have made the calls.
    pub fn digest_hooks(
        &self,
        bytes: &[u8],
        digester: &mut Digester,
        sink: &mut impl RecordSink,
    ) -> Result<(), RawRecordError> {
        let mut records = Vec::with_capacity(bytes.len() / 2);
        let mut at = 0;
        while at < bytes.len() {
            let (record, end) = hook_record(bytes, at)?;
            let start = std::mem::replace(&mut at, end);
            let (site, operands) = match record {
                HookRecord::Call(site, operands) => (site, operands),
                HookRecord::Host(event) => {
                    self.host(event, digester, sink);
                    records.extend_from_slice(&bytes[start..end]);
                    continue;
                }
            };
            if site == CALLER_HOOK {
                sink.caller(operands[0] as u32);
                records.extend_from_slice(&CALLER.to_le_bytes());
                records.extend_from_slice(&(operands[0] as u32).to_le_bytes());
                continue;
            }
            let site = SiteId(site);
            let (Some(step), Some(opens)) = (self.step(site), self.opens(site)) else {
                return Err(RawRecordError::UnknownSite(site.0));
            };
            if let Some(segment) = opens {
                if digester.room() == 0 {
                    digester.update(&records);
                    sink.stretch(&digester.end_stretch());
                    records.clear();
                }
                records.extend_from_slice(&segment.to_le_bytes());
            }
            step.encode(operands, &mut records);
            Noted { decoder: self, digester, sink }.event(site, step.operands(operands));
        }
        digester.update(&records);
        Ok(())
    }

    /// The number of the segment that a site is the first of, if it is; `None` for a site that does not exist.
    fn opens(&self, site: SiteId) -> Option<Option<u32>> {
        let index = site.0.checked_sub(SiteId::FIRST.0)?;
        let after = self.segments.partition_point(|(first, _)| *first <= index);
        let segment = after.checked_sub(1)?;
        Some((self.segments[segment].0 == index).then_some(FIRST_SEGMENT + segment as u32))
    }
}
