//! What the rewriter does with each instruction.
//!
//! The table is default-deny: an instruction counts as harmless only when it belongs to a proposal read
//! through and listed in [`by_proposal`]. A new proposal in a newer wasmparser is therefore refused until
//! somebody looks at it, and a test walks the whole list of operators.

use forkpoint_traces::MemoryOp;
use wasmparser::{MemArg, Operator};

/// A memory-changing instruction and its immediates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Recorded {
    pub(super) op: MemoryOp,
    /// The memory written; 0 for `data.drop`.
    pub(super) memory: u32,
    pub(super) static_offset: u64,
    /// Source memory of a copy, data segment of an init or drop.
    pub(super) source: u32,
    /// The lane of a lane store.
    pub(super) lane: u8,
}

/// What the rewriter does with an instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// Changes memory: gets a site.
    Record(Recorded),
    /// Opens a frame that control enters only from above, so a segment may go on inside.
    Block,
    /// Opens a frame and ends the segment.
    Open,
    /// `else`.
    Else,
    /// `end`.
    End,
    /// Control never goes on behind it.
    Leave,
    /// Control may go elsewhere and may come back: ends the segment.
    Boundary,
    /// Like `Boundary`, with a function index as its only immediate.
    Call(u32),
    /// Like `Leave`, with a function index as its only immediate.
    TailCall(u32),
    /// No control, with a function index as its only immediate.
    RefFunc(u32),
    /// Neither memory nor control nor a function index.
    Plain,
    /// Cannot be recorded, and why.
    Refuse(&'static str),
}

const ATOMIC: &str = "atomic writes are not supported yet";
const DISCARD: &str = "it changes memory in a way no event describes";
const THREADS: &str = "shared-everything-threads is not supported";
const LEGACY: &str = "legacy exceptions are not supported: compile with the standard exception instructions";
const STACKS: &str = "stack switching is not supported: records of two stacks would mix";
const DESCRIPTORS: &str = "custom descriptors are not supported";
const UNKNOWN: &str = "this version of forkpoint does not know it";

fn store(op: MemoryOp, memarg: &MemArg) -> Class {
    lane(op, memarg, 0)
}

fn lane(op: MemoryOp, memarg: &MemArg, lane: u8) -> Class {
    Class::Record(Recorded { op, memory: memarg.memory, static_offset: memarg.offset, source: 0, lane })
}

fn bulk(op: MemoryOp, memory: u32, source: u32) -> Class {
    Class::Record(Recorded { op, memory, static_offset: 0, source, lane: 0 })
}

