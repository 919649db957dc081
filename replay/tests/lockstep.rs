//! Two traces side by side: where they part, what kind of divergence that is, where they agree again, and which event
//! is beside which.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

#[path = "../../traces/tests/support/mod.rs"]
mod support;

use forkpoint_replay::{
    Alignment, Divergence, NanBits, Pair, ReplayError, Report, Side, Signature, Timeline, Verdict, first_divergence,
};
use forkpoint_traces::{
    CodeOffset, DataIndex, EngineWords, FuncIndex, MemoryIndex, MemoryOp, MemoryState, Milestone, Outcome, Position,
    SiteId, Stage, TrapKind, WasmValue,
};
use std::slice;
use support::{
    Step, create, end, header, host_call, host_return, host_write, invoke, memories, push, site, step, store,
};
use tempfile::TempDir;

/// Traces of both sides.
struct Sides {
    _folder: TempDir,
    lhs: Timeline,
    rhs: Timeline,
}

impl Sides {
    fn new(lhs: &[Step], rhs: &[Step], chunk_events: u32) -> Sides {
        let folder = tempfile::tempdir().unwrap();
        let open = |name: &str, steps: &[Step]| {
            let path = folder.path().join(name);
            support::write(&path, chunk_events, steps);
            Timeline::open(&path).unwrap()
        };
        let (lhs, rhs) = (open("lhs.fpt", lhs), open("rhs.fpt", rhs));
        Sides { _folder: folder, lhs, rhs }
    }

    fn divergence(&mut self) -> Option<Divergence> {
        first_divergence(&mut self.lhs, &mut self.rhs, NanBits::Stop).unwrap().divergence
    }
}

/// A run of 120 stores that never repeat, and its end.
fn run() -> Vec<Step> {
    let mut steps = memories([1, 1]);
    steps.push(invoke());
    steps.extend((0..120).map(|i| match i % 3 {
        0 => store(i * 4, i as u32 + 1),
        1 => step(MemoryOp::I64Store, [1000 + i * 8, i * i, 0]),
        _ => step(MemoryOp::I32Store8, [5000 + i, i & 0xff, 0]),
    }));
    steps.push(Step::Milestone(Milestone::Returned { results: vec![WasmValue::I32(7)] }));
    steps.push(end(Outcome::Finished));
    steps
}

/// Events before the first store.
const HEAD: usize = 3;

/// A store of a float.
fn float(address: u64, bits: u32) -> Step {
    step(MemoryOp::F32Store, [address, bits.into(), 0])
}

fn trapped(trap: TrapKind) -> Step {
    Step::Milestone(Milestone::Trapped { trap, func: None, offset: None })
}

fn memory(pages: u64) -> Step {
    Step::Milestone(Milestone::Memory { memory: MemoryIndex(0), pages, page_size: 65536 })
}

fn data_init(address: u64) -> Step {
    Step::Milestone(Milestone::DataInit { segment: DataIndex(0), memory: MemoryIndex(0), address, length: 5 })
}

/// Memory found to hold a byte.
fn observed(address: u64, byte: u8) -> Step {
    Step::Raw { site: SiteId::OBSERVED, operands: [0, address, 1], blob: vec![byte] }
}

fn finished(digest: u64) -> Step {
    let memories = vec![MemoryState { pages: 1, digest }];
    Step::Milestone(Milestone::End { outcome: Outcome::Finished, memories, globals: Vec::new(), tables: Vec::new() })
}

