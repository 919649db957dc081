//! The real binary, end to end, on bad and good input.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use assert_cmd::Command;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

fn forkpoint(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let output = Command::cargo_bin("forkpoint").unwrap().current_dir(folder).args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

fn repository(path: &str) -> String {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path).display().to_string()
}

fn folder_with(files: &[(&str, &[u8])]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

const COUNTER: &[u8] = br#"(module (memory (export "memory") 1)
  (func (export "run") (param i32) (result i32)
    (local $i i32)
    (loop $next
      (i32.store (i32.and (i32.shl (local.get $i) (i32.const 2)) (i32.const 0xfffc)) (local.get $i))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $next (i32.ne (local.get $i) (local.get 0))))
    (i32.load (i32.const 4))))"#;

#[test]
fn bad_input_is_named_and_leaves_good_files_alone() {
    let mut invalid = b"\0asm\x01\0\0\0".to_vec();
    invalid.extend_from_slice(&[1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 10, 6, 1, 4, 0, 0x41, 1, 0x0b]);
    let folder = folder_with(&[
        ("a.wat", COUNTER),
        ("junk.wasm", b"\x7fELF junk"),
        ("cut.wasm", b"\0asm\x01\0\0\0\x01"),
        ("invalid.wasm", &invalid),
        ("component.wasm", b"\0asm\x0d\0\x01\0"),
        ("imports.wat", br#"(module (import "env" "put" (func (param i32) (result i64))))"#),
        ("atomic.wat", br#"(module (memory 1) (func (export "f") (i32.atomic.store (i32.const 0) (i32.const 1))))"#),
        ("good.fpt", b"not touched"),
    ]);
    let cases: &[(&[&str], &[&str])] = &[
        (&["record", "missing.wasm"], &["missing.wasm", "No such file"]),
        (&["record", "junk.wasm"], &["not a WebAssembly module"]),
        (&["record", "cut.wasm"], &["0x"]),
        (&["record", "invalid.wasm"], &["offset"]),
        (&["record", "component.wasm"], &["component"]),
        (&["record", "imports.wat", "--invoke", "f"], &["env.put", "(i32) -> (i64)"]),
        (&["record", "atomic.wat", "--invoke", "f"], &["i32.atomic.store"]),
        (&["record", "a.wat"], &["_start", "--invoke", "run"]),
        (&["record", "a.wat", "--invoke", "walk"], &["walk", "run"]),
        (&["record", "a.wat", "--invoke", "run"], &["takes 1 argument", "(i32) -> (i32)"]),
        (&["record", "a.wat", "--invoke", "run x"], &["argument 1", "`x`", "i32"]),
        (&["record", "a.wat", "--invoke", "run 9", "--dir", "nowhere"], &["nowhere"]),
        (&["record", "a.wat", "--invoke", "run 9", "-o", "nowhere/t.fpt"], &["nowhere/t.fpt"]),
        (&["record", "a.wat", "--invoke", "run 9", "-o", "."], &["directory"]),
        (&["record", "a.wat", "--invoke", "run 9", "--engine", "v8"], &["v8", "wasmtime:jit"]),
        (&["record", "a.wat", "--invoke", "run 9", "--cpu", "+nonsense"], &["nonsense"]),
        (&["info", "a.wat"], &["not a forkpoint trace"]),
        (&["view", "a.wat"], &["not a forkpoint trace"]),
    ];
    for (arguments, expected) in cases {
        let mut arguments = arguments.to_vec();
        if arguments[0] == "record" && !arguments.contains(&"-o") {
            arguments.extend(["-o", "good.fpt"]);
        }
        let (code, _, stderr) = forkpoint(folder.path(), &arguments);
        assert_eq!(code, 2, "{arguments:?}: {stderr}");
        for part in *expected {
            assert!(stderr.contains(part), "{arguments:?}: expected {part:?} in: {stderr}");
        }
        assert_eq!(fs::read(folder.path().join("good.fpt")).unwrap(), b"not touched", "{arguments:?}");
    }
}

#[test]
fn damaged_traces_are_errors_or_incomplete_and_never_a_panic() {
    let folder = folder_with(&[("a.wat", COUNTER)]);
    let (code, ..) = forkpoint(folder.path(), &["record", "a.wat", "--invoke", "run 500", "-o", "t.fpt"]);
    assert_eq!(code, 0);
    let good = fs::read(folder.path().join("t.fpt")).unwrap();
    let path = folder.path().join("bad.fpt");
    let mut version = good.clone();
    version[8] = 99;
    fs::write(&path, version).unwrap();
    let (code, _, stderr) = forkpoint(folder.path(), &["info", "bad.fpt"]);
    assert!(code == 2 && stderr.contains("version 99"), "{stderr}");
    for step in 0..40 {
        let at = 12 + step * (good.len() - 12) / 40;
        fs::write(&path, &good[..at]).unwrap();
        let (code, stdout, stderr) = forkpoint(folder.path(), &["info", "bad.fpt"]);
        assert!(code == 2 || stdout.contains("incomplete"), "cut at {at}: {code} {stdout} {stderr}");
        let mut flipped = good.clone();
        flipped[at] ^= 0x40;
        fs::write(&path, flipped).unwrap();
        let (code, stdout, stderr) = forkpoint(folder.path(), &["info", "bad.fpt", "--verify"]);
        assert!(code == 2 || stdout.contains("incomplete"), "flip at {at}: {code} {stdout} {stderr}");
        assert!(!stderr.contains("panicked"), "flip at {at}: {stderr}");
    }
}

#[test]
fn the_demo_diverges_where_the_host_has_fma() {
    #[cfg(target_arch = "x86_64")]
    let fma = std::is_x86_feature_detected!("fma");
    #[cfg(not(target_arch = "x86_64"))]
    let fma = false;
    if !fma {
        println!("skip: this host has no FMA, so both sides round twice");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let demo = repository("examples/orbit.wat");
    let arguments =
        ["compare", &demo, "--invoke", "run 100", "--rhs", "wasmtime:aot,target=portable", "--json", "-o", "."];
    let (code, stdout, stderr) = forkpoint(folder.path(), &arguments);
    assert_eq!(code, 1, "{stderr}");
    let report: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(report["agree"], false);
    assert_eq!(report["verdict"], "value");
    assert_eq!(report["position"], 9);
    assert_eq!(report["site"]["name"], "step");
    assert_eq!(report["site"]["instruction"], "v128.store");
    assert_eq!(report["lhs"]["address"], 16);
    assert_eq!(report["lhs"]["width"], 16);
    assert_ne!(report["lhs"]["bytes"], report["rhs"]["bytes"]);
    let (code, stdout, _) = forkpoint(folder.path(), &["diff", "lhs.fpt", "rhs.fpt"]);
    assert!(code == 1 && stdout.contains("diverge at #9 (value)"), "{stdout}");
}

#[test]
fn the_samples_open_and_diverge() {
    let (lhs, rhs) = (repository("traces/samples/orbit-jit.fpt"), repository("traces/samples/orbit-portable.fpt"));
    let folder = tempfile::tempdir().unwrap();
    let (code, stdout, stderr) = forkpoint(folder.path(), &["diff", &lhs, &rhs]);
    assert!(code == 1 && stdout.contains("diverge at #9 (value)"), "{stdout}{stderr}");
    let (code, stdout, stderr) = forkpoint(folder.path(), &["info", "--verify", &lhs]);
    assert!(code == 0 && stdout.contains("every event replays"), "{stdout}{stderr}");
    let (code, stdout, _) = forkpoint(folder.path(), &["diff", &lhs, &lhs]);
    assert!(code == 0 && stdout.contains("agree"), "{stdout}");
}

#[test]
fn traces_of_different_modules_have_no_answer() {
    let other = br#"(module (memory 1) (func (export "run") (param i32) (i32.store (i32.const 0) (local.get 0))))"#;
    let folder = folder_with(&[("a.wat", COUNTER), ("b.wat", other)]);
    for module in ["a.wat", "b.wat"] {
        assert_eq!(forkpoint(folder.path(), &["record", module, "--invoke", "run 3"]).0, 0);
    }
    let (code, _, stderr) = forkpoint(folder.path(), &["diff", "a.fpt", "b.fpt"]);
    assert!(code == 2 && stderr.contains("different modules"), "{stderr}");
}

#[test]
fn traps_exits_and_results_are_recorded_and_agree_under_aot() {
    let module = br#"(module
      (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
      (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
      (memory (export "memory") 1 4)
      (data (i32.const 8) "hello")
      (func (export "fill") (memory.fill (i32.const 100) (i32.const 7) (i32.const 50)))
      (func (export "grow") (result i32 i32) (memory.grow (i32.const 2)) (memory.grow (i32.const 9)))
      (func (export "oops") (i32.store (i32.const 4) (i32.const 1)) (i32.store (i32.const -4) (i32.const 2)) )
      (func (export "random") (result i32) (call $random (i32.const 200) (i32.const 16)))
      (func (export "leave") (call $exit (i32.const 3))))"#;
    let folder = folder_with(&[("m.wat", module)]);
    let calls = ["fill", "grow", "oops", "random", "leave"].map(|call| format!("--invoke={call}"));
    let mut arguments = vec!["compare", "m.wat", "-o", ".", "--rhs", "wasmtime:aot,opt=none"];
    arguments.extend(calls.iter().map(String::as_str));
    let (code, stdout, stderr) = forkpoint(folder.path(), &arguments);
    assert!(code == 0 && stdout.contains("exited with code 3"), "{stdout}{stderr}");
    let (_, dump, _) = forkpoint(folder.path(), &["dump", "lhs.fpt"]);
    for line in [
        "data 0 -> [0x00000008; 5]",
        "memory.fill [0x00000064; 50] <- 07",
        "memory.grow by 2 -> 1 (now 3 pages)",
        "memory.grow by 9 -> refused (-1)",
        "i32.store [0x00000004] <- 01 00 00 00",
        "trap: out of bounds memory access in func[",
        "host write [0x000000c8; 16]",
        "end: exited with code 3; memory pages 3",
    ] {
        assert!(dump.contains(line), "expected {line:?} in:\n{dump}");
    }
    assert!(!dump.contains("<- 02 00 00 00"), "a store that trapped was never committed:\n{dump}");
}

const ENDLESS: &[u8] = br#"(module (memory 1) (func (export "run") (local $i i32)
  (loop $next
    (i32.store (i32.and (local.get $i) (i32.const 0xfffc)) (local.get $i))
    (local.set $i (i32.add (local.get $i) (i32.const 7)))
    (br $next))))"#;

#[test]
fn a_time_limit_ends_the_trace_and_gives_no_answer() {
    let folder = folder_with(&[("e.wat", ENDLESS)]);
    let (code, _, stderr) = forkpoint(folder.path(), &["record", "e.wat", "--invoke", "run", "--timeout", "700ms"]);
    assert!(code == 0 && stderr.contains("timed out"), "{stderr}");
    let (code, stdout, _) = forkpoint(folder.path(), &["info", "e.fpt", "--json"]);
    let info: Value = serde_json::from_str(&stdout).unwrap();
    assert!(code == 0 && info["complete"] == true && info["events"].as_u64().unwrap() > 1000, "{stdout}");
    let (code, stdout, stderr) =
        forkpoint(folder.path(), &["compare", "e.wat", "--invoke", "run", "--timeout", "500ms"]);
    assert_eq!(code, 2, "{stdout}{stderr}");
}

#[test]
fn a_killed_recorder_leaves_a_readable_trace() {
    let folder = folder_with(&[("e.wat", ENDLESS)]);
    let mut recorder = std::process::Command::new(env!("CARGO_BIN_EXE_forkpoint"))
        .current_dir(folder.path())
        .args(["record", "e.wat", "--invoke", "run", "-o", "k.fpt", "--quiet"])
        .spawn()
        .unwrap();
    let trace = folder.path().join("k.fpt");
    for _ in 0..600 {
        if fs::metadata(&trace).is_ok_and(|file| file.len() > 20_000) {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    recorder.kill().unwrap();
    recorder.wait().unwrap();
    let (code, stdout, stderr) = forkpoint(folder.path(), &["info", "k.fpt"]);
    assert!(code == 0 && stdout.contains("incomplete"), "{stdout}{stderr}");
    let (code, stdout, stderr) = forkpoint(folder.path(), &["dump", "k.fpt", "--from", "5", "--to", "8"]);
    assert!(code == 0 && stdout.lines().count() == 3 && stderr.contains("incomplete"), "{stdout}{stderr}");
}
