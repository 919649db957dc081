//! Engines that are commands: this program itself, as an engine with more or less of an interface, hostile ones, and
//! commands that registries hold.

mod common;
#[path = "commands/engine.rs"]
mod engine;

use common::external::{Need, Tests};
use common::{cases, compare, folder_with, run};
use serde_json::Value;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.get(1).is_some_and(|first| first == engine::ARGUMENT) {
        return ExitCode::from(engine::main(&arguments[2..]) as u8);
    }
    let mut tests = Tests::default();
    tests.add("every_case_is_the_same_as_under_wasmtime", &[], every_case_is_the_same_as_under_wasmtime);
    tests.add("a_trap_loses_nothing", &[], a_trap_loses_nothing);
    tests.add("host_calls_are_answered_inside", &[], host_calls_are_answered_inside);
    tests.add("a_million_host_calls_are_answered_inside", &[], a_million_host_calls);
    tests.add("a_host_call_that_the_log_does_not_have_is_found", &[], another_host_call);
    tests.add("hostile_commands_are_no_findings", &[], hostile_commands_are_no_findings);
    tests.add("a_crash_keeps_its_last_events", &[], a_crash_keeps_its_last_events);
    tests.add("time_limits_end_whatever_a_command_started", &[], time_limits);
    tests.add("paths_may_hold_anything", &[], paths_may_hold_anything);
    tests.add("short_names_come_from_a_project_file", &[], short_names);
    tests.add("two_commands_make_one_engine", &[], two_commands);
    tests.add("what_a_command_is_not_given_is_refused", &[], refused);
    tests.add("one_answer_a_run_is_enough_to_agree", &[], agree_by_answers);
    tests.add("the_first_difference_is_found_by_answers", &[], part_by_answers);
    tests.add("the_best_way_is_found_out", &[], the_best_way_is_found_out);
    tests.add("runs_of_commands_are_counted", &[], runs_are_counted);
    tests.add("linked_modules_are_one_program", &[], linked_modules);
    tests.add("swapped_memories_are_seen", &[], swapped_memories);
    tests.add("what_cannot_be_followed_is_named", &[], what_cannot_be_followed);
    tests.add("node_by_its_own_wasi", &[Need::Node], node_by_its_own_wasi);
    tests.add("node_links_modules", &[Need::Node], node_links_modules);
    tests.run()
}

/// A command that runs a module with this much of an interface.
fn command(how: &str) -> String {
    let program = std::env::current_exe().expect("this program");
    format!("command:{} {} {how} {{module}}", program.display(), engine::ARGUMENT)
}

fn compared(folder: &Path, arguments: &[&str]) -> (i32, Value, String) {
    let mut all = vec!["compare", "--json"];
    all.extend(arguments);
    let ran = run(folder, &all);
    (ran.code, serde_json::from_str(&ran.stdout).unwrap_or_default(), ran.stderr)
}

const STORES: &[u8] = br#"(module (memory (export "memory") 8) (global $g (mut i32) (i32.const 3))
    (data (i32.const 100) "hello")
    (func (export "run") (param i32) (result i32) (local $i i32)
        (loop $l (i32.store (i32.mul (local.get $i) (i32.const 4)) (local.get $i))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (global.set $g (local.get $i))
            (br_if $l (i32.lt_u (local.get $i) (local.get 0))))
        (drop (memory.grow (i32.const 1)))
        (i32.load (i32.const 40)))
    (func (export "trap") (i32.store (i32.const 8) (i32.const 77)) (global.set $g (i32.const 9)) unreachable)
    (func (export "at-once") unreachable))"#;

fn every_case_is_the_same_as_under_wasmtime() {
    let engine = command("stream");
    let mut left_out = Vec::new();
    for (name, module, calls) in cases() {
        let (code, report, stderr) = compare(&module, &calls, &engine);
        if stderr.contains("leave them out") {
            assert_eq!(code, 2, "{name}: {stderr}");
            left_out.push(name);
            continue;
        }
        // What wasmi lacks it says itself.
        let (same, theirs, _) = compare(&module, &calls, "wasmi");
        if theirs["agree"] == Value::Bool(true) {
            assert_eq!((code, &report["agree"]), (0, &true.into()), "{name}: {report:#}{stderr}");
        } else {
            assert_eq!(code, same, "{name}: {report:#}{stderr}");
        }
    }
    assert_eq!(left_out, ["calls"], "calls follow one that trapped");
}

