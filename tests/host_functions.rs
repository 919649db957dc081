//! Host functions without Rust: modules and scripts that read, write and grow the guest's memory.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod common;

use common::{Ran, folder_with, has_program, run};
use std::path::Path;

/// The shape of a module made for a web page: its host fills memory and grows it.
const GUEST: &[u8] = br#"(module
  (import "env" "now" (func $now (result f64)))
  (import "env" "read_config" (func $read_config (param i32 i32) (result i32)))
  (import "env" "resize_heap" (func $resize_heap (param i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "run") (param $want i32) (result i32)
    (f64.store (i32.const 8) (call $now))
    (i32.store (i32.const 16) (call $read_config (i32.const 64) (i32.const 32)))
    (if (call $resize_heap (local.get $want))
      (then (i32.store (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 4)) (i32.load (i32.const 64)))))
    (i32.load (i32.const 64))))"#;

const MODULE: &[u8] = br#"(module
  (import "guest" "write" (func $write (param i32 i32 i32)))
  (import "guest" "grow" (func $grow (param i32) (result i32)))
  (import "guest" "size" (func $size (result i64)))
  (memory (export "memory") 1)
  (data (i32.const 0) "name=forkpoint")
  (func (export "now") (result f64) (f64.add (f64.const 0.5) (f64.convert_i64_u (call $size))))
  (func (export "read_config") (param i32 i32) (result i32)
    (call $write (local.get 0) (i32.const 0) (i32.const 14)) (i32.const 14))
  (func (export "resize_heap") (param i32) (result i32)
    (i32.ne (call $grow (local.get 0)) (i32.const -1))))"#;

const JAVASCRIPT: &[u8] = br#"
const config = "name=forkpoint";
export const env = {
  now: (memory) => memory.pages + 0.5,
  read_config: (memory, ptr, room) => memory.write(ptr, config.slice(0, room)),
  resize_heap: (memory, want) => (memory.grow(want) < 0 ? 0 : 1),
};"#;

const PYTHON: &[u8] = br#"
CONFIG = "name=forkpoint"
def env__now(memory):
    return memory.pages + 0.5
def resize(memory, want):
    return 0 if memory.grow(want) < 0 else 1
functions = {
    ("env", "read_config"): lambda memory, ptr, room: memory.write(ptr, CONFIG[:room]),
    ("env", "resize_heap"): resize,
}
"#;

/// Engines that a recording is replayed under.
const ENGINES: &[&str] = &["wasmtime:aot,opt=none", "wasmi", "node"];

/// Records with a checkpoint around every host call, removes the hosts, and replays under other engines.
fn record_and_replay(folder: &Path, options: &[&str], engines: &[&str]) -> String {
    let mut arguments = vec!["record", "t.wat", "--checkpoint", "calls"];
    arguments.extend(options);
    let recorded = run(folder, &arguments);
    assert_eq!(recorded.code, 0, "{}{}", recorded.stdout, recorded.stderr);
    for host in ["host.wat", "host.mjs", "host.py"] {
        let _ = std::fs::remove_file(folder.join(host));
    }
    let verified = run(folder, &["info", "--verify", "t.fpt"]);
    assert_eq!(verified.code, 0, "{}{}", verified.stdout, verified.stderr);
    for engine in engines.iter().filter(|engine| **engine != "node" || has_program("node", "--version")) {
        let replayed = run(folder, &["replay", "t.fpt", "--engine", engine]);
        assert_eq!(replayed.code, 0, "{engine}: {}{}", replayed.stdout, replayed.stderr);
    }
    run(folder, &["dump", "t.fpt"]).stdout
}

fn is_answered(option: &str, value: &str, file: (&str, &[u8])) {
    let folder = folder_with(&[("t.wat", GUEST), file]);
    let dump =
        record_and_replay(folder.path(), &[option, value, "--invoke", "run 2", "--invoke", "run 70000"], ENGINES);
    let steps = [
        "env.now -> 1.5\n",
        "host write [0x00000040; 14] <- 6e 61 6d 65 3d 66 6f 72 6b 70 6f 69 6e 74\n",
        "host grows by 2 -> 1 (now 3 pages)\n",
        "i32.store [0x0002fffc] <- 6e 61 6d 65",
        "return 1701667182\n",
        "env.now -> 3.5\n",
        "env.resize_heap -> 0\n",
    ];
    let missing: Vec<_> = steps.iter().filter(|step| !dump.contains(**step)).collect();
    assert!(missing.is_empty(), "{missing:?} are missing in\n{dump}");
}

