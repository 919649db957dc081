//! A timeline is where it was sent, whichever way it came, and finds which event wrote a byte.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

#[path = "../../traces/tests/support/mod.rs"]
mod support;

use forkpoint_replay::{ReplayError, Timeline};
use forkpoint_traces::{
    EngineWords, Event, MemoryIndex, MemoryOp, Outcome, PAGE, Position, RawEvent, TraceError, TraceReader,
};
use support::{Plain, Step, create, end, memories, push, random_run, step, store};

/// Memory before the event at `position`.
fn replayed(steps: &[Step], position: usize) -> Plain {
    let mut plain = Plain::default();
    steps[..position].iter().for_each(|step| plain.apply(step));
    plain
}

#[test]
fn memory_at_a_position_does_not_depend_on_the_way_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.fpt");
    for seed in 0..25 {
        let mut random = fastrand::Rng::with_seed(seed);
        let (steps, last) = random_run(seed, random.usize(50..600));
        support::write(&path, random.u32(1..200), &steps);
        let mut timeline = Timeline::open(&path).unwrap();
        assert_eq!(timeline.len(), steps.len() as u64);
        for _ in 0..12 {
            // Far jumps, and steps back and forth that the undo log reverts.
            let mut at = random.usize(..=steps.len());
            for _ in 0..random.usize(1..8) {
                timeline.seek(Position(at as u64)).unwrap();
                assert_eq!(timeline.position(), Position(at as u64));
                let plain = replayed(&steps, at);
                assert_eq!(plain.difference(timeline.memory()), None, "seed {seed} at #{at}");
                at = (at + random.usize(..7)).saturating_sub(3).min(steps.len());
            }
        }
        timeline.seek(Position(steps.len() as u64)).unwrap();
        assert_eq!(last.difference(timeline.memory()), None, "seed {seed} at the end");
    }
}

#[test]
fn stepping_back_event_by_event_undoes_every_kind_of_event() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.fpt");
    for seed in [3, 4, 5] {
        let (steps, _) = random_run(seed, 200);
        // One chunk: nothing is between the first event and the last but the undo log.
        support::write(&path, 1000, &steps);
        let mut timeline = Timeline::open(&path).unwrap();
        timeline.seek(Position(steps.len() as u64)).unwrap();
        for at in (0..steps.len()).rev() {
            timeline.seek(Position(at as u64)).unwrap();
            assert_eq!(replayed(&steps, at).difference(timeline.memory()), None, "seed {seed} at #{at}");
        }
    }
}

/// A long run, so that the trace has keyframes: memory 0 is written all over, memory 1 appears and grows.
fn long_run() -> Vec<Step> {
    let mut random = fastrand::Rng::with_seed(77);
    let mut steps = memories([2, 1]);
    // What sets memory up is in no keyframe.
    steps.extend([support::host_write(3 * PAGE, &[7; 3 * PAGE as usize]), support::invoke()]);
    let mut pages = 2;
    for i in 0..4_800_000u64 {
        let address = random.u64(..pages * support::WASM_PAGE - 4);
        steps.push(match i % 400_000 {
            1000 => {
                pages += 1;
                step(MemoryOp::MemoryGrow, [1, pages - 1, 0])
            }
            2000 => step(MemoryOp::MemoryFill, [address / 2, i & 0xff, address / 2]),
            3000 => step(MemoryOp::MemoryCopy, [address / 2, address / 3, 90_000]),
            // A page that was written becomes zero again, and stays so over a keyframe.
            4000 => step(MemoryOp::MemoryFill, [0, 0, 5 * PAGE]),
            _ if i % 97 == 0 => Step::Raw {
                site: support::site(MemoryOp::I64Store, 1),
                operands: [address % (support::WASM_PAGE - 8), i, 0],
                blob: Vec::new(),
            },
            // Nothing foresees the value: keyframes come the sooner.
            _ => store(address, (i * i) as u32),
        });
    }
    steps.push(end(Outcome::Finished));
    steps
}

