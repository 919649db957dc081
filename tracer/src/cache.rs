//! Compiled code, kept from one run to the next: compiling a large module takes longer than running it.
//!
//! An entry is found by a hash of everything that decides what code comes out: the module, the one it was made of, the engine's
//! version and all its settings. It ends with its own checksum, and one that is cut or damaged is as good as none. Loading native
//! code is running it, so the folder and its files must be this user's and closed to all others; a folder that is not is left alone.

use crate::cache_folder::{cache_folder, check_private, is_ours, make_private};
use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The form of entries. Another one begins a new set of them.
const FORM: &[u8] = b"forkpoint compiled code 2";

/// Shorter modules compile in no time, and a sweep has thousands of them.
const SHORT: usize = 128 << 10;

/// Most bytes that the entries may have together.
const MOST: u64 = 2 << 30;

/// Length of a checksum.
const SUM: usize = blake3::OUT_LEN;

/// How many bytes are summed at a time.
const PIECE: usize = 256 << 10;

/// How names of entries end.
const SUFFIX: &str = ".code";

/// A folder with compiled code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeCache {
    folder: PathBuf,
    most: u64,
}

/// Where the code of one module is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ModuleCache {
    cache: CodeCache,
    /// Hash of the module to compile, and of the original, which an engine validates before: code that was kept says that it
    /// accepted both.
    module: String,
    original: String,
}

impl ModuleCache {
    /// For a module of this hash and length, made of the one with the hash `original`. `None` for modules that are not worth it.
    pub(crate) fn new(
        cache: &CodeCache,
        length: usize,
        module: impl FnOnce() -> String,
        original: impl FnOnce() -> String,
    ) -> Option<ModuleCache> {
        (length >= SHORT).then(|| ModuleCache { cache: cache.clone(), module: module(), original: original() })
    }

    /// For the modules of a program of several, each of which is [found by itself](ModuleCache::of).
    pub(crate) fn of_several(cache: &CodeCache) -> ModuleCache {
        ModuleCache { cache: cache.clone(), module: String::new(), original: String::new() }
    }

    /// The same for another module, as it is.
    pub(crate) fn of(&self, module: &[u8]) -> Option<ModuleCache> {
        let hash = || blake3::hash(module).to_hex().to_string();
        ModuleCache::new(&self.cache, module.len(), hash, String::new)
    }

