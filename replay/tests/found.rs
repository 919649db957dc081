//! What was found in the engine's memory although the events say otherwise: the verdict, the side at fault, and that
//! replay continues with it.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

#[path = "../../traces/tests/support/mod.rs"]
mod support;

use forkpoint_replay::{Fault, NanBits, Report, Timeline, Verdict, verify};
use forkpoint_traces::{
    EngineWords, Event, MemoryIndex, MemoryOp, Milestone, Outcome, Position, SiteId, TraceReader, TraceWriter,
};
use support::{Step, create, end, invoke, memories, push, step, store};

/// How bytes were found, as the trace has it.
const READ_BACK: u64 = 0;
const CHECKPOINT: u64 = 1;
const WATCH: u64 = 2;
const SIZE: u64 = 3;
const OUTSIDE: u64 = 4;

fn found(how: u64, address: u64, bytes: &[u8]) -> Step {
    Step::Raw { site: SiteId::OBSERVED, operands: [0, address, how], blob: bytes.to_vec() }
}

/// Events before the first step of [`judged`].
const HEAD: u64 = 3;

/// Verdict, and positions of the last writer and of the event with which memory changed, counted from the first of
/// `steps`: of a run with these events against one with none of what was found.
fn judged(steps: &[Step]) -> (Verdict, Option<u64>, Option<u64>) {
    let folder = tempfile::tempdir().unwrap();
    let tail = [store(4000, 1), end(Outcome::Finished)];
    let run = |steps: &[Step]| [&memories([1, 1])[..], &[invoke()], steps, &tail].concat();
    let is_found = |step: &Step| matches!(step, Step::Raw { site: SiteId::OBSERVED, .. });
    let right: Vec<Step> = steps.iter().filter(|step| !is_found(step)).cloned().collect();
    let open = |name: &str, steps: &[Step], chunk_events| {
        let path = folder.path().join(name);
        support::write(&path, chunk_events, &run(steps));
        Timeline::open(&path).unwrap()
    };
    let mut answers = [1, 3, 100].map(|chunk_events| {
        let (mut lhs, mut rhs) = (open("l.fpt", &right, chunk_events), open("r.fpt", steps, chunk_events));
        let report = Report::new(&mut lhs, &mut rhs, 3, NanBits::default()).unwrap();
        let position = |event: &forkpoint_replay::CulpritReport| event.event.position.0 - HEAD;
        (report.verdict.unwrap(), report.culprit.as_ref().map(position), report.during.as_ref().map(position))
    });
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    std::mem::replace(&mut answers[0], (Verdict::Value, None, None))
}

const ONE: [u8; 4] = [1, 0, 0, 0];

#[test]
fn what_is_read_back_is_the_stores_fault_whatever_it_is() {
    // As it was before the store; something else; half of it.
    for bytes in [[0, 0, 0, 0], [9, 9, 9, 9], [2, 0, 0, 9]] {
        let steps = [store(64, 1), store(8, 0x0102_0304), found(READ_BACK, 8, &bytes)];
        assert_eq!(judged(&steps), (Verdict::UncommittedStore, Some(1), None), "{bytes:?}");
    }
}

#[test]
fn watched_bytes_that_change_with_their_store_did_not_arrive() {
    // A lane of four bytes of which one arrives, and a different one from the first.
    let steps = [store(8, 0x1b1a_1918), found(WATCH, 8, &[0x12, 0, 0, 0]), store(64, 1)];
    assert_eq!(judged(&steps), (Verdict::UncommittedStore, Some(0), None));
    // The same bytes, but they were right at first.
    let steps = [store(8, 0x1b1a_1918), store(64, 1), found(WATCH, 8, &[0x12, 0, 0, 0])];
    assert_eq!(judged(&steps), (Verdict::UnrecordedWrite, Some(0), Some(1)));
    // Bytes beside the store: it wrote more than it says.
    let steps = [store(8, 1), found(WATCH, 12, &[0xff])];
    assert_eq!(judged(&steps), (Verdict::UnrecordedWrite, None, Some(0)));
    // The store went elsewhere: its own place was found after the other one.
    let steps = [store(8, 0), store(64, 1), found(WATCH, 16, &ONE), found(WATCH, 64, &[0])];
    assert_eq!(judged(&steps), (Verdict::UncommittedStore, Some(1), None));
}

