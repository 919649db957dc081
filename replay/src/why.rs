//! Why bytes differ: from a difference back to where the runs part, by the events that may have carried it.
//!
//! A trace has what was stored and not what was loaded. So a link of a chain comes with its [`Evidence`]: a copy says where
//! its bytes come from; two values that stood together somewhere else were probably loaded there; otherwise any byte that
//! differed may have been read, and those written last are tried. Where a rerun tells what was loaded, nothing is guessed. The
//! strongest evidence and the shortest chain come first.
//!
//! To get started: [`why`].

mod chain;
mod loaded;
mod report;
mod sources;

use crate::divergence::{Found, first_divergence};
use crate::error::ReplayError;
use crate::nan::NanBits;
use crate::side::Side;
use crate::timeline::Timeline;
pub use chain::{Chain, ChainEnd, ChainLink, Evidence, LoadPlace, Why};
use forkpoint_traces::{Event, HostEvent, MemoryIndex, Position, TraceError};
use loaded::KnownLoads;
pub use loaded::{LoadSource, LoadsOf};
pub use report::{ChainReport, ChainStep, WhyReport};
use sources::Source;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};
use std::ops::Range;

/// Most links that are looked at.
const MOST_LINKS: usize = 512;

/// Most bytes of a value.
const MOST_VALUE: u64 = 16;

/// Most chains of an answer.
const MOST_CHAINS: usize = 3;

/// Bytes that are still to be explained, and the links that lead to them.
struct Open {
    length: u32,
    /// Keeps the order of links of one length.
    number: usize,
    memory: MemoryIndex,
    bytes: Range<u64>,
    moments: [Position; 2],
    evidence: Evidence,
    loaded: Option<LoadPlace>,
    links: Vec<ChainLink>,
}

/// A link found: all links so far, their length, and what is before.
struct Linked {
    links: Vec<ChainLink>,
    length: u32,
    before: Before,
}

/// What is before a link.
enum Before {
    End(ChainEnd),
    Sources(Vec<Source>),
}

/// Follows bytes that differ before the events at `moments` (left and right) back to where the runs part. `None` if they are
/// equal there.
///
/// ```
/// use forkpoint_replay::{ChainEnd, Timeline, why};
/// use forkpoint_traces::{MemoryIndex, Position};
///
/// let mut lhs = Timeline::open("../traces/samples/orbit-jit.fpt".as_ref())?;
/// let mut rhs = Timeline::open("../traces/samples/orbit-portable.fpt".as_ref())?;
/// let answer = why(&mut lhs, &mut rhs, MemoryIndex(0), 16..32, [Position(13); 2])?.expect("they differ");
/// let chain = &answer.chains[0];
/// assert_eq!(chain.end, ChainEnd::FirstDivergence);
/// assert_eq!(chain.links.last().expect("links").writers, [Some(Position(12)); 2]);
/// # Ok::<(), forkpoint_replay::ReplayError>(())
/// ```
///
/// # Errors
/// When a trace is damaged, the two are of different modules, or memory at these positions is not known.
pub fn why(
    lhs: &mut Timeline,
    rhs: &mut Timeline,
    memory: MemoryIndex,
    bytes: Range<u64>,
    moments: [Position; 2],
) -> Result<Option<Why>, ReplayError> {
    let parted = first_divergence(lhs, rhs, NanBits::default())?;
    why_by_loads(lhs, rhs, &parted, memory, bytes, moments, &mut |_, _, _| None)
}

