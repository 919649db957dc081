//! Where the bytes of a trace are: in a file of their own, or in a part of another one.

use crate::error::TraceError;
use std::fs::File;
use std::io::{self, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// A file, or a part of one, that is read at any place.
pub struct Source {
    file: File,
    /// Where in the file it begins.
    start: u64,
    length: u64,
}

impl Source {
    /// A file of its own.
    ///
    /// # Errors
    /// When it cannot be opened, or is a device or a folder: what is read once only is no trace.
    pub fn open(path: &Path) -> Result<Source, TraceError> {
        let file = File::open(path).map_err(TraceError::io(format!("opening {}", path.display())))?;
        let metadata = file.metadata().map_err(TraceError::io(format!("reading {}", path.display())))?;
        if !metadata.is_file() {
            return Err(TraceError::Io {
                what: format!("opening {}", path.display()),
                source: io::Error::other("this is not a regular file"),
            });
        }
        Ok(Source { file, start: 0, length: metadata.len() })
    }

    /// A part of a file. What lies past the file's end cannot be read.
    pub fn part(file: File, range: Range<u64>) -> Source {
        Source { file, start: range.start, length: range.end.saturating_sub(range.start) }
    }

    /// Length in bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// A part of this, from byte `range.start` on.
    ///
    /// # Errors
    /// When the file cannot be opened a second time.
    pub fn slice(&self, range: Range<u64>) -> Result<Source, TraceError> {
        let end = range.end.min(self.length);
        let mut part = self.try_clone()?;
        part.start = self.start.saturating_add(range.start);
        part.length = end.saturating_sub(range.start);
        Ok(part)
    }

    /// Copies all its bytes.
    ///
    /// # Errors
    /// When one of the two files cannot be read or written.
    pub fn copy_to(&self, out: &mut impl Write) -> io::Result<()> {
        let mut buffer = vec![0; 1 << 20];
        let mut at = 0;
        while at < self.length {
            let length = (self.length - at).min(buffer.len() as u64) as usize;
            self.read_exact_at(&mut buffer[..length], at)?;
            out.write_all(&buffer[..length])?;
            at += length as u64;
        }
        Ok(())
    }

    pub(crate) fn try_clone(&self) -> Result<Source, TraceError> {
        let file = self.file.try_clone().map_err(TraceError::io("opening the file a second time"))?;
        Ok(Source { file, ..*self })
    }

    /// Fills `bytes` with those from byte `at` on.
    pub(crate) fn read_exact_at(&self, bytes: &mut [u8], at: u64) -> io::Result<()> {
        if at.checked_add(bytes.len() as u64).is_none_or(|end| end > self.length) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.file.read_exact_at(bytes, self.start + at)
    }
}
