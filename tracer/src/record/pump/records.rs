//! Blocks of records: written as events, or digested.

use super::Pump;
use crate::error::RecordError;
use crate::instrument::{Covered, Digester, Style, host_records};
use crate::record::sink::{Counted, WriterSink};
use forkpoint_traces::{HostEvent, MemoryIndex, MemorySize, TraceWriter};

impl Pump<'_> {
    pub(super) fn records(&mut self, bytes: &[u8], style: Style) -> Result<(), RecordError> {
        let Some(writer) = self.writer.as_mut() else {
            return Err(RecordError::Protocol("records before the first frame, `Hello`".to_string()));
        };
        let mut sink = WriterSink {
            writer,
            watching: self.watching.as_mut(),
            mismatches: &mut self.mismatches,
            marks: &mut self.marks,
            failed: None,
        };
        match (&mut self.digester, style) {
            (None, Style::Inline) => self.decoder.decode_block(bytes, &mut sink)?,
            (None, Style::Hooks) => self.decoder.decode_hooks(bytes, &mut sink)?,
            (Some(digester), style) => {
                // A host may have grown a memory.
                let image = sink.writer.image();
                digester.set_sizes(
                    (0..image.memories()).map(|memory| image.size(MemoryIndex(memory)).map_or(0, MemorySize::bytes)),
                );
                let mut sink = Counted { sink: &mut sink, events: &mut self.grown };
                match style {
                    Style::Inline => self.decoder.digest_block(bytes, digester, &mut sink)?,
                    Style::Hooks => self.decoder.digest_hooks(bytes, digester, &mut sink)?,
                }
            }
        }
        if let Some(error) = sink.failed {
            return Err(error.into());
        }
        let (events, written) = (self.events(), self.writer.as_ref().map_or(0, TraceWriter::written));
        self.request.gauge.count(events, written);
        (self.progress)(events, written);
        Ok(())
    }

    /// Number of events so far, whether the trace has them or a digest covers them.
    pub(super) fn events(&self) -> u64 {
        let digested = self.digester.as_ref().map_or(0, Digester::events);
        self.writer.as_ref().map_or(0, TraceWriter::events).saturating_sub(self.grown) + digested
    }

    /// Has the digest cover a milestone. What it holds is in the trace, and its place among the events is here.
    pub(super) fn cover(&mut self, milestone: Covered) {
        if let Some(digester) = &mut self.digester {
            digester.cover(milestone);
        }
    }

    /// Has the digest cover a step of a host call that the recorder answered.
    pub(super) fn cover_host(&mut self, event: &HostEvent) {
        if let Some(digester) = &mut self.digester {
            host_records(event).iter().for_each(|record| digester.update(record));
        }
    }
}