#[test]
fn seeks_from_keyframes_give_the_memory_of_a_linear_replay() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.fpt");
    let steps = long_run();
    let mut writer = create(&path, 1 << 14);
    steps.iter().for_each(|step| push(&mut writer, step).unwrap());
    writer.finish(EngineWords::default()).unwrap();
    let trace = TraceReader::open(&path).unwrap();
    let keyframes: Vec<u64> = trace.keyframe_positions().map(|position| position.0).collect();
    assert!(keyframes.len() >= 3, "{keyframes:?}: the third builds on the second, which is complete by itself");
    let mut timeline = Timeline::new(trace);
    let mut random = fastrand::Rng::with_seed(6);
    let mut places: Vec<u64> = keyframes.iter().flat_map(|at| [at - 1, *at, at + 1]).collect();
    places.extend((0..6).map(|_| random.u64(..steps.len() as u64)));
    places.sort_unstable();
    // What each place holds, from one replay of the plain model.
    let (mut plain, mut at) = (Plain::default(), 0);
    let mut expected: Vec<(u64, Plain)> = Vec::new();
    for place in places {
        steps[at..place as usize].iter().for_each(|step| plain.apply(step));
        at = place as usize;
        expected.push((place, plain.clone()));
    }
    random.shuffle(&mut expected);
    for (place, plain) in &expected {
        timeline.seek(Position(*place)).unwrap();
        assert_eq!(plain.difference(timeline.memory()), None, "at #{place}, keyframes {keyframes:?}");
    }
    let verified = forkpoint_replay::verify(timeline.trace_mut());
    assert!(verified.faults.is_empty(), "{:?}", verified.faults);
    assert_eq!(verified.keyframes, keyframes.len());
}

#[test]
fn writers_are_those_of_a_search_through_all_events() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.fpt");
    for seed in 200..215 {
        let mut random = fastrand::Rng::with_seed(seed);
        let (steps, plain) = random_run(seed, 400);
        support::write(&path, random.u32(3..60), &steps);
        let mut timeline = Timeline::open(&path).unwrap();
        let mut written = Vec::new();
        for position in 0..steps.len() as u64 {
            let event = timeline.event(Position(position)).unwrap();
            written.extend(event.written().map(|range| (position, range)));
        }
        for _ in 0..60 {
            let (_, (memory, start, length)) = written[random.usize(..written.len())];
            // Beside the bytes of an event too.
            let address = (start + random.u64(..length + 3)).saturating_sub(1);
            let bytes = address..address + random.u64(1..20);
            let from = random.u64(..=steps.len() as u64);
            let hits = |(_, (other, start, length)): &&(u64, (MemoryIndex, u64, u64))| {
                *other == memory && *start < bytes.end && bytes.start < start + length
            };
            let last = written.iter().filter(hits).map(|(at, _)| *at).rfind(|at| *at < from);
            let next = written.iter().filter(hits).map(|(at, _)| *at).find(|at| *at >= from);
            let what = format!("seed {seed}, memory {} at {bytes:x?}, #{from}", memory.0);
            let found = timeline.last_writer(memory, bytes.clone(), Position(from)).unwrap();
            assert_eq!(found, last.map(Position), "{what}");
            let found = timeline.next_writer(memory, bytes, Position(from)).unwrap();
            assert_eq!(found, next.map(Position), "{what}");
        }
        assert!(plain.0[0].len() as u64 >= PAGE);
    }
}

#[test]
fn searches_find_what_a_look_at_each_event_finds() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.fpt");
    for seed in 300..310 {
        let mut random = fastrand::Rng::with_seed(seed);
        let (steps, _) = random_run(seed, 400);
        support::write(&path, random.u32(3..90), &steps);
        let mut timeline = Timeline::open(&path).unwrap();
        let all = (0..steps.len() as u64).map(Position);
        let events: Vec<Event> = all.clone().map(|position| timeline.event(position).unwrap()).collect();
        let sites = timeline.trace().sites().clone();
        for _ in 0..40 {
            let (from, kind) = (Position(random.u64(..=steps.len() as u64)), events[random.usize(..400)].kind());
            let is = |position: &Position| events[position.0 as usize].kind() == kind;
            let fits = |raw: &RawEvent| Ok(Event::read(raw, &sites)?.kind() == kind);
            let next = all.clone().filter(|position| *position >= from).find(is);
            assert_eq!(timeline.next_that(from, fits).unwrap(), next, "seed {seed}: {kind} from {from}");
            let last = all.clone().filter(|position| *position < from).rfind(is);
            assert_eq!(timeline.last_that(from, fits).unwrap(), last, "seed {seed}: {kind} before {from}");
        }
    }
}

