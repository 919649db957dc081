//! How much room the buffer is known to have, so that not every segment asks.
//!
//! Asking is a load, a comparison and a branch for each segment, which is a third of what recording costs a guest: CPython's code
//! has one and a half events in each. So a segment that asks makes sure of much more room than it needs, and later ones on all
//! paths from there rely on it, up to the next loop or call. At each label the least room of the branches to it counts.

use super::interface::{MAX_SEGMENT, SLACK};
use wasmparser::{Handle, Operator};

/// What is known at the present place of a function.
#[derive(Debug, Default)]
pub(super) struct Room {
    /// So many bytes beyond the cursor are free.
    here: u32,
    frames: Vec<Frame>,
}

/// An open frame.
#[derive(Debug)]
struct Frame {
    /// The least room at branches to the frame's end; `u32::MAX` without any.
    at_end: u32,
    /// The room at the beginning of an `if`, until its `else`.
    otherwise: Option<u32>,
    is_loop: bool,
}

impl Room {
    /// Whether there is room for any segment.
    pub(super) fn is_enough(&self) -> bool {
        self.here >= MAX_SEGMENT
    }

    /// The code has asked.
    pub(super) fn asked(&mut self) {
        self.here = SLACK;
    }

    /// So many bytes are used.
    pub(super) fn use_up(&mut self, bytes: u32) {
        self.here = self.here.saturating_sub(bytes);
    }

    /// Nothing is known: other code has run.
    pub(super) fn forget(&mut self) {
        self.here = 0;
    }

    /// What is known, for [`Room::at_most`].
    pub(super) fn known(&self) -> u32 {
        self.here
    }

    /// Behind code that runs or does not: before it, so much was known.
    pub(super) fn at_most(&mut self, before: u32) {
        self.here = self.here.min(before);
    }

    /// A frame opens.
    pub(super) fn open(&mut self, op: &Operator) {
        let is_loop = matches!(op, Operator::Loop { .. });
        if is_loop {
            // The turns before have used some.
            self.here = 0;
        }
        let otherwise = matches!(op, Operator::If { .. }).then_some(self.here);
        self.frames.push(Frame { at_end: u32::MAX, otherwise, is_loop });
        if let Operator::TryTable { try_table } = op {
            let catches = try_table.catches.iter();
            // The frame itself cannot be a target.
            catches.for_each(|catch| self.branch_with(label(catch).saturating_add(1), 0));
        }
    }

    /// An `else`; `reachable` says whether control reaches it from above.
    pub(super) fn alternative(&mut self, reachable: bool) {
        let here = self.here;
        let Some(frame) = self.frames.last_mut() else { return };
        if reachable {
            frame.at_end = frame.at_end.min(here);
        }
        self.here = frame.otherwise.take().unwrap_or(0);
    }

    /// An `end`.
    pub(super) fn close(&mut self, reachable: bool) {
        let Some(frame) = self.frames.pop() else { return };
        let from_above = if reachable { self.here } else { u32::MAX };
        let least = from_above.min(frame.at_end).min(frame.otherwise.unwrap_or(u32::MAX));
        // What nothing reaches does not run.
        self.here = if least == u32::MAX { 0 } else { least };
    }

    /// Notes where an instruction that runs may branch to.
    pub(super) fn branch(&mut self, op: &Operator) {
        use Operator as O;
        let here = self.here;
        match op {
            O::Br { relative_depth }
            | O::BrIf { relative_depth }
            | O::BrOnNull { relative_depth }
            | O::BrOnNonNull { relative_depth }
            | O::BrOnCast { relative_depth, .. }
            | O::BrOnCastFail { relative_depth, .. } => self.branch_with(*relative_depth, here),
            O::BrTable { targets } => {
                let listed = targets.targets().map(|target| target.unwrap_or(0));
                listed.chain([targets.default()]).for_each(|depth| self.branch_with(depth, here));
            }
            O::Resume { resume_table, .. }
            | O::ResumeThrow { resume_table, .. }
            | O::ResumeThrowRef { resume_table, .. } => {
                for handle in &resume_table.handlers {
                    if let Handle::OnLabel { label, .. } = handle {
                        self.branch_with(*label, 0);
                    }
                }
            }
            _ => {}
        }
    }

    fn branch_with(&mut self, depth: u32, room: u32) {
        let frame = self.frames.len().checked_sub(1 + depth as usize).and_then(|at| self.frames.get_mut(at));
        // A loop's beginning knows nothing anyway, and the end of the function has no use for it.
        if let Some(frame) = frame.filter(|frame| !frame.is_loop) {
            frame.at_end = frame.at_end.min(room);
        }
    }
}

fn label(catch: &wasmparser::Catch) -> u32 {
    use wasmparser::Catch;
    match catch {
        Catch::One { label, .. } | Catch::OneRef { label, .. } | Catch::All { label } | Catch::AllRef { label } => {
            *label
        }
    }
}
