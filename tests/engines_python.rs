//! The reference runner in runners/python: any release of wasmtime, by its Python package. `tests/engines/fetch.sh` brings
//! the packages; FORKPOINT_PYTHON names another folder of them.

mod common;

use common::external::{Need, PYTHON, Tests, packages};
use common::{FORKPOINT, Ran, cases, folder_with, repository_text};
use serde_json::Value;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

/// Proposals that some releases lack.
const LATER: &[&str] = &["memory64", "multi-memory", "vectors"];

/// The newest release that is fetched.
const NEWEST: &str = "48.0.0";

fn main() -> ExitCode {
    let mut tests = Tests::default();
    for (release, options) in [
        ("0.30.0", ""),
        ("8.0.1", "--opt none"),
        ("17.0.0", "--opt speed-and-size"),
        ("48.0.0", ""),
        ("48.0.0", "--compiler winch"),
        ("48.0.0", "--compiler cranelift --features=+gc,-threads"),
    ] {
        let name = format!("the_runner_passes_its_check::{release} {options}").trim_end().to_string();
        tests.add(name, &of(release), move || the_runner_passes_its_check(release, options));
    }
    for (release, agrees) in [("17.0.0", false), ("48.0.0", true)] {
        let name = format!("a_known_bug_of_an_old_release_is_found_by_it::{release}");
        tests.add(name, &of(release), move || a_known_bug_is_found(release, agrees));
    }
    for release in ["0.30.0", "48.0.0"] {
        let name = format!("what_a_failed_instantiation_left_in_an_imported_memory_is_shown::{release}");
        tests.add(name, &of(release), move || left_behind_is_shown(release));
    }
    tests.add("it_agrees_with_wasmtime_on_the_file_tests", &of(NEWEST), it_agrees_with_wasmtime_on_the_file_tests);
    for release in ["17.0.0", NEWEST] {
        let name = format!("scripts_run_by_it::{release}");
        tests.add(name, &of(release), move || scripts_run_by_it(release));
    }
    tests.add("limits_and_settings_are_said", &of(NEWEST), limits_and_settings_are_said);
    tests.add("what_is_missing_in_an_old_release_is_said", &of("0.30.0"), what_is_missing_in_an_old_release_is_said);
    tests.add("memory_is_shown_as_the_protocol_has_it", &[PYTHON], memory_is_shown_as_the_protocol_has_it);
    let hashes = [PYTHON, Need::Xxhash];
    tests.add(
        "checkpoints_are_shown_as_the_protocol_has_them",
        &hashes,
        checkpoints_are_shown_as_the_protocol_has_them,
    );
    tests.add("the_short_name_runs_the_bundled_runner", &of("17.0.0"), the_short_name_runs_the_bundled_runner);
    tests.add("a_missing_package_or_python_is_said", &[PYTHON], a_missing_package_or_python_is_said);
    tests.run()
}

/// The needs of a test of one release.
fn of(release: &str) -> [Need; 3] {
    [PYTHON, Need::Package(release.to_string()), Need::Xxhash]
}

/// Where Python finds the packages of one release.
struct Packages(String);

impl Packages {
    fn of(release: &str) -> Packages {
        let paths = [packages().join(format!("wasmtime-{release}")), packages().join("xxhash")];
        Packages(std::env::join_paths(paths).expect("paths without colons").to_string_lossy().into_owned())
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("PYTHONPATH", &self.0).stdin(Stdio::null());
        command
    }