/// However many threads search, a damaged chunk counts as if one searched from near to far.
#[test]
fn a_search_fails_by_damage_before_the_answer_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.fpt");
    let mut steps = memories([1, 1]);
    steps.extend((0..6000u32).map(|i| store(if i == 3000 { 64 } else { 128 }, i)));
    support::write(&path, 100, &steps);
    let (whole, trace) = (std::fs::read(&path).unwrap(), TraceReader::open(&path).unwrap());
    let (middle, end) = (trace.chunk_of(Position(3002)).unwrap(), Position(trace.events()));
    // Where each chunk's block ends, by the heads of all blocks: tag, length, raw length, sum.
    let (mut at, mut ends) = (12, Vec::new());
    while at + 13 < whole.len() - 16 {
        let length = u32::from_le_bytes(whole[at + 1..at + 5].try_into().unwrap()) as usize;
        let is_chunk = whole[at] == 4;
        at += 13 + length;
        ends.extend(is_chunk.then_some(at));
    }
    assert_eq!(ends.len(), trace.chunks().len());
    for (damaged, end_of_block) in ends.into_iter().enumerate() {
        let mut bytes = whole.clone();
        bytes[end_of_block - 1] ^= 0x10;
        std::fs::write(&path, &bytes).unwrap();
        let mut timeline = Timeline::open(&path).unwrap();
        let found = timeline.last_writer(MemoryIndex(0), 64..65, end);
        assert_eq!(found.is_err(), damaged >= middle, "chunk {damaged}: {found:?}");
        let found = timeline.next_writer(MemoryIndex(0), 64..65, Position(0));
        assert_eq!(found.is_err(), damaged <= middle, "chunk {damaged}: {found:?}");
    }
}

/// Chunks of more events than can be taken back one by one.
#[test]
fn memory_is_right_within_long_chunks() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.fpt");
    let mut steps = memories([2, 1]);
    steps.extend((0..25_000u32).map(|i| store(u64::from(i.wrapping_mul(0x9e37_79b1) % 2000), i)));
    support::write(&path, 11_000, &steps);
    let mut timeline = Timeline::open(&path).unwrap();
    let mut random = fastrand::Rng::with_seed(1);
    for to in [9000, 4900, 4890, 500, 10_999, 11_000, 11_001, 20_000] {
        for to in [to, to - random.usize(..10), to + random.usize(..5000), to - random.usize(..500)] {
            timeline.seek(Position(to as u64)).unwrap();
            assert_eq!(timeline.position(), Position(to as u64));
            assert_eq!(replayed(&steps, to).difference(timeline.memory()), None, "#{to}");
        }
    }
}

/// So much memory that the first keyframe comes after four million events: the way there is passed once.
#[test]
fn memory_kept_on_the_way_is_that_of_a_linear_replay() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.fpt");
    let mut writer = create(&path, 50_000);
    memories([64, 1]).iter().for_each(|step| push(&mut writer, step).unwrap());
    (0..1024).for_each(|page| push(&mut writer, &store(page * PAGE, 1)).unwrap());
    let mut random = fastrand::Rng::with_seed(5);
    for i in 0..3_200_000u32 {
        let address = random.u64(..100) * PAGE + random.u64(..PAGE - 4);
        push(&mut writer, &store(address, if i % 7 == 0 { 0 } else { i })).unwrap();
        if i % 900_000 == 500_000 {
            push(&mut writer, &step(MemoryOp::MemoryGrow, [1, 64 + u64::from(i / 900_000), 0])).unwrap();
        }
    }
    writer.finish(EngineWords::default()).unwrap();
    let mut timeline = Timeline::open(&path).unwrap();
    assert_eq!(timeline.trace().keyframes(), 0);
    for _ in 0..12 {
        let to = Position(random.u64(..timeline.len()));
        timeline.seek(to).unwrap();
        let mut image = timeline.trace().empty_image();
        let mut reader = TraceReader::open(&path).unwrap();
        for chunk in 0..=reader.chunk_of(to).unwrap() {
            let mut next = reader.chunks()[chunk].first;
            let read = reader.read_chunk(chunk, |event| {
                if next < to {
                    image.apply(&event).unwrap();
                }
                next = next.next();
                Ok::<(), TraceError>(())
            });
            read.unwrap();
        }
        for memory in [0, 1].map(MemoryIndex) {
            assert_eq!(timeline.memory().state(memory), image.state(memory), "{to}");
        }
    }
}