/// What to do with `op`.
pub(super) fn classify(op: &Operator) -> Class {
    use Operator as O;
    match op {
        O::I32Store { memarg } => store(MemoryOp::I32Store, memarg),
        O::I64Store { memarg } => store(MemoryOp::I64Store, memarg),
        O::F32Store { memarg } => store(MemoryOp::F32Store, memarg),
        O::F64Store { memarg } => store(MemoryOp::F64Store, memarg),
        O::I32Store8 { memarg } => store(MemoryOp::I32Store8, memarg),
        O::I32Store16 { memarg } => store(MemoryOp::I32Store16, memarg),
        O::I64Store8 { memarg } => store(MemoryOp::I64Store8, memarg),
        O::I64Store16 { memarg } => store(MemoryOp::I64Store16, memarg),
        O::I64Store32 { memarg } => store(MemoryOp::I64Store32, memarg),
        O::V128Store { memarg } => store(MemoryOp::V128Store, memarg),
        O::V128Store8Lane { memarg, lane: n } => lane(MemoryOp::V128Store8Lane, memarg, *n),
        O::V128Store16Lane { memarg, lane: n } => lane(MemoryOp::V128Store16Lane, memarg, *n),
        O::V128Store32Lane { memarg, lane: n } => lane(MemoryOp::V128Store32Lane, memarg, *n),
        O::V128Store64Lane { memarg, lane: n } => lane(MemoryOp::V128Store64Lane, memarg, *n),
        O::MemoryGrow { mem } => bulk(MemoryOp::MemoryGrow, *mem, 0),
        O::MemoryFill { mem } => bulk(MemoryOp::MemoryFill, *mem, 0),
        O::MemoryCopy { dst_mem, src_mem } => bulk(MemoryOp::MemoryCopy, *dst_mem, *src_mem),
        O::MemoryInit { data_index, mem } => bulk(MemoryOp::MemoryInit, *mem, *data_index),
        O::DataDrop { data_index } => bulk(MemoryOp::DataDrop, 0, *data_index),

        O::Block { .. } => Class::Block,
        O::Loop { .. } | O::If { .. } | O::TryTable { .. } => Class::Open,
        O::Else => Class::Else,
        O::End => Class::End,
        O::Br { .. }
        | O::BrTable { .. }
        | O::Return
        | O::Unreachable
        | O::Throw { .. }
        | O::ThrowRef
        | O::ReturnCallIndirect { .. }
        | O::ReturnCallRef { .. } => Class::Leave,
        O::BrIf { .. }
        | O::BrOnNull { .. }
        | O::BrOnNonNull { .. }
        | O::BrOnCast { .. }
        | O::BrOnCastFail { .. }
        | O::CallIndirect { .. }
        | O::CallRef { .. } => Class::Boundary,
        O::Call { function_index } => Class::Call(*function_index),
        O::ReturnCall { function_index } => Class::TailCall(*function_index),
        O::RefFunc { function_index } => Class::RefFunc(*function_index),

        // Of the threads proposal, only what writes nothing. Waiting and waking change no memory, and
        // without shared memories nobody else runs meanwhile.
        O::MemoryAtomicNotify { .. }
        | O::MemoryAtomicWait32 { .. }
        | O::MemoryAtomicWait64 { .. }
        | O::AtomicFence
        | O::I32AtomicLoad { .. }
        | O::I64AtomicLoad { .. }
        | O::I32AtomicLoad8U { .. }
        | O::I32AtomicLoad16U { .. }
        | O::I64AtomicLoad8U { .. }
        | O::I64AtomicLoad16U { .. }
        | O::I64AtomicLoad32U { .. } => Class::Plain,

        other => by_proposal(other),
    }
}

/// What to do with an instruction that has no row of its own, by the proposal it came with.
fn by_proposal(op: &Operator) -> Class {
    macro_rules! proposals {
        ($(@$proposal:ident $op:ident $({ $($arg:ident: $argty:ty),* })? => $visit:ident ($($ann:tt)*))*) => {
            match op {
                $(Operator::$op { .. } => proposals!(class $proposal),)*
                _ => Class::Refuse(UNKNOWN),
            }
        };
        (class mvp) => { Class::Plain };
        (class sign_extension) => { Class::Plain };
        (class saturating_float_to_int) => { Class::Plain };
        (class reference_types) => { Class::Plain };
        (class bulk_memory) => { Class::Plain };
        (class simd) => { Class::Plain };
        (class relaxed_simd) => { Class::Plain };
        (class gc) => { Class::Plain };
        (class function_references) => { Class::Plain };
        (class wide_arithmetic) => { Class::Plain };
        (class threads) => { Class::Refuse(ATOMIC) };
        (class memory_control) => { Class::Refuse(DISCARD) };
        (class shared_everything_threads) => { Class::Refuse(THREADS) };
        (class legacy_exceptions) => { Class::Refuse(LEGACY) };
        (class stack_switching) => { Class::Refuse(STACKS) };
        (class custom_descriptors) => { Class::Refuse(DESCRIPTORS) };
        (class $other:ident) => { Class::Refuse(UNKNOWN) };
    }
    wasmparser::for_each_operator!(proposals)
}

/// The instruction's name, close to how the text format spells it.
pub(super) fn name(op: &Operator) -> String {
    macro_rules! names {
        ($(@$proposal:ident $op:ident $({ $($arg:ident: $argty:ty),* })? => $visit:ident ($($ann:tt)*))*) => {
            match op {
                $(Operator::$op { .. } => stringify!($visit),)*
                _ => "visit_unknown",
            }
        };
    }
    let visit = wasmparser::for_each_operator!(names);
    visit.trim_start_matches("visit_").replacen('_', ".", 1).replacen(".atomic_", ".atomic.", 1)
}

#[cfg(test)]
#[path = "classify_tests.rs"]
mod tests;
