//! The first divergence of two traces, and what kind it is.

use crate::error::ReplayError;
use crate::limits;
use crate::nan::{self, NanBits, NanDifferences};
use crate::observed;
use crate::resync::{self, Resync};
use crate::side::Side;
use crate::tail;
use crate::timeline::Timeline;
use crate::verdict::{Verdict, classify};
use forkpoint_traces::{DigestOf, Event, EventDigests, MemoryIndex, Position, TraceError};
use std::ops::Range;

/// Most bytes of memory that a divergence shows on each side.
const SHOWN_BYTES: u64 = 64;

/// Where two runs part.
#[derive(Debug, Clone)]
pub struct Divergence {
    /// The class.
    pub verdict: Verdict,
    /// Position of the first unequal pair, the same on both sides.
    pub position: Position,
    /// The event on the left, `None` if the trace ends before.
    pub lhs: Option<Event>,
    /// The event on the right.
    pub rhs: Option<Event>,
    /// What memory held where the left event wrote, or else the right one.
    pub memory: Option<MemoryEffect>,
    /// What memory held where the right event wrote, if that is another memory or far from the left one's bytes.
    pub elsewhere: Option<MemoryEffect>,
    /// Where the runs agree again.
    pub resync: Option<Resync>,
    /// The store that memory does not show, or that it should still show: its side and position.
    pub culprit: Option<(Side, Position)>,
    /// The event during which memory changed without a record, if known: its side and position.
    pub during: Option<(Side, Position)>,
}

/// What a search for the first divergence found.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// Where the runs part.
    pub divergence: Option<Divergence>,
    /// Earlier events that differ in NaN bits only.
    pub nan: Option<NanDifferences>,
    /// Why there is no answer beyond the common events, if a run was cut short.
    pub cut_short: Option<String>,
}

/// Memory around a divergence: bytes that one event wrote, or both.
#[derive(Debug, Clone)]
pub struct MemoryEffect {
    /// Which memory.
    pub memory: MemoryIndex,
    /// First byte shown.
    pub address: u64,
    /// The bytes before both events (equal on both sides: nothing differed until here).
    pub before: Vec<u8>,
    /// The bytes after the left event.
    pub lhs_after: Vec<u8>,
    /// The bytes after the right event.
    pub rhs_after: Vec<u8>,
    /// The last earlier event that wrote one of these bytes.
    pub last_writer: Option<Position>,
    /// Set where the trace leaves out events and holds no writer after them: only events before this position can have
    /// written these bytes.
    pub written_before: Option<Position>,
}

/// Finds the first unequal pair of events of two traces of the same module. No divergence: all common events are
/// equal and neither trace has more. Events that differ in NaN bits only are treated as `nan_bits` says.
///
/// Chunks with equal digests are skipped unread, so the cost is that of reading the two indexes and one
/// chunk of each side.
///
/// # Errors
/// When the traces are of different modules, or damaged where it matters.
pub fn first_divergence(lhs: &mut Timeline, rhs: &mut Timeline, nan_bits: NanBits) -> Result<Found, ReplayError> {
    comparable(lhs, rhs)?;
    rhs.share_symbols(lhs);
    let mut nan: Option<NanDifferences> = None;
    let mut from = 0;
    let mut cut_short = None;
    let divergence = loop {
        let Some(position) = first_unequal(lhs, rhs, from)? else { break None };
        let (left, right) = (event_or_end(lhs, position)?, event_or_end(rhs, position)?);
        let only_nan = match (&left, &right) {
            (Some(left), Some(right)) if nan_bits != NanBits::Stop => {
                nan::only_nan_bits(left, right, lhs.trace().sites())
                    || nan::end_differs_in_nan_bits_only(lhs, rhs, left, right, nan.is_some())?
            }
            _ => false,
        };
        let (Some(left), Some(right), true) = (&left, &right, only_nan) else {
            cut_short = tail::cut_short(lhs, rhs, [left.as_ref(), right.as_ref()], position)?;
            if cut_short.is_some() {
                break None;
            }
            break explain(lhs, rhs, position, left, right)?;
        };
        let bytes = |event: &Event| event.bytes().unwrap_or_default().to_vec();
        let (first, count) = (position, 0);
        nan.get_or_insert_with(|| NanDifferences { first, count, lhs: bytes(left), rhs: bytes(right) }).count += 1;
        from = position.next().0;
    };
    let divergence = match (divergence, &nan) {
        (None, Some(nan)) if nan_bits == NanBits::Report => {
            let (left, right) = (event_or_end(lhs, nan.first)?, event_or_end(rhs, nan.first)?);
            explain(lhs, rhs, nan.first, left, right)?
        }
        (divergence, _) => divergence,
    };
    if divergence.is_none() && cut_short.is_none() && lhs.len() == rhs.len() && !lhs.is_empty() {
        let last = Position(lhs.len() - 1);
        let (left, right) = (lhs.event(last)?, rhs.event(last)?);
        cut_short = tail::cut_short(lhs, rhs, [Some(&left), Some(&right)], last)?;
    }
    Ok(Found { divergence, nan, cut_short })
}

