//! Errors of reading and writing trace files.

use crate::ids::Position;
use std::io;
use std::ops::Range;
use std::path::PathBuf;

/// Why a trace could not be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TraceError {
    /// The file system reported an error.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: String,
        /// The system's error.
        source: io::Error,
    },
    /// The trace is whole, but another file took its name while it was written.
    #[error(
        "another process wrote {} while this recording was made: that file stays, and this recording is in {}",
        target.display(),
        kept.display()
    )]
    Taken {
        /// The requested name.
        target: PathBuf,
        /// Where the trace is.
        kept: PathBuf,
    },
    /// The file does not start as a trace does.
    #[error("this is not a forkpoint trace: it starts with {found:02x?}, a trace starts with {expected:02x?}")]
    NotATrace {
        /// The first bytes of every trace.
        expected: Vec<u8>,
        /// The first bytes of this file.
        found: Vec<u8>,
    },
    /// The trace was written without its module.
    #[error("this trace is part of a pack, which has its module: open the pack")]
    NoModule,
    /// Another format version.
    #[error(
        "this trace has format version {found}, this forkpoint reads version {expected}: record it again, or \
         read it with the forkpoint that wrote it"
    )]
    Version {
        /// The version this build reads.
        expected: u32,
        /// The version found.
        found: u32,
    },
    /// The file ends before its header is complete: nothing can be shown.
    #[error("the file ends at byte {at} inside its {what}: nothing was recorded before it was cut off")]
    Truncated {
        /// Where the file ends.
        at: u64,
        /// The part that is incomplete.
        what: &'static str,
    },
    /// The trace leaves out this event.
    #[error(
        "event {asked} is not in this trace, which leaves out the events from {} to {}: `--keep full` records all of them",
        .gap.start, Position(.gap.end.0 - 1)
    )]
    LeftOut {
        /// The event asked for.
        asked: Position,
        /// The events that are left out there.
        gap: Range<Position>,
    },
    /// Something in the file contradicts itself.
    #[error("corrupt trace: {what} (at byte {at:#x} of the file)")]
    Corrupt {
        /// What is wrong: expected and found.
        what: String,
        /// Offset of the block in the file.
        at: u64,
    },
    /// A position past the end.
    #[error("position {asked} is past the end: this trace has {events} events")]
    OutOfRange {
        /// The position asked for.
        asked: Position,
        /// Events in the trace.
        events: u64,
    },
}

impl TraceError {
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> TraceError {
        let what = what.into();
        move |source| TraceError::Io { what, source }
    }

    pub(crate) fn corrupt(at: u64, what: impl Into<String>) -> TraceError {
        TraceError::Corrupt { what: what.into(), at }
    }
}
