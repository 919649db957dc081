//! `forkpoint view --script`: the viewer without a terminal.

mod common;

use common::{FORKPOINT, folder_with, repository, repository_text, run};
use std::fs;
use std::process::Command;

/// Writes docs/view.md anew with `BLESS=1`.
#[test]
fn the_example_of_the_documentation_is_what_it_prints() {
    let page = fs::read_to_string(repository("docs/view.md")).expect("docs/view.md");
    let (before, example) = page.split_once("$ cat steps.txt\n").expect("an example");
    let (script, rest) = example.split_once("$ forkpoint ").expect("its command");
    let (command, rest) = rest.split_once('\n').expect("a line");
    let (screen, after) = rest.split_once("```").expect("its end");
    let folder = folder_with(&[("steps.txt", script.as_bytes())]);
    let command = command.replace("traces/samples", &repository_text("traces/samples"));
    let ran = run(folder.path(), &common::words(&command));
    assert!(ran.code == 0 && ran.stderr.is_empty(), "{ran:?}");
    if std::env::var_os("BLESS").is_some() {
        let command = command.replace(&repository_text("traces/samples"), "traces/samples");
        let page = format!("{before}$ cat steps.txt\n{script}$ forkpoint {command}\n{}```{after}", ran.stdout);
        fs::write(repository("docs/view.md"), page).expect("docs/view.md");
        return;
    }
    assert_eq!(ran.stdout, screen);
}

#[test]
fn errors_name_file_and_line() {
    let folder = folder_with(&[
        ("wrong.txt", b"first\n# a comment\n\nprint\nstep back\n"),
        ("far.txt", b"#99999\n"),
        ("bytes.txt", b"\xff\xfe"),
    ]);
    let samples = ["orbit-jit", "orbit-portable"].map(|name| repository_text(&format!("traces/samples/{name}.fpt")));
    let view = |script: &str, more: &[&str]| {
        run(folder.path(), &[&["view", &samples[0], &samples[1], "--script", script], more].concat())
    };
    let ran = view("wrong.txt", &[]);
    assert!(ran.code == 2 && ran.stdout.lines().count() == 40, "what went before is printed: {ran:?}");
    assert_eq!(ran.stderr, "error: wrong.txt:5: `back` is not a number of events\n");
    let ran = view("far.txt", &[]);
    assert_eq!(ran.stderr, "error: far.txt:1: #99999 is past the end: lhs has 308 events\n");
    for script in ["none.txt", "bytes.txt"] {
        let ran = view(script, &[]);
        assert!(ran.code == 2 && ran.stderr.starts_with(&format!("error: reading the script {script}")), "{ran:?}");
    }
    for size in ["80", "0x0", "80x24x3", "20000x20000"] {
        let ran = view("far.txt", &["--size", size]);
        assert!(ran.code == 2 && ran.stderr.contains("expected columns and rows such as 120x40"), "{ran:?}");
    }
    let ran = run(folder.path(), &["view", &samples[0], "--size", "80x24"]);
    assert!(ran.code == 2 && ran.stderr.contains("--script"), "{ran:?}");
}

