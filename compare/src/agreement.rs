//! Whether digests show that two runs did the same.

use forkpoint_tracer::Recorded;
use forkpoint_traces::Outcome;

/// Whether digests say all there is about a run: it came to its end by itself, and all its records were there, which a
/// trap prevents.
pub(crate) fn is_whole(recorded: &Recorded) -> bool {
    matches!(recorded.outcome, Outcome::Finished | Outcome::Exited { .. })
        && recorded.calls.iter().all(|call| call.result.is_ok())
        && recorded.mismatches.count == 0
        && recorded.digest.as_ref().is_some_and(|digest| !digest.outside)
}

/// Whether two runs came to the same end and have the same digests, and a full recording would not show more.
pub(crate) fn same_digests(lhs: &Recorded, rhs: &Recorded) -> bool {
    is_whole(lhs) && is_whole(rhs) && lhs.digest == rhs.digest && lhs.outcome == rhs.outcome
}
