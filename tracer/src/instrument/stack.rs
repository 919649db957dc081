//! Which functions are active: notes where they begin and end, for [`Ask::Stack`](super::Ask::Stack).
//!
//! A global says what the next function's activation is: its depth in the upper half, in the lower half the mark of the
//! call that it comes from. A function takes a copy when it begins, sets the global before each call, and puts it back
//! where it ends, for a host that calls more than once. So a depth is right whatever happened in between, and whoever
//! reads the notes removes what an exception or a trap has ended.

use super::InstrumentError;
use super::body::BodyRewriter;
use super::error::offset as code_offset;
use super::locals::{Called, Exits, Function, OnStack};
use super::mark::Marked;
use super::marks::calls;
use forkpoint_traces::ValueType;
use wasm_encoder::{Instruction as I, ValType};
use wasmparser::{FunctionBody, Operator};

/// One activation more, in the global.
const DEEPER: i64 = 1 << 32;

impl BodyRewriter<'_> {
    /// What a function has that is noted; `base` is the local with its frame base and the type of that, if there is one.
    pub(super) fn called(
        &self,
        base: Option<(u64, wasmparser::ValType)>,
        body: &FunctionBody,
    ) -> Result<Called, InstrumentError> {
        let frame_base = base.and_then(|(local, ty)| match ty {
            wasmparser::ValType::I32 => Some((local as u32, ValueType::I32)),
            wasmparser::ValType::I64 => Some((local as u32, ValueType::I64)),
            _ => None,
        });
        Ok(Called { frame_base, catches: self.catches(body)? })
    }

    /// Whether a function catches exceptions, where that matters.
    fn catches(&self, body: &FunctionBody) -> Result<bool, InstrumentError> {
        if !self.throws || self.machinery.called.is_none() {
            return Ok(false);
        }
        let mut operators = body.get_operators_reader()?;
        while !operators.eof() {
            if matches!(operators.read()?, Operator::Try { .. } | Operator::TryTable { .. }) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// At the beginning of a function: takes a copy of the global, without the call.
    pub(super) fn put_on_stack(&mut self, function: &mut Function, what: Called) -> Option<OnStack> {
        let global = self.machinery.called?;
        let called = function.add_local(ValType::I64);
        self.emit(I::GlobalGet(global));
        self.emit(I::LocalSet(called));
        Some(OnStack {
            called,
            leave: self.new_mark(function, None, Marked::Leave),
            frame_base: what
                .frame_base
                .map(|(local, ty)| (local, ty, self.new_mark(function, None, Marked::FrameBase))),
            back: what.catches.then(|| self.new_mark(function, None, Marked::Back)),
        })
    }

    /// Before an instruction at `at` that leaves the function: a return, or a call.
    pub(super) fn before_leaving(&mut self, function: &mut Function, exits: &Exits, op: &Operator, at: usize) {
        if matches!(op, Operator::Return) {
            self.leave(function, exits, at);
        }
        let (Some(stack), Some(global), Some(comes_back)) = (exits.stack, self.machinery.called, calls(op)) else {
            return;
        };
        self.recorder_at(function, at);
        if !comes_back {
            self.note_depth(function, stack.leave, stack.called);
        }
        let mark = self.new_mark(function, Some(code_offset(at)), Marked::Place);
        let deeper = if comes_back { DEEPER } else { 0 };
        self.emit(I::LocalGet(stack.called));
        self.emit(I::I64Const(!0xffff_ffff));
        self.emit(I::I64And);
        self.emit(I::I64Const(deeper | i64::from(mark)));
        self.emit(I::I64Add);
        self.emit(I::GlobalSet(global));
    }

    /// After an instruction at `at..end` that sets the frame base, or where an exception may be caught. `outermost` says whether
    /// it is outside of all blocks.
    pub(super) fn after_landing(
        &mut self,
        function: &mut Function,
        exits: &Exits,
        op: &Operator,
        (at, end): (usize, usize),
        outermost: bool,
    ) {
        let Some(stack) = exits.stack else { return };
        if let (Operator::LocalSet { local_index } | Operator::LocalTee { local_index }, Some((local, ty, mark))) =
            (op, stack.frame_base)
            && *local_index == local
        {
            self.copy(function, end);
            self.recorder_at(function, at);
            self.note_local(function, mark, local, Some(ty));
        }
        let lands = match op {
            // Of a block; the function's own is its last instruction.
            Operator::End => !outermost,
            Operator::Loop { .. } | Operator::Catch { .. } | Operator::CatchAll => true,
            _ => false,
        };
        if let Some(back) = stack.back.filter(|_| lands) {
            self.copy(function, end);
            self.recorder_at(function, at);
            self.note_depth(function, back, stack.called);
        }
    }

    /// Notes the depth of the function's activation.
    pub(super) fn note_depth(&mut self, function: &mut Function, mark: u32, called: u32) {
        self.note(function, mark, |body| {
            body.emit(I::LocalGet(called));
            body.emit(I::I64Const(0));
        });
    }

    /// Puts back what the function was called with.
    pub(super) fn restore_called(&mut self, stack: OnStack) {
        if let Some(global) = self.machinery.called {
            self.emit(I::LocalGet(stack.called));
            self.emit(I::GlobalSet(global));
        }
    }
}
