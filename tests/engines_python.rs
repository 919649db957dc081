//! The reference runner in runners/python: any release of wasmtime, by its Python package.
//!
//! The package is the one that `python3` finds, or a release in the folder `FORKPOINT_PYTHON` (CONTRIBUTING.md).

mod common;

use common::{FORKPOINT, Ran, cases, folder_with, has_program, repository, repository_text};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Proposals that not every release knows.
const LATER: &[&str] = &["memory64", "multi-memory", "vectors"];

/// Where Python finds packages of one release.
struct Packages(String);

impl Packages {
    /// Of a release, or of any; `None` where Python or the package is missing.
    fn of(release: Option<&str>) -> Option<Packages> {
        if !has_program("python3", "--version") {
            println!("SKIP: python3 is not installed");
            return None;
        }
        let asked = std::env::var_os("FORKPOINT_PYTHON").filter(|folder| !folder.is_empty());
        let folder = asked.map_or_else(|| repository("target/python"), PathBuf::from);
        let mut paths = vec![folder.join("xxhash")];
        match release {
            Some(release) => {
                let package = folder.join(format!("wasmtime-{release}"));
                if !package.is_dir() {
                    println!("SKIP: {} is not there (CONTRIBUTING.md)", package.display());
                    return None;
                }
                paths.insert(0, package);
            }
            None => paths
                .extend(std::env::var_os("PYTHONPATH").as_deref().map(std::env::split_paths).into_iter().flatten()),
        }
        let joined = std::env::join_paths(paths).expect("paths without colons").to_string_lossy().into_owned();
        let packages = Packages(joined);
        if !packages.has("wasmtime") {
            println!("SKIP: python3 finds no package wasmtime");
            return None;
        }
        Some(packages)
    }

    fn has(&self, package: &str) -> bool {
        let import = format!("import {package}");
        let found = self.command("python3").args(["-c", &import]).stderr(Stdio::null()).status();
        found.is_ok_and(|status| status.success())
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

/// The one that `python3` finds by itself, or the newest in the folder.
fn any() -> Option<Packages> {
    Packages::of(Some("48.0.0")).or_else(|| Packages::of(None))
}

#[test]
fn the_runner_passes_its_check() {
    for (release, options) in [
        (None, ""),
        (Some("0.30.0"), ""),
        (Some("8.0.1"), "--opt none"),
        (Some("17.0.0"), "--opt speed-and-size"),
        (Some("48.0.0"), "--compiler winch"),
        (Some("48.0.0"), "--compiler cranelift --features=+gc,-threads"),
    ] {
        let Some(packages) = Packages::of(release) else { continue };
        let spec = engine(options);
        let mut arguments = vec!["runner-check", "--json", "--"];
        arguments.extend(spec.strip_prefix("runner:").expect("a runner").split_whitespace());
        let ran = packages.run(&std::env::temp_dir(), &arguments);
        let rows: Vec<Value> =
            serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.stderr));
        assert!(rows.len() >= 10, "{}", ran.stdout);
        assert!(rows.iter().all(|row| row["passed"] == true), "{release:?} {options}: {}", ran.stdout);
    }
}

#[test]
fn it_agrees_with_wasmtime_on_the_file_tests() {
    let Some(packages) = any() else { return };
    let engine = engine("");
    for (name, module, calls) in cases() {
        let module = module.display().to_string();
        let mut command = vec!["compare", &module, "--rhs", &engine, "--json", "--no-guard"];
        command.extend(calls.iter().map(String::as_str));
        let ran = packages.run(&std::env::temp_dir(), &command);
        let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_default();
        // Refused before any engine sees them, or by this one, which has no threads and no vectors to call with.
        if name.starts_with("threads") || name == "shared-memory" || LATER.contains(&name.as_str()) && ran.code != 0 {
            continue;
        }
        assert_eq!((ran.code, &report["agree"]), (0, &true.into()), "{name}: {report:#}{}", ran.stderr);
    }
}

#[test]
fn a_known_bug_of_an_old_release_is_found_by_it() {
    let module = repository_text("tests/cases/known-bugs/wasmtime-7999-wrong-address.wat");
    let compare = ["compare", &module, "--invoke", "run 64", "--json", "--rhs", &engine("")];
    for (release, agrees) in [("17.0.0", false), ("48.0.0", true)] {
        let Some(packages) = Packages::of(Some(release)) else { continue };
        let ran = packages.run(&std::env::temp_dir(), &compare);
        let report: Value =
            serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.stderr));
        assert_eq!(
            report["rhs"]["version"].as_str().map(|version| version.contains(release)),
            Some(true),
            "{report:#}"
        );
        if agrees {
            assert_eq!((ran.code, &report["agree"]), (0, &true.into()), "{report:#}");
        } else {
            assert_eq!((ran.code, &report["verdict"], &report["position"]), (1, &"address".into(), &5.into()));
            assert_eq!(report["site"]["instruction"], "i32.store", "{report:#}");
        }
    }
}

