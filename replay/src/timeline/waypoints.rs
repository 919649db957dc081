//! Memory kept on the way through long stretches without a keyframe, so that only the first seek into one takes long.
//!
//! A trace of a program with much memory has its first keyframe after millions of events. What is kept here is a chain
//! for each stretch that was passed: each waypoint has the pages written since the one before, the first one those since
//! the keyframe. All chains together are bounded.

use super::Timeline;
use crate::error::ReplayError;
use forkpoint_traces::{Image, MemoryIndex, MemorySize, PAGE, Position};
use std::collections::BTreeMap;

/// Events between waypoints.
const DISTANCE: u64 = 1 << 20;

/// Most bytes of pages that are kept.
const BUDGET: u64 = 64 << 20;

/// Memory at a position, as far as it is not that of the waypoint before.
struct Waypoint {
    position: Position,
    sizes: Vec<MemorySize>,
    pages: Vec<(MemoryIndex, u64, Box<[u8]>)>,
}

impl Waypoint {
    fn apply(&self, image: &mut Image) -> Result<(), ReplayError> {
        image.set_sizes(&self.sizes);
        for (memory, page, bytes) in &self.pages {
            // The last page of a memory may extend past the memory's end, where nothing is stored.
            let size = image.size(*memory).map_or(0, MemorySize::bytes);
            let inside = size.saturating_sub(page.saturating_mul(PAGE)).min(PAGE) as usize;
            let written = image.write(*memory, page.saturating_mul(PAGE), &bytes[..inside]);
            written.map_err(|source| ReplayError::Event { position: self.position, source })?;
        }
        Ok(())
    }
}

/// The waypoints of a timeline.
#[derive(Default)]
pub(super) struct Waypoints {
    /// By the position of the keyframe that they follow.
    chains: BTreeMap<Position, Vec<Waypoint>>,
    pages: u64,
    /// What the pages written so far, as the image counts them, are in addition to: so many waypoints of a chain.
    since: Option<(Position, usize)>,
}

impl Waypoints {
    /// Those of a timeline at its beginning.
    pub(super) fn new() -> Waypoints {
        Waypoints { since: Some((Position(0), 0)), ..Waypoints::default() }
    }

    /// The part of a chain up to a position.
    fn chain(&self, keyframe: Position, to: Position) -> &[Waypoint] {
        let chain = self.chains.get(&keyframe).map_or(&[][..], Vec::as_slice);
        &chain[..chain.partition_point(|waypoint| waypoint.position <= to)]
    }

    /// Makes room; whether there is enough.
    fn reserve(&mut self, keyframe: Position, pages: u64) -> bool {
        if (self.pages + pages) * PAGE > BUDGET {
            self.chains.retain(|key, _| *key == keyframe);
            let kept = self.chains.values().flatten().map(|waypoint| waypoint.pages.len() as u64);
            self.pages = kept.sum();
        }
        (self.pages + pages) * PAGE <= BUDGET
    }
}

impl Timeline {
    /// The last position at or before `to` whose memory can be restored.
    pub(super) fn restorable_before(&self, to: Position) -> Position {
        let keyframe = self.trace.keyframe_before(to);
        self.waypoints.chain(keyframe, to).last().map_or(keyframe, |waypoint| waypoint.position)
    }

    /// Restores memory at [`Timeline::restorable_before`].
    pub(super) fn restore_image(&mut self, to: Position) -> Result<Position, ReplayError> {
        self.waypoints.since = None;
        let keyframe = self.trace.restore(to, &mut self.image)?;
        let chain = self.waypoints.chain(keyframe, to);
        for waypoint in chain {
            waypoint.apply(&mut self.image)?;
        }
        let (length, position) = (chain.len(), chain.last().map_or(keyframe, |waypoint| waypoint.position));
        self.image.take_written(|_, _, _| {});
        self.waypoints.since = Some((keyframe, length));
        Ok(position)
    }

    /// Keeps the memory here, between two chunks, if it is far from everything that can be restored.
    pub(super) fn keep_waypoint(&mut self) {
        let Some((keyframe, length)) = self.waypoints.since else { return };
        let chain = self.waypoints.chains.get(&keyframe).map_or(&[][..], Vec::as_slice);
        let last = chain.last().map_or(keyframe, |waypoint| waypoint.position);
        if self.position.0 < last.0.saturating_add(DISTANCE)
            || chain.len() != length
            || self.trace.keyframe_before(self.position) != keyframe
            || !self.waypoints.reserve(keyframe, self.image.dirty_pages())
        {
            return;
        }
        let mut pages = Vec::new();
        self.image.take_written(|memory, page, bytes| pages.push((memory, page, Box::from(bytes))));
        let sizes = (0..self.image.memories()).filter_map(|memory| self.image.size(MemoryIndex(memory))).collect();
        self.waypoints.pages += pages.len() as u64;
        let waypoint = Waypoint { position: self.position, sizes, pages };
        self.waypoints.chains.entry(keyframe).or_default().push(waypoint);
        self.waypoints.since = Some((keyframe, length + 1));
    }
}
