//! Errors of replay.

use forkpoint_traces::{CorruptEvent, Position, TraceError};

/// Why a trace could not be replayed or two could not be compared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The trace cannot be read.
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// An event contradicts earlier ones.
    #[error("event {position}: {source}")]
    Event {
        /// Which event.
        position: Position,
        /// What is wrong with it.
        source: CorruptEvent,
    },
    /// The traces are of different modules.
    #[error(
        "the two traces are of different modules (BLAKE3 {lhs} and {rhs}), so their events cannot be compared: \
         record the same module on both sides"
    )]
    DifferentModules {
        /// Hash of the left module.
        lhs: String,
        /// Hash of the right module.
        rhs: String,
    },
    /// The traces number their sites differently.
    #[error(
        "the two traces number their sites differently ({lhs} and {rhs} sites): they were recorded by different \
         versions of forkpoint; record both with one"
    )]
    DifferentSites {
        /// Sites on the left.
        lhs: usize,
        /// Sites on the right.
        rhs: usize,
    },
    /// A search was given up because the user asked for it.
    #[error("the search was stopped")]
    Cancelled,
}
