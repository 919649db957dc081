//! Engines beside Wasmtime that are always there, held against it on everything the file tests have.

mod common;

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// What wasmi 2 does not have.
const WITHOUT_THREADS: &[&str] = &["atomics", "shared-memory"];

/// The modules of the file tests, each with the options by which its first command calls it.
fn cases() -> Vec<(String, PathBuf, Vec<String>)> {
    let entries = fs::read_dir(common::repository("tests/cases")).expect("tests/cases is there");
    let paths = entries.map(|entry| entry.expect("tests/cases can be read").path());
    let modules = paths.filter(|path| path.extension().is_some_and(|extension| extension == "wat"));
    let mut cases: Vec<_> = modules
        .map(|path| {
            let text = fs::read_to_string(&path).expect("a case can be read");
            let run = text.lines().find_map(|line| line.strip_prefix(";; RUN:")).expect("a case has a command");
            let first = run.split("&&").next().unwrap_or_default();
            let mut calls = Vec::new();
            for part in first.split("--invoke ").skip(1) {
                let quoted = part.strip_prefix('\'').and_then(|rest| rest.split('\'').next());
                let call = quoted.or(part.split_whitespace().next()).unwrap_or_default();
                calls.extend(["--invoke".to_string(), call.to_string()]);
            }
            (path.file_stem().unwrap_or_default().to_string_lossy().into_owned(), path, calls)
        })
        .collect();
    cases.sort();
    cases
}

fn compare(module: &Path, calls: &[String], rhs: &str) -> (i32, Value, String) {
    let module = module.display().to_string();
    let mut command = vec!["compare", &module, "--rhs", rhs, "--json"];
    command.extend(calls.iter().map(String::as_str));
    let ran = common::run(&std::env::temp_dir(), &command);
    (ran.code, serde_json::from_str(&ran.stdout).unwrap_or_default(), ran.stderr)
}

#[test]
fn wasmi_agrees_with_wasmtime() {
    let mut seen = 0;
    for (name, module, calls) in cases() {
        let (code, report, stderr) = compare(&module, &calls, "wasmi");
        if WITHOUT_THREADS.contains(&name.as_str()) {
            assert_eq!((code, &report["verdict"]), (1, &"rejected".into()), "{name}: {report:#}{stderr}");
            assert_eq!(report["rhs"]["outcome"], "rejected at compile", "{name}");
            continue;
        }
        assert_eq!((code, &report["agree"]), (0, &true.into()), "{name}: {report:#}{stderr}");
        seen += 1;
    }
    assert!(seen > 10, "only {seen} cases were compared");
}

#[test]
fn checkpoints_and_read_back_work_under_wasmi() {
    let folder = common::folder_with(&[]);
    let module = common::repository_text("examples/orbit.wat");
    for options in [["--checkpoint", "every=10"], ["--checkpoint", "calls"], ["--read-back", "--hooks"]] {
        let mut command =
            vec!["compare", &module, "--invoke", "run 30", "--lhs", "wasmi", "--rhs", "wasmi", "--json"];
        command.extend(options);
        let ran = common::run(folder.path(), &command);
        assert_eq!(ran.code, 0, "{options:?}: {}{}", ran.stdout, ran.stderr);
    }
}
