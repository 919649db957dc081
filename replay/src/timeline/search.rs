//! Searching through many events, each looked at as it is decoded.

use super::Timeline;
use super::stop::Stop;
use crate::error::ReplayError;
use forkpoint_traces::{Position, RawEvent, TraceError};

impl Timeline {
    /// The first event from `from` on that `fits`. It sees events without the values of instructions: these are 0.
    ///
    /// # Errors
    /// Those of `fits`, and when a chunk is damaged.
    pub fn next_that(
        &mut self,
        from: Position,
        mut fits: impl FnMut(&RawEvent) -> Result<bool, TraceError>,
    ) -> Result<Option<Position>, ReplayError> {
        let mut next = from;
        while next.0 < self.len() {
            let number = self.trace.chunk_of(next)?;
            self.come_to(next)?;
            let (mut position, mut found) = (self.trace.chunks()[number].first, None);
            let read = self.trace.read_without_values(number, |event| {
                if position >= next && fits(&event)? {
                    found = Some(position);
                    return Err(Stop::Here);
                }
                position = position.next();
                Ok(())
            });
            read.or_else(Stop::error)?;
            if found.is_some() {
                return Ok(found);
            }
            next = self.trace.chunks()[number].end();
        }
        Ok(None)
    }

    /// The last event before `before` that `fits`, as [`Timeline::next_that`] shows them.
    ///
    /// # Errors
    /// As [`Timeline::next_that`].
    pub fn last_that(
        &mut self,
        before: Position,
        mut fits: impl FnMut(&RawEvent) -> Result<bool, TraceError>,
    ) -> Result<Option<Position>, ReplayError> {
        let mut end = Position(before.0.min(self.len()));
        while end.0 > 0 {
            let number = self.trace.chunk_of(Position(end.0 - 1))?;
            self.come_to(end)?;
            let (mut position, mut found) = (self.trace.chunks()[number].first, None);
            let read = self.trace.read_without_values(number, |event| {
                if position >= end {
                    return Err(Stop::Here);
                }
                if fits(&event)? {
                    found = Some(position);
                }
                position = position.next();
                Ok(())
            });
            read.or_else(Stop::error)?;
            if found.is_some() {
                return Ok(found);
            }
            end = self.trace.chunks()[number].first;
        }
        Ok(None)
    }
}
