//! Texts and files in guest memory for calls of exports, allocated by the guest's own allocator, under every kind of
//! engine.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod common;

use common::external::{Need, PYTHON, Tests, libraries};
use common::{Ran, folder_with, repository, run};
use std::fs;
use std::path::Path;
use std::process::ExitCode;

/// Bump allocators in the style of C and of Rust, one that depends on how far memory can grow, and users of memory.
const GUEST: &str = r#"(module
  (memory (export "memory") 1)
  (global $next (mut i32) (i32.const 1024))
  (func $alloc (export "malloc") (param $size i32) (result i32)
    (local $at i32)
    (local.set $at (global.get $next))
    (global.set $next (i32.add (local.get $at) (i32.and (i32.add (local.get $size) (i32.const 15)) (i32.const -16))))
    (i32.store (i32.const 16) (global.get $next))
    (local.get $at))
  (func (export "__wbindgen_malloc") (param $size i32) (param $align i32) (result i32)
    (global.set $next (i32.and (i32.sub (i32.add (global.get $next) (local.get $align)) (i32.const 1))
                               (i32.sub (i32.const 0) (local.get $align))))
    (call $alloc (local.get $size)))
  (func (export "grows") (param i32) (result i32)
    (if (result i32) (i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (then (i32.const 2048)) (else (i32.const 65536))))
  (func (export "grows_or_none") (param i32) (result i32)
    (if (result i32) (i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (then (i32.const 0)) (else (i32.const 65536))))
  (func (export "none") (param i32) (result i32) (i32.const 0))
  (func (export "outside") (param i32) (result i32) (i32.const 65534))
  (func (export "strlen") (param $at i32) (result i32)
    (local $length i32)
    (block (loop
      (br_if 1 (i32.eqz (i32.load8_u (i32.add (local.get $at) (local.get $length)))))
      (local.set $length (i32.add (local.get $length) (i32.const 1)))
      (br 0)))
    (i32.store (i32.const 32) (local.get $length))
    (local.get $length))
  (func (export "parse") (param $at i32) (param $length i32) (result i32 i64)
    (local $sum i32)
    (block (loop
      (br_if 1 (i32.eqz (local.get $length)))
      (local.set $length (i32.sub (local.get $length) (i32.const 1)))
      (local.set $sum (i32.add (local.get $sum) (i32.load8_u (i32.add (local.get $at) (local.get $length)))))
      (br 0)))
    (i32.store (i32.const 36) (local.get $sum))
    (local.get $at) (i64.extend_i32_u (local.get $sum)))
  (func (export "total") (param i32 i64) (result i64)
    (i64.store (i32.const 40) (i64.add (local.get 1) (i64.load8_u (local.get 0))))
    (i64.load (i32.const 40)))
  (func (export "trap") (param i32) (result i32) (i32.div_u (i32.const 1) (i32.load8_u (local.get 0)))))"#;

const CALLS: &[&str] = &[
    "--alloc",
    "__wbindgen_malloc len 8",
    "--invoke",
    r#"strlen "digraph{a->b}""#,
    "--invoke",
    "parse b@numbers.bin len",
    "--invoke",
    "total result result:2.2",
    "--invoke",
    r#"strlen u"\u{e9}t\u{e9}""#,
];

fn main() -> ExitCode {
    let mut tests = Tests::default();
    tests.add("what_is_put_is_in_the_trace_and_replays_without_the_file", &[], replays_without_the_file);
    tests.add("each_way_to_record_agrees", &[], each_way_to_record_agrees);
    let engines = [
        ("wasmtime:aot", vec![]),
        ("wasmtime:winch", vec![]),
        ("wasmtime:pulley", vec![]),
        ("wasmi", vec![]),
        ("node", vec![Need::Node]),
    ];
    for (engine, needs) in engines {
        tests.add(format!("engines_agree::{engine}"), &needs, move || agrees(engine));
    }
    for release in ["0.30.0", "17.0.0", "48.0.0"] {
        let name = format!("libwasmtime-{release}.so");
        tests.add(format!("engines_agree::{name}"), &[Need::library(&name)], move || {
            agrees(&format!("capi:jit,lib={}", libraries().join(&name).display()));
        });
    }
    tests.add("many_engines_and_a_sweep_take_texts", &[], many_engines_and_a_sweep_take_texts);
    tests.add("another_address_is_a_divergence", &[], another_address_is_a_divergence);
    tests.add("no_room_on_one_side_is_a_divergence", &[], no_room_on_one_side_is_a_divergence);
    tests.add("no_room_is_said_and_is_no_answer", &[], no_room_is_said_and_is_no_answer);
    tests.add("a_trap_with_a_text_has_its_place", &[], a_trap_with_a_text_has_its_place);
    tests.add("an_allocators_answer_is_not_believed", &[PYTHON], an_allocators_answer_is_not_believed);
    tests.add("what_cannot_be_put_is_said", &[], what_cannot_be_put_is_said);
    tests.run()
}

fn folder() -> tempfile::TempDir {
    folder_with(&[("t.wat", GUEST.as_bytes()), ("numbers.bin", &[1, 2, 250])])
}

fn forkpoint(folder: &Path, first: &[&str], then: &[&str]) -> Ran {
    run(folder, &[first, then].concat())
}

fn replays_without_the_file() {
    let folder = folder();
    let recorded = forkpoint(folder.path(), &["record", "t.wat", "--checkpoint", "every=1"], CALLS);
    assert_eq!(
        (recorded.code, recorded.stdout.as_str()),
        (0, "1024\n13\n1040\n1040\n253\n254\n1056\n1\n"),
        "{}",
        recorded.stderr
    );
    fs::remove_file(folder.path().join("numbers.bin")).unwrap();
    let verified = run(folder.path(), &["info", "--verify", "t.fpt"]);
    assert_eq!(verified.code, 0, "{}{}", verified.stdout, verified.stderr);
    let dump = run(folder.path(), &["dump", "t.fpt"]).stdout;
    for line in [
        "call __wbindgen_malloc(14, 8)\n",
        "host write [0x00000400; 14] <- 64 69 67 72 61 70 68 7b 61 2d 3e 62 7d 00\n",
        "call strlen(1024)\n",
        "host write [0x00000410; 3] <- 01 02 fa\n",
        "call parse(1040, 3)\n",
        "call total(1040, 253)\n",
        "host write [0x00000420; 6] <- e9 00 74 00 e9 00\n",
    ] {
        assert!(dump.contains(line), "{line}{dump}");
    }
    for engine in ["wasmtime:aot,opt=none", "wasmi"] {
        let replayed = run(folder.path(), &["replay", "t.fpt", "--engine", engine]);
        assert_eq!(replayed.code, 0, "{engine}: {}{}", replayed.stdout, replayed.stderr);
    }
}

fn each_way_to_record_agrees() {
    let folder = folder();
    for how in [
        &["--read-back"][..],
        &["--hooks"],
        &["--checkpoint", "calls"],
        &["--checkpoint", "every=1"],
        &["--host", "live"],
    ] {
        let ran = forkpoint(folder.path(), &[&["compare", "t.wat", "--rhs", "wasmtime:aot"], how].concat(), CALLS);
        assert!(ran.code == 0 && !ran.stdout.contains("Recording"), "{how:?}: {}{}", ran.stdout, ran.stderr);
    }
}

fn agrees(engine: &str) {
    let folder = folder();
    let ran = forkpoint(folder.path(), &["compare", "t.wat", "--rhs", engine, "-o", "out"], CALLS);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let info = run(folder.path(), &["info", "--verify", "out/rhs.fpt"]);
    assert!(info.code == 0 && info.stdout.contains("3 host-write"), "{}{}", info.stdout, info.stderr);
}

fn many_engines_and_a_sweep_take_texts() {
    let folder = folder();
    let many = forkpoint(folder.path(), &["compare", "t.wat", "--engines", "wasmtime;wasmtime:pulley;wasmi"], CALLS);
    assert!(many.code == 0 && many.stdout.contains("All 3 engines"), "{}{}", many.stdout, many.stderr);
    let sweep = forkpoint(folder.path(), &["sweep", ".", "--engines", "wasmtime;wasmi", "--json"], CALLS);
    assert!(sweep.code == 0 && sweep.stdout.contains("\"agree\": 1"), "{}{}", sweep.stdout, sweep.stderr);
}

/// Compares Wasmtime with itself when memory cannot grow.
fn without_growth(folder: &Path, allocator: &str) -> (i32, String, String) {
    let call = ["--alloc", allocator, "--invoke", r#"strlen "ab""#, "-o", "out"];
    let sides = ["compare", "t.wat", "--rhs", "wasmtime:jit", "--rhs-memory-page-limit", "1"];
    let ran = forkpoint(folder, &sides, &call);
    let dump = run(folder, &["dump", "out/rhs.fpt"]);
    (ran.code, ran.stdout + &ran.stderr, dump.stdout)
}

fn another_address_is_a_divergence() {
    let folder = folder();
    let (code, report, rhs) = without_growth(folder.path(), "grows");
    assert!(code == 1 && report.contains("memory.grow"), "{report}");
    for line in ["return 2048\n", "host write [0x00000800; 3] <- 61 62 00\n", "call strlen(2048)\n", "return 2\n"] {
        assert!(rhs.contains(line), "{line}{rhs}");
    }
}

fn no_room_on_one_side_is_a_divergence() {
    let folder = folder();
    let (code, report, rhs) = without_growth(folder.path(), "grows_or_none");
    assert!(code == 1 && report.contains("memory.grow"), "{report}");
    assert!(rhs.contains("return 0\n") && rhs.contains("end: the allocator made no room"), "{rhs}");
    assert!(!rhs.contains("host write") && !rhs.contains("call strlen"), "{rhs}");
}

fn no_room_is_said_and_is_no_answer() {
    let folder = folder();
    for (allocator, gave) in
        [("none", "gave 0, which is not an address"), ("outside", "gave 0xfffe, and memory has 65536 bytes")]
    {
        // A call that needs no room is still made.
        let calls = ["--alloc", allocator, "--invoke", r#"strlen "digraph""#, "--invoke", "strlen 16"];
        let recorded = forkpoint(folder.path(), &["record", "t.wat"], &calls);
        assert!(recorded.code == 2 && recorded.stderr.contains(gave), "{}", recorded.stderr);
        assert!(recorded.stderr.contains("`strlen` was not called"), "{}", recorded.stderr);
        let dump = run(folder.path(), &["dump", "t.fpt"]).stdout;
        assert!(dump.contains("call strlen(16)") && dump.matches("call strlen").count() == 1, "{dump}");
        let compared = forkpoint(folder.path(), &["compare", "t.wat", "--rhs", "wasmi"], &calls);
        assert!(compared.code == 2 && compared.stdout.contains(gave), "{}{}", compared.stdout, compared.stderr);
        assert!(!compared.stdout.contains("Recording"), "{}", compared.stdout);
        let failed = forkpoint(folder.path(), &["record", "t.wat", "--fail-on", "no-room"], &calls);
        assert_eq!(failed.code, 1, "{}", failed.stderr);
    }
}

fn a_trap_with_a_text_has_its_place() {
    let folder = folder();
    let calls = ["--alloc", "malloc", "--invoke", r#"trap "\00""#];
    for engine in ["wasmtime:jit", "wasmtime:pulley", "wasmi"] {
        let recorded = forkpoint(folder.path(), &["record", "t.wat", "-e", engine], &calls);
        assert!(recorded.stderr.contains("integer divide by zero"), "{engine}: {}", recorded.stderr);
    }
    let ran = forkpoint(folder.path(), &["record", "t.wat"], &calls);
    assert!(ran.stderr.contains("in trap at 0x") && !ran.stderr.contains("called by"), "{}", ran.stderr);
    // A call that needs the result of a trapped call is not made.
    let calls = [&calls[..], &["--invoke", "strlen result", "--invoke", "strlen 2000"]].concat();
    let ran = forkpoint(folder.path(), &["compare", "t.wat", "--rhs", "wasmi", "-o", "out"], &calls);
    let dump = run(folder.path(), &["dump", "out/rhs.fpt"]).stdout;
    assert!(ran.code == 0 && dump.matches("call strlen").count() == 1, "{}{dump}", ran.stdout);
}

fn an_allocators_answer_is_not_believed() {
    let folder = folder();
    let runner = repository("tests/runners/allocating.py").display().to_string();
    let call = ["--alloc", "malloc", "--invoke", r#"strlen "ab""#];
    for answer in [
        r#"[{"I32":0}]"#,
        r#"[{"I32":-1}]"#,
        r#"[{"I32":65534}]"#,
        r#"[{"F64":9}]"#,
        r#"[{"Reference":"null"}]"#,
        "[]",
    ] {
        for then in ["traps", "goes-on"] {
            let rhs = format!("runner:python3 {runner} {answer} {then}");
            let rhs = rhs.replace(answer, &format!("'{answer}'"));
            let ran =
                forkpoint(folder.path(), &["compare", "t.wat", "--rhs", &rhs, "--no-guard", "-o", "out"], &call);
            assert_eq!(ran.code, 1, "{answer} {then}: {}{}", ran.stdout, ran.stderr);
            assert!(ran.stdout.contains("diverge at #"), "{answer} {then}: {}", ran.stdout);
            let info = run(folder.path(), &["info", "--verify", "out/rhs.fpt"]);
            assert_eq!(info.code, 0, "{answer} {then}: {}{}", info.stdout, info.stderr);
            let _ = fs::remove_dir_all(folder.path().join("out"));
        }
    }
}

fn what_cannot_be_put_is_said() {
    let folder = folder();
    for (options, words) in [
        (&["--invoke", r#"strlen "a""#][..], "name the export that gives it, as in --alloc malloc; it exports"),
        (&["--alloc", "parse", "--invoke", r#"strlen "a""#], "takes 2 argument(s)"),
        (&["--alloc", "trap 1 2", "--invoke", r#"strlen "a""#], "takes 1 argument(s)"),
        (&["--alloc", "mallok", "--invoke", r#"strlen "a""#], "exports no function `mallok`"),
        (&["--alloc", "malloc", "--invoke", "strlen @nowhere"], "reading nowhere: No such file"),
        (&["--alloc", "malloc", "--invoke", r#"strlen "a"#], "a quotation mark is not closed"),
        (&["--alloc", "malloc", "--invoke", r#"strlen "\q""#], "`\\q` is not an escape"),
        (&["--alloc", "malloc", "--features=-bulk-memory", "--invoke", r#"strlen "a""#], "leave out -bulk-memory"),
        (&["--alloc", "malloc", "--invoke", "strlen result"], "there is no call before this one"),
        (&["--alloc", "malloc", "--invoke", "strlen @numbers.bin", "-o", "numbers.bin"], "numbers.bin"),
    ] {
        let ran = forkpoint(folder.path(), &["record", "t.wat"], options);
        assert!(ran.code == 2 && ran.stderr.contains(words), "{options:?}: {}", ran.stderr);
    }
    assert_eq!(fs::read(folder.path().join("numbers.bin")).unwrap(), [1, 2, 250]);
}