    fn run(&self, folder: &Path, arguments: &[&str]) -> Ran {
        let output = self.command(FORKPOINT).current_dir(folder).args(arguments).output().expect("forkpoint starts");
        Ran {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

fn engine(options: &str) -> String {
    format!("runner:python3 -B {} {options}", repository_text("runners/python/runner.py")).trim_end().to_string()
}

fn the_runner_passes_its_check(release: &str, options: &str) {
    let spec = engine(options);
    let mut arguments = vec!["runner-check", "--json", "--"];
    arguments.extend(spec.strip_prefix("runner:").expect("a runner").split_whitespace());
    let ran = Packages::of(release).run(&std::env::temp_dir(), &arguments);
    let rows: Vec<Value> =
        serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.stderr));
    assert!(rows.len() >= 10, "{}", ran.stdout);
    // All but the last, which is optional: its own host.
    let (host, others) = rows.split_last().expect("rows");
    assert!(host["passed"].is_null(), "{host:#}");
    assert!(others.iter().all(|row| row["passed"] == true), "{release:?} {options}: {}", ran.stdout);
}

fn it_agrees_with_wasmtime_on_the_file_tests() {
    let (packages, engine) = (Packages::of(NEWEST), engine(""));
    for (name, module, calls) in cases() {
        let module = module.display().to_string();
        let mut command = vec!["compare", &module, "--rhs", &engine, "--json", "--no-guard"];
        command.extend(calls.iter().map(String::as_str));
        let ran = packages.run(&std::env::temp_dir(), &command);
        let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_default();
        // Refused before any engine sees it, or by this engine, which has no threads and cannot pass vectors.
        if name.starts_with("threads") || name == "shared-memory" || LATER.contains(&name.as_str()) && ran.code != 0 {
            continue;
        }
        assert_eq!((ran.code, &report["agree"]), (0, &true.into()), "{name}: {report:#}{}", ran.stderr);
    }
}

/// Modules that share memories and tables, values of all kinds, and what is refused.
const VALUES: &str = r#"
    (module (func (export "null") (result funcref) (ref.null func)) (func $f (export "func") (result funcref) (ref.func $f))
      (func (export "same") (param externref) (result externref) (local.get 0))
      (func (export "floats") (param f32 f64) (result f64 f32) (local.get 1) (local.get 0)))
    (assert_return (invoke "null") (ref.null func))
    (assert_return (invoke "func") (ref.func))
    (assert_return (invoke "same" (ref.extern 5)) (ref.extern 5))
    (assert_return (invoke "same" (ref.null extern)) (ref.null extern))
    (assert_return (invoke "floats" (f32.const 1.5) (f64.const -0)) (f64.const -0) (f32.const 1.5))
    (module $starts (memory (export "m") 1) (func $start (i32.store (i32.const 4) (i32.const 9))) (start $start))
    (register "starts")
    (module (import "starts" "m" (memory 1)) (func (export "get") (result i32) (i32.load (i32.const 4))))
    (assert_return (invoke "get") (i32.const 9))
    (assert_trap (module (func $f unreachable) (start $f)) "unreachable")
    (assert_unlinkable (module (import "starts" "m" (table 1 funcref))) "incompatible import type")
    (module (func $deep (export "deep") (call $deep)))
    (assert_exhaustion (invoke "deep") "call stack exhausted")"#;

fn scripts_run_by_it(release: &str) {
    let packages = Packages::of(release);
    let folder = folder_with(&[("values.wast", VALUES.as_bytes())]);
    for (script, assertions) in [(repository_text("tests/scripts/linked.wast"), 8), ("values.wast".to_string(), 9)] {
        let ran = packages.run(folder.path(), &["compare", &script, "--rhs", &engine(""), "--json"]);
        let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_default();
        assert_eq!((ran.code, &report["agree"]), (0, &true.into()), "{script}: {report:#}{}", ran.stderr);
        let passed = &report["rhs"]["assertions"]["passed"];
        assert_eq!(
            (passed, &report["lhs"]["assertions"]["total"]),
            (&assertions.into(), &assertions.into()),
            "{report:#}"
        );
        assert_eq!(report["guard"]["observer_effect"], false, "{report:#}");
    }
    let modules = [
        (
            "a.wat",
            r#"(module (memory (export "m") 1) (func (export "get") (param i32) (result i32) (i32.load (local.get 0))))"#,
        ),
        (
            "b.wat",
            r#"(module (import "a" "m" (memory 1)) (func (export "poke") (i32.store (i32.const 8) (i32.const 7))))"#,
        ),
    ];
    let folder = folder_with(&modules.map(|(name, text)| (name, text.as_bytes())));
    let program =
        ["compare", "--module", "a=a.wat", "--module", "b=b.wat", "--invoke", "b.poke", "--invoke", "a.get 8"];
    let ran = packages.run(folder.path(), &[&program[..], &["--rhs", &engine(""), "--json"]].concat());
    let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_default();
    assert_eq!((ran.code, &report["agree"]), (0, &true.into()), "{report:#}{}", ran.stderr);
}

fn a_known_bug_is_found(release: &str, agrees: bool) {
    let module = repository_text("tests/cases/known-bugs/wasmtime-7999-wrong-address.wat");
    let compare = ["compare", &module, "--invoke", "run 64", "--json", "--rhs", &engine("")];
    let ran = Packages::of(release).run(&std::env::temp_dir(), &compare);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.stderr));
    let version = report["rhs"]["version"].as_str().unwrap_or_default();
    assert!(version.contains(release), "{report:#}");
    if agrees {
        assert_eq!((ran.code, &report["agree"]), (0, &true.into()), "{report:#}");
    } else {
        assert_eq!((ran.code, &report["verdict"], &report["position"]), (1, &"address".into(), &5.into()));
        assert_eq!(report["site"]["instruction"], "i32.store", "{report:#}");
    }
}

fn left_behind_is_shown(release: &str) {
    let module = repository_text("tests/cases/field/half-way.wat");
    let compare = ["compare", &module, "--invoke", "run", "--json", "--rhs", &engine("")];
    let ran = Packages::of(release).run(&std::env::temp_dir(), &compare);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.stderr));
    assert_eq!((ran.code, &report["nothing_ran"]), (2, &true.into()), "{report:#}");
    let message = report["rhs"]["message"].as_str().unwrap_or_default();
    assert!(message.ends_with("left in imported memory env.m at 0x10: 66 69 72 73 74"), "{report:#}");
}

const GROWS: &[u8] = br#"(module (memory 1) (func (export "run") (result i32) (memory.grow (i32.const 3))))"#;