#[test]
fn at_a_checkpoint_the_bytes_tell() {
    let steps = [store(8, 0x1b1a_1918), store(64, 1), found(CHECKPOINT, 8, &[0x12, 0, 0, 0])];
    assert_eq!(judged(&steps), (Verdict::UncommittedStore, Some(0), None), "three bytes are as they were");
    let steps = [store(8, 0x1b1a_1918), store(64, 1), found(CHECKPOINT, 8, &[9, 9, 9, 9])];
    assert_eq!(judged(&steps), (Verdict::UnrecordedWrite, Some(0), None), "nothing is as it was");
    let steps = [store(8, 1), found(CHECKPOINT, 100, &[9])];
    assert_eq!(judged(&steps), (Verdict::UnrecordedWrite, None, None), "nothing was ever written there");
    // What was copied from the lost store's place is lost too: the store comes first.
    let copy = step(MemoryOp::MemoryCopy, [200, 300, 4]);
    let steps = [store(300, 1), copy, found(CHECKPOINT, 200, &[0]), found(CHECKPOINT, 300, &[0])];
    assert_eq!(judged(&steps), (Verdict::UncommittedStore, Some(0), None));
}

#[test]
fn sizes_and_writes_outside_of_memory_have_verdicts_of_their_own() {
    let steps = [store(8, 1), found(SIZE, 3, &[])];
    assert_eq!(judged(&steps), (Verdict::MemorySize, None, None));
    let steps = [store(1 << 32, 1), found(OUTSIDE, 1 << 32, &[])];
    assert_eq!(judged(&steps), (Verdict::OutOfBounds, Some(0), None));
}

/// Memory 0 after all of these events, and again after going back to each event and forward from there.
fn last_image(steps: &[Step]) -> (u64, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.fpt");
    support::write(&path, 100, steps);
    let mut timeline = Timeline::open(&path).unwrap();
    let end = Position(steps.len() as u64);
    let mut images = Vec::new();
    for back in 0..steps.len() as u64 {
        timeline.seek(end).unwrap();
        timeline.seek(Position(back)).unwrap();
        timeline.seek(end).unwrap();
        let size = timeline.memory().size(MemoryIndex(0)).unwrap();
        let mut bytes = vec![0; size.bytes() as usize];
        timeline.memory().read(MemoryIndex(0), 0, &mut bytes);
        images.push((size.pages, bytes));
    }
    assert!(images.windows(2).all(|pair| pair[0] == pair[1]), "it depends on the way there");
    images.remove(0)
}

#[test]
fn replay_goes_on_with_the_size_that_was_found() {
    let grow = |result| step(MemoryOp::MemoryGrow, [1, result, 0]);
    let mut steps = memories([2, 1]);
    steps.extend([store(100, 1), store(65536 + 8, 2), found(SIZE, 1, &[]), grow(1), store(65536 + 16, 3)]);
    let (pages, bytes) = last_image(&steps);
    assert_eq!((pages, bytes[100]), (2, 1));
    // What lay past the end did not come back.
    assert_eq!((bytes[65536 + 8], bytes[65536 + 16]), (0, 3));
    // An engine that returns nonsense is not believed.
    let mut steps = memories([2, 1]);
    steps.push(grow(7000));
    assert_eq!(last_image(&steps).0, 3);
}

#[test]
fn what_lies_inside_of_memory_is_written_and_the_rest_is_not() {
    let outside = |address| found(OUTSIDE, address, &[]);
    let mut steps = memories([1, 1]);
    steps.extend([store(65534, 0x0403_0201), outside(65534), store(u64::MAX - 1, 9), outside(u64::MAX - 1)]);
    steps.extend([step(MemoryOp::MemoryFill, [65530, 7, u64::MAX]), outside(65530)]);
    steps.extend([step(MemoryOp::MemoryCopy, [65528, 65534, 1000]), outside(65528)]);
    let (_, bytes) = last_image(&steps);
    assert_eq!(bytes[65526..], [0, 0, 7, 7, 7, 7, 7, 7, 7, 7]);
    assert_eq!(bytes[..8], [0; 8], "nothing wraps around");
}

