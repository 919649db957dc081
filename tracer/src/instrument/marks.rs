//! Marks: places in the code that a rewritten module names without making an event.
//!
//! A mark is left in one of three ways. *Come to*: its number is kept in the buffer's head, or passed to the hook, to
//! show where a run ended, however it did. *Caller*: a record before a direct call of an imported function. *Note*: a
//! record with a value, see [`notes`](super::notes).

use super::MARK_AT;
use super::body::BodyRewriter;
use super::error::offset as code_offset;
use super::locals::Function;
use super::mark::{Mark, Marked};
use super::options::Ask;
use super::raw::{CALLER, CALLER_HOOK, CALLER_SIZE, MARK_HOOK};
use forkpoint_traces::{CodeOffset, FuncIndex};
use wasm_encoder::{BlockType, Instruction as I, MemArg};
use wasmparser::Operator;

/// Whether an instruction can trap or run for any length of time. Calls are not among them: they have their own
/// marks, on both sides.
fn can_trap(op: &Operator) -> bool {
    use Operator as O;
    // Every instruction with a memory operand has an address that may be out of bounds.
    macro_rules! memory_operands {
        ($(@$proposal:ident $op:ident $({ $($arg:ident: $argty:ty),* })? => $visit:ident ($($ann:tt)*))*) => {
            match op {
                $(Operator::$op { .. } => memory_operands!(has $($($arg)*)?),)*
                _ => false,
            }
        };
        (has memarg $($rest:ident)*) => { true };
        (has $($rest:ident)*) => { false };
    }
    match op {
        O::Loop { .. }
        | O::Unreachable
        | O::Throw { .. }
        | O::ThrowRef
        | O::I32DivS
        | O::I32DivU
        | O::I32RemS
        | O::I32RemU
        | O::I64DivS
        | O::I64DivU
        | O::I64RemS
        | O::I64RemU
        | O::I32TruncF32S
        | O::I32TruncF32U
        | O::I32TruncF64S
        | O::I32TruncF64U
        | O::I64TruncF32S
        | O::I64TruncF32U
        | O::I64TruncF64S
        | O::I64TruncF64U
        | O::MemoryGrow { .. }
        | O::MemoryFill { .. }
        | O::MemoryCopy { .. }
        | O::MemoryInit { .. }
        | O::TableGet { .. }
        | O::TableSet { .. }
        | O::TableGrow { .. }
        | O::TableFill { .. }
        | O::TableCopy { .. }
        | O::TableInit { .. }
        | O::RefAsNonNull
        | O::RefCastNonNull { .. }
        | O::RefCastNullable { .. }
        | O::StructNew { .. }
        | O::StructNewDefault { .. }
        | O::StructGet { .. }
        | O::StructGetS { .. }
        | O::StructGetU { .. }
        | O::StructSet { .. }
        | O::ArrayNew { .. }
        | O::ArrayNewDefault { .. }
        | O::ArrayNewFixed { .. }
        | O::ArrayNewData { .. }
        | O::ArrayNewElem { .. }
        | O::ArrayGet { .. }
        | O::ArrayGetS { .. }
        | O::ArrayGetU { .. }
        | O::ArraySet { .. }
        | O::ArrayLen
        | O::ArrayFill { .. }
        | O::ArrayCopy { .. }
        | O::ArrayInitData { .. }
        | O::ArrayInitElem { .. }
        | O::I31GetS
        | O::I31GetU
        | O::ContNew { .. }
        | O::ContBind { .. }
        | O::Suspend { .. }
        | O::Resume { .. }
        | O::ResumeThrow { .. }
        | O::ResumeThrowRef { .. }
        | O::Switch { .. } => true,
        _ => wasmparser::for_each_operator!(memory_operands),
    }
}

/// Whether an instruction calls, and whether it returns.
pub(super) fn calls(op: &Operator) -> Option<bool> {
    use Operator as O;
    match op {
        O::Call { .. } | O::CallIndirect { .. } | O::CallRef { .. } => Some(true),
        O::ReturnCall { .. } | O::ReturnCallIndirect { .. } | O::ReturnCallRef { .. } => Some(false),
        _ => None,
    }
}

/// An imported function that an instruction calls directly.
fn called(op: &Operator) -> Option<u32> {
    match op {
        Operator::Call { function_index } | Operator::ReturnCall { function_index } => Some(*function_index),
        _ => None,
    }
}

