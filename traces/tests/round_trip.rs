//! What is written is what is read, and memory is what a plain model of it says.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod support;

use forkpoint_traces::{
    EngineWords, Event, MemoryIndex, MemoryOp, Outcome, PAGE, Position, SiteId, TraceError, TraceReader,
};
use support::{Plain, Step, create, memories, push, random_run, read, step};

#[test]
fn random_runs_read_back_as_they_were_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.fpt");
    for seed in 0..150 {
        let mut random = fastrand::Rng::with_seed(seed);
        let (steps, plain) = random_run(seed, random.usize(3..900));
        let chunk_events = random.u32(1..300);
        let mut writer = create(&path, chunk_events);
        for step in &steps {
            push(&mut writer, step).unwrap();
        }
        assert_eq!(plain.difference(writer.image()), None, "seed {seed}: the writer's memory");
        writer.finish(EngineWords::default()).unwrap();
        let mut trace = TraceReader::open(&path).unwrap();
        assert!(trace.is_complete());
        assert_eq!(trace.chunks().len(), steps.len().div_ceil(chunk_events as usize), "seed {seed}");
        let (found, result) = read(&mut trace);
        result.unwrap();
        assert_eq!(found, steps, "seed {seed}");
    }
}

/// The last writer of a byte is searched only in chunks whose filter has its page.
#[test]
fn what_events_wrote_is_known_and_no_page_filter_denies_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.fpt");
    let mut denied = 0;
    for seed in 0..60 {
        let (steps, _) = random_run(1000 + seed, 400);
        support::write(&path, 16, &steps);
        let mut trace = TraceReader::open(&path).unwrap();
        let mut scanner = trace.scanner();
        for chunk in 0..trace.chunks().len() {
            let entry = trace.chunks()[chunk].clone();
            let mut written = Vec::new();
            let (sites, mut at) = (trace.sites().clone(), entry.first);
            let mut ranges = Vec::new();
            trace
                .read_chunk(chunk, |event| {
                    let event = Event::read(&event, &sites)?;
                    written.extend(event.written().map(|range| (range, event.op(&sites))));
                    ranges.extend(event.written().map(|(memory, address, length)| (at, memory, address, length)));
                    at = at.next();
                    Ok::<(), TraceError>(())
                })
                .unwrap();
            // The same without values.
            let mut found = Vec::new();
            let write = |at, memory, address, length| {
                found.push((at, memory, address, length));
                Ok::<(), TraceError>(())
            };
            trace.read_writes(&mut scanner, chunk, write).unwrap();
            assert_eq!(found, ranges, "seed {seed}, chunk {chunk}");
            for ((memory, address, length), op) in written {
                for at in (address..address + length).step_by(PAGE as usize).chain((address + length).checked_sub(1))
                {
                    let inside = length > 0;
                    assert!(!inside || entry.may_touch(memory, at), "seed {seed}, {op:?} at {at:#x} of {memory:?}");
                }
            }
            denied += (0..64).filter(|page| !entry.may_touch(MemoryIndex(0), page * PAGE)).count();
        }
    }
    assert!(denied > 1000, "a filter that lets everything pass is none: {denied}");
}

#[test]
fn zeros_in_fresh_memory_are_in_the_filter_however_many() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.fpt");
    // One chunk for each of: a byte, a block of pages, four GiB.
    let mut steps = memories([1 << 16, 1]);
    steps.push(step(MemoryOp::I64Store8, [PAGE * 5, 0, 0]));
    steps.push(step(MemoryOp::MemoryFill, [PAGE * 100, 0, PAGE * 50]));
    steps.push(step(MemoryOp::MemoryFill, [0, 0, 1 << 32]));
    support::write(&path, 1, &steps);
    let trace = TraceReader::open(&path).unwrap();
    let may_touch = |chunk: usize, page: u64| trace.chunks()[chunk].may_touch(MemoryIndex(0), page * PAGE);
    assert!(may_touch(2, 5) && !may_touch(2, 6));
    assert!((100..150).all(|page| may_touch(3, page)) && !(0..100).all(|page| may_touch(3, page)));
    assert!((0..1 << 20).step_by(97).all(|page| may_touch(4, page)));
}

#[test]
fn copies_over_their_own_source_are_those_of_the_specification() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.fpt");
    // Longer than the block in which the model copies, in both directions, also over pages that were never written.
    for (to, from) in [(100, 0), (0, 100), (3 * PAGE + 7, 0), (0, 3 * PAGE + 7), (1 << 20, 0), (0, 1 << 20)] {
        let mut steps = memories([64, 0]);
        for i in 0..400 {
            steps.push(support::store(i * 7919 % (1 << 21), i as u32 + 1));
        }
        steps.push(step(MemoryOp::MemoryCopy, [to, from, (3 << 20) - 5]));
        let mut plain = Plain::default();
        let mut writer = create(&path, 100);
        for step in &steps {
            plain.apply(step);
            push(&mut writer, step).unwrap();
        }
        assert_eq!(plain.difference(writer.image()), None, "to {to:#x} from {from:#x}");
    }
}

