//! Loads, where a rerun asks for them: each leaves a note of its address and of what it read.

use super::body::BodyRewriter;
use super::error::offset as code_offset;
use super::locals::Function;
use super::mark::Marked;
use super::operands::{Source, plain_load};
use forkpoint_traces::{MemoryIndex, ValueType};
use wasm_encoder::{Instruction as I, MemArg};
use wasmparser::Operator;

/// How a load is told.
#[derive(Debug, Clone, Copy)]
enum Read {
    /// By its result, whose first bytes are what it read.
    Result(ValueType),
    /// By another load of as many bytes: its result is made of them.
    Again,
    /// The same, and a vector is on top of its address.
    AgainBelow,
}

/// A load: where, how many bytes, and how it is told. Atomic read-modify-writes are none: they are events.
fn load(op: &Operator) -> Option<(wasmparser::MemArg, u8, Read)> {
    use Operator as O;
    use Read::{Again, AgainBelow, Result};
    use ValueType::{F32, F64, I32, I64, V128};
    Some(match *op {
        O::I32Load { memarg } | O::I32AtomicLoad { memarg } => (memarg, 4, Result(I32)),
        O::I64Load { memarg } | O::I64AtomicLoad { memarg } => (memarg, 8, Result(I64)),
        O::F32Load { memarg } => (memarg, 4, Result(F32)),
        O::F64Load { memarg } => (memarg, 8, Result(F64)),
        O::I32Load8S { memarg } | O::I32Load8U { memarg } | O::I32AtomicLoad8U { memarg } => (memarg, 1, Result(I32)),
        O::I32Load16S { memarg } | O::I32Load16U { memarg } | O::I32AtomicLoad16U { memarg } => {
            (memarg, 2, Result(I32))
        }
        O::I64Load8S { memarg } | O::I64Load8U { memarg } | O::I64AtomicLoad8U { memarg } => (memarg, 1, Result(I64)),
        O::I64Load16S { memarg } | O::I64Load16U { memarg } | O::I64AtomicLoad16U { memarg } => {
            (memarg, 2, Result(I64))
        }
        O::I64Load32S { memarg } | O::I64Load32U { memarg } | O::I64AtomicLoad32U { memarg } => {
            (memarg, 4, Result(I64))
        }
        O::V128Load { memarg } => (memarg, 16, Result(V128)),
        O::V128Load32Zero { memarg } | O::V128Load32Splat { memarg } => (memarg, 4, Result(V128)),
        O::V128Load64Zero { memarg } | O::V128Load64Splat { memarg } => (memarg, 8, Result(V128)),
        O::V128Load8Splat { memarg } => (memarg, 1, Result(V128)),
        O::V128Load16Splat { memarg } => (memarg, 2, Result(V128)),
        O::V128Load8x8S { memarg }
        | O::V128Load8x8U { memarg }
        | O::V128Load16x4S { memarg }
        | O::V128Load16x4U { memarg }
        | O::V128Load32x2S { memarg }
        | O::V128Load32x2U { memarg } => (memarg, 8, Again),
        O::V128Load8Lane { memarg, .. } => (memarg, 1, AgainBelow),
        O::V128Load16Lane { memarg, .. } => (memarg, 2, AgainBelow),
        O::V128Load32Lane { memarg, .. } => (memarg, 4, AgainBelow),
        O::V128Load64Lane { memarg, .. } => (memarg, 8, AgainBelow),
        _ => return None,
    })
}

/// A load whose address is in a local.
pub(super) struct Loading {
    address: u32,
    address_type: ValueType,
    memarg: wasmparser::MemArg,
    width: u8,
    read: Read,
    mark: u32,
    /// The mark of the bytes behind the first 8.
    high: Option<u32>,
}

impl BodyRewriter<'_> {
    /// Before the instruction at `at`: keeps its address if it is a load and loads are noted.
    pub(super) fn before_load(&mut self, function: &mut Function, op: &Operator, at: usize) -> Option<Loading> {
        if !self.options.ask.notes_loads() {
            return None;
        }
        let (memarg, width, read) = load(op)?;
        let wide = self.wide.get(memarg.memory as usize).copied().unwrap_or(false);
        let address_type = if wide { ValueType::I64 } else { ValueType::I32 };
        let memory = MemoryIndex(memarg.memory);
        let mut mark = |static_offset: u64, width: u8| {
            self.new_mark(function, Some(code_offset(at)), Marked::Load { memory, static_offset, width })
        };
        let (mark, high) = match width {
            16 => (mark(memarg.offset, 8), Some(mark(memarg.offset.wrapping_add(8), 8))),
            _ => (mark(memarg.offset, width), None),
        };
        self.recorder_at(function, at);
        // Two of a type are the operands of a store, which is another instruction.
        let address = function.scratch(&[address_type])[0];
        match read {
            Read::AgainBelow => {
                let vector = function.scratch(&[ValueType::V128])[0];
                self.emit(I::LocalSet(vector));
                self.emit(I::LocalTee(address));
                self.emit(I::LocalGet(vector));
            }
            Read::Result(_) | Read::Again => self.emit(I::LocalTee(address)),
        }
        Some(Loading { address, address_type, memarg, width, read, mark, high })
    }

    /// After that instruction, which ends at `end`: notes it.
    pub(super) fn after_load(&mut self, function: &mut Function, load: &Loading, at: usize, end: usize) {
        let Loading { address, address_type, memarg, width, read, mark, high } = *load;
        self.copy(function, end);
        self.recorder_at(function, at);
        let result = match read {
            Read::Result(ty) => {
                // Another one than the address.
                let local = function.spare(ty);
                self.emit(I::LocalTee(local));
                Some((local, ty))
            }
            Read::Again | Read::AgainBelow => None,
        };
        for (mark, lane) in [(Some(mark), 0), (high, 1)].into_iter().filter_map(|(mark, lane)| Some((mark?, lane))) {
            self.note(function, mark, |body| {
                let source = Source::Local(address, address_type);
                body.push(source);
                body.as_words(source, address_type);
                match result {
                    Some((local, ValueType::V128)) => {
                        body.emit(I::LocalGet(local));
                        body.emit(I::I64x2ExtractLane(lane));
                    }
                    Some((local, ty)) => {
                        let source = Source::Local(local, ty);
                        body.push(source);
                        body.as_words(source, ty);
                    }
                    None => {
                        body.emit(I::LocalGet(address));
                        let memarg = MemArg { offset: memarg.offset, align: 0, memory_index: memarg.memory };
                        body.emit(plain_load(ValueType::I64, width, memarg));
                    }
                }
            });
        }
    }
}
