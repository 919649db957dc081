//! V8 by the runner in runners/node: its compilers, compared with Wasmtime on all file tests.

mod common;

use common::external::{Need, Tests, node};
use common::{cases, compare, folder_with, repository_text, run};
use serde_json::Value;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut tests = Tests::default();
    for (engine, mode) in [("node", "tiering"), ("node:liftoff", "liftoff"), ("node:turbofan", "turbofan")] {
        let name = format!("each_compiler_of_v8_agrees_with_wasmtime::{mode}");
        tests.add(name, &[Need::Node], move || compiler_agrees_with_wasmtime(engine, mode));
    }
    let others: [(&str, fn()); 6] = [
        ("values_traps_and_globals_cross_the_border_whole", values_traps_and_globals_cross_the_border_whole),
        ("host_calls_are_answered_from_the_recording", host_calls_are_answered_from_the_recording),
        ("the_runner_passes_its_check", the_runner_passes_its_check),
        ("watched_bytes_are_shown_when_they_have_changed", watched_bytes_are_shown_when_they_have_changed),
        ("a_script_agrees_under_each_compiler", a_script_agrees_under_each_compiler),
        ("a_store_in_another_instance_is_named", a_store_in_another_instance_is_named),
    ];
    for (name, test) in others {
        tests.add(name, &[Need::Node], test);
    }
    tests.run()
}

/// Features that V8 has only with a flag, or in later releases.
const LATER: &[&str] = &["memory64", "multi-memory"];

/// JavaScript has no vectors to call this with.
const VECTORS: &str = "vectors";

/// The runner as a user would call it.
fn engine() -> String {
    format!("runner:{} {}", node(), repository_text("runners/node/runner.mjs"))
}

fn compiler_agrees_with_wasmtime(engine: &str, mode: &str) {
    let engine = format!("{engine},program={}", node());
    for (name, module, calls) in cases() {
        let (code, report, stderr) = compare(&module, &calls, &engine);
        if name.starts_with("threads") {
            // Refused before any engine sees it.
            assert_eq!(code, 2, "{name}: {report:#}{stderr}");
            continue;
        }
        if LATER.contains(&name.as_str()) && report["rhs"]["outcome"] == "rejected at validate" {
            continue;
        }
        if name == VECTORS {
            assert!(code == 2 && stderr.contains("V128"), "{mode}: {report:#}{stderr}");
            continue;
        }
        assert_eq!((code, &report["agree"]), (0, &true.into()), "{name} {mode}: {report:#}{stderr}");
    }
    let folder = folder_with(&[]);
    let module = repository_text("tests/cases/agree.wat");
    let record = ["record", &module, "--invoke", "run 50", "--engine", &engine, "-o", "t.fpt"];
    assert_eq!(run(folder.path(), &record).code, 0);
    let info: Value = serde_json::from_str(&run(folder.path(), &["info", "t.fpt", "--json"]).stdout).expect("JSON");
    assert_eq!((&info["engine"]["name"], &info["engine"]["mode"]), (&"v8".into(), &mode.into()), "{info:#}");
    assert_eq!(info["engine"]["spec"], engine, "{info:#}");
}

fn values_traps_and_globals_cross_the_border_whole() {
    let module = br#"(module
      (memory (export "memory") 1)
      (global $g (export "g") (mut i64) (i64.const -9007199254740993))
      (func (export "all") (param i32 i64 f32 f64) (result i32 i64 f32 f64)
        (i64.store (i32.const 8) (local.get 1))
        (global.set $g (i64.sub (global.get $g) (i64.const 2)))
        (local.get 0) (local.get 1) (local.get 2) (local.get 3))
      (func (export "divide") (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1)))
      (func (export "convert") (param f64) (result i32) (i32.trunc_f64_s (local.get 0)))
      (table 2 funcref)
      (func (export "indirect") (param i32) (call_indirect (local.get 0))))"#;
    let folder = folder_with(&[("t.wat", module)]);
    let engine = engine();
    for call in
        ["all -1 -9223372036854775807 1.5 -0.0", "divide 1 0", "divide -2147483648 -1", "convert nan", "indirect 5"]
    {
        let ran = run(folder.path(), &["compare", "t.wat", "--invoke", call, "--rhs", &engine]);
        assert_eq!(ran.code, 0, "{call}: {}{}", ran.stdout, ran.stderr);
    }
}

