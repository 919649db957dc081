//! Compiled code is kept between runs, and changes nothing but the time.

mod common;

use common::{FORKPOINT, folder_with};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A module that is long enough to be kept.
fn long_module() -> String {
    let text = "x".repeat(200 << 10);
    format!(
        r#"(module (memory (export "memory") 4) (data (i32.const 0) "{text}")
        (func (export "run") (param i32) (i32.store (i32.const 8) (i32.mul (local.get 0) (i32.const 7)))))"#
    )
}

/// What a command prints and its exit code, with this cache.
fn run(folder: &Path, cache: &str, arguments: &[&str]) -> (String, Option<i32>) {
    let ran = Command::new(FORKPOINT)
        .current_dir(folder)
        .args(arguments)
        .env("FORKPOINT_CACHE", cache)
        .output()
        .expect("forkpoint starts");
    (String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr), ran.status.code())
}

/// The entries and what they hold.
fn entries(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let Ok(files) = fs::read_dir(folder.join("cache")) else { return Vec::new() };
    let mut files: Vec<PathBuf> = files.map(|file| file.expect("an entry").path()).collect();
    files.sort();
    files.into_iter().map(|path| (path.clone(), fs::read(path).expect("an entry"))).collect()
}

const COMPARE: [&str; 6] = ["compare", "m.wat", "--invoke", "run 6", "--rhs", "wasmtime:aot"];

#[test]
fn a_second_comparison_finds_the_code_and_says_the_same() {
    let folder = folder_with(&[("m.wat", long_module().as_bytes())]);
    let here = folder.path();
    let first = run(here, "cache", &COMPARE);
    assert_eq!(first.1, Some(0), "{}", first.0);
    // Of each side the module as it is and rewritten.
    let kept = entries(here);
    assert_eq!(kept.len(), 4);
    assert_eq!(run(here, "cache", &COMPARE), first);
    assert_eq!(entries(here), kept, "nothing was compiled again");
    // Other settings, other code.
    let other = run(here, "cache", &[&COMPARE[..4], &["--rhs", "wasmtime:jit,opt=none"]].concat());
    assert_eq!(other.1, Some(0), "{}", other.0);
    assert_eq!(entries(here).len(), 6);
}

#[test]
fn a_damaged_entry_is_made_again() {
    let folder = folder_with(&[("m.wat", long_module().as_bytes())]);
    let here = folder.path();
    let first = run(here, "cache", &COMPARE);
    let kept = entries(here);
    for (path, bytes) in &kept {
        let middle = bytes.len() / 2;
        fs::write(path, [&bytes[..middle], &[bytes[middle] ^ 1], &bytes[middle + 1..]].concat()).expect("an entry");
    }
    assert_eq!(run(here, "cache", &COMPARE), first);
    assert_eq!(entries(here).len(), kept.len());
    for ((path, again), (_, before)) in entries(here).iter().zip(&kept) {
        assert_eq!(again.len(), before.len(), "{}", path.display());
    }
}

#[test]
fn nothing_is_kept_where_that_is_not_wanted() {
    let folder = folder_with(&[("m.wat", long_module().as_bytes())]);
    let here = folder.path();
    assert_eq!(run(here, "cache", &[&COMPARE[..], &["--no-cache"]].concat()).1, Some(0));
    assert_eq!(run(here, "off", &COMPARE).1, Some(0));
    assert!(!here.join("cache").exists() && !here.join("off").exists());
    // A folder that cannot be made, or that others can write to, is no reason to fail.
    fs::write(here.join("file"), "").expect("a file");
    assert_eq!(run(here, "file/cache", &COMPARE).1, Some(0));
}

#[test]
fn several_at_once_make_the_same_entries() {
    let folder = folder_with(&[("m.wat", long_module().as_bytes())]);
    let here = folder.path();
    let ran: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| run(here, "cache", &COMPARE))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    assert!(ran.iter().all(|one| *one == ran[0] && one.1 == Some(0)), "{ran:?}");
    assert_eq!(entries(here).len(), 4);
}

#[test]
fn native_code_is_shown_of_kept_code_too() {
    let folder = folder_with(&[("m.wat", long_module().as_bytes())]);
    let here = folder.path();
    let record = |name: &str, more: &[&str]| {
        let ran = run(here, "cache", &[&["record", "m.wat", "--invoke", "run 6", "-o", name], more].concat());
        assert_eq!(ran.1, Some(0), "{}", ran.0);
        let size = fs::metadata(here.join(name)).expect("a trace").len();
        let (shown, code) = run(here, "cache", &["diff", name, "fresh.fpt"]);
        (size, code, shown)
    };
    record("fresh.fpt", &["--no-cache"]);
    let (made, ..) = record("made.fpt", &[]);
    let (found, code, shown) = record("found.fpt", &[]);
    assert_eq!(code, Some(0), "{shown}");
    assert!(made.abs_diff(found) < 64, "native code of {made} and {found} bytes of trace");
}
