//! What a runner wrote to its standard error last: where it could not even say which engine it is, this is all there is.

use std::io::Read;
use std::process::ChildStderr;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// Bytes that are kept.
const KEPT: usize = 1 << 10;

/// How long to wait for the end of what was written, when the process is gone.
const PATIENCE: Duration = Duration::from_millis(200);

/// Reads everything, so that the process never waits for us, and keeps the last of it.
pub(super) struct LastWords(Receiver<Vec<u8>>);

impl LastWords {
    pub(super) fn listen(mut stderr: ChildStderr) -> LastWords {
        let (sender, words) = channel();
        std::thread::spawn(move || {
            let mut kept = Vec::new();
            let mut piece = [0; 16 << 10];
            while let Ok(read @ 1..) = stderr.read(&mut piece) {
                kept.extend_from_slice(&piece[..read]);
                kept.drain(..kept.len().saturating_sub(KEPT));
            }
            // Nobody may want to know.
            let _ = sender.send(kept);
        });
        LastWords(words)
    }

    /// The last lines as one.
    pub(super) fn words(self) -> String {
        // A program that it has started may hold the other end for longer.
        let kept = self.0.recv_timeout(PATIENCE).unwrap_or_default();
        let text = String::from_utf8_lossy(&kept);
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        lines[lines.len().saturating_sub(3)..].join(" / ")
    }
}
