//! Source files, read only from folders that the user allows: a trace comes from a stranger, and so do the paths in its
//! debug information.

use std::collections::HashMap;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Larger files are not read.
const MAX_BYTES: u64 = 8 << 20;

/// Most files that are kept.
const MAX_KEPT: usize = 32;

/// Lines of a file, or why there are none.
type Lines = Result<Arc<[String]>, SourceError>;

/// Why a source file is not shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// No folder is allowed.
    #[error("{path} is not read: allow its folder with --source DIR")]
    NotAllowed {
        /// The path in the debug information.
        path: String,
    },
    /// No allowed folder has it.
    #[error("{path} is in none of the folders given with --source")]
    NotFound {
        /// The path in the debug information.
        path: String,
    },
    /// It cannot be read.
    #[error("{path} cannot be read: {why}")]
    Unreadable {
        /// The path in the debug information.
        path: String,
        /// Why.
        why: String,
    },
}

/// Source files in folders that the user allows.
#[derive(Debug, Default)]
pub struct SourceFiles {
    /// Without links.
    folders: Vec<PathBuf>,
    kept: Mutex<HashMap<String, Lines>>,
}

impl SourceFiles {
    /// Files in these folders, and in folders inside of them.
    ///
    /// ```
    /// use forkpoint_replay::{SourceError, SourceFiles};
    ///
    /// let files = SourceFiles::new(["src".as_ref()])?;
    /// // A compiler's path is found by its end.
    /// assert!(files.read("/build/elsewhere/src/lib.rs").is_ok());
    /// // What lies outside is not read.
    /// assert!(matches!(files.read("/etc/passwd"), Err(SourceError::NotFound { .. })));
    /// assert!(matches!(files.read("../Cargo.toml"), Err(SourceError::NotFound { .. })));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// When a folder does not exist.
    pub fn new<'a>(folders: impl IntoIterator<Item = &'a Path>) -> std::io::Result<SourceFiles> {
        let folders = folders.into_iter().map(fs::canonicalize).collect::<Result<_, _>>()?;
        Ok(SourceFiles { folders, kept: Mutex::default() })
    }

    /// The lines of the file that debug information calls so.
    ///
    /// # Errors
    /// [`SourceError`].
    pub fn read(&self, path: &str) -> Lines {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lines) = kept.get(path) {
            return lines.clone();
        }
        if kept.len() >= MAX_KEPT {
            kept.clear();
        }
        let lines = self.find(path);
        kept.insert(path.to_string(), lines.clone());
        lines
    }

    fn find(&self, path: &str) -> Lines {
        let found = self.locate(path)?;
        read_lines(&found).map_err(|why| SourceError::Unreadable { path: path.to_string(), why })
    }

    /// Where the file is that debug information calls so: the longest end of the path that an allowed folder has.
    ///
    /// # Errors
    /// [`SourceError`].
    pub fn locate(&self, path: &str) -> Result<PathBuf, SourceError> {
        let shown = || path.to_string();
        if self.folders.is_empty() {
            return Err(SourceError::NotAllowed { path: shown() });
        }
        let parts: Vec<&std::ffi::OsStr> = Path::new(path)
            .components()
            .filter_map(|part| if let Component::Normal(part) = part { Some(part) } else { None })
            .collect();
        for skipped in 0..parts.len() {
            let end: PathBuf = parts[skipped..].iter().collect();
            for folder in &self.folders {
                // A link may lead out of the folder.
                let Ok(found) = fs::canonicalize(folder.join(&end)) else { continue };
                if found.starts_with(folder) && found.is_file() {
                    return Ok(found);
                }
            }
        }
        Err(SourceError::NotFound { path: shown() })
    }
}

fn read_lines(path: &Path) -> Result<Arc<[String]>, String> {
    let length = fs::metadata(path).map_err(|error| error.to_string())?.len();
    if length > MAX_BYTES {
        return Err(format!("it has {length} bytes, more than {MAX_BYTES}"));
    }
    let bytes = fs::read(path).map_err(|error| error.to_string())?;
    Ok(String::from_utf8_lossy(&bytes).lines().map(str::to_string).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_in_allowed_folders_are_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let inside = folder.path().join("project");
        fs::create_dir_all(inside.join("src")).expect("folders");
        fs::write(inside.join("src/main.c"), "").expect("a file");
        fs::write(folder.path().join("secret.c"), "").expect("a file");
        std::os::unix::fs::symlink(folder.path().join("secret.c"), inside.join("link.c")).expect("a link");
        let files = SourceFiles::new([inside.as_path()]).expect("a folder");
        let found = |name: &str| files.locate(name).is_ok();
        assert!(found("src/main.c") && found("/build/somewhere/src/main.c") && !found("main.c"));
        assert!(!found("../secret.c") && !found("link.c") && !found("/etc/passwd") && !found("src"));
        let none = SourceFiles::default().locate("src/main.c");
        assert!(matches!(none, Err(SourceError::NotAllowed { .. })));
    }
}