    /// The entry for code that an engine makes under settings, of which each part is a text of its own.
    fn path(&self, settings: &[&str]) -> PathBuf {
        let mut hash = blake3::Hasher::new();
        let texts = [self.module.as_str(), &self.original];
        for part in [FORM].into_iter().chain(texts.iter().chain(settings).map(|text| text.as_bytes())) {
            hash.update(&(part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        self.cache.folder.join(format!("{}{SUFFIX}", hash.finalize().to_hex()))
    }

    /// The code that was kept, if there is any and it is as it was written.
    pub(crate) fn get(&self, settings: &[&str]) -> Option<KeptCode> {
        check_private(&self.cache.folder).ok()?;
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(rustix::fs::open(self.path(settings), flags, Mode::empty()).ok()?);
        let metadata = file.metadata().ok().filter(|metadata| metadata.is_file() && is_ours(metadata))?;
        let length = metadata.len().checked_sub(SUM as u64)?;
        let mut hash = blake3::Hasher::new();
        let mut piece = vec![0; PIECE.min(usize::try_from(length).ok()?)];
        let mut left = length;
        while left > 0 {
            let next = piece.len().min(usize::try_from(left).ok()?);
            file.read_exact(&mut piece[..next]).ok()?;
            hash.update(&piece[..next]);
            left -= next as u64;
        }
        let mut sum = [0; SUM];
        file.read_exact(&mut sum).ok()?;
        if *hash.finalize().as_bytes() != sum {
            return None;
        }
        // The least recently used entries go first.
        let _ = file.set_modified(SystemTime::now());
        Some(KeptCode { file, length })
    }

    /// Keeps code. If that fails, it is compiled again another time.
    pub(crate) fn put(&self, settings: &[&str], code: &[u8]) {
        let _ = self.cache.put(&self.path(settings), code);
    }
}

/// Code that was kept, in a file that nobody changes; a checksum follows it there.
pub(crate) struct KeptCode {
    file: File,
    length: u64,
}

impl KeptCode {
    /// The file.
    pub(crate) fn file(&self) -> io::Result<File> {
        self.file.try_clone()
    }

    /// Puts the code, and its checksum, at `path`: the same file by another name where that is possible.
    pub(crate) fn place(&self, path: &Path) -> io::Result<()> {
        let own = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        if rustix::fs::linkat(CWD, own, CWD, path, AtFlags::SYMLINK_FOLLOW).is_ok() {
            return Ok(());
        }
        let mut file = self.file.try_clone()?;
        file.seek(SeekFrom::Start(0))?;
        io::copy(&mut file.take(self.length), &mut File::create(path)?).map(|_| ())
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

    fn put(&self, path: &Path, code: &[u8]) -> io::Result<()> {
        if code.len() as u64 > self.most {
            return Ok(());
        }
        make_private(&self.folder)?;
        // Only its owner may read or write it. It gets its name when it is whole, whoever else writes the same.
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        file.write_all(code)?;
        file.write_all(blake3::hash(code).as_bytes())?;
        file.persist(path).map_err(|error| error.error)?;
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

    /// What is kept of a module of this hash.
    fn code_of(cache: &CodeCache, byte: u8) -> ModuleCache {
        ModuleCache::new(cache, SHORT, || byte.to_string(), || "original".to_string()).expect("a long module")
    }

    fn put(cache: &CodeCache, byte: u8, code: &[u8]) {
        code_of(cache, byte).put(&["setting"], code);
    }

    fn get(of: &ModuleCache, settings: &[&str]) -> Option<Vec<u8>> {
        let kept = of.get(settings)?;
        let mut code = vec![0; usize::try_from(kept.length).expect("a short file")];
        std::os::unix::fs::FileExt::read_exact_at(&kept.file().expect("a file"), &mut code, 0).expect("the code");
        Some(code)
    }

    fn kept(cache: &CodeCache, byte: u8) -> Option<Vec<u8>> {
        get(&code_of(cache, byte), &["setting"])
    }

    fn entry(cache: &CodeCache, byte: u8) -> PathBuf {
        code_of(cache, byte).path(&["setting"])
    }

    fn cache() -> (tempfile::TempDir, CodeCache) {
        let parent = tempfile::tempdir().expect("a folder");
        let cache = CodeCache::in_folder(parent.path().join("new/cache"));
        (parent, cache)
    }

    #[test]
    fn what_is_kept_is_found_by_all_that_decides_it() {
        let (_parent, cache) = cache();
        assert_eq!(kept(&cache, 1), None);
        put(&cache, 1, b"code");
        assert_eq!(kept(&cache, 1).as_deref(), Some(b"code".as_slice()));
        assert_eq!(kept(&cache, 2), None, "another module");
        let settings: [&[&str]; 4] = [&["other"], &["setting", ""], &[], &["set", "ting"]];
        for settings in settings {
            assert_eq!(get(&code_of(&cache, 1), settings), None, "{settings:?}");
        }
        let other = ModuleCache { original: "another".to_string(), ..code_of(&cache, 1) };
        assert_eq!(get(&other, &["setting"]), None, "made of another module");
        let short = ModuleCache::new(&cache, 100, String::new, String::new);
        assert!(short.is_none(), "a short module");
    }

    #[test]
    fn code_is_placed_under_another_name() {
        let (parent, cache) = cache();
        put(&cache, 1, b"code");
        let code = code_of(&cache, 1).get(&["setting"]).expect("the entry");
        let path = parent.path().join("module.cwasm");
        code.place(&path).expect("a link");
        fs::remove_file(entry(&cache, 1)).expect("the entry");
        assert!(fs::read(&path).expect("the code").starts_with(b"code"));
        // One that has no name any more cannot be linked.
        fs::remove_file(&path).expect("the link");
        code.place(&path).expect("a copy");
        assert_eq!(fs::read(&path).expect("the code"), b"code");
    }

    #[test]
    fn a_damaged_entry_is_none() {
        let (_parent, cache) = cache();
        put(&cache, 1, b"code");
        let path = entry(&cache, 1);
        let whole = fs::read(&path).expect("the entry");
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            fs::write(&path, &damaged).expect("the entry");
            assert_eq!(kept(&cache, 1), None, "byte {at}");
            fs::write(&path, &whole[..at]).expect("the entry");
            assert_eq!(kept(&cache, 1), None, "cut at {at}");
        }
        put(&cache, 1, b"code");
        assert!(kept(&cache, 1).is_some(), "it was replaced");
    }

    #[test]
    fn what_others_can_write_to_is_left_alone() {
        let (_parent, cache) = cache();
        put(&cache, 1, b"code");
        let path = entry(&cache, 1);
        let set = |path: &Path, mode: u32| fs::set_permissions(path, Permissions::from_mode(mode)).expect("a mode");
        set(&path, 0o620);
        assert_eq!(kept(&cache, 1), None, "a file that a group can write");
        set(&path, 0o600);
        set(&cache.folder, 0o777);
        assert_eq!(kept(&cache, 1), None, "a folder that all can write");
        put(&cache, 2, b"code");
        assert!(!entry(&cache, 2).exists());
        set(&cache.folder, 0o700);
        assert!(kept(&cache, 1).is_some());
        std::os::unix::fs::symlink(&path, entry(&cache, 3)).expect("a link");
        assert_eq!(kept(&cache, 3), None, "a link");
    }

    #[test]
    fn the_entries_that_were_not_used_for_longest_go_first() {
        let (_parent, cache) = cache();
        let cache = cache.with_room(3 * (SUM as u64 + 100));
        let old = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1000);
        for byte in 1..=3 {
            put(&cache, byte, &[byte; 100]);
            let file = File::open(entry(&cache, byte)).expect("the entry");
            file.set_modified(old + std::time::Duration::from_secs(byte.into())).expect("a time");
        }
        assert!(kept(&cache, 1).is_some(), "used again");
        put(&cache, 4, &[4; 100]);
        let left: Vec<bool> = (1..=4).map(|byte| kept(&cache, byte).is_some()).collect();
        assert_eq!(left, [true, false, true, true]);
        put(&cache, 5, &[5; 1000]);
        assert!(kept(&cache, 5).is_none(), "more than there is room for");
    }
}
