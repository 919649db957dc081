//! Engines that crash, hang, flood and lie: each gets a verdict or a clear error, in bounded time and memory, and the
//! results of the others are kept. The engine is `tests/runners/failing.py`, which knows these ways by name.

mod common;

use common::external::{PYTHON, external_tests};
use common::{FORKPOINT, folder_with, repository_text};
use serde_json::Value;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

external_tests! {
    [] => what_the_machine_does_not_give_is_no_answer;
    [PYTHON] => a_crash_is_an_end_with_the_events_before_it,
        what_runs_an_engine_fails_by_itself,
        a_process_that_ends_before_it_says_anything_is_an_error_with_its_last_words,
        a_hang_ends_with_the_time_limit,
        a_process_that_stays_or_leaves_another_behind_holds_nobody_up,
        a_flood_of_output_is_nobodys_business,
        garbage_breaks_the_protocol,
        what_contradicts_itself_breaks_the_protocol,
        floods_of_frames_fill_neither_memory_nor_time,
        nothing_follows_from_a_tail_that_may_be_missing,
        what_lies_in_the_shared_buffer_is_not_lost,
        two_runs_that_hang_give_no_answer,
        the_last_words_of_a_dying_engine_are_kept;
}

const MODULE: &[u8] = br#"(module (memory (export "memory") 1) (func $f (export "run")
  (i32.store (i32.const 0) (i32.const 1))
  (i32.store (i32.const 4) (i32.const 2))
  (i32.store (i32.const 64) (i32.const 3))))"#;

/// Time limit of a comparison whose runs have two seconds each, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// Most memory that forkpoint itself may use meanwhile, whatever the engine sends for two seconds and more.
const MOST_KIB: u64 = 1 << 20;

/// Compares two engines that agree and one that fails. Returns the row of the third.
fn third(engine: &str) -> Value {
    let folder = folder_with(&[("t.wat", MODULE)]);
    let engines = format!("wasmtime:jit;wasmi;{engine}");
    let begun = Instant::now();
    let mut forkpoint = Command::new(FORKPOINT)
        .current_dir(folder.path())
        .args(["compare", "t.wat", "--invoke", "run", "--timeout", "2s", "--json", "--engines", &engines])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("forkpoint starts");
    let status = format!("/proc/{}/status", forkpoint.id());
    while forkpoint.try_wait().expect("a child of ours").is_none() {
        assert!(begun.elapsed() < PATIENCE, "{engine}: still running");
        let status = std::fs::read_to_string(&status).unwrap_or_default();
        let peak =
            status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
        assert!(peak.is_none_or(|peak: u64| peak < MOST_KIB), "{engine}: {peak:?} KiB");
        std::thread::sleep(Duration::from_millis(20));
    }
    let ran = forkpoint.wait_with_output().expect("forkpoint's answer");
    let stderr = String::from_utf8_lossy(&ran.stderr);
    let answer: Value =
        serde_json::from_slice(&ran.stdout).unwrap_or_else(|error| panic!("{engine}: {error}: {stderr}"));
    // Whatever happens to the third, the other two are there and agree.
    for row in [0, 1] {
        let row = &answer["engines"][row];
        assert_eq!((&row["group"], &row["outcome"]), (&"A".into(), &"finished".into()), "{engine}: {answer:#}");
    }
    let text = String::from_utf8_lossy(&ran.stdout);
    assert!(!text.contains('\x1b') && !stderr.contains('\x1b'), "{engine}: {text}{stderr}");
    answer["engines"][2].clone()
}

fn failing(how: &str, place: &str) -> String {
    format!("runner:python3 -B {} {how} {place}", repository_text("tests/runners/failing.py"))
}

/// The engine has a recording, and it ends so.
fn ends(how: &str, place: &str, outcome: &str) {
    let row = third(&failing(how, place));
    assert_eq!((&row["outcome"], &row["error"]), (&outcome.into(), &Value::Null), "{how} {place}: {row:#}");
    assert_eq!(row["group"], "B", "{how} {place}: {row:#}");
}

/// The engine has no recording, and the error says why.
fn errs(how: &str, place: &str, why: &[&str]) {
    let row = third(&failing(how, place));
    let error = row["error"].as_str().unwrap_or_else(|| panic!("{how} {place}: {row:#}"));
    for why in why {
        assert!(error.contains(why), "{how} {place}: {error}");
    }
    assert_eq!(row["group"], Value::Null, "{how} {place}: {row:#}");
}