/// The same, with what `loads` tells. `parted` is where the runs part, NaNs counted: what [`first_divergence`] finds.
///
/// # Errors
/// Those of [`why`].
pub fn why_by_loads<'a>(
    lhs: &'a mut Timeline,
    rhs: &'a mut Timeline,
    parted: &Found,
    memory: MemoryIndex,
    bytes: Range<u64>,
    moments: [Position; 2],
    loads: &'a mut LoadsOf<'a>,
) -> Result<Option<Why>, ReplayError> {
    let Found { divergence, nan, .. } = parted;
    let first = [divergence.as_ref().map(|divergence| divergence.position), nan.as_ref().map(|nan| nan.first)];
    let first = first.into_iter().flatten().min();
    lhs.seek(moments[0])?;
    rhs.seek(moments[1])?;
    if !sources::differ(lhs, rhs, memory, &bytes) {
        return Ok(None);
    }
    let mut search = Search {
        lhs,
        rhs,
        loads: KnownLoads::new(loads),
        first,
        open: BinaryHeap::new(),
        seen: HashSet::new(),
        number: 0,
        looked: 0,
    };
    let (evidence, loaded) = (Evidence::Asked, None);
    search.push(Open { length: 0, number: 0, memory, bytes, moments, evidence, loaded, links: Vec::new() });
    search.run().map(Some)
}

/// The bytes of the value that holds a byte before the event at `before`: those that its last writer wrote, if they are few.
///
/// # Errors
/// When the trace is damaged.
pub fn value_around(
    timeline: &mut Timeline,
    memory: MemoryIndex,
    address: u64,
    before: Position,
) -> Result<Range<u64>, ReplayError> {
    let byte = address..address.saturating_add(1);
    let writer = match timeline.last_writer(memory, byte.clone(), before) {
        Err(ReplayError::Trace(TraceError::LeftOut { .. })) => None,
        writer => writer?,
    };
    let Some(writer) = writer else { return Ok(byte) };
    let written = timeline.event(writer)?.written();
    Ok(match written {
        Some((_, start, length)) if length <= MOST_VALUE => start..start.saturating_add(length),
        _ => byte,
    })
}

struct Search<'a> {
    lhs: &'a mut Timeline,
    rhs: &'a mut Timeline,
    loads: KnownLoads<'a>,
    first: Option<Position>,
    open: BinaryHeap<Reverse<Open>>,
    /// Writers that have been looked at: another way to them is longer.
    seen: HashSet<[Option<Position>; 2]>,
    number: usize,
    looked: usize,
}

