//! What the user made of traces in the viewer: marks, watches, layout. ViewState for each pair in the user's folder for caches.

use forkpoint_replay::Timeline;
use forkpoint_tracer::{cache_folder, check_private, make_private};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The folder's name.
const NAME: &str = "views";

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
        self.0.as_deref().and_then(|path| read(path).ok()).unwrap_or_default()
    }

    /// Keeps a state, in place of the one before.
    pub fn write(&self, text: &str) -> io::Result<()> {
        let Some(path) = &self.0 else { return Ok(()) };
        let Some(folder) = path.parent() else { return Ok(()) };
        if text.is_empty() {
            return match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            };
        }
        make_private(folder)?;
        remove_oldest(folder)?;
        let new = tempfile::NamedTempFile::new_in(folder)?;
        fs::write(new.path(), text)?;
        new.persist(path).map_err(|error| error.error)?;
        Ok(())
    }
}

fn remove_oldest(folder: &Path) -> io::Result<()> {
    let mut files: Vec<_> = fs::read_dir(folder)?
        .flatten()
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .collect();
    files.sort();
    let over = (files.len() + 1).saturating_sub(MOST);
    files.into_iter().take(over).try_for_each(|(_, path)| fs::remove_file(path))
}
