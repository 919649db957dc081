//! SIGKILL at any moment, of the recorder or of the engine's process: any file that is left can be trusted.
//!
//! `FORKPOINT_KILLS=300 cargo test --workspace --test kills` for more moments than a few.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod common;

use common::{children, folder_with, repository};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Some two million stores.
const CALL: &str = "run 1";

/// Every trace below a folder, whatever its name.
fn traces(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| fs::read(path).is_ok_and(|bytes| bytes.starts_with(b"\x89FPTRACE"))).collect()
}

/// A trace that was cut short is a prefix of the whole one, replays, and claims no more; a complete one is the whole.
fn is_true(file: &Path, whole: &Path, events: u64) {
    let folder = file.parent().unwrap();
    let [name, whole] = [file, whole].map(|path| path.to_str().unwrap());
    let ran = common::run(folder, &["info", name, "--verify", "--json"]);
    if ran.stdout.is_empty() {
        // Cut before its first event: it says that there is nothing to read.
        assert!(ran.code == 2 && ran.stderr.contains("incomplete"), "{name}: {ran:?}");
        return;
    }
    let info: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(ran.code, 0, "{name}: {ran:?}");
    let diff = common::run(folder, &["diff", whole, name, "--json"]);
    let report: Value = serde_json::from_str(&diff.stdout).unwrap_or_default();
    match (info["complete"].as_bool(), info["outcome"].as_str()) {
        (Some(true), Some("finished")) => {
            assert_eq!((diff.code, &info["events"]), (0, &events.into()), "{name}: {report:#}");
        }
        // Its engine was killed before the run ended: that is reported, and no verdict about anything else.
        (Some(true), _) => {
            let crash = diff.code == 1 && report["verdict"] == "crash";
            assert!(crash || diff.code == 2 && report["agree"].is_null(), "{name}: {report:#}");
        }
        _ => assert_eq!((diff.code, &report["agree"]), (2, &Value::Null), "{name}: {report:#}"),
    }
}

#[test]
fn no_file_lies_whenever_a_process_is_killed() {
    let count = std::env::var("FORKPOINT_KILLS").ok().and_then(|count| count.parse().ok()).unwrap_or(6);
    let module = fs::read(repository("benches/sieve.wat")).unwrap();
    let folder = folder_with(&[("sieve.wat", &module)]);
    let begun = Instant::now();
    let ran = common::run(folder.path(), &["record", "sieve.wat", "--invoke", CALL, "-o", "whole.fpt", "--json"]);
    let full = begun.elapsed();
    assert_eq!(ran.code, 0, "{ran:?}");
    let events = serde_json::from_str::<Value>(&ran.stdout).unwrap()["events"].as_u64().unwrap();
    let whole = folder.path().join("whole.fpt");
    let old = fs::read(&whole).unwrap();
    let mut random = fastrand::Rng::with_seed(11);
    for number in 0..count {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("sieve.wat"), &module).unwrap();
        let output = place.path().join("t.fpt");
        let replaces = random.bool();
        if replaces {
            fs::write(&output, &old).unwrap();
        }
        let mut recorder = Command::new(common::FORKPOINT)
            .current_dir(place.path())
            .args(["record", "sieve.wat", "--invoke", CALL, "-o", "t.fpt", "-q"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(full.mul_f64(1.1 * random.f64()));
        let engine = random.bool().then(|| children(recorder.id()).into_iter().next()).flatten();
        match engine {
            Some(engine) => {
                let _ = Command::new("kill").args(["-KILL", &engine]).stderr(Stdio::null()).status().unwrap();
            }
            None => recorder.kill().unwrap(),
        }
        recorder.wait().unwrap();
        // Its engine dies with it, and nothing may write to the file any more.
        std::thread::sleep(Duration::from_millis(20));
        for file in traces(place.path()) {
            is_true(&file, &whole, events);
        }
        if replaces {
            // The old file is there, or a new one has replaced it completely.
            let now = fs::read(&output).unwrap();
            let ran = common::run(place.path(), &["info", "t.fpt", "--json"]);
            let info: Value = serde_json::from_str(&ran.stdout).unwrap_or_default();
            assert!(now == old || info["complete"] == true, "kill {number}: {info:#}");
        }
    }
}
