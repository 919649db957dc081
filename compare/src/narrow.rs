//! From a difference that a checkpoint found to the event that it comes from.

use crate::error::CompareError;
use crate::files::replace;
use crate::runs::Runs;
use forkpoint_tracer::instrument::Options;
use forkpoint_tracer::{Checkpoint, Differs, Mismatch, Recorded, Request, Watch, WatchedRange};
use forkpoint_traces::Observation;

/// Most bytes of one place that are watched.
const WATCHED: u64 = 64;

impl Runs<'_> {
    /// A checkpoint shows that memory is not what it should be, and not since when: runs the side once more and looks at
    /// these bytes after every event. The new trace replaces the side's own if it knows better.
    pub fn narrow(&self, side: &Request, recorded: &Recorded) -> Result<(), CompareError> {
        let findings = &recorded.mismatches.first;
        let Some(watch) = findings.iter().find_map(|finding| watched(findings, finding)) else { return Ok(()) };
        let one_by_one = Options { join: false, buffer_limit: 0, ..Options::default() };
        // A runner need not know how to watch: then the module itself looks.
        let read_back = Options { read_back: true, ..Options::default() };
        for (options, watch) in [(one_by_one, Some(watch)), (read_back, None)] {
            let output = self.aside("narrow.fpt");
            let again =
                Request { output: output.clone(), options, checkpoint: Checkpoint::End, watch, ..side.clone() };
            let narrowed = self.record_again(&again)?;
            // Looking may change what the module does.
            let same = narrowed.outcome == recorded.outcome && narrowed.memories == recorded.memories;
            let knows = |found: &Mismatch| {
                matches!(found.what, Differs::Bytes { by: Observation::ReadBack | Observation::Watch, .. })
            };
            if same && narrowed.mismatches.first.iter().any(knows) {
                return replace(&side.output, &output);
            }
        }
        Ok(())
    }
}

/// What to watch to find out about a finding of a checkpoint: all that was found in its memory, since a store that
/// went elsewhere shows in two places. `None` for any other finding, which has its event already.
fn watched(findings: &[Mismatch], finding: &Mismatch) -> Option<Watch> {
    let place = |other: &Mismatch| match &other.what {
        Differs::Bytes { address, engine, by: Observation::Checkpoint, .. } if other.memory == finding.memory => {
            Some(WatchedRange { address: *address, length: (engine.len() as u64).min(WATCHED) })
        }
        _ => None,
    };
    place(finding)?;
    let mut ranges: Vec<WatchedRange> = findings.iter().filter_map(place).collect();
    // Later checkpoints find the same places again.
    ranges.sort_by_key(|range| (range.address, std::cmp::Reverse(range.length)));
    ranges.dedup_by_key(|range| range.address);
    Some(Watch { memory: finding.memory.0, ranges })
}
