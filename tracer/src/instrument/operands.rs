//! Operands in the recorder's code: pushing them from scratch locals, as words for the hook, and plain stores and loads.

use super::body::BodyRewriter;
use forkpoint_traces::ValueType;
use wasm_encoder::{Instruction as I, MemArg};

/// A value that the recorder's code can push.
#[derive(Debug, Clone, Copy)]
pub(super) enum Source {
    /// A scratch local.
    Local(u32, ValueType),
    /// A lane of this many bytes of the vector in a scratch local.
    Lane { local: u32, lane: u8, width: u8 },
}

/// The plain store of a value into the buffer. Never the observed instruction itself if there is an alternative: a
/// fault in how an engine runs it must not affect the record, too.
pub(super) fn plain_store(ty: ValueType, width: u32, memarg: MemArg) -> I<'static> {
    match (ty, width) {
        (ValueType::I32, 1) => I::I32Store8(memarg),
        (ValueType::I32, 2) => I::I32Store16(memarg),
        (ValueType::I32, _) => I::I32Store(memarg),
        (ValueType::I64, 1) => I::I64Store8(memarg),
        (ValueType::I64, 2) => I::I64Store16(memarg),
        (ValueType::I64, 4) => I::I64Store32(memarg),
        (ValueType::I64, _) => I::I64Store(memarg),
        (ValueType::F32, _) => I::F32Store(memarg),
        (ValueType::F64, _) => I::F64Store(memarg),
        (ValueType::V128, _) => I::V128Store(memarg),
    }
}

/// The zero-extending load of `width` bytes: integers and vectors only.
pub(super) fn plain_load(ty: ValueType, width: u8, memarg: MemArg) -> I<'static> {
    match (ty, width) {
        (ValueType::V128, _) => I::V128Load(memarg),
        (ValueType::I64, 1) => I::I64Load8U(memarg),
        (ValueType::I64, 2) => I::I64Load16U(memarg),
        (ValueType::I64, 4) => I::I64Load32U(memarg),
        (ValueType::I64, _) => I::I64Load(memarg),
        (_, 1) => I::I32Load8U(memarg),
        (_, 2) => I::I32Load16U(memarg),
        _ => I::I32Load(memarg),
    }
}

impl BodyRewriter<'_> {
    /// Turns the value on the stack, which [`BodyRewriter::push`] pushed, into one or two `i64`s.
    pub(super) fn as_words(&mut self, source: Source, ty: ValueType) -> u32 {
        match ty {
            ValueType::I32 => self.emit(I::I64ExtendI32U),
            ValueType::I64 => {}
            ValueType::F32 => {
                self.emit(I::I32ReinterpretF32);
                self.emit(I::I64ExtendI32U);
            }
            ValueType::F64 => self.emit(I::I64ReinterpretF64),
            ValueType::V128 => {
                self.emit(I::I64x2ExtractLane(0));
                self.push(source);
                self.emit(I::I64x2ExtractLane(1));
                return 2;
            }
        }
        1
    }

    pub(super) fn push(&mut self, source: Source) -> ValueType {
        match source {
            Source::Local(local, ty) => {
                self.emit(I::LocalGet(local));
                ty
            }
            Source::Lane { local, lane, width } => {
                self.emit(I::LocalGet(local));
                let (extract, ty) = match width {
                    1 => (I::I8x16ExtractLaneU(lane), ValueType::I32),
                    2 => (I::I16x8ExtractLaneU(lane), ValueType::I32),
                    4 => (I::I32x4ExtractLane(lane), ValueType::I32),
                    _ => (I::I64x2ExtractLane(lane), ValueType::I64),
                };
                self.emit(extract);
                ty
            }
        }
    }
}
