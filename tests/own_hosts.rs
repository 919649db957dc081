//! Engines' own hosts, requested by `--host own` and `--host live`: node:wasi, and a scripted one that does what no
//! host should do.

mod common;

use common::external::{Need, PYTHON, engines, external_tests};
use common::{FORKPOINT, Ran, folder_with, repository_text, run};
use serde_json::Value;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// A Node that has node:wasi, and one that has it only with a flag.
const NODE: &str = "node-24.20.0/bin/node";
const OLD_NODE: &str = "node-15.14.0/bin/node";

fn fetched(node: &str) -> Need {
    Need::Fetched(node.to_string())
}

external_tests! {
    [fetched(NODE)] => a_directory_is_listed_by_nodes_own_host,
        arguments_environment_and_input_are_handed_on,
        an_exit_is_an_exit,
        live_sides_have_a_host_each_and_own_ones_share_the_left_one,
        with_many_engines_the_first_with_a_host_answers,
        what_the_host_cannot_do_is_refused,
        no_warning_is_among_the_last_words,
        a_recording_never_gets_a_live_host,
        engines_say_which_hosts_they_have;
    [fetched(OLD_NODE)] => a_node_without_a_host_says_why;
    [PYTHON] => a_runners_host_is_recorded,
        what_a_host_writes_elsewhere_is_an_unrecorded_write,
        a_call_that_fails_traps_or_exits_is_recorded_as_it_is,
        a_host_that_breaks_the_protocol_is_an_error,
        a_runner_without_a_host_is_refused_with_its_words;
}

