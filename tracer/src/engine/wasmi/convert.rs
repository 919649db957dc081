//! Conversion between wasmi's values, errors and traps and those of the protocol.

use crate::engine::drive::Ended;
use crate::values::{WasmValue, host_value};
use forkpoint_traces::TrapKind;
use wasmi::{AsContext, AsContextMut, Error, ExternRef, F32, F64, Nullable, TrapCode, V128, Val, ValType};

/// A value of this type; `None` if it has another.
pub(crate) fn to_engine(value: &WasmValue, ty: ValType) -> Option<Val> {
    let value = match value {
        WasmValue::I32(value) => Val::I32(*value),
        WasmValue::I64(value) => Val::I64(*value),
        WasmValue::F32(bits) => Val::F32(F32::from_bits(*bits)),
        WasmValue::F64(bits) => Val::F64(F64::from_bits(*bits)),
        WasmValue::V128(bytes) => Val::V128(V128::from(u128::from_le_bytes(*bytes))),
        WasmValue::Reference(_) => match ty {
            ValType::FuncRef => Val::FuncRef(Nullable::Null),
            ValType::ExternRef => Val::ExternRef(Nullable::Null),
            _ => return None,
        },
    };
    (value.ty() == ty).then_some(value)
}

/// The same for a guest; one of the host's values by its number.
pub(super) fn to_guest(store: impl AsContextMut, value: &WasmValue, ty: ValType) -> Option<Val> {
    match value {
        WasmValue::Reference(text) if ty == ValType::ExternRef && text != "null" => {
            let number = host_value(text, "extern")?;
            Some(Val::ExternRef(Nullable::Val(ExternRef::new(store, number))))
        }
        value => to_engine(value, ty),
    }
}

/// A value of a guest's; one of the host's by its number.
pub(super) fn from_guest(store: impl AsContext, value: &Val) -> WasmValue {
    let store = store.as_context();
    match value {
        Val::ExternRef(Nullable::Val(object)) => match object.data(store).downcast_ref::<u32>() {
            Some(number) => WasmValue::Reference(format!("extern {number}")),
            None => from_engine(value),
        },
        value => from_engine(value),
    }
}

pub(crate) fn from_engine(value: &Val) -> WasmValue {
    let reference = |null: bool| WasmValue::Reference(if null { "null" } else { "reference" }.to_string());
    match value {
        Val::I32(value) => WasmValue::I32(*value),
        Val::I64(value) => WasmValue::I64(*value),
        Val::F32(value) => WasmValue::F32(value.to_bits()),
        Val::F64(value) => WasmValue::F64(value.to_bits()),
        Val::V128(value) => WasmValue::V128(value.as_u128().to_le_bytes()),
        Val::FuncRef(function) => reference(function.is_null()),
        Val::ExternRef(object) => reference(object.is_null()),
    }
}

/// How a call that did not return ended. wasmi keeps no backtrace.
pub(super) fn failure(error: &Error) -> Ended {
    let trap = error.as_trap_code().map_or(TrapKind::HostError, trap_kind);
    Ended::Trapped { trap, message: error.to_string(), frames: Vec::new() }
}

fn trap_kind(trap: TrapCode) -> TrapKind {
    match trap {
        TrapCode::UnreachableCodeReached => TrapKind::Unreachable,
        TrapCode::MemoryOutOfBounds => TrapKind::MemoryOutOfBounds,
        TrapCode::TableOutOfBounds => TrapKind::TableOutOfBounds,
        TrapCode::IndirectCallToNull => TrapKind::UndefinedElement,
        TrapCode::IntegerDivisionByZero => TrapKind::IntegerDivideByZero,
        TrapCode::IntegerOverflow => TrapKind::IntegerOverflow,
        TrapCode::BadConversionToInteger => TrapKind::InvalidConversion,
        TrapCode::StackOverflow => TrapKind::StackOverflow,
        TrapCode::BadSignature => TrapKind::IndirectCallType,
        TrapCode::GrowthOperationLimited | TrapCode::OutOfSystemMemory => TrapKind::OutOfMemory,
        TrapCode::OutOfFuel => TrapKind::Other,
    }
}