fn a_trap_loses_nothing() {
    let folder = folder_with(&[("t.wat", STORES)]);
    for (calls, events) in [(vec!["run 10", "trap"], 22), (vec!["run 60000", "trap"], 60012), (vec!["at-once"], 8)] {
        let mut arguments = vec!["t.wat", "--rhs"];
        let engine = command("stream");
        arguments.push(&engine);
        calls.iter().for_each(|call| arguments.extend(["--invoke", call]));
        let (code, report, stderr) = compared(folder.path(), &arguments);
        assert_eq!((code, &report["agree"]), (0, &true.into()), "{calls:?}: {report:#}{stderr}");
        assert_eq!(report["rhs"]["events"], events, "{calls:?}: {report:#}");
        assert_eq!(report["rhs"]["outcome"], "trapped: unreachable", "{calls:?}");
    }
}

const HELLO: &[u8] = br#"(module
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 1) (data (i32.const 64) "hello\n")
    (func (export "_start") (local $i i32)
        (i32.store (i32.const 0) (i32.const 64)) (i32.store (i32.const 4) (i32.const 6))
        (loop $l
            (drop (call $random (i32.const 512) (i32.const 300)))
            (i32.store8 (i32.const 64) (i32.add (i32.const 65) (i32.and (i32.load8_u (i32.const 512)) (i32.const 15))))
            (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $l (i32.lt_u (local.get $i) (i32.const 50))))
        (call $exit (i32.const 3))))"#;

fn host_calls_are_answered_inside() {
    let folder = folder_with(&[("t.wat", HELLO)]);
    let (code, report, stderr) = compared(folder.path(), &["t.wat", "--rhs", &command("stream")]);
    assert_eq!((code, &report["agree"]), (0, &true.into()), "{report:#}{stderr}");
    assert_eq!(report["rhs"]["outcome"], "exited with code 3", "{report:#}");
    // Stubs, too.
    let module = br#"(module (import "env" "now" (func $now (result i64))) (memory 1)
        (func (export "run") (result i64) (i64.store (i32.const 8) (call $now)) (i64.load (i32.const 8))))"#;
    let folder = folder_with(&[("t.wat", module)]);
    let arguments = ["t.wat", "--invoke", "run", "--import", "env.now=-5", "--rhs", &command("stream")];
    let (code, report, stderr) = compared(folder.path(), &arguments);
    assert_eq!((code, &report["agree"]), (0, &true.into()), "{report:#}{stderr}");
}

/// A host log of many megabytes becomes part of the module.
fn a_million_host_calls() {
    let module =
        br#"(module (import "wasi_snapshot_preview1" "clock_time_get" (func $time (param i32 i64 i32) (result i32)))
        (memory (export "memory") 1)
        (func (export "_start") (local $i i32)
            (loop $l (drop (call $time (i32.const 1) (i64.const 1) (i32.const 8)))
                (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 1000000))))))"#;
    let folder = folder_with(&[("t.wat", module)]);
    let [by_answers, ..] = by_answers();
    let arguments = ["t.wat", "--no-guard", "--timeout", "10m", "--rhs", &by_answers];
    let (code, report, stderr) = compared(folder.path(), &arguments);
    assert_eq!((code, &report["agree"]), (0, &true.into()), "{report:#}{stderr}");
    assert!(report["rhs"]["events"].as_u64() > Some(3_000_000), "{report:#}");
}

/// The guest's arguments are what a wrong engine makes of them: here by a NaN, whose bits engines may choose.
fn another_host_call() {
    let module = br#"(module (import "env" "f" (func $f (param i32) (result i32))) (memory 1)
        (func (export "run") (result i32)
            (i32.store (i32.const 4) (i32.const 1))
            (i32.store (i32.const 8) (call $f (i32.const 7)))
            (i32.store (i32.const 12) (call $f (i32.load (i32.const 4))))
            (i32.load (i32.const 12))))"#;
    let folder = folder_with(&[("t.wat", module)]);
    let record = ["record", "t.wat", "--invoke", "run", "--import", "env.f=3", "-o", "a.fpt"];
    assert_eq!(run(folder.path(), &record).code, 0);
    let engine = command("stream");
    let ran = run(folder.path(), &["replay", "a.fpt", "--engine", &engine]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
}

