//! The observer guard: does recording change what the runs do?
//!
//! Instrumented code is different code, and a miscompilation may vanish in it. So both sides run once without
//! recording, and their end states are compared with each other and with those of the recorded runs.

use crate::differences::PlainDifference;
use crate::error::{CompareError, in_one_line};
use crate::nondeterminism::Nondeterminism;
use crate::runs::{Runs, at_once};
use forkpoint_replay::{Side, Symbols, printable};
use forkpoint_tracer::{EndState, Recorded, Request};
use forkpoint_traces::Outcome;
use serde::Serialize;

/// The two runs without recording.
pub(crate) struct PlainRuns {
    pub lhs: EndState,
    pub rhs: EndState,
}

/// What the guard found.
#[derive(Debug, Clone, Serialize)]
pub struct Guard {
    /// How the end states of the runs without recording differ; the first few.
    pub plain_differences: Vec<PlainDifference>,
    /// Sides whose recorded run ended differently from the same run without recording, though both can be repeated.
    pub changed_by_recording: Vec<Side>,
    /// What was seen of a side that does not run the module the same way twice. No effect of recording is concluded
    /// from it.
    pub nondeterminism: Vec<Unsteady>,
    /// What could not be determined, and why.
    pub notes: Vec<String>,
    /// Whether the runs differ only with recording, or only without.
    pub observer_effect: bool,
    /// The least intrusive recording tried that still ended like the runs without recording.
    pub survived_in: Option<String>,
    /// Recordings that were tried and hid the difference.
    pub vanished_in: Vec<String>,
    /// In the full recordings, the last writers of the bytes that differ without recording.
    pub last_writers: Vec<String>,
}

/// A side that does not run the module the same way twice.
#[derive(Debug, Clone, Serialize)]
pub struct Unsteady {
    /// Which side.
    pub side: Side,
    /// The evidence.
    #[serde(flatten)]
    pub seen: Nondeterminism,
}

/// Most differences that are listed.
const MOST: usize = 8;

impl PlainRuns {
    /// Runs both sides without recording.
    pub fn of(runs: &Runs, sides: [&Request; 2]) -> Result<PlainRuns, CompareError> {
        PlainRuns::with(|| runs.plain(sides[0]), runs, sides)
    }

    /// The same with another way to have the left one.
    pub fn with(
        lhs: impl FnOnce() -> Result<EndState, CompareError> + Send,
        runs: &Runs,
        [left, right]: [&Request; 2],
    ) -> Result<PlainRuns, CompareError> {
        let (lhs, rhs) = at_once(lhs, || runs.plain(right));
        let end = |end: Result<EndState, CompareError>, side: &Request| {
            end.map_err(|error| error.during(format!("running under {} without recording", side.engine)))
        };
        Ok(PlainRuns { lhs: end(lhs, left)?, rhs: end(rhs, right)? })
    }

    /// Whether one of them was ended from outside, so that its end proves nothing.
    pub fn cut_short(&self) -> bool {
        self.lhs.outcome.is_cut_short() || self.rhs.outcome.is_cut_short()
    }

    /// One of them.
    fn end(&self, side: Side) -> &EndState {
        side.of([&self.lhs, &self.rhs])
    }

    /// Compares the runs without recording with each other and with the recorded ones, given whether the traces
    /// agree.
    pub fn judge(&self, recorded: &[Recorded; 2], traces_agree: bool, symbols: &Symbols) -> Guard {
        let differences = self.lhs.differences(&self.rhs);
        // A command that answers questions was not asked how a run ends that parts from the other.
        let changed = |side: &Side| {
            let recorded = &recorded[side.index()];
            recorded.outcome != Outcome::Interrupted && !self.end(*side).is_that_of(recorded)
        };
        let changed_by_recording: Vec<Side> = Side::BOTH.into_iter().filter(changed).collect();
        // Runs may differ on the way and end the same: traces that disagree are no observer effect by themselves.
        let observer_effect = !changed_by_recording.is_empty() && differences.is_empty() != traces_agree;
        let in_words = |difference| PlainDifference::new(difference, ["lhs", "rhs"], symbols);
        Guard {
            plain_differences: differences.iter().take(MOST).map(in_words).collect(),
            changed_by_recording,
            nondeterminism: Vec::new(),
            notes: Vec::new(),
            observer_effect,
            survived_in: None,
            vanished_in: Vec::new(),
            last_writers: Vec::new(),
        }
    }

    /// Whether recordings ended like the runs without recording.
    pub fn survived(&self, recorded: &[Recorded; 2]) -> bool {
        Side::BOTH.into_iter().all(|side| self.end(side).is_that_of(&recorded[side.index()]))
    }
}

impl Guard {
    /// Repeats each side that recording seems to change: a side that differs from itself is not changed by recording.
    /// `by_hooks` says that the traces were recorded by hooks, whatever the sides ask for.
    pub(crate) fn repeat(
        &mut self,
        runs: &Runs,
        sides: [&Request; 2],
        plain: &PlainRuns,
        recorded: &[Recorded; 2],
        by_hooks: bool,
    ) {
        for side in self.changed_by_recording.clone() {
            let request = side.of(sides);
            // A trace with mismatches may have been recorded in another way.
            let as_asked = recorded[side.index()].mismatches.first.is_empty() && !by_hooks;
            let trace = as_asked.then_some(request.output.as_path());
            match runs.nondeterminism(request, plain.end(side), trace) {
                Ok(None) => continue,
                Ok(Some(seen)) => self.nondeterminism.push(Unsteady { side, seen }),
                Err(error) => self.notes.push(format!(
                    "{} could not be run again, so it is unknown whether recording changes how it ends: {}",
                    side.word(),
                    printable(&in_one_line(&error))
                )),
            }
            self.changed_by_recording.retain(|changed| *changed != side);
            self.observer_effect = false;
        }
    }

    /// Whether there is nothing to add to the report: recording changed neither side.
    pub fn is_unremarkable(&self) -> bool {
        !self.observer_effect
            && self.changed_by_recording.is_empty()
            && self.nondeterminism.is_empty()
            && self.notes.is_empty()
    }
}
