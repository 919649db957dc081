//! Values without a store: comparable between two runs, and with what a script expects.

use super::script::Expected;
use wasmtime::{AnyRef, AsContextMut, ExternRef, Store, ThrownException, Trap, Val, ValType};
use wast::core::{NanPattern, V128Pattern, WastArgCore, WastRetCore};

/// How deep into structures and arrays a value is compared: they may contain themselves.
const DEPTH: u32 = 3;
/// How many elements of an array are compared.
const ELEMENTS: u32 = 64;

/// A value: numbers bit by bit, references by kind and, if the host can look inside, by contents.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    I32(u32),
    I64(u64),
    F32(u32),
    F64(u64),
    V128(u128),
    Null,
    Func,
    /// A host value behind an `externref`.
    Extern(u32),
    /// An `externref` that is an internal reference.
    Internal(Box<Value>),
    /// A host value behind an `anyref`.
    Host(u32),
    I31(u32),
    Struct(Vec<Value>),
    Array(u32, Vec<Value>),
    /// A reference below the depth of comparison.
    Deep,
    Exception,
    Continuation,
}

/// The result of a step.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    Done(Vec<Value>),
    Trap(Trap),
    Exception(Vec<Value>),
    /// The module is not valid, or the rewriter refuses it.
    Rejected,
    /// Imports are missing or have other types.
    Unlinkable,
    /// The script names an instance or export that is not there: an earlier step failed.
    Missing,
    /// The engine gave up for another reason.
    Failed(String),
}

impl Outcome {
    /// The meaning of an error from running code.
    pub fn of_error<T: 'static>(store: &mut Store<T>, error: &wasmtime::Error) -> Outcome {
        if let Some(trap) = error.downcast_ref::<Trap>() {
            return Outcome::Trap(*trap);
        }
        if error.is::<ThrownException>()
            && let Some(exception) = store.take_pending_exception()
        {
            let fields = exception.fields(&mut *store).map(|fields| fields.collect::<Vec<Val>>());
            let fields = fields.unwrap_or_default();
            return Outcome::Exception(fields.iter().map(|field| read(store, field)).collect());
        }
        Outcome::Failed(error.root_cause().to_string())
    }
}

/// A script's argument for a parameter of type `ty`.
pub fn argument<T>(store: &mut Store<T>, argument: &WastArgCore<'_>, ty: &ValType) -> wasmtime::Result<Val> {
    Ok(match argument {
        WastArgCore::I32(value) => Val::I32(*value),
        WastArgCore::I64(value) => Val::I64(*value),
        WastArgCore::F32(value) => Val::F32(value.bits),
        WastArgCore::F64(value) => Val::F64(value.bits),
        WastArgCore::V128(value) => Val::V128(u128::from_le_bytes(value.to_le_bytes()).into()),
        WastArgCore::RefNull(_) => match ty.as_ref() {
            Some(ty) => Val::null_ref(ty.heap_type()),
            None => Val::I32(0),
        },
        WastArgCore::RefExtern(value) => Val::ExternRef(Some(ExternRef::new(store, *value)?)),
        WastArgCore::RefHost(value) => {
            let value = ExternRef::new(&mut *store, *value)?;
            Val::AnyRef(Some(AnyRef::convert_extern(store, value)?))
        }
    })
}

/// The value that `val` is in `store`.
pub fn read<T: 'static>(store: &mut Store<T>, val: &Val) -> Value {
    // A reference that cannot be read is a fault of this test.
    read_to(store, val, DEPTH).expect("values of the store can be read")
}

fn read_to(mut store: impl AsContextMut, val: &Val, depth: u32) -> wasmtime::Result<Value> {
    Ok(match val {
        Val::I32(value) => Value::I32(*value as u32),
        Val::I64(value) => Value::I64(*value as u64),
        Val::F32(bits) => Value::F32(*bits),
        Val::F64(bits) => Value::F64(*bits),
        Val::V128(value) => Value::V128(value.as_u128()),
        Val::FuncRef(None) | Val::ExternRef(None) | Val::AnyRef(None) | Val::ExnRef(None) | Val::ContRef(None) => {
            Value::Null
        }
        Val::FuncRef(Some(_)) => Value::Func,
        Val::ExnRef(Some(_)) => Value::Exception,
        Val::ContRef(Some(_)) => Value::Continuation,
        Val::ExternRef(Some(reference)) => match reference.data(&store)?.and_then(|data| data.downcast_ref()) {
            Some(value) => Value::Extern(*value),
            None => {
                let inner = AnyRef::convert_extern(&mut store, *reference)?;
                Value::Internal(Box::new(any(store, inner, depth)?))
            }
        },
        Val::AnyRef(Some(reference)) => any(store, *reference, depth)?,
    })
}