/// Everything about the unequal pair at `position`. `None` when one side was cut off there.
fn explain(
    lhs: &mut Timeline,
    rhs: &mut Timeline,
    position: Position,
    left: Option<Event>,
    right: Option<Event>,
) -> Result<Option<Divergence>, ReplayError> {
    if left.is_none() && !lhs.trace().is_complete() || right.is_none() && !rhs.trace().is_complete() {
        // The shorter side was cut off while recording: as far as it goes, they agree.
        return Ok(None);
    }
    let resync = resync::find(lhs, rhs, position)?;
    let mut verdict = classify(left.as_ref(), right.as_ref(), position, resync);
    if let (Some(left), Some(right)) = (&left, &right)
        && (nan::only_nan_bits(left, right, lhs.trace().sites())
            || nan::end_differs_in_nan_bits_only(lhs, rhs, left, right, false)?)
    {
        verdict = Verdict::NanBits;
    }
    if limits::explains(verdict, left.as_ref().zip(right.as_ref()), [lhs, rhs]) {
        verdict = Verdict::PageLimit;
    }
    let (mut culprit, mut during) = (None, None);
    for (side, timeline, event) in [(Side::Lhs, &mut *lhs, &left), (Side::Rhs, &mut *rhs, &right)] {
        let Some(event) = event else { continue };
        if let Some(meaning) = observed::meaning(timeline, position, event)? {
            verdict = meaning.verdict;
            culprit = meaning.writer.map(|writer| (side, writer));
            during = meaning.during.map(|event| (side, event));
            break;
        }
    }
    // What was found concerns one side: what the other one wrote meanwhile does not belong to it.
    let found = |event: &&Event| event.kind() == "observed";
    let places = match [&left, &right].map(|event| event.as_ref().filter(found)) {
        [None, None] => places(left.as_ref(), right.as_ref()),
        [left, right] => places(left, right),
    };
    let [memory, elsewhere] = match places {
        [None, other] => [other, None],
        both => both,
    };
    let mut effect = |place: Option<Written>| match place {
        Some(place) => memory_effect(lhs, rhs, position, place),
        None => Ok(None),
    };
    let (memory, elsewhere) = (effect(memory)?, effect(elsewhere)?);
    Ok(Some(Divergence { verdict, position, lhs: left, rhs: right, memory, elsewhere, resync, culprit, during }))
}

/// Two runs with equal events in which memory was found to differ from what these make it: the first place.
pub(crate) fn both_observed(lhs: &mut Timeline, rhs: &mut Timeline) -> Result<Option<Divergence>, ReplayError> {
    let Some(position) = observed::first(lhs)? else { return Ok(None) };
    if position.0 >= rhs.len() {
        return Ok(None);
    }
    let (left, right) = (event_or_end(lhs, position)?, event_or_end(rhs, position)?);
    explain(lhs, rhs, position, left, right)
}

