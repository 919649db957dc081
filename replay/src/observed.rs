//! What it means that memory was found to differ from what the events make it: a store that did not arrive, or a
//! write without an event.
//!
//! Found bytes come with a certainty. Read back, they are what the preceding store left in memory. Watched, they
//! changed with the preceding event. Seen at a checkpoint, they changed at any time, and only the bytes themselves
//! can show more.

use crate::error::ReplayError;
use crate::timeline::{LastWriters, Timeline, Writer};
use crate::verdict::Verdict;
use forkpoint_traces::{Event, MemoryIndex, Observation, Position};

/// Most events of one checkpoint that are looked at.
const MOST_EVENTS: u64 = 64;

/// Most writers that are searched for one event.
const MOST_WRITERS: usize = 16;

/// Which of the two it is, and the events responsible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Meaning {
    pub(crate) verdict: Verdict,
    /// The event that wrote there last, as far as the recorded events show.
    pub(crate) writer: Option<Position>,
    /// The event with which memory changed, if known.
    pub(crate) during: Option<Position>,
}

/// Explains the event at `position`, if it reports something that was found. Events that were found together are
/// explained together: a store that went elsewhere shows in two places, and the one that lacks it names it.
pub(crate) fn meaning(
    timeline: &mut Timeline,
    position: Position,
    event: &Event,
) -> Result<Option<Meaning>, ReplayError> {
    let before = position.0.checked_sub(1).map(Position);
    let by = match event {
        Event::Observed { by, .. } => *by,
        Event::FoundSize { .. } => {
            return Ok(Some(Meaning { verdict: Verdict::MemorySize, writer: None, during: None }));
        }
        Event::FoundOutside { .. } => {
            return Ok(Some(Meaning { verdict: Verdict::OutOfBounds, writer: before, during: None }));
        }
        _ => return Ok(None),
    };
    // The event with which the bytes changed: everything found together was found after it.
    let mut first = position;
    while by == Observation::Watch && first.0 > 0 && timeline.event(Position(first.0 - 1))?.kind() == "observed" {
        first.0 -= 1;
    }
    let during = first.0.checked_sub(1).map(Position).filter(|_| by == Observation::Watch);
    let end = timeline.len().min(position.0.saturating_add(MOST_EVENTS));
    let mut unrecorded = None;
    let mut all = Vec::new();
    let mut lost: Option<Position> = None;
    for at in (position.0..end).map(Position) {
        if !is_found_by(timeline, at, by)? {
            break;
        }
        let found = Found::at(timeline, at)?;
        let Some(writers) = found.writers(timeline)? else { continue };
        unrecorded.get_or_insert(writers.first().map(|writer| writer.position));
        for writer in writers {
            let did_not_arrive = match by {
                Observation::ReadBack => true,
                Observation::Watch => Some(writer.position) == during,
                Observation::Checkpoint => found.holds_what_was_before(timeline, &writer)?,
            };
            if did_not_arrive && lost.is_none_or(|lost| writer.position < lost) {
                lost = Some(writer.position);
            }
        }
        if by == Observation::ReadBack {
            break;
        }
        all.push(found);
    }
    if let Some(writer) = lost
        && landed_elsewhere(timeline, writer, &all)?
    {
        return Ok(Some(Meaning { verdict: Verdict::Instance, writer: Some(writer), during: None }));
    }
    Ok(match (lost, unrecorded) {
        (Some(writer), _) => Some(Meaning { verdict: Verdict::UncommittedStore, writer: Some(writer), during: None }),
        (None, Some(writer)) => Some(Meaning { verdict: Verdict::UnrecordedWrite, writer, during }),
        (None, None) => None,
    })
}

