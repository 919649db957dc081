//! Files of the command line: what is read and what is written must not be the same, and a recording that was killed
//! is found again.

use crate::output::tell;
use anyhow::{Context, Result, bail};
use forkpoint_replay::printable;
use forkpoint_traces::unfinished;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Refuses an output that is one of the inputs, by whatever name: through links, too.
pub fn refuse_same<'a>(output: &Path, inputs: impl IntoIterator<Item = &'a Path>) -> Result<()> {
    let Ok(written) = fs::metadata(output) else { return Ok(()) };
    if !written.is_file() {
        return Ok(());
    }
    for input in inputs {
        if fs::metadata(input).is_ok_and(|read| (read.dev(), read.ino()) == (written.dev(), written.ino())) {
            bail!(
                "the output {} is the input {}: it would be overwritten. Name another file with --output",
                printable(&output.display().to_string()),
                printable(&input.display().to_string())
            );
        }
    }
    Ok(())
}

/// Says where recordings to this file are that were killed.
pub fn note_unfinished(output: &Path) {
    for left in left_behind(output) {
        tell(&format!("note: a recorder that was killed left an incomplete trace: {left}"));
    }
}

/// The recordings to a file whose process is gone.
fn left_behind(path: &Path) -> Vec<String> {
    let dead = |process: u32| !Path::new(&format!("/proc/{process}")).exists();
    let found = unfinished(path).into_iter().filter(|found| dead(found.process));
    found.map(|found| printable(&found.path.display().to_string()).to_string()).collect()
}

/// Says, where a trace cannot be opened, which one it was, and what there is of it.
pub trait Reading<T> {
    /// Names the trace `path`.
    fn reading(self, path: &Path) -> Result<T>;
}

impl<T, E> Reading<T> for Result<T, E>
where
    Result<T, E>: Context<T, E>,
{
    fn reading(self, path: &Path) -> Result<T> {
        self.with_context(|| {
            let mut words = format!("reading the trace {}", path.display());
            if !path.exists() {
                for left in left_behind(path) {
                    words.push_str(&format!(" (a recorder that was killed left an incomplete one: {left})"));
                }
            }
            words
        })
    }
}
