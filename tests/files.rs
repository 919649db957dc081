//! What commands write: never over what they read, and completely or not at all; and how they end when interrupted.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod common;

use common::{folder_with, run};
use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const COUNTER: &[u8] = br#"(module (memory 1) (func (export "run") (param i32)
  (loop $next
    (i32.store (i32.const 0) (local.get 0))
    (br_if $next (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))"#;

const RECORD: [&str; 5] = ["record", "a.wat", "--invoke", "run 9", "-o"];

#[test]
fn an_output_is_never_an_input() {
    let folder = folder_with(&[("a.wat", COUNTER)]);
    let at = |name: &str| folder.path().join(name);
    symlink("a.wat", at("link.fpt")).unwrap();
    fs::hard_link(at("a.wat"), at("hard.fpt")).unwrap();
    for output in ["a.wat", "./a.wat", "link.fpt", "hard.fpt"] {
        let ran = run(folder.path(), &[&RECORD[..], &[output]].concat());
        assert!(ran.code == 2 && ran.stderr.contains("is the input"), "{output}: {ran:?}");
    }
    assert_eq!(fs::read(at("a.wat")).unwrap(), COUNTER);
    assert_eq!(run(folder.path(), &[&RECORD[..], &["x.fpt"]].concat()).code, 0);
    let before = fs::read(at("x.fpt")).unwrap();
    let ran = run(folder.path(), &["replay", "x.fpt", "-o", "x.fpt"]);
    assert!(ran.code == 2 && ran.stderr.contains("is the input"), "{ran:?}");
    assert_eq!(fs::read(at("x.fpt")).unwrap(), before);
}

#[test]
fn fifos_and_devices_are_written_to() {
    let folder = folder_with(&[("a.wat", COUNTER)]);
    let fifo = folder.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let reader = Command::new("cat").arg(&fifo).stdout(Stdio::piped()).spawn().unwrap();
    assert_eq!(run(folder.path(), &[&RECORD[..], &["fifo"]].concat()).code, 0);
    fs::write(folder.path().join("got.fpt"), reader.wait_with_output().unwrap().stdout).unwrap();
    let ran = run(folder.path(), &["info", "got.fpt", "--verify"]);
    assert!(ran.code == 0 && ran.stdout.contains("complete"), "{ran:?}");
    assert!(fs::symlink_metadata(&fifo).unwrap().file_type().is_fifo());
    assert_eq!(run(folder.path(), &["replay", "got.fpt", "-o", "/dev/null"]).code, 0);
    assert!(fs::metadata("/dev/null").unwrap().file_type().is_char_device());
}

#[test]
fn a_range_of_no_events_is_an_error() {
    let folder = folder_with(&[("a.wat", COUNTER)]);
    assert_eq!(run(folder.path(), &[&RECORD[..], &["x.fpt"]].concat()).code, 0);
    let dump = |options: &[&str]| run(folder.path(), &[&["dump", "x.fpt"], options].concat());
    let past = dump(&["--from", "99"]);
    assert!(past.code == 2 && past.stderr.contains("#99 is past the end"), "{past:?}");
    let backward = dump(&["--from", "5", "--to", "3"]);
    assert!(backward.code == 2 && backward.stderr.contains("not before"), "{backward:?}");
    let long = dump(&["--from", "5", "--to", "99"]);
    assert!(long.code == 0 && long.stderr.contains("note: this trace ends before"), "{long:?}");
    let json = dump(&["--kind", "store", "--json"]).stdout;
    assert!(json.contains(r#""instruction":"i32.store"#) && json.contains(r#""name":""#), "{json}");
}

/// A running recorder of an endless run, with its own folder for temporary files.
fn endless(folder: &Path, output: &str) -> Child {
    let recorder = Command::new(common::FORKPOINT)
        .current_dir(folder)
        .env("TMPDIR", folder.join("tmp"))
        .args(["record", "a.wat", "--invoke", "run 0", "--timeout", "60s", "--quiet", "-o", output])
        .spawn()
        .unwrap();
    for _ in 0..600 {
        let begun = |name: &str| name.starts_with(output) && name.ends_with(".partial");
        let mut entries = fs::read_dir(folder).unwrap().flatten();
        if entries.any(|entry| {
            begun(&entry.file_name().to_string_lossy()) && entry.metadata().is_ok_and(|file| file.len() > 1000)
        }) {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    recorder
}

fn scratch(folder: &Path) -> Vec<fs::DirEntry> {
    fs::read_dir(folder.join("tmp")).unwrap().flatten().collect()
}

#[test]
fn sigterm_ends_a_recording_and_its_folders() {
    let folder = folder_with(&[("a.wat", COUNTER)]);
    fs::create_dir(folder.path().join("tmp")).unwrap();
    let mut recorder = endless(folder.path(), "t.fpt");
    let modes =
        scratch(folder.path()).into_iter().map(|entry| entry.metadata().unwrap().permissions().mode() & 0o777);
    let modes: Vec<u32> = modes.collect();
    assert!(!modes.is_empty() && modes.iter().all(|mode| *mode == 0o700), "{modes:?}");
    assert!(Command::new("kill").args(["-TERM", &recorder.id().to_string()]).status().unwrap().success());
    recorder.wait().unwrap();
    let ran = run(folder.path(), &["info", "t.fpt"]);
    assert!(ran.code == 0 && ran.stdout.contains("interrupted"), "{ran:?}");
    assert!(scratch(folder.path()).is_empty());
}

#[test]
fn what_a_killed_recorder_leaves_is_named_and_swept() {
    let folder = folder_with(&[("a.wat", COUNTER)]);
    fs::create_dir(folder.path().join("tmp")).unwrap();
    let mut recorder = endless(folder.path(), "t.fpt");
    recorder.kill().unwrap();
    recorder.wait().unwrap();
    assert!(!scratch(folder.path()).is_empty(), "nothing could remove them");
    let again = Command::new(common::FORKPOINT)
        .current_dir(folder.path())
        .env("TMPDIR", folder.path().join("tmp"))
        .args(RECORD)
        .arg("t.fpt")
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&again.stderr);
    assert!(again.status.success() && stderr.contains("was killed left") && stderr.contains(".partial"), "{stderr}");
    assert!(scratch(folder.path()).is_empty());
}

#[test]
fn fail_on_makes_an_end_a_failure() {
    let folder = folder_with(&[("a.wat", br#"(module (func (export "run") unreachable))"#)]);
    let record = |ends: &str| run(folder.path(), &["record", "a.wat", "--invoke", "run", "--fail-on", ends]).code;
    assert_eq!(record("crash,timeout"), 0);
    assert_eq!(record("crash,trap"), 1);
    assert_eq!(record("nothing"), 2);
}

#[test]
fn help_pages_and_completions_are_of_this_command_line() {
    let folder = folder_with(&[]);
    assert_eq!(run(folder.path(), &["man", "pages"]).code, 0);
    for command in ["record", "compare", "sweep", "replay", "diff", "info", "dump", "engines", "view", "runner-check"]
    {
        let page = fs::read_to_string(folder.path().join(format!("pages/forkpoint-{command}.1"))).unwrap();
        assert!(page.contains("EXAMPLES"), "{command}");
        let help = run(folder.path(), &[command, "--help"]);
        assert!(help.code == 0 && help.stdout.contains(&format!("EXAMPLES\n  forkpoint {command}")), "{help:?}");
    }
    let bash = run(folder.path(), &["completions", "bash"]);
    assert!(bash.code == 0 && bash.stdout.contains("runner-check"), "{bash:?}");
    let red = run(folder.path(), &["--color", "always", "nonsense"]).stderr;
    assert!(red.contains('\x1b') && !run(folder.path(), &["nonsense"]).stderr.contains('\x1b'), "{red}");
    let version = run(folder.path(), &["--version"]).stdout;
    assert!(version.contains("trace format: version"), "{version}");
    // What is linked in is known exactly, and named the same way in a trace.
    let linked = forkpoint_tracer::linked_engines();
    for (name, number) in linked {
        assert!(version.contains(&format!("{name} {number}")) && number.split('.').count() == 3, "{version}");
    }
    fs::write(folder.path().join("v.wat"), "(module (memory 1) (func (export \"f\")))").unwrap();
    for (engine, (_, number)) in ["wasmtime:jit", "wasmi"].into_iter().zip(linked) {
        assert_eq!(run(folder.path(), &["record", "v.wat", "--invoke", "f", "--engine", engine]).code, 0);
        let info = run(folder.path(), &["info", "v.fpt", "--json"]).stdout;
        assert!(info.contains(&format!("\"version\": \"{number}\"")), "{info}");
    }
}
