//! Where the values of two events come from, by what was loaded before them: a rerun tells that.

use super::chain::{Evidence, LoadPlace, MOST_SOURCES};
use crate::side::Side;
use crate::timeline::Timeline;
use forkpoint_traces::{Load, Loads, MemoryIndex, Position};
use std::ops::Range;

/// Fewer loads before an event are asked for anew, if there may be more.
const FEW: usize = 4096;

/// Most times that a side is asked.
const MOST_ASKED: u32 = 16;

/// Tells what one side loaded before an event: a run of the recording once more. `None` if that is not known.
pub type LoadsOf<'a> = dyn FnMut(&mut Timeline, Side, Position) -> Option<Loads> + 'a;

/// Runs a recording again to tell what it loaded: what only a program with engines has.
pub trait LoadSource: Send + Sync {
    /// The last loads of a side before an event; `None` if it was stopped. `reached` is called now and then with the position that the
    /// run has come to, and says whether to stop.
    ///
    /// # Errors
    /// When they cannot be told: why not.
    fn loads(
        &self,
        side: Side,
        before: Position,
        reached: &dyn Fn(Position) -> bool,
    ) -> Result<Option<Loads>, String>;
}

/// The loads of both sides, as far as they were asked for.
pub(super) struct KnownLoads<'a> {
    ask: &'a mut LoadsOf<'a>,
    sides: [SideLoads; 2],
}

/// Those of one side: the last that were asked for, before which event, and how often it was asked.
#[derive(Default)]
struct SideLoads {
    known: Option<(Loads, Position)>,
    asked: u32,
}

/// Bytes that two loads of one instruction read differently.
pub(super) struct LoadedFrom {
    pub(super) memory: MemoryIndex,
    pub(super) bytes: Range<u64>,
    pub(super) place: LoadPlace,
    pub(super) evidence: Evidence,
}

/// What loads tell about two events.
pub(super) struct Told {
    /// Loads that differ, the last one first.
    pub(super) loads: Vec<LoadedFrom>,
    /// Whether the runs loaded by different instructions before.
    pub(super) parted: bool,
}

impl SideLoads {
    /// The loads before an event, in the order of the run.
    fn before(&mut self, at: Position, ask: impl FnOnce() -> Option<Loads>) -> Option<&[Load]> {
        let until = |loads: &Loads| loads.loads.partition_point(|load| load.before <= at);
        let enough = self
            .known
            .as_ref()
            .is_some_and(|(loads, asked)| at <= *asked && (loads.from == Position(0) || until(loads) >= FEW));
        if !enough && self.asked < MOST_ASKED {
            self.known = ask().map(|loads| (loads, at));
            // What is not known would not be known the next time.
            self.asked = if self.known.is_some() { self.asked + 1 } else { MOST_ASKED };
        }
        let (loads, _) = self.known.as_ref().filter(|(_, asked)| at <= *asked)?;
        Some(&loads.loads[..until(loads)])
    }
}

impl<'a> KnownLoads<'a> {
    pub(super) fn new(ask: &'a mut LoadsOf<'a>) -> KnownLoads<'a> {
        KnownLoads { ask, sides: Default::default() }
    }

    /// What the loads before two events of one instruction tell, which store these values; `None` if they are not known.
    pub(super) fn told(
        &mut self,
        [lhs, rhs]: [&mut Timeline; 2],
        events: [Position; 2],
        values: [&[u8]; 2],
    ) -> Option<Told> {
        let [left, right] = &mut self.sides;
        let left = left.before(events[0], || (self.ask)(lhs, Side::Lhs, events[0]))?;
        let right = right.before(events[1], || (self.ask)(rhs, Side::Rhs, events[1]))?;
        Some(compare(left, right, values))
    }
}

/// Pairs the loads of two runs backward from two events of one instruction.
fn compare(left: &[Load], right: &[Load], values: [&[u8]; 2]) -> Told {
    let mut told = Told { loads: Vec::new(), parted: false };
    let stored = values.map(first_bytes);
    for (l, r) in left.iter().rev().zip(right.iter().rev()) {
        if (l.func, l.offset) != (r.func, r.offset) {
            told.parted = true;
            break;
        }
        // From other addresses: what differs is the address, which came by a load before.
        if l.value == r.value || (l.memory, l.address) != (r.memory, r.address) {
            continue;
        }
        let bytes = l.address..l.address.saturating_add(l.width.into());
        if told.loads.iter().any(|other| other.memory == l.memory && other.bytes == bytes) {
            continue;
        }
        let evidence = match [Some(l.value), Some(r.value)] == stored {
            true => Evidence::Loaded,
            false => Evidence::LoadedBefore,
        };
        let place = LoadPlace { func: l.func, offset: l.offset, before: [l.before, r.before] };
        told.loads.push(LoadedFrom { memory: l.memory, bytes, place, evidence });
        if told.loads.len() == MOST_SOURCES {
            break;
        }
    }
    told.loads.sort_by_key(|load| load.evidence);
    told
}

/// A value of up to 8 bytes as a number.
fn first_bytes(value: &[u8]) -> Option<u64> {
    let mut bytes = [0; 8];
    bytes.get_mut(..value.len())?.copy_from_slice(value);
    Some(u64::from_le_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use forkpoint_traces::{CodeOffset, FuncIndex};

    fn load(offset: u32, address: u64, value: u64) -> Load {
        Load {
            func: FuncIndex(1),
            offset: CodeOffset(offset),
            memory: MemoryIndex(0),
            address,
            width: 4,
            value,
            before: Position(7),
        }
    }

    #[test]
    fn the_last_loads_that_differ_come_first_and_those_of_the_stored_value_before_all() {
        let left = [load(1, 16, 5), load(2, 32, 1), load(3, 48, 9), load(4, 64, 3)];
        let right = [load(1, 16, 6), load(2, 32, 2), load(3, 48, 9), load(4, 68, 4)];
        let told = compare(&left, &right, [&[5, 0, 0, 0], &[6, 0, 0, 0]]);
        let found: Vec<_> = told.loads.iter().map(|load| (load.bytes.start, load.evidence)).collect();
        assert_eq!(found, [(16, Evidence::Loaded), (32, Evidence::LoadedBefore)]);
        assert!(!told.parted);
    }

    #[test]
    fn loads_before_runs_have_parted_are_not_compared() {
        let left = [load(1, 16, 5), load(2, 32, 1)];
        let right = [load(9, 16, 6), load(2, 32, 1)];
        let told = compare(&left, &right, [&[5], &[6]]);
        assert!(told.loads.is_empty() && told.parted);
    }
}