#[test]
fn every_verdict_has_a_pair_of_runs() {
    let at = HEAD + 30;
    // `None`: nothing in this place. The rest of the run follows on both sides.
    let going_on: &[(Verdict, Option<Step>, Option<Step>)] = &[
        (Verdict::Address, Some(store(9000, 5)), Some(store(9004, 5))),
        (Verdict::Address, Some(store(9000, 5)), Some(store(9004, 6))),
        (Verdict::Value, Some(store(9000, 5)), Some(store(9000, 6))),
        (
            Verdict::Value,
            Some(step(MemoryOp::MemoryFill, [9000, 1, 8])),
            Some(step(MemoryOp::MemoryFill, [9000, 2, 8])),
        ),
        (
            Verdict::Value,
            Some(step(MemoryOp::MemoryCopy, [9000, 1, 8])),
            Some(step(MemoryOp::MemoryCopy, [9000, 2, 8])),
        ),
        (
            Verdict::Width,
            Some(step(MemoryOp::MemoryFill, [9000, 1, 8])),
            Some(step(MemoryOp::MemoryFill, [9000, 1, 9])),
        ),
        (Verdict::MissingEvent, Some(step(MemoryOp::F64Store, [9000, 1, 0])), None),
        (Verdict::ExtraEvent, None, Some(step(MemoryOp::F64Store, [9000, 1, 0]))),
        (
            Verdict::ControlFlow,
            Some(step(MemoryOp::F64Store, [9000, 1, 0])),
            Some(step(MemoryOp::F32Store, [9000, 1, 0])),
        ),
        (
            Verdict::Grow,
            Some(step(MemoryOp::MemoryGrow, [1, 1, 0])),
            Some(step(MemoryOp::MemoryGrow, [1, u64::MAX, 0])),
        ),
        (Verdict::Value, Some(step(MemoryOp::MemoryGrow, [1, 1, 0])), Some(step(MemoryOp::MemoryGrow, [2, 1, 0]))),
        (Verdict::DataInit, Some(data_init(8)), Some(data_init(16))),
        (Verdict::DataInit, Some(Step::Raw { site: SiteId::STRAY_BYTES, operands: [0, 8, 0], blob: vec![1] }), None),
        (Verdict::HostWrite, Some(host_write(9000, b"abc")), Some(host_write(9000, b"abd"))),
        (Verdict::HostWrite, Some(host_return(0)), Some(host_return(8))),
        (Verdict::HostCall, Some(host_call(1)), Some(host_call(2))),
        (Verdict::HostCall, Some(host_call(1)), None),
        (Verdict::HostCall, None, Some(host_call(1))),
        (
            Verdict::Invocation,
            Some(invoke()),
            Some(Step::Milestone(Milestone::Invoke { function: "walk".to_string(), arguments: Vec::new() })),
        ),
        // The first store of the run wrote 1 where 0 was: 0 again means that it did not arrive.
        (Verdict::UncommittedStore, Some(observed(0, 0)), None),
        (Verdict::UncommittedStore, None, Some(observed(0, 0))),
        (Verdict::UnrecordedWrite, Some(observed(0, 9)), None),
        (Verdict::UnrecordedWrite, None, Some(observed(30_000, 9))),
        (
            Verdict::MemorySize,
            Some(Step::Raw { site: SiteId::OBSERVED, operands: [0, 7, 3], blob: Vec::new() }),
            None,
        ),
        (
            Verdict::OutOfBounds,
            None,
            Some(Step::Raw { site: SiteId::OBSERVED, operands: [0, 1, 4], blob: Vec::new() }),
        ),
        (Verdict::NanBits, Some(float(9000, 0x7fc0_0000)), Some(float(9000, 0xffc0_0001))),
        (Verdict::Value, Some(store(9000, u32::MAX)), Some(store(9000, u32::MAX - 1))),
        (
            Verdict::NanBits,
            Some(Step::Milestone(Milestone::Returned { results: vec![WasmValue::F32(0x7fc0_0000)] })),
            Some(Step::Milestone(Milestone::Returned { results: vec![WasmValue::F32(0xffc0_0000)] })),
        ),
        (Verdict::Trap, Some(trapped(TrapKind::Unreachable)), Some(store(9000, 5))),
        (Verdict::Trap, Some(trapped(TrapKind::Unreachable)), Some(trapped(TrapKind::IntegerOverflow))),
        (Verdict::Poisoned, Some(trapped(TrapKind::StackOverflow)), Some(store(9000, 5))),
        (Verdict::Poisoned, Some(store(9000, 5)), Some(trapped(TrapKind::OutOfMemory))),
        (
            Verdict::EndState,
            Some(Step::Milestone(Milestone::Returned { results: vec![WasmValue::I32(1)] })),
            Some(Step::Milestone(Milestone::Returned { results: vec![WasmValue::I32(2)] })),
        ),
        (
            Verdict::EndState,
            Some(Step::Milestone(Milestone::Returned { results: Vec::new() })),
            Some(Step::Milestone(Milestone::Exited { code: 1 })),
        ),
    ];
    let mut seen = Vec::new();
    for (verdict, left, right) in going_on {
        let side = |step: &Option<Step>| {
            let mut steps = run();
            steps.splice(at..at, step.clone());
            steps
        };
        // Chunks of one event, some and all: the answer must not depend on how events are stored.
        for chunk_events in [1, 16, 1000] {
            let divergence = Sides::new(&side(left), &side(right), chunk_events).divergence().unwrap();
            assert_eq!(divergence.verdict, *verdict, "{left:?} against {right:?}");
            assert_eq!(divergence.position, Position(at as u64), "{left:?} against {right:?}");
        }
        seen.push(*verdict);
    }
    // How a run ends on one side or both.
    let start = &run()[..at];
    let ends: &[(Verdict, &[Step], &[Step])] = &[
        (Verdict::Crash, &[end(Outcome::Crashed { signal: Some(11) })], &[store(9000, 1), end(Outcome::Finished)]),
        (Verdict::Timeout, &[end(Outcome::TimedOut)], &[store(9000, 1), end(Outcome::Finished)]),
        (Verdict::Timeout, &[store(9000, 1), end(Outcome::Finished)], &[end(Outcome::Interrupted)]),
        (Verdict::EndState, &[finished(1)], &[finished(2)]),
        (Verdict::MissingEvent, &[store(9000, 1)], &[]),
        (Verdict::ExtraEvent, &[], &[store(9000, 1)]),
    ];
    for (verdict, left, right) in ends {
        let divergence = Sides::new(&[start, left].concat(), &[start, right].concat(), 8).divergence().unwrap();
        assert_eq!((divergence.verdict, divergence.position.0), (*verdict, at as u64), "{left:?} against {right:?}");
        seen.push(*verdict);
    }
    let beginnings: &[(Verdict, Step, Step)] = &[
        (Verdict::InitialSize, memory(1), memory(2)),
        (Verdict::Validation, memory(1), end(Outcome::Rejected { stage: Stage::Validate })),
        (Verdict::Compilation, memory(1), end(Outcome::Rejected { stage: Stage::Compile })),
        (Verdict::Instantiation, memory(1), end(Outcome::Rejected { stage: Stage::Instantiate })),
    ];
    for (verdict, left, right) in beginnings {
        let divergence = Sides::new(slice::from_ref(left), slice::from_ref(right), 8).divergence().unwrap();
        assert_eq!((divergence.verdict, divergence.position.0), (*verdict, 0));
        seen.push(*verdict);
    }
    // No pair of events alone shows these: they take runs without recording, runs with a limit (tests/runner.rs), and a
    // program of several modules (found.rs).
    seen.extend([Verdict::ObserverEffect, Verdict::PageLimit, Verdict::Nondeterminism, Verdict::Instance]);
    let missing: Vec<_> = Verdict::ALL.iter().filter(|verdict| !seen.contains(verdict)).collect();
    assert!(missing.is_empty(), "no pair of runs for {missing:?}");
}

