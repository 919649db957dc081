//! Comparing as a library: what an embedder or a fuzzer gets without the command.

mod common;

use forkpoint_compare::{CompareError, Comparison, Doing, Progress, Survey};
use forkpoint_replay::{Timeline, Verdict};
use forkpoint_tracer::{EngineSpec, Imports, Program, Request, Workers};
use forkpoint_traces::Outcome;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Grows its memory and stores the result.
const GROWS: &str = r#"(module (memory 1) (func (export "run") (param i32)
    (i32.store (i32.const 16) (memory.grow (local.get 0)))))"#;

fn engine(spec: &str) -> EngineSpec {
    spec.parse().expect("an engine")
}

fn program() -> Program {
    program_of(GROWS, "run 3")
}

fn program_of(text: &str, call: &str) -> Program {
    let (module, call) = (wat::parse_str(text).expect("a module"), call.parse().expect("a call"));
    Program::new("guest.wat", module, &[call], &Imports::default()).expect("a program")
}

/// A request whose engine process is the command, since a test's own program cannot serve as one.
fn request(folder: &Path) -> Request {
    let request = Request::new(engine("wasmtime:jit"), folder.join("lhs.fpt")).expect("this program");
    Request { executable: common::FORKPOINT.into(), ..request }
}

fn sides(folder: &Path) -> [Request; 2] {
    let lhs = request(folder);
    let rhs = Request { engine: engine("wasmi"), output: folder.join("rhs.fpt"), ..lhs.clone() };
    [lhs, rhs]
}

/// Keeps the progress that is reported to it.
#[derive(Default)]
struct Followed(Mutex<Vec<(Doing, String)>>);

impl Progress for Followed {
    fn run(&self, doing: Doing, _: &Program, request: &Request) {
        self.0.lock().expect("no other thread panicked").push((doing, request.engine.to_string()));
    }

    fn comparing(&self, _: &mut Timeline) {}
}

#[test]
fn two_engines_are_compared_and_followed() {
    let folder = tempfile::tempdir().expect("a folder");
    let (program, followed) = (program(), Followed::default());
    let mut comparison = Comparison::new(&program, sides(folder.path()));
    comparison.progress = &followed;
    let compared = comparison.run().expect("both engines run");
    assert_eq!(compared.report.agree, Some(true), "{}", compared.report);
    assert!(compared.guard.is_some_and(|guard| guard.is_unremarkable()));
    let seen = followed.0.into_inner().expect("no other thread panicked");
    let mut doing: Vec<(Doing, &str)> = seen.iter().map(|(doing, engine)| (*doing, engine.as_str())).collect();
    let (lhs, rhs) = ("wasmtime:jit", "wasmi");
    // Two runs each are at once, so either may be first.
    doing[..2].sort_by_key(|(_, engine)| *engine == rhs);
    doing[2..].sort_by_key(|(_, engine)| *engine == rhs);
    let both = |doing| [(doing, lhs), (doing, rhs)];
    assert_eq!(doing, [both(Doing::Recording), both(Doing::RunningPlain)].concat());
}

#[test]
fn a_side_has_its_own_limit() {
    let folder = tempfile::tempdir().expect("a folder");
    let (program, [lhs, rhs]) = (program(), sides(folder.path()));
    let rhs = Request { memory_page_limit: Some(2), ..rhs };
    let compared = Comparison::new(&program, [lhs, rhs]).run().expect("both engines run");
    assert_eq!(compared.report.agree, Some(false), "{}", compared.report);
    assert_eq!(compared.report.verdict, Some(Verdict::Grow), "{}", compared.report);
    let json = serde_json::to_value(&compared).expect("JSON");
    assert_eq!((&json["agree"], &json["host"]), (&false.into(), &serde_json::Value::Null), "{json:#}");
}

#[test]
fn what_is_read_is_not_overwritten() {
    let folder = tempfile::tempdir().expect("a folder");
    let (program, sides) = (program(), sides(folder.path()));
    std::fs::write(&sides[1].output, GROWS).expect("a file");
    let mut comparison = Comparison::new(&program, sides);
    comparison.settings.inputs = vec![folder.path().join("rhs.fpt")];
    let error = comparison.run().map(drop).expect_err("its module would be gone");
    let source = match error {
        CompareError::Step { source, .. } => *source,
        other => other,
    };
    assert!(matches!(source, CompareError::SameFile { .. }), "{source}");
    assert_eq!(std::fs::read_to_string(folder.path().join("rhs.fpt")).expect("the file"), GROWS);
}

