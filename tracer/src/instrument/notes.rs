//! Notes: values that the code reports besides events, each with the mark of its subject. They answer the questions
//! of a rerun: which NaNs are made, what functions are called with and return.

use super::body::BodyRewriter;
use super::cursor;
use super::error::offset as code_offset;
use super::locals::{Called, Exits, Function};
use super::machinery::Inline;
use super::mark::Marked;
use super::operands::Source;
use super::raw::{NOTE, NOTE_HOOK, NOTE_SIZE};
use super::scan::Signature;
use super::{BUFFER_LIMIT, InstrumentError};
use forkpoint_traces::ValueType;
use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{BlockType, Encode, Instruction as I, ValType};

/// A value's type in a note; `None` for a reference.
fn noted(ty: wasmparser::ValType) -> Option<ValueType> {
    match ty {
        wasmparser::ValType::I32 => Some(ValueType::I32),
        wasmparser::ValType::I64 => Some(ValueType::I64),
        wasmparser::ValType::F32 => Some(ValueType::F32),
        wasmparser::ValType::F64 => Some(ValueType::F64),
        wasmparser::ValType::V128 => Some(ValueType::V128),
        wasmparser::ValType::Ref(_) => None,
    }
}

fn encoded(ty: wasmparser::ValType) -> Result<ValType, InstrumentError> {
    RoundtripReencoder.val_type(ty).map_err(InstrumentError::from)
}

impl BodyRewriter<'_> {
    /// At the beginning of a function whose calls are noted: notes its arguments, and opens the block that its body
    /// becomes, so that a branch out of it passes the end of the body.
    pub(super) fn enter(
        &mut self,
        function: &mut Function,
        signature: &Signature,
        (block_type, called): (Option<u32>, Called),
        at: usize,
    ) -> Result<Option<Exits>, InstrumentError> {
        if !self.options.ask.notes_calls() {
            return Ok(None);
        }
        self.recorder_at(function, at);
        let mark = self.new_mark(function, None, Marked::Enter);
        let mut exits = Exits { stack: self.put_on_stack(function, called), ..Exits::default() };
        let stack = exits.stack;
        self.note(function, mark, |body| {
            body.emit(stack.map_or(I::I64Const(0), |stack| I::LocalGet(stack.called)));
            body.emit(I::I64Const(0));
        });
        for (number, ty) in signature.params.iter().enumerate() {
            let number = number as u32;
            let mark = self.new_mark(function, None, Marked::Argument(number, noted(*ty)));
            self.note_local(function, mark, number, noted(*ty));
        }
        for (number, ty) in signature.results.iter().enumerate() {
            let local = function.add_local(encoded(*ty)?);
            let mark = self.new_mark(function, None, Marked::Result(number as u32, noted(*ty)));
            exits.results.push((local, noted(*ty), mark));
        }
        self.emit(I::Block(cursor::block_type(signature, block_type)?));
        Ok(Some(exits))
    }

    /// Before a `return` at `at`, or at the end of the body.
    pub(super) fn leave(&mut self, function: &mut Function, exits: &Exits, at: usize) {
        self.recorder_at(function, at);
        for (local, ..) in exits.results.iter().rev() {
            self.emit(I::LocalSet(*local));
        }
        for (local, ty, mark) in &exits.results {
            self.note_local(function, *mark, *local, *ty);
        }
        if let Some(stack) = exits.stack {
            self.note_depth(function, stack.leave, stack.called);
            self.restore_called(stack);
        }
        for (local, ..) in &exits.results {
            self.emit(I::LocalGet(*local));
        }
    }

    /// Notes the value of a local.
    pub(super) fn note_local(&mut self, function: &mut Function, mark: u32, local: u32, ty: Option<ValueType>) {
        self.note(function, mark, |body| match ty {
            Some(ty) => body.words(local, ty),
            None => {
                body.emit(I::LocalGet(local));
                body.emit(I::RefIsNull);
                body.emit(I::I32Eqz);
                body.emit(I::I64ExtendI32U);
                body.emit(I::I64Const(0));
            }
        });
    }

    /// Pushes a local's value as two words.
    fn words(&mut self, local: u32, ty: ValueType) {
        let source = Source::Local(local, ty);
        self.push(source);
        if self.as_words(source, ty) == 1 {
            self.emit(I::I64Const(0));
        }
    }

    /// After the instruction at `at..end`, which has left a float in `local` and on the stack: notes it if `is_nan`,
    /// which pushes whether it is one.
    pub(super) fn note_nan(
        &mut self,
        function: &mut Function,
        what: Marked,
        (local, ty): (u32, ValueType),
        at: usize,
        is_nan: impl FnOnce(&mut Self),
    ) {
        let mark = self.new_mark(function, Some(code_offset(at)), what);
        is_nan(self);
        self.emit(I::If(BlockType::Empty));
        self.note(function, mark, |body| body.words(local, ty));
        self.emit(I::End);
    }

    /// Sends a note; `words` pushes its two words.
    pub(super) fn note(&mut self, function: &mut Function, mark: u32, words: impl FnOnce(&mut Self)) {
        // A separate record: the open segment ends here.
        function.segment = None;
        function.room.forget();
        match self.machinery.note {
            Some(helper) => {
                self.emit(I::I32Const(mark as i32));
                words(self);
                self.emit(I::Call(helper));
            }
            None => {
                self.emit(I::I32Const(NOTE_HOOK as i32));
                self.emit(I::I64Const(i64::from(mark)));
                words(self);
                self.emit(I::Call(self.machinery.import));
            }
        }
    }

    /// Appends the helper that writes a note to the buffer: mark, and two words.
    pub(super) fn note_helper(&mut self, inline: Inline) {
        const CURSOR: u32 = 3;
        let mut body = vec![1, 1, 0x7f]; // One more local, an i32.
        for instruction in [
            I::I32Const(0),
            I::I32Load(inline.cursor()),
            I::LocalTee(CURSOR),
            I::I32Const(self.options.buffer_limit.min(BUFFER_LIMIT) as i32),
            I::I32GtU,
            I::If(BlockType::Empty),
            I::LocalGet(CURSOR),
            I::Call(inline.helper),
            I::LocalSet(CURSOR),
            I::End,
            I::LocalGet(CURSOR),
            I::I32Const(NOTE as i32),
            I::I32Store(inline.record_at(0)),
            I::LocalGet(CURSOR),
            I::LocalGet(0),
            I::I32Store(inline.record_at(4)),
            I::LocalGet(CURSOR),
            I::LocalGet(1),
            I::I64Store(inline.record_at(8)),
            I::LocalGet(CURSOR),
            I::LocalGet(2),
            I::I64Store(inline.record_at(16)),
            I::I32Const(0),
            I::LocalGet(CURSOR),
            I::I32Const(NOTE_SIZE as i32),
            I::I32Add,
            I::I32Store(inline.cursor()),
            I::End,
        ] {
            instruction.encode(&mut body);
        }
        self.offsets.nowhere(self.code.len() as u32);
        (body.len() as u32).encode(&mut self.code);
        self.code.extend_from_slice(&body);
    }
}
