//! Values of 16 bytes each: how code stores and loads them.

use crate::instrument::error::InstrumentError;
use crate::values::WasmValue;
use wasm_encoder::{Function, Ieee32, Ieee64, Instruction as I, InstructionSink, MemArg, ValType};

/// Stores the value on the stack at the address below it: its bits in the first bytes, and of a reference whether it is
/// null.
pub(super) fn store(ty: ValType, at: MemArg, code: &mut InstructionSink<'_>) {
    match ty {
        ValType::I32 => code.i64_extend_i32_u(),
        ValType::F32 => code.i32_reinterpret_f32().i64_extend_i32_u(),
        ValType::F64 => code.i64_reinterpret_f64(),
        ValType::V128 => {
            code.v128_store(at);
            return;
        }
        ValType::Ref(_) => code.ref_is_null().i64_extend_i32_u(),
        ValType::I64 => code,
    };
    code.i64_store(at);
}

/// Makes the value on the stack the word that [`store`] leaves first.
pub(super) fn as_word(ty: ValType, code: &mut InstructionSink<'_>) {
    match ty {
        ValType::I32 => code.i64_extend_i32_u(),
        ValType::F32 => code.i32_reinterpret_f32().i64_extend_i32_u(),
        ValType::F64 => code.i64_reinterpret_f64(),
        ValType::V128 => code.i64x2_extract_lane(0),
        ValType::Ref(_) => code.ref_is_null().i64_extend_i32_u(),
        ValType::I64 => code,
    };
}

/// Loads a value from the address on the stack.
pub(super) fn load(ty: ValType, at: MemArg, code: &mut InstructionSink<'_>) {
    match ty {
        ValType::I32 => code.i32_load(at),
        ValType::I64 => code.i64_load(at),
        ValType::F32 => code.f32_load(at),
        ValType::F64 => code.f64_load(at),
        ValType::V128 => code.v128_load(at),
        ValType::Ref(ty) => code.drop().ref_null(ty.heap_type),
    };
}

/// Pushes a constant.
pub(super) fn constant(value: &WasmValue, ty: ValType, body: &mut Function) -> Result<(), InstrumentError> {
    body.instruction(&match (value, ty) {
        (WasmValue::I32(value), _) => I::I32Const(*value),
        (WasmValue::I64(value), _) => I::I64Const(*value),
        (WasmValue::F32(bits), _) => I::F32Const(Ieee32::new(*bits)),
        (WasmValue::F64(bits), _) => I::F64Const(Ieee64::new(*bits)),
        (WasmValue::V128(bytes), _) => I::V128Const(i128::from_le_bytes(*bytes)),
        (WasmValue::Reference(_), ValType::Ref(ty)) => I::RefNull(ty.heap_type),
        (WasmValue::Reference(_), _) => {
            return Err(InstrumentError::Standalone { why: "a call has a reference for a number".to_string() });
        }
    });
    Ok(())
}

/// A value's bits, as [`store`] leaves them.
pub(super) fn bytes(value: &WasmValue) -> [u8; 16] {
    let word = match value {
        WasmValue::I32(value) => u64::from(*value as u32),
        WasmValue::I64(value) => *value as u64,
        WasmValue::F32(bits) => u64::from(*bits),
        WasmValue::F64(bits) => *bits,
        WasmValue::V128(bytes) => return *bytes,
        WasmValue::Reference(word) => u64::from(word == "null"),
    };
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&word.to_le_bytes());
    bytes
}

/// The value whose bits these are.
pub(crate) fn value(ty: wasmparser::ValType, bytes: [u8; 16]) -> WasmValue {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[..8]);
    let word = u64::from_le_bytes(word);
    match ty {
        wasmparser::ValType::I32 => WasmValue::I32(word as u32 as i32),
        wasmparser::ValType::I64 => WasmValue::I64(word as i64),
        wasmparser::ValType::F32 => WasmValue::F32(word as u32),
        wasmparser::ValType::F64 => WasmValue::F64(word),
        wasmparser::ValType::V128 => WasmValue::V128(bytes),
        wasmparser::ValType::Ref(_) => {
            WasmValue::Reference(if word & 1 == 1 { "null" } else { "reference" }.to_string())
        }
    }
}