#[test]
fn a_module_writes_and_grows_the_guests_memory() {
    is_answered("--preload", "env=host.wat", ("host.wat", MODULE));
}

#[test]
fn a_javascript_file_does() {
    if has_program("node", "--version") {
        is_answered("--host-script", "host.mjs", ("host.mjs", JAVASCRIPT));
    }
}

#[test]
fn a_python_file_does() {
    if has_program("python3", "--version") {
        is_answered("--host-script", "host.py", ("host.py", PYTHON));
    }
}

/// Every type gets through, and what a function reads is compared in later runs.
const TYPES: &[u8] = br#"(module
  (import "env" "log" (func $log (param i32 i32)))
  (import "env" "mix" (func $mix (param i64 f32 f64 v128) (result i64 f32 f64 v128)))
  (import "env" "nan" (func $nan (param f64) (result f64)))
  (memory (export "memory") 1)
  (data (i32.const 100) "hello")
  (func (export "run") (local i64 f32 f64 v128)
    (call $log (i32.const 100) (i32.const 5))
    (call $mix (i64.const -9007199254740993) (f32.const 0.1) (f64.const 0.1) (v128.const i32x4 1 2 3 4))
    (local.set 3) (local.set 2) (local.set 1) (local.set 0)
    (i64.store (i32.const 0) (local.get 0)) (f32.store (i32.const 8) (local.get 1))
    (f64.store (i32.const 16) (local.get 2)) (v128.store (i32.const 32) (local.get 3))
    (f64.store (i32.const 64) (call $nan (f64.const nan:0x4000000000001)))))"#;

fn types_go_through(name: &str, script: &[u8]) {
    let folder = folder_with(&[("t.wat", TYPES), (name, script)]);
    // JavaScript has no vectors, so this is not run under V8.
    let dump = record_and_replay(folder.path(), &["--host-script", name, "--invoke", "run"], &ENGINES[..2]);
    let steps = [
        // -9007199254740994: not a double.
        "i64.store [0x00000000] <- fe ff ff ff ff ff df ff",
        "f32.store [0x00000008] <- cd cc cc 3d",
        "f64.store [0x00000010] <- 9a 99 99 99 99 99 b9 3f",
        "v128.store [0x00000020] <- 01 00 00 00 02 00 00 00 03 00 00 00 04 00 00 00",
        "f64.store [0x00000040] <- 02 00 00 00 00 00 f4 7f",
    ];
    let missing: Vec<_> = steps.iter().filter(|step| !dump.contains(**step)).collect();
    assert!(missing.is_empty(), "{missing:?} are missing in\n{dump}");
}

#[test]
fn values_of_every_type_are_exact_in_javascript() {
    if has_program("node", "--version") {
        types_go_through(
            "host.mjs",
            br#"export default { env: {
              log: (memory, ptr, length) => console.log(memory.text(ptr, length)),
              mix: (_, a, b, c, d) => [a - 1n, b, c, d],
              nan: (memory) => ({ bits: memory.bits(0) + 1n }),
            } };"#,
        );
    }
}

#[test]
fn values_of_every_type_are_exact_in_python() {
    if has_program("python3", "--version") {
        types_go_through(
            "host.py",
            br#"
def env__log(memory, ptr, length):
    print(memory.text(ptr, length))
def env__mix(memory, a, b, c, d):
    return a - 1, b, c, d
def env__nan(memory, value):
    return {"bits": memory.bits(0) + 1}
"#,
        );
    }
}

/// A guest with one import, `env.f`.
const ONE: &[u8] = br#"(module (import "env" "f" (func $f (param i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "run") (param i32) (i32.store (i32.const 0) (call $f (local.get 0)))))"#;

fn with(script: &str, options: &[&str]) -> Ran {
    let folder = folder_with(&[("t.wat", ONE), ("host.mjs", script.as_bytes())]);
    let mut arguments = vec!["record", "t.wat", "--host-script", "host.mjs", "--invoke", "run -4"];
    arguments.extend(options);
    run(folder.path(), &arguments)
}

