//! Files that many runs read: each is written once, and a run's folder gets a link to it.

use crate::scratch::Scratch;
use std::borrow::Cow;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// Shorter files are written as fast as they are linked.
const SHORT: usize = 256 << 10;

/// Files that were written, in a folder of their own.
#[derive(Default)]
pub(super) struct SharedFiles(Mutex<Option<Scratch>>);

impl SharedFiles {
    /// Puts the file `name` into a run's folder, with what `bytes` gives, which is the same every time. Who reads it must not
    /// change it.
    pub(super) fn link<'a>(
        &self,
        name: &str,
        bytes: impl FnOnce() -> Cow<'a, [u8]>,
        folder: &Path,
    ) -> io::Result<()> {
        let path = folder.join(name);
        // Held while the file is written, so that nobody links half of it.
        let mut scratch = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let there = scratch.as_ref().map(|scratch| scratch.path().join(name)).filter(|shared| shared.exists());
        let shared = match there {
            Some(shared) => shared,
            None => {
                let bytes = bytes();
                if bytes.len() < SHORT {
                    return fs::write(path, bytes);
                }
                let scratch = match &mut *scratch {
                    Some(scratch) => scratch,
                    none => none.insert(Scratch::new()?),
                };
                let shared = scratch.path().join(name);
                write_whole(&shared, &bytes)?;
                shared
            }
        };
        // Where there are no links, a copy is as good.
        fs::hard_link(&shared, &path).or_else(|_| fs::copy(&shared, &path).map(|_| ()))
    }
}

/// Writes a file, or leaves none.
fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let written = fs::write(path, bytes);
    if written.is_err() {
        let _ = fs::remove_file(path);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_once() {
        let files = SharedFiles::default();
        let bytes = vec![7; SHORT];
        for turn in 0..3 {
            let folder = tempfile::tempdir().expect("a folder");
            let make = || if turn == 0 { Cow::from(bytes.as_slice()) } else { unreachable!("it is there") };
            files.link("module.wasm", make, folder.path()).expect("a link");
            assert_eq!(fs::read(folder.path().join("module.wasm")).expect("the file"), bytes);
        }
    }
}
