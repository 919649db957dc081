//! The writes of one build in order, and where those of two builds go in pairs.

use super::walk::Walk;
use crate::error::ReplayError;
use crate::timeline::{Flow, Timeline};
use forkpoint_traces::{Event, Image, MemoryIndex, Position, RawEvent, SiteId};
use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// How many writes in a row must be the same to go on in pairs.
pub(super) const ROW: usize = 4;

/// How far the search goes, step by step.
const WINDOWS: [usize; 3] = [16, 256, 4096];

/// How many writes are read at once.
const AHEAD: usize = 512;

/// Whether addresses say anything about which writes are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Addresses {
    /// They mean the same in both builds.
    Count,
    /// Each build has its data elsewhere: only what is written counts.
    Free,
}

/// A write of a build.
#[derive(Debug, Clone, Copy)]
pub(super) struct Write {
    pub(super) position: Position,
    pub(super) site: SiteId,
    operands: [u64; 3],
    pub(super) memory: MemoryIndex,
    pub(super) address: u64,
    pub(super) length: u64,
    /// Of what it does, and of where.
    pub(super) deed: u64,
    pub(super) place: u64,
}

impl Write {
    fn of(position: Position, raw: &RawEvent, event: &Event, addresses: Addresses) -> Option<Write> {
        let (memory, address, length) = event.written().filter(|_| event.site().is_some())?;
        let operands = raw.operands;
        let (place, deed) = match addresses {
            Addresses::Count => {
                let place = hash(&(memory, address, length));
                (place, hash(&(place, event.kind(), operands)))
            }
            Addresses::Free => {
                let place = hash(&(memory, length));
                (place, hash(&(place, event.kind(), event.bytes())))
            }
        };
        Some(Write { position, site: raw.site, operands, memory, address, length, deed, place })
    }
}

/// A build's writes up to an end, which can be put off.
pub(super) struct Stream<'a> {
    timeline: &'a mut Timeline,
    /// Memory after the writes that were taken.
    pub(super) image: Image,
    addresses: Addresses,
    next: Position,
    end: Position,
    pub(super) ahead: VecDeque<Write>,
}

impl<'a> Stream<'a> {
    /// Those from a position on, and none of them yet.
    pub(super) fn from(
        timeline: &'a mut Timeline,
        next: Position,
        addresses: Addresses,
    ) -> Result<Stream<'a>, ReplayError> {
        let image = Walk::image_at(timeline, next)?;
        Ok(Stream { timeline, image, addresses, next, end: next, ahead: VecDeque::new() })
    }

    /// Goes on to the event at `end`, which is not among them. All before were taken.
    pub(super) fn go_on(&mut self, end: Position) {
        self.end = end;
    }

    /// Reads ahead, so that there are `count` writes if there are as many.
    pub(super) fn fill(&mut self, count: usize) -> Result<(), ReplayError> {
        let Stream { timeline, image, addresses, next, end, ahead } = self;
        if ahead.len() >= count || *next >= *end {
            return Ok(());
        }
        let count = count.max(AHEAD);
        let sites = Arc::clone(timeline.trace().sites());
        *next = timeline.each_from(*next, |position, raw| {
            if position >= *end || ahead.len() >= count {
                return Ok(Flow::StopBefore);
            }
            let event = Event::read(raw, &sites)?;
            match Write::of(position, raw, &event, *addresses) {
                Some(write) => ahead.push_back(write),
                // What a host writes is between two things that are seen, where no instruction runs.
                None => image.apply(raw).map_err(|source| ReplayError::Event { position, source })?,
            }
            Ok(Flow::Next)
        })?;
        Ok(())
    }

    /// Makes the next writes. Returns them.
    pub(super) fn take(&mut self, count: usize) -> Result<Vec<Write>, ReplayError> {
        let taken: Vec<Write> = self.ahead.drain(..count.min(self.ahead.len())).collect();
        for Write { position, site, operands, .. } in &taken {
            let raw = RawEvent::instruction(*site, *operands);
            self.image.apply(&raw).map_err(|source| ReplayError::Event { position: *position, source })?;
        }
        Ok(taken)
    }

    /// Makes all that are left before the end.
    pub(super) fn take_all(&mut self) -> Result<(), ReplayError> {
        loop {
            self.fill(AHEAD)?;
            if self.take(AHEAD)?.is_empty() {
                return Ok(());
            }
        }
    }
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// How many of the next writes are the same in both builds. Both have read ahead.
pub(super) fn same(lhs: &Stream, rhs: &Stream) -> usize {
    lhs.ahead.iter().zip(&rhs.ahead).take_while(|(left, right)| left.deed == right.deed).count()
}

/// How many writes of each build come before they go in pairs again.
pub(super) fn search(lhs: &mut Stream, rhs: &mut Stream) -> Result<Option<[usize; 2]>, ReplayError> {
    let same_place = lhs.ahead.front().zip(rhs.ahead.front()).is_some_and(|(left, right)| left.place == right.place);
    for (number, window) in WINDOWS.into_iter().enumerate() {
        lhs.fill(window + ROW)?;
        rhs.fill(window + ROW)?;
        let found = meet(&lhs.ahead, &rhs.ahead, window, |write| write.deed);
        if found.is_some() {
            return Ok(found);
        }
        // All that follows may follow from this one.
        if number > 0 && same_place {
            return Ok(Some([1, 1]));
        }
    }
    // One of them has come to the end of the stretch, or both.
    let most = WINDOWS[WINDOWS.len() - 1];
    if lhs.ahead.len() <= most && rhs.ahead.len() <= most {
        return Ok(Some(
            meet(&lhs.ahead, &rhs.ahead, most, |write| write.place).unwrap_or([lhs.ahead.len(), rhs.ahead.len()]),
        ));
    }
    Ok(meet(&lhs.ahead, &rhs.ahead, most, |write| write.place))
}

/// The nearest place where as many writes as make a row are the same, or all that are left.
fn meet(
    lhs: &VecDeque<Write>,
    rhs: &VecDeque<Write>,
    window: usize,
    key: impl Fn(&Write) -> u64,
) -> Option<[usize; 2]> {
    let rows = |writes: &VecDeque<Write>| -> Vec<u64> {
        let keys: Vec<u64> = writes.iter().take(window + ROW).map(&key).collect();
        (0..keys.len().min(window)).map(|at| hash(&&keys[at..keys.len().min(at + ROW)])).collect()
    };
    let (left, right) = (rows(lhs), rows(rhs));
    let mut first: HashMap<u64, usize> = HashMap::new();
    for (at, row) in right.iter().enumerate() {
        first.entry(*row).or_insert(at);
    }
    let pairs = left.iter().enumerate().filter_map(|(at, row)| Some([at, *first.get(row)?]));
    pairs.filter(|pair| *pair != [0, 0]).min_by_key(|[left, right]| left + right)
}
