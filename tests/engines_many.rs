//! Many engines on one module: which agree, which is the odd one out, and that one engine's failure does not affect
//! the others.

mod common;

use common::external::{Need, PYTHON, external_tests};
use common::{folder_with, repository_text};
use serde_json::{Value, json};

external_tests! {
    [] => engines_that_agree_are_one_group, an_engine_that_cannot_be_had_is_a_row, one_recorded_host_answers_all,
        an_engine_that_rejects_the_module_is_not_the_reference, people_get_a_table;
    [PYTHON] => an_engine_that_loses_a_store_is_the_odd_one_out,
        engines_that_are_all_wrong_in_the_same_way_do_not_agree_with_the_specification,
        what_recording_hides_is_no_agreement, an_engine_that_breaks_the_protocol_is_a_row, a_crash_is_an_outcome;
    [Need::Fma] => engines_that_part_in_the_same_way_are_one_group;
}

const STORES: &[u8] = br#"(module (memory (export "memory") 1) (func $f (export "run")
  (i32.store (i32.const 0) (i32.const 1))
  (i32.store (i32.const 4) (i32.const 2))
  (i32.store (i32.const 64) (i32.const 3))))"#;

/// Runs `compare --engines` on the three stores: exit code and report.
fn many(engines: &[&str]) -> (i32, Value) {
    let folder = folder_with(&[("t.wat", STORES)]);
    let mut command = vec!["compare", "t.wat", "--invoke", "run", "--json"];
    engines.iter().for_each(|engine| command.extend(["--engines", *engine]));
    let ran = common::run(folder.path(), &command);
    let report = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
    (ran.code, report)
}

/// The engine that acts out `story`.
fn teller(story: &str) -> String {
    format!("runner:python3 {} {story}", repository_text("tests/runners/scripted.py"))
}

fn groups(report: &Value) -> Vec<Value> {
    let rows = report["engines"].as_array().expect("rows");
    rows.iter().map(|row| row["group"].clone()).collect()
}

fn engines_that_agree_are_one_group() {
    let (code, report) = many(&["wasmtime:jit;wasmi", "wasmtime:winch-jit"]);
    assert_eq!((code, &report["agree"]), (0, &true.into()), "{report:#}");
    assert_eq!(groups(&report), ["A", "A", "A"]);
    assert_eq!((&report["reference"], &report["majority"], &report["odd"]), (&0.into(), &"A".into(), &json!([])));
    assert_eq!(report["groups"], json!([{ "name": "A", "engines": [0, 1, 2], "divergence": null, "reruns": null }]));
    let row = &report["engines"][1];
    assert_eq!((&row["engine"], &row["outcome"], &row["error"]), (&"wasmi".into(), &"finished".into(), &Value::Null));
    assert_eq!((&row["changed_by_recording"], &row["trace"]), (&false.into(), &Value::Null), "{row:#}");
    assert_eq!(row["events"], report["engines"][0]["events"]);
}

fn engines_that_part_in_the_same_way_are_one_group() {
    let folder = folder_with(&[]);
    let orbit = repository_text("examples/orbit.wat");
    let engines = "wasmtime:jit;wasmtime:aot,target=portable;wasmtime:jit,target=portable;wasmtime:aot";
    let command = ["compare", &orbit, "--invoke", "run 100", "--engines", engines, "-o", "out", "--json"];
    let ran = common::run(folder.path(), &command);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
    assert_eq!((ran.code, &report["agree"]), (1, &false.into()), "{report:#}");
    assert_eq!(groups(&report), ["A", "B", "B", "A"]);
    assert_eq!((&report["majority"], &report["odd"]), (&Value::Null, &json!([])), "{report:#}");
    let divergence = &report["groups"][1]["divergence"];
    assert_eq!((&divergence["verdict"], &divergence["position"]), (&"value".into(), &12.into()), "{divergence:#}");
    assert_eq!(divergence["site"]["instruction"], "v128.store");
    // The traces are kept, each under its own name.
    let kept = "out/02-wasmtime_aot_target=portable.fpt";
    assert_eq!(report["engines"][1]["trace"], kept);
    assert_eq!(common::run(folder.path(), &["diff", "out/01-wasmtime_jit.fpt", kept]).code, 1);
}

fn an_engine_that_loses_a_store_is_the_odd_one_out() {
    let loses = teller("loses");
    let (code, report) = many(&["wasmtime:jit", &loses, "wasmi"]);
    assert_eq!((code, &report["agree"]), (1, &false.into()), "{report:#}");
    assert_eq!(groups(&report), ["A", "B", "A"]);
    assert_eq!((&report["majority"], &report["odd"]), (&"A".into(), &json!([1])), "{report:#}");
    let divergence = &report["groups"][1]["divergence"];
    assert_eq!(divergence["verdict"], "uncommitted-store", "{divergence:#}");
    assert_eq!((&divergence["site"]["instruction"], &divergence["address"]), (&"i32.store".into(), &4.into()));
}

fn engines_that_are_all_wrong_in_the_same_way_do_not_agree_with_the_specification() {
    let outside = teller("outside");
    let (code, report) = many(&[&outside, &outside]);
    assert_eq!((code, groups(&report)), (1, vec!["A".into(), "A".into()]), "{report:#}");
    assert_eq!(report["groups"][0]["divergence"]["verdict"], "out-of-bounds", "{report:#}");
}