/// A fault in a script is an error that names it, and never ends the guest.
#[test]
fn a_broken_script_is_an_error_of_the_host() {
    if !has_program("node", "--version") {
        return;
    }
    let cases = [
        ("export const env = { f: () => undefined };", "returned undefined"),
        ("export const env = { f: () => 1.5 };", "return an integer of 32 bits"),
        ("export const env = { f: () => 5n };", "returned 5n (bigint) for a result of type i32"),
        ("export const env = { f() { throw new Error('mine\\u001b[1m'); } };", "env.f: Error: mine\u{fffd}[1m"),
        ("export const env = { f() { process.exit(3); } };", "ended in the middle of a call"),
        ("export const env = { f() { for (;;); } };", "did not answer within 1s"),
        ("export const env = {", "SyntaxError"),
        ("for (;;);", "did not answer within 1s"),
        ("export const wasi_snapshot_preview1 = { fd_write() {} };", "only a WASI host answers WASI"),
    ];
    for (script, words) in cases {
        let ran = with(script, &["--host-script-timeout", "1s"]);
        assert_eq!(ran.code, 2, "{script}: {}{}", ran.stdout, ran.stderr);
        assert!(ran.stderr.contains(words) && ran.stderr.contains("host.mjs"), "{script}: {}", ran.stderr);
    }
}

#[test]
fn a_script_traps_and_ends_the_guest() {
    if !has_program("node", "--version") {
        return;
    }
    let trapped = with("export const env = { f: (memory) => memory.trap('no more') };", &[]);
    assert!(trapped.code == 0 && trapped.stderr.contains("error in a host function"), "{}", trapped.stderr);
    assert!(trapped.stderr.contains("no more"), "{}", trapped.stderr);
    // The pointer is the guest's, so the guest traps: -4 is 4 bytes below 4 GiB.
    let outside = with("export const env = { f: (memory, ptr) => memory.write(ptr, 'abcd') };", &[]);
    assert!(
        outside.code == 0
            && outside.stderr.contains("4 bytes at 0xfffffffc lie outside of the guest's memory of 0x10000 bytes"),
        "{}",
        outside.stderr
    );
    let over = with("export const env = { f: (memory) => memory.exit(7) };", &[]);
    assert!(over.code == 0 && over.stderr.contains("exited with code 7"), "{}", over.stderr);
}

/// What a script lacks is answered by others, or reported missing with a hint.
#[test]
fn functions_that_a_script_lacks_fall_to_others() {
    if !has_program("node", "--version") {
        return;
    }
    let lacks = with("export const env = { g: () => 1 };", &[]);
    assert!(lacks.code == 2 && lacks.stderr.contains("env.f: func"), "{}", lacks.stderr);
    assert!(lacks.stderr.contains("--host-script"), "{}", lacks.stderr);
    let other = with("export const env = { g: () => 1 };", &["--import", "env.f=3"]);
    assert_eq!(other.code, 0, "{}", other.stderr);
}

#[test]
fn a_module_reaches_no_memory_that_is_not_there() {
    let host = br#"(module
      (import "guest" "read" (func $read (param i64 i32 i32)))
      (memory (export "memory") 1)
      (func (export "f") (param i32) (result i32)
        (call $read (i64.extend_i32_u (local.get 0)) (i32.const 65534) (i32.const 2)) (i32.const 0)))"#;
    let folder = folder_with(&[("t.wat", ONE), ("host.wat", host)]);
    let dump = record_and_replay(
        folder.path(),
        &["--preload", "env=host.wat", "--invoke", "run 65534", "--invoke", "run 65535"],
        ENGINES,
    );
    assert_eq!(dump.matches("trap: error in a host function").count(), 1, "{dump}");
    assert!(dump.contains("2 bytes at 0xffff lie outside of the guest's memory"), "{dump}");
    for (host, words) in [
        (r#"(module (import "guest" "read" (func (param f32))) (func (export "f")))"#, "expected 3 parameter(s)"),
        (r#"(module (import "guest" "read" (func (param i32 i32 i32))) (func (export "f")))"#, "exports no memory"),
        (
            r#"(module (import "guest" "look" (func)) (func (export "f")))"#,
            "may import only read, write, size and grow",
        ),
    ] {
        std::fs::write(folder.path().join("host.wat"), host).unwrap();
        let refused = run(folder.path(), &["record", "t.wat", "--preload", "env=host.wat", "--invoke", "run 0"]);
        assert!(refused.code == 2 && refused.stderr.contains(words), "{}", refused.stderr);
    }
}
