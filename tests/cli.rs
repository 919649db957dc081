//! The real binary, end to end, on bad and good input.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod common;

use common::{folder_with, repository_text as repository};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::time::Duration;

fn forkpoint(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let ran = common::run(folder, arguments);
    (ran.code, ran.stdout, ran.stderr)
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
        ("good.fpt", b"not touched"),
    ]);
    let cases: &[(&[&str], &[&str])] = &[
        (&["record", "missing.wasm"], &["missing.wasm", "No such file"]),
        (&["record", "junk.wasm"], &["not a WebAssembly module"]),
        (&["record", "cut.wasm"], &["0x"]),
        (&["record", "invalid.wasm"], &["offset"]),
        (&["record", "component.wasm"], &["component"]),
        (&["record", "imports.wat", "--invoke", "f"], &["env.put", "(i32) -> (i64)"]),
        (&["record", "a.wat"], &["_start", "--invoke", "run"]),
        (&["record", "a.wat", "--invoke", "walk"], &["walk", "run"]),
        (&["record", "a.wat", "--invoke", "run"], &["takes 1 argument", "(i32) -> (i32)"]),
        (&["record", "a.wat", "--invoke", "run x"], &["argument 1", "`x`", "i32"]),
        (&["record", "a.wat", "--invoke", "run 9", "--dir", "nowhere"], &["nowhere"]),
        (&["record", "a.wat", "--invoke", "run 9", "-o", "nowhere/t.fpt"], &["nowhere/t.fpt"]),
        (&["record", "a.wat", "--invoke", "run 9", "-o", "."], &["directory"]),
        (&["record", "a.wat", "--invoke", "run 9", "--engine", "v8"], &["v8", "did you mean"]),
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

/// An interpreter that always rounds once, and native code that always rounds twice: the two results that the
/// specification allows, on any host.
#[test]
fn the_demo_diverges_between_pulley_and_portable_code() {
    let demo = common::repository_text("examples/orbit.wat");
    let folder = tempfile::tempdir().unwrap();
    let engines = ["--lhs", "wasmtime:pulley", "--rhs", "wasmtime:jit,target=portable", "--json"];
    let (code, stdout, stderr) =
        forkpoint(folder.path(), &[&["compare", &demo, "--invoke", "run 100"][..], &engines].concat());
    let report: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((code, &report["verdict"], &report["position"]), (1, &"value".into(), &12.into()), "{stdout}{stderr}");
    let first = |side: &str| report[side]["bytes"].as_str().map(|bytes| bytes[..8].to_string());
    assert_eq!((first("lhs"), first("rhs")), (Some("2bbaf5bc".to_string()), Some("2cbaf5bc".to_string())));
}

#[test]
fn the_samples_open_and_diverge() {
    let (lhs, rhs) = (repository("traces/samples/orbit-jit.fpt"), repository("traces/samples/orbit-portable.fpt"));
    let folder = tempfile::tempdir().unwrap();
    let (code, stdout, stderr) = forkpoint(folder.path(), &["diff", &lhs, &rhs]);
    assert!(code == 1 && stdout.contains("diverge at #12 (value)"), "{stdout}{stderr}");
    let (code, stdout, stderr) = forkpoint(folder.path(), &["info", "--verify", &lhs]);
    assert!(code == 0 && stdout.contains("every event replayed"), "{stdout}{stderr}");
    let (code, stdout, _) = forkpoint(folder.path(), &["diff", &lhs, &lhs]);
    assert!(code == 0 && stdout.contains("agree"), "{stdout}");
}

/// `forkpoint diff a b | true` in a script: the exit code is the answer, whoever reads the report.
#[test]
fn a_reader_that_has_gone_does_not_change_the_exit_code() {
    let (lhs, rhs) = (repository("traces/samples/orbit-jit.fpt"), repository("traces/samples/orbit-portable.fpt"));
    let unread = |arguments: &[&str]| {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = std::process::Command::new(common::FORKPOINT).args(arguments).stdout(writer).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert_eq!(unread(&["diff", &lhs, &rhs]), (Some(1), String::new()));
    assert_eq!(unread(&["diff", &lhs, &rhs, "--json"]), (Some(1), String::new()));
    assert_eq!(unread(&["diff", &lhs, &lhs]), (Some(0), String::new()));
    assert_eq!(unread(&["dump", &lhs]), (Some(0), String::new()));
    assert_eq!(unread(&["dump", &lhs, "--json"]), (Some(0), String::new()));
}

/// A bug report needs the engine's exact version and whatever else influences the bug.
#[test]
fn the_engine_is_described_in_full() {
    let folder = folder_with(&[("a.wat", COUNTER)]);
    let engine = "wasmtime:jit,target=portable,cpu=+sse3,opt=none";
    assert_eq!(forkpoint(folder.path(), &["record", "a.wat", "--invoke", "run 3", "--engine", engine]).0, 0);
    let (_, stdout, _) = forkpoint(folder.path(), &["info", "a.fpt", "--json"]);
    let info: Value = serde_json::from_str(&stdout).unwrap();
    let described = &info["engine"];
    let version = described["version"].as_str().unwrap();
    let lock = fs::read_to_string(repository("Cargo.lock")).unwrap();
    assert!(lock.contains(&format!("name = \"wasmtime\"\nversion = \"{version}\"")), "{version}");
    assert_eq!(described["spec"], engine);
    assert_eq!(described["opt_level"], "none");
    assert_eq!(described["cpu_features"], serde_json::json!(["sse3"]));
    let settings = described["settings"].as_array().unwrap();
    assert!(settings.contains(&serde_json::json!(["relaxed_simd_deterministic", "false"])), "{stdout}");
    let (_, stdout, _) = forkpoint(folder.path(), &["info", "a.fpt"]);
    assert!(stdout.contains(&format!("wasmtime {version}, cranelift, jit, opt none")), "{stdout}");
    assert!(stdout.contains("relaxed_simd_deterministic=false"), "{stdout}");
}

#[test]
fn traces_of_different_modules_are_compared_by_what_they_do() {
    let other = br#"(module (memory 1) (func (export "run") (param i32) (i32.store (i32.const 0) (local.get 0))))"#;
    let folder = folder_with(&[("a.wat", COUNTER), ("b.wat", other)]);
    for module in ["a.wat", "b.wat"] {
        assert_eq!(forkpoint(folder.path(), &["record", module, "--invoke", "run 3"]).0, 0);
    }
    let (code, stdout, stderr) = forkpoint(folder.path(), &["diff", "a.fpt", "b.fpt"]);
    assert!(
        code < 2 && stdout.starts_with("The builds ") && stderr.contains("different modules"),
        "{stdout}{stderr}"
    );
    // Several modules are no build of one.
    let linked = ["record", "--module", "a=a.wat", "--module", "b=b.wat", "--invoke", "b.run 3", "-o", "linked.fpt"];
    assert_eq!(forkpoint(folder.path(), &linked).0, 0);
    let (code, _, stderr) = forkpoint(folder.path(), &["diff", "a.fpt", "linked.fpt"]);
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
        "trap: out of bounds memory access  in oops at 0x",
        "host write [0x000000c8; 16]",
        "end: exited with code 3; memory pages (digest) 3",
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
    for _ in 0..600 {
        if unfinished(folder.path()).is_some_and(|(_, length)| length > 20_000) {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    recorder.kill().unwrap();
    recorder.wait().unwrap();
    let (partial, _) = unfinished(folder.path()).expect("what was recorded is there");
    let (code, _, stderr) = forkpoint(folder.path(), &["info", "k.fpt"]);
    assert!(code == 2 && stderr.contains(&partial), "the name asked for leads to it: {stderr}");
    let (code, stdout, stderr) = forkpoint(folder.path(), &["info", &partial]);
    assert!(code == 0 && stdout.contains("incomplete"), "{stdout}{stderr}");
    let (code, stdout, stderr) = forkpoint(folder.path(), &["dump", &partial, "--from", "5", "--to", "8"]);
    assert!(code == 0 && stdout.lines().count() == 3 && stderr.contains("incomplete"), "{stdout}{stderr}");
}

/// Name and length of the recording in progress.
fn unfinished(folder: &Path) -> Option<(String, u64)> {
    fs::read_dir(folder).unwrap().flatten().find_map(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        name.ends_with(".partial").then_some((name, entry.metadata().ok()?.len()))
    })
}

/// If the output does not exist yet, a refused run does not create it.
#[test]
fn refused_runs_make_no_output_file() {
    let folder = folder_with(&[
        ("a.wat", COUNTER),
        ("junk.wasm", b"\x7fELF junk"),
        ("cut.wasm", b"\0asm\x01\0\0\0\x01"),
        ("component.wasm", b"\0asm\x0d\0\x01\0"),
        (
            "imports.wat",
            br#"(module (import "env" "put" (func (param i32) (result i64))) (import "env" "log" (func))
                        (import "env" "g" (global f32)) (func (export "f")))"#,
        ),
    ]);
    let cases: &[(&[&str], &[&str])] = &[
        (&["junk.wasm"], &["junk.wasm", "not a WebAssembly module"]),
        (&["cut.wasm"], &["cut.wasm", "offset"]),
        (&["component.wasm"], &["component.wasm", "component"]),
        (&["imports.wat", "--invoke", "f"], &["env.put", "(i32) -> (i64)", "env.log", "() -> ()", "env.g"]),
        (&["a.wat", "--invoke", "walk"], &["walk"]),
        (&["a.wat", "--invoke", "run 1 2"], &["takes 1 argument"]),
        (&["a.wat", "--invoke", "run 1.5"], &["`1.5`", "i32"]),
        (&["a.wat", "--invoke", "run 9", "--dir", "nowhere"], &["nowhere"]),
    ];
    for (arguments, expected) in cases {
        let mut arguments = arguments.to_vec();
        arguments.splice(0..0, ["record", "-o", "new.fpt"]);
        let (code, stdout, stderr) = forkpoint(folder.path(), &arguments);
        assert!(code == 2 && stdout.is_empty(), "{arguments:?}: {code} {stdout} {stderr}");
        for part in *expected {
            assert!(stderr.contains(part), "{arguments:?}: expected {part:?} in: {stderr}");
        }
        assert!(!folder.path().join("new.fpt").exists(), "{arguments:?} made a file: {stderr}");
        assert!(unfinished(folder.path()).is_none(), "{arguments:?} left a partial file: {stderr}");
    }
}

/// A path that nobody can write to, not even root.
#[test]
fn an_unwritable_output_is_named() {
    let folder = folder_with(&[("a.wat", COUNTER), ("file", b"no folder")]);
    for output in ["/proc/forkpoint.fpt", "file/t.fpt", "nowhere/t.fpt"] {
        let (code, _, stderr) = forkpoint(folder.path(), &["record", "a.wat", "--invoke", "run 9", "-o", output]);
        assert!(code == 2 && stderr.contains(output), "{output}: {code} {stderr}");
    }
    assert_eq!(fs::read(folder.path().join("file")).unwrap(), b"no folder");
}

/// Every command that opens traces names the bad one and says what is wrong with it, and changes no file.
#[test]
fn bad_traces_are_named_by_every_command() {
    let folder = folder_with(&[("a.wat", COUNTER), ("none.fpt", b"this is no trace at all"), ("empty.fpt", b"")]);
    assert_eq!(forkpoint(folder.path(), &["record", "a.wat", "--invoke", "run 500", "-o", "good.fpt"]).0, 0);
    let good = fs::read(folder.path().join("good.fpt")).unwrap();
    let mut version = good.clone();
    version[8] ^= 0x7f;
    fs::write(folder.path().join("version.fpt"), version).unwrap();
    let mut header = good.clone();
    header[40] ^= 0xff;
    fs::write(folder.path().join("header.fpt"), header).unwrap();
    fs::write(folder.path().join("short.fpt"), &good[..20]).unwrap();
    let cases = [
        ("none.fpt", "not a forkpoint trace"),
        ("empty.fpt", ""),
        ("version.fpt", "version"),
        ("header.fpt", ""),
        ("short.fpt", ""),
    ];
    for (file, why) in cases {
        let before = fs::read(folder.path().join(file)).unwrap();
        for arguments in [
            &["info", file][..],
            &["dump", file],
            &["view", file],
            &["diff", file, "good.fpt"],
            &["diff", "good.fpt", file],
        ] {
            let (code, stdout, stderr) = forkpoint(folder.path(), arguments);
            assert!(code == 2 && stdout.is_empty(), "{arguments:?}: {code} {stdout} {stderr}");
            assert!(stderr.contains(file) && stderr.contains(why), "{arguments:?}: {stderr}");
        }
        assert_eq!(fs::read(folder.path().join(file)).unwrap(), before);
    }
    assert_eq!(fs::read(folder.path().join("good.fpt")).unwrap(), good);
}

#[test]
fn a_timed_out_run_has_its_outcome_and_events_in_json() {
    let folder = folder_with(&[("e.wat", ENDLESS)]);
    let arguments = ["record", "e.wat", "--invoke", "run", "--timeout", "1s", "--json"];
    let (code, stdout, stderr) = forkpoint(folder.path(), &arguments);
    let summary: Value = serde_json::from_str(&stdout).unwrap();
    assert!(code == 0 && summary["outcome"] == "timed out", "{stdout}{stderr}");
    assert!(summary["events"].as_u64().unwrap() > 0, "{stdout}");
}

/// Starts a recording of the endless guest and waits until its trace has this length.
fn endless_recorder(folder: &Path, bytes: u64) -> std::process::Child {
    let recorder = std::process::Command::new(common::FORKPOINT)
        .current_dir(folder)
        .args(["record", "e.wat", "--invoke", "run", "-o", "k.fpt", "--quiet"])
        .spawn()
        .unwrap();
    for _ in 0..600 {
        if unfinished(folder).is_some_and(|(_, length)| length > bytes) {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    std::thread::sleep(Duration::from_millis(300));
    recorder
}

#[test]
fn ctrl_c_closes_the_trace() {
    let folder = folder_with(&[("e.wat", ENDLESS)]);
    let mut recorder = endless_recorder(folder.path(), 5_000);
    let pid = recorder.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    recorder.wait().unwrap();
    let (code, stdout, stderr) = forkpoint(folder.path(), &["info", "k.fpt", "--json", "--verify"]);
    assert_eq!(code, 0, "{stderr}");
    let info: Value = serde_json::from_str(&stdout).unwrap();
    assert!(info["complete"] == true && info["outcome"] == "interrupted", "{stdout}");
    assert!(info["events"].as_u64().unwrap() > 0, "{stdout}");
}

#[test]
fn a_recorder_killed_after_some_chunks_keeps_them() {
    let folder = folder_with(&[("e.wat", ENDLESS)]);
    let mut recorder = endless_recorder(folder.path(), 20_000);
    recorder.kill().unwrap();
    recorder.wait().unwrap();
    let (partial, _) = unfinished(folder.path()).expect("what was recorded is there");
    let (code, stdout, stderr) = forkpoint(folder.path(), &["info", &partial, "--json"]);
    assert_eq!(code, 0, "{stderr}");
    let info: Value = serde_json::from_str(&stdout).unwrap();
    assert!(info["complete"] == false && info["incomplete"].is_string(), "{stdout}");
    assert!(info["chunks"].as_u64().unwrap() >= 2, "{stdout}");
    let from = ["dump", &partial, "--from", "131071", "--to", "131074"];
    let (code, stdout, stderr) = forkpoint(folder.path(), &from);
    assert!(code == 0 && stdout.lines().count() == 3 && stderr.contains("incomplete"), "{stdout}{stderr}");
}

/// A guest that announces that it is ready, stores 1000 numbers from 4096 on, far less than a buffer holds, and then
/// does nothing forever.
const STUCK: &[u8] = br#"(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\08\00\00\00\06\00\00\00ready\n")
  (func (export "_start") (local $i i32)
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))
    (loop $next
      (i32.store offset=4096 (i32.shl (local.get $i) (i32.const 2)) (local.get $i))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $i) (i32.const 1000))))
    (loop $ever (br $ever))))"#;