/// The recorder answers V8's host calls: reads of memory, writes and exits.
fn host_calls_are_answered_from_the_recording() {
    let module = br#"(module
      (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
      (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
      (memory (export "memory") 1) (data (i32.const 64) "\80\00\00\00\05\00\00\00")
      (func (export "_start")
        (drop (call $random (i32.const 128) (i32.const 5)))
        (drop (call $clock (i32.const 0) (i64.const -1) (i32.const 8)))
        (i64.store (i32.const 16) (i64.load (i32.const 8)))
        (drop (call $write (i32.const 1) (i32.const 64) (i32.const 1) (i32.const 96)))
        (call $exit (i32.const 3))))"#;
    let folder = folder_with(&[("t.wat", module)]);
    let engine = engine();
    let ran = run(folder.path(), &["compare", "t.wat", "--rhs", &engine]);
    assert!(ran.code == 0 && ran.stdout.contains("both exited with code 3"), "{}{}", ran.stdout, ran.stderr);
}

fn the_runner_passes_its_check() {
    let engine = engine();
    let command = engine.strip_prefix("runner:").expect("a runner");
    let mut arguments = vec!["runner-check", "--json"];
    arguments.extend(command.split_whitespace());
    let folder = folder_with(&[]);
    let ran = run(folder.path(), &arguments);
    let rows: Vec<Value> = serde_json::from_str(&ran.stdout).expect("JSON");
    assert!(ran.code == 0 && rows.len() >= 10, "{}{}", ran.stdout, ran.stderr);
    // An old Node has no host, and gives the reason.
    let (host, others) = rows.split_last().expect("rows");
    assert!(host["passed"] == true || host["passed"].is_null() && host["reason"].is_string(), "{host:#}");
    assert!(others.iter().all(|row| row["passed"] == true && row["reason"].is_null()), "{}", ran.stdout);
}

/// What a correct V8 never shows: bytes that change after an event.
fn watched_bytes_are_shown_when_they_have_changed() {
    let protocol = repository_text("runners/node/protocol.mjs");
    let script = r#"
        const { Hooks } = await import(process.argv[1]);
        const recorder = {
          message: (json) => console.log(json),
          drain: (shared) => console.log("H", new Int32Array(shared, 0, 2)[1] / 28),
          placed: (tag, memory, address, bytes) => console.log(tag, memory, address, bytes.toString("hex")),
        };
        const memory = new WebAssembly.Memory({ initial: 1 });
        const hooks = new Hooks(recorder);
        hooks.watch({ memory: 0, ranges: [{ address: 8, length: 2 }, { address: 65534, length: 8 }] }, [memory]);
        for (const [site, address] of [[1, 0], [2, 4], [3, 9], [4, 16]]) {
          new Uint8Array(memory.buffer)[address] = site;
          hooks.event(site, 0n, 0n, 0n);
        }
        hooks.send();"#;
    let node = std::process::Command::new(node()).args(["--input-type=module", "-e", script, &protocol]).output();
    let node = node.expect("node starts");
    let shown = String::from_utf8_lossy(&node.stdout).into_owned();
    let stderr = String::from_utf8_lossy(&node.stderr);
    assert_eq!(shown, "\"Watching\"\nH 1\nV 0 8 0000\nV 0 65534 0000\nH 2\nV 0 8 0003\nH 1\n", "{stderr}");
}

fn a_script_agrees_under_each_compiler() {
    let script = repository_text("tests/scripts/callbacks.wast");
    for engine in ["node", "node:liftoff", "node:turbofan"] {
        let (code, report, stderr) = compare(script.as_ref(), &[], &format!("{engine},program={}", node()));
        assert_eq!((code, &report["agree"]), (0, &true.into()), "{engine}: {report:#}{stderr}");
        assert_eq!(report["rhs"]["assertions"]["passed"], 8, "{engine}: {report:#}");
    }
}

/// An engine that mixes up instances: the copy of the runner takes the memory of the instance after the right one.
fn a_store_in_another_instance_is_named() {
    let folder = folder_with(&[]);
    let runner = std::fs::read_dir(repository_text("runners/node")).expect("the runner is there");
    for file in runner.map(|entry| entry.expect("it can be read").path()) {
        let name = file.file_name().expect("a file");
        std::fs::copy(&file, folder.path().join(name)).expect("copying the runner");
    }
    let program = folder.path().join("program.mjs");
    let right = std::fs::read_to_string(&program).expect("the runner has this file");
    let (link, wrong) = ("this.instances[link?.instance]", "this.instances[link?.instance + (name === \"mem\")]");
    assert!(right.contains(link), "the runner has changed: {right}");
    std::fs::write(&program, right.replace(link, wrong)).expect("writing the runner");
    let script = br#"
        (module $a (memory (export "mem") 1)) (register "a")
        (module $other (memory (export "mem") 1))
        (module $b (import "a" "mem" (memory 1)) (func (export "f") (i32.store (i32.const 8) (i32.const 77))))
        (invoke "f")"#;
    std::fs::write(folder.path().join("s.wast"), script).expect("writing the script");
    let engine = format!("runner:{} {}", node(), folder.path().join("runner.mjs").display());
    let (code, report, stderr) = compare(&folder.path().join("s.wast"), &[], &engine);
    assert_eq!((code, &report["verdict"]), (1, &"instance".into()), "{report:#}{stderr}");
    let culprit = &report["culprit"];
    assert_eq!((&culprit["side"], &culprit["site"]["name"]), (&"rhs".into(), &"b.f".into()), "{report:#}");
    assert_eq!((&report["site"]["instance"], &report["memory_name"]), (&"b".into(), &"a.mem".into()), "{report:#}");
}
