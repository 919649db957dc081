//! Runs an engine's own command, and keeps what it prints.

use super::parts::OwnCommand;
use crate::engine::{CommandStatus, Go, run_command};
use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The status with which a shell says that there is no such program.
const NO_PROGRAM: i32 = 127;
/// Bytes of what it prints that are kept.
const KEPT: usize = 16 << 10;

/// What an engine's own command did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnRun {
    /// What it printed.
    pub printed: String,
    /// What it wrote to standard error.
    pub complained: String,
    /// Its exit status; `None` if a signal ended it.
    pub status: Option<i32>,
    /// How it ended, in words.
    pub ended: String,
}

/// Runs the command on a module in a file. `None` if its program is not there, or it took longer than it may.
///
/// # Errors
/// When there is no shell.
pub fn run_own_command(
    command: &OwnCommand,
    module: &Path,
    limit: Duration,
    interrupt: &AtomicBool,
) -> io::Result<Option<OwnRun>> {
    let script = format!("module=$1\n{}\n", command.lines);
    let words: Vec<OsString> =
        ["sh", "-c", &script, "sh"].iter().map(OsString::from).chain([module.into()]).collect();
    let mut printed = Vec::new();
    let ended = run_command(&words, Some(limit), &|| interrupt.load(Ordering::Relaxed), &mut |piece| {
        printed.extend_from_slice(&piece[..piece.len().min(KEPT - printed.len())]);
        Ok(Go::On)
    })?;
    let status = match ended.status {
        CommandStatus::Code(NO_PROGRAM) | CommandStatus::Killed | CommandStatus::Late => return Ok(None),
        CommandStatus::Code(code) => Some(code),
        CommandStatus::Signal(_) => None,
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_string();
    let (printed, complained) = (text(&printed), text(&ended.stderr));
    Ok(Some(OwnRun { printed, complained, status, ended: ended.status.to_string() }))
}
