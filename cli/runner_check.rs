//! `forkpoint runner-check`: does a program speak the runner protocol?
//!
//! Small modules, one for each part of the protocol, run under Wasmtime and under the runner; their traces must agree.

use crate::answer::Answer;
use crate::args::RunnerCheckArgs;
use crate::output::{print, print_json};
use crate::progress;
use anyhow::{Context, Result, bail};
use forkpoint_replay::{NanBits, Report, Timeline, printable};
use forkpoint_tracer::{EngineSpec, HostSource, Imports, Invocation, Program, Request, Scratch, WasiSetup};
use forkpoint_traces::Outcome;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a runner may take for one module.
const PATIENCE: Duration = Duration::from_secs(60);

/// A part of the protocol, and a module that needs it.
struct Case {
    /// The part's name in the output.
    name: &'static str,
    module: &'static str,
    calls: &'static [&'static str],
    /// Answers to its imports outside WASI.
    stubs: &'static [&'static str],
}

#[rustfmt::skip]
const CASES: &[Case] = &[
    Case { name: "stores, arguments and results of every numeric type", calls: &["run -1 -9007199254740993 1.5 -0.1"], stubs: &[], module: r#"(module
        (memory 1)
        (func (export "run") (param i32 i64 f32 f64) (result i32 i64 f32 f64)
          (i32.store8 offset=3 (i32.const 1) (local.get 0)) (i64.store32 offset=70 (i32.const 2) (local.get 1))
          (f32.store (i32.const 100) (local.get 2)) (f64.store (i32.const 65528) (local.get 3))
          (local.get 0) (local.get 1) (local.get 2) (local.get 3)))"# },
    Case { name: "data segments, and the start function as a separate call", calls: &["run"], stubs: &[], module: r#"(module
        (memory 1) (data (i32.const 4096) "segment") (data (i32.const 65535) "!") (start $first)
        (func $first (i32.store (i32.const 0) (i32.const 1)))
        (func (export "run") (i32.store (i32.const 4) (i32.const 2))))"# },
    Case { name: "memory.grow, refused and not, and the size of memory", calls: &["run"], stubs: &[], module: r#"(module
        (memory 1 3)
        (func (export "run") (result i32 i32 i32)
          (memory.grow (i32.const 2)) (memory.grow (i32.const 1)) (memory.size)
          (i32.store (i32.const 196604) (i32.const 7))))"# },
    Case { name: "fills and copies", calls: &["run"], stubs: &[], module: r#"(module
        (memory 1) (data $d "passive")
        (func (export "run")
          (memory.fill (i32.const 10) (i32.const 171) (i32.const 300)) (memory.copy (i32.const 12) (i32.const 8) (i32.const 20))
          (memory.init $d (i32.const 0) (i32.const 1) (i32.const 3)) (data.drop $d)))"# },
    Case { name: "more events than fit into a frame", calls: &["run 300000"], stubs: &[], module: r#"(module
        (memory 16)
        (func (export "run") (param $n i32)
          (loop $again
            (i32.store (i32.and (i32.mul (local.get $n) (i32.const 4)) (i32.const 0xffffc)) (local.get $n))
            (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))))"# },
    Case { name: "traps, and calls after a trap", calls: &["stop", "divide 0", "outside", "fine"], stubs: &[], module: r#"(module
        (memory 1)
        (func (export "stop") (i32.store (i32.const 0) (i32.const 1)) unreachable)
        (func (export "divide") (param i32) (result i32) (i32.div_s (i32.const 1) (local.get 0)))
        (func (export "outside") (i32.store (i32.const 4) (i32.const 1)) (i32.store (i32.const 65533) (i32.const 1)))
        (func (export "fine") (i32.store (i32.const 8) (i32.const 1))))"# },
    Case { name: "globals and tables at the end", calls: &["run"], stubs: &[], module: r#"(module
        (memory 1) (global (export "g") (mut i64) (i64.const 1)) (table (export "t") 3 10 funcref)
        (func (export "run") (global.set 0 (i64.const -9007199254740993))))"# },
    Case { name: "a module that cannot be instantiated", calls: &["run"], stubs: &[], module: r#"(module
        (memory 1) (data (i32.const 65535) "too long") (func (export "run")))"# },
    Case { name: "host calls: reads of memory, writes, results", calls: &[], stubs: &[], module: r#"(module
        (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1) (data (i32.const 64) "\80\00\00\00\05\00\00\00")
        (func (export "_start")
          (drop (call $random (i32.const 128) (i32.const 300)))
          (drop (call $clock (i32.const 0) (i64.const -1) (i32.const 8)))
          (i64.store (i32.const 16) (i64.load (i32.const 8)))
          (i32.store (i32.const 24) (call $write (i32.const 99) (i32.const 64) (i32.const 1) (i32.const 32)))))"# },
    Case { name: "host calls: arguments and results of every numeric type", calls: &["run"], stubs: &[
        "env.i32=-1", "env.i64=-9007199254740993", "env.f32=1.5", "env.f64=-0.1",
    ], module: r#"(module
        (import "env" "i32" (func $i32 (param f64) (result i32))) (import "env" "i64" (func $i64 (param i32) (result i64)))
        (import "env" "f32" (func $f32 (param i64) (result f32))) (import "env" "f64" (func $f64 (param f32) (result f64)))
        (memory 1)
        (func (export "run")
          (i32.store (i32.const 0) (call $i32 (f64.const -0.1))) (i64.store (i32.const 8) (call $i64 (i32.const -1)))
          (f32.store (i32.const 16) (call $f32 (i64.const -9007199254740993)))
          (f64.store (i32.const 24) (call $f64 (f32.const 1.5)))))"# },
    Case { name: "an exit code", calls: &[], stubs: &[], module: r#"(module
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (memory (export "memory") 1)
        (func (export "_start") (i32.store (i32.const 0) (i32.const 1)) (call $exit (i32.const 3)) unreachable))"# },
];

