//! The end of a recording: what a process that broke off left in its buffer, how the run ended, and the trace's end.

use super::Pump;
use super::digested::DigestedThere;
use crate::error::RecordError;
use crate::instrument::Digester;
use crate::record::launch::Launched;
use crate::record::process::ProcessEnd;
use crate::record::stepping::START;
use crate::record::{Keep, Recorded};
use forkpoint_traces::{Finished, Milestone, Outcome, Place, TraceError};
use std::time::Duration;

impl Pump<'_> {
    /// Decides how the run ended, from what the child said and from how its process ended.
    pub(in crate::record) fn conclude(&mut self, launched: &Launched) -> Result<(), RecordError> {
        self.course.check_end(launched)?;
        let instantiated = self.course.is_instantiated();
        if instantiated && !launched.finished {
            self.rescue(&launched.ended)?;
        }
        self.words.last_words = self.course.end(launched)?;
        let cut_short = self.course.outcome.as_ref().is_some_and(Outcome::is_cut_short);
        // Ended from outside, it may have come to its end in good order.
        if instantiated && (!launched.finished || cut_short) {
            self.words.place = self.last_place(&launched.ended)?;
        }
        Ok(())
    }

    /// Whether its last events may have died with the engine's process, and would not if its runner took care.
    pub(in crate::record) fn offers_care(&self) -> bool {
        self.offers_care
    }

    /// Where a process was that broke off, as far as its code's marks say.
    fn last_place(&self, ended: &ProcessEnd) -> Result<Option<Place>, RecordError> {
        let mark = ended.buffer.mark().map_err(RecordError::io("reading the buffer of a dead process"))?;
        Ok(self.marks.place_of(mark).or(self.marks.place()))
    }

    /// Takes the records that a process left in its buffer when it broke off.
    fn rescue(&mut self, ended: &ProcessEnd) -> Result<(), RecordError> {
        if self.there.is_some() {
            // The buffer has what was not digested, and its digest died with the process.
            return Ok(());
        }
        let bytes =
            ended.buffer.unsent(self.blocks).map_err(RecordError::io("reading the buffer of a dead process"))?;
        match self.records(&bytes, self.style) {
            // Whatever killed the engine may have written there before: what made sense until then is kept.
            Err(error @ (RecordError::RawRecord(_) | RecordError::Trace(TraceError::Corrupt { .. }))) => {
                let note = format!("the last records are damaged, some events are missing: {error}");
                let message = &mut self.course.message;
                *message = Some(message.take().map_or(note.clone(), |message| format!("{message}\n{note}")));
                Ok(())
            }
            result => result,
        }
    }

    /// Writes the end of the trace.
    pub(in crate::record) fn finish(mut self, elapsed: Duration) -> Result<Recorded, RecordError> {
        let running = self.course.running();
        let outcome = self.course.outcome.take().unwrap_or(Outcome::Interrupted);
        let events = self.events();
        let Some(mut writer) = self.writer.take() else {
            // Stopped before the engine was up: nothing was recorded and no file made.
            return Err(RecordError::NoEngine(outcome.to_string()));
        };
        if let Some(digester) = &mut self.digester {
            digester.set_others(events.saturating_sub(digester.events()));
        }
        let digest = self.digester.map(Digester::finish).or(self.there.and_then(DigestedThere::finish));
        writer.hold()?;
        if let (Some(digest), Keep::Window { .. } | Keep::Windows(_)) = (&digest, &self.request.keep) {
            writer.set_digests(digest.in_trace());
        }
        writer.milestone(&Milestone::End {
            outcome: outcome.clone(),
            memories: self.final_memories.clone(),
            globals: self.course.globals.clone(),
            tables: self.course.tables.clone(),
        })?;
        self.words.message = self.course.message.take();
        self.course.calls.retain(|call| call.function != START);
        let loads = self.marks.finish_loads();
        let (stack, step) = (self.marks.finish_stack(events), self.marks.finish_step(events));
        // The end is one more.
        let events = events + 1;
        let Finished { length: bytes, to_allow } = writer.finish(self.words.clone())?;
        Ok(Recorded {
            events,
            digest,
            bytes,
            to_allow,
            host: self.own_host,
            outcome,
            message: self.words.message,
            last_words: self.words.last_words,
            calls: self.course.calls,
            memories: self.final_memories,
            globals: self.course.globals,
            tables: self.course.tables,
            mismatches: self.mismatches,
            notes: self.marks.finish(),
            stack,
            step,
            loads,
            writer: self.search.and_then(|search| search.found),
            elapsed,
            compiling: self.compiling,
            running,
            command_runs: self.course.command_runs,
        })
    }
}