fn what_recording_hides_is_no_agreement() {
    let hides = teller("hides");
    let (code, report) = many(&["wasmtime:jit", &hides]);
    assert_eq!((code, groups(&report)), (1, vec!["A".into(), "A".into()]), "{report:#}");
    let row = &report["engines"][1];
    assert_eq!((&row["changed_by_recording"], &row["observer_effect"]), (&true.into(), &true.into()), "{row:#}");
    assert_eq!(row["plain_differences"][0], "memory 0 at 0x0: lhs 01, rhs 09", "{row:#}");
    assert_eq!(report["engines"][0]["changed_by_recording"], false);
    // Ways to record that change less were tried, and none of them shows what this one hides.
    let tried = row["guard"]["vanished_in"].as_array().map_or(0, Vec::len);
    assert!(tried > 3 && row["guard"]["survived_in"].is_null() && row["divergence"].is_null(), "{row:#}");
}

fn an_engine_that_cannot_be_had_is_a_row() {
    let (code, report) = many(&["wasmtime:jit", "wasmi", "runner:./there-is-no-such-runner"]);
    assert_eq!((code, &report["agree"]), (2, &Value::Null), "{report:#}");
    assert_eq!(groups(&report), [json!("A"), json!("A"), Value::Null]);
    let row = &report["engines"][2];
    assert!(row["error"].as_str().is_some_and(|error| error.contains("there-is-no-such-runner")), "{row:#}");
    assert_eq!((&row["outcome"], &row["events"]), (&Value::Null, &Value::Null));
}

fn an_engine_that_breaks_the_protocol_is_a_row() {
    let garbage = teller("garbage");
    let (code, report) = many(&[&garbage, "wasmi", "wasmtime:jit"]);
    assert_eq!((code, &report["reference"]), (2, &2.into()), "{report:#}");
    let error = report["engines"][0]["error"].as_str().expect("an error");
    assert!(error.contains("broke the protocol") && !error.contains("recorded until then"), "{error}");
}

fn a_crash_is_an_outcome() {
    let crashes = teller("crashes");
    let (code, report) = many(&["wasmi", "wasmtime:jit", &crashes]);
    assert_eq!((code, groups(&report)), (1, vec!["A".into(), "A".into(), "B".into()]), "{report:#}");
    assert_eq!(report["engines"][2]["outcome"], "crashed: SIGSEGV");
    assert_eq!(report["groups"][1]["divergence"]["verdict"], "crash");
}

const WASI: &[u8] = br#"(module
  (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (drop (call $random (i32.const 0) (i32.const 16)))
    (drop (call $clock (i32.const 0) (i64.const 1) (i32.const 64)))
    (i32.store (i32.const 128) (i32.load (i32.const 64)))))"#;

fn one_recorded_host_answers_all() {
    let folder = folder_with(&[("w.wat", WASI)]);
    let engines = "wasmi;wasmtime:winch-jit;wasmtime:jit;runner:./there-is-no-such-runner";
    let ran = common::run(folder.path(), &["compare", "w.wat", "--json", "--engines", engines]);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
    assert_eq!((&report["host"], &report["reference"]), (&"pinned".into(), &1.into()), "{report:#}");
    assert_eq!(groups(&report), [json!("A"), json!("A"), json!("A"), Value::Null]);
    // In live mode, each has its own clock and random numbers.
    let live = ["compare", "w.wat", "--host", "live", "--engines", "wasmi;wasmtime:jit"];
    let ran = common::run(folder.path(), &live);
    assert!(ran.code == 1 && ran.stdout.contains("wasmi has no host that forkpoint can record"), "{ran:?}");
}

fn an_engine_that_rejects_the_module_is_not_the_reference() {
    let orbit = repository_text("examples/orbit.wat");
    let engines = "wasmtime:winch-jit;wasmtime:jit,target=portable;wasmtime:aot,target=portable";
    let ran =
        common::run(&std::env::temp_dir(), &["compare", &orbit, "--invoke", "run 9", "--engines", engines, "--json"]);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
    assert_eq!((ran.code, &report["reference"]), (1, &1.into()), "{report:#}");
    assert_eq!((groups(&report), &report["odd"]), (vec!["B".into(), "A".into(), "A".into()], &json!([0])));
    assert_eq!(report["groups"][1]["divergence"]["verdict"], "validation", "{report:#}");
}

fn people_get_a_table() {
    let folder = folder_with(&[("t.wat", STORES)]);
    let call = ["compare", "t.wat", "--invoke", "run", "--engines"];
    let ran = common::run(folder.path(), &[&call[..], &["wasmtime:jit;wasmi"]].concat());
    let mut lines = ran.stdout.lines();
    assert_eq!(lines.next(), Some("group  engine        events  outcome"), "{ran:?}");
    assert_eq!(lines.next().map(|line| line.starts_with("A      wasmtime:jit  ")), Some(true), "{ran:?}");
    assert!(ran.stdout.contains("All 2 engines with an answer have the same events."), "{ran:?}");
    assert!(ran.stdout.contains("\nSpecification: valid WebAssembly 3.0.\n"), "{ran:?}");

    let alone = common::run(folder.path(), &[&call[..], &["wasmi"]].concat());
    assert!(alone.code == 2 && alone.stderr.contains("at least two"), "{alone:?}");
    let both = common::run(folder.path(), &[&call[..], &["wasmi", "--rhs", "wasmi"]].concat());
    assert!(both.code == 2 && both.stderr.contains("cannot be used with"), "{both:?}");
}
