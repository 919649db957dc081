//! `--format` of `compare` and `sweep`: what systems for continuous integration read.

mod common;

use common::{folder_with, run};
use serde_json::Value;

/// Stores 1 where 0/0 is negative.
const NAN: &[u8] = br#"(module (memory 1)
  (func (export "run")
    (i32.store (i32.const 4) (i32.shr_u (i32.reinterpret_f32 (f32.div (f32.load (i32.const 64)) (f32.load (i32.const 64))))
      (i32.const 31)))))"#;

const SAME: &[u8] = br#"(module (memory 1) (func (export "run") (i32.store (i32.const 4) (i32.const 1))))"#;

const CANONICAL: &str = "wasmtime:jit,nan-canonicalization=on";

/// Compares a module whose path has what each form has to escape.
fn compare(format: &str) -> (i32, String) {
    let folder = folder_with(&[("50%, a:<b>.wat", NAN)]);
    let ran =
        run(folder.path(), &["compare", "50%, a:<b>.wat", "--invoke", "run", "--rhs", CANONICAL, "--format", format]);
    (ran.code, ran.stdout)
}

#[test]
fn github_gets_one_line_for_a_divergence() {
    let (code, line) = compare("github");
    assert_eq!((code, line.lines().count()), (1, 1), "{line}");
    assert!(line.starts_with("::error file=50%25%2C a%3A<b>.wat,title=value%3A wasmtime%3Ajit and "), "{line}");
    assert!(line.contains("::The runs diverge at #") && line.contains("%0A"), "{line}");
}

#[test]
fn junit_gets_a_test_case_that_failed() {
    let (code, text) = compare("junit");
    assert_eq!(code, 1);
    assert!(text.contains(r#"tests="1" failures="1" errors="0""#), "{text}");
    assert!(text.contains(r#"classname="50%, a:&lt;b&gt;.wat""#) && text.contains(r#"type="value""#), "{text}");
}

#[test]
fn code_scanning_gets_a_result_with_its_place() {
    let (code, text) = compare("sarif");
    let log: Value = serde_json::from_str(&text).expect("JSON");
    let result = &log["runs"][0]["results"][0];
    assert_eq!((code, &log["version"], &result["ruleId"]), (1, &"2.1.0".into(), &"value".into()), "{text}");
    let place = &result["locations"][0];
    assert_eq!(place["physicalLocation"]["artifactLocation"]["uri"], "50%25%2C%20a%3A%3Cb%3E.wat");
    assert!(place["physicalLocation"]["region"]["byteOffset"].is_u64(), "{result:#}");
    assert_eq!(place["logicalLocations"][0]["name"], "run");
    let is_rule = |rule: &Value| rule["id"] == result["ruleId"];
    assert!(log["runs"][0]["tool"]["driver"]["rules"].as_array().is_some_and(|rules| rules.iter().any(is_rule)));
}

#[test]
fn a_sweep_has_a_test_case_for_each_module() {
    let folder = folder_with(&[("nan.wat", NAN), ("same.wat", SAME)]);
    let engines = format!("wasmtime:jit;{CANONICAL}");
    let sweep = |format: &str| run(folder.path(), &["sweep", ".", "--engines", &engines, "--format", format]);
    let junit = sweep("junit");
    assert!(junit.stdout.contains(r#"tests="2" failures="1" errors="0""#), "{}{}", junit.stdout, junit.stderr);
    let github = sweep("github").stdout;
    assert!(github.lines().count() == 1 && github.starts_with("::error file=nan.wat"), "{github}");
    let same = run(folder.path(), &["compare", "same.wat", "--invoke", "run", "--format", "github"]);
    assert_eq!((same.code, same.stdout.as_str()), (0, ""));
}

/// The script of action.yml.
fn action() -> String {
    let text = std::fs::read_to_string(common::repository("action.yml")).expect("the action is there");
    let (_, script) = text.split_once("      run: |\n").expect("the action has a step that runs a script");
    let lines = script.lines().map(|line| line.strip_prefix("        ").unwrap_or(line).to_string() + "\n");
    lines.collect()
}

/// Runs the action's script as a runner does, with these inputs.
fn act(folder: &std::path::Path, modules: &str, engines: &str, options: &str) -> (Option<i32>, String) {
    let mut shell = std::process::Command::new("bash");
    shell.args(["--noprofile", "--norc", "-e", "-o", "pipefail", "-c", &action()]).current_dir(folder);
    for (name, value) in [
        ("MODULES", modules),
        ("ENGINES", engines),
        ("OPTIONS", options),
        ("OUT", "found"),
        ("FORKPOINT", common::FORKPOINT),
    ] {
        shell.env(name, value);
    }
    let output = shell.output().expect("bash runs");
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn the_action_annotates_a_module_and_a_folder() {
    let folder = folder_with(&[("nan.wat", NAN), ("same.wat", SAME)]);
    let engines = format!("wasmtime:jit;{CANONICAL}");
    let (code, out) = act(folder.path(), "nan.wat", &engines, "--invoke 'run'");
    assert!(code == Some(1) && out.starts_with("::error file=nan.wat,"), "{out}");
    assert!(folder.path().join("found").is_dir(), "the traces are kept for an artifact");
    let (code, out) = act(folder.path(), "same.wat", &engines, "--invoke run -o other");
    assert_eq!(code, Some(2), "an option that is given twice is an error: {out}");
    let (code, out) = act(folder.path(), "same.wat", &engines, "--invoke run --no-guard");
    assert_eq!((code, out.as_str()), (Some(0), ""));
    // What a shell would run is a word like others.
    let (code, _) =
        act(folder.path(), "same.wat", &engines, "--invoke 'run; touch owned' $(touch owned) `touch owned`");
    assert!(code == Some(2) && !folder.path().join("owned").exists());

    std::fs::create_dir(folder.path().join("modules")).expect("a folder");
    for (name, module) in [("a.wat", NAN), ("b.wat", SAME)] {
        std::fs::write(folder.path().join("modules").join(name), module).expect("a module");
    }
    std::fs::remove_dir_all(folder.path().join("found")).expect("the folder of before");
    let (code, out) = act(folder.path(), "modules", &engines, "");
    assert!(code == Some(1) && out.contains("file=modules/a.wat,") && out.lines().count() == 1, "{code:?} {out}");
}
