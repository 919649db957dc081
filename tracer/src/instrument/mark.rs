//! Marks: places in the code, and why they are named.

use forkpoint_traces::{CodeOffset, FuncIndex, MemoryIndex, ValueType};

/// A place that the code names, by its number: its index in [`Instrumented::marks`](super::Instrumented::marks) plus 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// The function, by its original index.
    pub func: FuncIndex,
    /// The instruction; `None` for the function's beginning or end.
    pub offset: Option<CodeOffset>,
    /// Why it is named.
    pub what: Marked,
}

/// The purpose of a mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marked {
    /// The run has come here.
    Place,
    /// The instruction has made a NaN of this type.
    Nan(Float),
    /// The function begins.
    Enter,
    /// One of its arguments, by number; `None` as type for a reference, of which only null or not is known.
    Argument(u32, Option<ValueType>),
    /// One of its results, by number.
    Result(u32, Option<ValueType>),
    /// The local with its frame base has a new value.
    FrameBase,
    /// It ends.
    Leave,
    /// The instruction has loaded: its address without the static offset, and what it read.
    Load {
        /// The memory.
        memory: MemoryIndex,
        /// The static offset.
        static_offset: u64,
        /// Bytes that it reads.
        width: u8,
    },
    /// It may be back from an exception in a function that it called.
    Back,
}

/// A type of floats: scalars, and vectors of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Float {
    /// `f32`.
    F32,
    /// `f64`.
    F64,
    /// Four lanes of `f32`.
    F32x4,
    /// Two lanes of `f64`.
    F64x2,
}