fn hostile_commands_are_no_findings() {
    let folder = folder_with(&[("t.wat", STORES), ("noise", b"=> 42\n")]);
    for (how, words) in [
        ("nothing", "sent nothing"),
        ("fails", "out of paper"),
        ("endless", "bytes that are no frame"),
        ("forge", "checksum"),
        ("spoil", "checksum"),
    ] {
        let engine = command(how).replacen("command:", "command,way=stream:", 1);
        let arguments = ["t.wat", "--invoke", "run 60000", "--rhs", &engine, "--timeout", "60s"];
        let (code, report, stderr) = compared(folder.path(), &arguments);
        assert_eq!(code, 2, "{how}: {report:#}{stderr}");
        assert!(stderr.contains(words), "{how}: {stderr}");
    }
    // By its exit status alone, such a command says nothing either.
    for how in ["nothing", "fails"] {
        let (code, report, stderr) = compared(folder.path(), &["t.wat", "--invoke", "run 9", "--rhs", &command(how)]);
        assert_eq!(code, 2, "{how}: {report:#}{stderr}");
    }
    // What another run printed, word for word.
    let program = std::env::current_exe().expect("this program");
    let keeps = format!("{} {} stream \"$1\" | tee kept", program.display(), engine::ARGUMENT);
    let keeps = format!("command,way=stream:sh -c '{keeps}' x {{module}}");
    let arguments = ["t.wat", "--invoke", "run 9", "--no-guard", "--rhs", &keeps];
    assert_eq!(compared(folder.path(), &arguments).0, 0);
    let kept = std::fs::read(folder.path().join("kept")).expect("what it printed");
    assert!(kept.len() > 500, "frames: {}", String::from_utf8_lossy(&kept));
    for way in ["", ",way=stream", ",way=answer"] {
        let other = format!("{} kept", command("other")).replacen("command", &format!("command{way}"), 1);
        let (code, report, stderr) = compared(folder.path(), &["t.wat", "--invoke", "run 9", "--rhs", &other]);
        assert_eq!(code, 2, "{report:#}{stderr}");
    }
    // An exit status that is always the same is no answer.
    let deaf = command("deaf").replacen("command:", "command,way=outcome:", 1);
    let (code, report, stderr) = compared(folder.path(), &["t.wat", "--invoke", "run 9", "--rhs", &deaf]);
    assert_eq!(code, 2, "{report:#}{stderr}");
    assert!(stderr.contains("exits with success where the guest traps"), "{stderr}");
    let missing = "command:/nowhere/engine {module}";
    let (code, _, stderr) = compared(folder.path(), &["t.wat", "--invoke", "run 9", "--rhs", missing]);
    assert!(code == 2 && stderr.contains("/nowhere/engine"), "{stderr}");
}

fn a_crash_keeps_its_last_events() {
    let folder = folder_with(&[("t.wat", STORES)]);
    let engine = command("crash").replacen("command:", "command,way=stream:", 1);
    let arguments = ["t.wat", "--invoke", "run 500000", "--rhs", &engine];
    let (code, report, stderr) = compared(folder.path(), &arguments);
    // The plain run makes fewer calls of the host, by which this engine counts.
    assert_eq!((code, &report["rhs"]["outcome"]), (1, &"crashed: SIGABRT".into()), "{report:#}{stderr}");
}

fn time_limits() {
    let folder = folder_with(&[("t.wat", STORES)]);
    let before = std::time::Instant::now();
    let program = std::env::current_exe().expect("this program");
    let hangs = format!("command:sh -c '{} {} hangs x & wait' {{module}}", program.display(), engine::ARGUMENT);
    let arguments = ["t.wat", "--invoke", "run 9", "--rhs", &hangs, "--timeout", "2s"];
    let (code, report, stderr) = compared(folder.path(), &arguments);
    assert_ne!(code, 0, "{report:#}{stderr}");
    assert!(before.elapsed().as_secs() < 60);
}