/// Only for a runner with its own host: the events of its calls can be replayed.
const HOST: Case = Case {
    name: "its own host: calls, what they write, an exit",
    calls: &[],
    stubs: &[],
    module: r#"(module
        (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
        (import "wasi_snapshot_preview1" "args_get" (func $args (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (memory (export "memory") 1) (data (i32.const 64) "\80\00\00\00\05\00\00\00")
        (func (export "_start")
          (drop (call $random (i32.const 65500) (i32.const 36)))
          (drop (call $clock (i32.const 0) (i64.const 1) (i32.const 8)))
          (i64.store (i32.const 16) (i64.load (i32.const 8)))
          (drop (call $args (i32.const 256) (i32.const 512)))
          (i32.store (i32.const 24) (call $write (i32.const 99) (i32.const 64) (i32.const 1) (i32.const 32)))
          (call $exit (i32.const 3))))"#,
};

/// The result of a case.
#[derive(Serialize)]
struct PartRow {
    part: &'static str,
    /// `None` where the runner lacks an optional part.
    passed: Option<bool>,
    /// What went wrong, or why the part was not checked.
    reason: Option<String>,
}

/// Runs the command.
pub fn run(args: &RunnerCheckArgs) -> Result<Answer> {
    let spec = format!("runner:{}", shell_words::join(&args.command));
    let engine: EngineSpec = spec.parse()?;
    let shown = progress::show(false);
    let mut rows = Vec::new();
    for case in CASES {
        progress::phase(case.name);
        let folder = Scratch::new().context("creating a temporary folder")?;
        let checked = check(case, &engine, folder.path());
        let reason = checked.err().map(|error| format!("{error:#}"));
        rows.push(PartRow { part: case.name, passed: Some(reason.is_none()), reason });
    }
    rows.push(own_host(&engine)?);
    drop(shown);
    let failed = rows.iter().filter(|row| row.passed == Some(false)).count();
    if args.json {
        print_json(&rows)?;
    } else {
        for PartRow { part, passed, reason } in &rows {
            let word = match passed {
                Some(true) => "ok",
                Some(false) => "failed",
                None => "none",
            };
            print(&format!("{word:<6}  {part}\n"))?;
            for line in reason.iter().flat_map(|reason| reason.lines()) {
                print(&format!("          {}\n", printable(line)))?;
            }
        }
        let asked = rows.iter().filter(|row| row.passed.is_some()).count();
        print(&match failed {
            0 => format!("{spec} speaks the runner protocol: all {asked} parts.\n"),
            _ => format!(
                "{failed} of {} parts failed; docs/runner-protocol.md describes what is expected.\n",
                rows.len()
            ),
        })?;
    }
    Ok(if failed == 0 { Answer::Yes } else { Answer::Diverge })
}

/// Checks the runner's own host, if it has one.
fn own_host(engine: &EngineSpec) -> Result<PartRow> {
    let part = HOST.name;
    let request = Request::new(engine.clone(), PathBuf::new()).context("finding this program")?;
    let request = Request { timeout: Some(PATIENCE), ..request };
    match forkpoint_tracer::own_host(&request) {
        Ok(Ok(_)) => {}
        Ok(Err(why)) => return Ok(PartRow { part, passed: None, reason: why }),
        Err(error) => return Ok(PartRow { part, passed: Some(false), reason: Some(error.to_string()) }),
    }
    let folder = Scratch::new().context("creating a temporary folder")?;
    let reason = replays(engine, folder.path()).err().map(|error| format!("{error:#}"));
    Ok(PartRow { part, passed: Some(reason.is_none()), reason })
}

/// Records the runner's own host; the error says how a run with its answers differs.
fn replays(engine: &EngineSpec, folder: &Path) -> Result<()> {
    let program = program(&HOST)?;
    let [found, again] = ["found.fpt", "again.fpt"].map(|name| folder.join(name));
    let request = Request::new(engine.clone(), found.clone()).context("finding this program")?;
    let arguments = vec!["check.wat".to_string(), "argument".to_string()];
    let wasi = WasiSetup { arguments, ..WasiSetup::default() };
    let recorded = program.record(&Request { wasi, timeout: Some(PATIENCE), ..request }, &mut |_, _| {})?;
    if recorded.outcome != (Outcome::Exited { code: 3 }) {
        bail!("expected an exit with code 3, found: {}", recorded.outcome);
    }
    if let Some(finding) = recorded.mismatches.first.first() {
        bail!("memory differs from the events: {finding:?}");
    }
    let request = Request::new(EngineSpec::default(), again.clone()).context("finding this program")?;
    program.record(&Request { host: HostSource::Log(found.clone()), ..request }, &mut |_, _| {})?;
    agree(&found, &again)
}

fn program(case: &Case) -> Result<Program> {
    let module = wat::parse_str(case.module).context("a module of this program")?;
    let calls = case.calls.iter().map(|call| call.parse()).collect::<Result<Vec<Invocation>, _>>()?;
    let stubs = case.stubs.iter().map(|stub| stub.parse()).collect::<Result<Vec<_>, _>>()?;
    let imports = Imports { stubs: &stubs, ..Imports::default() };
    Ok(Program::new("check.wat", module, &calls, &imports)?)
}

/// Runs a case under both engines; the error says how the runner's run differs.
fn check(case: &Case, engine: &EngineSpec, folder: &Path) -> Result<()> {
    let program = program(case)?;
    let [expected, found] = ["expected.fpt", "found.fpt"].map(|name| folder.join(name));
    let request = Request::new(EngineSpec::default(), expected.clone()).context("finding this program")?;
    program.record(&request, &mut |_, _| {})?;
    let request = Request::new(engine.clone(), found.clone()).context("finding this program")?;
    let request = Request { host: HostSource::Log(expected.clone()), timeout: Some(PATIENCE), ..request };
    program.record(&request, &mut |_, _| {})?;
    agree(&expected, &found)
}

/// Whether two traces are the same.
fn agree(expected: &Path, found: &Path) -> Result<()> {
    let (mut lhs, mut rhs) = (Timeline::open(expected)?, Timeline::open(found)?);
    let report = Report::new(&mut lhs, &mut rhs, 2, NanBits::Ignore)?;
    match report.agree {
        Some(true) => Ok(()),
        // One of the modules cannot be instantiated by any engine.
        None if report.nothing_ran => Ok(()),
        _ => bail!("{}", report.to_string().trim_end()),
    }
}
