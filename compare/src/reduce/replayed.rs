//! Traces, replayed.

use forkpoint_replay::Timeline;
use forkpoint_traces::Position;

/// The replay of a trace at its end, where memory is as an activation found it.
pub(super) fn at_end(trace: &std::path::Path) -> Option<Timeline> {
    let mut timeline = crate::files::open_recorded(trace).ok()?;
    let end = Position(timeline.len());
    timeline.seek(end).ok()?;
    Some(timeline)
}