fn paths_may_hold_anything() {
    let outer = tempfile::tempdir().expect("a temporary folder");
    let folder = outer.path().join("a b'c\"d\n$(e) ; {function}");
    std::fs::create_dir(&folder).expect("a folder");
    std::fs::write(folder.join("t.wat"), STORES).expect("a module");
    std::fs::copy(std::env::current_exe().expect("this program"), folder.join("my engine")).expect("a copy");
    let engine = format!("command:'./my engine' {} stream {{module}}", engine::ARGUMENT);
    let output = std::process::Command::new(common::FORKPOINT)
        .current_dir(&folder)
        .env("TMPDIR", &folder)
        .args(["compare", "t.wat", "--invoke", "run 100", "--rhs", &engine])
        .output()
        .expect("forkpoint starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
}

fn short_names() {
    let folder = folder_with(&[("t.wat", STORES)]);
    let template = command("stream");
    let template = template.strip_prefix("command:").expect("a command");
    let project = format!("[engines.old]\ncommand = \"{template}\"\n[engines.new]\ncommand = \"{template}\"\n");
    std::fs::write(folder.path().join("forkpoint.toml"), project).expect("a project file");
    let inner = folder.path().join("inner");
    std::fs::create_dir(&inner).expect("a folder");
    let ran = run(&inner, &["compare", "../t.wat", "--invoke", "run 9", "--engines", "old,new;wasmi"]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("old") && ran.stdout.contains("new"), "{}", ran.stdout);
    let ran = run(&inner, &["compare", "../t.wat", "--invoke", "run 9", "--rhs", "older"]);
    assert!(ran.code == 2 && ran.stderr.contains("new, old"), "{}", ran.stderr);
    // What others may write is not believed.
    use std::os::unix::fs::PermissionsExt;
    let open = std::fs::Permissions::from_mode(0o666);
    std::fs::set_permissions(folder.path().join("forkpoint.toml"), open).expect("permissions");
    let ran = run(&inner, &["compare", "../t.wat", "--invoke", "run 9", "--rhs", "old"]);
    assert!(ran.code == 2 && ran.stderr.contains("may be written by others"), "{}", ran.stderr);
}

fn two_commands() {
    let folder = folder_with(&[("t.wat", STORES)]);
    let run_it = command("stream");
    let run_it = run_it.strip_prefix("command:").expect("a command").replace("{module}", "{compiled}");
    let engine = format!("command:cp {{module}} {{compiled}} && {run_it}");
    let (code, report, stderr) = compared(folder.path(), &["t.wat", "--invoke", "run 9", "--rhs", &engine]);
    assert_eq!((code, &report["agree"]), (0, &true.into()), "{report:#}{stderr}");
    let engine = format!("command:sh -c 'echo no room >&2; exit 1' {{module}} && {run_it}");
    let (code, _, stderr) = compared(folder.path(), &["t.wat", "--invoke", "run 9", "--rhs", &engine]);
    assert!(code == 2 && stderr.contains("command 1 of 2") && stderr.contains("no room"), "{stderr}");
}

fn refused() {
    let folder = folder_with(&[("t.wat", STORES), ("host.wat", HELLO)]);
    let engine = command("stream");
    for (arguments, words) in [
        (vec!["compare", "t.wat", "--invoke", "run 9", "--memory-page-limit", "9", "--rhs", &engine], "page limit"),
        (vec!["compare", "t.wat", "--invoke", "run 9", "--features=-tail-call", "--rhs", &engine], "proposals"),
        (vec!["compare", "t.wat", "--invoke", "run 9", "--rhs", "command:engine"], "{module}"),
        (vec!["compare", "t.wat", "--invoke", "run 9", "--rhs", "command,way=guess:e {module}"], "unknown way"),
        (vec!["record", "host.wat", "--host", "own", "--engine", &engine], "host"),
    ] {
        let ran = run(folder.path(), &arguments);
        assert!(ran.code == 2 && ran.stderr.contains(words), "{arguments:?}: {}", ran.stderr);
    }
}

/// Commands that give one answer a run.
fn by_answers() -> [String; 3] {
    let way = |way: &str, how: &str| command(how).replacen("command:", &format!("command,way={way}:"), 1);
    [format!("{} {{function}}", way("answer", "print")), way("status", "status"), way("outcome", "silent")]
}

fn agree_by_answers() {
    for engine in by_answers() {
        for (module, calls) in [
            (STORES, vec!["--invoke", "run 1000"]),
            (STORES, vec!["--invoke", "run 10", "--invoke", "trap"]),
            (STORES, vec!["--invoke", "at-once"]),
            (HELLO, vec![]),
        ] {
            let folder = folder_with(&[("t.wat", module)]);
            let mut arguments = vec!["t.wat", "--rhs", &engine];
            arguments.extend(&calls);
            let (code, report, stderr) = compared(folder.path(), &arguments);
            assert_eq!((code, &report["agree"]), (0, &true.into()), "{engine} {calls:?}: {report:#}{stderr}");
            let commands = &report["commands"][0];
            assert_eq!(commands["engine"], report["rhs"]["engine"]);
            let version = report["rhs"]["version"].as_str().unwrap_or_default();
            assert!(
                version.contains(", a command of unknown version, /") && version.contains(", XXH3 "),
                "{version}"
            );
            assert!(commands["runs"].as_u64() > Some(1), "{report:#}");
        }
    }
}

const BROKEN: &[u8] = br#"(module (memory 1)
    (func $deep (param i32) (result i32)
        (if (i32.eq (local.get 0) (i32.const 700))
            (then (i32.store16 offset=6 (i32.mul (local.get 0) (i32.const 8)) (i32.const 0x07654321))))
        (i64.store (i32.mul (local.get 0) (i32.const 8)) (i64.const 0x123456789abcdef))
        (if (result i32) (i32.lt_u (local.get 0) (i32.const 800))
            (then (call $deep (i32.add (local.get 0) (i32.const 1))))
            (else (unreachable))))
    (func (export "run") (result i32) (call $deep (i32.const 0)))
    (func (export "result") (result i32) (i32.store (i32.const 0) (i32.const 5)) (i32.const 0x07654321)))"#;