fn a_crash_is_an_end_with_the_events_before_it() {
    ends("abort", "called", "crashed: SIGABRT");
    ends("segv", "called", "crashed: SIGSEGV");
    ends("abort", "greeted", "crashed: SIGABRT");
    let row = third(&failing("segv", "called"));
    // Three stages, memory, call, two stores, end.
    assert_eq!(row["events"], 8, "{row:#}");
}

fn what_runs_an_engine_fails_by_itself() {
    let failed = "failed, which is not a finding about the engine";
    errs("exit", "greeted", &[failed, "exit status: 7"]);
    errs("exit", "called", &[failed, "exit status: 7"]);
    errs("cut", "called", &[failed, "exit status: 7"]);
    errs("says", "called", &[failed, "exit status: 7; it wrote: cannot find", "last words"]);
    errs("throws", "greeted", &[failed, "exit status: 1; it wrote:", "no attribute 'at'"]);
    errs("throws", "called", &[failed, "exit status: 1; it wrote:", "no attribute 'at'"]);
    errs("admits", "called", &[failed, "an exception in the runner"]);
}

fn a_process_that_ends_before_it_says_anything_is_an_error_with_its_last_words() {
    errs("abort", "early", &["ended before its first message", "SIGABRT"]);
    errs("exit", "early", &["ended before its first message", "exit status: 7"]);
    errs("says", "early", &["exit status: 7", "it wrote:", "last words"]);
    errs("close", "early", &["ended before its first message", "closed its socket"]);
    let row = third("runner:/nowhere/engine --fast");
    let error = row["error"].as_str().expect("an error");
    assert!(error.contains("/nowhere/engine cannot be started") && error.contains("No such file"), "{error}");
}

fn a_hang_ends_with_the_time_limit() {
    errs("hang", "early", &["timed out"]);
    for how in ["hang", "spin"] {
        let row = third(&failing(how, "called"));
        assert_eq!(row["outcome"], "timed out", "{row:#}");
        assert_eq!(row["events"], 8, "{row:#}");
    }
    let row = third(&failing("hang", "greeted"));
    assert_eq!(row["outcome"], "timed out", "{row:#}");
}

fn a_process_that_stays_or_leaves_another_behind_holds_nobody_up() {
    errs("close", "called", &["is not a finding about the engine", "closed its socket"]);
    errs("leave", "called", &["is not a finding about the engine", "exit status: 7"]);
    // It has reported everything; that its process does not end does not matter.
    let row = third(&failing("endless", "called"));
    assert_eq!(row["outcome"], "finished", "{row:#}");
}

fn a_flood_of_output_is_nobodys_business() {
    let row = third(&failing("output", "called"));
    assert_eq!(row["outcome"], "timed out", "{row:#}");
    errs("output", "early", &["timed out"]);
}

fn garbage_breaks_the_protocol() {
    errs("garbage", "early", &["broke the protocol", "unknown frame"]);
    errs("garbage", "called", &["broke the protocol", "unknown frame"]);
    errs("json", "called", &["broke the protocol"]);
    errs("long", "early", &["broke the protocol", "4294967295 bytes"]);
    errs("long", "called", &["broke the protocol", "4294967295 bytes"]);
    errs("binary", "called", &["broke the protocol"]);
}

fn what_contradicts_itself_breaks_the_protocol() {
    errs("images", "greeted", &["broke the protocol", "memory 0 is shown"]);
    errs("images", "called", &["broke the protocol", "memory 0 is shown"]);
    errs("overflow", "greeted", &["broke the protocol", "past the end of all addresses"]);
    errs("overflow", "called", &["broke the protocol", "past the end of all addresses"]);
    errs("calls", "called", &["broke the protocol", "a call inside another one"]);
    errs("deaf", "called", &["broke the protocol"]);
}

fn floods_of_frames_fill_neither_memory_nor_time() {
    errs("bytes", "greeted", &["broke the protocol", "data segments"]);
    errs("digests", "called", &["broke the protocol", "digests"]);
    // Nothing is wrong with these except that they never end.
    let row = third(&failing("events", "called"));
    assert_eq!(row["outcome"], "timed out", "{row:#}");
    // How much arrives within the time limit depends on the machine. A single byte costs the model a whole page.
    for how in ["bytes", "sparse"] {
        let row = third(&failing(how, "called"));
        let error = row["error"].as_str().unwrap_or_default();
        assert!(row["outcome"] == "timed out" || error.contains("differ from the events"), "{how}: {row:#}");
    }
}

