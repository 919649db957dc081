//! Two builds' runs, walked side by side from one thing that an observer sees to the next.

use super::layout::BuildLayout;
use super::memory::Differing;
use super::unlike::{Allowed, Unlike};
use super::walk::{Seen, Step, Walk};
use crate::error::ReplayError;
use crate::nan::NanBits;
use crate::timeline::Timeline;
use forkpoint_traces::Position;
use std::collections::VecDeque;

/// How a walk through two runs ended.
pub(super) enum Found {
    /// Both are over, and did the same.
    Nothing,
    /// A trace ends before its run does.
    CutOff([Option<Step>; 2]),
    /// They differ here.
    Unlike(Unlike, Step, Step),
}

/// The next thing that is compared: how memory grows depends on what lies where.
fn next(walk: &mut Walk, same_layout: bool) -> Result<Option<Step>, ReplayError> {
    loop {
        match walk.next()? {
            Some(Step { seen: Seen::Grown { .. }, .. }) if !same_layout => {}
            step => return Ok(step),
        }
    }
}

/// Both runs, after what they have in common.
pub(super) struct Together<'t> {
    pub(super) lhs: Walk<'t>,
    pub(super) rhs: Walk<'t>,
    pub(super) layout: BuildLayout,
    pub(super) differing: Differing,
    /// Results that differ in bits of NaNs only.
    pub(super) nans: u64,
    pub(super) found: Found,
    /// The stretches between things that were seen since memory was the same for the last time: the events where each
    /// begins, and those before which it ends.
    pub(super) stretches: VecDeque<[[Position; 2]; 2]>,
}

/// Most stretches that are kept.
const MOST_STRETCHES: usize = 1 << 16;

impl<'t> Together<'t> {
    /// Walks both to where they differ in what an observer sees, or to the end. `globals` are those that both export: name,
    /// and index in each. `each` is called with what both do alike.
    pub(super) fn walk(
        lhs: &'t mut Timeline,
        rhs: &'t mut Timeline,
        nan_bits: NanBits,
        globals: Vec<(String, [u32; 2])>,
        mut each: impl FnMut(&Step, &Step),
    ) -> Result<Together<'t>, ReplayError> {
        let steps = lhs.trace().header().steps.clone();
        let (mut left, mut right) = (Walk::instantiated(lhs)?, Walk::instantiated(rhs)?);
        let mut differing = Differing::default();
        let initial = differing.all(&left.image, &right.image);
        let layout = BuildLayout::judge(&mut left, &mut right, initial)?;
        let mut allowed = Allowed::new(nan_bits, layout.same, &steps, globals);
        let mut stretches = VecDeque::new();
        let mut from = [left.position, right.position];
        let found = loop {
            if differing.bytes() == 0 {
                stretches.clear();
            }
            let steps = [next(&mut left, layout.same)?, next(&mut right, layout.same)?];
            if layout.same {
                differing.step(&mut left, &mut right);
            } else {
                left.take_touched();
                right.take_touched();
            }
            let [Some(ours), Some(theirs)] = steps else { break Found::CutOff(steps) };
            stretches.push_back([from, [ours.position, theirs.position]]);
            if stretches.len() > MOST_STRETCHES {
                stretches.pop_front();
            }
            from = [left.position, right.position];
            if let Some(unlike) = allowed.unlike(&ours.seen, &theirs.seen, [&left, &right]) {
                break Found::Unlike(unlike, ours, theirs);
            }
            each(&ours, &theirs);
            if matches!(ours.seen, Seen::End { .. }) {
                break Found::Nothing;
            }
        };
        Ok(Together { lhs: left, rhs: right, layout, differing, nans: allowed.nans, found, stretches })
    }
}