fn part_by_answers() {
    let folder = folder_with(&[("t.wat", BROKEN)]);
    let mut engines: Vec<String> = by_answers().to_vec();
    engines.push(command("stream"));
    for engine in engines {
        let engine = [" print", " status", " silent", " stream"].into_iter().fold(engine, |engine, how| {
            engine.replace(&format!("{how} {{module}}"), &format!("{how}-bug {{module}}"))
        });
        let arguments = ["t.wat", "--invoke", "run", "--rhs", &engine];
        let (code, report, stderr) = compared(folder.path(), &arguments);
        assert_eq!((code, &report["verdict"]), (1, &"value".into()), "{engine}: {report:#}{stderr}");
        assert_eq!(report["lhs"]["event"].as_str().map(|event| event.contains("21 43")), Some(true), "{report:#}");
        assert_eq!(report["rhs"]["event"].as_str().map(|event| event.contains("22 43")), Some(true), "{report:#}");
        let arguments = ["t.wat", "--invoke", "result", "--rhs", &engine];
        let (code, report, stderr) = compared(folder.path(), &arguments);
        assert_eq!(code, 1, "{engine}: {report:#}{stderr}");
        let event = report["rhs"]["event"].as_str().unwrap_or_default();
        assert!(event.contains(&0x07654322.to_string()), "{engine}: {report:#}");
    }
}

fn the_best_way_is_found_out() {
    let folder = folder_with(&[]);
    let found = |engine: &str| {
        let ran = run(folder.path(), &["engines", engine, "--json"]);
        let rows: Value = serde_json::from_str(&ran.stdout).unwrap_or_default();
        let row = rows.as_array().and_then(|rows| rows.iter().find(|row| row["engine"] == engine));
        row.unwrap_or_else(|| panic!("{engine}: {}{}", ran.stdout, ran.stderr)).clone()
    };
    let deaf = found(&command("deaf"));
    assert!(deaf["usable"] == false || deaf["way"].is_null(), "{deaf:#}");
    for (how, named, way) in [
        ("stream", "", "stream"),
        ("print", " {function}", "answer"),
        ("status", "", "status"),
        ("silent", "", "outcome"),
    ] {
        let engine = format!("{}{named}", command(how));
        let row = found(&engine);
        let found = row["way"].as_str().unwrap_or_default();
        assert!(found.starts_with(&format!("{way}: ")), "{how}: {row:#}");
    }
}