/// Zeros on a page that holds nothing change no byte, but they were written.
#[test]
fn the_writer_of_zeros_on_a_fresh_page_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.fpt");
    let mut steps = memories([16, 0]);
    let zeroing = [
        store(20 * PAGE, 0),
        step(MemoryOp::V128Store, [31 * PAGE - 8, 0, 0]),
        step(MemoryOp::MemoryFill, [40 * PAGE, 0, 3 * PAGE]),
        step(MemoryOp::MemoryCopy, [50 * PAGE, 60 * PAGE, 2 * PAGE]),
        support::host_write(70 * PAGE, &[0; 9]),
    ];
    for zeros in zeroing {
        steps.push(zeros);
        steps.extend((0..20).map(|i| store(PAGE + 4 * i, 7)));
    }
    support::write(&path, 21, &steps);
    let mut timeline = Timeline::open(&path).unwrap();
    let end = Position(timeline.len());
    let places = [(20 * PAGE + 3, 2), (31 * PAGE + 7, 23), (42 * PAGE + 1, 44), (51 * PAGE, 65), (70 * PAGE + 8, 86)];
    for (address, position) in places {
        let found = timeline.last_writer(MemoryIndex(0), address..address + 1, end).unwrap();
        assert_eq!(found, Some(Position(position)), "{address:#x}");
        assert_eq!(
            timeline.next_writer(MemoryIndex(0), address..address + 1, Position(0)).unwrap(),
            found,
            "{address:#x}"
        );
    }
    // No event wrote the next byte.
    assert_eq!(timeline.last_writer(MemoryIndex(0), 70 * PAGE + 9..70 * PAGE + 10, end).unwrap(), None);
}

#[test]
fn a_timeline_survives_what_it_cannot_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.fpt");
    let (steps, _) = random_run(1, 300);
    support::write(&path, 50, &steps);
    let mut timeline = Timeline::open(&path).unwrap();
    timeline.seek(Position(40)).unwrap();
    assert!(timeline.seek(Position(timeline.len() + 1)).is_err());
    assert!(timeline.event(Position(timeline.len())).is_err());
    assert_eq!(replayed(&steps, 40).difference(timeline.memory()), None, "a refused seek moves nothing");
    // A search that is stopped can be resumed.
    timeline.set_progress(|_| true);
    assert!(matches!(timeline.seek(Position(299)), Err(ReplayError::Cancelled)));
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let noted = std::sync::Arc::clone(&seen);
    timeline.set_progress(move |position| {
        noted.lock().unwrap().push(position.0);
        false
    });
    timeline.seek(Position(299)).unwrap();
    assert_eq!(replayed(&steps, 299).difference(timeline.memory()), None);
    // Each chunk on the way is reported, including those that a search skips.
    let taken = || std::mem::take(&mut *seen.lock().unwrap());
    let replay = taken();
    assert!(replay.len() >= 2 && replay.is_sorted(), "{replay:?}");
    let end = Position(timeline.len());
    timeline.last_writer(MemoryIndex(0), u64::MAX - 1..u64::MAX, end).unwrap();
    let back = taken();
    assert!(back.len() >= 300 / 50 && back.is_sorted_by(|one, next| one >= next), "{back:?}");
    timeline.next_writer(MemoryIndex(0), u64::MAX - 1..u64::MAX, Position(0)).unwrap();
    let on = taken();
    assert!(on.len() >= 300 / 50 && on.is_sorted(), "{on:?}");
}