/// The trace of [`STUCK`] holds every event there was and ends as expected.
fn all_of_stuck(folder: &Path, outcome: &str) {
    let (code, stdout, stderr) = forkpoint(folder, &["info", "s.fpt", "--json", "--verify"]);
    assert_eq!(code, 0, "{stderr}");
    let info: Value = serde_json::from_str(&stdout).unwrap();
    assert!(info["complete"] == true && info["outcome"] == outcome, "{stdout}");
    assert_eq!(info["verified"]["store"], 1000, "{stdout}");
    let (_, dump, _) = forkpoint(folder, &["dump", "s.fpt"]);
    let last = "i32.store [0x00001f9c] <- e7 03 00 00";
    let lines: Vec<&str> = dump.lines().rev().take(2).collect();
    assert!(lines[0].contains(&format!("end: {outcome}")) && lines[1].contains(last), "{lines:?}");
}

/// No event that the dead process recorded is lost, although it could not send them.
#[test]
fn an_engine_that_crashes_loses_no_event() {
    for (signal, name) in [("-SEGV", "SIGSEGV"), ("-ABRT", "SIGABRT"), ("-KILL", "SIGKILL")] {
        for engine in ["wasmtime:jit", "wasmtime:aot"] {
            let folder = folder_with(&[("s.wat", STUCK)]);
            let mut recorder = std::process::Command::new(common::FORKPOINT)
                .current_dir(folder.path())
                .args(["record", "s.wat", "--quiet", "--engine", engine])
                .stdout(std::process::Stdio::piped())
                .spawn()
                .unwrap();
            let mut ready = [0; 6];
            std::io::Read::read_exact(recorder.stdout.as_mut().unwrap(), &mut ready).unwrap();
            assert_eq!(&ready, b"ready\n");
            std::thread::sleep(Duration::from_millis(300));
            let engine_process = common::children(recorder.id());
            assert_eq!(engine_process.len(), 1, "{engine_process:?}");
            // The first signal may end up in a handler that the engine or Rust installed.
            for _ in 0..50 {
                if recorder.try_wait().unwrap().is_some() {
                    break;
                }
                let _ = std::process::Command::new("kill").args([signal, &engine_process[0]]).output().unwrap();
                std::thread::sleep(Duration::from_millis(100));
            }
            assert!(recorder.wait().unwrap().success());
            all_of_stuck(folder.path(), &format!("crashed: {name}"));
        }
    }
}

