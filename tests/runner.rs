//! Engines outside this program: a runner's reports are believed as far as memory confirms them.

mod common;

use common::external::{PYTHON, external_tests};
use common::folder_with;
use serde_json::{Value, json};

external_tests! {
    [PYTHON] => a_true_story_agrees,
        a_store_that_memory_does_not_hold_is_uncommitted,
        a_byte_that_no_event_wrote_is_an_unrecorded_write,
        stored_bytes_that_change_later_are_an_unrecorded_write,
        a_store_that_writes_past_its_width_is_an_unrecorded_write_with_it,
        a_store_that_goes_elsewhere_is_uncommitted,
        a_page_limit_that_one_engine_ignores_is_a_verdict,
        a_memory_of_another_size_is_a_finding,
        a_store_outside_of_memory_is_told_and_not_refused,
        what_shows_only_without_recording_is_an_observer_effect,
        names_stand_in_place_of_numbers,
        a_crash_keeps_what_was_told_before,
        garbage_is_an_error_that_says_so,
        a_runner_of_the_first_protocol_is_named_with_the_document,
        a_program_that_is_no_runner_fails_every_part_of_the_check,
        a_runner_may_have_a_space_in_its_path,
        an_engine_that_differs_from_itself_is_said_to,
        with_many_engines_one_that_differs_from_itself_is_its_row;
}

const MODULE: &[u8] = br#"(module (memory (export "memory") 1) (func $f (export "run")
  (i32.store (i32.const 0) (i32.const 1))
  (i32.store (i32.const 4) (i32.const 2))
  (i32.store (i32.const 64) (i32.const 3))))"#;

/// Compares Wasmtime with an engine that acts out `story`.
fn against(story: &str) -> (i32, Value, String) {
    compare("wasmtime:jit", &teller(story))
}

/// The engine that acts out `story`.
fn teller(story: &str) -> String {
    format!("runner:python3 {} {story}", common::repository_text("tests/runners/scripted.py"))
}

fn compare(lhs: &str, rhs: &str) -> (i32, Value, String) {
    let folder = folder_with(&[("t.wat", MODULE)]);
    let command = ["compare", "t.wat", "--invoke", "run", "--lhs", lhs, "--rhs", rhs, "--json"];
    let ran = common::run(folder.path(), &command);
    (ran.code, serde_json::from_str(&ran.stdout).unwrap_or_default(), ran.stderr)
}

fn a_true_story_agrees() {
    let (code, report, stderr) = against("true");
    assert_eq!((code, &report["agree"]), (0, &true.into()), "{report:#}{stderr}");
    assert_eq!(report["rhs"]["version"], "scripted 1, none, baseline CPU");
}

fn a_store_that_memory_does_not_hold_is_uncommitted() {
    let (code, report, stderr) = against("loses");
    assert_eq!((code, &report["verdict"]), (1, &"uncommitted-store".into()), "{report:#}{stderr}");
    assert_eq!(report["site"]["instruction"], "i32.store");
    assert_eq!((&report["culprit"]["side"], &report["culprit"]["position"]), (&"rhs".into(), &6.into()));
    assert_eq!(report["address"], 4, "{report:#}");
}

fn a_byte_that_no_event_wrote_is_an_unrecorded_write() {
    // Watched after every event, the byte changes between the first store and the end of the second one.
    let (code, report, stderr) = against("scribbles");
    assert_eq!((code, &report["verdict"]), (1, &"unrecorded-write".into()), "{report:#}{stderr}");
    assert_eq!((&report["address"], &report["culprit"]), (&100.into(), &Value::Null), "{report:#}");
    assert_eq!(report["during"]["position"], 6, "{report:#}");

    // Of a runner that does not watch, only the end is known.
    let (code, report, stderr) = against("scribbles-unwatched");
    assert_eq!((code, &report["verdict"]), (1, &"unrecorded-write".into()), "{report:#}{stderr}");
    assert_eq!((&report["address"], &report["culprit"]), (&100.into(), &Value::Null), "{report:#}");
    assert_eq!((&report["during"], &report["position"]), (&Value::Null, &9.into()), "{report:#}");
}

fn stored_bytes_that_change_later_are_an_unrecorded_write() {
    let (code, report, stderr) = against("overwrites");
    assert_eq!((code, &report["verdict"]), (1, &"unrecorded-write".into()), "{report:#}{stderr}");
    assert_eq!((&report["culprit"]["position"], &report["during"]["position"]), (&5.into(), &6.into()), "{report:#}");
}

fn a_store_that_writes_past_its_width_is_an_unrecorded_write_with_it() {
    let (code, report, stderr) = against("widens");
    assert_eq!((code, &report["verdict"]), (1, &"unrecorded-write".into()), "{report:#}{stderr}");
    assert_eq!((&report["address"], &report["during"]["position"]), (&11.into(), &6.into()), "{report:#}");
    assert_eq!((&report["site"], &report["culprit"]), (&report["during"]["site"], &Value::Null), "{report:#}");
}