impl Search<'_> {
    fn push(&mut self, open: Open) {
        self.number += 1;
        let length = open.length + open.evidence.length();
        self.open.push(Reverse(Open { length, number: self.number, ..open }));
    }

    fn run(mut self) -> Result<Why, ReplayError> {
        let (mut whole, mut others) = (Vec::new(), Vec::new());
        while let Some(Reverse(open)) = self.open.pop() {
            if self.looked == MOST_LINKS {
                break;
            }
            self.looked += 1;
            let Some(Linked { links, length, before }) = self.link(open)? else { continue };
            match before {
                Before::End(end) => {
                    let chains = if end == ChainEnd::FirstDivergence { &mut whole } else { &mut others };
                    chains.push(Chain { links, end });
                    if whole.len() == MOST_CHAINS {
                        break;
                    }
                }
                Before::Sources(sources) => {
                    for Source { memory, bytes, moments, evidence, loaded, rank } in sources {
                        // What was written or loaded last was most probably read.
                        let length = length.saturating_add(2 * rank * evidence.length());
                        let links = links.clone();
                        self.push(Open { length, number: 0, memory, bytes, moments, evidence, loaded, links });
                    }
                }
            }
        }
        let cut_short = self.looked == MOST_LINKS && !self.open.is_empty();
        whole.extend(others);
        whole.truncate(MOST_CHAINS);
        Ok(Why { chains: whole, cut_short })
    }

    /// Finds the writers of bytes, and what is before them; `None` if another way has come to these.
    fn link(&mut self, open: Open) -> Result<Option<Linked>, ReplayError> {
        let Open { length, memory, bytes, moments, evidence, loaded, mut links, .. } = open;
        let mut left_out = false;
        let mut writers = [None; 2];
        for side in Side::BOTH {
            let timeline = if side == Side::Lhs { &mut *self.lhs } else { &mut *self.rhs };
            match timeline.last_writer(memory, bytes.clone(), moments[side.index()]) {
                Err(ReplayError::Trace(TraceError::LeftOut { .. })) => left_out = true,
                found => writers[side.index()] = found?,
            }
        }
        if !self.seen.insert(writers) && !left_out {
            return Ok(None);
        }
        links.push(ChainLink { memory, bytes: bytes.clone(), writers, evidence, loaded });
        if loaded.is_some() {
            self.lhs.seek(moments[0])?;
            self.rhs.seek(moments[1])?;
            if !sources::differ(self.lhs, self.rhs, memory, &bytes) {
                return Ok(Some(Linked { links, length, before: Before::End(ChainEnd::WrongLoad) }));
            }
        }
        let before = match (left_out, writers) {
            (true, _) => Before::End(ChainEnd::LeftOut),
            (false, [None, None]) => Before::End(ChainEnd::NotWritten),
            (false, [Some(left), Some(right)]) if !self.is_first(&[left, right]) => {
                self.before(&bytes, [left, right])?
            }
            (false, writers) if self.is_first(&writers.into_iter().flatten().collect::<Vec<_>>()) => {
                Before::End(ChainEnd::FirstDivergence)
            }
            (false, _) => Before::End(ChainEnd::OtherPath),
        };
        Ok(Some(Linked { links, length, before }))
    }

    /// Whether one of these events is where the runs part.
    fn is_first(&self, writers: &[Position]) -> bool {
        writers.iter().any(|writer| Some(*writer) == self.first)
    }

    /// What is before two events that wrote the bytes.
    fn before(&mut self, bytes: &Range<u64>, writers: [Position; 2]) -> Result<Before, ReplayError> {
        let (left, right) = (self.lhs.event(writers[0])?, self.rhs.event(writers[1])?);
        if left.site() != right.site() {
            return Ok(Before::End(ChainEnd::OtherPath));
        }
        let values = [&left, &right].map(|event| event.bytes().unwrap_or_default());
        let is_copy = matches!(left, Event::Copy { .. }) && left.written() == right.written();
        if left.site().is_some() && !is_copy {
            let told = self.loads.told([&mut *self.lhs, &mut *self.rhs], writers, values);
            if let Some(told) = told {
                return Ok(match (told.loads.is_empty(), told.parted) {
                    (true, true) => Before::End(ChainEnd::OtherPath),
                    (true, false) => Before::End(ChainEnd::EqualLoads),
                    (false, _) => Before::Sources((0..).zip(told.loads).map(Source::loaded).collect()),
                });
            }
        }
        if left.written() != right.written() {
            return Ok(Before::End(ChainEnd::OtherPath));
        }
        let ends = match (&left, &right) {
            (Event::Host(HostEvent::Write { .. }), _) => Some(ChainEnd::Host),
            (Event::StrayBytes { .. } | Event::Observed { .. } | Event::Milestone(_), _) => {
                Some(ChainEnd::NotWritten)
            }
            _ => None,
        };
        if let Some(end) = ends {
            return Ok(Before::End(end));
        }
        self.lhs.seek(writers[0])?;
        self.rhs.seek(writers[1])?;
        let found = sources::of(self.lhs, self.rhs, [&left, &right], bytes, writers)?;
        Ok(match found.is_empty() {
            true => Before::End(ChainEnd::EqualMemory),
            false => Before::Sources(found),
        })
    }
}

impl PartialEq for Open {
    fn eq(&self, other: &Open) -> bool {
        (self.length, self.number) == (other.length, other.number)
    }
}

impl Eq for Open {}

impl PartialOrd for Open {
    fn partial_cmp(&self, other: &Open) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Open {
    fn cmp(&self, other: &Open) -> std::cmp::Ordering {
        (self.length, self.number).cmp(&(other.length, other.number))
    }
}