/// An engine that does not respond is killed in the end, and keeps all its events.
#[test]
fn an_engine_that_hangs_loses_no_event() {
    let folder = folder_with(&[("s.wat", STUCK)]);
    let (code, _, stderr) = forkpoint(folder.path(), &["record", "s.wat", "--timeout", "1s"]);
    assert!(code == 0 && stderr.contains("timed out"), "{stderr}");
    all_of_stuck(folder.path(), "timed out");
}

/// The guest's output goes where ours goes: to a pipe, which cannot be rewound, and after what a file holds already.
/// Standard output holds the report alone.
#[test]
fn echo_shows_the_left_guest_on_standard_error() {
    let guest = br#"(module
      (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
      (memory (export "memory") 1)
      (data (i32.const 0) "\08\00\00\00\06\00\00\00hello\n")
      (func (export "_start") (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))))"#;
    let folder = folder_with(&[("w.wat", guest), ("log", b"before\n")]);
    let arguments = ["compare", "w.wat", "--echo", "--json"];
    let (code, stdout, stderr) = forkpoint(folder.path(), &arguments);
    assert_eq!((code, stderr.as_str()), (0, "hello\n"), "{stdout}");
    assert!(serde_json::from_str::<Value>(&stdout).is_ok(), "{stdout}");
    let path = folder.path().join("log");
    let log = fs::OpenOptions::new().append(true).open(&path).unwrap();
    let mut command = std::process::Command::new(common::FORKPOINT);
    command.current_dir(folder.path()).args(arguments).stderr(log);
    assert!(command.output().unwrap().status.success());
    assert_eq!(fs::read_to_string(&path).unwrap(), "before\nhello\n");
}