#[test]
fn the_search_continues_after_nan_bits_as_asked() {
    let at = HEAD + 30;
    let side = |nan: u32, later: u32| {
        let mut steps = run();
        steps.insert(at, float(9000, nan));
        steps.insert(at + 10, store(9100, later));
        steps
    };
    let found = |lhs: &[Step], rhs: &[Step], nan_bits| {
        let mut sides = Sides::new(lhs, rhs, 4);
        first_divergence(&mut sides.lhs, &mut sides.rhs, nan_bits).unwrap()
    };
    let verdict = |found: &forkpoint_replay::Found| {
        found.divergence.as_ref().map(|divergence| (divergence.verdict, divergence.position.0))
    };
    let (left, right, further) = (side(0x7fc0_0000, 1), side(0xffc0_0000, 1), side(0xffc0_0000, 0xff));
    let (first, second) = (at as u64, at as u64 + 10);
    let only = found(&left, &right, NanBits::Report);
    assert_eq!(verdict(&only), Some((Verdict::NanBits, first)));
    let only = found(&left, &right, NanBits::Ignore);
    assert_eq!((verdict(&only), only.nan.map(|nan| (nan.first.0, nan.count))), (None, Some((first, 1))));
    for nan_bits in [NanBits::Report, NanBits::Ignore] {
        let both = found(&left, &further, nan_bits);
        assert_eq!(verdict(&both), Some((Verdict::Value, second)));
        assert_eq!(both.nan.map(|nan| nan.first.0), Some(first));
    }
    assert_eq!(verdict(&found(&left, &further, NanBits::Stop)), Some((Verdict::NanBits, first)));
    // The last byte of the NaN, 7f here and ff there, comes up again: that is where it came from.
    let (left, further) = (side(0x7fc0_0000, 0x7f), side(0xffc0_0000, 0xff));
    let both = found(&left, &further, NanBits::Report);
    let (nan, divergence) = (both.nan.unwrap(), both.divergence.unwrap());
    assert!(nan.leads_to(divergence.lhs.as_ref().unwrap(), divergence.rhs.as_ref().unwrap()));
}