/// Node runs a module by its own WASI, as its documentation shows it.
fn node_by_its_own_wasi() {
    let script = br#"
        import { readFile } from 'node:fs/promises';
        import { WASI } from 'node:wasi';
        const wasi = new WASI({ version: 'preview1', args: [], env: {} });
        const module = await WebAssembly.compile(await readFile(process.argv[2]));
        wasi.start(await WebAssembly.instantiate(module, wasi.getImportObject()));"#;
    let folder = folder_with(&[("t.wat", STORES), ("run.mjs", script)]);
    let engine = format!("command:{} --no-warnings run.mjs {{module}}", common::external::node());
    for calls in [vec!["--invoke", "run 60000"], vec!["--invoke", "trap"]] {
        let mut arguments = vec!["t.wat", "--rhs", &engine];
        arguments.extend(calls);
        let (code, report, stderr) = compared(folder.path(), &arguments);
        assert_eq!((code, &report["agree"]), (0, &true.into()), "{report:#}{stderr}");
    }
}

/// Data and functions for the memory and the table of another module, some of them once something ran, at an address that another
/// module has, and over what was there.
const SEGMENTS: &[u8] = br#"(module $a (memory (export "m") 1) (data (i32.const 16) "hello") (global (export "at") i32 (i32.const 20))
        (table (export "t") 3 funcref) (type $f (func (result i32))) (elem (i32.const 0) $one) (func $one (result i32) (i32.const 1))
        (func (export "set") (param i32) (i32.store (local.get 0) (i32.const 7)))
        (func (export "call") (param i32) (result i32) (call_indirect (type $f) (local.get 0))))
    (register "a")
    (module $b (import "a" "m" (memory $m 1)) (import "a" "at" (global $at i32)) (memory $own 1) (data (memory $own) (i32.const 3) "own")
        (data (memory $m) (global.get $at) "world") (func $start (i32.store8 $m (i32.const 17) (i32.const 65))) (start $start))
    (invoke $a "set" (i32.const 16))
    (assert_return (invoke $a "call" (i32.const 0)) (i32.const 1))
    (module $c (import "a" "t" (table 3 funcref)) (import "a" "m" (memory 1)) (memory 2) (type $f (func (result i32)))
        (elem (i32.const 0) $two $two) (func $two (result i32) (i32.load (i32.const 16))) (data (i32.const 17) "late"))
    (assert_return (invoke $a "call" (i32.const 0)) (i32.const 0x74616c07))
    (assert_trap (invoke $a "call" (i32.const 2)) "uninitialized element")"#;

/// A command that links modules.
fn linking(how: &str) -> String {
    format!("{} --with={{name}}={{file}}", command(how))
}

