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
    tests.add("commands_are_looked_at_as_they_are", &[Need::Node], commands_are_looked_at_as_they_are);
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

/// Runs a module by Node.js. As a faulty engine it takes a constant for 0.
const ENGINE: &str = r#"
import { readFile } from 'node:fs/promises';
import { WASI } from 'node:wasi';
const wasi = new WASI({ version: 'preview1', args: [], env: {} });
const bytes = await readFile(process.argv[2]);
if (process.argv[3] === 'faulty') {
  const at = bytes.indexOf(Buffer.from([0xf8, 0xac, 0xd1, 0x11]));
  if (at >= 0) bytes.set([0x80, 0x80, 0x80, 0], at);
}
const instance = await WebAssembly.instantiate(await WebAssembly.compile(bytes), wasi.getImportObject());
if (instance.exports._start) wasi.start(instance);
else instance.exports.main();
"#;

/// Divides by that constant in its fourth call.
const DIVIDES: &str = r#"(module (memory (export "memory") 1)
  (func $store (param i32 i32) (i32.store offset=64 (local.get 0) (local.get 1)))
  (func $work (param $n i32) (result i32)
    (call $store (local.get $n) (i32.const 5))
    (if (i32.eq (local.get $n) (i32.const 3))
      (then (call $store (i32.const 0) (i32.div_u (i32.const 7) (i32.const 0x2345678)))))
    (i32.add (local.get $n) (i32.const 1)))
  (func (export "_start") (local $i i32)
    (loop (local.set $i (call $work (local.get $i))) (br_if 0 (i32.lt_u (local.get $i) (i32.const 10))))))"#;

fn commands_are_looked_at_as_they_are() {
    let folder = common::folder_with(&[("run.mjs", ENGINE.as_bytes()), ("m.wat", DIVIDES.as_bytes())]);
    let command = format!("command:'{}' --no-warnings run.mjs {{module}}", node());
    let faulty = format!("{command} faulty");
    let arguments = ["reduce", "m.wat", "-o", "small.wat", "--json", "--lhs", &command, "--rhs", &faulty];
    let ran = run(folder.path(), &arguments);
    let report: serde_json::Value =
        serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.stderr));
    assert_eq!((ran.code, &report["likeness"]), (1, &"trap: rhs trap".into()), "{report:#}");
    assert_eq!((&report["end"], &report["calls"]), (&"minimal".into(), &["main"].into()), "{report:#}");
    let text = fs::read_to_string(folder.path().join("small.wat")).expect("the reduced module");
    assert!(report["bytes"].as_u64().is_some_and(|bytes| bytes < 90), "{text}");
    let own = &report["own_commands"][1];
    let filled =
        own["command"].as_str().is_some_and(|own| own.ends_with(r#" --no-warnings run.mjs "$module" faulty"#));
    assert!(filled && own["as_expected"].is_null() && own["expected"].is_string(), "{own:#}");
}
