//! Real bugs of released engines, found by the general mechanisms. The engines are separate programs, built by
//! `tests/engines/build.sh`. Bugs of engines that are libraries are cases in files (tests/released.rs).

mod common;

use common::external::{Need, external_tests, runners};
use serde_json::Value;

const WASMI: Need = Need::Runner("wasmi-0-43");
const WASMTIME: Need = Need::Runner("wasmtime-43");

external_tests! {
    [WASMI] => a_store_lane_that_writes_one_byte_is_an_uncommitted_store,
        wasmi_without_a_host_gets_the_answers_of_the_other_side;
    [WASMTIME] => a_store_in_place_of_a_trap_is_shown_with_where_its_bytes_went,
        wasmtime_without_a_host_gets_the_answers_of_the_other_side,
        an_old_engine_agrees_with_a_new_one_where_both_are_right;
}

/// The engine spec of a runner with its own arguments.
fn runner(name: &str, arguments: &str) -> String {
    format!("runner:{} {arguments}", runners().join(name).display()).trim_end().to_string()
}

/// Compares two engines on a module of `tests/cases/known-bugs`.
fn compare(module: &str, call: &str, lhs: &str, rhs: &str, more: &[&str]) -> (i32, Value) {
    let module = common::repository_text(&format!("tests/cases/known-bugs/{module}"));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut command = vec!["compare", &module, "--invoke", call, "--lhs", lhs, "--rhs", rhs, "--json"];
    command.extend(more);
    let ran = common::run(folder.path(), &command);
    let report = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.stderr));
    (ran.code, report)
}

fn a_store_lane_that_writes_one_byte_is_an_uncommitted_store() {
    let wasmi = runner("wasmi-0-43", "");
    // Found by a checkpoint and a second run, and by reading back, to the width of a lane.
    for more in [&[][..], &["--read-back"], &["--no-guard"]] {
        for (call, instruction) in [
            ("lane16 0", "v128.store16_lane offset=300 3"),
            ("lane32 0", "v128.store32_lane offset=1000 2"),
            ("lane32 70", "v128.store32_lane offset=1000 2"),
            ("lane64 8", "v128.store64_lane offset=4096 1"),
            ("copied 16", "v128.store32_lane offset=1000 2"),
        ] {
            let (code, report) = compare("store-lanes.wat", call, "wasmtime:jit", &wasmi, more);
            assert_eq!((code, &report["verdict"]), (1, &"uncommitted-store".into()), "{call}: {report:#}");
            assert_eq!(report["site"]["instruction"], instruction, "{call}: {report:#}");
            assert_eq!((&report["culprit"]["side"], &report["culprit"]["position"]), (&"rhs".into(), &6.into()));
        }
        let (code, report) = compare("store-lanes.wat", "near 0", "wasmtime:jit", &wasmi, more);
        assert_eq!((code, &report["agree"]), (0, &true.into()), "{report:#}");
    }
}

fn a_store_in_place_of_a_trap_is_shown_with_where_its_bytes_went() {
    let (cranelift, winch) = (runner("wasmtime-43", "--cranelift"), runner("wasmtime-43", "--winch"));
    let module = "failed-grow-as-address.wat";
    for call in ["run", "called"] {
        let (code, report) = compare(module, call, &cranelift, &winch, &[]);
        // Recording keeps the address as the bug needs it: the store is in the trace, which is better evidence than
        // an observer effect.
        assert_eq!((code, &report["verdict"]), (1, &"trap".into()), "{report:#}");
        assert_eq!(report["site"]["instruction"], "i32.store offset=1", "{report:#}");
        assert_eq!(report["rhs"]["event"], "i32.store [0x100000000] <- 88 77 66 55 = i32 1432778632", "{report:#}");
        let guard = &report["guard"];
        assert_eq!(guard["changed_by_recording"], serde_json::json!([]), "{guard:#}");
        let differences = guard["plain_differences"].to_string();
        assert!(differences.contains("memory 0 at 0x0: lhs 00 00 00 00, rhs 88 77 66 55"), "{guard:#}");
        // The context shows where the bytes of the store are.
        let context = report["context"].to_string();
        let wanted = [
            "the event before lies outside of memory: [0x100000000]",
            "memory holds [0x00000000; 4] = 88 77 66 55 (seen after the event before)",
        ];
        assert!(wanted.iter().all(|line| context.contains(line)), "{context}");
    }
    let (code, report) = compare(module, "added", &cranelift, &winch, &[]);
    assert_eq!((code, &report["agree"]), (0, &true.into()), "{report:#}");
}

/// Prints, draws random bytes, keeps them, and exits with a code.
const WASI: &[u8] = br#"(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 64) "hello\n")
  (func (export "_start")
    (i32.store (i32.const 0) (i32.const 64))
    (i32.store (i32.const 4) (i32.const 6))
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
    (drop (call $random (i32.const 128) (i32.const 16)))
    (i64.store (i32.const 200) (i64.load (i32.const 128)))
    (call $exit (i32.const 3))))"#;

fn answered(engine: &str) {
    let folder = common::folder_with(&[("w.wat", WASI)]);
    let ran = common::run(folder.path(), &["compare", "w.wat", "--rhs", engine, "--json"]);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.stderr));
    assert_eq!((ran.code, &report["agree"]), (0, &true.into()), "{engine}: {report:#}");
    assert_eq!(report["rhs"]["outcome"], "exited with code 3", "{engine}");
}

fn wasmi_without_a_host_gets_the_answers_of_the_other_side() {
    answered(&runner("wasmi-0-43", ""));
}

fn wasmtime_without_a_host_gets_the_answers_of_the_other_side() {
    answered(&runner("wasmtime-43", "--winch"));
    answered(&runner("wasmtime-43", "--cranelift"));
}

fn an_old_engine_agrees_with_a_new_one_where_both_are_right() {
    let cranelift = runner("wasmtime-43", "--cranelift");
    let (code, report) = compare("store-lanes.wat", "copied 16", "wasmtime:aot", &cranelift, &[]);
    assert_eq!((code, &report["agree"]), (0, &true.into()), "{report:#}");
}
