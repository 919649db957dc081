//! Why a pack could not be made or opened.

use crate::error::ReplayError;
use forkpoint_traces::TraceError;
use std::io;

/// Why a pack could not be made or opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackError {
    /// The traces cannot be compared, or are damaged.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The file system reported an error.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: String,
        /// The system's error.
        source: io::Error,
    },
    /// The file is no zip archive, or a damaged one.
    #[error("this is not a whole pack: {0}")]
    Archive(#[from] zip::result::ZipError),
    /// The archive is none that `forkpoint pack` wrote.
    #[error("this archive is no pack: {0}")]
    NotAPack(String),
    /// What an excerpt shows is not what the traces show.
    #[error(
        "a window around the divergence does not show the same as the whole traces ({expected}; in the window {found}): \
         pack them with --whole"
    )]
    Differs {
        /// What the traces show.
        expected: String,
        /// What the excerpts show.
        found: String,
    },
    /// The pack is larger than allowed.
    #[error(
        "the pack takes {size} bytes, and {limit} are allowed (module {module}, left trace {lhs}, right trace {rhs}): \
         allow more with --limit, record a shorter run, or make the module smaller with `forkpoint reduce`"
    )]
    TooLarge {
        /// Its size in bytes.
        size: u64,
        /// Most bytes allowed.
        limit: u64,
        /// Bytes of the module in it.
        module: u64,
        /// Bytes of the left trace.
        lhs: u64,
        /// Bytes of the right trace.
        rhs: u64,
    },
    /// The user asked to stop.
    #[error("packing was stopped")]
    Cancelled,
}

impl PackError {
    pub(super) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> PackError {
        let what = what.into();
        move |source| PackError::Io { what, source }
    }
}

impl From<TraceError> for PackError {
    fn from(error: TraceError) -> PackError {
        PackError::Replay(error.into())
    }
}
