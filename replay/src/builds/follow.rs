//! Where two builds first write other bytes: their stores, followed side by side.
//!
//! What memory holds when a difference is seen may be the last of many consequences. So the stores of both builds are followed
//! from where memory was the same for the last time. Stores that both make go in pairs. Where they do not, what follows is
//! searched for a place where they do again; what lies between was merged, moved, added or removed, and if memory then holds
//! other bytes where the *same function* of both wrote, that is the place. Where other functions did, or only one build wrote,
//! the stack is used differently: that is kept in mind, and from there on nothing on the stack counts.

use super::pairing::Pairing;
use super::stream::{Addresses, ROW, Stream, Write, same, search};
use crate::error::ReplayError;
use crate::timeline::Timeline;
use forkpoint_traces::{Image, MemoryIndex, Position, SiteId};
use std::sync::Arc;

/// Most bytes of one write that are looked at.
const MOST: u64 = 1 << 12;

/// Most places that only one build wrote and that are kept in mind.
const MOST_OPEN: usize = 1 << 10;

/// Most searches before the builds are taken to have nothing in common.
const MOST_SEARCHES: usize = 1 << 16;

/// Bytes that are not the same in both builds, and the events that wrote them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Parting {
    pub(super) memory: MemoryIndex,
    pub(super) address: u64,
    /// From there to the end of the write.
    pub(super) length: u64,
    /// The event of each build, where one wrote there since they were followed, and its site.
    pub(super) writers: [Option<(Position, SiteId)>; 2],
}

/// A parting, and the bytes that each build has there.
pub(super) type Left = (Parting, [Vec<u8>; 2]);

/// What came of following them.
#[derive(Default)]
pub(super) struct Followed {
    /// Where one function of both first left other bytes.
    pub(super) one_function: Option<Left>,
    /// Where any did, before that.
    pub(super) any: Option<Left>,
    /// Whether they had too little in common to be followed to the end.
    pub(super) lost: bool,
}

/// Follows both builds through stretches, each from the events where it begins to those before which it ends.
pub(super) fn follow(
    lhs: &mut Timeline,
    rhs: &mut Timeline,
    stretches: &[[[Position; 2]; 2]],
    pairing: &mut Pairing,
) -> Result<Followed, ReplayError> {
    let mut followed = Followed::default();
    let Some(&[from, _]) = stretches.first() else { return Ok(followed) };
    let sites = [&*lhs, &*rhs].map(|timeline| Arc::clone(timeline.trace().sites()));
    // Whether one function of both wrote at a place, and not on a stack that they use differently.
    let mut counts = |parting: &Parting, [left, right]: [SiteId; 2], elsewhere: bool| {
        let functions = sites[0].get(left).zip(sites[1].get(right));
        let one = functions.is_some_and(|(left, right)| pairing.is_one([left.func, right.func]));
        one && !(elsewhere && pairing.is_on_stack(parting.memory, parting.address))
    };
    let mut left = Stream::from(lhs, from[0], Addresses::Count)?;
    let mut right = Stream::from(rhs, from[1], Addresses::Count)?;
    let mut searches = 0;
    for &[_, to] in stretches {
        left.go_on(to[0]);
        right.go_on(to[1]);
        through(&mut left, &mut right, &mut searches, &mut followed, &mut counts)?;
        if followed.lost || followed.one_function.is_some() {
            break;
        }
    }
    Ok(followed)
}

/// Follows both through one stretch.
fn through(
    lhs: &mut Stream,
    rhs: &mut Stream,
    searches: &mut usize,
    followed: &mut Followed,
    counts: &mut impl FnMut(&Parting, [SiteId; 2], bool) -> bool,
) -> Result<(), ReplayError> {
    // What only one of them wrote.
    let mut open: Vec<Parting> = Vec::new();
    loop {
        lhs.fill(ROW)?;
        rhs.fill(ROW)?;
        if lhs.ahead.is_empty() && rhs.ahead.is_empty() {
            break;
        }
        let same = same(lhs, rhs);
        if same > 0 {
            lhs.take(same)?;
            rhs.take(same)?;
            continue;
        }
        *searches += 1;
        let found = if *searches > MOST_SEARCHES { None } else { search(lhs, rhs)? };
        let Some([left, right]) = found else {
            followed.lost = true;
            break;
        };
        let (left, right) = (lhs.take(left)?, rhs.take(right)?);
        let images = [&lhs.image, &rhs.image];
        let mut parted = partings(&left, &right, images);
        parted.sort_by_key(|parting| parting.writers.iter().flatten().map(|(position, _)| *position).min());
        for parting in &parted {
            let [Some((_, left)), Some((_, right))] = parting.writers else { continue };
            if counts(parting, [left, right], followed.any.is_some()) {
                followed.one_function = Some((*parting, bytes(parting, images)));
                return Ok(());
            }
            followed.any.get_or_insert_with(|| (*parting, bytes(parting, images)));
        }
        open.retain(|parting| differs(parting, images));
        if open.len() < MOST_OPEN {
            open.extend(parted.into_iter().filter(|parting| parting.writers.iter().any(Option::is_none)));
        }
    }
    let images = [&lhs.image, &rhs.image];
    open.retain(|parting| differs(parting, images));
    if let (None, Some(parting)) = (&followed.any, open.first()) {
        followed.any = Some((*parting, bytes(parting, images)));
    }
    Ok(())
}

/// The bytes that writes of either build left, and that are not the same now, with the last writes that left them.
fn partings(lhs: &[Write], rhs: &[Write], [left, right]: [&Image; 2]) -> Vec<Parting> {
    let wrote = |writes: &[Write], memory: MemoryIndex, at: u64| {
        let hits = |write: &&Write| write.memory == memory && at.wrapping_sub(write.address) < write.length;
        writes.iter().rfind(hits).map(|write| (write.position, write.site))
    };
    let mut found = Vec::new();
    for write in lhs.iter().chain(rhs) {
        let length = write.length.min(MOST);
        let (mut ours, mut theirs) = (vec![0; length as usize], vec![0; length as usize]);
        left.read(write.memory, write.address, &mut ours);
        right.read(write.memory, write.address, &mut theirs);
        let differing = ours.iter().zip(&theirs).position(|(left, right)| left != right);
        if let Some(at) = differing {
            let address = write.address.saturating_add(at as u64);
            let writers = [wrote(lhs, write.memory, address), wrote(rhs, write.memory, address)];
            found.push(Parting { memory: write.memory, address, length: length - at as u64, writers });
        }
    }
    found
}

/// How many bytes of a place are shown.
const SHOWN: u64 = 16;

fn bytes(parting: &Parting, images: [&Image; 2]) -> [Vec<u8>; 2] {
    images.map(|image| {
        let mut bytes = vec![0; parting.length.min(SHOWN) as usize];
        let inside = image.read(parting.memory, parting.address, &mut bytes);
        bytes.truncate(inside);
        bytes
    })
}

fn differs(parting: &Parting, images: [&Image; 2]) -> bool {
    let [left, right] = images.map(|image| {
        let mut byte = [0];
        image.read(parting.memory, parting.address, &mut byte);
        byte
    });
    left != right
}
