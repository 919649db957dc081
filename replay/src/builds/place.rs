//! Places in memory that differ between two builds, as a report has them.

use super::functions::FunctionMatch;
use crate::report::EventReport;
use forkpoint_traces::{FuncIndex, Hex, MemoryIndex};
use serde::Serialize;

/// A place in memory that differs between two builds.
#[derive(Debug, Clone, Serialize)]
pub struct BuildPlace {
    /// Index of the memory.
    pub memory: MemoryIndex,
    /// Whether a host call that differs reads these bytes.
    pub read_by_host: bool,
    /// What the left build has there.
    pub lhs: BuildBytes,
    /// What the right one has.
    pub rhs: BuildBytes,
    /// How it is known that one function wrote both, if one did.
    pub same_function: Option<FunctionMatch>,
}

/// Bytes of one build.
#[derive(Debug, Clone, Serialize)]
pub struct BuildBytes {
    /// First byte.
    pub address: u64,
    /// The bytes, in hexadecimal; the first ones of many.
    pub bytes: Hex<Vec<u8>>,
    /// The event that wrote the first of them last; `None` if none did.
    pub writer: Option<EventReport>,
    /// The function of the other build that is the writer's, if it is known, and how it was found.
    pub counterpart: Option<Counterpart>,
}

/// A function of the other build.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Counterpart {
    /// Its index.
    pub function: FuncIndex,
    /// Its name.
    pub name: String,
    /// How it was found.
    pub by: FunctionMatch,
}

/// How many bytes differ, by who wrote them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct DifferingBytes {
    /// Bytes that differ.
    pub all: u64,
    /// How many of them were looked at: all, unless they are very many.
    pub examined: u64,
    /// Of those: written by both builds.
    pub both: u64,
    /// By the left one only.
    pub only_lhs: u64,
    /// By the right one only.
    pub only_rhs: u64,
}

/// What came of following the stores of two builds side by side, from where memory was the same for the last time.
#[derive(Debug, Clone, Serialize)]
pub struct FollowedStores {
    /// Where one function of both first left other bytes.
    pub one_function: Option<Box<BuildPlace>>,
    /// Where different functions did, or only one build wrote, before that: the stack may be used differently.
    pub before: Option<Box<BuildPlace>>,
    /// Whether the builds had too little in common to be followed to the end.
    pub lost: bool,
}
