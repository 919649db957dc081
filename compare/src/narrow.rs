//! From a difference found at a checkpoint to the event that caused it.

use crate::error::CompareError;
use crate::files::replace;
use crate::runs::Runs;
use forkpoint_tracer::instrument::Options;
use forkpoint_tracer::{Checkpoint, Differs, Mismatch, Recorded, Request, Watch, WatchedRange};
use forkpoint_traces::Observation;

/// Most bytes of one place that are watched.
const WATCHED: u64 = 64;

impl Runs<'_> {
    /// A checkpoint shows that memory is wrong, but not since when: reruns the side and checks these bytes after
    /// every event. The new trace replaces the side's own if it is better.
    pub fn narrow(&self, side: &Request, recorded: &Recorded) -> Result<(), CompareError> {
        if self.program.parts().is_some() {
            // Memories of a program are compared after each directive, and found bytes stay where they were found.
            return Ok(());
        }
        let findings = &recorded.mismatches.first;
        let Some(watch) = findings.iter().find_map(|finding| watched(findings, finding)) else { return Ok(()) };
        let one_by_one = Options { join: false, buffer_limit: 0, ..Options::default() };
        // A runner need not support watching; then the module itself reads its stores back.
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

/// What to watch to explain a mismatch found at a checkpoint: everything found in its memory, since a store that went
/// elsewhere shows in two places. `None` for any other mismatch, which has its event already.
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
    Some(Watch { memory: finding.memory, ranges })
}
