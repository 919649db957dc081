//! What happens to a module before it runs: stages, proposals switched on and off, invalid modules.

mod common;

use common::folder_with;
use serde_json::Value;
use std::path::Path;

const TAIL: &[u8] = br#"(module (memory 1)
    (func $store (param i32) (i32.store (i32.const 0) (local.get 0)))
    (func (export "run") (return_call $store (i32.const 7))))"#;

fn compare(folder: &Path, arguments: &[&str]) -> (i32, Value, String) {
    let ran = common::run(folder, &[&["compare"], arguments, &["--json"]].concat());
    (ran.code, serde_json::from_str(&ran.stdout).unwrap_or_default(), ran.stderr)
}

#[test]
fn stages_are_events() {
    let folder = folder_with(&[("t.wat", TAIL)]);
    for engine in ["wasmtime:jit", "wasmtime:aot", "wasmtime:pulley", "wasmi"] {
        let ran = common::run(folder.path(), &["record", "t.wat", "--invoke", "run", "-e", engine, "-o", "t.fpt"]);
        assert_eq!(ran.code, 0, "{engine}: {}", ran.stderr);
        let ran = common::run(folder.path(), &["dump", "t.fpt", "--kind", "accepted"]);
        let stages: Vec<&str> = ran.stdout.lines().filter_map(|line| line.split("accepted at ").nth(1)).collect();
        assert_eq!(stages, ["validate", "compile", "instantiate"], "{engine}: {}", ran.stdout);
    }
}

#[test]
fn a_proposal_is_switched_off_in_every_engine() {
    let folder = folder_with(&[("t.wat", TAIL)]);
    for engine in ["wasmtime:aot", "wasmtime:pulley", "wasmi"] {
        let call = ["t.wat", "--invoke", "run", "--rhs", engine, "--features", "-tail-call"];
        let (code, report, stderr) = compare(folder.path(), &call);
        assert_eq!((code, &report["nothing_ran"]), (2, &true.into()), "{engine}: {report:#}{stderr}");
        assert_eq!(report["lhs"]["outcome"], "rejected at validate");
        let specification = report["specification"].as_str().unwrap_or_default();
        assert!(specification.starts_with("not valid with -tail-call: "), "{report:#}");
        // Both name the same byte of the original module.
        let named = &report["lhs"]["offset"];
        assert!(
            named.as_u64().is_some_and(|offset| specification.ends_with(&format!("at {offset:#x}"))),
            "{report:#}"
        );
        assert_eq!(&report["rhs"]["offset"], named, "{report:#}");
    }
    let unknown = compare(folder.path(), &["t.wat", "--invoke", "run", "--features", "-nothing"]);
    assert!(unknown.0 == 2 && unknown.2.contains("tail-call"), "{}", unknown.2);
    let lacking = compare(folder.path(), &["t.wat", "--invoke", "run", "--rhs", "wasmi", "--features", "+threads"]);
    assert!(lacking.0 == 2 && lacking.2.contains("wasmi cannot switch threads"), "{}", lacking.2);
}

#[test]
fn what_was_compiled_ahead_is_run_with_other_proposals() {
    let folder = folder_with(&[("t.wat", TAIL)]);
    let call = ["t.wat", "--invoke", "run", "--features", "+tail-call", "--run-features", "-tail-call"];
    let (code, report, stderr) = compare(folder.path(), &call);
    // Compiled in the process that runs it, it is invalid; compiled ahead, it was valid, but its code is not loaded.
    assert_eq!((code, &report["verdict"]), (1, &"validation".into()), "{report:#}{stderr}");
    assert_eq!(report["lhs"]["outcome"], "rejected at validate");
    assert_eq!(report["rhs"]["outcome"], "rejected at compile");
    let words = report["rhs"]["message"].as_str().unwrap_or_default();
    assert!(words.contains("tail_call") && words.contains(" module.cwasm"), "no path of ours: {words}");
}

