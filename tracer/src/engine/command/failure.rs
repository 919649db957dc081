//! Why a command's run is not told to its end.

use std::io;

/// Why a run is not told to its end.
pub(super) enum Failure {
    /// The command cannot be set up as asked.
    Setup(String),
    /// What it did says nothing about the engine.
    Failed(String),
    /// The recorder is gone.
    Gone(io::Error),
    /// The engine died by this signal, and so does this process.
    Crashed(i32),
    /// The recorder wants no more.
    Stopped,
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        match error.kind() {
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => Failure::Gone(error),
            _ => Failure::Failed(error.to_string()),
        }
    }
}
