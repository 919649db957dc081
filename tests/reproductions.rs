//! Reduced modules, shown by the engines' own commands: the script that `reduce` writes is run without forkpoint.

mod common;

use common::external::{Need, PYTHON, libraries, node};
use common::{repository_text, run};
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    let mut tests = common::external::Tests::default();
    let old = |release: &str| Need::library(&format!("libwasmtime-{release}.so"));
    let both = [PYTHON, old("40.0.0"), old("41.0.0")];
    tests.add("two_libraries_by_their_c_interface", &both, two_libraries_by_their_c_interface);
    tests.add("a_script_for_node", &[PYTHON, Need::Node, old("17.0.0")], a_script_for_node);
    tests.add("a_template_that_is_filled_in", &[PYTHON, Need::Node, old("17.0.0")], a_template_that_is_filled_in);
    tests.run()
}

fn library(release: &str, settings: &str) -> String {
    format!("capi:jit,lib={}{settings}", libraries().join(format!("libwasmtime-{release}.so")).display())
}

/// Reduces a module, and runs the script in a folder where nothing else is. Returns what it printed, in lines.
fn shown(module: &str, call: &str, lhs: &str, rhs: &str) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let module = repository_text(&format!("tests/cases/known-bugs/{module}"));
    let outputs = ["-o", "small.wat", "--reproduce", "bug.sh", "--report", "bug.md"];
    let arguments = ["reduce", &module, "--invoke", call, "--lhs", lhs, "--rhs", rhs];
    let ran = run(folder.path(), &[&arguments[..], &outputs].concat());
    assert_eq!(ran.code, 1, "{ran:?}");
    let checked = ran.stdout.contains("without forkpoint: sh bug.sh (left as expected, ");
    assert!(checked && ran.stdout.contains("; right as expected, "), "{}", ran.stdout);
    let page = fs::read_to_string(folder.path().join("bug.md")).expect("a page");
    let script = fs::read_to_string(folder.path().join("bug.sh")).expect("a script");
    assert!(page.contains(&format!("```sh\n{script}```")) && page.matches("Checked: printed").count() == 2, "{page}");
    assert!(!script.contains("forkpoint "), "{script}");
    let elsewhere = tempfile::tempdir().expect("a temporary folder");
    let moved: &Path = &elsewhere.path().join("sent.sh");
    fs::rename(folder.path().join("bug.sh"), moved).expect("both are in one file system");
    let output = Command::new("sh").arg(moved).current_dir(elsewhere.path()).output().expect("a shell");
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_string).collect()
}

/// That each side printed what was expected of it, and the two differ.
fn both_are_as_expected(lines: &[String]) {
    let expected: Vec<&str> =
        lines.iter().filter_map(|line| line.strip_prefix("  expected: main returns ")).collect();
    let [left, right] = expected[..] else { panic!("{lines:?}") };
    assert_ne!(left, right);
    let printed = |value: &str| {
        let unsigned = value.parse::<i32>().map_or(String::new(), |value| (value as u32).to_string());
        lines.iter().any(|line| line == value || *line == unsigned)
    };
    assert!(printed(left) && printed(right), "{lines:?}");
}

fn two_libraries_by_their_c_interface() {
    let (right, wrong) = (library("41.0.0", ",opt=none"), library("40.0.0", ",opt=none"));
    both_are_as_expected(&shown("wasmtime-12318-wrong-value.wat", "run 24 1", &right, &wrong));
}

fn a_script_for_node() {
    let node = format!("node,program={}", node());
    let lines = shown("wasmtime-7999-wrong-address.wat", "run 64", &node, &library("17.0.0", ""));
    both_are_as_expected(&lines);
}

fn a_template_that_is_filled_in() {
    // Quotes, and a placeholder inside of a word.
    let script = "const [, path, name] = process.argv;
        const { exports } = new WebAssembly.Instance(new WebAssembly.Module(require(\"fs\").readFileSync(path)));
        console.log(String(exports[name.split(\"=\")[1]]()));";
    let command = format!("command:'{}' -e '{script}' {{module}} --call={{function}}", node());
    let lines = shown("wasmtime-7999-wrong-address.wat", "run 64", &library("17.0.0", ""), &command);
    both_are_as_expected(&lines);
}
