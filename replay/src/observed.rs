//! What an `Observed` event means: a store that did not arrive, or a write that no event tells of.

use crate::divergence::Verdict;
use crate::error::ReplayError;
use crate::timeline::Timeline;
use forkpoint_traces::{Event, Position};

/// Which of the two it is, and the store behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Meaning {
    pub(crate) verdict: Verdict,
    /// The first byte that is not what it should be.
    pub(crate) address: u64,
    /// The event that wrote it last, as far as the recorded events tell.
    pub(crate) writer: Option<Position>,
}

/// Explains the `Observed` event at `position`.
///
/// Where memory holds what it held before the last event that wrote there, that store did not arrive; where it is
/// the last event of all, it stored something else. Anything else came from a write that has no event.
pub(crate) fn meaning(
    timeline: &mut Timeline,
    position: Position,
    event: &Event,
) -> Result<Option<Meaning>, ReplayError> {
    let Event::Observed { memory, address, bytes, .. } = event else { return Ok(None) };
    timeline.seek(position)?;
    let mut replayed = vec![0; bytes.len()];
    timeline.memory().read(*memory, *address, &mut replayed);
    let Some(first) = bytes.iter().zip(&replayed).position(|(engine, replayed)| engine != replayed) else {
        return Ok(None);
    };
    let address = address + first as u64;
    let writer = timeline.last_writer(*memory, address, position)?;
    let mut verdict = Verdict::UnrecordedWrite;
    if let Some(writer) = writer {
        timeline.seek(writer)?;
        let mut before = [0];
        timeline.memory().read(*memory, address, &mut before);
        if before[0] == bytes[first] || is_last(timeline, writer, position)? {
            verdict = Verdict::UncommittedStore;
        }
    }
    Ok(Some(Meaning { verdict, address, writer }))
}

/// Whether there is nothing between an event and a position but other observations.
fn is_last(timeline: &mut Timeline, event: Position, position: Position) -> Result<bool, ReplayError> {
    for between in event.next().0..position.0 {
        if !matches!(timeline.event(Position(between))?, Event::Observed { .. }) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The first `Observed` event of a trace that has any.
pub(crate) fn first(timeline: &mut Timeline) -> Result<Option<Position>, ReplayError> {
    let Some(chunk) = timeline.trace().chunks().iter().find(|chunk| chunk.observed > 0) else { return Ok(None) };
    for position in chunk.first.0..chunk.end().0 {
        if matches!(timeline.event(Position(position))?, Event::Observed { .. }) {
            return Ok(Some(Position(position)));
        }
    }
    Ok(None)
}
