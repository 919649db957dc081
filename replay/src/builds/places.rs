//! Bytes that differ between two builds, and which instruction of each wrote them last.

use super::follow::{Followed, Left, Parting};
use super::memory::Differing;
use super::pairing::Pairing;
use super::place::{BuildBytes, BuildPlace, Counterpart, DifferingBytes, FollowedStores};
use super::walk::Walk;
use crate::error::ReplayError;
use crate::report::EventReport;
use crate::side::Side;
use crate::timeline::{LastWriters, Timeline, Writer};
use forkpoint_traces::{FuncIndex, Hex, HostCall, Image, MemoryIndex, Position};
use std::collections::HashSet;
use std::sync::Arc;

/// Of how many places it is looked at which functions wrote there.
const MOST_RANKED: usize = 64;

/// Most places that a report has, and most bytes of each that it shows.
const MOST_PLACES: usize = 8;
const MOST_SHOWN: u64 = 16;

/// How much of what a host call reads is compared at once.
const PIECE: u64 = 1 << 16;

/// A stretch of differing bytes with the same writers.
struct Stretch {
    memory: MemoryIndex,
    address: u64,
    length: u64,
    writers: [Option<Position>; 2],
}

impl Stretch {
    /// Places that both builds wrote come first, and of those the one that was written first.
    fn rank(&self) -> (bool, Position) {
        let first = self.writers.iter().flatten().min().copied().unwrap_or_default();
        (self.writers.iter().any(Option::is_none), first)
    }
}

/// Finds the places, and names what wrote there.
pub(super) struct Places<'a> {
    pub(super) functions: &'a mut Pairing,
}