/// Calls through the other module's table, in both directions, a start function, a shared memory, globals.
const LINKED: &[u8] = br#"(module $a (memory (export "mem") 1) (table (export "t") 4 funcref) (elem (i32.const 0) $put)
        (type $p (func (param i32 i32))) (global (export "g") (mut i32) (i32.const 5)) (data (i32.const 16) "hello")
        (func $put (export "put") (param i32 i32) (global.set 0 (local.get 1)) (i32.store (local.get 0) (local.get 1)))
        (func (export "far") (param i32 i32) (call_indirect (type $p) (local.get 0) (local.get 1) (i32.const 1))))
    (register "a")
    (module $b (import "a" "t" (table 4 funcref)) (memory $own (export "mem") 1) (type $p (func (param i32 i32)))
        (elem (i32.const 1) $near) (func $near (param i32 i32) (i32.store $own offset=256 (local.get 0) (local.get 1)))
        (func (export "poke") (param i32) (result i32) (i32.store $own (i32.const 4) (local.get 0))
            (call_indirect (type $p) (local.get 0) (i32.const 9) (i32.const 0)) (memory.grow $own (i32.const 1))))
    (register "b")
    (module $c (import "a" "mem" (memory 1)) (import "a" "g" (global $g (mut i32)))
        (func $start (i32.store (i32.const 32) (i32.const 6)) (global.set $g (i32.const 8))) (start $start)
        (func (export "get") (param i32) (result i32) (i32.load (local.get 0)))
        (func (export "set") (param i32) (i32.store16 (local.get 0) (i32.const 0x7777)))
        (func (export "trap") (i32.store (i32.const 64) (i32.const 1)) unreachable))
    (assert_return (invoke $b "poke" (i32.const 40)) (i32.const 1))
    (invoke $a "far" (i32.const 40) (i32.const 11))
    (assert_return (invoke $c "get" (i32.const 40)) (i32.const 9))
    (assert_return (get $a "g") (i32.const 9))
    (invoke $c "set" (i32.const 100))
    (assert_trap (invoke $c "trap") "unreachable")"#;

fn linked_modules() {
    let folder = folder_with(&[("s.wast", LINKED)]);
    let (code, report, stderr) = compared(folder.path(), &["s.wast", "--rhs", &linking("stream")]);
    assert_eq!((code, &report["agree"]), (0, &true.into()), "{report:#}{stderr}");
    assert_eq!(report["rhs"]["events"], report["lhs"]["events"], "{report:#}");
    let assertions = &report["rhs"]["assertions"];
    assert_eq!((&assertions["total"], &assertions["passed"]), (&4.into(), &4.into()), "{report:#}");
    let folder = folder_with(&[("s.wast", SEGMENTS)]);
    let (code, report, stderr) = compared(folder.path(), &["s.wast", "--rhs", &linking("stream")]);
    assert_eq!((code, &report["agree"]), (0, &true.into()), "{report:#}{stderr}");
    assert_eq!(report["rhs"]["assertions"]["failed"], 0, "{report:#}");
    let a = br#"(module (memory (export "mem") 1) (func (export "put") (param i32 i64) (result i64)
        (i64.store (local.get 0) (local.get 1)) (local.get 1)))"#;
    let b = br#"(module (import "a" "put" (func $put (param i32 i64) (result i64))) (memory 1)
        (func (export "run") (param i32) (result i64) (i32.store8 (local.get 0) (local.get 0)) (call $put (local.get 0) (i64.const -2)))
        (func (export "at-once") unreachable))"#;
    let folder = folder_with(&[("a.wat", a), ("b.wat", b)]);
    for last in ["b.run 9", "b.at-once"] {
        let modules = ["--module", "b=b.wat", "--module", "a=a.wat", "--invoke", "b.run 8", "--invoke", last];
        let engine = linking("stream");
        let (code, report, stderr) = compared(folder.path(), &[&modules[..], &["--rhs", &engine]].concat());
        assert_eq!((code, &report["agree"]), (0, &true.into()), "{report:#}{stderr}");
        assert_eq!(report["rhs"]["events"], report["lhs"]["events"], "{last}: {report:#}");
    }
    // One module takes no others, and the same command runs it.
    let folder = folder_with(&[("t.wat", STORES)]);
    let (code, report, stderr) =
        compared(folder.path(), &["t.wat", "--invoke", "run 10", "--rhs", &linking("stream")]);
    assert_eq!((code, &report["agree"]), (0, &true.into()), "{report:#}{stderr}");
}

fn swapped_memories() {
    let folder = folder_with(&[("s.wast", LINKED)]);
    let (code, report, stderr) = compared(folder.path(), &["s.wast", "--rhs", &linking("stream-swap")]);
    assert_eq!((code, &report["verdict"]), (1, &"instance".into()), "{report:#}{stderr}");
}

