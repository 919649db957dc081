//! Reads a block of calls of the hook.

use super::super::raw::{CALLER_HOOK, HOOK_SIZE, HOST_RECORD, MARK_HOOK, NOTE_HOOK, SEGMENT_HEAD};
use super::step::{Kind, read_u32, read_u64};
use super::{RawRecordError, RecordDecoder, RecordSink, cut, host_event};
use forkpoint_traces::SiteId;

impl RecordDecoder {
    /// Decodes a block of hook calls (site u32 and three operands u64 each) and host records.
    ///
    /// # Errors
    /// When no rewritten module can have made the calls. `sink` has received the events before.
    pub fn decode_hooks(&mut self, bytes: &[u8], sink: &mut impl RecordSink) -> Result<(), RawRecordError> {
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
    ) -> Result<(), RawRecordError> {
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
            let (store, address) = self.hooked.ok_or(RawRecordError::NoStore { offset: 0, length: 0 })?;
            sink.read_back(store, address, [operands[0], operands[1]]);
            return Ok(());
        }
        let step = site.0.checked_sub(SiteId::FIRST.0).and_then(|index| self.steps.get(index as usize));
        let step = step.ok_or(RawRecordError::UnknownSite(site.0))?;
        let [first, second, third] = operands;
        let operands = match step.kind {
            Kind::Store32 | Kind::Store64 => {
                let address = first.wrapping_add(step.offset);
                self.hooked = Some((site, address));
                sink.store(site, address, second & step.mask);
                return Ok(());
            }
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
}
