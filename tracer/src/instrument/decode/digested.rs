//! Reads blocks for their digests: of most events, it looks at nothing but where they write.

use super::super::digest::Digester;
use super::super::raw::{CALLER, CALLER_HOOK, CALLER_SIZE, FIRST_SEGMENT, HOST_RECORD, SEGMENT_HEAD};
use super::hooks::{HookRecord, hook_record};
use super::step::{Extent, Kind, Step, read_u32};
use super::{RawRecordError, RecordDecoder, RecordSink, cut, host_event};
use forkpoint_traces::{MemoryIndex, SiteId};

/// How many whole records of one plain segment `bytes` begin with, in as few as have `room` events or a few more; and
/// whether one of their stores ends beyond `limit`. Programs are loops: the same segment often comes again at once. A function
/// of its own, so that the compiler keeps all of it in registers.
#[inline(never)]
fn repeated(bytes: &[u8], head: [u8; 4], steps: &[Step], extent: &Extent, room: u64, limit: u64) -> (u64, bool) {
    let most = room.div_ceil(steps.len().max(1) as u64);
    let (mut records, mut outside) = (0, false);
    for record in bytes.chunks_exact(extent.size.max(SEGMENT_HEAD) as usize) {
        if records == most || record[..SEGMENT_HEAD as usize] != head {
            break;
        }
        let mut fields = &record[SEGMENT_HEAD as usize..];
        for step in steps {
            outside |= step.end_of(fields) > limit;
            fields = fields.get(usize::from(step.size)..).unwrap_or_default();
        }
        records += 1;
    }
    (records, outside)
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
                    let page_size = self.decoder.page_sizes.get(usize::from(step.memory)).copied().unwrap_or(0);
                    let bytes = address.saturating_mul(u64::from(page_size));
                    self.digester.grow(MemoryIndex(u32::from(step.memory)), bytes);
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
    /// Digests a block of inline records. `sink` gets growing memories, steps of host calls and their places. Where a host
    /// call may have grown a memory, [`Digester::set_sizes`] must say so before the next block.
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
        let mut room = digester.room();
        while at < bytes.len() {
            let Some(head) = bytes[at..].first_chunk() else { return Err(cut(bytes, at, SEGMENT_HEAD as usize)) };
            let number = u32::from_le_bytes(*head);
            let Some(extent) = self.extents.get(number.wrapping_sub(FIRST_SEGMENT) as usize) else {
                at = self.digest_other(bytes, at, number, digester, sink)?;
                continue;
            };
            if room == 0 {
                digester.update(&bytes[covered..at]);
                digester.end_stretch();
                (covered, room) = (at, digester.room());
            }
            if extent.plain {
                let steps = &self.steps[extent.first as usize..extent.end as usize];
                let (records, outside) = repeated(&bytes[at..], *head, steps, extent, room, digester.size_of_first());
                if records > 0 {
                    at += records as usize * extent.size as usize;
                    digester.count(records * u64::from(extent.end - extent.first));
                    digester.note_outside(outside);
                    room = digester.room();
                    continue;
                }
            }
            // The last one of a block may be incomplete: a trap ended it.
            let end = bytes.len().min(at + extent.size as usize);
            self.decode_block(&bytes[at..end], &mut Noted { decoder: self, digester, sink })?;
            (at, room) = (end, digester.room());
        }
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
                digester.count_other();
                sink.host(event);
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
                    digester.count_other();
                    sink.host(event);
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
                    digester.end_stretch();
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
