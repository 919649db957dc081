//! The first pass: every run by digests of its events, without a trace of what it stores.
//!
//! Most runs that are compared agree, and a digest says so at a fraction of a recording's cost. Runs that do not agree are
//! recorded afterwards, since a digest has no event to show: in full, or if they are long, around the events that differ by
//! their digests. What a digest cannot say, either, is whether memory holds what the events say, unless it shows when a run
//! is over.

use crate::agreement::{is_known, is_whole, same_digests_of};
use crate::compared::Compared;
use crate::error::CompareError;
use crate::guard::PlainRuns;
use crate::reruns::Reruns;
use crate::runs::{Runs, at_once};
use crate::settings::Kept;
use forkpoint_replay::printable;
use forkpoint_tracer::instrument::{Commit, Options, RunDigest};
use forkpoint_tracer::{Checkpoint, Keep, Recorded, Request};
use std::ops::Range;

/// Of runs with this many events, a window is recorded and not all of it: a full trace of them takes seconds and tens of
/// megabytes.
const LONG: u64 = 16 << 20;

/// How many events of instructions a window holds before the stretch in which two runs part, and after it: those before are
/// shown around the divergence, and those after are searched for where the runs agree again.
const BEFORE: u64 = 1 << 16;
const AFTER: u64 = 1 << 20;

/// The widest window. Where many runs part far from each other, all of them are recorded in full.
const WIDEST: u64 = 16 << 20;

/// Whether digests can answer for a run: recorded as usual, with nothing to be looked at meanwhile.
fn is_usual(side: &Request) -> bool {
    let usual = Options { style: side.options.style, ..Options::default() };
    side.options == usual && side.checkpoint == Checkpoint::default() && side.watch.is_none()
}

impl Runs<'_> {
    /// Whether a comparison of these sides begins with digests.
    pub(crate) fn begins_with_digests(&self, sides: &[&Request]) -> bool {
        self.settings.keep != Kept::Full
            && !self.live()
            && self.program.invalid().is_none()
            // Digests say nothing of what a script expects.
            && self.program.parts().is_none()
            && !sides.iter().any(|side| side.engine.needs_reference())
            && sides.iter().all(|side| is_usual(side))
    }

    /// The side, for digests. `name` is a file name that no other run has.
    pub(crate) fn by_digests(&self, side: &Request, name: &str) -> Request {
        let (keep, checkpoint, output) = (Keep::Digests, Checkpoint::End, self.aside(name));
        // A run that is cut off is recorded in full anyway.
        let options = Options { commit: Commit::AtCalls, ..side.options.clone() };
        Request { keep, checkpoint, native_limit: 0, output, options, ..side.clone() }
    }

    /// Whether a window is recorded of these runs where they part, and not all of them.
    fn wants_windows(&self, runs: &[&Recorded]) -> bool {
        match self.settings.keep {
            Kept::Full => false,
            Kept::Window => true,
            Kept::Nothing => runs.iter().any(|run| run.events >= LONG),
        }
    }

    /// Compares two runs by digests. Further runs are answered by the host log of the left one.
    ///
    /// # Errors
    /// As those of a comparison.
    pub(crate) fn compare_digests(&mut self, sides: &[Request; 2]) -> Result<ByDigests, CompareError> {
        let left = self.by_digests(&sides[0], "digests-lhs.fpt");
        let right = self.by_digests(&sides[1], "digests-rhs.fpt");
        // What the host answered on the left is needed on the right.
        let alone = self.program.needs_host();
        let (lhs, rhs) = if alone {
            let lhs = self.record_shown(&left)?;
            self.pin(&left.output);
            let runs_again = has_trapped(&lhs) && self.wants_windows(&[&lhs]);
            if !(is_whole(&lhs) || runs_again) {
                self.first_host = lhs.host.as_deref().map(printable);
                return Ok(ByDigests::Unknown);
            }
            (lhs, self.record(&right)?)
        } else {
            let (lhs, rhs) = at_once(|| self.record_shown(&left), || self.record(&right));
            (lhs?, rhs?)
        };
        self.first_host = lhs.host.as_deref().map(printable);
        let careful = (has_trapped(&lhs) || has_trapped(&rhs)) && self.wants_windows(&[&lhs, &rhs]);
        let (lhs, rhs, commit) = match careful {
            false => (lhs, rhs, Commit::AtCalls),
            true => {
                // Digests that have all there was before a trap.
                let commit = Commit::EachEvent;
                let again =
                    |side: &Request| Request { options: Options { commit, ..side.options.clone() }, ..side.clone() };
                let (lhs, rhs) = at_once(|| self.record(&again(&left)), || self.record(&again(&right)));
                (lhs?, rhs?, commit)
            }
        };
        if !same_digests_of(&lhs, &rhs, commit) {
            return Ok(self.where_they_part([lhs, rhs], commit));
        }
        let mut report = self.report([&left.output, &right.output])?;
        if report.agree != Some(true) || report.nan_bits.is_some() {
            return Ok(ByDigests::Unknown);
        }
        (report.lhs.events, report.rhs.events) = (lhs.events, rhs.events);
        let mut compared = Compared { reruns: Some(Reruns::default()), by_digests: true, ..Compared::from(report) };
        if self.settings.guard {
            let plain = PlainRuns::of(self, [&left, &right])?;
            if plain.cut_short() {
                return Ok(ByDigests::Unknown);
            }
            let guard = plain.judge(&[lhs, rhs], true, self.symbols());
            if !guard.is_unremarkable() || !guard.plain_differences.is_empty() {
                return Ok(ByDigests::Unknown);
            }
            compared.guard = Some(guard);
        }
        Ok(ByDigests::Agree(Box::new(compared)))
    }

    /// Where two runs part by their digests, if a window around it is enough.
    fn where_they_part(&self, runs: [Recorded; 2], commit: Commit) -> ByDigests {
        let [lhs, rhs] = &runs;
        self.digests_part(lhs, [Some(lhs), Some(rhs)], commit).map_or(ByDigests::Unknown, ByDigests::Part)
    }

    /// Where runs part from a reference by their digests, if a window around all these places is enough. Of those that were not
    /// recorded there is none.
    pub(crate) fn digests_part<'r>(
        &self,
        reference: &Recorded,
        runs: impl IntoIterator<Item = Option<&'r Recorded>>,
        commit: Commit,
    ) -> Option<Parting> {
        let runs: Vec<Option<&Recorded>> = runs.into_iter().collect();
        let recorded: Vec<&Recorded> = runs.iter().copied().flatten().collect();
        if !self.wants_windows(&recorded) || !recorded.iter().all(|run| is_known(run, commit)) {
            return None;
        }
        let expected = reference.digest.as_ref()?;
        let stretches = recorded.iter().filter_map(|run| expected.first_difference(run.digest.as_ref()?));
        let stretch = stretches.reduce(|all, one| all.start.min(one.start)..all.end.max(one.end))?;
        let window = stretch.start.saturating_sub(BEFORE)..stretch.end.saturating_add(AFTER);
        let digests = runs.into_iter().map(|run| run.and_then(|run| run.digest.clone())).collect();
        (window.end - window.start <= WIDEST).then_some(Parting { window, commit, digests })
    }
}