fn comparable(lhs: &Timeline, rhs: &Timeline) -> Result<(), ReplayError> {
    let (left, right) = (lhs.trace(), rhs.trace());
    let (left_module, right_module) = (&left.header().module, &right.header().module);
    if left_module.hash != right_module.hash {
        return Err(ReplayError::DifferentModules { lhs: left_module.hash_hex(), rhs: right_module.hash_hex() });
    }
    // Scripts may have the same modules and do something else with them.
    if left.header().program != right.header().program {
        return Err(ReplayError::DifferentPrograms);
    }
    if !left.sites().iter().eq(right.sites().iter()) {
        return Err(ReplayError::DifferentSites { lhs: left.sites().len(), rhs: right.sites().len() });
    }
    Ok(())
}

/// The first unequal pair from position `at` on. Equal chunks are skipped unread, and so are events that one of the traces
/// leaves out, if their digests are equal.
fn first_unequal(lhs: &mut Timeline, rhs: &mut Timeline, mut at: u64) -> Result<Option<Position>, ReplayError> {
    let common = lhs.len().min(rhs.len());
    let digests = digests_of_both(lhs, rhs);
    let differing = digests.as_ref().and_then(|[lhs, rhs]| lhs.first_difference(rhs));
    while at < common {
        let held = [&*lhs, &*rhs].map(|timeline| timeline.trace().held_until(Position(at))).into_iter().min();
        let held = held.map_or(common, |held| held.0.min(common));
        if held == at {
            at = after_gap(lhs, rhs, Position(at), digests.is_some(), differing.as_ref())?.0;
            continue;
        }
        if let Some(found) = first_unequal_among(lhs, rhs, at..held)? {
            return Ok(Some(found));
        }
        at = held;
    }
    Ok((lhs.len() != rhs.len()).then_some(Position(common)))
}

/// Digests of the same kind of both traces, if they have any.
fn digests_of_both(lhs: &Timeline, rhs: &Timeline) -> Option<[EventDigests; 2]> {
    let digests = |timeline: &Timeline, of| Some(timeline.trace().digests(of)?.into_owned());
    [DigestOf::Records, DigestOf::Chunks].into_iter().find_map(|of| Some([digests(lhs, of)?, digests(rhs, of)?]))
}

/// The first position that both traces hold again, after one at which one of them leaves events out. The digests must show
/// that the runs do not part before.
fn after_gap(
    lhs: &Timeline,
    rhs: &Timeline,
    at: Position,
    known: bool,
    differing: Option<&Range<Position>>,
) -> Result<Position, ReplayError> {
    let mut after = at;
    while let Some(gap) = lhs.trace().gap(after).or_else(|| rhs.trace().gap(after)) {
        after = gap.end;
    }
    let gap = at..after;
    if !known {
        return Err(ReplayError::NotComparable { gap });
    }
    match differing {
        Some(stretch) if stretch.start < gap.end && (stretch.end > gap.start || stretch.is_empty()) => {
            Err(ReplayError::PartLeftOut { stretch: stretch.clone(), gap })
        }
        _ => Ok(after),
    }
}

/// The first unequal pair among events that both traces hold, whatever they leave out.
///
/// # Errors
/// When a trace is damaged where it matters.
pub fn first_unequal_held(lhs: &mut Timeline, rhs: &mut Timeline) -> Result<Option<Position>, ReplayError> {
    let common = lhs.len().min(rhs.len());
    let mut at = 0;
    while at < common {
        if let Some(gap) = lhs.trace().gap(Position(at)).or_else(|| rhs.trace().gap(Position(at))) {
            at = gap.end.0;
            continue;
        }
        let held = [&*lhs, &*rhs].map(|timeline| timeline.trace().held_until(Position(at)).0);
        let held = held[0].min(held[1]).min(common);
        if let Some(found) = first_unequal_among(lhs, rhs, at..held)? {
            return Ok(Some(found));
        }
        at = held;
    }
    Ok((lhs.len() != rhs.len()).then_some(Position(common)))
}

