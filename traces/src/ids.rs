//! Newtypes: no bare integer crosses a crate border.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A point in a run: the index of an event, counted from 0. Totally ordered; shown as `#1234`.
///
/// As a moment in time, position `n` is the state *before* event `n`; the state after the last event is the
/// position one past it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Position(pub u64);

impl Position {
    /// The position one event later.
    #[inline]
    pub fn next(self) -> Position {
        Position(self.0.saturating_add(1))
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// Index of a function in the **original** module, imports first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FuncIndex(pub u32);

/// Byte offset in the **original** module, from the start of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CodeOffset(pub u32);

impl fmt::Display for CodeOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

/// Index of a linear memory in the original module, imports first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct MemoryIndex(pub u32);

/// Index of a global in the original module, imports first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct GlobalIndex(pub u32);

/// Index of a table in the original module, imports first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TableIndex(pub u32);

/// Index of a data segment in the original module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DataIndex(pub u32);

/// Number of a site in a trace's [`SiteTable`](crate::SiteTable), equal on both sides of a comparison
/// because both run the same rewritten module.
///
/// The numbers below [`SiteId::FIRST`] are not instructions but what the recorder itself adds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SiteId(pub u32);

impl SiteId {
    /// A run milestone: the event's bytes are an encoded [`Milestone`](crate::Milestone).
    pub const MILESTONE: SiteId = SiteId(0);
    /// A step of a host call: the event's bytes are an encoded [`HostEvent`](crate::HostEvent).
    pub const HOST: SiteId = SiteId(1);
    /// Bytes found in memory between instantiation and start that the module does not declare: operands
    /// are memory and address.
    pub const STRAY_BYTES: SiteId = SiteId(2);
    /// Bytes that memory was found to hold instead of what the events before say: operands are memory,
    /// address and how they were found (an [`Observation`](crate::Observation) as a number).
    pub const OBSERVED: SiteId = SiteId(3);
    /// The first number given to an instruction; those between are reserved.
    pub const FIRST: SiteId = SiteId(8);

    /// Whether this is an instruction of the module (and not something the recorder adds).
    pub fn is_instruction(self) -> bool {
        self >= SiteId::FIRST
    }
}