/// The first run reads the file and changes its access time: with fixed clocks that is not a divergence.
#[test]
fn times_of_files_are_the_same_for_both_runs() {
    let guest = br#"(module
      (import "wasi_snapshot_preview1" "path_filestat_get"
        (func $stat (param i32 i32 i32 i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "path_open"
        (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "fd_filestat_get" (func $fstat (param i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
      (memory (export "memory") 1)
      (data (i32.const 0) "\08\00\00\00\04\00\00\00file")
      (func (export "_start")
        (if (call $stat (i32.const 3) (i32.const 0) (i32.const 8) (i32.const 4) (i32.const 64)) (then unreachable))
        (if (call $open (i32.const 3) (i32.const 0) (i32.const 8) (i32.const 4) (i32.const 0) (i64.const 0x200042)
              (i64.const 0) (i32.const 0) (i32.const 32)) (then unreachable))
        ;; Changes the file's time of last change.
        (if (call $write (i32.load (i32.const 32)) (i32.const 0) (i32.const 1) (i32.const 36)) (then unreachable))
        (if (call $fstat (i32.load (i32.const 32)) (i32.const 128)) (then unreachable))))"#;
    let folder = folder_with(&[("w.wat", guest), ("file", b"text")]);
    for trace in ["lhs.fpt", "rhs.fpt"] {
        let arguments = ["record", "w.wat", "--dir", ".", "--deterministic", "-o", trace];
        assert_eq!(forkpoint(folder.path(), &arguments).0, 0);
    }
    let (code, stdout, stderr) = forkpoint(folder.path(), &["diff", "lhs.fpt", "rhs.fpt"]);
    assert!(code == 0 && stdout.contains("both finished"), "{stdout}{stderr}");
    let (_, dump, _) = forkpoint(folder.path(), &["dump", "lhs.fpt", "--kind", "host-write", "--json"]);
    let stats: Vec<String> = dump
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|event| event["width"].as_u64().unwrap() > 40)
        .map(|event| event["bytes"].as_str().unwrap().to_string())
        .collect();
    // 2020-01-01 in nanoseconds, little endian.
    let times = "00008ab9359ae515".repeat(3);
    assert!(stats.len() == 2 && stats.iter().all(|stat| stat.ends_with(&times)), "{dump}");
}

#[test]
fn causes_are_said_once() {
    let folder = folder_with(&[("a.wat", COUNTER)]);
    let (_, _, stderr) = forkpoint(folder.path(), &["record", "a.wat", "--invoke", "run 9", "--dir", "nowhere"]);
    assert_eq!(stderr.matches("No such file").count(), 1, "{stderr}");
}

#[test]
fn a_wasi_guest_prints_what_it_printed_and_its_exit_code_is_kept() {
    let guest = br#"(module
      (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
      (memory (export "memory") 1)
      (data (i32.const 8) "hello \ff\00 world\n")
      (func (export "_start")
        (i32.store (i32.const 0) (i32.const 8))
        (i32.store (i32.const 4) (i32.const 15))
        (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 100)))
        (call $proc_exit (i32.const 3))))"#;
    let folder = folder_with(&[("w.wat", guest)]);
    let output = std::process::Command::new(common::FORKPOINT)
        .current_dir(folder.path())
        .args(["record", "w.wat", "-q"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(output.stdout, b"hello \xff\0 world\n", "bytes of the guest are not touched");
    assert_eq!(output.stderr, b"");
    let (_, stdout, _) = forkpoint(folder.path(), &["info", "w.fpt", "--json"]);
    let info: Value = serde_json::from_str(&stdout).unwrap();
    assert!(info["outcome"] == "exited with code 3" && info["complete"] == true, "{stdout}");
    let (_, dump, _) = forkpoint(folder.path(), &["dump", "w.fpt"]);
    assert!(dump.contains("host write [0x00000064; 4] <- 0f 00 00 00"), "the count fd_write gave back:\n{dump}");
}

/// Recording ends with an error if memory changed outside the recorded events, so success checks the invariant.
#[test]
fn every_byte_the_wasi_host_writes_is_recorded() {
    let guest = br#"(module
      (import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes (param i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "args_get" (func $args (param i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "environ_get" (func $environ (param i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
      (memory (export "memory") 1)
      (func (export "_start")
        (if (call $args_sizes (i32.const 0) (i32.const 4)) (then unreachable))
        (if (call $args (i32.const 16) (i32.const 256)) (then unreachable))
        (if (call $environ (i32.const 512) (i32.const 768)) (then unreachable))
        (if (call $random (i32.const 1024) (i32.const 64)) (then unreachable))
        (if (call $clock (i32.const 0) (i64.const 1) (i32.const 2048)) (then unreachable))
        ;; What the host wrote flows on into a store of the guest.
        (i64.store (i32.const 3000) (i64.load (i32.const 2048)))))"#;
    let folder = folder_with(&[("w.wat", guest)]);
    let (code, _, stderr) =
        forkpoint(folder.path(), &["record", "w.wat", "--env", "COLOUR=blue", "--", "first", "second"]);
    assert_eq!(code, 0, "{stderr}");
    let (code, stdout, stderr) = forkpoint(folder.path(), &["info", "w.fpt", "--json", "--verify"]);
    let info: Value = serde_json::from_str(&stdout).unwrap();
    assert!(code == 0 && info["outcome"] == "finished", "{stdout}{stderr}");
    assert!(info["verified"]["stray-bytes"].is_null(), "memory changed outside the events: {stdout}");
    let (_, dump, _) = forkpoint(folder.path(), &["dump", "w.fpt", "--json"]);
    let bytes: String = dump
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter_map(|event| event["bytes"].as_str().map(str::to_string))
        .collect();
    // A host write holds the bytes that changed: the last NUL was there before.
    let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    for text in ["first\0", "second", "COLOUR=blue"] {
        assert!(bytes.contains(&hex(text)), "expected {text:?} in:\n{dump}");
    }
    // With the fixed clock and random source, two engines agree on all of it.
    let (code, stdout, stderr) =
        forkpoint(folder.path(), &["compare", "w.wat", "--env", "A=b", "--rhs", "wasmtime:aot,opt=none"]);
    assert_eq!(code, 0, "{stdout}{stderr}");
}

#[test]
fn missing_imports_are_listed_together_with_their_types_in_words() {
    let module = br#"(module
      (import "env" "f" (func (param i32) (result i64)))
      (import "env" "m" (memory 1))
      (import "env" "m" (memory 1))
      (import "env" "big" (memory i64 1 2))
      (import "env" "c" (global f32))
      (import "env" "g" (global (mut f32)))
      (import "env" "t" (table 1 funcref))
      (import "env" "e" (tag (param i32)))
      (import "wasi_snapshot_preview1" "proc_exit" (func (param i32)))
      (import "wasi_snapshot_preview1" "no_such" (func))
      (func (export "f")))"#;
    let folder = folder_with(&[("g.wat", module)]);
    let (code, _, stderr) = forkpoint(folder.path(), &["record", "g.wat", "--invoke", "f"]);
    assert_eq!(code, 2, "{stderr}");
    let listed: Vec<&str> = stderr.lines().filter(|line| line.starts_with("  ")).collect();
    let expected = [
        "  env.f: func (i32) -> (i64)",
        "  env.m: memory 1",
        "  env.c: global f32",
        "  env.g: global (mut f32)",
        "  env.t: table 1 funcref",
        "  env.e: tag (i32)",
        "  wasi_snapshot_preview1.no_such: func () -> ()",
    ];
    assert_eq!(listed, expected, "{stderr}");
}

#[test]
fn a_trap_in_both_runs_is_reported_in_lines() {
    let folder = folder_with(&[("t.wat", br#"(module (memory 1) (func (export "f") unreachable))"#)]);
    let (code, stdout, stderr) = forkpoint(folder.path(), &["compare", "t.wat", "--invoke", "f"]);
    assert!(code == 0 && stdout.contains("both trapped"), "{stdout}{stderr}");
    assert!(!stdout.contains("\\u{a}"), "{stdout}");
}

/// Offsets in the rewritten module are useless to users: a trap and its callers are reported where the original has
/// them. The stores move everything after them.
#[test]
fn a_trap_is_placed_in_the_original_module() {
    let module = br#"(module
      (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
      (memory 1)
      (func $deep (i32.store (i32.const 0) (i32.const 1)) unreachable)
      (func (export "f") (i32.store (i32.const 4) (i32.const 2)) (call $deep))
      (func (export "host") (i32.store (i32.const 8) (i32.const 3))
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 0)))))"#;
    let folder = folder_with(&[("t.wat", module)]);
    let binary = wat::parse_bytes(module).unwrap();
    // The operands of each store are single bytes, so what follows them has only one encoding.
    let after = |store: &[u8], skip: usize| {
        let at = binary.windows(store.len()).position(|bytes| bytes == store).unwrap();
        format!("{:#x}", at + store.len() + skip)
    };
    let deep = after(&[0x41, 0, 0x41, 1, 0x36, 2, 0], 0);
    let f = after(&[0x41, 4, 0x41, 2, 0x36, 2, 0], 0);
    let (code, _, stderr) = forkpoint(folder.path(), &["record", "t.wat", "--invoke", "f"]);
    assert_eq!(code, 0, "{stderr}");
    let (_, stdout, _) = forkpoint(folder.path(), &["info", "t.fpt", "--json"]);
    let info: Value = serde_json::from_str(&stdout).unwrap();
    let expected =
        format!("wasm trap: wasm `unreachable` instruction executed\n  in deep at {deep}\n  called by f at {f}");
    assert_eq!(info["message"], expected);
    let dump = ["dump", "t.fpt", "--func", "deep", "--kind", "trap", "--json"];
    let (_, stdout, _) = forkpoint(folder.path(), &dump);
    let event: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(format!("{:#x}", event["offset"].as_u64().unwrap()), deep);
    assert_eq!(event["function"], 1);
    // WASI finds no exported memory and gives an error: the guest's frame, not one of the recorder's.
    let call = after(&[0x41, 8, 0x41, 3, 0x36, 2, 0], 8);
    assert_eq!(forkpoint(folder.path(), &["record", "t.wat", "--invoke", "host"]).0, 0);
    let (_, stdout, _) = forkpoint(folder.path(), &["dump", "t.fpt", "--kind", "trap"]);
    assert!(stdout.contains(&format!("in host at {call}")), "{stdout}");
}

/// However memory is checked along the way, no fault is found with a correct engine, and every way of recording sees
/// the same events.
#[test]
fn every_way_to_record_sees_the_same_events_and_finds_nothing() {
    let module = br#"(module (memory (export "memory") 2 4) (func (export "run") (param $n i32)
      (loop $l
        (i32.store8 (i32.and (local.get $n) (i32.const 0xffff)) (local.get $n))
        (f32.store offset=65536 (i32.const 8) (f32.convert_i32_u (local.get $n)))
        (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
      (drop (memory.grow (i32.const 1)))
      (i32.store (i32.const -4) (i32.const 1))))"#;
    let folder = folder_with(&[("t.wat", module)]);
    let ways: &[&[&str]] = &[
        &[],
        &["--hooks"],
        &["--hooks", "--checkpoint", "every=1000"],
        &["--read-back", "--checkpoint", "every=100000"],
        &["--hooks", "--read-back"],
        &["--checkpoint", "every=500"],
        &["--checkpoint", "calls"],
        &["--checkpoint", "end"],
    ];
    for (i, way) in ways.iter().enumerate() {
        let name = format!("{i}.fpt");
        // More events than any buffer holds; the last store traps.
        let command = [&["record", "t.wat", "--invoke", "run 100000", "-o", &name, "--json"], *way].concat();
        let (code, stdout, stderr) = forkpoint(folder.path(), &command);
        assert_eq!(code, 0, "{way:?}: {stdout}{stderr}");
        let summary: serde_json::Value = serde_json::from_str(&stdout).expect("JSON");
        assert_eq!((&summary["findings"], &summary["events"]), (&0.into(), &200_008.into()), "{way:?}");
        let (code, stdout, stderr) = forkpoint(folder.path(), &["diff", "0.fpt", &name]);
        assert_eq!(code, 0, "{way:?}: {stdout}{stderr}");
    }
}