/// The last comparison, in a script: where two engines part on every host.
#[test]
fn a_script_shows_the_last_comparison() {
    let folder = folder_with(&[("steps.txt", b"print\n")]);
    let module = repository_text("examples/orbit.wat");
    let run = |arguments: &[&str]| {
        let mut command = Command::new(FORKPOINT);
        let ran = command.current_dir(folder.path()).args(arguments).env("FORKPOINT_CACHE", "cache").output();
        let ran = ran.expect("forkpoint starts");
        (ran.status.code(), [ran.stdout, ran.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    };
    let (code, [_, stderr]) = run(&["view", "--script", "steps.txt"]);
    assert!(code == Some(2) && stderr.contains("no comparison is kept in"), "{stderr}");
    let engines = ["--lhs", "wasmtime:aot,target=portable", "--rhs", "wasmtime:pulley"];
    run(&[&["compare", &module, "--invoke", "run 100"], &engines[..]].concat());
    let (code, [screen, stderr]) = run(&["view", "--script", "steps.txt"]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(screen.contains("lhs.fpt | rhs.fpt") && screen.contains("value at #12"), "{screen}");
    assert!(stderr.starts_with("note: this is the last comparison, "), "{stderr}");
    assert!(stderr.contains(" ago: forkpoint compare ") && stderr.contains("--rhs wasmtime:pulley"), "{stderr}");
}

#[test]
fn keys_folders_and_files_are_the_users() {
    let folder = folder_with(&[
        ("keys", b"F5 run\n"),
        ("wrong", b"# mine\nF5 fly\n"),
        ("steps.txt", b"divergence\nwrite screen.txt\nwrite-events events.txt\n"),
        ("copy.txt", b"copy\n"),
    ]);
    let sample = repository_text("traces/samples/orbit-jit.fpt");
    let view = |more: &[&str]| run(folder.path(), &[&["view", &sample, "--script"], more].concat());
    let ran = view(&["steps.txt", "--keys", "keys", "--size", "80x24"]);
    assert!(ran.code == 0 && ran.stdout.is_empty(), "{ran:?}");
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).expect("it was written");
    assert!(read("screen.txt").starts_with(" forkpoint  orbit-jit.fpt  orbit.wat"), "{}", read("screen.txt"));
    assert!(read("events.txt").contains("#0  accepted at validate"), "{}", read("events.txt"));
    let again = view(&["steps.txt"]);
    assert!(again.code == 2 && again.stderr.contains("steps.txt:2: writing screen.txt failed"), "{again:?}");
    assert!(view(&["copy.txt"]).stderr.contains("a script has no clipboard"));
    let wrong = view(&["steps.txt", "--keys", "wrong"]);
    assert!(wrong.code == 2 && wrong.stderr.contains("wrong:2: `fly` is no command"), "{wrong:?}");
    let wrong = view(&["steps.txt", "--source", "nowhere"]);
    assert!(wrong.code == 2 && wrong.stderr.contains("looking for a folder of --source"), "{wrong:?}");
}

/// The recording runs again for the calls, under the engine that it names.
#[test]
fn calls_are_told_by_a_rerun_and_steps_heed_them() {
    let guest = r#"(module (memory 1)
      (func $leaf (param $to i32) (result i32)
        (i32.store (local.get $to) (i32.const 1)) (i32.store offset=4 (local.get $to) (i32.const 2)) (i32.const 9))
      (func $twice (param $n i32)
        (i32.store (i32.const 0) (local.get $n))
        (drop (call $leaf (i32.const 16)))
        (i32.store (i32.const 0) (i32.const 5))
        (drop (call $leaf (i32.const 32))))
      (func (export "run") (call $twice (i32.const 3)) (i32.store (i32.const 64) (i32.const 1))))"#;
    let scripts: [(&str, &str); 3] = [
        ("stack.txt", "#6\ncalls\nzoom\nprint\n"),
        ("steps.txt", "#5\nstep-over\nstep-over\nprint\nback-over\nprint\n"),
        ("out.txt", "#7\nstep-out\nback-out\nprint\n"),
    ];
    let files: Vec<(&str, &[u8])> = scripts.iter().map(|(name, text)| (*name, text.as_bytes())).collect();
    let folder = folder_with(&[&[("guest.wat", guest.as_bytes())], files.as_slice()].concat());
    for engine in ["wasmtime:jit", "wasmi"] {
        run(folder.path(), &["record", "guest.wat", "--engine", engine, "--invoke", "run", "-o", "t.fpt"]);
        let script = |name: &str| run(folder.path(), &["view", "t.fpt", "--script", name, "--size", "100x30"]);
        let ran = script("stack.txt");
        for expected in [
            "calls 1 of 8  #6: 3 active",
            "    0  leaf(to = i32 16)",
            "    1  twice(n = i32 3)",
            "    2  run()",
            "*       #6     leaf(to = i32 16) -> i32 9  until #8",
            "        #9     leaf(to = i32 32) -> i32 9  until #11",
        ] {
            assert!(ran.stdout.contains(expected), "{engine}: {expected}: {}{}", ran.stdout, ran.stderr);
        }
        // Where the cursor of the list of events is, at the end of each screen: in the status line.
        let places = |name: &str| -> Vec<String> {
            let ran = script(name);
            let lines = ran.stdout.lines().filter(|line| line.starts_with('#'));
            lines.map(|line| line.split(' ').next().unwrap_or_default().to_string()).collect()
        };
        assert_eq!(places("steps.txt"), ["#11", "#4"], "{engine}");
        assert_eq!(places("out.txt"), ["#4"], "{engine}");
    }
    // Under an engine that is not there, nothing is told.
    let other = run(folder.path(), &["view", "t.fpt", "--engine", "capi:jit,lib=./none.so", "--script", "stack.txt"]);
    assert!(!other.stdout.contains("3 active"), "{}{}", other.stdout, other.stderr);
}