#[test]
fn without_multi_memory_a_module_records_by_hooks_and_a_replay_knows() {
    let folder = folder_with(&[("t.wat", TAIL)]);
    let record = ["record", "t.wat", "--invoke", "run", "--features", "-multi-memory", "-o", "t.fpt"];
    let ran = common::run(folder.path(), &record);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let again = common::run(folder.path(), &["replay", "t.fpt", "-o", "again.fpt"]);
    assert_eq!(again.code, 0, "{}{}", again.stdout, again.stderr);
    for file in ["t.fpt", "again.fpt"] {
        let ran = common::run(folder.path(), &["info", file, "--json"]);
        let info: Value = serde_json::from_str(&ran.stdout).expect("JSON");
        assert_eq!(info["features"]["run"], serde_json::json!(["-multi-memory"]), "{info:#}");
        assert_eq!(info["recorder"]["hooks"], true, "{info:#}");
        let settings = info["engine"]["settings"].as_array().expect("a list");
        let told: Vec<&Value> = settings.iter().filter(|setting| setting[0] == "wasm_multi_memory").collect();
        assert_eq!(told, [&serde_json::json!(["wasm_multi_memory", "false"])], "once, and as it is: {info:#}");
    }
}

#[test]
fn engines_are_asked_about_a_module_that_is_not_valid() {
    let folder = folder_with(&[("bad.wat", b"(module (memory 1) (func (export \"f\") (result i32) (i64.const 1)))")]);
    let (code, report, stderr) = compare(folder.path(), &["bad.wat", "--invoke", "f", "--rhs", "wasmi"]);
    assert_eq!((code, &report["nothing_ran"]), (2, &true.into()), "{report:#}{stderr}");
    assert!(stderr.contains("nothing runs"), "{stderr}");
    for side in ["lhs", "rhs"] {
        assert_eq!(report[side]["outcome"], "rejected at validate", "{report:#}");
        assert!(report[side]["message"].as_str().is_some_and(|words| words.contains("type mismatch")), "{report:#}");
        assert_eq!(report[side]["offset"], report["lhs"]["offset"]);
    }
    assert!(report["specification"].as_str().is_some_and(|words| words.starts_with("not valid: type mismatch")));
    // There is nothing to record.
    let ran = common::run(folder.path(), &["record", "bad.wat", "--invoke", "f", "-o", "bad.fpt"]);
    assert!(ran.code == 2 && ran.stderr.contains("forkpoint compare"), "{}", ran.stderr);
    assert!(!folder.path().join("bad.fpt").exists());
}

/// The second segment does not fit, but the first one has been copied by then.
const HALF_WAY: &[u8] = br#"(module (import "env" "memory" (memory 1))
  (data (i32.const 16) "first") (data (i32.const 65530) "does not fit") (func (export "run")))"#;

#[test]
fn what_a_failed_instantiation_left_behind_is_looked_at() {
    let folder = folder_with(&[("t.wat", HALF_WAY)]);
    for engine in ["wasmtime:aot", "wasmtime:pulley", "wasmi"] {
        let (code, report, stderr) = compare(folder.path(), &["t.wat", "--invoke", "run", "--rhs", engine]);
        assert_eq!((code, &report["nothing_ran"]), (2, &true.into()), "{engine}: {report:#}{stderr}");
        for side in ["lhs", "rhs"] {
            let message = report[side]["message"].as_str().unwrap_or_default();
            assert!(
                message.ends_with("left in imported memory env.memory at 0x10: 66 69 72 73 74"),
                "{side}: {message}"
            );
        }
    }
    let ran = common::run(folder.path(), &["compare", "t.wat", "--invoke", "run", "--rhs", "wasmi"]);
    assert!(ran.stdout.starts_with("Nothing to compare: both engines rejected the module at instantiate"), "{ran:?}");
    let engines = ["compare", "t.wat", "--invoke", "run", "--engines", "wasmtime:jit;wasmi"];
    let ran = common::run(folder.path(), &engines);
    assert!(ran.code == 2 && ran.stdout.contains("Nothing to compare: all 2 engines"), "{ran:?}");
}
