//! Private temporary folders: nobody else can look into them, and they disappear with their process.
//!
//! A folder holds a locked file for as long as its process lives, however that ends. The next process recognises the
//! folders of killed ones by their free lock, and removes them.

use std::fs::{self, DirEntry, File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::Once;
use tempfile::TempDir;

/// Prefix of the folders' names.
const PREFIX: &str = "forkpoint-";

/// The file that is locked.
const LOCK: &str = ".lock";

/// Most folders that one process removes: the rest is left for the next.
const MOST: usize = 64;

/// A temporary folder of this process, removed when dropped.
#[derive(Debug)]
pub struct Scratch {
    folder: TempDir,
    /// Held for as long as the folder is used.
    _lock: File,
}

impl Scratch {
    /// Makes a folder that only this user can enter. The first one of a process also removes what dead processes
    /// left.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new() -> io::Result<Scratch> {
        static SWEPT: Once = Once::new();
        SWEPT.call_once(|| sweep(&std::env::temp_dir()));
        Scratch::in_folder(&std::env::temp_dir())
    }

    fn in_folder(parent: &Path) -> io::Result<Scratch> {
        let only_ours = Permissions::from_mode(0o700);
        let folder = tempfile::Builder::new().prefix(PREFIX).permissions(only_ours).tempdir_in(parent)?;
        // It gets its name only when it is locked: a process that cleans up must not take it for a dead one's.
        let (unlocked, locked) = (folder.path().join(".unlocked"), folder.path().join(LOCK));
        let lock = File::create_new(&unlocked)?;
        lock.lock()?;
        fs::rename(&unlocked, &locked)?;
        Ok(Scratch { folder, _lock: lock })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Removes the folders of dead processes. Those that are unreadable or belong to somebody else are kept.
fn sweep(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.flatten().filter(is_left_behind).take(MOST) {
        let _ = fs::remove_dir_all(entry.path());
    }
}

/// Whether a folder is one of ours, and its process is gone.
fn is_left_behind(entry: &DirEntry) -> bool {
    if !entry.file_name().to_string_lossy().starts_with(PREFIX) {
        return false;
    }
    let us = rustix::process::geteuid().as_raw();
    // Opens the entry itself and the lock itself, following no link.
    let is_ours = |file: io::Result<fs::Metadata>, folder: bool| {
        file.is_ok_and(|file| file.uid() == us && if folder { file.is_dir() } else { file.is_file() })
    };
    let lock = entry.path().join(LOCK);
    is_ours(entry.metadata(), true)
        && is_ours(fs::symlink_metadata(&lock), false)
        && File::open(&lock).is_ok_and(|lock| lock.try_lock().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn only_what_a_dead_process_left_is_swept() {
        let parent = tempfile::tempdir().expect("a folder");
        let alive = Scratch::in_folder(parent.path()).expect("a scratch folder");
        assert_eq!(alive.path().metadata().expect("it is there").mode() & 0o777, 0o700);
        let make = |name: &str, lock: bool| {
            let folder = parent.path().join(name);
            fs::create_dir_all(folder.join("inside")).expect("a folder");
            if lock {
                fs::write(folder.join(LOCK), "").expect("a lock");
            }
            folder
        };
        let dead = make("forkpoint-dead", true);
        let foreign = make("other-dead", true);
        let unlocked = make("forkpoint-without-lock", false);
        let linked = parent.path().join("forkpoint-link");
        symlink(&foreign, &linked).expect("a link");
        sweep(parent.path());
        assert!(!dead.exists());
        assert!(alive.path().exists() && foreign.join("inside").exists() && unlocked.exists());
        assert!(linked.is_symlink());
    }
}
