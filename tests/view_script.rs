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
