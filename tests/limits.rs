//! Limits of a run: what an engine's process may use.

mod common;

use common::{folder_with, run};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// Grows to 512 MiB and writes to all of it, over and over.
const HUNGRY: &[u8] = br#"(module (memory 1)
    (func (export "run")
      (i32.store (i32.const 0) (i32.const 1))
      (drop (memory.grow (i32.const 8191)))
      (loop $again (memory.fill (i32.const 0) (i32.const 7) (i32.const 0x20000000)) (br $again))))"#;

#[test]
fn a_process_that_takes_too_much_memory_is_ended() {
    let folder = folder_with(&[("m.wat", HUNGRY)]);
    for engine in ["wasmtime:jit", "wasmi"] {
        let limits = ["--max-memory", "300M", "--timeout", "60s"];
        let record = ["record", "m.wat", "--invoke", "run", "-e", engine, "-o", "m.fpt", "--json"];
        let ran = run(folder.path(), &[&record[..], &limits].concat());
        let summary: Value = serde_json::from_str(&ran.stdout).unwrap_or_default();
        assert_eq!(summary["outcome"], "took more memory than allowed", "{engine}: {ran:?}");
        // The events before are kept.
        let dump = run(folder.path(), &["dump", "m.fpt", "--kind", "store"]);
        assert!(dump.code == 0 && dump.stdout.contains("i32.store [0x00000000] <- 01 00 00 00"), "{dump:?}");
    }
    let compare = ["compare", "m.wat", "--invoke", "run", "--max-memory", "300M", "--no-guard", "--json"];
    let ran = run(folder.path(), &compare);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_default();
    // Where it was ended proves nothing.
    assert_eq!((ran.code, &report["agree"]), (2, &Value::Null), "{report:#}");
    let wrong = run(folder.path(), &["record", "m.wat", "--invoke", "run", "--max-memory", "much"]);
    assert!(wrong.code == 2 && wrong.stderr.contains("K, M or G"), "{wrong:?}");
}

/// Fills more memory than a stranger's trace of this length may, then stores a value that the specification leaves
/// open.
const FILLED: &[u8] = br#"(module (memory 2048)
    (func (export "run")
      (memory.fill (i32.const 0) (i32.const 255) (i32.const 100000000))
      (v128.store (i32.const 64) (i32x4.relaxed_trunc_f32x4_s (f32x4.splat (f32.const nan)))))
    (func (export "trap") (result i32)
      (memory.fill (i32.const 0) (i32.const 0) (i32.const 100000000))
      (memory.fill (i32.const 0) (i32.const 255) (i32.const 100000000))
      (i32.div_u (i32.const 7) (i32.lt_s
        (i32.reinterpret_f32 (f32.div (f32.load (i32.const 0x7000000)) (f32.load (i32.const 0x7000000))))
        (i32.const 0)))))"#;

#[test]
fn runs_of_our_own_may_fill_any_memory() {
    let folder = folder_with(&[("m.wat", FILLED)]);
    let engines = ["--lhs", "wasmtime:jit", "--rhs", "wasmtime:pulley"];
    let compare = ["compare", "m.wat", "--invoke", "run", "--json"];
    let ran = run(folder.path(), &[&compare[..], &engines].concat());
    let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_default();
    // If machine and interpreter convert a NaN to the same number, there is nothing to report.
    let expected = if cfg!(target_arch = "x86_64") { 1 } else { 0 };
    assert_eq!(ran.code, expected, "{ran:?}");
    assert!(report["agree"].is_boolean(), "{ran:?}");
    if expected == 1 {
        // Reruns open these traces, too.
        assert_eq!(report["reruns"]["follows_from"]["what"], "relaxed-simd", "{report:#}");
    }
    let engines = ["--lhs", "wasmtime:jit,nan-canonicalization=on", "--rhs", "wasmi"];
    let ran = run(folder.path(), &[&["compare", "m.wat", "--invoke", "trap", "--json"], &engines[..]].concat());
    let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_default();
    if expected == 1 {
        let reruns = &report["reruns"];
        assert_eq!((&report["verdict"], &reruns["notes"]), (&"trap".into(), &serde_json::json!([])), "{report:#}");
        assert_eq!(reruns["follows_from"]["what"], "nan-bits", "{report:#}");
    }
    let record = ["record", "m.wat", "--invoke", "run", "-o", "m.fpt"];
    let recorded = run(folder.path(), &record);
    assert_eq!(recorded.code, 0, "{recorded:?}");
    // 24,415 pages and the table that finds them.
    assert!(recorded.stderr.contains("set FORKPOINT_TRACE_MEMORY=96M"), "{recorded:?}");
    let refused = run(folder.path(), &["info", "--verify", "m.fpt"]);
    assert!(refused.code != 0 && refused.stderr.contains("FORKPOINT_TRACE_MEMORY"), "{refused:?}");
    assert!(refused.stderr.contains("sound as far as it was replayed"), "nothing is wrong with it: {refused:?}");
}

const GROWS: &[u8] =
    br#"(module (memory 1) (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))"#;

/// Runs forkpoint with this many KiB of address space per process.
fn limited(folder: &Path, kib: u64, command: &str) -> (i32, String) {
    let script = format!("ulimit -v {kib} && exec '{}' {command}", common::FORKPOINT);
    let ran = Command::new("sh").current_dir(folder).args(["-c", &script]).output().expect("a shell");
    let words = String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr);
    (ran.status.code().unwrap_or(-1), words)
}

#[test]
fn memory_that_may_have_been_refused_by_the_machine_is_said_to_be() {
    let folder = folder_with(&[("m.wat", GROWS)]);
    let folder = folder.path();
    // One that fits, refused for another reason: it is unknown who refused it.
    let compare = "compare m.wat --invoke 'grow 10' --lhs wasmi --rhs wasmi --rhs-memory-page-limit 5";
    let (code, report) = limited(folder, 4_000_000, compare);
    assert!(
        code == 1 && report.contains("The machine may have refused it, and not the engine: the process of rhs"),
        "{report}"
    );
    assert!(
        report.contains("4096000000 bytes of address space (ulimit -v), and this memory alone would have 720896"),
        "{report}"
    );
    let (code, report) = (run(folder, &common::words(compare)).code, run(folder, &common::words(compare)).stdout);
    assert!(code == 1 && !report.contains("The machine"), "{report}");
    // One that fits into no process.
    let grow = "record m.wat --invoke 'grow 8000' -e wasmi";
    assert_eq!(run(folder, &common::words(&format!("{grow} -o lhs.fpt"))).code, 0);
    let (code, words) = limited(folder, 500_000, &format!("{grow} -o rhs.fpt"));
    assert!(code == 0 && words.starts_with("-1\n"), "{words}");
    let ran = run(folder, &["diff", "lhs.fpt", "rhs.fpt"]);
    assert!(ran.code == 2 && ran.stdout.contains("The machine refused it, and not the engine"), "{}", ran.stdout);
    let ran = run(folder, &["diff", "lhs.fpt", "rhs.fpt", "--json"]);
    let report: Value = serde_json::from_str(&ran.stdout).expect("a report");
    assert_eq!((&report["agree"], &report["machine"]), (&Value::Null, &report["reason"]), "{report:#}");
}
