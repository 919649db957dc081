//! Traces that leave events out: what they hold is what a whole trace holds, and so are memory and the host log.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod support;

use forkpoint_traces::{
    DigestOf, EngineWords, EventDigests, Excerpt, ExcerptModule, HostEvent, Milestone, Position, SiteId, Source,
    TraceError, TraceReader,
};
use std::fs;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use support::{Plain, Step, create, push, random_run, read};

/// Writes a trace that holds the events in `held` only, which begins with the first event.
fn write(path: &Path, chunk_events: u32, steps: &[Step], held: &[Range<usize>]) {
    let mut writer = create(path, chunk_events);
    for (at, step) in steps.iter().enumerate() {
        if held.iter().any(|part| part.contains(&at)) { writer.hold() } else { writer.leave_out() }.unwrap();
        push(&mut writer, step).unwrap();
    }
    let ends = vec![Position(3), Position(steps.len() as u64)];
    writer.set_digests(EventDigests { of: DigestOf::Records, ends, digests: vec![[1; 16], [2; 16]] });
    writer.finish(EngineWords::default()).unwrap();
}

/// Ranges of a run: its first events, some more, and its last one.
fn random_ranges(random: &mut fastrand::Rng, length: usize) -> Vec<Range<usize>> {
    let mut held = Vec::new();
    held.push(0..random.usize(1..length.min(20)));
    for _ in 0..random.usize(0..4) {
        let start = random.usize(held.last().unwrap().end..length);
        held.push(start..random.usize(start..length) + 1);
        if held.last().unwrap().end == length {
            return held;
        }
    }
    held.push(length - 1..length);
    held
}

fn host_log(trace: &TraceReader) -> Vec<HostEvent> {
    let mut log = trace.host_log().unwrap();
    std::iter::from_fn(|| log.next_event().unwrap()).collect()
}

#[test]
fn what_is_held_is_what_a_whole_trace_holds() {
    let folder = tempfile::tempdir().unwrap();
    let (path, whole) = (folder.path().join("t.fpt"), folder.path().join("whole.fpt"));
    let mut left_out = 0;
    for seed in 0..200 {
        let mut random = fastrand::Rng::with_seed(seed);
        let (steps, _) = random_run(seed, random.usize(40..900));
        let (held, chunk_events) = (random_ranges(&mut random, steps.len()), random.u32(1..200));
        write(&path, chunk_events, &steps, &held);
        support::write(&whole, chunk_events, &steps);
        let mut trace = TraceReader::open(&path).unwrap();
        trace.check_blocks().unwrap();
        assert!(trace.is_complete(), "seed {seed}");
        assert_eq!(trace.events(), steps.len() as u64, "seed {seed}");
        assert_eq!(trace.digests(DigestOf::Records).unwrap().digests, [[1; 16], [2; 16]]);

        // Every event is held or in a gap.
        let is_held = |at: usize| held.iter().any(|part| part.contains(&at));
        for at in 0..steps.len() {
            assert_eq!(trace.gap(Position(at as u64)).is_none(), is_held(at), "seed {seed}: {at} of {held:?}");
            let found = trace.chunk_of(Position(at as u64));
            assert_eq!(found.is_ok(), is_held(at), "seed {seed}: {at}");
            assert!(is_held(at) || matches!(found, Err(TraceError::LeftOut { .. })), "seed {seed}: {at}");
        }
        let expected: Vec<Step> = (0..steps.len()).filter(|at| is_held(*at)).map(|at| steps[at].clone()).collect();
        let (found, result) = read(&mut trace);
        result.unwrap();
        assert_eq!(found, expected, "seed {seed}");

        // After a gap, memory is known.
        for gap in trace.gaps().collect::<Vec<_>>() {
            left_out += 1;
            let (mut plain, mut image) = (Plain::default(), trace.empty_image());
            steps[..gap.end.0 as usize].iter().for_each(|step| plain.apply(step));
            assert_eq!(trace.restore(gap.end, &mut image).unwrap(), gap.end, "seed {seed}");
            assert_eq!(plain.difference(&image), None, "seed {seed}: memory after {gap:?}");
        }
        assert_eq!(host_log(&trace), host_log(&TraceReader::open(&whole).unwrap()), "seed {seed}");
    }
    assert!(left_out > 300, "{left_out} gaps");
}

