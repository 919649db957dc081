//! wasm3 by the runner in tests/engines/wasm3: an interpreter in C that validates nothing, with one memory and few
//! proposals.

mod common;

use common::external::{Need, PYTHON, external_tests, libraries};
use common::{cases, compare, folder_with, repository_text, run};
use serde_json::Value;

external_tests! {
    [PYTHON, Need::library(LIBRARY)] => it_agrees_with_wasmtime_on_what_it_takes,
        it_speaks_the_protocol,
        one_that_takes_what_is_not_valid_is_found_out;
}

const LIBRARY: &str = "libwasm3-0.5.0.so";

fn engine() -> String {
    format!("runner:{}", words().join(" "))
}

fn words() -> [String; 3] {
    let runner = repository_text("tests/engines/wasm3/runner.py");
    ["python3".to_string(), runner, libraries().join(LIBRARY).display().to_string()]
}

/// File tests that need nothing that it lacks.
const TAKEN: &[&str] = &["agree", "calls", "grow", "readme", "start", "trap"];

fn it_agrees_with_wasmtime_on_what_it_takes() {
    let mut agreed = Vec::new();
    for (name, module, calls) in cases() {
        let (code, report, stderr) = compare(&module, &calls, &engine());
        if TAKEN.contains(&name.as_str()) {
            assert_eq!((code, &report["agree"]), (0, &true.into()), "{name}: {report:#}{stderr}");
            agreed.push(name);
            continue;
        }
        // The rest is refused before anything runs, by wasm3 or by the recorder.
        let refused = report["rhs"]["outcome"].as_str().is_some_and(|outcome| outcome.starts_with("rejected at"));
        assert!(refused || code == 2, "{name}: {report:#}{stderr}");
    }
    assert_eq!(agreed, TAKEN);
}

fn it_speaks_the_protocol() {
    let words = words();
    let mut arguments = vec!["runner-check", "--json", "--"];
    arguments.extend(words.iter().map(String::as_str));
    let ran = run(&std::env::temp_dir(), &arguments);
    let rows: Vec<Value> =
        serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.stderr));
    let failed: Vec<&str> =
        rows.iter().filter(|row| row["passed"] == false).filter_map(|row| row["part"].as_str()).collect();
    // It has no passive segments.
    assert_eq!(failed, ["fills and copies"], "{}", ran.stdout);
}

/// It does not compare types in unreachable code, nor many others.
fn one_that_takes_what_is_not_valid_is_found_out() {
    let module = br#"(module (memory 1) (func (export "run") (result i32) (f32.const 1)))"#;
    let folder = folder_with(&[("t.wat", module)]);
    let ran = run(folder.path(), &["compare", "t.wat", "--invoke", "run", "--rhs", &engine(), "--json"]);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.stderr));
    assert_eq!((ran.code, &report["verdict"]), (1, &"validation".into()), "{report:#}");
    assert_eq!(report["lhs"]["outcome"], "rejected at validate", "{report:#}");
}