#[test]
fn limits_settings_and_what_is_missing_are_said() {
    let folder = folder_with(&[(
        "t.wat",
        br#"(module (memory 1) (func (export "run") (result i32) (memory.grow (i32.const 3))))"#,
    )]);
    let record = |engine: &str, packages: &Packages| {
        let limited =
            ["record", "t.wat", "--invoke", "run", "--engine", engine, "--memory-page-limit", "2", "-o", "t.fpt"];
        packages.run(folder.path(), &limited)
    };
    if let Some(packages) = any() {
        let ran = record(&engine("--opt none"), &packages);
        assert!(ran.code == 0 && ran.stdout.contains("-1"), "{}{}", ran.stdout, ran.stderr);
        let info = packages.run(folder.path(), &["info", "t.fpt", "--json"]);
        let info: Value = serde_json::from_str(&info.stdout).expect("JSON");
        assert_eq!((&info["engine"]["name"], &info["engine"]["opt_level"]), (&"wasmtime".into(), &"none".into()));
        let ran = record(&engine("--features=+no-such-thing"), &packages);
        assert!(ran.code == 2 && ran.stderr.contains("no setting `wasm_no_such_thing`"), "{}", ran.stderr);
    }
    if let Some(packages) = Packages::of(Some("0.30.0")) {
        let ran = record(&engine(""), &packages);
        assert!(ran.code == 2 && ran.stderr.contains("has no limit for memories"), "{}", ran.stderr);
        let ran = record(&engine("--compiler winch"), &packages);
        assert!(ran.code == 2 && ran.stderr.contains("does not offer the compiler Winch"), "{}", ran.stderr);
    }
}

/// What no engine that is well shows: watched bytes, and pages asked for at a checkpoint.
#[test]
fn memory_is_shown_as_the_protocol_has_it() {
    if !has_program("python3", "--version") {
        println!("SKIP: python3 is not installed");
        return;
    }
    let shown = |packages: Option<&Packages>| {
        let mut command = packages.map_or_else(|| Command::new("python3"), |packages| packages.command("python3"));
        let script = repository_text("tests/runners/observing.py");
        let ran = command.args(["-B", &script, &repository_text("runners/python")]).output().expect("python3 starts");
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8_lossy(&ran.stdout).into_owned()
    };
    let image = r#"image
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
    let checkpoint = r#"checkpoint
H [5, 6]
J {"Checkpoint": {"pages": [1]}}
D ["0: a70e823b19b5c49a", "1: 78a793c3410eb997", "15: 7295f88c8f40714c"]
J "CheckpointEnd"
I 0 4096 4096 {904: 7}
I 0 61440 4096 {4095: 9}
J "CheckpointDone"
"#;
    // Without the package xxhash there are no checkpoints.
    let alone = shown(None);
    assert!(alone == image || alone == format!("{image}{checkpoint}"), "{alone}");
    if let Some(packages) = any().filter(|packages| packages.has("xxhash")) {
        assert_eq!(shown(Some(&packages)), format!("{image}{checkpoint}"));
    }
}

#[test]
fn the_short_name_runs_the_runner_that_is_part_of_the_program() {
    let folder = folder_with(&[]);
    let module = repository_text("tests/cases/known-bugs/wasmtime-7999-wrong-address.wat");
    if let Some(packages) = Packages::of(Some("17.0.0")) {
        let ran = packages
            .run(folder.path(), &["compare", &module, "--invoke", "run 64", "--rhs", "python,opt=speed", "--json"]);
        let report: Value =
            serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.stderr));
        assert_eq!((ran.code, &report["verdict"]), (1, &"address".into()), "{report:#}");
        assert_eq!(report["rhs"]["engine"], "python,opt=speed", "{report:#}");
    }
    // Without a package it says how to get one, and without Python that it is missing.
    let nowhere = folder.path().display().to_string();
    let run = |engine: &str| {
        let command = ["record", &module, "--invoke", "run 64", "-o", "t.fpt", "--engine", engine];
        Command::new(FORKPOINT).current_dir(folder.path()).args(command).env("PYTHONPATH", &nowhere).output()
    };
    let ran = run("python,program=/nowhere/python3").expect("forkpoint starts");
    let stderr = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert!(ran.status.code() == Some(2) && stderr.contains("/nowhere/python3 cannot be started"), "{stderr}");
    if has_program("python3", "--version") && !Packages(nowhere.clone()).has("wasmtime") {
        let ran = run("python").expect("forkpoint starts");
        let stderr = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert!(ran.status.code() == Some(2) && stderr.contains("pip install wasmtime"), "{stderr}");
    }
}
