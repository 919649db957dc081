//! Conversion between Wasmtime's values, errors and traps and those of the protocol.

use crate::engine::drive::Ended;
use crate::protocol::TrapFrame;
use crate::values::WasmValue;
use forkpoint_traces::TrapKind;
use wasmtime::{Error, Module, Trap, Val, ValType, WasmBacktrace};
use wasmtime_wasi::I32Exit;

pub(super) fn to_engine(value: &WasmValue, ty: &ValType) -> Val {
    match value {
        WasmValue::I32(value) => Val::I32(*value),
        WasmValue::I64(value) => Val::I64(*value),
        WasmValue::F32(bits) => Val::F32(*bits),
        WasmValue::F64(bits) => Val::F64(*bits),
        WasmValue::V128(bytes) => Val::V128(u128::from_le_bytes(*bytes).into()),
        WasmValue::Reference(_) => match ty {
            ValType::Ref(ty) => Val::null_ref(ty.heap_type()),
            _ => Val::I32(0),
        },
    }
}

pub(super) fn from_engine(value: &Val) -> WasmValue {
    match value {
        Val::I32(value) => WasmValue::I32(*value),
        Val::I64(value) => WasmValue::I64(*value),
        Val::F32(bits) => WasmValue::F32(*bits),
        Val::F64(bits) => WasmValue::F64(*bits),
        Val::V128(value) => WasmValue::V128(value.as_u128().to_le_bytes()),
        reference => {
            let null = reference.ref_().is_some_and(|reference| reference.is_null());
            WasmValue::Reference(if null { "null" } else { "reference" }.to_string())
        }
    }
}

/// How a call that did not return ended.
pub(super) fn failure(error: &Error, module: &Module) -> Ended {
    match failure_of(error, |text| std::ptr::eq(text, module.text()).then_some(0)) {
        Ended::Trapped { trap, message, mut frames } => {
            // There is no other one.
            frames.iter_mut().for_each(|frame| frame.instance = None);
            Ended::Trapped { trap, message, frames }
        }
        ended => ended,
    }
}

/// The same among several modules: `which` finds one by its native code.
pub(super) fn failure_of(error: &Error, which: impl Fn(&[u8]) -> Option<u32>) -> Ended {
    if let Some(exit) = error.downcast_ref::<I32Exit>() {
        return Ended::Exited(exit.0);
    }
    let trap = match error.downcast_ref::<Trap>() {
        Some(trap) => trap_kind(*trap),
        None if error.is::<wasmtime::ThrownException>() => TrapKind::UncaughtException,
        None => TrapKind::HostError,
    };
    Ended::Trapped { trap, message: words(error), frames: frames(error, which) }
}

/// An error's message, without its backtrace.
pub(super) fn words(error: &Error) -> String {
    let links = error.chain().map(ToString::to_string).filter(|link| !link.starts_with(BACKTRACE));
    links.collect::<Vec<_>>().join(": ")
}

/// How Wasmtime begins a backtrace.
const BACKTRACE: &str = "error while executing at wasm backtrace";

/// The guest's frames, without those of the trampoline.
fn frames(error: &Error, which: impl Fn(&[u8]) -> Option<u32>) -> Vec<TrapFrame> {
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else { return Vec::new() };
    let own = backtrace.frames().iter().filter_map(|frame| Some((frame, which(frame.module().text())?)));
    own.map(|(frame, instance)| TrapFrame {
        instance: Some(instance),
        function: frame.func_index(),
        offset: frame.module_offset().map(|offset| offset as u32),
        name: frame.func_name().map(str::to_string),
    })
    .collect()
}

fn trap_kind(trap: Trap) -> TrapKind {
    match trap {
        Trap::UnreachableCodeReached => TrapKind::Unreachable,
        Trap::MemoryOutOfBounds => TrapKind::MemoryOutOfBounds,
        Trap::TableOutOfBounds => TrapKind::TableOutOfBounds,
        Trap::IndirectCallToNull => TrapKind::UndefinedElement,
        Trap::BadSignature => TrapKind::IndirectCallType,
        Trap::IntegerOverflow => TrapKind::IntegerOverflow,
        Trap::IntegerDivisionByZero => TrapKind::IntegerDivideByZero,
        Trap::BadConversionToInteger => TrapKind::InvalidConversion,
        Trap::StackOverflow => TrapKind::StackOverflow,
        Trap::HeapMisaligned => TrapKind::UnalignedAtomic,
        Trap::NullReference => TrapKind::NullReference,
        Trap::ArrayOutOfBounds => TrapKind::ArrayOutOfBounds,
        Trap::CastFailure => TrapKind::CastFailure,
        Trap::AllocationTooLarge => TrapKind::OutOfMemory,
        _ => TrapKind::Other,
    }
}
