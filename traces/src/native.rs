//! Native code as an engine made it, kept with the trace so that a viewer needs no engine.

use crate::ids::{CodeOffset, FuncIndex};
use serde::{Deserialize, Serialize};

/// The native code of one function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NativeFunction {
    /// Index in the original module.
    pub func: FuncIndex,
    /// Offset of its first byte in the engine's text section.
    pub start: u64,
    /// Its machine code.
    #[serde(with = "crate::wire::bytes")]
    pub code: Vec<u8>,
    /// Which instruction of the original module each stretch of code belongs to, in ascending order.
    pub points: Vec<NativePoint>,
}

/// From `offset` to the next point, native code belongs to `site`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NativePoint {
    /// Offset in the function's code, in bytes.
    pub offset: u32,
    /// Instruction of the original module, `None` for code without one (prologue, epilogue).
    pub site: Option<CodeOffset>,
    /// Whether the recorder added this code after that instruction.
    pub recorder: bool,
}
