//! Compiled code, kept from one run to the next: compiling a large module takes longer than running it.
//!
//! An entry is found by a hash of everything that decides what code comes out: the module, the engine's version and all its
//! settings. It holds its own checksum, and one that is cut or damaged is as good as none. Loading native code is running it, so
//! the folder and its files must be this user's and closed to all others; a folder that is not is left alone.

use crate::cache_folder::{cache_folder, check_private, is_ours, make_private};
use rustix::fs::{Mode, OFlags};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The form of entries. Another one begins a new set of them.
const FORM: &[u8] = b"forkpoint compiled code 1";

/// Shorter modules compile in no time, and a sweep has thousands of them.
const SHORT: usize = 128 << 10;

/// Most bytes that the entries may have together.
const MOST: u64 = 2 << 30;

/// Length of a checksum.
const SUM: usize = blake3::OUT_LEN;

/// How names of entries end.
const SUFFIX: &str = ".code";

/// A folder with compiled code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeCache {
    folder: PathBuf,
    most: u64,
}

/// What decides which code comes out.
pub(crate) struct Key(String);

impl Key {
    /// The key for a module under settings, of which each part is a text of its own. `None` for modules that are not worth it.
    pub(crate) fn new(module: &[u8], settings: &[&str]) -> Option<Key> {
        if module.len() < SHORT {
            return None;
        }
        let mut hash = blake3::Hasher::new();
        for part in [FORM].into_iter().chain(settings.iter().map(|text| text.as_bytes())).chain([module]) {
            hash.update(&(part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        Some(Key(format!("{}{SUFFIX}", hash.finalize().to_hex())))
    }
}

impl CodeCache {
    /// The cache in a folder, which is made when it is first needed.
    pub fn in_folder(folder: PathBuf) -> CodeCache {
        CodeCache { folder, most: MOST }
    }

    /// The same with room for this many bytes.
    #[must_use]
    pub fn with_room(self, most: u64) -> CodeCache {
        CodeCache { most, ..self }
    }

    /// The cache in the folder that the environment asks for, if there is one.
    pub fn of_environment() -> Option<CodeCache> {
        Some(CodeCache::in_folder(cache_folder()?))
    }

    /// The code that was kept, if there is any and it is as it was written.
    pub(crate) fn get(&self, key: &Key) -> Option<Vec<u8>> {
        check_private(&self.folder).ok()?;
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(rustix::fs::open(self.folder.join(&key.0), flags, Mode::empty()).ok()?);
        let metadata = file.metadata().ok().filter(|metadata| metadata.is_file() && is_ours(metadata))?;
        let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).ok()?);
        file.read_to_end(&mut bytes).ok()?;
        let (sum, code) = bytes.split_first_chunk::<SUM>()?;
        if blake3::hash(code).as_bytes() != sum {
            return None;
        }
        // The least recently used entries go first.
        let _ = file.set_modified(SystemTime::now());
        bytes.drain(..SUM);
        Some(bytes)
    }

    /// Keeps code. If that fails, it is compiled again another time.
    pub(crate) fn put(&self, key: &Key, code: &[u8]) {
        let _ = self.try_put(key, code);
    }

    fn try_put(&self, key: &Key, code: &[u8]) -> io::Result<()> {
        if code.len() as u64 > self.most {
            return Ok(());
        }
        make_private(&self.folder)?;
        // Only its owner may read or write it. It gets its name when it is whole, whoever else writes the same.
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        file.write_all(blake3::hash(code).as_bytes())?;
        file.write_all(code)?;
        file.persist(self.folder.join(&key.0)).map_err(|error| error.error)?;
        self.make_room()
    }

    /// Removes the entries that were not used for longest, until the rest fits; and what a killed process left.
    fn make_room(&self) -> io::Result<()> {
        let mut entries: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
        for entry in fs::read_dir(&self.folder)?.flatten() {
            let Ok(metadata) = entry.metadata() else { continue };
            let used = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            if is_entry(&entry.path()) {
                entries.push((used, metadata.len(), entry.path()));
            } else if used.elapsed().is_ok_and(|age| age.as_secs() > 3600) && metadata.is_file() {
                let _ = fs::remove_file(entry.path());
            }
        }
        entries.sort();
        let mut all: u64 = entries.iter().map(|(_, length, _)| length).sum();
        for (_, length, path) in entries {
            if all <= self.most {
                break;
            }
            fs::remove_file(path)?;
            all -= length;
        }
        Ok(())
    }
}

fn is_entry(path: &Path) -> bool {
    path.to_string_lossy().ends_with(SUFFIX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    fn module(byte: u8) -> Vec<u8> {
        vec![byte; SHORT]
    }

    fn key(byte: u8) -> Key {
        Key::new(&module(byte), &["setting"]).expect("a long module")
    }

    fn cache() -> (tempfile::TempDir, CodeCache) {
        let parent = tempfile::tempdir().expect("a folder");
        let cache = CodeCache::in_folder(parent.path().join("new/cache"));
        (parent, cache)
    }

    #[test]
    fn what_is_kept_is_found_by_all_that_decides_it() {
        let (_parent, cache) = cache();
        assert_eq!(cache.get(&key(1)), None);
        cache.put(&key(1), b"code");
        assert_eq!(cache.get(&key(1)).as_deref(), Some(b"code".as_slice()));
        assert_eq!(cache.get(&key(2)), None, "another module");
        let settings: [&[&str]; 4] = [&["other"], &["setting", ""], &[], &["set", "ting"]];
        for settings in settings {
            let other = Key::new(&module(1), settings).expect("a long module");
            assert_eq!(cache.get(&other), None, "{settings:?}");
        }
        assert!(Key::new(&[0; 100], &["setting"]).is_none(), "a short module");
    }

    #[test]
    fn a_damaged_entry_is_none() {
        let (_parent, cache) = cache();
        cache.put(&key(1), b"code");
        let path = cache.folder.join(&key(1).0);
        let whole = fs::read(&path).expect("the entry");
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            fs::write(&path, &damaged).expect("the entry");
            assert_eq!(cache.get(&key(1)), None, "byte {at}");
            fs::write(&path, &whole[..at]).expect("the entry");
            assert_eq!(cache.get(&key(1)), None, "cut at {at}");
        }
        cache.put(&key(1), b"code");
        assert!(cache.get(&key(1)).is_some(), "it was replaced");
    }

    #[test]
    fn what_others_can_write_to_is_left_alone() {
        let (_parent, cache) = cache();
        cache.put(&key(1), b"code");
        let path = cache.folder.join(&key(1).0);
        let set = |path: &Path, mode: u32| fs::set_permissions(path, Permissions::from_mode(mode)).expect("a mode");
        set(&path, 0o620);
        assert_eq!(cache.get(&key(1)), None, "a file that a group can write");
        set(&path, 0o600);
        set(&cache.folder, 0o777);
        assert_eq!(cache.get(&key(1)), None, "a folder that all can write");
        cache.put(&key(2), b"code");
        assert!(!cache.folder.join(&key(2).0).exists());
        set(&cache.folder, 0o700);
        assert!(cache.get(&key(1)).is_some());
        let link = cache.folder.join(&key(3).0);
        std::os::unix::fs::symlink(&path, &link).expect("a link");
        assert_eq!(cache.get(&key(3)), None, "a link");
    }

    #[test]
    fn the_entries_that_were_not_used_for_longest_go_first() {
        let (_parent, cache) = cache();
        let cache = cache.with_room(3 * (SUM as u64 + 100));
        let old = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1000);
        for byte in 1..=3 {
            cache.put(&key(byte), &[byte; 100]);
            let file = File::open(cache.folder.join(&key(byte).0)).expect("the entry");
            file.set_modified(old + std::time::Duration::from_secs(byte.into())).expect("a time");
        }
        assert!(cache.get(&key(1)).is_some(), "used again");
        cache.put(&key(4), &[4; 100]);
        let left: Vec<bool> = (1..=4).map(|byte| cache.get(&key(byte)).is_some()).collect();
        assert_eq!(left, [true, false, true, true]);
        cache.put(&key(5), &[5; 1000]);
        assert!(cache.get(&key(5)).is_none(), "more than there is room for");
    }
}
