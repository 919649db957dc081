//! What was loaded before an event: keeps the last notes of [`Ask::Loads`](crate::instrument::Ask::Loads) as they come.

use crate::instrument::{Mark, Marked};
use forkpoint_traces::{Load, Loads, Position};
use std::collections::VecDeque;

/// Most loads that are kept.
const KEPT: usize = 1 << 18;

/// Keeps the last loads before an event.
pub(super) struct LoadNotes {
    before: Position,
    kept: VecDeque<Load>,
    /// All loads from this event on are kept.
    from: Position,
}

impl LoadNotes {
    pub(super) fn new(before: Position) -> LoadNotes {
        LoadNotes { before, kept: VecDeque::new(), from: Position(0) }
    }

    /// Takes a note that came after so many events.
    pub(super) fn note(&mut self, mark: &Mark, [address, value]: [u64; 2], events: u64) {
        let (Marked::Load { memory, static_offset, width }, Some(offset)) = (mark.what, mark.offset) else { return };
        if events > self.before.0 {
            return;
        }
        if self.kept.len() == KEPT
            && let Some(load) = self.kept.pop_front()
        {
            // Others before the same event may have gone with it.
            self.from = Position(load.before.0 + 1);
        }
        let value = value & u64::MAX.checked_shr(64 - 8 * u32::from(width.min(8))).unwrap_or(0);
        let address = address.wrapping_add(static_offset);
        self.kept.push_back(Load {
            func: mark.func,
            offset,
            memory,
            address,
            width,
            value,
            before: Position(events),
        });
    }

    /// Whether the run need not go on after so many events.
    pub(super) fn enough(&self, events: u64) -> bool {
        events > self.before.0
    }

    pub(super) fn finish(self) -> Loads {
        Loads { loads: self.kept.into(), from: self.from }
    }
}
