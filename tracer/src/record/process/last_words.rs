//! What an engine's process wrote to its standard error last: a panic's message, a runner's exception, an allocator's
//! complaint. Of a process that died it is often the only reason there is.

use forkpoint_traces::printable_output;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{Read, Write};
use std::process::ChildStderr;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// Bytes that are kept.
const KEPT: usize = 4 << 10;

/// Most bytes and lines of it in an error.
const QUOTED: usize = 1 << 10;
const QUOTED_LINES: usize = 12;

/// How long to wait for the end of what was written, when the process is gone.
const PATIENCE: Duration = Duration::from_millis(200);

/// Reads everything, so that the process never waits for us, and keeps the last of it.
#[derive(Debug)]
pub(super) struct LastWords(Receiver<VecDeque<u8>>);

impl LastWords {
    /// Listens to `stderr`; what it says goes on to `shown`, where that is given: as it is where it is a guest's own
    /// output (`raw`), and otherwise so that nothing of it acts on a terminal.
    pub(super) fn listen(mut stderr: ChildStderr, mut shown: Option<File>, raw: bool) -> LastWords {
        let (sender, words) = channel();
        std::thread::spawn(move || {
            let mut kept = Kept::default();
            let mut piece = [0; 16 << 10];
            while let Ok(read @ 1..) = stderr.read(&mut piece) {
                let said = &piece[..read];
                // Where a write fails, on a closed pipe for example, none is tried again.
                let written = |shown: &mut File| match raw {
                    true => shown.write_all(said),
                    false => shown.write_all(printable_output(said).as_bytes()),
                };
                if shown.as_mut().is_some_and(|shown| written(shown).is_err()) {
                    shown = None;
                }
                kept.take(said);
            }
            // The receiver may be gone.
            let _ = sender.send(kept.end());
        });
        LastWords(words)
    }

    /// All that was kept, unescaped.
    pub(super) fn text(self) -> String {
        // A program that it has started may hold the other end for longer.
        let kept = Vec::from(self.0.recv_timeout(PATIENCE).unwrap_or_default());
        let whole = kept.len() < KEPT;
        // What is left of a character that was cut is none.
        let start =
            if whole { 0 } else { kept.iter().take(3).take_while(|byte| (0x80..0xc0).contains(*byte)).count() };
        String::from_utf8_lossy(&kept[start..]).trim_end().to_string()
    }
}

/// The end of what was said, without the frames of backtraces: the words above them say what happened, and would not fit.
#[derive(Default)]
struct Kept {
    bytes: VecDeque<u8>,
    /// The line that has not ended yet, or the end of it.
    line: Vec<u8>,
    /// Whether the lines before are a backtrace's.
    in_backtrace: bool,
}

impl Kept {
    fn take(&mut self, said: &[u8]) {
        for piece in said.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend(piece);
            if piece.ends_with(b"\n") {
                self.end_line();
            }
            self.line.drain(..self.line.len().saturating_sub(KEPT));
        }
    }

    fn end_line(&mut self) {
        let text = self.line.trim_ascii();
        self.in_backtrace = text == b"stack backtrace:" || self.in_backtrace && is_frame(text);
        if !self.in_backtrace {
            self.bytes.extend(&self.line);
            self.bytes.drain(..self.bytes.len().saturating_sub(KEPT));
        }
        self.line.clear();
    }

    fn end(mut self) -> VecDeque<u8> {
        self.end_line();
        self.bytes
    }
}

/// Whether a line of a backtrace is a frame, `12: name`, or where it is, `at file:line`.
fn is_frame(line: &[u8]) -> bool {
    let digits = line.iter().take_while(|byte| byte.is_ascii_digit()).count();
    line.starts_with(b"at ") || digits > 0 && line[digits..].starts_with(b": ")
}

/// The last lines of `text` as one.
pub(super) fn quoted(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let mut room = QUOTED;
    let fits = lines.iter().rev().take(QUOTED_LINES).take_while(|line| {
        let fits = line.len() <= room;
        room = room.saturating_sub(line.len());
        fits
    });
    let count = fits.count();
    lines[lines.len() - count..].join(" / ")
}

#[cfg(test)]
mod tests {
    use super::{KEPT, Kept, quoted};

    #[test]
    fn the_last_lines_are_quoted_as_far_as_they_fit() {
        assert_eq!(quoted(""), "");
        assert_eq!(quoted("one\n\n  two\n"), "one / two");
        let long = format!("{}\nend", "x".repeat(2000));
        assert_eq!(quoted(&long), "end");
        let many: String = (0..100).map(|line| format!("{line}\n")).collect();
        assert!(quoted(&many).starts_with("88 / 89") && quoted(&many).ends_with(" / 99"));
    }

    #[test]
    fn frames_of_a_backtrace_do_not_push_out_the_words_above_them() {
        let frames: String =
            (0..500).map(|frame| format!("  {frame}: core::panicking\n      at core/src.rs:7\n")).collect();
        let said =
            format!("1: no frame\nthread 'main' panicked at x.rs:1:2\nstack backtrace:\n{frames}aborting. 2: end");
        for piece in [1, 7, 16 << 10] {
            let mut kept = Kept::default();
            said.as_bytes().chunks(piece).for_each(|said| kept.take(said));
            let text = String::from_utf8(kept.end().into()).expect("text");
            assert_eq!(text, "1: no frame\nthread 'main' panicked at x.rs:1:2\naborting. 2: end");
        }
        let mut kept = Kept::default();
        kept.take("x".repeat(3 * KEPT).as_bytes());
        assert!(kept.line.len() == KEPT && kept.end().len() == KEPT);
    }
}
