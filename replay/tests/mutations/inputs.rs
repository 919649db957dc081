//! Which inputs a test of many tries, and where they are.

use std::ops::Range;
use std::path::Path;
use tempfile::TempDir;

/// The numbers that `FORKPOINT_MUTATIONS` names, as in `0..1000`, or the first `few`.
pub fn numbers(few: u64) -> Range<u64> {
    let Ok(text) = std::env::var("FORKPOINT_MUTATIONS") else { return 0..few };
    let (start, end) = text.split_once("..").unwrap_or(("0", &text));
    let number = |text: &str| text.parse().expect("FORKPOINT_MUTATIONS is a number, or two as in 0..1000");
    number(start)..number(end)
}

/// A folder in memory if there is one: a disk would take most of the time.
pub fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.expect("a folder")
}
