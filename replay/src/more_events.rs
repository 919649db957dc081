//! Where the events come from that a trace leaves out.

use crate::side::Side;
use crate::timeline::Timeline;
use forkpoint_traces::{MemoryIndex, Position};
use std::ops::Range;

/// Events that are asked for on each side of a position.
const AROUND: u64 = 1 << 16;

/// Runs a recording again to tell what it leaves out: what only a program with engines can do.
pub trait EventSource: Send + Sync {
    /// The run of a side once more, with the events of these windows; `None` if it was stopped. `reached` is called now and then
    /// with the position that the run has come to, and says whether to stop.
    ///
    /// # Errors
    /// When it cannot be had: why not.
    fn with_windows(
        &self,
        side: Side,
        windows: &[Range<Position>],
        reached: &dyn Fn(Position) -> bool,
    ) -> Result<Option<Timeline>, String>;

    /// The last event of a side before `before` that wrote any of these bytes: `None` if it was stopped, `Some(None)` if there is no
    /// such event.
    ///
    /// # Errors
    /// As [`EventSource::with_windows`].
    fn last_writer(
        &self,
        side: Side,
        bytes: (MemoryIndex, Range<u64>),
        before: Position,
        reached: &dyn Fn(Position) -> bool,
    ) -> Result<Option<Option<Position>>, String>;
}

impl Timeline {
    /// The windows of a trace that would hold what this one does, and the events around `position`, which it leaves out: both ends of
    /// what is left out there, if `position` is its first event. `None` if it holds the event.
    ///
    /// ```
    /// use forkpoint_replay::Timeline;
    /// use forkpoint_traces::Position;
    ///
    /// let whole = Timeline::open("../traces/samples/orbit-jit.fpt".as_ref())?;
    /// assert_eq!(whole.windows_with(Position(10)), None);
    /// # Ok::<(), forkpoint_replay::ReplayError>(())
    /// ```
    pub fn windows_with(&self, position: Position) -> Option<Vec<Range<Position>>> {
        let gap = self.trace().gap(position)?;
        let mut windows = self.trace().held(Position(0)..Position(self.len()));
        windows.extend(wanted(gap, position));
        windows.sort_by_key(|window| window.start);
        Some(windows)
    }
}

/// What is asked for of a gap.
fn wanted(gap: Range<Position>, position: Position) -> Vec<Range<Position>> {
    let around = |at: Position| {
        let (first, last) = (at.0.saturating_sub(AROUND), at.0.saturating_add(AROUND));
        Position(first).max(gap.start)..Position(last).min(gap.end)
    };
    match position == gap.start {
        true => vec![around(gap.start), around(gap.end)],
        false => vec![around(position)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_lies_in_its_gap_around_what_is_asked_for() {
        let at = |first: u64, last: u64| Position(first)..Position(last);
        let gap = at(1_000, 1_000_000);
        assert_eq!(wanted(gap.clone(), Position(2_000)), [at(1_000, 2_000 + AROUND)]);
        assert_eq!(wanted(gap.clone(), Position(500_000)), [at(500_000 - AROUND, 500_000 + AROUND)]);
        assert_eq!(wanted(gap.clone(), Position(999_999)), [at(999_999 - AROUND, 1_000_000)]);
        assert_eq!(wanted(gap, Position(1_000)), [at(1_000, 1_000 + AROUND), at(1_000_000 - AROUND, 1_000_000)]);
    }
}
