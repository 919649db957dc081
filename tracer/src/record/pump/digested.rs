//! Digests that the engine's process makes: what it says of them, stretch by stretch.

use crate::error::RecordError;
use crate::instrument::{RunDigest, STRETCH, Stretch};
use forkpoint_traces::Position;

/// What the engine's process has said so far.
#[derive(Default)]
pub(super) struct DigestedThere {
    digest: RunDigest,
    /// Whether that was all.
    whole: bool,
}

impl DigestedThere {
    /// Events of instructions so far.
    pub(super) fn events(&self) -> u64 {
        self.digest.events
    }

    /// A stretch has ended. `others` is how many events there have been besides those of instructions.
    ///
    /// # Errors
    /// When no stretch can be like that.
    pub(super) fn stretch(&mut self, events: u64, digest: &str, others: u64) -> Result<(), RecordError> {
        let last = self.digest.stretches.last().map_or(0, |stretch| stretch.events);
        // All but the last one have at least so many.
        let short = self.digest.stretches.len().checked_sub(1).is_some_and(|before| {
            let start = before.checked_sub(1).and_then(|number| self.digest.stretches.get(number));
            last - start.map_or(0, |stretch| stretch.events) < STRETCH
        });
        let number = u128::from_str_radix(digest, 16).ok().filter(|_| digest.len() == 32);
        let (Some(digest), false, false) = (number, self.whole || events < last, short) else {
            let wrong =
                format!("a stretch of digested events up to {events} after {last}, with the digest `{digest}`");
            return Err(RecordError::Protocol(wrong));
        };
        self.digest.events = events;
        let end = Position(events.saturating_add(others));
        self.digest.stretches.push(Stretch { events, end, digest });
        Ok(())
    }

    /// That was the last one.
    pub(super) fn end(&mut self, outside: bool) {
        (self.digest.outside, self.whole) = (outside, true);
    }

    /// The digest of the whole run, if it was told.
    pub(super) fn finish(self) -> Option<RunDigest> {
        self.whole.then_some(self.digest)
    }
}
