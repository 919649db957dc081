//! The first pass: every run by digests of its events, without a trace of what it stores.
//!
//! Most runs that are compared agree, and a digest says so at a fraction of a recording's cost. Runs that do not agree are
//! recorded in full afterwards: a digest has no event to show. What it cannot say, either, is whether memory holds what the
//! events say, unless it shows when a run is over.

use crate::comparison::Compared;
use crate::error::CompareError;
use crate::guard::PlainRuns;
use crate::reruns::Reruns;
use crate::runs::{Runs, at_once};
use forkpoint_replay::printable;
use forkpoint_tracer::instrument::{Commit, Options};
use forkpoint_tracer::{Checkpoint, Keep, Recorded, Request};
use forkpoint_traces::Outcome;

/// Whether digests can answer for a run: recorded as usual, with nothing to be looked at meanwhile.
fn is_usual(side: &Request) -> bool {
    let usual = Options { style: side.options.style, ..Options::default() };
    side.options == usual && side.checkpoint == Checkpoint::default() && side.watch.is_none()
}

/// Whether digests say all there is about a run: it came to its end by itself, and all its records were there, which a
/// trap prevents.
fn is_whole(recorded: &Recorded) -> bool {
    matches!(recorded.outcome, Outcome::Finished | Outcome::Exited { .. })
        && recorded.calls.iter().all(|call| call.result.is_ok())
        && recorded.mismatches.count == 0
        && recorded.digest.as_ref().is_some_and(|digest| !digest.outside)
}

/// Whether two runs came to the same end and have the same digests, and a full recording would not show more.
pub(crate) fn same_digests(lhs: &Recorded, rhs: &Recorded) -> bool {
    is_whole(lhs) && is_whole(rhs) && lhs.digest == rhs.digest && lhs.outcome == rhs.outcome
}

impl Runs<'_> {
    /// Whether a comparison of these sides begins with digests.
    pub(crate) fn begins_with_digests(&self, sides: &[&Request]) -> bool {
        self.settings.keep == Keep::Digests
            && !self.live()
            && self.program.invalid().is_none()
            && sides.iter().all(|side| is_usual(side))
    }

    /// The side, for digests. `name` is a file name that no other run has.
    pub(crate) fn by_digests(&self, side: &Request, name: &str) -> Request {
        let (keep, checkpoint, output) = (Keep::Digests, Checkpoint::End, self.aside(name));
        // A run that is cut off is recorded in full anyway.
        let options = Options { commit: Commit::AtCalls, ..side.options.clone() };
        Request { keep, checkpoint, native_limit: 0, output, options, ..side.clone() }
    }

    /// Compares two runs by digests. `None` where they differ in anything, or may; further runs are answered by the
    /// host log of the left one all the same.
    ///
    /// # Errors
    /// As those of a comparison.
    pub(crate) fn agree_by_digests(&mut self, sides: &[Request; 2]) -> Result<Option<Compared>, CompareError> {
        let left = self.by_digests(&sides[0], "digests-lhs.fpt");
        let right = self.by_digests(&sides[1], "digests-rhs.fpt");
        // What the host answered on the left is needed on the right.
        let alone = self.program.needs_host();
        let (lhs, rhs) = if alone {
            let lhs = self.record_shown(&left)?;
            self.pin(&left.output);
            if !is_whole(&lhs) {
                self.first_host = lhs.host.as_deref().map(printable);
                return Ok(None);
            }
            (lhs, self.record(&right)?)
        } else {
            let (lhs, rhs) = at_once(|| self.record_shown(&left), || self.record(&right));
            (lhs?, rhs?)
        };
        self.first_host = lhs.host.as_deref().map(printable);
        if !same_digests(&lhs, &rhs) {
            return Ok(None);
        }
        let mut report = self.report([&left.output, &right.output])?;
        if report.agree != Some(true) || report.nan_bits.is_some() {
            return Ok(None);
        }
        (report.lhs.events, report.rhs.events) = (lhs.events, rhs.events);
        let mut compared = Compared { reruns: Some(Reruns::default()), by_digests: true, ..Compared::from(report) };
        if self.settings.guard {
            let plain = PlainRuns::of(self, [&left, &right])?;
            if plain.cut_short() {
                return Ok(None);
            }
            let guard = plain.judge(&[lhs, rhs], true, self.symbols());
            if !guard.is_unremarkable() || !guard.plain_differences.is_empty() {
                return Ok(None);
            }
            compared.guard = Some(guard);
        }
        Ok(Some(compared))
    }
}