impl Places<'_> {
    /// Which function of the other build is `func` of `side`'s.
    fn counterpart(&mut self, side: Side, func: FuncIndex, other: &Timeline) -> Option<Counterpart> {
        let (function, by) = self.functions.counterpart(side, func)?;
        Some(Counterpart { function, name: other.symbols().function_name(function), by })
    }

    /// The places of all bytes that differ now, the likeliest cause first, and how many bytes there are.
    pub(super) fn of(
        &mut self,
        differing: &Differing,
        lhs: &mut Walk,
        rhs: &mut Walk,
    ) -> Result<(Vec<BuildPlace>, DifferingBytes), ReplayError> {
        let mut count = DifferingBytes { all: differing.bytes(), ..DifferingBytes::default() };
        let mut stretches: Vec<Stretch> = Vec::new();
        for (memory, addresses) in differing.addresses(&lhs.image, &rhs.image) {
            let writers = |end| LastWriters::new(memory, addresses.iter().copied(), end);
            let (mut left, mut right) = (writers(lhs.position), writers(rhs.position));
            for &address in &addresses {
                let found = [left.of(lhs.timeline, address)?, right.of(rhs.timeline, address)?];
                let writers = found.map(|writer| writer.map(|Writer { position, .. }| position));
                count.examined += 1;
                match writers {
                    [Some(_), None] => count.only_lhs += 1,
                    [None, Some(_)] => count.only_rhs += 1,
                    _ => count.both += 1,
                }
                match stretches.last_mut() {
                    Some(last)
                        if last.memory == memory
                            && last.address + last.length == address
                            && last.writers == writers =>
                    {
                        last.length += 1;
                    }
                    _ => stretches.push(Stretch { memory, address, length: 1, writers }),
                }
            }
        }
        stretches.sort_by_key(Stretch::rank);
        // The bytes of one store may differ here and there.
        let mut shown = HashSet::new();
        stretches
            .retain(|stretch| stretch.writers == [None, None] || shown.insert((stretch.memory, stretch.writers)));
        stretches.truncate(MOST_RANKED);
        let mut places = Vec::with_capacity(stretches.len());
        for Stretch { memory, address, length, writers } in stretches {
            let side = |image: &Image, at: usize| (read(image, memory, address, length), writers[at], address);
            let sides = [side(&lhs.image, 0), side(&rhs.image, 1)];
            places.push(self.place(memory, sides, [lhs.timeline, rhs.timeline])?);
        }
        // What one function wrote otherwise says more than what two functions left on the stack.
        places.sort_by_key(|place| place.same_function.is_none());
        places.truncate(MOST_PLACES);
        Ok((places, count))
    }

    /// The place of the first byte that a host call is given otherwise, by its read number `number`.
    pub(super) fn read_place(
        &mut self,
        [left, right]: [&HostCall; 2],
        number: usize,
        lhs: &mut Walk,
        rhs: &mut Walk,
    ) -> Result<Option<BuildPlace>, ReplayError> {
        let (Some(left), Some(right)) = (left.reads.get(number), right.reads.get(number)) else { return Ok(None) };
        let length = left.length.min(right.length);
        let mut at = 0;
        let differs = loop {
            if at >= length {
                return Ok(None);
            }
            let piece = PIECE.min(length - at);
            let ours = read(&lhs.image, left.memory, left.address.saturating_add(at), piece);
            let theirs = read(&rhs.image, right.memory, right.address.saturating_add(at), piece);
            if let Some(first) = ours.iter().zip(&theirs).position(|(left, right)| left != right) {
                break at + first as u64;
            }
            at += piece;
        };
        let shown = MOST_SHOWN.min(length - differs);
        let side = |walk: &mut Walk, address: u64, memory: MemoryIndex| {
            let bytes = read(&walk.image, memory, address, shown);
            let writer = walk.timeline.last_writer(memory, address..address.saturating_add(1), walk.position)?;
            Ok::<_, ReplayError>((bytes, writer, address))
        };
        let sides = [
            side(lhs, left.address.saturating_add(differs), left.memory)?,
            side(rhs, right.address.saturating_add(differs), right.memory)?,
        ];
        let place = self.place(left.memory, sides, [lhs.timeline, rhs.timeline])?;
        Ok(Some(BuildPlace { read_by_host: true, ..place }))
    }

    /// What came of following the stores of both, with names.
    pub(super) fn followed(
        &mut self,
        followed: Followed,
        lhs: &mut Timeline,
        rhs: &mut Timeline,
    ) -> Result<FollowedStores, ReplayError> {
        let mut place = |left: Option<Left>| {
            let Some((Parting { memory, address, writers, .. }, [left, right])) = left else { return Ok(None) };
            let [writer, other] = writers.map(|writer| writer.map(|(position, _)| position));
            let sides = [(left, writer, address), (right, other, address)];
            Ok::<_, ReplayError>(Some(Box::new(self.place(memory, sides, [&mut *lhs, &mut *rhs])?)))
        };
        Ok(FollowedStores {
            one_function: place(followed.one_function)?,
            before: place(followed.any)?,
            lost: followed.lost,
        })
    }

    fn place(
        &mut self,
        memory: MemoryIndex,
        sides: [(Vec<u8>, Option<Position>, u64); 2],
        [lhs, rhs]: [&mut Timeline; 2],
    ) -> Result<BuildPlace, ReplayError> {
        let mut functions = [None; 2];
        let mut made = Vec::with_capacity(2);
        for (side, (mut bytes, position, address)) in Side::BOTH.into_iter().zip(sides) {
            bytes.truncate(MOST_SHOWN as usize);
            let (own, other) = if side == Side::Lhs { (&mut *lhs, &*rhs) } else { (&mut *rhs, &*lhs) };
            let (mut writer, mut counterpart) = (None, None);
            if let Some(position) = position {
                let event = own.event(position)?;
                let (sites, symbols) = (Arc::clone(own.trace().sites()), Arc::clone(own.symbols()));
                let func = event.site().and_then(|site| sites.get(site)).map(|site| site.func);
                writer = Some(EventReport::of(position, &event, &sites, &symbols));
                counterpart = func.and_then(|func| self.counterpart(side, func, other));
                functions[side.index()] = func;
            }
            made.push(BuildBytes { address, bytes: Hex(bytes), writer, counterpart });
        }
        let [Some(rhs), Some(lhs)] = [made.pop(), made.pop()] else { unreachable!("one for each side") };
        let same = lhs.counterpart.as_ref().filter(|counterpart| Some(counterpart.function) == functions[1]);
        let same_function = same.map(|counterpart| counterpart.by);
        Ok(BuildPlace { memory, read_by_host: false, lhs, rhs, same_function })
    }
}

fn read(image: &Image, memory: MemoryIndex, address: u64, length: u64) -> Vec<u8> {
    let mut bytes = vec![0; length.min(PIECE) as usize];
    image.read(memory, address, &mut bytes);
    bytes
}
