//! Errors of replay.

use forkpoint_traces::{CorruptEvent, Position, TraceError};
use std::ops::Range;

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
    /// Bytes to look for in memory are none, or too many.
    #[error("{length} bytes to look for: expected 1 to {most}")]
    SoughtBytes {
        /// How many there are.
        length: usize,
        /// How many there may be.
        most: usize,
    },
    /// The traces are of different modules.
    #[error(
        "the two traces are of different modules (BLAKE3 {lhs} and {rhs}), so their events cannot be compared one by one: \
         record the same module on both sides, or compare two builds by `forkpoint diff`, `view` or `pack`"
    )]
    DifferentModules {
        /// Hash of the left module.
        lhs: String,
        /// Hash of the right module.
        rhs: String,
    },
    /// Two builds are compared as single modules.
    #[error(
        "the traces are of different programs, and at least one is of several modules: two builds are compared as single modules"
    )]
    BuildOfSeveralModules,
    /// Two builds are compared by everything that they do.
    #[error(
        "the traces are of different modules, and one leaves out the events from {} to {}: two builds are compared by all that \
         they do, so record both with `--keep full`",
        .gap.start, Position(.gap.end.0.saturating_sub(1))
    )]
    BuildLeavesOut {
        /// The events that are left out.
        gap: Range<Position>,
    },
    /// The traces are of different scripts, or of modules that were put together differently.
    #[error(
        "the two traces are of programs with the same modules that do different things with them, so their events cannot be \
         compared: record the same script on both sides"
    )]
    DifferentPrograms,
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
    /// One of the traces leaves out events, and there are no digests of them on both sides.
    #[error(
        "the events from {} to {} cannot be compared: a trace leaves them out, and not both traces have digests of them; \
         record both sides with `--keep full`",
        .gap.start, Position(.gap.end.0.saturating_sub(1))
    )]
    NotComparable {
        /// The events that not both traces have.
        gap: Range<Position>,
    },
    /// The runs part among events that one of the traces leaves out.
    #[error(
        "by their digests, the runs part between {} and {}, but a trace leaves out the events from {} to {}: record both sides \
         with `--keep full`",
        .stretch.start, .stretch.end, .gap.start, Position(.gap.end.0.saturating_sub(1))
    )]
    PartLeftOut {
        /// The first events whose digests differ.
        stretch: Range<Position>,
        /// The events that not both traces have.
        gap: Range<Position>,
    },
    /// A search was given up because the user asked for it.
    #[error("the search was stopped")]
    Cancelled,
}
