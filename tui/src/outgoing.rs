//! What leaves the viewer: the screen or the events on it as text, for the clipboard or a file.

use crate::action::Excerpt;
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
    write!(out, "\x1b]52;c;{}\x07", base64(text.as_bytes()))?;
    out.flush()
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for part in bytes.chunks(3) {
        let word = part.iter().fold(0u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - part.len()));
        for digit in 0..4 {
            let six = (word >> (18 - 6 * digit)) as usize & 63;
            text.push(if digit <= part.len() { char::from(DIGITS[six]) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clipboard_gets_base64_in_osc_52() {
        let mut out = Vec::new();
        copy("Ma", &mut out).expect("a vector takes all");
        assert_eq!(out, b"\x1b]52;c;TWE=\x07");
        assert_eq!([base64(b""), base64(b"M"), base64(b"Man"), base64(b"Many")], ["", "TQ==", "TWFu", "TWFueQ=="]);
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
