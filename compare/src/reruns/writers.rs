//! Who wrote the bytes of a divergence last, if the recordings hold a window of the events only.

use super::asked::{Asked, differs};
use crate::error::CompareError;
use crate::files::open_recorded;
use forkpoint_replay::{EventReport, Report, Side};
use forkpoint_tracer::{Keep, Request, Sought};
use forkpoint_traces::{MemoryIndex, Position};
use std::ops::Range;

/// What is known of a last writer.
enum Known {
    Writer(Box<EventReport>),
    NoWriter,
    /// Why not.
    Nothing(String),
}

impl Asked<'_> {
    /// Finds the last writers that the report lacks, by another run of the side each: nothing of it is recorded, and every event
    /// is looked at.
    pub(super) fn last_writers(&self, report: &mut Report, notes: &mut Vec<String>) -> Result<(), CompareError> {
        let Some(position) = report.position else { return Ok(()) };
        let place = report.memory.zip(report.address).zip(report.before.as_ref().map(|before| before.0.len()));
        if let (Some(((memory, address), length)), Some(_)) = (place, report.written_before) {
            let bytes = address..address.saturating_add(length as u64);
            match self.last_writer(Side::Lhs, memory, bytes, position)? {
                Known::Writer(writer) => (report.last_writer, report.written_before) = (Some(*writer), None),
                Known::NoWriter => report.written_before = None,
                Known::Nothing(why) => notes.push(why),
            }
        }
        if let Some(place) = report.elsewhere.as_mut().filter(|place| place.written_before.is_some()) {
            let bytes = place.address..place.address.saturating_add(place.before.0.len() as u64);
            match self.last_writer(Side::Rhs, place.memory, bytes, position)? {
                Known::Writer(writer) => (place.last_writer, place.written_before) = (Some(*writer), None),
                Known::NoWriter => place.written_before = None,
                Known::Nothing(why) => notes.push(why),
            }
        }
        Ok(())
    }

    fn last_writer(
        &self,
        side: Side,
        memory: MemoryIndex,
        bytes: Range<u64>,
        before: Position,
    ) -> Result<Known, CompareError> {
        let nothing = Keep::Window { from: u64::MAX, to: u64::MAX };
        let recorded = self.runs.record_again(&Request {
            output: self.file(side),
            options: self.options.clone(),
            keep: nothing,
            sought: Some(Sought { memory, bytes, before }),
            ..side.of(self.sides).clone()
        })?;
        if let Some(how) = differs(&mut open_recorded(self.trace(side))?, &self.file(side), before)? {
            let name = side.word();
            return Ok(Known::Nothing(format!(
                "who wrote there last is not known: {name} ran differently, with {how}"
            )));
        }
        let Some(writer) = recorded.writer else { return Ok(Known::NoWriter) };
        let timeline = self.runs.open(&self.file(side))?;
        let sites = timeline.trace().sites();
        let event = writer.event(sites)?;
        Ok(Known::Writer(Box::new(EventReport::of(writer.position, &event, sites, self.runs.symbols()))))
    }
}