/// Only strangers' traces have such lengths: they must neither take forever nor fail.
#[test]
fn fills_and_copies_of_what_was_never_written_cost_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = create(&folder.path().join("t.fpt"), 100);
    for step in memories([1 << 46, 1 << 46]) {
        push(&mut writer, &step).unwrap();
    }
    let length = (1u64 << 61) - 5;
    push(&mut writer, &step(MemoryOp::I64Store, [1 << 55, 0x1122_3344_5566_7788, 0])).unwrap();
    push(&mut writer, &step(MemoryOp::MemoryFill, [1 << 56, 0, length])).unwrap();
    push(&mut writer, &step(MemoryOp::MemoryCopy, [3, 1, length])).unwrap();
    push(&mut writer, &step(MemoryOp::MemoryCopy, [0, 1 << 60, length])).unwrap();
    push(&mut writer, &step(MemoryOp::MemoryCopy, [(1 << 60) + 1, 1, length])).unwrap();
    let mut bytes = [0; 8];
    writer.image().read(MemoryIndex(0), (1 << 60) + (1 << 55), &mut bytes);
    assert_eq!(bytes, [0; 8], "the second copy had cleared it");
}

#[test]
fn an_event_that_cannot_have_happened_is_refused_and_leaves_the_trace_readable() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.fpt");
    let mut steps = memories([1, 0]);
    steps.push(support::store(0, 1));
    let refused = [
        support::host_write(65536, &[1]),
        Step::Raw { site: SiteId::STRAY_BYTES, operands: [0, u64::MAX, 0], blob: vec![1, 2] },
        Step::Raw { site: SiteId::OBSERVED, operands: [0, 65535, 1], blob: vec![1, 2] },
        Step::Raw { site: SiteId::OBSERVED, operands: [7, 1, 3], blob: Vec::new() },
        Step::Raw { site: SiteId(5), operands: [0; 3], blob: Vec::new() },
        Step::Raw { site: SiteId::STRAY_BYTES, operands: [1 << 40, 0, 0], blob: vec![1] },
        memories([1, 1]).remove(0),
    ];
    let mut writer = create(&path, 2);
    for step in &steps {
        push(&mut writer, step).unwrap();
    }
    for step in &refused {
        let error = push(&mut writer, step).expect_err("it contradicts what was before").to_string();
        assert!(error.contains("event #3"), "{step:?}: {error}");
    }
    writer.finish(EngineWords::default()).unwrap();
    let mut trace = TraceReader::open(&path).unwrap();
    assert_eq!(read(&mut trace).0, steps);
    assert!(trace.chunk_of(Position(3)).is_err());
}

#[test]
fn what_is_put_between_calls_is_no_step_of_a_host_call() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.fpt");
    let mut steps = support::memories([1, 1]);
    let write = support::host_write(8, b"abc");
    steps.extend([write.clone(), support::host_call(1), write.clone(), support::host_return(2), write]);
    steps.push(support::end(Outcome::Interrupted));
    support::write(&path, 3, &steps);
    let mut log = TraceReader::open(&path).unwrap().host_log().unwrap();
    let kinds: Vec<&str> = std::iter::from_fn(|| log.next_event().unwrap())
        .map(|event| forkpoint_traces::Event::Host(event).kind())
        .collect();
    assert_eq!(kinds, ["host-call", "host-write", "host-return"]);
}

/// Runs of stores that are recorded at once make the same file as one by one.
#[test]
fn foreseen_stores_are_recorded_as_one_by_one() {
    let dir = tempfile::tempdir().unwrap();
    let (one_by_one, at_once) = (dir.path().join("one.fpt"), dir.path().join("once.fpt"));
    let steps = memories([2, 1]);
    let mut writers = [&one_by_one, &at_once].map(|path| create(path, 50));
    for writer in &mut writers {
        steps.iter().for_each(|step| push(writer, step).unwrap());
    }
    let [one, once] = &mut writers;
    let mut recorded_at_once = 0;
    let size = one.image().size(MemoryIndex(0)).expect("a memory").bytes();
    let stores = (0..).map(|number| SiteId(SiteId::FIRST.0 + number)).zip(support::sites());
    let stores: Vec<SiteId> = stores
        .filter(|(_, site)| site.memory.0 == 0 && site.op.shape().width().is_some_and(|width| width <= 8))
        .map(|(number, _)| number)
        .collect();
    for (turn, stride) in [0, 1, 4, 100, 4096, u64::MAX - 7, 1].into_iter().cycle().take(40).enumerate() {
        let site = stores[turn / 3 % stores.len()];
        let start = if stride > size { size / 2 } else { 64 * turn as u64 };
        let (mut address, mut left) = (start, 120_u64.min((size - start) / stride.clamp(1, 4096)));
        while left > 0 {
            one.store(site, address, 7).unwrap();
            let done = once.foreseen_stores(site, address, stride, 7, left).unwrap();
            recorded_at_once += done;
            if done == 0 {
                once.store(site, address, 7).unwrap();
            }
            for number in 1..done {
                one.store(site, address.wrapping_add(stride.wrapping_mul(number)), 7).unwrap();
            }
            let done = done.max(1);
            address = address.wrapping_add(stride.wrapping_mul(done));
            left -= done;
        }
        assert_eq!(one.events(), once.events());
    }
    assert!(recorded_at_once > 500, "{recorded_at_once}");
    for (writer, path) in writers.into_iter().zip([&one_by_one, &at_once]) {
        writer.finish(EngineWords::default()).unwrap();
        TraceReader::open(path).unwrap().check_blocks().unwrap();
    }
    let mut both = [&one_by_one, &at_once].map(|path| {
        let mut trace = TraceReader::open(path).unwrap();
        let (steps, whole) = read(&mut trace);
        whole.unwrap();
        (steps, trace.chunks().to_vec())
    });
    let [one, once] = &mut both;
    assert_eq!(one, once);
}