/// Whether a run, or one of its calls, ended in a trap.
fn has_trapped(run: &Recorded) -> bool {
    !run.outcome.is_cut_short() && run.calls.iter().any(|call| call.result.is_err())
}

/// What digests say of runs.
pub(crate) enum ByDigests<Agreed = Compared> {
    /// They agree, and nothing suggests that a full recording would show anything else.
    Agree(Box<Agreed>),
    /// They part.
    Part(Parting),
    /// Only full recordings can tell.
    Unknown,
}

/// Where runs part by their digests.
pub(crate) struct Parting {
    /// The numbers of the events of instructions to record.
    window: Range<u64>,
    /// When the module commits events.
    commit: Commit,
    /// The digests of the runs: what is recorded must have the same.
    digests: Vec<Option<RunDigest>>,
}

impl Parting {
    /// A side, for the recording of a window around the parting.
    pub(crate) fn window(&self, side: &Request) -> Request {
        let Range { start: from, end: to } = self.window;
        Request {
            keep: Keep::Window { from, to },
            checkpoint: Checkpoint::End,
            // The module that was compiled for the digests.
            options: Options { commit: self.commit, ..side.options.clone() },
            ..side.clone()
        }
    }

    /// Whether the recording of a window is of the same run as this digest, and nothing was found that only a full recording
    /// can explain.
    pub(crate) fn is_of(&self, run: usize, recorded: &Recorded) -> bool {
        let digest = self.digests.get(run).and_then(Option::as_ref);
        digest.is_some() && recorded.digest.as_ref() == digest && is_known(recorded, self.commit)
    }

    /// Whether a run has the digests of another.
    pub(crate) fn are_equal(&self, run: usize, other: usize) -> bool {
        self.digests.get(run) == self.digests.get(other)
    }
}
