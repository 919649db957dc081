//! `forkpoint why`: from bytes that differ back to where the runs part.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod common;

use serde_json::Value;

/// Random bytes, which each live run has its own of, stored again, copied, and changed.
const GUEST: &str = r#"(module
  (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (drop (call $random (i32.const 16) (i32.const 4)))
    (i64.store (i32.const 64) (i64.const 5))
    (i32.store (i32.const 100) (i32.load (i32.const 16)))
    (memory.copy (i32.const 200) (i32.const 100) (i32.const 4))
    (i32.store (i32.const 300) (i32.add (i32.load (i32.const 200)) (i32.const 1)))))"#;

fn two_runs() -> tempfile::TempDir {
    let folder = common::folder_with(&[("random.wat", GUEST.as_bytes())]);
    for name in ["a.fpt", "b.fpt"] {
        let ran = common::run(folder.path(), &["record", "random.wat", "-o", name]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
    }
    folder
}

#[test]
fn a_difference_is_followed_through_loads_and_copies() {
    let folder = two_runs();
    let ran = common::run(folder.path(), &["why", "a.fpt", "b.fpt", "--of", "300", "--json"]);
    assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let chain = &report["chains"][0];
    let step = |step: &Value| (step["address"].as_u64().unwrap(), step["evidence"].as_str().unwrap().to_string());
    let steps: Vec<(u64, String)> = chain["steps"].as_array().unwrap().iter().map(step).collect();
    let expected = [(300, "asked"), (200, "recent"), (100, "copied"), (16, "same-values")];
    assert_eq!(steps, expected.map(|(address, evidence)| (address, evidence.to_string())));
    assert_eq!(chain["end"], "first-divergence");
    assert_eq!(chain["steps"][0]["length"], 4, "the whole value, not the byte that was named");

    let text = common::run(folder.path(), &["why", "a.fpt", "b.fpt", "--of", "300"]).stdout;
    assert!(text.contains("4 bytes at 0x64: copied from there"), "{text}");
    assert!(text.contains("4 bytes at 0x10: both values stood there: probably loaded"), "{text}");
    assert!(text.trim_end().ends_with("the first divergence: before it the runs are equal."), "{text}");
}

#[test]
fn with_a_rerun_loads_are_followed() {
    let folder = two_runs();
    let ran = common::run(folder.path(), &["why", "a.fpt", "b.fpt", "--of", "300", "--loads", "--json"]);
    assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let step = |step: &Value| {
        let by = step["loaded_by"]["instruction"].as_str().unwrap_or_default().to_string();
        (step["address"].as_u64().unwrap(), step["evidence"].as_str().unwrap().to_string(), by)
    };
    let steps: Vec<_> = report["chains"][0]["steps"].as_array().unwrap().iter().map(step).collect();
    let expected =
        [(300, "asked", ""), (200, "loaded-before", "i32.load"), (100, "copied", ""), (16, "loaded", "i32.load")];
    assert_eq!(steps, expected.map(|(address, evidence, by)| (address, evidence.to_string(), by.to_string())));
    assert_eq!(report["chains"][0]["end"], "first-divergence");

    let text =
        common::run(folder.path(), &["why", "a.fpt", "b.fpt", "--of", "300", "--loads", "--rhs-engine", "wasmi"])
            .stdout;
    assert!(text.contains("loaded from there as they were stored, by `i32.load` in _start at 0x"), "{text}");
}

#[test]
fn where_no_rerun_can_tell_loads_a_note_says_so() {
    let folder = two_runs();
    let arguments = ["why", "a.fpt", "b.fpt", "--of", "300", "--loads", "--engine", "command:false {module}"];
    let ran = common::run(folder.path(), &arguments);
    assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.starts_with("note: lhs: the program that runs the engine command:false"), "{}", ran.stderr);
    assert!(ran.stdout.contains("both values stood there: probably loaded"), "{}", ran.stdout);
    let ran = common::run(folder.path(), &["why", "a.fpt", "b.fpt", "--of", "300", "--engine", "wasmi"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("--loads"), "{}", ran.stderr);
}

#[test]
fn equal_bytes_need_no_explanation() {
    let folder = two_runs();
    let ran = common::run(folder.path(), &["why", "a.fpt", "b.fpt", "--of", "64..72"]);
    assert_eq!(
        (ran.code, ran.stdout.starts_with("0x40..0x48 hold the same on both sides")),
        (0, true),
        "{}",
        ran.stdout
    );
    // Before anything was written, nothing differs.
    let ran = common::run(folder.path(), &["why", "a.fpt", "b.fpt", "--of", "300..304", "--at", "0"]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
}

#[test]
fn wrong_questions_are_errors() {
    let folder = two_runs();
    for (arguments, message) in
        [(&["--of", "counter"][..], "neither an address"), (&["--of", "0x10", "--at", "4000"], "past the end")]
    {
        let ran = common::run(folder.path(), &[&["why", "a.fpt", "b.fpt"], arguments].concat());
        assert_eq!(ran.code, 2);
        assert!(ran.stderr.contains(message), "{}", ran.stderr);
    }
}