const IMPORTS: &str = r#"
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get" (func $args (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_get" (func $environ (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_close" (func $fd_close (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
"#;

fn guest(body: &str) -> Vec<u8> {
    format!("(module {IMPORTS} {body})").into_bytes()
}

/// A host whose clock and random numbers are unlike any other's.
const TICKS: &str = r#"(memory (export "memory") 1)
  (func (export "_start")
    (drop (call $clock (i32.const 0) (i64.const 1) (i32.const 0)))
    (drop (call $random (i32.const 16) (i32.const 32)))
    (i64.store (i32.const 64) (i64.xor (i64.load (i32.const 0)) (i64.load (i32.const 16)))))"#;

fn engine(node: &str) -> String {
    format!("node,program={}", engines().join(node).display())
}

fn node_engine() -> String {
    engine(NODE)
}

fn json(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
}

/// Checks that a recording is sound: every event replays, and Wasmtime, V8 and wasmi agree on its host log.
fn replays(folder: &Path, trace: &str) {
    let verified = run(folder, &["info", "--verify", trace]);
    assert_eq!(verified.code, 0, "{verified:?}");
    let again = folder_with(&[]);
    fs::copy(folder.join(trace), again.path().join("t.fpt")).expect("a copy");
    for engine in ["wasmtime:jit", "wasmi", &node_engine()] {
        let replayed = run(again.path(), &["replay", "t.fpt", "--engine", engine]);
        assert_eq!(replayed.code, 0, "{engine}: {replayed:?}");
    }
}

fn a_directory_is_listed_by_nodes_own_host() {
    let folder = folder_with(&[]);
    fs::create_dir(folder.path().join("d")).expect("a folder");
    let names = ["one", "two", "a-longer-name", "four"];
    names.iter().for_each(|name| fs::write(folder.path().join("d").join(name), "").expect("a file"));
    let module = repository_text("tests/cases/field/list-dir.wat");
    let command = ["record", &module, "--dir", "d", "-e", &node_engine(), "--host", "own", "-o", "t.fpt"];
    let ran = run(folder.path(), &command);
    assert_eq!(ran.code, 0, "{ran:?}");
    // All that fits into one buffer of 64 bytes, at least.
    assert!(names.iter().any(|name| ran.stdout.contains(name)) && !ran.stderr.contains("Warning"), "{ran:?}");
    let info = json(&run(folder.path(), &["info", "t.fpt", "--json"]));
    let settings = info["engine"]["settings"].as_array().expect("a list");
    let host = settings.iter().find(|setting| setting[0] == "host").expect("a host");
    assert!(host[1].as_str().is_some_and(|host| host.starts_with("node:wasi of Node ")), "{info:#}");
    assert_eq!(info["host"]["replayed"], false);
    let dump = run(folder.path(), &["dump", "t.fpt"]).stdout;
    assert!(dump.contains("fd_readdir(fd=3") && dump.contains("host write [0x00001000; "), "{dump}");
    replays(folder.path(), "t.fpt");
}

fn arguments_environment_and_input_are_handed_on() {
    let reads = guest(
        r#"(memory (export "memory") 1) (data (i32.const 0) "\00\02\00\00\40\00\00\00")
          (func (export "_start")
            (drop (call $args_sizes (i32.const 16) (i32.const 20)))
            (drop (call $args (i32.const 64) (i32.const 128)))
            (drop (call $environ (i32.const 256) (i32.const 320)))
            (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 24)))
            (i32.store (i32.const 28) (i32.load (i32.const 24))))"#,
    );
    let folder = folder_with(&[("t.wat", &reads)]);
    let node = node_engine();
    let compare = ["compare", "t.wat", "--lhs", &node, "--rhs", "wasmtime:jit", "--host", "live", "-o", "traces"];
    let mut child = Command::new(FORKPOINT)
        .current_dir(folder.path())
        .args(compare)
        .args(["--env", "NAME=value", "--env", "OTHER=", "--", "one", "two"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("forkpoint starts");
    child.stdin.take().expect("a pipe").write_all(b"what it reads").expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{stdout}{}", String::from_utf8_lossy(&output.stderr));
    assert!(stdout.contains("Both hosts were live: node:wasi of Node "), "{stdout}");
    let dump = run(folder.path(), &["dump", "traces/lhs.fpt"]).stdout;
    assert!(dump.contains("host write [0x00000200; 13] <- 77 68 61 74 20"), "{dump}");
    assert!(dump.contains("host write [0x00000140; 18] <- 4e 41 4d 45 3d"), "{dump}");
    replays(folder.path(), "traces/lhs.fpt");
}

fn an_exit_is_an_exit() {
    let exits = guest(
        r#"(memory (export "memory") 1) (func (export "_start")
          (i32.store (i32.const 8) (i32.const 1)) (call $exit (i32.const 7)) (i32.store (i32.const 8) (i32.const 2)))"#,
    );
    let folder = folder_with(&[("t.wat", &exits)]);
    let ran = run(folder.path(), &["record", "t.wat", "-e", &node_engine(), "--host", "own", "--json"]);
    assert_eq!((ran.code, &json(&ran)["outcome"]), (0, &"exited with code 7".into()), "{ran:?}");
    replays(folder.path(), "t.fpt");
}

fn live_sides_have_a_host_each_and_own_ones_share_the_left_one() {
    let folder = folder_with(&[("t.wat", &guest(TICKS))]);
    let node = node_engine();
    let compare = |host: &str, lhs: &str, rhs: &str| {
        run(folder.path(), &["compare", "t.wat", "--host", host, "--lhs", lhs, "--rhs", rhs, "--json"])
    };
    let live = compare("live", "wasmtime:jit", &node);
    let report = json(&live);
    assert_eq!(
        (live.code, &report["verdict"], &report["host"]),
        (1, &"host-write".into(), &"live".into()),
        "{live:?}"
    );
    let starts = |side: &str, words: &str| report[side]["host"].as_str().is_some_and(|host| host.starts_with(words));
    assert!(starts("lhs", "wasmtime-wasi ") && starts("rhs", "node:wasi of Node "), "{report:#}");

    let own = compare("own", &node, "wasmtime:jit");
    let report = json(&own);
    assert_eq!((own.code, &report["agree"], &report["host"]), (0, &true.into(), &"own".into()), "{own:?}");
    assert!(report["lhs"]["host"].as_str().is_some_and(|host| host.starts_with("node:wasi")), "{report:#}");
    assert_eq!(report["rhs"]["host"], Value::Null, "{report:#}");
    let told = run(folder.path(), &["compare", "t.wat", "--host", "own", "--lhs", &node, "--rhs", "wasmi"]);
    assert!(told.code == 0 && told.stdout.contains("The host that answered: node:wasi of Node "), "{told:?}");

    // By default it is still Wasmtime's host.
    let pinned = compare("pinned", &node, "wasmi");
    let report = json(&pinned);
    assert_eq!((pinned.code, &report["lhs"]["host"]), (0, &Value::Null), "{pinned:?}");
    let none = compare("own", "wasmi", &node);
    assert!(none.code == 2 && none.stderr.contains("wasmi does not have its own host"), "{none:?}");
}

fn with_many_engines_the_first_with_a_host_answers() {
    let folder = folder_with(&[("t.wat", &guest(TICKS))]);
    let engines = format!("wasmi;{};wasmtime:jit", node_engine());
    let many =
        |host: &str| run(folder.path(), &["compare", "t.wat", "--host", host, "--engines", &engines, "--json"]);
    let own = many("own");
    let report = json(&own);
    assert_eq!((own.code, &report["agree"], &report["reference"]), (0, &true.into(), &1.into()), "{own:?}");
    let pinned = many("pinned");
    assert_eq!((pinned.code, &json(&pinned)["reference"]), (0, &2.into()), "{pinned:?}");
    let live = json(&many("live"));
    let hosts: Vec<bool> =
        live["engines"].as_array().expect("rows").iter().map(|row| row["host"].is_string()).collect();
    assert_eq!((&live["agree"], hosts), (&false.into(), vec![false, true, true]), "{live:#}");
}

fn what_the_host_cannot_do_is_refused() {
    let folder = folder_with(&[("t.wat", &guest(TICKS))]);
    let node = node_engine();
    let record = |more: &[&str]| {
        let command = ["record", "t.wat", "-e", &node, "--host", "own"];
        run(folder.path(), &[&command[..], more].concat())
    };
    let fixed = record(&["--deterministic"]);
    assert!(fixed.code == 2 && fixed.stderr.contains("fixed clocks and random numbers"), "{fixed:?}");
    // JavaScript objects order such names themselves, and hold each only once.
    for names in [[".::2", ".::1"], [".::a", ".::a"]] {
        let ordered = record(&["--dir", names[0], "--dir", names[1]]);
        assert!(ordered.code == 2 && ordered.stderr.contains("cannot hold these names"), "{ordered:?}");
    }
    let missing = record(&["--dir", "nowhere"]);
    assert!(missing.code == 2 && missing.stderr.contains("nowhere"), "{missing:?}");
    // Functions that are answered in Wasmtime's process cannot be combined with another host.
    let ticks = String::from_utf8(guest(TICKS)).expect("text");
    let both = ticks.replacen("(memory", r#"(import "env" "f" (func)) (memory"#, 1);
    fs::write(folder.path().join("both.wat"), both).expect("a file");
    fs::write(folder.path().join("f.wat"), r#"(module (func (export "f")))"#).expect("a file");
    let script = ["record", "both.wat", "-e", &node, "--host", "own", "--preload", "env=f.wat"];
    let ran = run(folder.path(), &script);
    assert!(ran.code == 2 && ran.stderr.contains("env.f is answered beside the linked Wasmtime only"), "{ran:?}");
}

fn no_warning_is_among_the_last_words() {
    let hangs = guest(
        r#"(memory (export "memory") 1) (func (export "_start")
          (drop (call $random (i32.const 0) (i32.const 4))) (loop $again (br $again)))"#,
    );
    let folder = folder_with(&[("t.wat", &hangs)]);
    let ran = run(folder.path(), &["record", "t.wat", "-e", &node_engine(), "--host", "own", "--timeout", "2s"]);
    assert!(ran.code == 0 && ran.stderr.contains("timed out"), "{ran:?}");
    assert!(!ran.stderr.contains("Warning") && !ran.stderr.contains("wrote last"), "{ran:?}");
}

/// Not even where the recording has no answer to a call.
fn a_recording_never_gets_a_live_host() {
    let creates = guest(
        r#"(memory (export "memory") 1) (data (i32.const 16) "made")
          (func (export "_start") (loop $again
            (drop (call $path_open (i32.const 3) (i32.const 0) (i32.const 16) (i32.const 4) (i32.const 1) (i64.const 64)
              (i64.const 0) (i32.const 0) (i32.const 32)))
            (drop (call $fd_close (i32.load (i32.const 32))))
            (br $again)))"#,
    );
    let folder = folder_with(&[("t.wat", &creates)]);
    let node = node_engine();
    let command = ["record", "t.wat", "--dir", ".", "-e", &node, "--host", "own", "--timeout", "2s", "-o", "t.fpt"];
    let ran = run(folder.path(), &command);
    assert!(ran.code == 0 && ran.stderr.contains("timed out"), "{ran:?}");
    let made = folder.path().join("made");
    assert!(made.exists(), "its own host was live");
    fs::remove_file(&made).expect("the file goes");
    let replayed = run(folder.path(), &["replay", "t.fpt", "-e", &node, "-o", "again.fpt", "--timeout", "60s"]);
    let info = json(&run(folder.path(), &["info", "again.fpt", "--json"]));
    assert_eq!(info["outcome"], "ended at a host call that is missing from the recording", "{replayed:?}");
    assert!(!made.exists(), "{replayed:?}");
    // And a file cannot make it start a program.
    let named = run(folder.path(), &["replay", "t.fpt"]);
    assert!(named.code == 2 && named.stderr.contains("name it with --engine"), "{named:?}");
}

fn engines_say_which_hosts_they_have() {
    let folder = folder_with(&[]);
    let node = node_engine();
    let rows: Vec<Value> =
        serde_json::from_str(&run(folder.path(), &["engines", "--json", &node]).stdout).expect("an array");
    let host = |name: &str| {
        let row = rows.iter().find(|row| row["engine"] == name).unwrap_or_else(|| panic!("no row {name}"));
        row["host"].as_str().unwrap_or_default().to_string()
    };
    assert!(host(&node).starts_with("node:wasi of Node "), "{rows:#?}");
    assert!(host("wasmtime:jit").starts_with("wasmtime-wasi ") && host("wasmi").is_empty(), "{rows:#?}");
}

fn a_node_without_a_host_says_why() {
    let folder = folder_with(&[("t.wat", &guest(TICKS))]);
    let old = engine(OLD_NODE);
    let own = run(folder.path(), &["record", "t.wat", "-e", &old, "--host", "own"]);
    let why = "Node 15.14.0 has node:wasi only with the flag --experimental-wasi-unstable-preview1";
    assert!(own.code == 2 && own.stderr.contains(why), "{own:?}");
    let live = run(folder.path(), &["compare", "t.wat", "--host", "live", "--rhs", &old]);
    assert!(live.stdout.contains("Not all hosts were live: wasmtime-wasi ") && live.stdout.contains(why), "{live:?}");
    // Still works without its own host.
    assert_eq!(run(folder.path(), &["record", "t.wat", "-e", &old]).code, 0);
}

/// The module that `hosted.py` runs.
const RANDOM: &[u8] = br#"(module
  (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "_start") (drop (call $random (i32.const 128) (i32.const 8)))))"#;

