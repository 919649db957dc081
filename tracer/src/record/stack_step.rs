//! Where a step from an event leads, over calls or out of a function, however far that is: reads the notes of
//! [`Ask::Stack`](crate::instrument::Ask::Stack) as they come, and keeps none.

use super::stack::{Depths, Kept};
use crate::instrument::Mark;
use forkpoint_traces::{FarStep, Position};

/// Deeper activations have no events of their own that a step back could lead to. Engines end deeper recursion.
const MOST_ACTIVE: u64 = 1 << 18;

/// Follows a run to where a step leads.
pub(super) struct StepNotes {
    from: u64,
    step: FarStep,
    depths: Depths,
    /// How many activations are active.
    depth: u64,
    /// Events before the last note.
    last: u64,
    /// By number of active functions, the last event before `from` that the present innermost one of so many made.
    own: Vec<Option<u64>>,
    /// Once the event `from` has been: of the activations at it, how many still are.
    still: Option<u64>,
    /// Where the step leads, once that is known.
    found: Option<Option<Position>>,
}

impl StepNotes {
    pub(super) fn new(from: Position, step: FarStep) -> StepNotes {
        StepNotes {
            from: from.0,
            step,
            depths: Depths::default(),
            depth: 0,
            last: 0,
            own: vec![None],
            still: None,
            found: None,
        }
    }

    /// The host calls a function of the module's, and nothing is active.
    pub(super) fn begin_call(&mut self, events: u64) {
        self.depths = Depths::default();
        self.keep(0, events);
    }

    /// Takes a note.
    pub(super) fn note(&mut self, mark: &Mark, words: [u64; 2], events: u64) {
        match self.depths.kept(mark.what, words[0]) {
            Some(Kept::Enter(depth)) => {
                self.keep(depth, events);
                self.depth = depth.saturating_add(1);
                if self.depth <= MOST_ACTIVE {
                    self.own.resize(self.depth as usize + 1, None);
                }
            }
            Some(Kept::Only(depth)) => self.keep(depth, events),
            None => {}
        }
    }

    /// This many activations are left after so many events.
    fn keep(&mut self, depth: u64, events: u64) {
        self.come_to(events);
        self.depth = self.depth.min(depth);
        self.own.truncate(usize::try_from(self.depth).unwrap_or(usize::MAX).saturating_add(1));
        if let Some(still) = self.still.as_mut().filter(|still| **still > self.depth) {
            *still = self.depth;
            if self.step == FarStep::Out && self.found.is_none() {
                self.found = Some(Some(Position(events)));
            }
        }
    }

    /// The events before this one have been, and nothing began or ended meanwhile.
    fn come_to(&mut self, events: u64) {
        let first = self.last;
        self.last = first.max(events);
        if events <= first || self.found.is_some() {
            return;
        }
        if let Some(still) = self.still {
            if self.step == FarStep::Over && self.depth <= still {
                self.found = Some(Some(Position(first)));
            }
            return;
        }
        if first < self.from
            && let Some(own) = usize::try_from(self.depth).ok().and_then(|depth| self.own.get_mut(depth))
        {
            *own = Some(events.min(self.from) - 1);
        }
        if events > self.from {
            self.still = Some(self.depth);
            match self.step {
                FarStep::OverBack => self.found = Some(self.own.iter().flatten().max().copied().map(Position)),
                FarStep::Over if events > self.from + 1 => self.found = Some(Some(Position(self.from + 1))),
                FarStep::Over | FarStep::Out => {}
            }
        }
    }

    /// Whether the run need not go on after so many events.
    pub(super) fn enough(&mut self, events: u64) -> bool {
        self.come_to(events);
        self.found.is_some()
    }

    /// Where the step leads, when the run is over after so many events and its end; `None` if it ended before that was known.
    pub(super) fn finish(mut self, events: u64) -> Option<Option<Position>> {
        self.come_to(events.saturating_add(1));
        self.found
    }
}
