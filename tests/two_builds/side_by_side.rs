//! Two builds in the viewer and in a pack.

use crate::common::{folder_with, run};
use std::fs;
use std::path::Path;

/// Two builds: one merges two stores into one, moves one, and adds one; both write other bytes in one place.
const BEFORE: &str = r#"(module (memory (export "memory") 1) (func (export "run") (result i32)
  (i32.store (i32.const 0) (i32.const 1))
  (i32.store (i32.const 64) (i32.const 2))
  (i32.store (i32.const 68) (i32.const 3))
  (i32.store (i32.const 4) (i32.const 4))
  (i32.store (i32.const 8) (i32.const 5))
  (i32.store (i32.const 12) (i32.const 6))
  (i32.store (i32.const 16) (i32.const 7))
  (i32.load (i32.const 8))))"#;
const AFTER: &str = r#"(module (memory (export "memory") 1) (func (export "run") (result i32)
  (i32.store (i32.const 0) (i32.const 1))
  (i64.store (i32.const 64) (i64.const 0x300000002))
  (i32.store (i32.const 4) (i32.const 4))
  (i32.store (i32.const 128) (i32.const 9))
  (i32.store (i32.const 8) (i32.const 50))
  (i32.store (i32.const 16) (i32.const 7))
  (i32.store (i32.const 12) (i32.const 6))
  (i32.load (i32.const 8))))"#;

/// Records two builds into `folder`.
fn record(folder: &Path, builds: [&str; 2]) {
    for (name, build) in ["lhs.wat", "rhs.wat"].iter().zip(builds) {
        fs::write(folder.join(name), build).expect("writing a test file");
    }
    let ran = run(folder, &["compare", "lhs.wat", "rhs.wat", "--invoke", "run", "-o", ".", "--no-guard"]);
    assert!(ran.code < 2, "{ran:?}");
}

/// The screen of the viewer, from event 4 on.
fn screen(folder: &Path, arguments: &[&str]) -> String {
    fs::write(folder.join("steps.txt"), "print\n").expect("writing a test file");
    let ran =
        run(folder, &[&["view"], arguments, &["--script", "steps.txt", "--size", "120x40", "--at", "4"]].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.stdout
}

pub(crate) fn stores_that_do_the_same_share_a_row() {
    let folder = folder_with(&[]);
    record(folder.path(), [BEFORE, AFTER]);
    let shown = screen(folder.path(), &["lhs.fpt", "rhs.fpt"]);
    // Marks and positions of both lists.
    let row = |line: &str| {
        let [left, right] = [0, 60].map(|from| line.chars().skip(from).take(5).collect::<String>());
        format!("{left}|{right}")
    };
    let rows: Vec<String> = shown.lines().skip(7).take(9).map(row).collect();
    let expected = [
        "   5 |   5 ",
        " ! 6 | ! 6 ",
        " + 7 |   -",
        "   8 |   7 ",
        "   - | + 8 ",
        " ! 9 | ! 9 ",
        " +10 |   -",
        "  11 |  10 ",
        "   - | +11 ",
    ];
    assert_eq!(rows, expected, "{shown}");
}

/// Data that lie elsewhere: what is stored counts, and not where.
pub(crate) fn stores_to_moved_data_share_a_row() {
    let build = |at: u32, more: &str| {
        format!(
            r#"(module (memory (export "memory") 1) (data (i32.const {at}) "text") (func (export "run")
              (i32.store (i32.const {}) (i32.const 1)) {more} (i32.store (i32.const {}) (i32.const 2))
              (i32.store (i32.const {}) (i32.const 3))))"#,
            at + 8,
            at + 12,
            at + 16
        )
    };
    let folder = folder_with(&[]);
    let more = "(i32.store (i32.const 4096) (i32.const 7)) (i32.store (i32.const 4100) (i32.const 8))";
    record(folder.path(), [&build(0, ""), &build(1024, more)]);
    let shown = screen(folder.path(), &["lhs.fpt", "rhs.fpt"]);
    let marks: Vec<String> =
        shown.lines().skip(7).take(6).map(|line| line.chars().skip(60).take(4).collect()).collect();
    assert_eq!(marks, ["   5", "   6", " + 7", " + 8", "   9", "  10"], "{shown}");
}

pub(crate) fn a_pack_holds_both_builds() {
    let folder = folder_with(&[]);
    record(folder.path(), [BEFORE, AFTER]);
    let pack = |more: &[&str]| run(folder.path(), &[&["pack", "lhs.fpt", "rhs.fpt"], more].concat());
    let listed = pack(&["--list"]);
    assert!(
        listed.stdout.contains("module       lhs.wat") && listed.stdout.contains("the other    rhs.wat"),
        "{listed:?}"
    );
    let packed = pack(&["-o", "bug.zip"]);
    assert_eq!(packed.code, 0, "{packed:?}");
    assert!(
        packed.stderr.contains("note: the traces are of two builds, so the pack holds both as they are"),
        "{packed:?}"
    );
    let [traces, pack_] = [&["lhs.fpt", "rhs.fpt"][..], &["bug.zip"]].map(|of| {
        let ran = run(folder.path(), &[&["diff", "--json"], of].concat());
        assert_eq!(ran.code, 1, "{ran:?}");
        ran.stdout
    });
    assert_eq!(traces, pack_);
    assert_eq!(screen(folder.path(), &["bug.zip"]).lines().count(), 40);
    let dumped = run(folder.path(), &["dump", "bug.zip", "--side", "rhs"]);
    assert!(dumped.stdout.contains("i64.store [0x00000040]"), "{dumped:?}");
    let redacted = pack(&["-o", "other.zip", "--redact"]);
    assert!(redacted.code == 2 && redacted.stderr.contains("these are of two builds"), "{redacted:?}");
    let small = pack(&["-o", "other.zip", "--limit", "1K"]);
    assert!(small.code == 2 && small.stderr.contains("1024 are allowed"), "{small:?}");
    assert!(!folder.path().join("other.zip").exists());
    assert_eq!(pack(&["-o", "other.zip", "--whole"]).code, 0);
}