/// Records `hosted.py`'s `story`.
fn tell(story: &str) -> (tempfile::TempDir, Ran) {
    let folder = folder_with(&[("t.wat", RANDOM)]);
    let engine = format!("runner:python3 {} {story}", repository_text("tests/runners/hosted.py"));
    let ran = run(folder.path(), &["record", "t.wat", "-e", &engine, "--host", "own", "--json"]);
    (folder, ran)
}

fn a_runners_host_is_recorded() {
    let (folder, ran) = tell("true");
    assert_eq!(ran.code, 0, "{ran:?}");
    let dump = run(folder.path(), &["dump", "t.fpt"]).stdout;
    assert!(dump.contains("host write [0x00000080; 8] <- 6e 6f 74 20 7a 65 72 6f"), "{dump}");
    assert_eq!(run(folder.path(), &["info", "--verify", "t.fpt"]).code, 0);
    assert_eq!(run(folder.path(), &["replay", "t.fpt", "-e", "wasmi"]).code, 0);
}

fn what_a_host_writes_elsewhere_is_an_unrecorded_write() {
    let (folder, ran) = tell("scribbles");
    assert_eq!((ran.code, &json(&ran)["findings"]), (1, &1.into()), "{ran:?}");
    let replayed = json(&run(folder.path(), &["replay", "t.fpt", "-e", "wasmi", "--json"]));
    assert_eq!(
        (&replayed["verdict"], &replayed["address"]),
        (&"unrecorded-write".into(), &300.into()),
        "{replayed:#}"
    );
}

