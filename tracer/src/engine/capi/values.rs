//! Conversion between values of `wasm.h` and those of the protocol.

use super::abi::{Api, F32, F64, I32, I64, Object, Payload, REFERENCE, Value, Vector};
use crate::values::WasmValue;

/// The null reference.
pub(super) const NULL: Value = Value { kind: REFERENCE, of: Payload { wide: 0 } };

pub(super) fn to_engine(value: &WasmValue) -> Option<Value> {
    let (kind, of) = match value {
        WasmValue::I32(value) => (I32, Payload { wide: u64::from(*value as u32) }),
        WasmValue::I64(value) => (I64, Payload { wide: *value as u64 }),
        WasmValue::F32(bits) => (F32, Payload { wide: u64::from(*bits) }),
        WasmValue::F64(bits) => (F64, Payload { wide: *bits }),
        WasmValue::V128(_) => return None,
        WasmValue::Reference(_) => return Some(NULL),
    };
    Some(Value { kind, of })
}

pub(super) fn from_engine(value: &Value) -> Option<WasmValue> {
    // SAFETY: the kind says which part of the payload is there; every part is valid for any bits.
    Some(unsafe {
        match value.kind {
            I32 => WasmValue::I32(value.of.word as i32),
            I64 => WasmValue::I64(value.of.wide as i64),
            F32 => WasmValue::F32(value.of.word),
            F64 => WasmValue::F64(value.of.wide),
            REFERENCE.. => {
                let text = if value.of.reference.is_null() { "null" } else { "reference" };
                WasmValue::Reference(text.to_string())
            }
            _ => return None,
        }
    })
}

/// Gives references the kind of their parameter.
///
/// # Safety
/// The types must be those of parameters.
pub(super) unsafe fn kinds(api: &Api, types: *const Vector<Object>, arguments: &mut [Value]) {
    // SAFETY: the caller vouches for the types.
    let types = unsafe { (*types).slice() };
    for (argument, ty) in arguments.iter_mut().zip(types) {
        if argument.kind >= REFERENCE {
            // SAFETY: the same.
            argument.kind = unsafe { (api.wasm_valtype_kind)(*ty) };
        }
    }
}