/// Not every engine reports where a trap happened.
#[test]
fn a_trap_without_a_place_is_equal_to_one_with() {
    let with = |trap: Step| {
        let mut steps = run();
        steps.push(trap);
        steps.push(end(Outcome::Finished));
        steps
    };
    let at = |trap, func, offset| {
        let (func, offset) = (Some(FuncIndex(func)), Some(CodeOffset(offset)));
        with(Step::Milestone(Milestone::Trapped { trap, func, offset }))
    };
    let here = at(TrapKind::Unreachable, 0, 16);
    assert!(Sides::new(&here, &with(trapped(TrapKind::Unreachable)), 16).divergence().is_none());
    let verdict = |other: &[Step]| Sides::new(&here, other, 16).divergence().unwrap().verdict;
    assert_eq!(verdict(&with(trapped(TrapKind::IntegerOverflow))), Verdict::Trap);
    assert_eq!(verdict(&at(TrapKind::Unreachable, 0, 20)), Verdict::Trap);
}

/// Not every engine shows what a failed instantiation left in the memories that a module imports.
#[test]
fn failed_instantiations_part_by_what_they_left() {
    let rejected = |memories: Vec<MemoryState>| {
        let outcome = Outcome::Rejected { stage: Stage::Instantiate };
        Step::Milestone(Milestone::End { outcome, memories, globals: Vec::new(), tables: Vec::new() })
    };
    let left = |digest| rejected(vec![MemoryState { pages: 1, digest }]);
    let report = |lhs: Step, rhs: Step| {
        let mut sides = Sides::new(&[lhs], &[rhs], 8);
        Report::new(&mut sides.lhs, &mut sides.rhs, 3, NanBits::default()).unwrap()
    };
    assert!(report(left(1), rejected(Vec::new())).nothing_ran);
    assert!(report(left(1), left(1)).nothing_ran);
    assert_eq!(report(left(1), left(2)).verdict, Some(Verdict::DataInit));
}

/// An instruction of the side that continued is not where the other one trapped.
#[test]
fn a_trap_is_where_it_trapped_whichever_side() {
    let start = &run()[..HEAD + 30];
    let known = Step::Milestone(Milestone::Trapped {
        trap: TrapKind::MemoryOutOfBounds,
        func: Some(FuncIndex(0)),
        offset: Some(CodeOffset(16)),
    });
    let on = store(9000, 1);
    let report = |left: &Step, right: &Step| {
        let side = |step: &Step| [start, slice::from_ref(step), &[end(Outcome::Finished)]].concat();
        let mut sides = Sides::new(&side(left), &side(right), 16);
        Report::new(&mut sides.lhs, &mut sides.rhs, 3, NanBits::default()).unwrap()
    };
    for report in [report(&known, &on), report(&on, &known)] {
        assert_eq!(report.verdict, Some(Verdict::Trap));
        assert_eq!(report.site.as_ref().map(|site| site.offset), Some(CodeOffset(16)), "{report}");
        assert!(report.between.is_none());
    }
    // The engine does not report where: only what it lies between is known.
    let unknown = trapped(TrapKind::MemoryOutOfBounds);
    let crashed = end(Outcome::Crashed { signal: Some(11) });
    for (side, report) in [
        (Side::Lhs, report(&unknown, &on)),
        (Side::Rhs, report(&on, &unknown)),
        (Side::Lhs, report(&crashed, &on)),
        (Side::Rhs, report(&on, &crashed)),
    ] {
        assert!(report.site.is_none(), "{report}");
        let between = report.between.as_ref().unwrap();
        let positions = [&between.after, &between.before].map(|event| event.as_ref().map(|event| event.position));
        let expected = [29, 30].map(|store| Some(Position(HEAD as u64 + store)));
        assert_eq!((between.side, positions), (side, expected), "{report}");
        assert!(report.to_string().contains("ended is not known: after `"), "{report}");
    }
}

