//! The last comparison, kept in the user's folder for caches so that `forkpoint view` alone can show it.
//!
//! There is one at a time, in a folder of its own that only this user can enter, and the next comparison with traces takes its
//! place. Whoever replaces or opens it holds a lock on the folder around it, so nobody sees the traces of two comparisons as a pair.

use crate::output::quoted;
use anyhow::{Context, Result, bail};
use forkpoint_tracer::{CACHE_VARIABLE, cache_folder, check_private, make_private};
use indicatif::HumanDuration;
use serde::{Deserialize, Serialize};
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// The folder's name. Unfinished ones have a name that begins with it and a dot.
const NAME: &str = "last";

/// The traces in it.
const TRACES: [&str; 2] = ["lhs.fpt", "rhs.fpt"];

/// What they are.
const ABOUT: &str = "about.json";

/// Most bytes that both traces may have together.
const MOST: u64 = 1 << 30;

/// What is known of the comparison.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct About {
    /// The command, quoted for a shell.
    command: String,
    /// When it ended, in seconds since 1970.
    ended: u64,
}

/// Keeps these traces in place of the comparison before. Returns whether it did: not where nothing is to be kept, or the traces
/// are too large.
pub fn keep(traces: [&Path; 2]) -> io::Result<bool> {
    match cache_folder() {
        Some(folder) => keep_in(&folder, traces, MOST),
        None => Ok(false),
    }
}

fn keep_in(folder: &Path, traces: [&Path; 2], most: u64) -> io::Result<bool> {
    let mut length = 0;
    for trace in traces {
        length += fs::metadata(trace)?.len();
    }
    if length > most {
        return Ok(false);
    }
    make_private(folder)?;
    let lock = File::open(folder)?;
    lock.lock()?;
    remove_unfinished(folder)?;
    let only_ours = Permissions::from_mode(0o700);
    let new = tempfile::Builder::new().prefix(&format!("{NAME}.")).permissions(only_ours).tempdir_in(folder)?;
    for (trace, name) in traces.into_iter().zip(TRACES) {
        let to = new.path().join(name);
        // A temporary folder may lie on another file system.
        if fs::rename(trace, &to).is_err() {
            fs::copy(trace, &to)?;
        }
    }
    let words: Vec<String> = std::env::args_os().skip(1).map(|word| quoted(&word)).collect();
    let about = About { command: format!("forkpoint {}", words.join(" ")), ended: seconds(SystemTime::now()) };
    fs::write(new.path().join(ABOUT), serde_json::to_vec(&about)?)?;
    let last = folder.join(NAME);
    match fs::remove_dir_all(&last) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::rename(new.path(), &last)?;
    // It has another name now, so there is nothing to remove.
    let _ = new.keep();
    Ok(true)
}

/// Removes what a killed process left.
fn remove_unfinished(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)?.flatten() {
        if entry.file_name().to_string_lossy().starts_with(&format!("{NAME}.")) {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

/// The files of the last comparison, if one is kept.
pub fn files() -> [Option<PathBuf>; 2] {
    TRACES.map(|name| Some(cache_folder()?.join(NAME).join(name)))
}

/// Opens the last comparison: both traces by `open`, and what they are, in words.
pub fn open<T>(open: impl FnMut(&Path) -> Result<T>) -> Result<([T; 2], String)> {
    let Some(folder) = cache_folder() else {
        bail!("name a trace: no comparison is kept, as {CACHE_VARIABLE} is off or there is no folder for caches");
    };
    open_in(&folder, open)
}

fn open_in<T>(folder: &Path, mut open: impl FnMut(&Path) -> Result<T>) -> Result<([T; 2], String)> {
    let last = folder.join(NAME);
    if !last.exists() {
        bail!(
            "name a trace: no comparison is kept in {}; `forkpoint compare` without -o keeps its traces there if the runs diverge",
            folder.display()
        );
    }
    let reading = || format!("opening the last comparison, {}", last.display());
    check_private(folder).with_context(reading)?;
    let lock = File::open(folder).with_context(reading)?;
    lock.lock_shared().with_context(reading)?;
    let about: PathBuf = last.join(ABOUT);
    let about = fs::read(&about).with_context(reading)?;
    let about: About = serde_json::from_slice(&about).with_context(reading)?;
    let [lhs, rhs] = TRACES.map(|name| last.join(name));
    Ok(([open(&lhs)?, open(&rhs)?], about.in_words(seconds(SystemTime::now()))))
}

impl About {
    fn in_words(&self, now: u64) -> String {
        let ago = HumanDuration(Duration::from_secs(now.saturating_sub(self.ended)));
        format!("the last comparison, {ago} ago: {}", self.command)
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    fn traces(folder: &Path, bytes: &[u8]) -> [PathBuf; 2] {
        let traces = ["left", "right"].map(|name| folder.join(name));
        traces.iter().for_each(|trace| fs::write(trace, bytes).expect("a file"));
        traces
    }

    fn read(path: &Path) -> Result<Vec<u8>> {
        Ok(fs::read(path)?)
    }

    #[test]
    fn the_next_one_takes_the_place_of_the_last() {
        let parent = tempfile::tempdir().expect("a folder");
        let cache = parent.path().join("cache");
        assert!(open_in(&cache, read).expect_err("nothing is there").to_string().contains("no comparison is kept"));
        for bytes in [b"one".as_slice(), b"other"] {
            let [lhs, rhs] = traces(parent.path(), bytes);
            fs::create_dir_all(cache.join("last.killed/more")).expect("what a killed process left");
            fs::set_permissions(&cache, Permissions::from_mode(0o700)).expect("a mode");
            assert!(keep_in(&cache, [&lhs, &rhs], 10).expect("a folder"));
            let (found, words) = open_in(&cache, read).expect("a comparison");
            assert_eq!(found, [bytes, bytes]);
            assert!(words.starts_with("the last comparison, 0 seconds ago: forkpoint"), "{words}");
            assert_eq!(fs::metadata(cache.join(NAME)).expect("the folder").mode() & 0o777, 0o700);
            assert_eq!(fs::read_dir(&cache).expect("the cache").count(), 1, "nothing else is left");
        }
        let [lhs, rhs] = traces(parent.path(), b"larger");
        assert!(!keep_in(&cache, [&lhs, &rhs], 10).expect("a folder"), "too large");
        assert_eq!(open_in(&cache, read).expect("a comparison").0, [b"other", b"other"]);
    }

    #[test]
    fn a_folder_that_others_can_write_to_is_left_alone() {
        let parent = tempfile::tempdir().expect("a folder");
        let cache = parent.path().join("cache");
        let [lhs, rhs] = traces(parent.path(), b"one");
        assert!(keep_in(&cache, [&lhs, &rhs], 10).expect("a folder"));
        fs::set_permissions(&cache, Permissions::from_mode(0o777)).expect("a mode");
        assert!(open_in(&cache, read).is_err());
        let [lhs, rhs] = traces(parent.path(), b"two");
        assert!(keep_in(&cache, [&lhs, &rhs], 10).is_err());
        assert!(lhs.exists(), "nothing was taken away");
    }

    #[test]
    fn ages_are_told_in_words() {
        let about = About { command: "forkpoint compare a.wat".to_string(), ended: 1000 };
        assert_eq!(about.in_words(1180), "the last comparison, 3 minutes ago: forkpoint compare a.wat");
        assert_eq!(about.in_words(0), "the last comparison, 0 seconds ago: forkpoint compare a.wat");
    }
}
