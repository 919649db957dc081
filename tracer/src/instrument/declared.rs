//! The declarations of a module that the recorder needs: memories, mutable globals, data segments.

use super::address::Address;
use forkpoint_traces::{GlobalIndex, MemoryIndex, ValueType};
use std::ops::Range;

/// A linear memory of the original module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryDecl {
    /// Initial size in pages.
    pub minimum: u64,
    /// Largest size in pages.
    pub maximum: Option<u64>,
    /// Bytes in a page.
    pub page_size: u32,
    /// Whether addresses have 64 bits.
    pub memory64: bool,
    /// Whether threads may share it.
    pub shared: bool,
    /// Whether it is imported.
    pub imported: bool,
    /// The name under which the rewritten module exports it.
    pub export: String,
}

/// A mutable global of numeric type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GlobalDecl {
    /// Its index, the same in the original and in the rewritten module.
    pub index: GlobalIndex,
    /// Its type; never a vector.
    pub ty: ValueType,
    /// The name under which the rewritten module exports it.
    pub export: String,
}

/// The purpose of a data segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DataKind {
    /// Copied into memory at instantiation.
    Active {
        /// Memory written.
        memory: MemoryIndex,
        /// First byte written.
        address: Address,
    },
    /// Waits for `memory.init`.
    Passive,
}

/// A data segment of the original module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataSegment {
    /// Its purpose.
    pub kind: DataKind,
    /// Where its bytes are in the original module.
    pub bytes: Range<usize>,
}