/// A return, a trap and an end are not an instruction that both sides execute.
#[test]
fn events_without_an_instruction_are_no_resync() {
    let start = &run()[..HEAD + 30];
    let returned = Step::Milestone(Milestone::Returned { results: vec![WasmValue::I32(7)] });
    let lhs = [start, &[store(9000, 1), returned, end(Outcome::Finished)]].concat();
    let trap = TrapKind::MemoryOutOfBounds;
    let rhs = [start, &[trapped(trap), end(Outcome::Trapped { trap })]].concat();
    assert_eq!(resync(&lhs, &rhs).1, None);
    assert_eq!(resync(&rhs, &lhs).1, None);
}

/// Two engines may be wrong in the same way: equal events are not agreement if memory differs from them.
#[test]
fn equal_observations_on_both_sides_are_no_agreement() {
    let mut steps = run();
    steps.insert(HEAD + 30, observed(0, 0));
    let mut sides = Sides::new(&steps, &steps, 16);
    let report = Report::new(&mut sides.lhs, &mut sides.rhs, 3, NanBits::default()).unwrap();
    assert_eq!((report.agree, report.verdict), (Some(false), Some(Verdict::UncommittedStore)));
    assert_eq!(report.culprit.map(|culprit| culprit.event.position), Some(Position(HEAD as u64)));
}

#[test]
fn equal_runs_agree_and_a_cut_one_agrees_as_far_as_it_goes() {
    let steps = run();
    let mut same = Sides::new(&steps, &steps, 16);
    assert!(same.divergence().is_none());
    let report = Report::new(&mut same.lhs, &mut same.rhs, 3, NanBits::default()).unwrap();
    assert!(report.agree == Some(true) && report.to_string().contains("agree on all"), "{report}");
    // The right recorder was killed: that must not give a verdict.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut.fpt");
    let mut writer = create(&path, 16);
    steps[..64].iter().for_each(|step| push(&mut writer, step).unwrap());
    drop(writer);
    let mut cut = Timeline::open(&path).unwrap();
    assert_eq!(cut.len(), 64);
    assert!(first_divergence(&mut same.lhs, &mut cut, NanBits::default()).unwrap().divergence.is_none());
    let report = Report::new(&mut same.lhs, &mut cut, 3, NanBits::default()).unwrap();
    assert_eq!(report.agree, None);
    assert!(report.reason.unwrap().contains("right trace is incomplete"));
}

#[test]
fn traces_of_other_modules_or_sites_are_not_compared() {
    let folder = tempfile::tempdir().unwrap();
    let [path, other, fewer] = ["a", "b", "c"].map(|name| folder.path().join(name));
    support::write(&path, 8, &run());
    let open = |path| Timeline::open(path).unwrap();
    let mut header = header(8);
    let data = support::DATA.to_vec();
    let trace =
        forkpoint_traces::TraceWriter::create(&fewer, &header, support::module().into(), Vec::new(), data.clone());
    trace.unwrap().finish(EngineWords::default()).unwrap();
    let compared = first_divergence(&mut open(&path), &mut open(&fewer), NanBits::default());
    assert!(matches!(compared, Err(ReplayError::DifferentSites { rhs: 0, .. })));
    let mut module = support::module();
    *module.last_mut().unwrap() ^= 1;
    header.module = forkpoint_traces::ModuleInfo::of("test.wasm", &module);
    let trace = forkpoint_traces::TraceWriter::create(&other, &header, module.into(), support::sites(), data);
    trace.unwrap().finish(EngineWords::default()).unwrap();
    let compared = first_divergence(&mut open(&path), &mut open(&other), NanBits::default());
    assert!(matches!(compared, Err(ReplayError::DifferentModules { .. })));
}

/// What a side does differently, and where both agree again.
fn resync(lhs: &[Step], rhs: &[Step]) -> (u64, Option<(u64, u64)>) {
    let divergence = Sides::new(lhs, rhs, 16).divergence().unwrap();
    (divergence.position.0, divergence.resync.map(|resync| (resync.lhs.0, resync.rhs.0)))
}

