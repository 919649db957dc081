//! Blocks of records: written as events, digested, or both.

use super::Pump;
use crate::error::RecordError;
use crate::instrument::{Covered, Digester, RecordDecoder, RecordSink, Style, host_records};
use crate::record::Keep;
use crate::record::sink::{Counted, Ignored, WriterSink};
use forkpoint_traces::{HostEvent, MemoryIndex, MemorySize, Position, RawEvent, TraceWriter};

/// Fewest bytes of records that an event takes, nearly always: where a block's events are not counted before, it may have more.
const EVENT: u64 = 8;

impl Pump<'_> {
    pub(super) fn records(&mut self, bytes: &[u8], style: Style) -> Result<(), RecordError> {
        let Some(writer) = self.writer.as_mut() else {
            return Err(RecordError::Protocol("records before the first frame, `Hello`".to_string()));
        };
        if let Some(digester) = &mut self.digester {
            // A host may have grown a memory.
            let image = writer.image();
            digester.set_sizes(
                (0..image.memories()).map(|memory| image.size(MemoryIndex(memory)).map_or(0, MemorySize::bytes)),
            );
            digester.set_others(writer.events().saturating_sub(self.instructions));
        }
        let keep = &self.request.keep;
        if matches!(keep, Keep::Window { .. } | Keep::Windows(_)) {
            let start = self.instructions;
            let end = match &mut self.digester {
                Some(digester) => {
                    digest(&self.decoder, bytes, style, digester, &mut Ignored)?;
                    digester.events()
                }
                None => start + bytes.len() as u64 / EVENT,
            };
            // A block of host calls alone has the number of the event that follows.
            let numbers = start..end.max(start + 1);
            // Steps of host calls are events that are not counted before.
            let events = (bytes.len() as u64 / EVENT).max(numbers.end - numbers.start);
            let positions = Position(writer.events())..Position(writer.events() + events);
            if keep.holds(numbers, positions) { writer.hold()? } else { writer.leave_out()? }
        }
        let mut sink = WriterSink {
            writer,
            watching: self.watching.as_mut(),
            search: self.search.as_mut(),
            mismatches: &mut self.mismatches,
            marks: &mut self.marks,
            failed: None,
        };
        let mut counted = Counted { sink: &mut sink, events: &mut self.instructions };
        match (keep, &mut self.digester, style) {
            (Keep::Digests, Some(digester), style) => digest(&self.decoder, bytes, style, digester, &mut counted)?,
            (_, _, Style::Inline) => self.decoder.decode_block(bytes, &mut counted)?,
            (_, _, Style::Hooks) => self.decoder.decode_hooks(bytes, &mut counted)?,
        }
        if let Some(error) = sink.failed {
            return Err(error.into());
        }
        self.show_progress();
        Ok(())
    }

    fn show_progress(&mut self) {
        let (events, written) = (self.events(), self.writer.as_ref().map_or(0, TraceWriter::written));
        self.request.gauge.count(events, written);
        (self.progress)(events, written);
    }

    /// A stretch of what the engine's process digests has ended.
    pub(super) fn stretch(&mut self, events: u64, digest: &str) -> Result<(), RecordError> {
        let others = self.others();
        match &mut self.there {
            Some(there) => there.stretch(events, digest, others)?,
            None => return Err(RecordError::Protocol("a digest that was not asked for".to_string())),
        }
        self.show_progress();
        Ok(())
    }

    /// Number of events so far besides those of instructions, in a run whose trace has none of these but growing memories.
    fn others(&self) -> u64 {
        self.writer.as_ref().map_or(0, TraceWriter::events).saturating_sub(self.instructions)
    }

    /// Number of events so far, whether the trace has them or a digest covers them.
    pub(super) fn events(&self) -> u64 {
        match (&self.digester, &self.there, &self.request.keep) {
            (Some(digester), _, Keep::Digests) => self.others() + digester.events(),
            (_, Some(there), _) => self.others().saturating_add(there.events()),
            _ => self.writer.as_ref().map_or(0, TraceWriter::events),
        }
    }

    /// Has the digest cover a milestone. What it holds is in the trace, and its place among the events is here.
    pub(super) fn cover(&mut self, milestone: Covered) {
        if let Some(digester) = &mut self.digester {
            digester.cover(milestone);
        }
    }

    /// Shows a step of a host call that the recorder answered to the search, if there is one. A long write becomes several
    /// events, and the first one's position stands for all.
    pub(super) fn search_host(&mut self, event: &HostEvent) {
        if let (Some(search), Some(writer)) = (&mut self.search, &self.writer) {
            search.see(Position(writer.events()), &RawEvent::host(&event.encode()), writer.sites());
        }
    }

    /// Has the digest cover a step of a host call that the recorder answered.
    pub(super) fn cover_host(&mut self, event: &HostEvent) {
        if let Some(digester) = &mut self.digester {
            host_records(event).iter().for_each(|record| digester.update(record));
        }
    }
}

/// Digests a block.
fn digest(
    decoder: &RecordDecoder,
    bytes: &[u8],
    style: Style,
    digester: &mut Digester,
    sink: &mut impl RecordSink,
) -> Result<(), RecordError> {
    let digested = match style {
        Style::Inline => decoder.digest_block(bytes, digester, sink),
        Style::Hooks => decoder.digest_hooks(bytes, digester, sink),
    };
    Ok(digested?)
}
