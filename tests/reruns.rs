//! Reruns that ask more questions: where a run ended if its engine does not say, what follows from results that the
//! specification leaves open, which function first returned a different value.

mod common;

use common::external::{Need, external_tests, libraries};
use common::{folder_with, repository_text, run};
use serde_json::Value;
use std::path::Path;

external_tests! {
    [] => a_trap_that_follows_from_a_nan_has_its_place_and_its_cause,
        groups_of_engines_have_reruns_of_their_own,
        a_run_that_hangs_or_overflows_has_a_place,
        an_address_or_a_result_follows_from_a_nan,
        a_host_call_follows_from_a_nan,
        what_does_not_follow_from_a_nan_is_not_said_to;
    [Need::Fma] => what_follows_from_relaxed_simd_is_said_by_a_probe;
    [Need::library("libwasmtime-31.0.0.so")] => the_first_function_that_returned_otherwise_is_named;
}

/// Two engines of one kind that differ in the sign of the NaN that 0/0 makes.
const CANONICAL: &str = "wasmtime:jit,nan-canonicalization=on";

/// What follows from the sign of a NaN: a trap, an address, a hang, an exhausted stack, a result.
const NANS: &[u8] = br#"(module
  (memory (export "memory") 1)
  (func $log (param i32) (i32.store (i32.const 4) (local.get 0)))
  (func $negative (result i32)
    (i32.lt_s (i32.reinterpret_f32 (f32.div (f32.load (i32.const 64)) (f32.load (i32.const 64)))) (i32.const 0)))
  (func (export "trap") (result i32)
    (call $log (i32.const 1))
    (drop (f64.sqrt (f64.const nan)))
    (i32.div_u (i32.const 7) (i32.eqz (call $negative))))
  (func $spin (loop $again (br_if $again (call $negative))))
  (func (export "hang") (result i32) (call $log (i32.const 1)) (call $spin) (i32.const 5))
  (func $deep (param i32) (result i32)
    (if (result i32) (local.get 0)
      (then (i32.add (i32.const 1) (call $deep (local.get 0))))
      (else (i32.const 0))))
  (func (export "overflow") (result i32) (call $log (i32.const 1)) (call $deep (call $negative)))
  (func (export "result") (result i32) (call $log (i32.const 1)) (call $negative))
  (func (export "unrelated") (result i32)
    (drop (call $negative))
    (i32.store (i32.const 4) (memory.grow (i32.const 1)))
    (i32.load (i32.const 4))))"#;

fn compare(folder: &Path, arguments: &[&str]) -> (i32, Value) {
    let ran = run(folder, &[&["compare", "t.wat", "--json"], arguments].concat());
    let report = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{}{}", ran.stdout, ran.stderr));
    (ran.code, report)
}

fn a_trap_that_follows_from_a_nan_has_its_place_and_its_cause() {
    let folder = folder_with(&[("t.wat", NANS)]);
    // wasmi names no place, but the linked Wasmtime does, whichever side it is.
    for sides in [["--lhs", CANONICAL, "--rhs", "wasmi"], ["--lhs", "wasmi", "--rhs", CANONICAL]] {
        let (code, report) = compare(folder.path(), &[&["--invoke", "trap"], &sides[..]].concat());
        assert_eq!((code, &report["verdict"]), (1, &"trap".into()), "{report:#}");
        let side = if sides[1] == "wasmi" { "lhs" } else { "rhs" };
        let place = &report["reruns"]["places"][0];
        assert_eq!((&place["side"], &place["trapped"]), (&side.into(), &true.into()), "{report:#}");
        assert_eq!(place["site"]["instruction"], "i32.div_u", "{report:#}");
        let event = report[side]["event"].as_str().unwrap_or_default();
        assert!(
            event.starts_with("trap: integer divide by zero  in trap at 0x"),
            "the trace knows it, too: {report:#}"
        );
        let follows = &report["reruns"]["follows_from"];
        assert_eq!(follows["what"], "nan-bits", "{report:#}");
        // The NaN made before has the same bits on both sides.
        let nan = &follows["first_nan"];
        assert_eq!((&nan["site"]["name"], &nan["site"]["instruction"]), (&"negative".into(), &"f32.div".into()));
        let (canonical, own) = if side == "lhs" { ("rhs", "lhs") } else { ("lhs", "rhs") };
        assert_eq!((&nan[canonical], &nan[own]), (&"0000c07f".into(), &"0000c0ff".into()), "{report:#}");
        assert_eq!(report["allowed"]["certain"], true, "{report:#}");
    }
}