#[test]
fn runs_that_agree_again_are_found() {
    let steps = run();
    let extra = [step(MemoryOp::F64Store, [9000, 1, 0]), step(MemoryOp::F32Store, [9000, 1, 0])];
    let at = HEAD + 20;
    let mut longer = steps.clone();
    longer.splice(at..at, extra.clone());
    let (position, shift) = (at as u64, extra.len() as u64);
    assert_eq!(resync(&steps, &longer), (position, Some((position, position + shift))), "inserted on the right");
    assert_eq!(resync(&longer, &steps), (position, Some((position + shift, position))), "inserted on the left");
    let mut shorter = steps.clone();
    shorter.drain(at..at + 2);
    assert_eq!(resync(&steps, &shorter), (position, Some((position + 2, position))), "removed on the right");
    // A different value, a different address, then equal again; two wrong values in a row.
    let mut other = steps.clone();
    other[at] = match &steps[at] {
        Step::Raw { site, operands: [address, value, _], .. } => {
            Step::Raw { site: *site, operands: [*address, value ^ 1, 0], blob: Vec::new() }
        }
        step => panic!("{step:?} is not a store"),
    };
    assert_eq!(resync(&steps, &other), (position, Some((position + 1, position + 1))), "another value");
    // Only a few events are left, and memory differs in the end.
    let tail = |digest, outcome| {
        let memories = vec![MemoryState { pages: 1, digest }];
        let end = Milestone::End { outcome, memories, globals: Vec::new(), tables: Vec::new() };
        [store(9000, 1), Step::Milestone(Milestone::Returned { results: Vec::new() }), Step::Milestone(end)]
    };
    let short = |step: &Step, digest, outcome| [&steps[..at], slice::from_ref(step), &tail(digest, outcome)].concat();
    let lhs = short(&steps[at], 1, Outcome::Finished);
    let rhs = short(&other[at], 2, Outcome::Finished);
    assert_eq!(resync(&lhs, &rhs), (position, Some((position + 1, position + 1))), "a few events");
    let rhs = short(&other[at], 2, Outcome::Exited { code: 3 });
    assert_eq!(resync(&lhs, &rhs), (position, None), "another end");
    // Wrong from there on: they never agree again.
    let wrong: Vec<Step> = steps[at..]
        .iter()
        .map(|step| match step {
            Step::Raw { site, operands: [address, value, _], .. } => {
                Step::Raw { site: *site, operands: [*address, value ^ 1, 0], blob: Vec::new() }
            }
            Step::Milestone(_) => end(Outcome::Exited { code: 3 }),
        })
        .collect();
    assert_eq!(resync(&steps, &[&steps[..at], &wrong].concat()), (position, None), "wrong for ever");
    // One side ends early.
    let cut = [&steps[..at], &[end(Outcome::Exited { code: 3 })]].concat();
    assert_eq!(resync(&steps, &cut).0, position);
}

#[test]
fn rows_pair_events_by_position_and_after_the_resync_by_shift() {
    let steps = run();
    let mut longer = steps.clone();
    let at = HEAD + 20;
    longer.splice(at..at, (0..5).map(|i| step(MemoryOp::F64Store, [9000 + i, 1, 0])));
    for (left, right, flipped) in [(&steps, &longer, false), (&longer, &steps, true)] {
        let mut sides = Sides::new(left, right, 8);
        let divergence = sides.divergence();
        let alignment = Alignment::new(&sides.lhs, &sides.rhs, divergence.as_ref());
        assert_eq!(alignment.rows(), longer.len() as u64);
        let mut mismatches = Vec::new();
        for row in 0..alignment.rows() {
            let Pair { lhs, rhs } = alignment.row(row);
            let (short, long) = if flipped { (rhs, lhs) } else { (lhs, rhs) };
            let at = at as u64;
            let expected = match row {
                row if row < at => Some(row),
                row if row < at + 5 => None,
                row => Some(row - 5),
            };
            assert_eq!((short, long), (expected.map(Position), Some(Position(row))), "row {row}");
            if let Some(position) = lhs {
                assert_eq!(alignment.row_of_lhs(position), row);
            }
            if let Some(position) = rhs {
                assert_eq!(alignment.row_of_rhs(position), row);
            }
            let equal = alignment.is_equal(&mut sides.lhs, &mut sides.rhs, row).unwrap();
            assert_eq!(equal, expected.is_some(), "row {row}");
            mismatches.extend((!equal).then_some(row));
        }
        // Searches skip whole chunks and must find the same rows.
        for from in 0..=alignment.rows() {
            let next = alignment.next_mismatch(&mut sides.lhs, &mut sides.rhs, from).unwrap();
            assert_eq!(next, mismatches.iter().copied().find(|row| *row >= from), "from row {from}");
            let previous = alignment.previous_mismatch(&mut sides.lhs, &mut sides.rhs, from).unwrap();
            assert_eq!(previous, mismatches.iter().copied().rfind(|row| *row < from), "before row {from}");
        }
    }
    let sides = Sides::new(&steps, &steps, 8);
    let (single, last) = (Alignment::single(&sides.lhs), sides.lhs.len() - 1);
    assert_eq!((single.rows(), single.row(last).lhs, single.row(last).rhs), (last + 1, Some(Position(last)), None));
}

