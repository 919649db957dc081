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
pub(super) struct LastWords(Receiver<VecDeque<u8>>);

impl LastWords {
    /// Listens to `stderr`; what it says goes on to `shown`, where that is given: as it is where it is a guest's own
    /// output (`raw`), and otherwise so that nothing of it acts on a terminal.
    pub(super) fn listen(mut stderr: ChildStderr, mut shown: Option<File>, raw: bool) -> LastWords {
        let (sender, words) = channel();
        std::thread::spawn(move || {
            let mut kept = VecDeque::new();
            let mut piece = [0; 16 << 10];
            while let Ok(read @ 1..) = stderr.read(&mut piece) {
                let said = &piece[..read];
                // Who cannot be shown more, by a closed pipe for one, is not written to again.
                let written = |shown: &mut File| match raw {
                    true => shown.write_all(said),
                    false => shown.write_all(printable_output(said).as_bytes()),
                };
                if shown.as_mut().is_some_and(|shown| written(shown).is_err()) {
                    shown = None;
                }
                kept.extend(said);
                kept.drain(..kept.len().saturating_sub(KEPT));
            }
            // Nobody may want to know.
            let _ = sender.send(kept);
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
    use super::quoted;

    #[test]
    fn the_last_lines_are_quoted_as_far_as_they_fit() {
        assert_eq!(quoted(""), "");
        assert_eq!(quoted("one\n\n  two\n"), "one / two");
        let long = format!("{}\nend", "x".repeat(2000));
        assert_eq!(quoted(&long), "end");
        let many: String = (0..100).map(|line| format!("{line}\n")).collect();
        assert!(quoted(&many).starts_with("88 / 89") && quoted(&many).ends_with(" / 99"));
    }
}
