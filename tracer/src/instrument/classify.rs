//! What the rewriter does with each instruction.
//!
//! The table is default-deny: an instruction counts as harmless only if it belongs to a proposal that was reviewed
//! and is listed in [`by_table`]. So a new proposal in a newer wasmparser is refused until somebody reviews it, and a
//! test walks the whole list of operators.

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
    /// Opens a frame that control enters only from above, so a segment may continue inside.
    Block,
    /// Opens a frame and ends the segment.
    Open,
    /// `else`.
    Else,
    /// `end`.
    End,
    /// Control never continues after it.
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

const DISCARD: &str = "it changes memory in a way no event describes";
const THREADS: &str = "shared-everything-threads is not supported";
const LEGACY: &str = "legacy exceptions are not supported: compile with the standard exception instructions";
const DESCRIPTORS: &str = "custom descriptors are not supported";
const UNKNOWN: &str = "this version of forkpoint does not know it";

/// An immediate of an instruction in the table of memory operators, by wasmparser's name for it.
trait Immediate {
    fn note(&self, _name: &str, _recorded: &mut Recorded) {}
}

impl Immediate for MemArg {
    fn note(&self, _name: &str, recorded: &mut Recorded) {
        recorded.memory = self.memory;
        recorded.static_offset = self.offset;
    }
}

impl Immediate for u32 {
    fn note(&self, name: &str, recorded: &mut Recorded) {
        match name {
            "mem" | "dst_mem" => recorded.memory = *self,
            "src_mem" | "data_index" => recorded.source = *self,
            _ => {}
        }
    }
}

impl Immediate for u8 {
    fn note(&self, _name: &str, recorded: &mut Recorded) {
        recorded.lane = *self;
    }
}

macro_rules! no_memory_immediates {
    ($($ty:ty)*) => { $(impl Immediate for $ty {})* };
}

no_memory_immediates! {
    i32 i64 [u8; 16] wasmparser::BlockType wasmparser::ValType Vec<wasmparser::ValType> wasmparser::HeapType
    wasmparser::RefType wasmparser::Ieee32 wasmparser::Ieee64 wasmparser::Ordering wasmparser::TryTable
    wasmparser::ResumeTable wasmparser::V128 wasmparser::BrTable<'_>
}

/// What to do with `op`.
pub(super) fn classify(op: &Operator) -> Class {
    use Operator as O;
    match op {
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
        // Another stack runs meanwhile, and appends its own records.
        O::Suspend { .. }
        | O::Resume { .. }
        | O::ResumeThrow { .. }
        | O::ResumeThrowRef { .. }
        | O::Switch { .. } => Class::Boundary,
        O::ContNew { .. } | O::ContBind { .. } => Class::Plain,
        O::Call { function_index } => Class::Call(*function_index),
        O::ReturnCall { function_index } => Class::TailCall(*function_index),
        O::RefFunc { function_index } => Class::RefFunc(*function_index),

        // The instructions of the threads proposal that write nothing. Anything else that runs meanwhile is a thread,
        // and a second thread is refused where it would be created.
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

        other => by_table(other),
    }
}

/// What to do with an instruction that has no row of its own: record it if it is in the table of memory operators,
/// otherwise decide by its proposal.
fn by_table(op: &Operator) -> Class {
    macro_rules! rows {
        ($(@$proposal:ident $op:ident $({ $($arg:ident: $argty:ty),* })? => $visit:ident ($($ann:tt)*))*) => {
            match op {
                $(Operator::$op $({ $($arg),* })? => {
                    const ROW: Option<MemoryOp> = MemoryOp::named(stringify!($op));
                    match ROW {
                        Some(op) => {
                            #[allow(unused_mut, reason = "a few operators have no immediates")]
                            let mut recorded = Recorded { op, memory: 0, static_offset: 0, source: 0, lane: 0 };
                            $($($arg.note(stringify!($arg), &mut recorded);)*)?
                            Class::Record(recorded)
                        }
                        None => rows!(class $proposal),
                    }
                })*
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
        (class memory_control) => { Class::Refuse(DISCARD) };
        (class shared_everything_threads) => { Class::Refuse(THREADS) };
        (class legacy_exceptions) => { Class::Refuse(LEGACY) };
        (class custom_descriptors) => { Class::Refuse(DESCRIPTORS) };
        (class $other:ident) => { Class::Refuse(UNKNOWN) };
    }
    wasmparser::for_each_operator!(rows)
}

/// The instruction's name, close to its spelling in the text format.
pub(super) fn name(op: &Operator) -> String {
    if let Class::Record(recorded) = classify(op) {
        return recorded.op.mnemonic().to_string();
    }
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