#[test]
fn mismatches_of_values_are_found_across_equal_chunks() {
    let steps = run();
    let mut other = steps.clone();
    let wrong = [10u64, 11, 55, 100, 124];
    for &at in &wrong {
        other[at as usize] = match &other[at as usize] {
            Step::Raw { site, operands: [address, value, _], .. } => {
                Step::Raw { site: *site, operands: [*address, value ^ 1, 0], blob: Vec::new() }
            }
            _ => end(Outcome::Exited { code: 1 }),
        };
    }
    let mut sides = Sides::new(&steps, &other, 4);
    let divergence = sides.divergence();
    assert_eq!(divergence.as_ref().unwrap().position, Position(10));
    let alignment = Alignment::new(&sides.lhs, &sides.rhs, divergence.as_ref());
    let (mut found, mut from) = (Vec::new(), 0);
    while let Some(row) = alignment.next_mismatch(&mut sides.lhs, &mut sides.rhs, from).unwrap() {
        found.push(row);
        from = row + 1;
    }
    assert_eq!(found, wrong);
    let mut before = alignment.rows();
    while let Some(row) = alignment.previous_mismatch(&mut sides.lhs, &mut sides.rhs, before).unwrap() {
        assert_eq!(found.pop(), Some(row));
        before = row;
    }
    assert!(found.is_empty());
}

#[test]
fn both_places_are_shown_when_the_events_write_far_apart() {
    let at = HEAD + 30;
    let other_memory =
        Step::Raw { site: site(MemoryOp::F64Store, 1), operands: [48, 0x0807_0605_0403_0201, 0], blob: Vec::new() };
    let fill = Step::Raw { site: site(MemoryOp::MemoryFill, 1), operands: [40, 9, 30], blob: Vec::new() };
    let mut lhs = run();
    lhs.splice(at..at, [fill.clone(), store(9000, 0x0403_0201)]);
    let mut rhs = run();
    rhs.splice(at..at, [fill, other_memory]);
    let mut sides = Sides::new(&lhs, &rhs, 16);
    let divergence = sides.divergence().unwrap();
    let (left, right) = (divergence.memory.unwrap(), divergence.elsewhere.unwrap());
    assert_eq!((left.memory, left.address, left.last_writer), (MemoryIndex(0), 9000, None));
    assert_eq!((left.before, left.lhs_after, left.rhs_after), (vec![0; 4], vec![1, 2, 3, 4], vec![0; 4]));
    assert_eq!((right.memory, right.address), (MemoryIndex(1), 48));
    assert_eq!(right.last_writer, Some(Position(at as u64)));
    assert_eq!((right.before, right.lhs_after), (vec![9; 8], vec![9; 8]));
    assert_eq!(right.rhs_after, [1, 2, 3, 4, 5, 6, 7, 8]);
    let text = Report::new(&mut sides.lhs, &mut sides.rhs, 1, NanBits::default()).unwrap().to_string();
    assert!(text.contains("memory at 0x2328 held 00 00 00 00 before, 01 02 03 04 after in lhs"), "{text}");
    assert!(text.contains("Memory 1 at 0x30 held 09 09"), "{text}");
    assert!(text.contains("nothing had written there. Memory 1"), "{text}");
    // Close together, one place holds both.
    let mut rhs = run();
    rhs.insert(at, store(9008, 1));
    let mut lhs = run();
    lhs.insert(at, store(9000, 1));
    let divergence = Sides::new(&lhs, &rhs, 16).divergence().unwrap();
    let place = divergence.memory.unwrap();
    assert!(divergence.elsewhere.is_none());
    assert_eq!((place.address, place.before.len()), (9000, 12));
}