fn a_store_that_goes_elsewhere_is_uncommitted() {
    // What it wrote in place of its own bytes is at a lower address, and found first.
    let (code, report, stderr) = against("misplaces");
    assert_eq!((code, &report["verdict"]), (1, &"uncommitted-store".into()), "{report:#}{stderr}");
    assert_eq!((&report["address"], &report["culprit"]["position"]), (&20.into(), &7.into()), "{report:#}");
    assert_eq!(report["site"], report["culprit"]["site"]);
}

fn a_page_limit_that_one_engine_ignores_is_a_verdict() {
    let folder = folder_with(&[("t.wat", MODULE)]);
    let story = teller("true");
    let command = ["compare", "t.wat", "--invoke", "run", "--rhs", &story, "--json"];
    let limited = |options: &[&str]| {
        let ran = common::run(folder.path(), &[&command[..], options].concat());
        let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
        (ran.code, report)
    };
    let (code, report) = limited(&["--memory-page-limit", "0"]);
    assert_eq!((code, &report["verdict"]), (1, &"page-limit".into()), "{report:#}");
    let refused = json!({ "pages": 0, "memory_name": null, "did": "refused", "memory": 0, "declared": 1 });
    let ignored = json!({ "pages": 0, "memory_name": null, "did": "ignored", "memory": 0, "found": 1 });
    assert_eq!((&report["lhs"]["page_limit"], &report["rhs"]["page_limit"]), (&refused, &ignored));
    assert_eq!(report["asked_for"], serde_json::json!([]));
    // Limits that differ because the user set them are not a verdict about an engine.
    let (code, report) = limited(&["--lhs-memory-page-limit", "0", "--rhs-memory-page-limit", "1"]);
    assert_eq!((code, &report["verdict"]), (1, &"instantiation".into()), "{report:#}");
    assert_eq!(report["rhs"]["page_limit"], json!({ "pages": 1, "memory_name": null, "did": "kept" }));
    assert_eq!(report["asked_for"].as_array().map(Vec::len), Some(1), "{report:#}");
}

/// Wherever a report names a memory, a function or a limit that has a name in the module.
fn names_stand_in_place_of_numbers() {
    let named = String::from_utf8(MODULE.to_vec()).expect("text").replace("(memory ", "(memory $heap ");
    let folder = folder_with(&[("t.wat", named.as_bytes())]);
    let text = |story: &str, options: &[&str]| {
        let story = teller(story);
        let command = ["compare", "t.wat", "--invoke", "run", "--rhs", &story];
        common::run(folder.path(), &[&command[..], options].concat()).stdout
    };
    let hidden = text("hides", &[]);
    for expected in [
        "memory heap at 0x0: lhs 01, rhs 09",
        "inline records of stores to 0x0..0x1 of memory heap only",
        "inline records in f only",
    ] {
        assert!(hidden.contains(expected), "{expected}:\n{hidden}");
    }
    let limited = text("true", &["--memory-page-limit", "0"]);
    assert!(limited.contains("limit of 0 pages refused: memory heap starts with 1"), "{limited}");
    assert!(limited.contains("limit of 0 pages ignored: memory heap has 1"), "{limited}");
    let swollen = text("swells", &[]);
    assert!(swollen.contains("memory pages (digest) heap=2"), "{swollen}");
    // A recording finds the same, and reports it under the same name.
    let story = teller("loses");
    let found = common::run(folder.path(), &["record", "t.wat", "--invoke", "run", "--engine", &story]);
    assert!(found.code == 1 && found.stderr.contains("memory heap at 0x4 holds 00"), "{found:?}");
}

fn a_memory_of_another_size_is_a_finding() {
    let (code, report, stderr) = against("swells");
    assert_eq!((code, &report["verdict"]), (1, &"memory-size".into()), "{report:#}{stderr}");
    assert_eq!(report["rhs"]["event"], "memory has 2 pages", "{report:#}");
    assert_eq!(report["rhs"]["complete"], true);
}

fn a_store_outside_of_memory_is_told_and_not_refused() {
    let (code, report, stderr) = against("outside");
    assert_eq!((code, &report["verdict"]), (1, &"address".into()), "{report:#}{stderr}");
    // Two engines that both continue where they must trap agree on all events, and are wrong nevertheless.
    let story = teller("outside");
    let (code, report, stderr) = compare(&story, &story);
    assert_eq!((code, &report["verdict"]), (1, &"out-of-bounds".into()), "{report:#}{stderr}");
    assert_eq!((&report["culprit"]["position"], &report["site"]["instruction"]), (&6.into(), &"i32.store".into()));
}

