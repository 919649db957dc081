//! Whether addresses mean the same in two builds.
//!
//! Two things show it: where the static data lie, and where the first instructions write. Where neither has much in common,
//! bytes at equal addresses have nothing to do with each other, and only what observers see can be compared.

use super::walk::Walk;
use crate::error::ReplayError;
use crate::timeline::{Flow, Timeline};
use forkpoint_traces::{Image, MemoryIndex, Position};
use serde::Serialize;
use std::collections::HashSet;

/// How many writes of each build are looked at, in blocks of how many bytes, and how few say nothing.
const WRITES: usize = 4096;
const BLOCK: u64 = 16;
const FEW: usize = 16;

/// Whether addresses mean the same in both builds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BuildLayout {
    /// Whether they do, as far as can be seen.
    pub same: bool,
    /// Why not.
    pub why: Option<String>,
}

impl BuildLayout {
    fn other(why: String) -> BuildLayout {
        BuildLayout { same: false, why: Some(why) }
    }

    /// Judges by what instantiation left: how many bytes are `same` and not zero, and how many `differ`; and by where the
    /// instructions write first.
    pub(super) fn judge(
        lhs: &mut Walk,
        rhs: &mut Walk,
        [same, differ]: [u64; 2],
    ) -> Result<BuildLayout, ReplayError> {
        let sizes = [&lhs.image, &rhs.image].map(sizes);
        if sizes[0].len() != sizes[1].len() {
            let [left, right] = sizes.map(|sizes| sizes.len());
            return Ok(BuildLayout::other(format!("lhs has {left} memories and rhs has {right}")));
        }
        if differ > same {
            return Ok(BuildLayout::other(format!(
                "after instantiation memory differs in {differ} bytes, and {same} bytes that are not zero are the same"
            )));
        }
        if sizes[0] != sizes[1] {
            return Ok(BuildLayout::other("the memories begin with different sizes".to_string()));
        }
        let (left, right) = (first_writes(lhs.timeline, lhs.position)?, first_writes(rhs.timeline, rhs.position)?);
        let fewer = left.len().min(right.len());
        let common = left.intersection(&right).count();
        if fewer >= FEW && common * 4 < fewer {
            return Ok(BuildLayout::other(format!(
                "the first instructions write to other places: of {fewer} blocks of {BLOCK} bytes, {common} are the same"
            )));
        }
        Ok(BuildLayout { same: true, why: None })
    }
}

fn sizes(image: &Image) -> Vec<u64> {
    (0..image.memories()).filter_map(|memory| image.size(MemoryIndex(memory))).map(|size| size.bytes()).collect()
}

/// The blocks that the first instructions write to.
fn first_writes(timeline: &mut Timeline, from: Position) -> Result<HashSet<(MemoryIndex, u64)>, ReplayError> {
    let sites = std::sync::Arc::clone(timeline.trace().sites());
    let (mut blocks, mut writes) = (HashSet::new(), 0);
    timeline.each_from(from, |_, raw| {
        if let Some((site, address, _)) = raw.stored(&sites) {
            blocks.insert((site.memory, address / BLOCK));
            writes += 1;
        }
        Ok(if writes == WRITES { Flow::StopAfter } else { Flow::Next })
    })?;
    Ok(blocks)
}
