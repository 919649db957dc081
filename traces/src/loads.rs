//! Loads before a position: no part of a trace, but what a rerun tells of one.

use crate::ids::{CodeOffset, FuncIndex, MemoryIndex, Position};

/// A load of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// The function.
    pub func: FuncIndex,
    /// The instruction, in the original module.
    pub offset: CodeOffset,
    /// The memory.
    pub memory: MemoryIndex,
    /// The effective address.
    pub address: u64,
    /// Bytes that it reads.
    pub width: u8,
    /// What it read: the first 8 of these bytes.
    pub value: u64,
    /// The event that comes next.
    pub before: Position,
}

/// The last loads of a run before a position.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Loads {
    /// In the order of the run.
    pub loads: Vec<Load>,
    /// All loads before the position are among them from this event on.
    pub from: Position,
}
