//! Whether events of two builds do the same, whatever their sites are.

use forkpoint_traces::{Event, HostEvent, Milestone};

/// Whether two events do the same: kind, address and bytes, host calls by what they mean, traps by their kind. The end of a
/// run also tells of memories and globals, which are a build's own.
pub(crate) fn same_deed(lhs: &Event, rhs: &Event) -> bool {
    match (lhs, rhs) {
        (
            Event::Store { memory, address, value, .. },
            Event::Store { memory: other, address: there, value: others, .. },
        ) => (memory, address, value) == (other, there, others),
        (
            Event::Grow { memory, delta, result, .. },
            Event::Grow { memory: other, delta: others, result: answer, .. },
        ) => (memory, delta, result) == (other, others, answer),
        (
            Event::Fill { memory, address, byte, length, .. },
            Event::Fill { memory: other, address: there, byte: with, length: long, .. },
        ) => (memory, address, byte, length) == (other, there, with, long),
        (
            Event::Copy { memory, address, source_memory, source, length, .. },
            Event::Copy { memory: other, address: there, source_memory: from, source: at, length: long, .. },
        ) => (memory, address, source_memory, source, length) == (other, there, from, at, long),
        (
            Event::Init { memory, address, source, length, .. },
            Event::Init { memory: other, address: there, source: at, length: long, .. },
        ) => (memory, address, source, length) == (other, there, at, long),
        (Event::Drop { .. }, Event::Drop { .. }) => true,
        (Event::Host(HostEvent::Call(call)), Event::Host(HostEvent::Call(other))) => call.difference(other).is_none(),
        (
            Event::Milestone(Milestone::Trapped { trap, .. }),
            Event::Milestone(Milestone::Trapped { trap: other, .. }),
        ) => trap.may_be(*other),
        (
            Event::Milestone(Milestone::End { outcome, .. }),
            Event::Milestone(Milestone::End { outcome: other, .. }),
        ) => outcome.may_be(other),
        (
            Event::Milestone(Milestone::DataInit { memory, address, length, .. }),
            Event::Milestone(Milestone::DataInit { memory: other, address: there, length: long, .. }),
        ) => (memory, address, length) == (other, there, long),
        (lhs, rhs) => lhs.site().is_none() && lhs == rhs,
    }
}

/// The same of builds that keep their data elsewhere: addresses do not count, and what is copied is not known.
pub(crate) fn same_deed_anywhere(lhs: &Event, rhs: &Event) -> bool {
    match (lhs, rhs) {
        (Event::Store { memory, value, .. }, Event::Store { memory: other, value: others, .. }) => {
            (memory, value) == (other, others)
        }
        (Event::Grow { memory, .. }, Event::Grow { memory: other, .. }) => memory == other,
        (Event::Fill { memory, byte, length, .. }, Event::Fill { memory: other, byte: with, length: long, .. }) => {
            (memory, byte, length) == (other, with, long)
        }
        (
            Event::Copy { memory, source_memory, length, .. },
            Event::Copy { memory: other, source_memory: from, length: long, .. },
        ) => (memory, source_memory, length) == (other, from, long),
        (Event::Init { memory, length, .. }, Event::Init { memory: other, length: long, .. }) => {
            (memory, length) == (other, long)
        }
        (
            Event::Host(HostEvent::Write { memory, bytes, .. }),
            Event::Host(HostEvent::Write { memory: other, bytes: others, .. }),
        ) => (memory, bytes) == (other, others),
        (
            Event::Milestone(Milestone::DataInit { memory, length, .. }),
            Event::Milestone(Milestone::DataInit { memory: other, length: long, .. }),
        ) => (memory, length) == (other, long),
        (lhs, rhs) => same_deed(lhs, rhs),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use forkpoint_traces::{MemoryIndex, Outcome, SiteId, TrapKind};

    #[test]
    fn sites_do_not_count() {
        let grow =
            |site: u32, delta| Event::Grow { site: SiteId(site), memory: MemoryIndex(0), delta, result: Some(1) };
        assert!(same_deed(&grow(20, 1), &grow(30, 1)));
        assert!(!same_deed(&grow(20, 1), &grow(20, 2)));
        let trap = |trap, offset| Event::Milestone(Milestone::Trapped { trap, func: None, offset });
        let at = Some(forkpoint_traces::CodeOffset(9));
        assert!(same_deed(&trap(TrapKind::Unreachable, at), &trap(TrapKind::Unreachable, None)));
        assert!(!same_deed(&trap(TrapKind::Unreachable, None), &trap(TrapKind::Other, None)));
        let end = |tables: Vec<u64>| {
            Event::Milestone(Milestone::End { outcome: Outcome::Finished, memories: vec![], globals: vec![], tables })
        };
        assert!(same_deed(&end(vec![1]), &end(vec![2])));
        assert!(!same_deed(&end(vec![1]), &grow(20, 1)));
    }
}
