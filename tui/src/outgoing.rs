//! What leaves the viewer: the screen or the events on it as text, for the clipboard or a file.

use crate::action::Excerpt;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::PathBuf;

/// What is to be taken from the next frame, and where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outgoing {
    pub(crate) excerpt: Excerpt,
    pub(crate) to: Destination,
}

/// Where an excerpt goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Destination {
    /// The clipboard of the terminal.
    Clipboard,
    /// A new file.
    File(PathBuf),
}

/// Writes a text to a new file: an old one is never overwritten.
pub(crate) fn write_new(path: &PathBuf, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(text.as_bytes())
}

/// Puts a text on the clipboard of the terminal, which must understand the sequence OSC 52.
pub(crate) fn copy(text: &str, out: &mut impl Write) -> io::Result<()> {
    write!(out, "\x1b]52;c;{}\x07", STANDARD.encode(text))?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clipboard_gets_base64_in_osc_52() {
        let mut out = Vec::new();
        copy("Ma", &mut out).expect("a vector takes all");
        assert_eq!(out, b"\x1b]52;c;TWE=\x07");
        assert_eq!(
            [b"".as_slice(), b"M", b"Man", b"Many"].map(|bytes| STANDARD.encode(bytes)),
            ["", "TQ==", "TWFu", "TWFueQ=="]
        );
    }

    #[test]
    fn an_old_file_is_not_overwritten() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("screen.txt");
        write_new(&path, "one").expect("it is new");
        assert_eq!(write_new(&path, "two").expect_err("it is old").kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read_to_string(&path).expect("the file"), "one");
    }
}
