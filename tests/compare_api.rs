//! Comparing as a library: what an embedder or a fuzzer gets without the command.

mod common;

use forkpoint_compare::{CompareError, Comparison, Doing, Progress, Survey};
use forkpoint_replay::{Timeline, Verdict};
use forkpoint_tracer::{EngineSpec, Imports, Program, Request};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::Ordering;

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