/// The first unequal pair of a range that both traces hold.
fn first_unequal_among(
    lhs: &mut Timeline,
    rhs: &mut Timeline,
    held: Range<u64>,
) -> Result<Option<Position>, ReplayError> {
    let mut at = held.start;
    while at < held.end {
        let chunk = |timeline: &Timeline| -> Option<(Position, u32, [u8; 16])> {
            let chunks = timeline.trace().chunks();
            let index = chunks.binary_search_by_key(&at, |chunk| chunk.first.0).ok()?;
            Some((chunks[index].first, chunks[index].count, chunks[index].digest))
        };
        if let (Some(left), Some(right)) = (chunk(lhs), chunk(rhs))
            && left == right
        {
            at += u64::from(left.1);
            continue;
        }
        if !lhs.same_event(Position(at), rhs, Position(at))? {
            return Ok(Some(Position(at)));
        }
        at += 1;
    }
    Ok(None)
}

fn event_or_end(timeline: &mut Timeline, position: Position) -> Result<Option<Event>, ReplayError> {
    if position.0 < timeline.len() { timeline.event(position).map(Some) } else { Ok(None) }
}

/// Memory, first address and length of bytes that were written.
type Written = (MemoryIndex, u64, u64);

/// The places to show: one that covers both writes if they are close, else one for each.
fn places(left: Option<&Event>, right: Option<&Event>) -> [Option<Written>; 2] {
    let events = [left, right];
    let written = |event: Option<&Event>| event.and_then(Event::written).filter(|(.., length)| *length > 0);
    match [written(left), written(right)] {
        [Some((memory, left, length)), Some((other, right, other_length))]
            if memory == other && left.abs_diff(right) < SHOWN_BYTES =>
        {
            let end = left.saturating_add(length).max(right.saturating_add(other_length));
            let front = if left == right { equal_front(events) } else { 0 };
            let start = left.min(right).saturating_add(front);
            [Some((memory, start, end.saturating_sub(start))), None]
        }
        both => both,
    }
}

/// How many equal bytes at the front of two long writes to leave out: all but a few.
fn equal_front(events: [Option<&Event>; 2]) -> u64 {
    const KEPT: usize = 8;
    let [Some(left), Some(right)] = events.map(|event| event.and_then(Event::bytes)) else { return 0 };
    let equal = left.iter().zip(right).take_while(|(left, right)| left == right).count();
    // Values of stores are shown whole.
    if equal < 16 { 0 } else { (equal - KEPT) as u64 }
}

fn memory_effect(
    lhs: &mut Timeline,
    rhs: &mut Timeline,
    position: Position,
    (memory, start, length): Written,
) -> Result<Option<MemoryEffect>, ReplayError> {
    let mut before = vec![0; length.min(SHOWN_BYTES) as usize];
    lhs.seek(position)?;
    rhs.seek(position)?;
    let inside = [&*lhs, &*rhs].map(|timeline| timeline.memory().read(memory, start, &mut before));
    if inside == [0, 0] {
        // Outside of memory there are no bytes to show.
        return Ok(None);
    }
    lhs.memory().read(memory, start, &mut before);
    let after = |timeline: &mut Timeline| -> Result<Vec<u8>, ReplayError> {
        timeline.seek(Position(position.next().0.min(timeline.len())))?;
        let mut bytes = vec![0; before.len()];
        timeline.memory().read(memory, start, &mut bytes);
        Ok(bytes)
    };
    let (lhs_after, rhs_after) = (after(lhs)?, after(rhs)?);
    let bytes = start..start.saturating_add(before.len() as u64);
    let (last_writer, written_before) = match lhs.last_writer(memory, bytes, position) {
        Err(ReplayError::Trace(TraceError::LeftOut { gap, .. })) => (None, Some(gap.end)),
        found => (found?, None),
    };
    Ok(Some(MemoryEffect { memory, address: start, before, lhs_after, rhs_after, last_writer, written_before }))
}
