//! Leaving events out: the model sees them, and the trace holds what comes before and after.

use super::TraceWriter;
use super::blocks::Part;
use crate::error::TraceError;
use crate::filter::PageFilter;
use crate::ids::Position;
use crate::image::Image;
use crate::index::EventDigests;
use crate::raw::RawEvent;

impl TraceWriter {
    /// Leaves out the events from here on, until [`TraceWriter::hold`]. Steps of host calls and milestones among them are
    /// kept for the host log, without their places.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn leave_out(&mut self) -> Result<(), TraceError> {
        if self.left_out_from.is_none() && self.events > 0 {
            self.end_chunk()?;
            self.left_out_from = Some(self.events);
        }
        Ok(())
    }

    /// Holds the events from here on. If some were left out, the memory that they made is stored.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn hold(&mut self) -> Result<(), TraceError> {
        let Some(from) = self.left_out_from else { return Ok(()) };
        self.end_kept(from)?;
        self.left_out_from = None;
        if self.events > from {
            // The filter of the next chunk is for its own pages.
            self.image.take_touched();
            self.keyframe()?;
        }
        Ok(())
    }

    /// Leaves out all events up to `to`, whose memory is that of `image`.
    ///
    /// # Errors
    /// When the file cannot be written, or there is more memory than a trace may have.
    pub(in crate::file) fn jump(&mut self, to: Position, image: &Image) -> Result<(), TraceError> {
        self.leave_out()?;
        self.image.become_like(image).map_err(|error| self.impossible(&error))?;
        self.events = to.0;
        Ok(())
    }

    /// Keeps the step of a host call among events that are left out.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(in crate::file) fn keep_step(&mut self, step: &[u8]) -> Result<(), TraceError> {
        self.keep(&RawEvent::host(step))
    }

    /// Keeps the digests of all events, whether the trace holds them or leaves them out.
    pub fn set_digests(&mut self, digests: EventDigests) {
        self.digests = Some(digests);
    }

    /// Keeps an event among those that are left out, if it is none of an instruction.
    pub(super) fn keep(&mut self, event: &RawEvent) -> Result<(), TraceError> {
        let Some(from) = self.left_out_from else { return Ok(()) };
        if !event.site.is_instruction() {
            self.chunk.push(event);
            if self.chunk.count() >= self.chunk_events || self.chunk.is_full() {
                return self.end_kept(from);
            }
        }
        Ok(())
    }

    /// Writes what was kept so far.
    fn end_kept(&mut self, from: u64) -> Result<(), TraceError> {
        if self.chunk.count() == 0 {
            return Ok(());
        }
        let kept = self.chunk.finish(from, PageFilter::new(), self.packer.columns());
        self.packer.put(Part::Kept(kept))
    }
}
