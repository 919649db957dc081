//! The one table of memory-changing instructions. The rewriter, the record decoder, the printers and the
//! documentation all derive from it.

use serde::{Deserialize, Serialize};

/// Type of the value operand of a store, and of other numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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

impl std::fmt::Display for ValueType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            ValueType::I32 => "i32",
            ValueType::I64 => "i64",
            ValueType::F32 => "f32",
            ValueType::F64 => "f64",
            ValueType::V128 => "v128",
        })
    }
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
    /// `[address operand...] -> [old value]`: an atomic read-modify-write. Its events carry what memory holds
    /// afterwards, so a compare-exchange that exchanged nothing shows the old bytes.
    Rmw {
        /// Type of the operands on the stack.
        ty: ValueType,
        /// Bytes written: 1, 2, 4 or 8.
        width: u8,
        /// How many operands follow the address: 2 for a compare-exchange, else 1.
        operands: u8,
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
            Shape::Store { width, .. } | Shape::Rmw { width, .. } | Shape::Lane { width } => Some(width),
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

            /// The instruction that wasmparser calls `operator`, usable in constants.
            pub const fn named(operator: &str) -> Option<MemoryOp> {
                $(if same(operator.as_bytes(), stringify!($name).as_bytes()) { return Some(MemoryOp::$name); })*
                None
            }

            /// Which operands its events carry.
            #[inline]
            pub fn shape(self) -> Shape {
                match self { $(MemoryOp::$name => $shape),* }
            }
        }
    };
}

const fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut i = 0;
    while i < a.len() {
        if a[i] != b[i] {
            return false;
        }
        i += 1;
    }
    true
}

const fn store(ty: ValueType, width: u8) -> Shape {
    Shape::Store { ty, width }
}

const fn lane(width: u8) -> Shape {
    Shape::Lane { width }
}

const fn rmw(ty: ValueType, width: u8) -> Shape {
    Shape::Rmw { ty, width, operands: 1 }
}