fn any(mut store: impl AsContextMut, reference: wasmtime::Rooted<AnyRef>, depth: u32) -> wasmtime::Result<Value> {
    if let Some(value) = reference.as_i31(&store)? {
        return Ok(Value::I31(value.get_u32()));
    }
    if let Some(structure) = reference.as_struct(&store)? {
        let count = if depth == 0 { 0 } else { structure.ty(&store)?.fields().len() };
        let mut fields = Vec::new();
        for index in 0..count {
            let field = structure.field(&mut store, index)?;
            fields.push(read_to(store.as_context_mut(), &field, depth - 1)?);
        }
        return Ok(Value::Struct(fields));
    }
    if let Some(array) = reference.as_array(&store)? {
        let length = array.len(&store)?;
        let count = if depth == 0 { 0 } else { length.min(ELEMENTS) };
        let mut elements = Vec::new();
        for index in 0..count {
            let element = array.get(&mut store, index)?;
            elements.push(read_to(store.as_context_mut(), &element, depth - 1)?);
        }
        return Ok(Value::Array(length, elements));
    }
    if depth == 0 {
        return Ok(Value::Deep);
    }
    let outer = ExternRef::convert_any(&mut store, reference)?;
    let value = outer.data(&store)?.and_then(|data| data.downcast_ref::<u32>()).copied();
    Ok(value.map_or(Value::Deep, Value::Host))
}

impl Expected<'_> {
    /// Whether the outcome is the one the script asserts.
    pub fn is(&self, outcome: &Outcome) -> bool {
        match (self, outcome) {
            (Expected::Nothing, Outcome::Done(_)) => true,
            (Expected::Results(expected), Outcome::Done(values)) => {
                expected.len() == values.len() && expected.iter().zip(values).all(|(e, v)| matches(e, v))
            }
            (Expected::Exhaustion, Outcome::Trap(trap)) => *trap == Trap::StackOverflow,
            (Expected::Trap, Outcome::Trap(trap)) => *trap != Trap::StackOverflow,
            (Expected::Suspension, Outcome::Trap(trap)) => *trap == Trap::UnhandledTag,
            (Expected::Unlinkable, Outcome::Unlinkable) | (Expected::Exception, Outcome::Exception(_)) => true,
            _ => false,
        }
    }
}

fn matches(expected: &WastRetCore<'_>, value: &Value) -> bool {
    match (expected, value) {
        (WastRetCore::I32(e), Value::I32(v)) => *e as u32 == *v,
        (WastRetCore::I64(e), Value::I64(v)) => *e as u64 == *v,
        (WastRetCore::F32(e), Value::F32(v)) => float32(e, *v),
        (WastRetCore::F64(e), Value::F64(v)) => float64(e, *v),
        (WastRetCore::V128(e), Value::V128(v)) => vector(e, *v),
        (WastRetCore::RefNull(_), Value::Null) => true,
        (WastRetCore::RefExtern(None), Value::Extern(_) | Value::Internal(_)) => true,
        (WastRetCore::RefExtern(Some(e)), Value::Extern(v)) | (WastRetCore::RefHost(e), Value::Host(v)) => e == v,
        (WastRetCore::RefFunc(_), Value::Func) => true,
        (WastRetCore::RefAny, Value::Host(_)) => true,
        (WastRetCore::RefAny | WastRetCore::RefEq, Value::I31(_) | Value::Struct(_) | Value::Array(..)) => true,
        (WastRetCore::RefI31, Value::I31(_)) => true,
        (WastRetCore::RefStruct, Value::Struct(_)) | (WastRetCore::RefArray, Value::Array(..)) => true,
        (WastRetCore::Either(cases), value) => cases.iter().any(|case| matches(case, value)),
        _ => false,
    }
}

fn float32(expected: &NanPattern<wast::token::F32>, bits: u32) -> bool {
    match expected {
        NanPattern::CanonicalNan => bits & 0x7fff_ffff == 0x7fc0_0000,
        NanPattern::ArithmeticNan => bits & 0x7fc0_0000 == 0x7fc0_0000,
        NanPattern::Value(value) => value.bits == bits,
    }
}

fn float64(expected: &NanPattern<wast::token::F64>, bits: u64) -> bool {
    match expected {
        NanPattern::CanonicalNan => bits & (u64::MAX >> 1) == 0x7ff8_0000_0000_0000,
        NanPattern::ArithmeticNan => bits & 0x7ff8_0000_0000_0000 == 0x7ff8_0000_0000_0000,
        NanPattern::Value(value) => value.bits == bits,
    }
}

fn vector(expected: &V128Pattern, value: u128) -> bool {
    let lane = |index: usize, width: usize| (value >> (index * width)) as u64 & (u64::MAX >> (64 - width));
    match expected {
        V128Pattern::I8x16(e) => e.iter().enumerate().all(|(i, e)| u64::from(*e as u8) == lane(i, 8)),
        V128Pattern::I16x8(e) => e.iter().enumerate().all(|(i, e)| u64::from(*e as u16) == lane(i, 16)),
        V128Pattern::I32x4(e) => e.iter().enumerate().all(|(i, e)| u64::from(*e as u32) == lane(i, 32)),
        V128Pattern::I64x2(e) => e.iter().enumerate().all(|(i, e)| *e as u64 == lane(i, 64)),
        V128Pattern::F32x4(e) => e.iter().enumerate().all(|(i, e)| float32(e, lane(i, 32) as u32)),
        V128Pattern::F64x2(e) => e.iter().enumerate().all(|(i, e)| float64(e, lane(i, 64))),
    }
}