fn what_shows_only_without_recording_is_an_observer_effect() {
    let (code, report, stderr) = against("hides");
    assert_eq!((code, &report["verdict"]), (1, &"observer-effect".into()), "{report:#}{stderr}");
    let guard = &report["guard"];
    assert_eq!(guard["plain_differences"][0], "memory 0 at 0x0: lhs 01, rhs 09", "{guard:#}");
    assert_eq!(guard["changed_by_recording"], serde_json::json!(["rhs"]));
    let writer = guard["last_writers"][1].as_str().expect("a writer on each side");
    assert!(writer.starts_with("rhs #5: i32.store [0x00000000]") && writer.contains("in f at"), "{guard:#}");
    assert!(guard["survived_in"].is_null() && guard["vanished_in"].as_array().is_some_and(|ways| ways.len() > 3));
}

fn a_crash_keeps_what_was_told_before() {
    let (code, report, stderr) = against("crashes");
    assert_eq!((code, &report["verdict"]), (1, &"crash".into()), "{report:#}{stderr}");
    assert_eq!((&report["position"], &report["rhs"]["outcome"]), (&8.into(), &"crashed: SIGSEGV".into()));
}

fn garbage_is_an_error_that_says_so() {
    let (code, _, stderr) = against("garbage");
    assert_eq!(code, 2, "{stderr}");
    assert!(stderr.contains("broke the protocol") && stderr.contains("unknown frame"), "{stderr}");
}

fn a_runner_of_the_first_protocol_is_named_with_the_document() {
    let (code, _, stderr) = against("outdated");
    assert_eq!(code, 2, "{stderr}");
    for expected in ["speaks version 1", "speaks version 2", "docs/runner-protocol.md", "Versions"] {
        assert!(stderr.contains(expected), "{expected}: {stderr}");
    }
}

fn a_program_that_is_no_runner_fails_every_part_of_the_check() {
    let folder = common::folder_with(&[]);
    let ran = common::run(folder.path(), &["runner-check", "true"]);
    assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
    assert!(!ran.stdout.contains("ok  ") && ran.stdout.contains("12 of 12 parts failed"), "{}", ran.stdout);
    let missing = common::run(folder.path(), &["runner-check", "/nowhere/runner"]);
    assert!(missing.code == 1 && missing.stdout.contains("No such file"), "{}{}", missing.stdout, missing.stderr);
}

fn a_runner_may_have_a_space_in_its_path() {
    use std::os::unix::fs::PermissionsExt;
    let folder = common::folder_with(&[("my runner", b"#!/bin/sh\necho it was started >&2\nexit 3\n")]);
    let runner = folder.path().join("my runner");
    std::fs::set_permissions(&runner, std::fs::Permissions::from_mode(0o755)).expect("its permissions");
    let ran = common::run(folder.path(), &["runner-check", runner.to_str().expect("a path")]);
    assert!(ran.stdout.contains("it was started") && !ran.stdout.contains("No such file"), "{}", ran.stdout);
}

/// Each run of it stores another value: a difference between a recording and a run without one is not an effect of
/// recording.
fn an_engine_that_differs_from_itself_is_said_to() {
    for story in ["fickle", "fickle-recorded"] {
        let (code, report, stderr) = against(story);
        assert_eq!(
            (code, &report["verdict"], &report["position"]),
            (1, &"value".into(), &7.into()),
            "{report:#}{stderr}"
        );
        assert_eq!(report["site"]["instruction"], "i32.store", "the verdict keeps its place: {report:#}");
        let guard = &report["guard"];
        assert_eq!(
            (&guard["observer_effect"], &guard["changed_by_recording"]),
            (&false.into(), &json!([])),
            "{guard:#}"
        );
        let [found] = guard["nondeterminism"].as_array().expect("a list").as_slice() else {
            panic!("one: {guard:#}")
        };
        assert_eq!(found["events"], json!([7, 7]), "{guard:#}");
        assert_eq!(found["plain_differences"].as_array().expect("a list").is_empty(), story == "fickle-recorded");
    }
    // Its recordings agree with the other side's, but that is not an agreement.
    let (code, report, stderr) = against("fickle-plain");
    assert_eq!((code, &report["verdict"]), (1, &"nondeterminism".into()), "{report:#}{stderr}");
    assert_eq!(report["guard"]["nondeterminism"][0]["events"], Value::Null, "{report:#}");
}

fn with_many_engines_one_that_differs_from_itself_is_its_row() {
    let folder = folder_with(&[("t.wat", MODULE)]);
    let teller = teller("fickle");
    let command =
        ["compare", "t.wat", "--invoke", "run", "--engines", "wasmtime:jit;wasmi", "--engines", &teller, "--json"];
    let ran = common::run(folder.path(), &command);
    let survey: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(ran.code, 1, "{survey:#}{}", ran.stderr);
    let row = &survey["engines"][2];
    assert_eq!((&row["observer_effect"], &row["changed_by_recording"]), (&false.into(), &Value::Null), "{row:#}");
    assert_eq!(row["nondeterminism"]["events"], json!([7, 7]), "{row:#}");
}