const fn cmpxchg(ty: ValueType, width: u8) -> Shape {
    Shape::Rmw { ty, width, operands: 2 }
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

    I32AtomicStore         "i32.atomic.store"           store(ValueType::I32, 4);
    I32AtomicStore8        "i32.atomic.store8"          store(ValueType::I32, 1);
    I32AtomicStore16       "i32.atomic.store16"         store(ValueType::I32, 2);
    I64AtomicStore         "i64.atomic.store"           store(ValueType::I64, 8);
    I64AtomicStore8        "i64.atomic.store8"          store(ValueType::I64, 1);
    I64AtomicStore16       "i64.atomic.store16"         store(ValueType::I64, 2);
    I64AtomicStore32       "i64.atomic.store32"         store(ValueType::I64, 4);
    I32AtomicRmwAdd        "i32.atomic.rmw.add"         rmw(ValueType::I32, 4);
    I32AtomicRmw8AddU      "i32.atomic.rmw8.add_u"      rmw(ValueType::I32, 1);
    I32AtomicRmw16AddU     "i32.atomic.rmw16.add_u"     rmw(ValueType::I32, 2);
    I64AtomicRmwAdd        "i64.atomic.rmw.add"         rmw(ValueType::I64, 8);
    I64AtomicRmw8AddU      "i64.atomic.rmw8.add_u"      rmw(ValueType::I64, 1);
    I64AtomicRmw16AddU     "i64.atomic.rmw16.add_u"     rmw(ValueType::I64, 2);
    I64AtomicRmw32AddU     "i64.atomic.rmw32.add_u"     rmw(ValueType::I64, 4);
    I32AtomicRmwSub        "i32.atomic.rmw.sub"         rmw(ValueType::I32, 4);
    I32AtomicRmw8SubU      "i32.atomic.rmw8.sub_u"      rmw(ValueType::I32, 1);
    I32AtomicRmw16SubU     "i32.atomic.rmw16.sub_u"     rmw(ValueType::I32, 2);
    I64AtomicRmwSub        "i64.atomic.rmw.sub"         rmw(ValueType::I64, 8);
    I64AtomicRmw8SubU      "i64.atomic.rmw8.sub_u"      rmw(ValueType::I64, 1);
    I64AtomicRmw16SubU     "i64.atomic.rmw16.sub_u"     rmw(ValueType::I64, 2);
    I64AtomicRmw32SubU     "i64.atomic.rmw32.sub_u"     rmw(ValueType::I64, 4);
    I32AtomicRmwAnd        "i32.atomic.rmw.and"         rmw(ValueType::I32, 4);
    I32AtomicRmw8AndU      "i32.atomic.rmw8.and_u"      rmw(ValueType::I32, 1);
    I32AtomicRmw16AndU     "i32.atomic.rmw16.and_u"     rmw(ValueType::I32, 2);
    I64AtomicRmwAnd        "i64.atomic.rmw.and"         rmw(ValueType::I64, 8);
    I64AtomicRmw8AndU      "i64.atomic.rmw8.and_u"      rmw(ValueType::I64, 1);
    I64AtomicRmw16AndU     "i64.atomic.rmw16.and_u"     rmw(ValueType::I64, 2);
    I64AtomicRmw32AndU     "i64.atomic.rmw32.and_u"     rmw(ValueType::I64, 4);
    I32AtomicRmwOr         "i32.atomic.rmw.or"          rmw(ValueType::I32, 4);
    I32AtomicRmw8OrU       "i32.atomic.rmw8.or_u"       rmw(ValueType::I32, 1);
    I32AtomicRmw16OrU      "i32.atomic.rmw16.or_u"      rmw(ValueType::I32, 2);
    I64AtomicRmwOr         "i64.atomic.rmw.or"          rmw(ValueType::I64, 8);
    I64AtomicRmw8OrU       "i64.atomic.rmw8.or_u"       rmw(ValueType::I64, 1);
    I64AtomicRmw16OrU      "i64.atomic.rmw16.or_u"      rmw(ValueType::I64, 2);
    I64AtomicRmw32OrU      "i64.atomic.rmw32.or_u"      rmw(ValueType::I64, 4);
    I32AtomicRmwXor        "i32.atomic.rmw.xor"         rmw(ValueType::I32, 4);
    I32AtomicRmw8XorU      "i32.atomic.rmw8.xor_u"      rmw(ValueType::I32, 1);
    I32AtomicRmw16XorU     "i32.atomic.rmw16.xor_u"     rmw(ValueType::I32, 2);
    I64AtomicRmwXor        "i64.atomic.rmw.xor"         rmw(ValueType::I64, 8);
    I64AtomicRmw8XorU      "i64.atomic.rmw8.xor_u"      rmw(ValueType::I64, 1);
    I64AtomicRmw16XorU     "i64.atomic.rmw16.xor_u"     rmw(ValueType::I64, 2);
    I64AtomicRmw32XorU     "i64.atomic.rmw32.xor_u"     rmw(ValueType::I64, 4);
    I32AtomicRmwXchg       "i32.atomic.rmw.xchg"        rmw(ValueType::I32, 4);
    I32AtomicRmw8XchgU     "i32.atomic.rmw8.xchg_u"     rmw(ValueType::I32, 1);
    I32AtomicRmw16XchgU    "i32.atomic.rmw16.xchg_u"    rmw(ValueType::I32, 2);
    I64AtomicRmwXchg       "i64.atomic.rmw.xchg"        rmw(ValueType::I64, 8);
    I64AtomicRmw8XchgU     "i64.atomic.rmw8.xchg_u"     rmw(ValueType::I64, 1);
    I64AtomicRmw16XchgU    "i64.atomic.rmw16.xchg_u"    rmw(ValueType::I64, 2);
    I64AtomicRmw32XchgU    "i64.atomic.rmw32.xchg_u"    rmw(ValueType::I64, 4);
    I32AtomicRmwCmpxchg    "i32.atomic.rmw.cmpxchg"     cmpxchg(ValueType::I32, 4);
    I32AtomicRmw8CmpxchgU  "i32.atomic.rmw8.cmpxchg_u"  cmpxchg(ValueType::I32, 1);
    I32AtomicRmw16CmpxchgU "i32.atomic.rmw16.cmpxchg_u" cmpxchg(ValueType::I32, 2);
    I64AtomicRmwCmpxchg    "i64.atomic.rmw.cmpxchg"     cmpxchg(ValueType::I64, 8);
    I64AtomicRmw8CmpxchgU  "i64.atomic.rmw8.cmpxchg_u"  cmpxchg(ValueType::I64, 1);
    I64AtomicRmw16CmpxchgU "i64.atomic.rmw16.cmpxchg_u" cmpxchg(ValueType::I64, 2);
    I64AtomicRmw32CmpxchgU "i64.atomic.rmw32.cmpxchg_u" cmpxchg(ValueType::I64, 4);
}