impl BodyRewriter<'_> {
    /// A new mark, and its number.
    pub(super) fn new_mark(&mut self, function: &Function, offset: Option<CodeOffset>, what: Marked) -> u32 {
        self.marks.push(Mark { func: FuncIndex(function.index), offset, what });
        self.marks.len() as u32
    }

    /// Whether the place where the run ends is requested.
    fn places(&self) -> Option<u64> {
        match self.options.ask {
            Ask::Places { events } => Some(events),
            _ => None,
        }
    }

    /// At the beginning of a function.
    pub(super) fn mark_entry(&mut self, function: &mut Function, at: usize) {
        if self.places().is_some() {
            let mark = self.new_mark(function, None, Marked::Place);
            self.recorder_at(function, at);
            self.come_to(mark);
        }
    }

    /// Before the instruction at `at`, which control can reach. Returns the mark to repeat once the instruction, a
    /// call, has returned.
    pub(super) fn mark_before(&mut self, function: &mut Function, op: &Operator, at: usize) -> Option<u32> {
        let comes_back = calls(op);
        let mut again = None;
        if self.places().is_some() && (comes_back.is_some() || can_trap(op)) {
            let mark = self.new_mark(function, Some(code_offset(at)), Marked::Place);
            self.recorder_at(function, at);
            self.come_to(mark);
            again = comes_back.filter(|back| *back).map(|_| mark);
        }
        if self.places_call(op) {
            let mark = self.new_mark(function, Some(code_offset(at)), Marked::Place);
            self.recorder_at(function, at);
            self.caller(function, mark);
        }
        again
    }

    /// Whether an instruction is a call whose place is left among the records.
    pub(super) fn places_call(&self, op: &Operator) -> bool {
        let places_host_calls = self.has_memory() && self.options.places_host_calls();
        places_host_calls && called(op).is_some_and(|callee| callee < self.machinery.import)
    }

    /// After a call that returned: the marks of the callee are not places of this function.
    pub(super) fn mark_after(&mut self, function: &mut Function, mark: u32, at: usize, end: usize) {
        self.copy(function, end);
        self.recorder_at(function, at);
        self.come_to(mark);
    }

    /// From here on emits the recorder's code for the instruction at `at`; everything before has been copied.
    pub(super) fn recorder_at(&mut self, function: &mut Function, at: usize) {
        if function.copied < at {
            self.copy(function, at);
        }
        self.runs.push((self.ops.len() as u32, super::body::Origin::Recorder(at as u32)));
    }

    fn come_to(&mut self, mark: u32) {
        if let Some(inline) = self.machinery.inline {
            self.emit(I::I32Const(0));
            self.emit(I::I32Const(mark as i32));
            self.emit(I::I32Store(MemArg { offset: MARK_AT as u64, align: 2, memory_index: inline.buffer }));
            return;
        }
        let (Some(count), Some(events)) = (self.machinery.count, self.places()) else { return };
        self.emit(I::GlobalGet(count));
        self.emit(I::I64Const(events as i64));
        // And later: a recording whose tail is missing has fewer than there were.
        self.emit(I::I64GeU);
        self.emit(I::If(BlockType::Empty));
        self.call_hook_with(MARK_HOOK, mark);
        self.emit(I::End);
    }

    /// Puts the place of a call among the records.
    fn caller(&mut self, function: &mut Function, mark: u32) {
        function.segment = None;
        let Some(inline) = self.machinery.inline else {
            self.call_hook_with(CALLER_HOOK, mark);
            return;
        };
        let cursor = function.cursor();
        self.begin_record(function, inline, CALLER);
        self.emit(I::LocalGet(cursor));
        self.emit(I::I32Const(mark as i32));
        self.emit(I::I32Store(inline.record_at(4)));
        function.room.use_up(CALLER_SIZE);
        self.end_event(function, inline, CALLER_SIZE);
    }

    /// Calls the hook with one operand.
    fn call_hook_with(&mut self, number: u32, operand: u32) {
        self.emit(I::I32Const(number as i32));
        self.emit(I::I64Const(i64::from(operand)));
        self.emit(I::I64Const(0));
        self.emit(I::I64Const(0));
        self.emit(I::Call(self.machinery.import));
    }
}