fn what_cannot_be_followed() {
    let trap = br#"(module (memory 1) (func (export "f") unreachable))
        (assert_trap (invoke "f") "unreachable")
        (invoke "f")"#;
    let invalid = br#"(module (memory 1))
        (assert_invalid (module (func (result i32))) "type mismatch")"#;
    let unlinkable = br#"(module) (assert_unlinkable (module (import "a" "m" (memory 1))) "unknown import")"#;
    for (script, words) in [
        (&trap[..], "a command ends at the first trap, and directives follow; line 2, the call of line-1.f: leave"),
        (invalid, "of each module that it gets; line 2, a module that is only validated"),
        (unlinkable, "when an instance cannot be made; line 1, module line-1"),
    ] {
        let folder = folder_with(&[("s.wast", script)]);
        let (code, report, stderr) = compared(folder.path(), &["s.wast", "--rhs", &linking("stream")]);
        assert!(code == 2 && stderr.contains(words), "{words}: {report:#}{stderr}");
    }
    // What traps unexpectedly ends the run, too.
    let unexpected = br#"(module (memory 1) (func (export "f") unreachable)) (invoke "f") (invoke "f")"#;
    let folder = folder_with(&[("s.wast", unexpected)]);
    let (code, report, stderr) = compared(folder.path(), &["s.wast", "--rhs", &linking("stream")]);
    assert!(code == 2 && stderr.contains("ended in a trap, and with it the command"), "{report:#}{stderr}");
    let folder = folder_with(&[("s.wast", LINKED)]);
    for (engine, words) in [
        (command("stream"), "a word with {name} and {file}"),
        (linking("stream").replacen("command:", "command,way=answer:", 1), "asks one module"),
        (linking("nothing"), "told everything"),
        (linking("fails"), "out of paper"),
    ] {
        let (code, report, stderr) = compared(folder.path(), &["s.wast", "--rhs", &engine]);
        assert!(code == 2 && stderr.contains(words), "{words}: {report:#}{stderr}");
    }
}

/// The script of docs/command-engines.md.
fn node_links_modules() {
    let document = std::fs::read_to_string(common::repository_text("docs/command-engines.md")).expect("a document");
    let script = document.split("// run-linked.mjs\n").nth(1).and_then(|rest| rest.split("```").next());
    let folder = folder_with(&[("s.wast", LINKED), ("run-linked.mjs", script.expect("the script").as_bytes())]);
    let engine =
        format!("command:{} --no-warnings run-linked.mjs {{module}} {{name}}={{file}}", common::external::node());
    let (code, report, stderr) = compared(folder.path(), &["s.wast", "--rhs", &engine]);
    assert_eq!((code, &report["agree"]), (0, &true.into()), "{report:#}{stderr}");
}

fn runs_are_counted() {
    let folder = folder_with(&[("t.wat", STORES), ("s.wast", LINKED)]);
    let engine = linking("stream");
    let engines = format!("wasmtime:jit;wasmi;{engine}");
    let (code, survey, stderr) = compared(folder.path(), &["t.wat", "--invoke", "run 10", "--engines", &engines]);
    let commands = &survey["commands"];
    assert_eq!((code, &commands[0]["engine"]), (0, &survey["engines"][2]["engine"]), "{survey:#}{stderr}");
    assert!(commands[0]["runs"].as_u64() >= Some(1) && commands[0]["seconds"].as_f64() > Some(0.0), "{survey:#}");
    assert!(commands[1].is_null(), "{survey:#}");
    let words = run(folder.path(), &["compare", "t.wat", "--invoke", "run 10", "--engines", &engines]).stdout;
    assert!(words.contains("The command of command") && words.contains(" was run "), "{words}");
    let ran = run(folder.path(), &["sweep", ".", "--engines", &engines, "--out", "rows", "--json"]);
    let summary: Value = serde_json::from_str(&ran.stdout).unwrap_or_default();
    let sums =
        summary["commands"].as_object().map(|sums| sums.values().cloned().collect::<Vec<_>>()).unwrap_or_default();
    assert_eq!(sums.len(), 1, "{summary:#}{}", ran.stderr);
    assert!(sums[0]["runs"].as_u64() >= Some(2) && sums[0]["ms"].as_u64() > Some(0), "{summary:#}");
    let ran = run(folder.path(), &["sweep", ".", "--engines", &engines, "--out", "more"]);
    assert!(ran.stdout.contains("The command of command"), "{}", ran.stdout);
}
