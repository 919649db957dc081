//! Which events of two runs are equal.

use super::Timeline;
use crate::error::ReplayError;
use forkpoint_traces::{Event, Milestone, Outcome, Position, SiteId};
use std::hash::{DefaultHasher, Hash, Hasher};

/// The name of the header setting that says how a command gets its events out.
const WAY: &str = "way";

impl Timeline {
    /// A hash of site, operands and bytes: equal events have equal ones.
    pub(crate) fn event_hash(&mut self, position: Position) -> Result<u64, ReplayError> {
        self.load(position)?;
        let chunk = self.chunk.as_ref().expect("just loaded");
        let raw = chunk.get(position).expect("the chunk was chosen by position");
        let mut hasher = DefaultHasher::new();
        (raw.site, raw.operands, raw.blob).hash(&mut hasher);
        Ok(hasher.finish())
    }

    /// Whether two events are equal: site, operands and bytes. Traps that may be of one kind are also equal if one
    /// side's engine does not report where they happened, as are ends by such traps, and rejections if one shows no
    /// memory.
    pub(crate) fn same_event(
        &mut self,
        at: Position,
        other: &mut Timeline,
        there: Position,
    ) -> Result<bool, ReplayError> {
        self.load(at)?;
        other.load(there)?;
        let lhs = self.chunk.as_ref().and_then(|chunk| chunk.get(at));
        let rhs = other.chunk.as_ref().and_then(|chunk| chunk.get(there));
        if lhs == rhs {
            return Ok(true);
        }
        let milestones = [lhs, rhs].into_iter().flatten().filter(|event| event.site == SiteId::MILESTONE).count();
        if milestones < 2 {
            return Ok(false);
        }
        let (left, right) = (self.event(at)?, other.event(there)?);
        let commands = [&*self, &*other].map(Timeline::is_commands);
        Ok(same_trap(&left, &right) || same_end(&left, &right, commands) || same_rejection(&left, &right))
    }

    /// Whether it is a command's run, whose globals and tables may not be known.
    fn is_commands(&self) -> bool {
        self.trace().header().engine.settings.iter().any(|(name, _)| name == WAY)
    }
}

/// Whether two runs ended with the same rejection, and one engine did not show what it left in imported memories.
fn same_rejection(lhs: &Event, rhs: &Event) -> bool {
    let end = |event: &Event| match event {
        Event::Milestone(Milestone::End { outcome: outcome @ Outcome::Rejected { .. }, memories, .. }) => {
            Some((outcome.clone(), memories.is_empty()))
        }
        _ => None,
    };
    matches!((end(lhs), end(rhs)), (Some((lhs, here)), Some((rhs, there))) if lhs == rhs && (here || there))
}

/// Whether two events are traps that may be of one kind, at the same place if both have one.
fn same_trap(lhs: &Event, rhs: &Event) -> bool {
    let trap = |event: &Event| match event {
        Event::Milestone(Milestone::Trapped { trap, func, offset }) => Some((*trap, func.zip(*offset))),
        _ => None,
    };
    let (Some((lhs, here)), Some((rhs, there))) = (trap(lhs), trap(rhs)) else { return false };
    lhs.may_be(rhs) && (here == there || here.is_none() || there.is_none())
}

/// Whether two runs ended in the same way, by traps that may be of one kind. A command that shows neither globals nor tables
/// had none to show, or died before it could.
fn same_end(lhs: &Event, rhs: &Event, commands: [bool; 2]) -> bool {
    let (
        Event::Milestone(Milestone::End { outcome, memories, globals, tables }),
        Event::Milestone(Milestone::End { outcome: other, memories: others, globals: theirs, tables: others_tables }),
    ) = (lhs, rhs)
    else {
        return false;
    };
    let unknown = commands[0] && globals.is_empty() && tables.is_empty()
        || commands[1] && theirs.is_empty() && others_tables.is_empty();
    outcome.may_be(other) && memories == others && (unknown || globals == theirs && tables == others_tables)
}