fn groups_of_engines_have_reruns_of_their_own() {
    let folder = folder_with(&[("t.wat", NANS)]);
    let ran = run(
        folder.path(),
        &["compare", "t.wat", "--invoke", "trap", "--engines", &format!("{CANONICAL};wasmi;wasmtime:jit"), "--json"],
    );
    let survey: Value = serde_json::from_str(&ran.stdout).expect("a survey");
    assert_eq!((ran.code, &survey["groups"][0]["reruns"]), (1, &Value::Null), "{survey:#}");
    let reruns = &survey["groups"][1]["reruns"];
    assert_eq!(reruns["places"][0]["site"]["instruction"], "i32.div_u", "{survey:#}");
    assert_eq!(reruns["follows_from"]["what"], "nan-bits", "{survey:#}");
    assert_eq!(survey["groups"][1]["divergence"]["allowed"]["certain"], true, "{survey:#}");
}

fn a_run_that_hangs_or_overflows_has_a_place() {
    let folder = folder_with(&[("t.wat", NANS)]);
    let sides = ["--lhs", CANONICAL, "--rhs", "wasmi", "--timeout", "1s", "--no-guard"];
    let (code, report) = compare(folder.path(), &[&["--invoke", "hang"], &sides[..]].concat());
    assert_eq!((code, &report["verdict"]), (2, &"timeout".into()), "{report:#}");
    let place = &report["reruns"]["places"][0];
    // Anywhere in the loop: there, or in the function that it calls.
    assert!(place["name"] == "spin" || place["name"] == "negative", "{report:#}");
    assert_eq!((&place["side"], &place["trapped"]), (&"rhs".into(), &false.into()), "{report:#}");
    // Both hang: no answer, but the place of each.
    let sides = ["--lhs", "wasmi", "--rhs", "wasmtime:jit", "--timeout", "1s", "--no-guard"];
    let (code, report) = compare(folder.path(), &[&["--invoke", "hang"], &sides[..]].concat());
    assert_eq!((code, &report["agree"]), (2, &Value::Null), "{report:#}");
    let sides: Vec<_> = [0, 1].map(|at| report["reruns"]["places"][at]["side"].clone()).into();
    assert_eq!(sides, ["lhs", "rhs"], "{report:#}");
    let (code, report) =
        compare(folder.path(), &["--invoke", "overflow", "--lhs", CANONICAL, "--rhs", "wasmi", "--no-guard"]);
    assert_eq!((code, &report["verdict"]), (2, &"poisoned".into()), "{report:#}");
    assert_eq!(report["reruns"]["places"][0]["name"], "deep", "{report:#}");
}

fn an_address_or_a_result_follows_from_a_nan() {
    let folder = folder_with(&[("t.wat", NANS)]);
    let module = repository_text("tests/cases/known-bugs/wasmedge-nan-bits.wat");
    for (call, verdict, instruction) in
        [("addr_from_nan", "trap", "f32x4.div"), ("store_addr_from_nan", "address", "f32x4.div")]
    {
        let ran = run(folder.path(), &["compare", &module, "--invoke", call, "--rhs", CANONICAL, "--json"]);
        let report: Value = serde_json::from_str(&ran.stdout).expect("a report");
        assert_eq!((ran.code, &report["verdict"]), (1, &verdict.into()), "{report:#}");
        assert_eq!(report["reruns"]["follows_from"]["what"], "nan-bits", "{report:#}");
        assert_eq!(report["reruns"]["follows_from"]["first_nan"]["site"]["instruction"], instruction, "{report:#}");
    }
    let (_, report) = compare(folder.path(), &["--invoke", "result", "--rhs", CANONICAL]);
    assert_eq!(report["verdict"], "end-state", "{report:#}");
    assert_eq!(report["reruns"]["follows_from"]["what"], "nan-bits", "{report:#}");
    let ran = run(folder.path(), &["compare", "t.wat", "--invoke", "result", "--rhs", CANONICAL]);
    let says = "This follows from the bits of NaNs: with all NaNs made canonical on both sides, the runs agree. The first \
                NaN whose bits differ is number 1 of `f32.div` in negative at 0x";
    assert!(ran.stdout.contains(says), "{}", ran.stdout);
}