/// Records a module that grows past a limit.
fn record(folder: &Path, engine: &str, packages: &Packages) -> Ran {
    let limited =
        ["record", "t.wat", "--invoke", "run", "--engine", engine, "--memory-page-limit", "2", "-o", "t.fpt"];
    packages.run(folder, &limited)
}

fn limits_and_settings_are_said() {
    let (folder, packages) = (folder_with(&[("t.wat", GROWS)]), Packages::of(NEWEST));
    let ran = record(folder.path(), &engine("--opt none"), &packages);
    assert!(ran.code == 0 && ran.stdout.contains("-1"), "{}{}", ran.stdout, ran.stderr);
    let info = packages.run(folder.path(), &["info", "t.fpt", "--json"]);
    let info: Value = serde_json::from_str(&info.stdout).expect("JSON");
    assert_eq!((&info["engine"]["name"], &info["engine"]["opt_level"]), (&"wasmtime".into(), &"none".into()));
    let ran = record(folder.path(), &engine("--features=+no-such-thing"), &packages);
    assert!(ran.code == 2 && ran.stderr.contains("no setting `wasm_no_such_thing`"), "{}", ran.stderr);
}

fn what_is_missing_in_an_old_release_is_said() {
    let (folder, packages) = (folder_with(&[("t.wat", GROWS)]), Packages::of("0.30.0"));
    let ran = record(folder.path(), &engine(""), &packages);
    assert!(ran.code == 2 && ran.stderr.contains("has no limit for memories"), "{}", ran.stderr);
    let ran = record(folder.path(), &engine("--compiler winch"), &packages);
    assert!(ran.code == 2 && ran.stderr.contains("does not offer the compiler Winch"), "{}", ran.stderr);
}

/// The output of observing.py, run with the packages that Python finds there.
fn shown(packages: &Packages) -> String {
    let script = repository_text("tests/runners/observing.py");
    let arguments = ["-B", &script, &repository_text("runners/python")];
    let ran = packages.command("python3").args(arguments).output().expect("python3 starts");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8_lossy(&ran.stdout).into_owned()
}

const IMAGE: &str = r#"image
J {"Image": {"memory": 0, "pages": 1}}
I 0 4096 4096 {904: 7}
I 0 61440 4096 {4095: 9}
J "ImageEnd"
watch
H [1]
V 0 8 2 {}
V 0 65534 2 {1: 9}
H [2, 3]
V 0 8 2 {1: 121}
H [4]
"#;

const CHECKPOINT: &str = r#"checkpoint
H [5, 6]
J {"Checkpoint": {"pages": [1]}}
D ["0: a70e823b19b5c49a", "1: 78a793c3410eb997", "15: 7295f88c8f40714c"]
J "CheckpointEnd"
I 0 4096 4096 {904: 7}
I 0 61440 4096 {4095: 9}
J "CheckpointDone"
"#;

/// What no correct engine shows: changes of watched bytes.
fn memory_is_shown_as_the_protocol_has_it() {
    let shown = shown(&Packages(String::new()));
    // The system's Python may have the package xxhash, which checkpoints need.
    assert!(shown == IMAGE || shown == format!("{IMAGE}{CHECKPOINT}"), "{shown}");
}

/// The pages requested at a checkpoint.
fn checkpoints_are_shown_as_the_protocol_has_them() {
    let hashes = Packages(packages().join("xxhash").display().to_string());
    assert_eq!(shown(&hashes), format!("{IMAGE}{CHECKPOINT}"));
}

const KNOWN_BUG: &str = "tests/cases/known-bugs/wasmtime-7999-wrong-address.wat";

fn the_short_name_runs_the_bundled_runner() {
    let module = repository_text(KNOWN_BUG);
    let compare = ["compare", &module, "--invoke", "run 64", "--rhs", "python,opt=speed", "--json"];
    let ran = Packages::of("17.0.0").run(&std::env::temp_dir(), &compare);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.stderr));
    assert_eq!((ran.code, &report["verdict"]), (1, &"address".into()), "{report:#}");
    assert_eq!(report["rhs"]["engine"], "python,opt=speed", "{report:#}");
}

/// Without a package it says how to get one; without Python it says that Python is missing.
fn a_missing_package_or_python_is_said() {
    let (folder, module) = (folder_with(&[]), repository_text(KNOWN_BUG));
    // In case the system's Python has the package.
    let broken = folder.path().join("wasmtime");
    std::fs::create_dir(&broken).expect("a temporary folder");
    std::fs::write(broken.join("__init__.py"), "raise ImportError('not here')\n").expect("writing a test file");
    let nowhere = Packages(folder.path().display().to_string());
    let run = |engine: &str| {
        let command = ["record", &module, "--invoke", "run 64", "-o", "t.fpt", "--engine", engine];
        nowhere.run(folder.path(), &command)
    };
    let ran = run("python,program=/nowhere/python3");
    assert!(ran.code == 2 && ran.stderr.contains("/nowhere/python3 cannot be started"), "{ran:?}");
    let ran = run("python");
    assert!(ran.code == 2 && ran.stderr.contains("pip install wasmtime"), "{ran:?}");
}
