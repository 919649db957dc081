//! The traces of the last comparison are kept for `forkpoint view`, in a folder of this user alone.

mod common;

use common::{Ran, folder_with, repository_text, run_with_cache};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Two engines that part on every host: one rounds a relaxed multiply-add twice, the other once.
const ENGINES: [&str; 4] = ["--lhs", "wasmtime:aot,target=portable", "--rhs", "wasmtime:pulley"];

/// Compares them, with more arguments.
fn compare(folder: &Path, cache: &str, more: &[&str]) -> Ran {
    let module = repository_text("examples/orbit.wat");
    run_with_cache(folder, cache, &[&["compare", &module, "--invoke", "run 100"], &ENGINES[..], more].concat())
}

const KEPT: &str = "\nlook at it: forkpoint view\n";
const NOT_KEPT: &str = "\nlook at it: add -o DIR to keep both traces, then forkpoint view DIR/lhs.fpt DIR/rhs.fpt\n";

#[test]
fn a_comparison_keeps_its_traces_in_place_of_the_last() {
    let folder = folder_with(&[]);
    let here = folder.path();
    for _ in 0..2 {
        let ran = compare(here, "cache", &[]);
        assert!(ran.code == 1 && ran.stdout.ends_with(KEPT) && ran.stderr.is_empty(), "{ran:?}");
        for folder in ["cache", "cache/last"] {
            assert_eq!(fs::metadata(here.join(folder)).expect("a folder").mode() & 0o777, 0o700, "{folder}");
        }
        assert_eq!(fs::read_dir(here.join("cache")).expect("the cache").count(), 1);
        let diff = run_with_cache(here, "off", &["diff", "cache/last/lhs.fpt", "cache/last/rhs.fpt"]);
        assert!(diff.code == 1 && diff.stdout.starts_with("The runs diverge at #12 (value)"), "{diff:?}");
    }
    // One that makes no traces, as the runs agree by their digests, leaves it there.
    let kept = fs::metadata(here.join("cache/last/lhs.fpt")).expect("a trace").ino();
    let module = repository_text("examples/orbit.wat");
    let ran = run_with_cache(here, "cache", &["compare", &module, "--invoke", "run 100", "--rhs", "wasmtime:jit"]);
    assert!(ran.code == 0 && !ran.stdout.contains("look at it"), "{ran:?}");
    assert_eq!(fs::metadata(here.join("cache/last/lhs.fpt")).expect("a trace").ino(), kept);
}

#[test]
fn nothing_is_kept_where_that_is_not_wanted() {
    let folder = folder_with(&[("file", b"")]);
    let here = folder.path();
    for (cache, more) in [("off", &[][..]), ("cache", &["--no-cache"]), ("cache", &["--same-as", "x"])] {
        let ran = compare(here, cache, more);
        assert!(ran.code == 1 && ran.stdout.ends_with(NOT_KEPT), "{ran:?}");
    }
    let ran = compare(here, "cache", &["-o", "out"]);
    assert!(
        ran.code == 1 && ran.stdout.ends_with("\nlook at it: forkpoint view out/lhs.fpt out/rhs.fpt\n"),
        "{ran:?}"
    );
    assert!(!here.join("cache").exists() && !here.join("off").exists());
    // A folder that cannot be made costs nothing but the traces.
    let ran = compare(here, "file/cache", &[]);
    assert!(ran.code == 1 && ran.stdout.ends_with(NOT_KEPT), "{ran:?}");
    assert!(ran.stderr.contains("note: the traces are not kept for `forkpoint view`"), "{ran:?}");
}

#[test]
fn without_a_terminal_nothing_runs() {
    let folder = folder_with(&[]);
    let ran = compare(folder.path(), "cache", &["--view", "-o", "out"]);
    assert!(ran.code == 2 && ran.stdout.is_empty(), "{ran:?}");
    assert!(ran.stderr.starts_with("error: the viewer needs a terminal"), "{ran:?}");
    let ran = run_with_cache(folder.path(), "cache", &["view"]);
    assert!(ran.code == 2 && ran.stderr.contains("no comparison is kept in"), "{ran:?}");
    assert_eq!(fs::read_dir(folder.path()).expect("the folder").count(), 0, "nothing was made");
}
