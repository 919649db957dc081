//! Whether digests show that two runs did the same.

use forkpoint_tracer::Recorded;
use forkpoint_tracer::instrument::Commit;
use forkpoint_traces::Outcome;

/// Whether digests say all there is about a run: it came to its end by itself, and all its records were there, which a
/// trap prevents.
pub(crate) fn is_whole(recorded: &Recorded) -> bool {
    is_known(recorded, Commit::AtCalls)
}

/// The same of a run whose module commits events like this: with each event, all records before a trap are there, too.
pub(crate) fn is_known(recorded: &Recorded, commit: Commit) -> bool {
    let ended = match recorded.outcome {
        Outcome::Finished | Outcome::Exited { .. } => true,
        Outcome::Trapped { .. } => commit == Commit::EachEvent,
        _ => false,
    };
    let no_trap = || recorded.calls.iter().all(|call| call.result.is_ok());
    ended
        && (commit == Commit::EachEvent || no_trap())
        && recorded.mismatches.count == 0
        && recorded.digest.as_ref().is_some_and(|digest| !digest.outside)
}

/// Whether two runs came to the same end and have the same digests, and a full recording would not show more.
pub(crate) fn same_digests(lhs: &Recorded, rhs: &Recorded) -> bool {
    same_digests_of(lhs, rhs, Commit::AtCalls)
}

/// The same of runs whose modules commit events like this.
pub(crate) fn same_digests_of(lhs: &Recorded, rhs: &Recorded, commit: Commit) -> bool {
    let ends = |run: &Recorded| run.calls.iter().map(|call| call.result.clone().err()).collect::<Vec<_>>();
    is_known(lhs, commit)
        && is_known(rhs, commit)
        && lhs.digest == rhs.digest
        && lhs.outcome == rhs.outcome
        && ends(lhs) == ends(rhs)
}