/// The guest's output follows from a NaN, so with other NaNs it makes calls that the recorded host never answered.
fn a_host_call_follows_from_a_nan() {
    let module = br#"(module
      (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
      (memory (export "memory") 1)
      (data (i32.const 0) "\10\00\00\00\02\00\00\00")
      (func (export "_start")
        (i32.store8 (i32.const 17) (i32.const 10))
        (i32.store8 (i32.const 16) (i32.add (i32.const 97) (i32.shr_u
          (i32.reinterpret_f32 (f32.div (f32.load (i32.const 64)) (f32.load (i32.const 64)))) (i32.const 31))))
        (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"#;
    let folder = folder_with(&[("t.wat", &module[..])]);
    let (code, report) = compare(folder.path(), &["--rhs", CANONICAL]);
    assert_eq!((code, &report["verdict"]), (1, &"value".into()), "{report:#}");
    let follows = &report["reruns"]["follows_from"];
    assert_eq!((&follows["what"], &follows["to_the_end"]), (&"nan-bits".into(), &false.into()), "{report:#}");
}

/// A module's NaNs that differ are not a cause by themselves: without them, the difference must vanish.
fn what_does_not_follow_from_a_nan_is_not_said_to() {
    let folder = folder_with(&[("t.wat", NANS)]);
    let limit = ["--rhs", CANONICAL, "--lhs-memory-page-limit", "1", "--rhs-memory-page-limit", "9"];
    let (code, report) = compare(folder.path(), &[&["--invoke", "unrelated"], &limit[..]].concat());
    assert_eq!((code, &report["agree"]), (1, &false.into()), "{report:#}");
    assert_eq!(report["reruns"]["follows_from"], Value::Null, "{report:#}");
    assert_eq!(report["allowed"], Value::Null, "{report:#}");
    // And if the runs agree, nothing is asked.
    let (code, report) = compare(folder.path(), &["--invoke", "trap", "--rhs", "wasmi"]);
    assert_eq!((code, &report["agree"]), (0, &true.into()), "{report:#}");
    assert_eq!(report["reruns"]["places"], Value::Array(Vec::new()), "{report:#}");
}

/// The samples diverge over fused multiplication: a store and what follows from it, with and without a NaN on the
/// way.
fn what_follows_from_relaxed_simd_is_said_by_a_probe() {
    let module = br#"(module
      (memory (export "memory") 1)
      (func (export "run") (param f32) (result i32) (local v128)
        (local.set 1 (f32x4.relaxed_madd (f32x4.splat (local.get 0)) (f32x4.splat (local.get 0))
          (f32x4.neg (f32x4.mul (f32x4.splat (local.get 0)) (f32x4.splat (local.get 0))))))
        (v128.store (i32.const 0) (local.get 1))
        (i32.load (i32.const 0)))
      (func (export "grow") (result i32)
        (drop (f32x4.relaxed_madd (v128.const i32x4 0 0 0 0) (v128.const i32x4 0 0 0 0) (v128.const i32x4 0 0 0 0)))
        (i32.store (i32.const 0) (memory.grow (i32.const 1)))
        (i32.load (i32.const 0))))"#;
    let folder = folder_with(&[("t.wat", &module[..])]);
    let portable = ["--lhs", "wasmtime:jit,target=portable,cpu=+fma+avx", "--rhs", "wasmtime:jit,target=portable"];
    let (code, report) = compare(folder.path(), &[&["--invoke", "run 1.1"], &portable[..]].concat());
    assert_eq!((code, &report["verdict"]), (1, &"value".into()), "{report:#}");
    assert_eq!(report["reruns"]["follows_from"]["what"], "relaxed-simd", "{report:#}");
    assert_eq!(report["allowed"]["certain"], true, "{report:#}");
}

/// In Wasmtime 31 `array.fill` of a GC array does nothing; no store shows it.
fn the_first_function_that_returned_otherwise_is_named() {
    let library = libraries().join("libwasmtime-31.0.0.so");
    let module = br#"(module
      (type $bytes (array (mut i8)))
      (memory (export "memory") 1)
      (func $make (param $n i32) (result (ref $bytes)) (local $a (ref $bytes))
        (local.set $a (array.new_default $bytes (local.get $n)))
        (array.fill $bytes (local.get $a) (i32.const 0) (i32.const 9) (local.get $n))
        (local.get $a))
      (func $at (param $a (ref $bytes)) (param $i i32) (result i32) (array.get_u $bytes (local.get $a) (local.get $i)))
      (func $twice (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2)))
      (func (export "run") (param $n i32) (result i32) (local $a (ref $bytes))
        (local.set $a (call $make (local.get $n)))
        (i32.add (call $twice (local.get $n)) (call $twice (call $at (local.get $a) (i32.const 1))))))"#;
    let folder = folder_with(&[("t.wat", &module[..])]);
    let rhs = format!("capi:jit,lib={}", library.display());
    let (code, report) =
        compare(folder.path(), &["--invoke", "run 6", "--features", "+function-references,+gc", "--rhs", &rhs]);
    assert_eq!((code, &report["verdict"]), (1, &"end-state".into()), "{report:#}");
    let call = &report["reruns"]["first_call"];
    assert_eq!(
        (&call["what"], &call["name"], &call["nth"]),
        (&"result".into(), &"at".into(), &1.into()),
        "{report:#}"
    );
    assert_eq!((&call["lhs"], &call["rhs"]), (&"9".into(), &"0".into()), "{report:#}");
}
