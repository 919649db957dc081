//! The user's folder for what is kept from one run to the next. Only this user may write to it.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

/// The environment variable that names the folder, or says `off`.
pub const CACHE_VARIABLE: &str = "FORKPOINT_CACHE";

/// The folder that the environment asks for: the one that [`CACHE_VARIABLE`] names, or `forkpoint` in the user's folder for
/// caches. `None` if the variable is `off`, or there is no such folder. It is made when it is first needed.
pub fn cache_folder() -> Option<PathBuf> {
    let named = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let folder = match named(CACHE_VARIABLE) {
        Some(value) if value == "off" => return None,
        Some(value) => PathBuf::from(value),
        None => match named("XDG_CACHE_HOME").map(PathBuf::from).filter(|folder| folder.is_absolute()) {
            Some(folder) => folder.join("forkpoint"),
            None => PathBuf::from(named("HOME")?).join(".cache/forkpoint"),
        },
    };
    std::path::absolute(folder).ok()
}

/// Makes a folder that only this user can enter; one that is there must be this user's alone.
///
/// # Errors
/// When it cannot be made, and as [`check_private`].
pub fn make_private(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    check_private(folder)
}

/// Refuses a folder that others could write to.
///
/// # Errors
/// When it is missing, no folder, another user's, or open to others.
pub fn check_private(folder: &Path) -> io::Result<()> {
    let metadata = fs::symlink_metadata(folder)?;
    match metadata.is_dir() && is_ours(&metadata) {
        true => Ok(()),
        false => Err(io::Error::other("the folder is not this user's alone")),
    }
}

/// Whether a file or folder belongs to this user, and nobody else may write to it.
pub(crate) fn is_ours(metadata: &Metadata) -> bool {
    metadata.uid() == rustix::process::geteuid().as_raw() && metadata.mode() & 0o022 == 0
}
