//! The cursor: how much of the buffer is used.
//!
//! It is kept in the buffer, where the recorder sees it whatever becomes of the process. With [`Commit::EachEvent`] it is
//! written there after each event. That store, and the load at the next segment, cost the guest as much as a memory-bound
//! loop itself (2.1 times the plain run of the sieve, 1.1 times without). With [`Commit::AtCalls`], a function that records
//! anything *keeps* it: loads it into a local when it begins, advances the local, and writes it back before it calls or
//! ends. Its body becomes a block, so that each branch out of it passes the end.
//!
//! [`Commit::EachEvent`]: super::Commit::EachEvent
//! [`Commit::AtCalls`]: super::Commit::AtCalls

use super::BUFFER_LIMIT;
use super::body::BodyRewriter;
use super::classify::{self, Class};
use super::error::InstrumentError;
use super::locals::Function;
use super::machinery::Inline;
use super::raw::SEGMENT_HEAD;
use super::scan::Signature;
use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{BlockType, Instruction as I};
use wasmparser::{FunctionBody, Operator};

/// The type of a block with a function's results; `index` is that of a type with these results, where they are several.
pub(super) fn block_type(signature: &Signature, index: Option<u32>) -> Result<BlockType, InstrumentError> {
    Ok(match (&*signature.results, index) {
        ([], _) => BlockType::Empty,
        ([one], _) => BlockType::Result(RoundtripReencoder.val_type(*one)?),
        (_, Some(index)) => BlockType::FunctionType(index),
        (_, None) => return Err(InstrumentError::Limit { what: "types".to_string(), found: 0, limit: 0 }),
    })
}

/// Whether other code of the module may run while an instruction does, and comes back after it or not.
fn runs_others(op: &Operator) -> Option<bool> {
    use Operator as O;
    match op {
        O::Call { .. }
        | O::CallIndirect { .. }
        | O::CallRef { .. }
        | O::Suspend { .. }
        | O::Resume { .. }
        | O::ResumeThrow { .. }
        | O::ResumeThrowRef { .. }
        | O::Switch { .. } => Some(true),
        O::Return | O::ReturnCall { .. } | O::ReturnCallIndirect { .. } | O::ReturnCallRef { .. } => Some(false),
        _ => None,
    }
}

impl BodyRewriter<'_> {
    /// Whether a function keeps the cursor: it must, or must not, before its first record.
    pub(super) fn keeps_cursor(&self, function: u32, body: &FunctionBody) -> Result<bool, InstrumentError> {
        if self.throws || !self.has_memory() || !self.options.keeps_cursor() {
            return Ok(false);
        }
        let mut operators = body.get_operators_reader()?;
        while !operators.eof() {
            let op = operators.read()?;
            let records = match classify::classify(&op) {
                Class::Record(recorded) => self.options.scope.covers(function, &recorded),
                _ => self.places_call(&op),
            };
            if records {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// At the beginning of a function that keeps the cursor.
    pub(super) fn keep_cursor(
        &mut self,
        function: &mut Function,
        signature: &Signature,
        index: Option<u32>,
        at: usize,
    ) -> Result<(), InstrumentError> {
        let Some(inline) = self.machinery.inline else { return Ok(()) };
        function.keeps_cursor = true;
        self.recorder_at(function, at);
        self.reload(function, inline);
        self.emit(I::Block(block_type(signature, index)?));
        Ok(())
    }

    /// Before an instruction at `at`, or at the end of the body: writes back a kept cursor.
    pub(super) fn write_back(&mut self, function: &mut Function, at: usize) {
        if let Some(inline) = self.machinery.inline.filter(|_| function.keeps_cursor) {
            self.recorder_at(function, at);
            let cursor = function.cursor();
            self.commit(cursor, inline, 0);
        }
    }

    /// Before an instruction that other code runs in; says whether a kept cursor must be loaded after it.
    pub(super) fn before_others(&mut self, function: &mut Function, op: &Operator, at: usize) -> bool {
        let Some(comes_back) = runs_others(op) else { return false };
        function.room.forget();
        if !function.keeps_cursor {
            return false;
        }
        self.write_back(function, at);
        comes_back
    }

    /// After that instruction, which ends at `end`.
    pub(super) fn after_others(&mut self, function: &mut Function, at: usize, end: usize) {
        if let Some(inline) = self.machinery.inline {
            self.copy(function, end);
            self.recorder_at(function, at);
            self.reload(function, inline);
        }
    }

    fn reload(&mut self, function: &mut Function, inline: Inline) {
        let cursor = function.cursor();
        self.load_cursor(inline);
        self.emit(I::LocalSet(cursor));
    }

    /// Makes room for a record, unless there is known to be some, and begins it with a word.
    pub(super) fn begin_record(&mut self, function: &mut Function, inline: Inline, word: u32) {
        let cursor = function.cursor();
        if !function.keeps_cursor {
            self.load_cursor(inline);
            self.emit(I::LocalSet(cursor));
        }
        if !function.room.is_enough() {
            self.make_room(cursor, inline);
            function.room.asked();
        }
        self.emit(I::LocalGet(cursor));
        self.emit(I::I32Const(word as i32));
        self.emit(I::I32Store(inline.record_at(0)));
        function.room.use_up(SEGMENT_HEAD);
    }

    /// Has the buffer flushed if the cursor in a local is beyond the limit.
    fn make_room(&mut self, cursor: u32, inline: Inline) {
        self.emit(I::LocalGet(cursor));
        self.emit(I::I32Const(self.options.buffer_limit.min(BUFFER_LIMIT) as i32));
        self.emit(I::I32GtU);
        self.emit(I::If(BlockType::Empty));
        self.emit(I::LocalGet(cursor));
        self.emit(I::Call(inline.helper));
        self.emit(I::LocalSet(cursor));
        self.emit(I::End);
    }

    /// The offset from the cursor of what has the offset `used` in its record: a kept cursor advances with each event.
    pub(super) fn place_of(&self, function: &Function, used: u32) -> u32 {
        if function.keeps_cursor && used > SEGMENT_HEAD { 0 } else { used }
    }

    /// Ends an event of which `used` bytes follow the cursor.
    pub(super) fn end_event(&mut self, function: &mut Function, inline: Inline, used: u32) {
        let cursor = function.cursor();
        if function.keeps_cursor {
            self.emit(I::LocalGet(cursor));
            self.emit(I::I32Const(used as i32));
            self.emit(I::I32Add);
            self.emit(I::LocalSet(cursor));
        } else {
            self.commit(cursor, inline, used);
        }
    }

    pub(super) fn load_cursor(&mut self, inline: Inline) {
        self.emit(I::I32Const(0));
        self.emit(I::I32Load(inline.cursor()));
    }

    /// Sets the cursor to `used` bytes beyond the one in a local.
    pub(super) fn commit(&mut self, cursor: u32, inline: Inline, used: u32) {
        self.emit(I::I32Const(0));
        self.emit(I::LocalGet(cursor));
        if used > 0 {
            self.emit(I::I32Const(used as i32));
            self.emit(I::I32Add);
        }
        self.emit(I::I32Store(inline.cursor()));
    }
}