#[test]
fn a_trace_with_gaps_that_is_cut_off_holds_what_comes_before() {
    let folder = tempfile::tempdir().unwrap();
    let (path, cut) = (folder.path().join("t.fpt"), folder.path().join("cut.fpt"));
    let mut opened = 0;
    for seed in 0..60 {
        let mut random = fastrand::Rng::with_seed(7000 + seed);
        let (steps, _) = random_run(seed, 300);
        write(&path, 16, &steps, &random_ranges(&mut random, steps.len()));
        let (all, _) = read(&mut TraceReader::open(&path).unwrap());
        let bytes = fs::read(&path).unwrap();
        for _ in 0..20 {
            fs::write(&cut, &bytes[..random.usize(0..bytes.len())]).unwrap();
            let Ok(mut trace) = TraceReader::open(&cut) else { continue };
            opened += 1;
            let (found, result) = read(&mut trace);
            result.unwrap();
            assert_eq!(found, all[..found.len()], "seed {seed}");
            trace.check_blocks().unwrap();
            let last = trace.keyframe_positions().last();
            assert!(last.is_none_or(|last| last.0 <= trace.events()), "seed {seed}: {last:?}");
            for chunk in trace.chunks().to_vec() {
                // Whatever can be read has its memory.
                let mut image = trace.empty_image();
                let from = trace.restore(chunk.first, &mut image).unwrap();
                assert!(trace.held(from..chunk.first).iter().all(|part| part.start == from), "seed {seed}");
            }
        }
    }
    assert!(opened > 300, "{opened} cut traces could be opened");
}

#[test]
fn ranges_of_what_is_held() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.fpt");
    let (steps, _) = random_run(5, 200);
    write(&path, 16, &steps, &[0..10, 100..120, steps.len() - 1..steps.len()]);
    let trace = TraceReader::open(&path).unwrap();
    let gaps: Vec<_> = trace.gaps().collect();
    assert_eq!(gaps.len(), 2, "{gaps:?}");
    assert_eq!(trace.keyframe_positions().collect::<Vec<_>>(), gaps.iter().map(|gap| gap.end).collect::<Vec<_>>());
    assert_eq!(trace.held_until(Position(0)), gaps[0].start);
    assert_eq!(trace.held_until(gaps[0].start), gaps[0].start, "the first event that is left out");
    assert_eq!(trace.held_until(gaps[0].end), gaps[1].start);
    let all = Position(0)..Position(trace.events());
    let held = trace.held(all.clone());
    assert_eq!(held, [all.start..gaps[0].start, gaps[0].end..gaps[1].start, gaps[1].end..all.end]);
    assert_eq!(trace.held(Position(2)..Position(4)), [Position(2)..Position(4)]);
    assert_eq!(trace.held(gaps[0].start..gaps[0].end), []);
}

fn sets_up(step: &Step) -> bool {
    match step {
        Step::Milestone(milestone) => !matches!(milestone, Milestone::Invoke { .. }),
        Step::Raw { site, .. } => !site.is_instruction() && *site != SiteId::HOST,
    }
}

/// Writes an excerpt, and opens it with the module of the trace.
fn excerpt(trace: &mut TraceReader, held: &[Range<Position>], to: &Path) -> TraceReader {
    let header = trace.header().clone();
    let words = trace.words().clone();
    let what = Excerpt { held, header: &header, words: &words, module: ExcerptModule::Elsewhere, edit: None };
    trace.excerpt(what, to, &mut |_| true).unwrap().unwrap();
    TraceReader::of(Source::open(to).unwrap(), Some(Arc::clone(trace.module()))).unwrap()
}