#[test]
fn a_trace_that_hides_a_write_outside_of_memory_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.fpt");
    for (said, chunk_events) in [(true, 100), (false, 100), (true, 1), (false, 1)] {
        let mut steps = memories([1, 1]);
        steps.push(store(1 << 32, 1));
        if said {
            steps.push(found(OUTSIDE, 1 << 32, &[]));
        }
        steps.push(store(8, 1));
        steps.push(Step::Milestone(Milestone::End {
            outcome: Outcome::Finished,
            memories: Vec::new(),
            globals: Vec::new(),
            tables: Vec::new(),
        }));
        support::write(&path, chunk_events, &steps);
        let findings = verify(&mut TraceReader::open(&path).unwrap()).faults;
        let hidden = |finding: &Fault| matches!(finding, Fault::Outside { position: Position(2), .. });
        assert_eq!(findings.len(), usize::from(!said), "{findings:?}");
        assert!(findings.iter().all(hidden), "{findings:?}");
    }
}

#[test]
fn a_writer_tells_of_what_it_pushed_outside_of_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.fpt");
    let mut writer = create(&path, 100);
    memories([1, 1]).iter().for_each(|step| push(&mut writer, step).unwrap());
    push(&mut writer, &store(65532, 1)).unwrap();
    assert_eq!(writer.take_outside(), None);
    push(&mut writer, &store(65533, 1)).unwrap();
    assert_eq!(writer.take_outside(), Some((MemoryIndex(0), 65533)));
    assert_eq!(writer.take_outside(), None);
    writer.found_outside(MemoryIndex(0), 65533).unwrap();
    writer.found_size(MemoryIndex(0), 5).unwrap();
    assert_eq!(writer.image().size(MemoryIndex(0)).unwrap().pages, 5);
    writer.finish(EngineWords::default()).unwrap();
    let mut timeline = Timeline::open(&path).unwrap();
    let event = timeline.event(Position(4)).unwrap();
    assert_eq!(event, Event::FoundOutside { memory: MemoryIndex(0), address: 65533 });
    assert_eq!(timeline.event(Position(5)).unwrap(), Event::FoundSize { memory: MemoryIndex(0), pages: 5 });
}

#[test]
fn a_store_in_another_instances_memory_is_named() {
    let in_memory = |memory, address, bytes: &[u8]| Step::Raw {
        site: SiteId::OBSERVED,
        operands: [memory, address, CHECKPOINT],
        blob: bytes.to_vec(),
    };
    let here = in_memory(0, 8, &[0, 0, 0, 0]);
    let there = in_memory(1, 8, &[4, 3, 2, 1]);
    let verdict = |found: &[Step], of_program: bool| {
        let folder = tempfile::tempdir().unwrap();
        let open = |name: &str, found: &[Step]| {
            let path = folder.path().join(name);
            let mut header = support::header(100);
            header.program = of_program.then(support::program);
            let data = support::DATA.to_vec();
            let mut writer =
                TraceWriter::create(&path, &header, support::module().into(), support::sites(), data).unwrap();
            let steps = [&memories([1, 1])[..], &[invoke(), store(8, 0x0102_0304)], found].concat();
            steps.iter().chain(&[end(Outcome::Finished)]).for_each(|step| push(&mut writer, step).unwrap());
            writer.finish(EngineWords::default()).unwrap();
            Timeline::open(&path).unwrap()
        };
        let (mut lhs, mut rhs) = (open("l.fpt", &[]), open("r.fpt", found));
        let report = Report::new(&mut lhs, &mut rhs, 3, NanBits::default()).unwrap();
        (report.verdict.unwrap(), report.culprit.is_some())
    };
    for found in [[here.clone(), there.clone()], [there.clone(), here.clone()]] {
        assert_eq!(verdict(&found, true), (Verdict::Instance, true));
        assert_eq!(verdict(&found, false), (Verdict::UncommittedStore, true), "a single module has no instances");
    }
    // Other bytes, another address, nothing missing here.
    let other = in_memory(1, 8, &[4, 3, 2, 9]);
    assert_eq!(verdict(&[here.clone(), other], true).0, Verdict::UncommittedStore);
    let elsewhere = in_memory(1, 64, &[4, 3, 2, 1]);
    assert_eq!(verdict(&[here, elsewhere], true).0, Verdict::UncommittedStore);
    assert_eq!(verdict(&[there], true).0, Verdict::UnrecordedWrite);
}