/// Compares the failing engine with a correct one.
fn against(how: &str, place: &str) -> (i32, Value) {
    let folder = folder_with(&[("t.wat", MODULE)]);
    let engine = failing(how, place);
    let command =
        ["compare", "t.wat", "--invoke", "run", "--timeout", "2s", "--no-guard", "--json", "--rhs", engine.as_str()];
    let ran = common::run(folder.path(), &command);
    let report = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{how}: {error}: {}", ran.stderr));
    (ran.code, report)
}

fn nothing_follows_from_a_tail_that_may_be_missing() {
    // Both of its first two stores are kept back, and one is lost.
    let (code, report) = against("hang", "called-keeping");
    assert_eq!((code, &report["agree"], &report["verdict"]), (2, &Value::Null, &Value::Null), "{report:#}");
    let reason = report["reason"].as_str().expect("a reason");
    assert!(reason.contains("as far as they went, on 5 events: lhs finished; rhs timed out"), "{reason}");
    assert!(reason.contains("its last events may be missing"), "{reason}");
    let (code, report) = against("segv", "called-keeping");
    assert_eq!((code, &report["verdict"], &report["position"]), (2, &Value::Null, &Value::Null), "{report:#}");
    // An engine that says that it keeps nothing back is believed.
    let (code, report) = against("segv", "called");
    assert_eq!((code, &report["verdict"], &report["position"]), (1, &"crash".into(), &7.into()), "{report:#}");
    let (code, report) = against("hang", "called");
    assert_eq!((code, &report["verdict"], &report["position"]), (2, &"timeout".into(), &7.into()), "{report:#}");
}

fn what_lies_in_the_shared_buffer_is_not_lost() {
    for how in ["segv", "hang"] {
        let (_, report) = against(how, "called-sharing");
        assert_eq!((&report["position"], &report["rhs"]["events"]), (&7.into(), &8.into()), "{how}: {report:#}");
    }
}

fn two_runs_that_hang_give_no_answer() {
    let folder = folder_with(&[("t.wat", MODULE)]);
    let sides = [failing("hang", "called"), failing("hang", "greeted")];
    let command =
        ["compare", "t.wat", "--invoke", "run", "--timeout", "2s", "--json", "--lhs", &sides[0], "--rhs", &sides[1]];
    let ran = common::run(folder.path(), &command);
    let report: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!((ran.code, &report["verdict"]), (2, &Value::Null), "{report:#}");
    let reason = report["reason"].as_str().expect("a reason");
    assert!(reason.ends_with("on 0 events: lhs timed out; rhs timed out"), "{reason}");
}

fn the_last_words_of_a_dying_engine_are_kept() {
    let (code, report) = against("panics", "called");
    assert_eq!((code, &report["rhs"]["outcome"]), (1, &"crashed: SIGABRT".into()), "{report:#}");
    let words = report["rhs"]["last_words"].as_str().expect("words");
    assert!(words.starts_with("thread 'main' panicked") && words.contains("\\u{1b}[31mattempt to"), "{words:?}");
    assert!(report["lhs"]["last_words"].is_null());
}

fn what_the_machine_does_not_give_is_no_answer() {
    let folder = folder_with(&[("t.wat", MODULE)]);
    // Less than Wasmtime reserves for one memory; the interpreter needs none of it.
    for command in ["record t.wat --invoke run", "compare t.wat --invoke run --lhs wasmi --rhs wasmtime:jit"] {
        let script = format!("ulimit -v 2000000; exec {FORKPOINT} {command}");
        let ran = Command::new("sh").current_dir(folder.path()).args(["-c", &script]).output().expect("sh");
        let stderr = String::from_utf8_lossy(&ran.stderr);
        assert_eq!(ran.status.code(), Some(2), "{command}: {stderr}{}", String::from_utf8_lossy(&ran.stdout));
        assert!(stderr.contains("this machine lacks") && stderr.contains("ulimit -v"), "{command}: {stderr}");
    }
}
