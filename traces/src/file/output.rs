//! The file of a trace while it is written: it has a temporary name, and gets the requested one when it is whole.
//!
//! So whoever opens the requested name finds what was there before or the new trace, never a part of it. The file is
//! created with `O_EXCL` in the same folder: a link that somebody put at its name is not followed. A killed recorder
//! leaves the file there, and [`unfinished`] finds it. Devices and FIFOs are written directly.

use crate::error::TraceError;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// Suffix of an unfinished recording's name.
const ENDING: &str = ".partial";

/// Most bytes of the requested name that the temporary one begins with: file systems allow 255 in all.
const MAX_STEM: usize = 200;

/// Most temporary names that are tried.
const ATTEMPTS: usize = 1000;

/// Where a trace goes. Dropped without [`Output::publish`], an incomplete trace takes its name if nothing was there.
pub(super) struct Output {
    /// `None` for a file that is written directly, and once everything is done.
    naming: Option<Naming>,
    is_direct: bool,
}

struct Naming {
    /// The temporary name.
    partial: PathBuf,
    /// The requested name, links followed.
    target: PathBuf,
    /// The file that had this name when the recording began.
    before: Option<Identity>,
}

/// Identifies a file in its present state.
#[derive(PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
}

impl Identity {
    fn of(file: &Metadata) -> Identity {
        Identity {
            device: file.dev(),
            inode: file.ino(),
            length: file.len(),
            modified: (file.mtime(), file.mtime_nsec()),
        }
    }
}

/// A recording that did not finish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfinished {
    /// Its file: an incomplete trace.
    pub path: PathBuf,
    /// The process that wrote it.
    pub process: u32,
}

impl Output {
    /// Creates the file.
    pub(super) fn create(path: &Path) -> io::Result<(File, Output)> {
        let before = match fs::metadata(path) {
            Ok(file) if file.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
            Ok(file) if !file.is_file() => {
                let file = OpenOptions::new().write(true).open(path)?;
                return Ok((file, Output { naming: None, is_direct: true }));
            }
            Ok(file) => Some(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let target = match &before {
            // A link stays; the file that it leads to is replaced.
            Some(_) => fs::canonicalize(path)?,
            None if path.is_symlink() => {
                return Err(io::Error::new(
                    io::ErrorKind::NotFound,
                    "it is a symbolic link to a file that is not there: name that file",
                ));
            }
            None => path.to_path_buf(),
        };
        if before.is_some() {
            // A writable folder does not make the read-only files in it replaceable.
            OpenOptions::new().write(true).open(&target)?;
        }
        let (file, partial) = make(&target)?;
        if let Some(before) = &before {
            file.set_permissions(before.permissions())?;
        }
        let before = before.as_ref().map(Identity::of);
        Ok((file, Output { naming: Some(Naming { partial, target, before }), is_direct: false }))
    }

    /// Whether this is a device or a FIFO, which cannot be synced.
    pub(super) fn is_direct(&self) -> bool {
        self.is_direct
    }

    /// Removes the file: nothing in it is worth keeping.
    pub(super) fn discard(mut self) {
        if let Some(naming) = self.naming.take() {
            let _ = fs::remove_file(naming.partial);
        }
    }

    /// Gives the file the requested name.
    ///
    /// # Errors
    /// When another writer was faster: its file stays, and so does this one under its temporary name.
    pub(super) fn publish(&mut self) -> Result<(), TraceError> {
        let Some(naming) = self.naming.take() else { return Ok(()) };
        match naming.publish() {
            Ok(true) => Ok(()),
            Ok(false) => Err(TraceError::Taken { target: naming.target, kept: naming.partial }),
            Err(error) => Err(TraceError::io(format!(
                "naming the trace {} as {}",
                naming.partial.display(),
                naming.target.display()
            ))(error)),
        }
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if let Some(Naming { partial, target, before: None }) = &self.naming {
            let _ = rename_to_free(partial, target);
        }
    }
}

impl Naming {
    /// Whether the file with that name is still the one of when the recording began.
    fn publish(&self) -> io::Result<bool> {
        let Some(before) = &self.before else { return rename_to_free(&self.partial, &self.target) };
        match renameat_with(CWD, &self.partial, CWD, &self.target, RenameFlags::EXCHANGE) {
            Ok(()) => {
                if fs::symlink_metadata(&self.partial).is_ok_and(|file| Identity::of(&file) == *before) {
                    fs::remove_file(&self.partial)?;
                    return Ok(true);
                }
                renameat_with(CWD, &self.partial, CWD, &self.target, RenameFlags::EXCHANGE)?;
                Ok(false)
            }
            // Removed in the meantime.
            Err(rustix::io::Errno::NOENT) => rename_to_free(&self.partial, &self.target),
            // Not every file system can exchange names.
            Err(_) => {
                let is_same = fs::symlink_metadata(&self.target).is_ok_and(|file| Identity::of(&file) == *before);
                if is_same {
                    fs::rename(&self.partial, &self.target)?;
                }
                Ok(is_same)
            }
        }
    }
}

/// Renames if nothing has the new name; otherwise returns false.
fn rename_to_free(from: &Path, to: &Path) -> io::Result<bool> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::EXIST) => Ok(false),
        // Not every file system can guarantee it.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
            if fs::symlink_metadata(to).is_ok() {
                return Ok(false);
            }
            fs::rename(from, to)?;
            Ok(true)
        }
        Err(error) => Err(error.into()),
    }
}

/// Creates a file beside the requested one, under an unused name.
fn make(target: &Path) -> io::Result<(File, PathBuf)> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let Some(name) = target.file_name() else { return Err(io::ErrorKind::InvalidInput.into()) };
    let mut last = io::Error::from(io::ErrorKind::AlreadyExists);
    for _ in 0..ATTEMPTS {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let mut partial = stem(name);
        partial.push(format!(".{}-{number}{ENDING}", std::process::id()));
        let partial = target.with_file_name(partial);
        match OpenOptions::new().write(true).create_new(true).open(&partial) {
            Ok(file) => return Ok((file, partial)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

fn stem(name: &OsStr) -> OsString {
    let bytes = name.as_bytes();
    OsString::from_vec(bytes[..bytes.len().min(MAX_STEM)].to_vec())
}

/// The recordings to `path` that did not finish, or have not yet: `NAME.PROCESS-NUMBER.partial` beside it.
pub fn unfinished(path: &Path) -> Vec<Unfinished> {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let Some(name) = path.file_name() else { return Vec::new() };
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let begin = stem(name);
    let process = |entry: &OsStr| {
        let rest = entry.as_bytes().strip_prefix(begin.as_bytes())?.strip_prefix(b".")?;
        let rest = std::str::from_utf8(rest.strip_suffix(ENDING.as_bytes())?).ok()?;
        let (process, number) = rest.split_once('-')?;
        number.parse::<u32>().ok()?;
        process.parse::<u32>().ok()
    };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let found = entries.filter_map(|entry| {
        let entry = entry.file_name();
        Some(Unfinished { process: process(&entry)?, path: path.with_file_name(&entry) })
    });
    let mut found: Vec<Unfinished> = found.collect();
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}
