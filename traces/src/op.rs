//! The one table of memory-changing instructions. The rewriter, the record decoder, the printers and the
//! documentation all derive from it.

use serde::{Deserialize, Serialize};

/// Type of the value operand of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueType {
    /// 32-bit integer.
    I32,
    /// 64-bit integer.
    I64,
    /// 32-bit float.
    F32,
    /// 64-bit float.
    F64,
    /// 128-bit vector.
    V128,
}

/// What an instruction does to memory, and so which operands its events carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// `[address value]`: writes the low `width` bytes of a value of type `ty`.
    Store {
        /// Type of the value on the stack.
        ty: ValueType,
        /// Bytes written: 1, 2, 4, 8 or 16.
        width: u8,
    },
    /// `[address v128]`: writes one lane of `width` bytes.
    Lane {
        /// Bytes written: 1, 2, 4 or 8.
        width: u8,
    },
    /// `[delta] -> [old size or -1]`, in pages.
    Grow,
    /// `[address byte length]`.
    Fill,
    /// `[destination source length]`.
    Copy,
    /// `[destination source length]`, source in a data segment.
    Init,
    /// Drops a data segment: later `memory.init` of it behave differently.
    Drop,
}

impl Shape {
    /// Bytes written for a store of fixed width, `None` for everything else.
    pub fn width(self) -> Option<u8> {
        match self {
            Shape::Store { width, .. } | Shape::Lane { width } => Some(width),
            _ => None,
        }
    }
}

macro_rules! memory_ops {
    ($($name:ident $mnemonic:literal $shape:expr;)*) => {
        /// A memory-changing instruction, named as wasmparser names its operator.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[allow(missing_docs, reason = "the mnemonic in the table is the documentation")]
        pub enum MemoryOp { $($name),* }

        impl MemoryOp {
            /// Every instruction of the table.
            pub const ALL: &'static [MemoryOp] = &[$(MemoryOp::$name),*];

            /// The instruction's name in the text format.
            pub fn mnemonic(self) -> &'static str {
                match self { $(MemoryOp::$name => $mnemonic),* }
            }

            /// Which operands its events carry.
            #[inline]
            pub fn shape(self) -> Shape {
                match self { $(MemoryOp::$name => $shape),* }
            }
        }
    };
}

const fn store(ty: ValueType, width: u8) -> Shape {
    Shape::Store { ty, width }
}

const fn lane(width: u8) -> Shape {
    Shape::Lane { width }
}

// Order is part of the trace format: append only.
memory_ops! {
    I32Store        "i32.store"         store(ValueType::I32, 4);
    I64Store        "i64.store"         store(ValueType::I64, 8);
    F32Store        "f32.store"         store(ValueType::F32, 4);
    F64Store        "f64.store"         store(ValueType::F64, 8);
    I32Store8       "i32.store8"        store(ValueType::I32, 1);
    I32Store16      "i32.store16"       store(ValueType::I32, 2);
    I64Store8       "i64.store8"        store(ValueType::I64, 1);
    I64Store16      "i64.store16"       store(ValueType::I64, 2);
    I64Store32      "i64.store32"       store(ValueType::I64, 4);
    V128Store       "v128.store"        store(ValueType::V128, 16);
    V128Store8Lane  "v128.store8_lane"  lane(1);
    V128Store16Lane "v128.store16_lane" lane(2);
    V128Store32Lane "v128.store32_lane" lane(4);
    V128Store64Lane "v128.store64_lane" lane(8);
    MemoryGrow      "memory.grow"       Shape::Grow;
    MemoryFill      "memory.fill"       Shape::Fill;
    MemoryCopy      "memory.copy"       Shape::Copy;
    MemoryInit      "memory.init"       Shape::Init;
    DataDrop        "data.drop"         Shape::Drop;
}