fn a_call_that_fails_traps_or_exits_is_recorded_as_it_is() {
    let (folder, ran) = tell("fails");
    assert_eq!(ran.code, 0, "{ran:?}");
    let dump = run(folder.path(), &["dump", "t.fpt"]).stdout;
    assert!(dump.contains("host write [0x00000082; 1] <- 09") && dump.contains("random_get -> inval"), "{dump}");
    let (_, ran) = tell("traps");
    assert!(json(&ran)["outcome"].as_str().is_some_and(|outcome| outcome.starts_with("trapped")), "{ran:?}");
    let (folder, ran) = tell("exits");
    assert_eq!(json(&ran)["outcome"], "exited with code 5", "{ran:?}");
    assert_eq!(run(folder.path(), &["replay", "t.fpt", "-e", "wasmtime:jit"]).code, 0);
}

fn a_host_that_breaks_the_protocol_is_an_error() {
    for (story, words) in [
        ("hurries", "the answer of a host that was not asked"),
        ("confuses", "results of a host that are not of the function's type"),
        ("stops", "a host that stops the run"),
    ] {
        let (_, ran) = tell(story);
        assert!(ran.code == 2 && ran.stderr.contains(words), "{story}: {ran:?}");
    }
}

fn a_runner_without_a_host_is_refused_with_its_words() {
    let (_, ran) = tell("silent");
    assert!(ran.code == 2 && ran.stderr.contains("does not have its own host"), "{ran:?}");
    let (_, ran) = tell("regrets");
    assert!(ran.code == 2 && ran.stderr.contains("it is closed today"), "{ran:?}");
}
