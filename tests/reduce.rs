//! `forkpoint reduce`: what comes out diverges like what went in, and little else is left of it.

mod common;

use serde_json::Value;
use std::fs;

/// A program that asks its host for numbers, calls through a table, recurses, and grows its memory in the fourth call of one
/// function, among much that does not matter.
const PROGRAM: &str = r#"
(module
  (import "env" "next" (func $next (param i32) (result i32)))
  (type $step (func (param i32 i32) (result i32)))
  (memory (export "memory") 2)
  (table 3 funcref)
  (elem (i32.const 0) $grow $store $recurse)
  (global $calls (mut i32) (i32.const 0))
  (global $stack (mut i32) (i32.const 65536))
  (data (i32.const 1024) "nothing of this is needed: \01\02\03")
  (func $store (param $at i32) (param $value i32) (result i32)
    (i32.store offset=64 (local.get $at) (local.get $value))
    (i32.add (local.get $at) (i32.const 4)))
  (func $unused (param i64) (result f64)
    (f64.convert_i64_s (i64.mul (local.get 0) (i64.const 7))))
  (func $grow (param $pages i32) (param $at i32) (result i32)
    (local $got i32)
    (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
    (drop (call $store (local.get $at) (call $next (local.get $at))))
    (if (i32.eq (global.get $calls) (i32.const 4))
      (then (local.set $got (memory.grow (i32.load8_u offset=1020 (local.get $pages))))))
    (local.get $got))
  (func $recurse (param $depth i32) (param $at i32) (result i32)
    (if (result i32) (local.get $depth)
      (then
        (drop (call_indirect (type $step) (i32.const 4) (local.get $at) (i32.const 0)))
        (call $recurse (i32.sub (local.get $depth) (i32.const 1)) (call $store (local.get $at) (local.get $depth))))
      (else (call $next (local.get $at)))))
  (func (export "run") (param $depth i32) (result i32)
    (global.set $stack (i32.sub (global.get $stack) (i32.const 16)))
    (call_indirect (type $step) (local.get $depth) (i32.const 128) (i32.const 2)))
  (func (export "other") (drop (call $unused (i64.const 3)))))
"#;

/// Writes `module`, reduces it, and returns the exit code, the report and the reduced module's text.
fn reduce(module: &str, engines: &[&str]) -> (i32, Value, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("m.wat"), module).expect("a module");
    let mut command =
        vec!["reduce", "m.wat", "-o", "small.wat", "--json", "--report=page.md", "--predicate", "same.sh"];
    command.extend(["--script", "small.wast", "--invoke", "run 6", "--import", "env.next=7"]);
    command.extend(engines);
    let ran = common::run(folder.path(), &command);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.stderr));
    // The script says yes to what came out, and no to a module that does nothing.
    fs::write(
        folder.path().join("nothing.wat"),
        r#"(module (func (export "main")) (func (export "run") (param i32)))"#,
    )
    .expect("a module");
    let path = std::path::Path::new(common::FORKPOINT).parent().expect("a folder").display().to_string();
    let same = |modules: &[&str]| {
        let mut script = std::process::Command::new("sh");
        let output = script_output(script.arg("same.sh").args(modules).current_dir(folder.path()), &path);
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert_eq!(same(&[]).0, Some(0), "{:?}", same(&[]));
    let (code, words) = same(&["nothing.wat"]);
    assert!(code == Some(1) && words.contains("not the same: wanted"), "{code:?} {words}");
    // The left side passes the script, and the right side fails it.
    let ran = common::run(folder.path(), &[&["compare", "small.wast", "--json"], engines].concat());
    let scripted: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.stderr));
    let passed = |side: &str| {
        let count = |what: &str| scripted[side]["assertions"][what].as_u64();
        count("failed") == Some(0) && count("others_failed") == Some(0)
    };
    assert_eq!((ran.code, passed("lhs"), passed("rhs")), (1, true, false), "{scripted:#}");
    let page = fs::read_to_string(folder.path().join("page.md")).expect("a page");
    let likeness = report["likeness"].as_str().expect("a likeness");
    assert!(page.starts_with(&format!("# {likeness}\n")) && page.contains("```wat\n(module"), "{page}");
    assert!(page.contains("forkpoint compare small.wat") && page.contains("wasmtime 48"), "{page}");
    (ran.code, report, fs::read_to_string(folder.path().join("small.wat")).expect("the reduced module"))
}

