//! Helpers of the end-to-end tests: running the real binary, folders with files, cleaning output.

#![allow(dead_code, reason = "every test binary uses a part")]

pub mod apps;
pub mod external;

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// The binary under test.
pub const FORKPOINT: &str = env!("CARGO_BIN_EXE_forkpoint");

/// How one command ended.
#[derive(Debug)]
pub struct Ran {
    /// Exit code, -1 if a signal ended it.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// Runs forkpoint in a folder, without a cache.
pub fn run<S: AsRef<std::ffi::OsStr>>(folder: &Path, arguments: &[S]) -> Ran {
    run_with_cache(folder, "off", arguments)
}

/// Runs forkpoint in a folder, with this folder for its cache.
pub fn run_with_cache<S: AsRef<std::ffi::OsStr>>(folder: &Path, cache: &str, arguments: &[S]) -> Ran {
    let output = Command::new(FORKPOINT)
        .current_dir(folder)
        .args(arguments)
        .env("FORKPOINT_CACHE", cache)
        .stdin(Stdio::null())
        .output()
        .expect("forkpoint starts");
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// A path in this repository.
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The same as text, for arguments.
pub fn repository_text(path: &str) -> String {
    repository(path).display().to_string()
}

/// A temporary folder with these files.
pub fn folder_with(files: &[(&str, &[u8])]) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).expect("writing a test file");
    }
    folder
}

/// Process ids of a process's children.
pub fn children(process: u32) -> Vec<String> {
    let threads = fs::read_dir(format!("/proc/{process}/task")).expect("a running process");
    let children = threads.filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("children")).ok());
    children.flat_map(|list| list.split_whitespace().map(str::to_string).collect::<Vec<_>>()).collect()
}

#[allow(unused_imports, reason = "every test binary uses a part")]
pub use external::has_program;

/// Words of a command; 'single quotes' keep spaces.
pub fn words(command: &str) -> Vec<String> {
    let mut all = Vec::new();
    for (i, part) in command.split('\'').enumerate() {
        match i % 2 {
            0 => all.extend(part.split_whitespace().map(str::to_string)),
            _ => all.push(part.to_string()),
        }
    }
    all
}

/// The modules of the file tests, each with the options by which its first command calls it.
pub fn cases() -> Vec<(String, PathBuf, Vec<String>)> {
    let entries = fs::read_dir(repository("tests/cases")).expect("tests/cases is there");
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

/// Compares Wasmtime with another engine: exit code, report, standard error.
pub fn compare(module: &Path, calls: &[String], rhs: &str) -> (i32, Value, String) {
    let module = module.display().to_string();
    let mut command = vec!["compare", &module, "--rhs", rhs, "--json"];
    command.extend(calls.iter().map(String::as_str));
    let ran = run(&std::env::temp_dir(), &command);
    (ran.code, serde_json::from_str(&ran.stdout).unwrap_or_default(), ran.stderr)
}
