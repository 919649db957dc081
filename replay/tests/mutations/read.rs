//! Everything that is done with a trace that may be a stranger's, for the tests and the targets in `fuzz/`. Whatever
//! the trace is, nothing panics or takes memory without bound, and what is printed does not act on a terminal.

use fastrand::Rng;
use forkpoint_replay::{Assertions, NanBits, Report, Symbols, Timeline, describe_with_place, is_active, verify};
use forkpoint_traces::{Event, MemoryIndex, MemoryState, Position, TraceError, TraceReader};

/// Everything that reads one trace, as far as it goes.
pub fn read(mut trace: TraceReader, random: &mut Rng) -> Timeline {
    let _ = trace.outcome();
    let _ = trace.check_blocks();
    let functions: Vec<_> = trace.native_functions().take(50).collect();
    functions.iter().for_each(|func| drop(trace.native_code(*func)));
    if let Ok(mut log) = trace.host_log() {
        while let Ok(Some(_)) = log.next_event() {}
    }
    let symbols = Symbols::of(&trace);
    for chunk in 0..trace.chunks().len() {
        let sites = trace.sites().clone();
        let mut described = 0;
        let read = trace.read_chunk(chunk, |event| {
            if described < 300
                && let Ok(event) = Event::read(&event, &sites)
            {
                let line = describe_with_place(&event, &sites, &symbols);
                assert!(!line.chars().any(is_active), "{line:?}");
            }
            described += 1;
            Ok::<(), TraceError>(())
        });
        if read.is_err() {
            break;
        }
    }
    let verified = verify(&mut trace);
    verified.faults.iter().for_each(|finding| drop(finding.to_string()));
    let mut timeline = Timeline::new(trace);
    if let Ok(Some(assertions)) = Assertions::of(&mut timeline) {
        let text = assertions.to_string();
        assert!(!text.chars().any(|c| c != '\n' && is_active(c)), "{text:?}");
    }
    let mut states = Vec::new();
    for _ in 0..4 {
        let position = Position(random.u64(..=timeline.len()));
        match timeline.seek(position) {
            Ok(()) => states.push((position, state(&timeline))),
            Err(error) => assert!(!verified.faults.is_empty(), "verified, and {error}"),
        }
        let address = random.u64(..1 << 17);
        let _ = timeline.last_writer(MemoryIndex(0), address..address + random.u64(..20), position);
        let _ = timeline.next_writer(MemoryIndex(1), address..address + 1, position);
    }
    // Whatever way leads there. What cannot be replayed, or has keyframes that contradict the events, may depend on
    // it.
    if verified.faults.is_empty() {
        for (position, before) in states.iter().rev() {
            timeline.seek(*position).expect("it was there before");
            assert_eq!(state(&timeline), *before, "memory at {position}");
        }
    }
    timeline
}

/// What the report of two traces says.
pub fn compare(timeline: &mut Timeline, other: &mut Timeline, random: &mut Rng) {
    for nan_bits in [NanBits::Report, NanBits::Ignore] {
        let (lhs, rhs) = if random.bool() { (&mut *timeline, &mut *other) } else { (&mut *other, &mut *timeline) };
        if let Ok(report) = Report::new(lhs, rhs, 3, nan_bits) {
            let text = report.to_string();
            assert!(!text.chars().any(|c| c != '\n' && is_active(c)), "{text:?}");
        }
    }
}

/// Sizes and digests of the first memories.
fn state(timeline: &Timeline) -> [Option<MemoryState>; 2] {
    [0, 1].map(|memory| timeline.memory().state(MemoryIndex(memory)))
}