/// A line shows sixteen bytes; events may differ after them.
#[test]
fn a_row_of_context_is_equal_only_when_its_events_are() {
    let at = HEAD + 30;
    let mut bytes = vec![1; 40];
    let mut lhs = run();
    lhs.insert(at, host_write(9000, &bytes));
    bytes[39] = 2;
    let mut rhs = run();
    rhs.insert(at, host_write(9000, &bytes));
    let mut sides = Sides::new(&lhs, &rhs, 16);
    let report = Report::new(&mut sides.lhs, &mut sides.rhs, 2, NanBits::default()).unwrap();
    assert_eq!(report.position, Some(Position(at as u64)));
    let row = &report.context[2];
    assert_eq!(row.position, Position(at as u64));
    assert!(row.lhs.is_some() && row.lhs == row.rhs, "this test is of two equal lines: {row:?}");
    let equal: Vec<bool> = report.context.iter().map(|row| row.equal).collect();
    assert_eq!(equal, [true, true, false, true, true]);
}

/// A host write of thousands of bytes: the report shows the part that differs.
#[test]
fn long_writes_are_shown_where_they_differ() {
    let at = HEAD + 30;
    let mut bytes = vec![1; 3000];
    let mut lhs = run();
    lhs.insert(at, host_write(9000, &bytes));
    bytes[2000] = 2;
    let mut rhs = run();
    rhs.insert(at, host_write(9000, &bytes));
    let place = Sides::new(&lhs, &rhs, 16).divergence().unwrap().memory.unwrap();
    assert_eq!((place.address, place.before.len()), (9000 + 1992, 64));
    assert_eq!((place.lhs_after[8], place.rhs_after[8]), (1, 2));
    // One is the front of the other.
    let mut rhs = run();
    rhs.insert(at, host_write(9000, &[1; 100]));
    let place = Sides::new(&lhs, &rhs, 16).divergence().unwrap().memory.unwrap();
    assert_eq!(place.address, 9092);
    assert_eq!((place.lhs_after[8], place.rhs_after[8]), (1, 0));
}

#[test]
fn sides_that_end_at_different_places_have_rows_for_the_rest() {
    let steps = run();
    let cut = steps[..40].to_vec();
    let mut sides = Sides::new(&steps, &cut, 16);
    let divergence = sides.divergence();
    assert_eq!(divergence.as_ref().map(|divergence| divergence.position), Some(Position(40)));
    let alignment = Alignment::new(&sides.lhs, &sides.rhs, divergence.as_ref());
    assert_eq!(alignment.rows(), steps.len() as u64);
    assert_eq!(alignment.row(39), Pair { lhs: Some(Position(39)), rhs: Some(Position(39)) });
    assert_eq!(alignment.row(40), Pair { lhs: Some(Position(40)), rhs: None });
    assert_eq!(alignment.next_mismatch(&mut sides.lhs, &mut sides.rhs, 0).unwrap(), Some(40));
    assert_eq!(alignment.previous_mismatch(&mut sides.lhs, &mut sides.rhs, 40).unwrap(), None);
}

/// Signatures group the divergences of thousands of modules, and a baseline keeps them: a sentence may be reworded.
#[test]
fn rewording_what_people_read_changes_no_signature() {
    let start = &run()[..HEAD + 30];
    let side = |trap| [start, &[trapped(trap), end(Outcome::Finished)]].concat();
    let mut sides = Sides::new(&side(TrapKind::MemoryOutOfBounds), &side(TrapKind::IntegerOverflow), 16);
    let mut report = Report::new(&mut sides.lhs, &mut sides.rhs, 3, NanBits::default()).unwrap();
    let symbols = sides.lhs.symbols();
    let signature = Signature::of(&report, symbols).unwrap();
    assert!(signature.words.ends_with("lhs trap MemoryOutOfBounds; rhs trap IntegerOverflow"), "{}", signature.words);
    report.meaning = Some("in other words");
    report.reason = Some("reworded".to_string());
    for side in [&mut report.lhs, &mut report.rhs] {
        side.event = Some("it went wrong".to_string());
        side.message = Some("as an engine says it".to_string());
    }
    for line in &mut report.context {
        line.lhs = Some("reworded".to_string());
    }
    assert_eq!(Signature::of(&report, symbols), Some(signature));
}
