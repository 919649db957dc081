//! Any bytes as a trace: opened, verified, sought in.

#![no_main]

use forkpoint_replay::{Timeline, verify};
use forkpoint_traces::{Position, TraceReader};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(file) = tempfile::NamedTempFile::new() else { return };
    if std::fs::write(file.path(), bytes).is_err() {
        return;
    }
    let Ok(mut trace) = TraceReader::open(file.path()) else { return };
    let verified = verify(&mut trace);
    verified.findings.iter().for_each(|finding| drop(finding.to_string()));
    let mut timeline = Timeline::new(trace);
    let end = Position(timeline.len());
    let _ = timeline.seek(end);
    let _ = timeline.seek(Position(end.0 / 2));
});