/// Whether what a store of a program wrote was found at its address in a memory of another instance.
fn landed_elsewhere(timeline: &mut Timeline, writer: Position, found: &[Found]) -> Result<bool, ReplayError> {
    if timeline.trace().header().program.is_none() {
        return Ok(false);
    }
    let event = timeline.event(writer)?;
    let (Some((memory, address, _)), Some(bytes)) = (event.written(), event.bytes()) else { return Ok(false) };
    let Some(program) = &timeline.trace().header().program else { return Ok(false) };
    let owner = program.owner(memory);
    let holds = |found: &Found| {
        let stored = |at: u64| usize::try_from(at.checked_sub(address)?).ok().and_then(|at| bytes.get(at));
        let mut there = found.differing().filter_map(|at| Some((at, stored(at)?))).peekable();
        let is_there = there.peek().is_some();
        is_there && there.all(|(at, byte)| found.engine.get((at - found.address) as usize) == Some(byte))
    };
    Ok(found.iter().any(|found| found.memory != memory && program.owner(found.memory) != owner && holds(found)))
}

fn is_found_by(timeline: &mut Timeline, position: Position, how: Observation) -> Result<bool, ReplayError> {
    Ok(matches!(timeline.event(position)?, Event::Observed { by, .. } if by == how))
}

/// Bytes that were found, with the replayed ones.
struct Found {
    position: Position,
    memory: MemoryIndex,
    address: u64,
    engine: Vec<u8>,
    replayed: Vec<u8>,
}

impl Found {
    fn at(timeline: &mut Timeline, position: Position) -> Result<Found, ReplayError> {
        let Event::Observed { memory, address, bytes: engine, .. } = timeline.event(position)? else {
            return Ok(Found {
                position,
                memory: MemoryIndex(0),
                address: 0,
                engine: Vec::new(),
                replayed: Vec::new(),
            });
        };
        timeline.seek(position)?;
        let mut replayed = vec![0; engine.len()];
        timeline.memory().read(memory, address, &mut replayed);
        Ok(Found { position, memory, address, engine, replayed })
    }

    /// Addresses of the bytes that differ from the replayed ones.
    fn differing(&self) -> impl Iterator<Item = u64> {
        let unequal = |at: &usize| self.engine[*at] != self.replayed[*at];
        (0..self.engine.len()).filter(unequal).map(|at| self.address.saturating_add(at as u64))
    }

    /// The events that last wrote the differing bytes, by address; `None` if no byte differs.
    fn writers(&self, timeline: &mut Timeline) -> Result<Option<Vec<Writer>>, ReplayError> {
        let mut last = LastWriters::new(self.memory, self.differing(), self.position);
        let mut writers: Vec<Writer> = Vec::new();
        let mut differs = false;
        let mut searched = 0;
        for address in self.differing() {
            differs = true;
            let known = writers.iter().any(|writer| writer.written.contains(&address));
            if known || searched == MOST_WRITERS {
                continue;
            }
            searched += 1;
            writers.extend(last.of(timeline, address)?);
        }
        Ok(differs.then_some(writers))
    }

    /// Whether a byte that the event wrote is as it was before the event: then that byte did not arrive.
    fn holds_what_was_before(&self, timeline: &mut Timeline, writer: &Writer) -> Result<bool, ReplayError> {
        timeline.seek(writer.position)?;
        let mut before = vec![0; self.engine.len()];
        timeline.memory().read(self.memory, self.address, &mut before);
        let at = |address: u64| (address - self.address) as usize;
        Ok(self
            .differing()
            .any(|address| writer.written.contains(&address) && before[at(address)] == self.engine[at(address)]))
    }
}

/// The first event of a trace that reports something that was found.
pub(crate) fn first(timeline: &mut Timeline) -> Result<Option<Position>, ReplayError> {
    let Some(chunk) = timeline.trace().chunks().iter().find(|chunk| chunk.observed > 0) else { return Ok(None) };
    for position in chunk.first.0..chunk.end().0 {
        if timeline.event(Position(position))?.kind() == "observed" {
            return Ok(Some(Position(position)));
        }
    }
    Ok(None)
}