#[test]
fn an_interrupt_ends_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = program_of(r#"(module (func (export "run") (loop $again (br $again))))"#, "run");
    let sides = sides(folder.path());
    sides[0].interrupt.store(true, Ordering::Relaxed);
    let error = Comparison::new(&program, sides).run().map(drop).expect_err("it is interrupted");
    assert!(error.is_interrupt(), "{error}");
}

#[test]
fn many_engines_fall_into_groups_and_leave_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let (program, engines) = (program(), ["wasmtime:jit", "wasmi", "runner:/nowhere/at all"].map(engine).to_vec());
    let surveyed = Survey::new(&program, request(folder.path()), engines).run().expect("a survey");
    assert_eq!((surveyed.agree, surveyed.groups.len(), surveyed.reference), (None, 1, Some(0)), "{surveyed:?}");
    assert_eq!(surveyed.groups[0].engines, [0, 1]);
    assert!(surveyed.engines[2].error.is_some(), "{surveyed:?}");
    assert!(surveyed.engines.iter().all(|row| row.trace.is_none()), "{surveyed:?}");
    assert_eq!(std::fs::read_dir(folder.path()).expect("the folder").count(), 0);
}

/// The processes that are kept for further jobs and that this test's process has started.
fn children() -> Vec<String> {
    let own = std::process::id().to_string();
    let stat = |entry: std::fs::DirEntry| {
        let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        let parent = stat.rsplit(')').next()?.split_whitespace().nth(1)? == own;
        let command = std::fs::read_to_string(entry.path().join("cmdline")).ok()?;
        // Other tests of this process have some that get one job.
        let waits = command.split_terminator('\0').skip(1).collect::<Vec<_>>();
        (parent && waits.len() == 2 && waits[0] == "__run-engine")
            .then(|| entry.file_name().to_string_lossy().into_owned())
    };
    std::fs::read_dir("/proc").expect("processes").filter_map(|entry| stat(entry.ok()?)).collect()
}

#[test]
fn a_kept_process_has_one_run_after_another_and_is_replaced_when_it_dies() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = r#"(module (memory 1) (func (export "run") (param i32)
        (i32.store (i32.const 16) (i32.div_u (i32.const 6) (local.get 0)))
        (loop $again (br_if $again (i32.eq (local.get 0) (i32.const 3))))))"#;
    for spec in ["wasmtime:jit", "wasmi", "wasmtime:aot"] {
        let workers = Arc::new(Workers::default());
        let base = request(folder.path());
        let kept = Request { engine: engine(spec), workers: Some(Arc::clone(&workers)), ..base };
        let run = |call: &str, kept: &Request| {
            let recorded = program_of(text, call).record(kept, &mut |_, _| {}).expect("a recording");
            (recorded.outcome, recorded.events)
        };
        let (alone, before) = (Request { workers: None, ..kept.clone() }, children());
        let mut seen: Option<Vec<String>> = None;
        for call in ["run 1", "run 0", "run 2", "run 0", "run 1"] {
            assert_eq!(run(call, &kept), run(call, &alone), "{spec} {call}");
            let now: Vec<String> = children().into_iter().filter(|process| !before.contains(process)).collect();
            assert!(seen.is_none_or(|seen| seen.iter().all(|process| now.contains(process))), "{spec} {call}");
            seen = Some(now);
        }
        // One that hangs is ended, and that is the run's outcome, not the next one's.
        let timed = Request { timeout: Some(Duration::from_millis(300)), ..kept.clone() };
        assert_eq!(run("run 3", &timed).0, Outcome::TimedOut, "{spec}");
        assert_eq!(run("run 2", &kept), run("run 2", &alone), "{spec}");
        // One that is dead when its turn comes is replaced.
        let kept_now: Vec<String> = children().into_iter().filter(|process| !before.contains(process)).collect();
        for process in &kept_now {
            std::process::Command::new("kill").args(["-9", process]).status().expect("kill");
        }
        while children().iter().any(|process| kept_now.contains(process)) {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(run("run 2", &kept), run("run 2", &alone), "{spec}");
    }
}

#[test]
fn a_run_ends_when_it_has_more_events_than_it_may() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = r#"(module (memory 1) (func (export "run") (loop $again
        (i32.store (i32.const 16) (i32.const 1)) (br $again))))"#;
    let limited = Request { event_limit: Some(100_000), ..request(folder.path()) };
    let recorded = program_of(text, "run").record(&limited, &mut |_, _| {}).expect("a recording");
    assert_eq!(recorded.outcome, Outcome::TimedOut);
    assert!(recorded.events > 100_000, "{}", recorded.events);
}