#[test]
fn an_excerpt_holds_what_was_asked_for_of_what_its_trace_holds() {
    let folder = tempfile::tempdir().unwrap();
    let [path, whole, to] = ["t.fpt", "whole.fpt", "excerpt.fpt"].map(|name| folder.path().join(name));
    for seed in 0..200 {
        let mut random = fastrand::Rng::with_seed(seed);
        let (steps, _) = random_run(seed, random.usize(40..900));
        let (held, chunk_events) = (random_ranges(&mut random, steps.len()), random.u32(1..200));
        write(&path, chunk_events, &steps, &held);
        support::write(&whole, chunk_events, &steps);
        let asked = random_ranges(&mut random, steps.len());
        let ranges: Vec<_> =
            asked.iter().map(|part| Position(part.start as u64)..Position(part.end as u64)).collect();
        let all = std::iter::once(0..steps.len()).collect();
        for (path, held) in [(&whole, all), (&path, held)] {
            let mut source = TraceReader::open(path).unwrap();
            let mut trace = excerpt(&mut source, &ranges, &to);
            trace.check_blocks().unwrap();
            assert_eq!((trace.events(), trace.is_complete()), (steps.len() as u64, true), "seed {seed}");
            let is_in = |parts: &[Range<usize>], at: usize| parts.iter().any(|part| part.contains(&at));
            // What sets memory up is held, too, as far as the first chunk has it.
            let set_up = steps.iter().take_while(|step| sets_up(step)).count();
            let set_up = set_up.min(source.chunks()[0].count as usize).max(1);
            let wanted = |at: usize| is_in(&asked, at) || at < set_up || at == steps.len() - 1;
            let is_held = |at: usize| is_in(&held, at) && wanted(at);
            let expected: Vec<Step> =
                (0..steps.len()).filter(|at| is_held(*at)).map(|at| steps[at].clone()).collect();
            let (found, result) = read(&mut trace);
            result.unwrap();
            assert_eq!(found, expected, "seed {seed}: {asked:?} of {held:?}");
            assert_eq!(host_log(&trace), host_log(&source), "seed {seed}");
            for gap in trace.gaps().collect::<Vec<_>>() {
                let (mut plain, mut image) = (Plain::default(), trace.empty_image());
                steps[..gap.end.0 as usize].iter().for_each(|step| plain.apply(step));
                assert_eq!(trace.restore(gap.end, &mut image).unwrap(), gap.end, "seed {seed}");
                assert_eq!(plain.difference(&image), None, "seed {seed}: memory after {gap:?}");
            }
            // What it leaves out is known by its digests: those of the recorder, or else of all chunks.
            for of in [DigestOf::Records, DigestOf::Chunks] {
                let (expected, found) = (source.digests(of), trace.digests(of));
                assert!(found.is_none() || found == expected, "seed {seed}: {of:?}");
            }
            assert!([DigestOf::Records, DigestOf::Chunks].iter().any(|of| trace.digests(*of).is_some()));
        }
    }
}

#[test]
fn an_excerpt_has_no_module_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let [path, to] = ["t.fpt", "excerpt.fpt"].map(|name| folder.path().join(name));
    let (steps, _) = random_run(1, 100);
    support::write(&path, 16, &steps);
    let mut source = TraceReader::open(&path).unwrap();
    drop(excerpt(&mut source, &[], &to));
    assert!(matches!(TraceReader::open(&to), Err(TraceError::NoModule)));
    let other: Arc<[u8]> = b"\0asm\x01\0\0\0\0".as_slice().into();
    let wrong = TraceReader::of(Source::open(&to).unwrap(), Some(other));
    assert!(matches!(wrong, Err(TraceError::Corrupt { .. })), "a module that is not the one of the header");
}
