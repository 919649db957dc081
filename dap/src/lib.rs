//! Two traces in lockstep in an editor, by the [Debug Adapter Protocol]: `forkpoint dap` as a library.
//!
//! The two runs are two threads that step together, forwards and backwards, over the same rows as in the terminal's view. Nothing
//! runs, unless the user wants callers: what an editor calls a stop is a position of the traces, and memory is what it was before the
//! event there.
//!
//! Constraints: what a trace says reaches the editor without control characters; a file is named only if it lies in a folder that
//! the user allows; a long search can be paused; an answer takes bounded memory, whatever is asked for.
//!
//! To get started: [`serve`]. Inside, `protocol.rs` frames messages, `adapter.rs` takes requests, `place.rs` is where both traces are,
//! `travel.rs` moves there, `frames.rs`, `callers.rs`, `variables.rs` and `memory.rs` show it.
//!
//! [Debug Adapter Protocol]: https://microsoft.github.io/debug-adapter-protocol/

// Only the command prints, in one place.
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))]

mod adapter;
mod breakpoints;
mod callers;
mod code;
mod evaluate;
mod frames;
mod memory;
mod place;
mod protocol;
mod sources;
mod travel;
mod variables;

pub use adapter::serve;
use forkpoint_replay::{CallSource, Timeline};
use serde::Deserialize;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// What the editor's launch configuration asks for.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Launch {
    /// The left trace, or the only one; a pack has both.
    pub lhs: Option<PathBuf>,
    /// The right trace.
    pub rhs: Option<PathBuf>,
    /// The position to start at; without it the first divergence, or else the beginning.
    pub at: Option<u64>,
    /// Folders whose files the editor may be sent to.
    #[serde(default)]
    pub source: Vec<PathBuf>,
    /// Whether recordings are run again to tell which functions were active.
    #[serde(default)]
    pub calls: bool,
}

/// A trace to look at.
pub struct DapTrace {
    /// Its name in the editor.
    pub name: String,
    /// The trace.
    pub timeline: Timeline,
    /// Who tells of calls, which a trace does not hold.
    pub calls: Option<Arc<dyn CallSource>>,
}

/// One trace, or two.
pub type Traces = (DapTrace, Option<DapTrace>);

/// Why the adapter ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DapError {
    /// The editor is gone, or cannot be read.
    #[error("talking to the editor: {0}")]
    Io(#[from] io::Error),
    /// What came is no message of the protocol.
    #[error("the editor sent no message of the Debug Adapter Protocol: {0}")]
    Protocol(String),
}
