//! Every event from a position on, as it is stored.

use super::Timeline;
use crate::error::ReplayError;
use forkpoint_traces::{Position, RawEvent};

/// How a walk goes on after an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    /// With the next one.
    Next,
    /// It ends, and the event counts as seen.
    StopAfter,
    /// It ends, and the event does not.
    StopBefore,
}

impl Timeline {
    /// Calls `sink` for every event from `from` on, until it ends the walk or there is no more. Returns the position of the
    /// first event that was not seen. Memory stays where it is.
    pub(crate) fn each_from(
        &mut self,
        from: Position,
        mut sink: impl FnMut(Position, &RawEvent) -> Result<Flow, ReplayError>,
    ) -> Result<Position, ReplayError> {
        let mut at = from;
        while at.0 < self.len() {
            self.load(at)?;
            let chunk = self.chunk.as_ref().expect("just loaded");
            while let Some(raw) = chunk.get(at) {
                match sink(at, &raw)? {
                    Flow::Next => at = at.next(),
                    Flow::StopAfter => return Ok(at.next()),
                    Flow::StopBefore => return Ok(at),
                }
            }
        }
        Ok(at)
    }
}
