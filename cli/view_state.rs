//! What the user made of traces in the viewer, kept in the user's folder for caches: marks, watches and layout for each pair, the
//! theme for all of them.

use forkpoint_replay::Timeline;
use forkpoint_tracer::{cache_folder, check_private, make_private};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The folder's name.
const NAME: &str = "views";

/// The file in it that holds for all pairs, and the word with which its line begins.
const FOR_ALL: &str = "theme";

/// Most pairs that are kept.
const MOST: usize = 200;

/// Longer files are not read.
const MOST_BYTES: u64 = 1 << 20;

/// Where the state of a pair is kept, if anything is.
pub struct ViewState(Option<PathBuf>);

impl ViewState {
    /// The place for these traces: by their module and their lengths.
    pub fn of(lhs: &Timeline, rhs: Option<&Timeline>) -> ViewState {
        let part = |timeline: &Timeline| {
            let hash = &timeline.trace().header().module.hash[..16];
            let digits: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{digits}-{}", timeline.len())
        };
        let name = match rhs {
            Some(rhs) => format!("{}-{}", part(lhs), part(rhs)),
            None => part(lhs),
        };
        ViewState(cache_folder().map(|folder| folder.join(NAME).join(name)))
    }

    /// What is kept of them; nothing where it cannot be read.
    pub fn read(&self) -> String {
        let read = |path: &Path| -> io::Result<String> {
            check_private(path.parent().unwrap_or(path))?;
            if fs::metadata(path)?.len() > MOST_BYTES {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            fs::read_to_string(path)
        };
        let Some(path) = self.0.as_deref() else { return String::new() };
        [path.with_file_name(FOR_ALL), path.to_path_buf()].iter().flat_map(|path| read(path).ok()).collect()
    }

    /// Keeps a state, in place of the one before.
    pub fn write(&self, text: &str) -> io::Result<()> {
        let Some(path) = &self.0 else { return Ok(()) };
        let Some(folder) = path.parent() else { return Ok(()) };
        let (for_all, own): (Vec<&str>, Vec<&str>) =
            text.split_inclusive('\n').partition(|line| line.split_whitespace().next() == Some(FOR_ALL));
        if !for_all.is_empty() {
            make_private(folder)?;
            replace(&folder.join(FOR_ALL), &for_all.concat())?;
        }
        if own.is_empty() {
            return match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            };
        }
        make_private(folder)?;
        remove_oldest(folder)?;
        replace(path, &own.concat())
    }
}

fn replace(path: &Path, text: &str) -> io::Result<()> {
    let new = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(path))?;
    fs::write(new.path(), text)?;
    new.persist(path).map_err(|error| error.error)?;
    Ok(())
}

fn remove_oldest(folder: &Path) -> io::Result<()> {
    let mut files: Vec<_> = fs::read_dir(folder)?
        .flatten()
        .filter(|entry| entry.file_name() != FOR_ALL)
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .collect();
    files.sort();
    let over = (files.len() + 1).saturating_sub(MOST);
    files.into_iter().take(over).try_for_each(|(_, path)| fs::remove_file(path))
}
