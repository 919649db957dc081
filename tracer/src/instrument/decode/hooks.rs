//! Reads a block of calls of the hook.

use super::super::raw::{CALLER_HOOK, HOOK_SIZE, HOST_RECORD, MARK_HOOK, NOTE_HOOK, SEGMENT_HEAD};
use super::step::{Kind, read_u32, read_u64};
use super::{RawRecordError, RecordDecoder, RecordSink, cut, host_event};
use forkpoint_traces::SiteId;

/// A record in a block of calls of the hook.
pub(super) enum HookRecord<'a> {
    /// A step of a host call, encoded.
    Host(&'a [u8]),
    /// A call: the number of a site, or of something else, and raw operands.
    Call(u32, [u64; 3]),
}

/// The record at `at`, and where the next one begins.
#[inline]
pub(super) fn hook_record(bytes: &[u8], at: usize) -> Result<(HookRecord<'_>, usize), RawRecordError> {
    if bytes.len() - at < SEGMENT_HEAD as usize {
        return Err(cut(bytes, at, SEGMENT_HEAD as usize));
    }
    let site = read_u32(bytes, at) as u32;
    if site == HOST_RECORD {
        let (event, end) = host_event(bytes, at)?;
        return Ok((HookRecord::Host(event), end));
    }
    if bytes.len() - at < HOOK_SIZE {
        return Err(cut(bytes, at, HOOK_SIZE));
    }
    let operands = [read_u64(bytes, at + 4), read_u64(bytes, at + 12), read_u64(bytes, at + 20)];
    Ok((HookRecord::Call(site, operands), at + HOOK_SIZE))
}

impl RecordDecoder {
    /// Decodes a block of hook calls (site u32 and three operands u64 each) and host records.
    ///
    /// # Errors
    /// When no rewritten module can have made the calls. `sink` has received the events before.
    pub fn decode_hooks(&mut self, bytes: &[u8], sink: &mut impl RecordSink) -> Result<(), RawRecordError> {
        let mut at = 0;
        while at < bytes.len() {
            let (record, end) = hook_record(bytes, at)?;
            match record {
                HookRecord::Host(event) => {
                    sink.host(event);
                    self.hooked = None;
                }
                HookRecord::Call(site, operands) => self.decode_hook(site, operands, sink)?,
            }
            at = end;
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
        let step = self.step(site).ok_or(RawRecordError::UnknownSite(site.0))?;
        let (operands, kind) = (step.operands(operands), step.kind);
        self.hooked = Some((site, operands[0]));
        match kind {
            Kind::Store32 | Kind::Store64 => sink.store(site, operands[0], operands[1]),
            _ => sink.event(site, operands),
        }
        Ok(())
    }
}