fn script_output(script: &mut std::process::Command, path: &str) -> std::process::Output {
    let path = format!("{path}:{}", std::env::var("PATH").unwrap_or_default());
    script.env("PATH", path).env("FORKPOINT_CACHE", "off").output().expect("a shell")
}

#[test]
fn a_call_deep_in_a_program_becomes_a_program_of_one_instruction() {
    let limits = ["--rhs", "wasmtime:jit", "--rhs-memory-page-limit", "3"];
    let (code, report, text) = reduce(PROGRAM, &limits);
    assert_eq!(code, 1, "{report:#}");
    assert_eq!(report["likeness"], "grow: memory.grow; lhs grow granted; rhs grow refused");
    assert_eq!(
        (&report["sliced"], &report["end"], &report["calls"]),
        (&0.into(), &"minimal".into(), &["main"].into())
    );
    assert!(report["bytes"].as_u64().is_some_and(|bytes| bytes < 70), "{text}");
    assert!(!text.contains("import") && !text.contains("data") && text.contains("memory.grow"), "{text}");

    // It says how to see it, and that shows it.
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("small.wat"), &text).expect("a module");
    let ran =
        common::run(folder.path(), &[&["compare", "small.wat", "--invoke", "main", "--json"], &limits[..]].concat());
    let compared: Value = serde_json::from_str(&ran.stdout).expect("a report");
    assert_eq!((ran.code, &compared["verdict"]), (1, &"grow".into()), "{compared:#}");
}

/// Two engines of one kind that differ in the sign of the NaN that 0/0 makes, and a program whose stack pointer depends on it.
#[test]
fn a_wrong_value_is_reduced_to_what_computes_it() {
    let module = PROGRAM.replace(
        "(drop (call $store (local.get $at) (call $next (local.get $at))))",
        "(drop (call $store (local.get $at) (call $next (local.get $at))))
         (if (i32.eq (global.get $calls) (i32.const 3))
           (then (i32.store offset=8 (call $recurse (i32.const 2) (i32.const 512))
             (i32.shr_u (i32.reinterpret_f32 (f32.div (f32.load (i32.const 4096)) (f32.load (i32.const 4096)))) (i32.const 31)))))",
    );
    let (code, report, text) = reduce(&module, &["--rhs", "wasmtime:jit,nan-canonicalization=on"]);
    assert_eq!(
        (code, &report["likeness"], &report["end"]),
        (1, &"value: i32.store".into(), &"minimal".into()),
        "{report:#}"
    );
    assert!(report["bytes"].as_u64().is_some_and(|bytes| bytes < 80), "{text}");
    assert!(text.contains("f32.div") && !text.contains("call") && !text.contains("import"), "{text}");
}

/// Which trap ends a run that has gone astray, and what the other side does next, is chance.
#[test]
fn a_trap_on_one_side_is_reduced_to_what_leads_to_it() {
    let module = PROGRAM.replace(
        "(drop (call $store (local.get $at) (call $next (local.get $at))))",
        "(drop (call $store (local.get $at) (call $next (local.get $at))))
         (if (i32.eq (global.get $calls) (i32.const 3))
           (then (drop (i32.div_u (i32.const 7) (i32.ge_s (i32.reinterpret_f32
             (f32.div (f32.load (i32.const 4096)) (f32.load (i32.const 4096)))) (i32.const 0))))))",
    );
    let (code, report, text) = reduce(&module, &["--rhs", "wasmtime:jit,nan-canonicalization=on"]);
    assert_eq!((code, &report["likeness"]), (1, &"trap: i32.div_u; lhs trap".into()), "{report:#}");
    assert!(report["sliced"].is_u64() && report["bytes"].as_u64().is_some_and(|bytes| bytes < 90), "{text}");
}

#[test]
fn a_module_that_one_side_does_not_instantiate_is_reduced_as_a_whole() {
    let limits = ["--rhs", "wasmtime:jit", "--rhs-memory-page-limit", "1"];
    let (code, report, text) = reduce(PROGRAM, &limits);
    assert_eq!((code, &report["sliced"]), (1, &Value::Null), "{report:#}");
    assert_eq!(report["comparison"]["verdict"], "instantiation", "{report:#}");
    assert!(report["bytes"].as_u64().is_some_and(|bytes| bytes < 70), "{text}");
}

#[test]
fn runs_that_agree_leave_nothing_to_reduce() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("m.wat"), PROGRAM).expect("a module");
    let arguments = ["reduce", "m.wat", "-o", "small.wat", "--invoke", "run 6", "--import", "env.next=7"];
    let ran = common::run(folder.path(), &arguments);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("the runs agree, so there is nothing to reduce"), "{}", ran.stderr);
    assert!(!folder.path().join("small.wat").exists());
}

