//! References in the words of scripts: what a host can know of one.

use super::asked;
use super::convert::{from_engine, to_engine};
use super::state::State;
use crate::values::{HostFunctionValue, WasmValue, host_value};
use forkpoint_traces::ValueType;
use wasmtime::{AnyRef, AsContext, AsContextMut, ExternRef, FuncType, Rooted, Store, Val, ValType};

/// The reference that a script gives, `extern 5` or `host 5`; `None` for any other value.
pub(super) fn argument(store: &mut Store<State>, value: &WasmValue, ty: &ValType) -> wasmtime::Result<Option<Val>> {
    let WasmValue::Reference(text) = value else { return Ok(None) };
    if !matches!(ty, ValType::Ref(_)) {
        return Ok(None);
    }
    if let Some(number) = host_value(text, "extern") {
        return Ok(Some(Val::ExternRef(Some(ExternRef::new(store, number)?))));
    }
    let Some(number) = host_value(text, "host") else { return Ok(None) };
    let outside = ExternRef::new(&mut *store, number)?;
    Ok(Some(Val::AnyRef(Some(AnyRef::convert_extern(store, outside)?))))
}

/// A reference in words; `None` for null, and for what is not a reference.
pub(super) fn read(store: &mut Store<State>, value: &Val) -> wasmtime::Result<Option<WasmValue>> {
    let words = match value {
        Val::FuncRef(Some(_)) => "func".to_string(),
        Val::ExnRef(Some(_)) => "exn".to_string(),
        Val::ContRef(Some(_)) => "cont".to_string(),
        Val::ExternRef(Some(reference)) => match number(store, *reference)? {
            Some(number) => format!("extern {number}"),
            None => "extern".to_string(),
        },
        Val::AnyRef(Some(reference)) => internal(store, *reference)?,
        _ => return Ok(None),
    };
    Ok(Some(WasmValue::Reference(words)))
}

/// A value for the guest; one of the host's by its number.
pub(super) fn to_guest(
    store: impl AsContextMut<Data = State>,
    value: &WasmValue,
    ty: &ValType,
) -> wasmtime::Result<Val> {
    if let WasmValue::Reference(text) = value
        && let Some(HostFunctionValue { number, parameters, results }) = HostFunctionValue::read(text)
    {
        let types = |types: Vec<ValueType>| types.into_iter().map(number_type);
        let ty = FuncType::new(store.as_context().engine(), types(parameters), types(results));
        return Ok(Val::FuncRef(Some(asked::wrapper(store, ty, number))));
    }
    match value {
        WasmValue::Reference(text) if matches!(ty, ValType::Ref(_)) => match host_value(text, "extern") {
            Some(number) => Ok(Val::ExternRef(Some(ExternRef::new(store, number)?))),
            None => Ok(to_engine(value, ty)),
        },
        value => Ok(to_engine(value, ty)),
    }
}

/// A value of the guest's; one of the host's by its number.
pub(super) fn from_guest(store: impl AsContext, value: &Val) -> WasmValue {
    let number = match value {
        Val::ExternRef(Some(reference)) => number(store, *reference).ok().flatten(),
        _ => None,
    };
    number.map_or_else(|| from_engine(value), |number| WasmValue::Reference(format!("extern {number}")))
}

fn number_type(ty: ValueType) -> ValType {
    match ty {
        ValueType::I32 => ValType::I32,
        ValueType::I64 => ValType::I64,
        ValueType::F32 => ValType::F32,
        ValueType::F64 => ValType::F64,
        ValueType::V128 => ValType::V128,
    }
}

fn number(store: impl AsContext, reference: Rooted<ExternRef>) -> wasmtime::Result<Option<u32>> {
    Ok(reference.data(&store)?.and_then(|data| data.downcast_ref()).copied())
}

fn internal(store: &mut Store<State>, reference: Rooted<AnyRef>) -> wasmtime::Result<String> {
    if let Some(value) = reference.as_i31(&*store)? {
        return Ok(format!("i31 {}", value.get_u32()));
    }
    if reference.as_struct(&*store)?.is_some() {
        return Ok("struct".to_string());
    }
    if reference.as_array(&*store)?.is_some() {
        return Ok("array".to_string());
    }
    let outside = ExternRef::convert_any(&mut *store, reference)?;
    Ok(number(store, outside)?.map_or("any".to_string(), |number| format!("host {number}")))
}