/// Writes the program and the traces of both sides.
fn compared(limits: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("m.wat"), PROGRAM).expect("a module");
    let command = ["compare", "m.wat", "-o", "traces", "--invoke", "run 6", "--import", "env.next=7"];
    let ran = common::run(folder.path(), &[&command, limits].concat());
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    folder
}

#[test]
fn recordings_and_packs_have_all_that_a_reduction_needs() {
    let folder = compared(&["--rhs", "wasmi", "--rhs-memory-page-limit", "3"]);
    let traces = ["traces/lhs.fpt", "traces/rhs.fpt"];
    let packed = common::run(folder.path(), &["pack", traces[0], traces[1], "-o", "bug.zip"]);
    assert_eq!(packed.code, 0, "{}", packed.stderr);
    let reduced = |input: &[&str]| {
        let output = ["-o", "small.wat", "--json", "--pack", "small.zip"];
        let ran = common::run(folder.path(), &[&["reduce"], input, &output].concat());
        let report: Value =
            serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.stderr));
        assert_eq!(report["likeness"], "grow: memory.grow; lhs grow granted; rhs grow refused");
        assert_eq!((ran.code, &report["sliced"]), (1, &0.into()), "{report:#}");
        fs::read_to_string(folder.path().join("small.wat")).expect("the reduced module")
    };
    let text = reduced(&traces);
    assert!(text.contains("--lhs wasmtime:jit --rhs wasmi --rhs-memory-page-limit=3"), "{text}");
    assert_eq!(reduced(&["bug.zip"]), text);
    // One run of the two, and another engine.
    let of_one = reduced(&[traces[0], "--rhs", "wasmi", "--rhs-memory-page-limit", "3"]);
    assert!(of_one.contains("memory.grow"), "{of_one}");
    let ran = common::run(folder.path(), &["diff", "small.zip"]);
    assert!(ran.code == 1 && ran.stdout.contains("memory.grow"), "{ran:?}");

    let ran = common::run(folder.path(), &["reduce", traces[0], "-o", "x.wat"]);
    assert!(ran.code == 2 && ran.stderr.contains("is one run: name the other engine with --rhs"), "{ran:?}");
    let ran = common::run(folder.path(), &["reduce", "bug.zip", "-o", "x.wat", "--invoke", "run 6"]);
    assert!(ran.code == 2 && ran.stderr.contains("is a recording, which has its calls"), "{ran:?}");
}

#[test]
fn a_reduction_that_was_ended_goes_on_from_its_state() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("m.wat"), PROGRAM).expect("a module");
    let run = |time: &str, state: &[&str], output: &str| {
        let command = ["reduce", "m.wat", "--json", "--invoke", "run 6", "--import", "env.next=7", "--time", time];
        let limits = ["--rhs", "wasmi", "--rhs-memory-page-limit", "3", "-o", output];
        let ran = common::run(folder.path(), &[&command[..], &limits, state].concat());
        let report: Value =
            serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.stderr));
        (report, fs::read(folder.path().join(output)).expect("the reduced module"))
    };
    let (whole, module) = run("none", &[], "whole.wasm");
    assert_eq!(whole["end"], "minimal");
    let state = ["--state", "state.json"];
    let (mut ended, mut time) = (run("1ms", &state, "part.wasm").0, 250);
    assert_eq!(ended["end"], "time");
    // However slow the machine is, one of these is not enough, and one is.
    while ended["end"] == "time" {
        ended = run(&format!("{time}ms"), &state, "part.wasm").0;
        time *= 2;
    }
    assert_eq!(ended["end"], "minimal", "{ended:#}");
    let part = fs::read(folder.path().join("part.wasm")).expect("a module");
    assert_eq!((&part, &ended["tries"]), (&module, &whole["tries"]));
    // Nothing is left to try, so nothing is run.
    let (again, same) = run("none", &state, "part.wasm");
    assert_eq!((&again["tries"], same), (&ended["tries"], part));

    fs::write(folder.path().join("m.wat"), PROGRAM.replace("i32.const 128", "i32.const 129")).expect("a module");
    let command = ["reduce", "m.wat", "-o", "x.wat", "--invoke", "run 6", "--import", "env.next=7"];
    let ran = common::run(folder.path(), &[&command[..], &state].concat());
    assert!(ran.code == 2 && ran.stderr.contains("is the state of another reduction"), "{ran:?}");
}
