//! An imported function: its type, and who answers it without a host log.

use crate::protocol::HostEnd;
use crate::values::{WasmValue, host_value};
use forkpoint_traces::wasi::{self, Signature};
use forkpoint_traces::{Import, ValueType};
use serde::{Deserialize, Serialize};
use wasmparser::{RefType, ValType};

/// An imported function.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct HostFunction {
    pub(crate) import: Import,
    pub(crate) parameters: Vec<ResultType>,
    pub(crate) results: Vec<ResultType>,
    pub(crate) provider: Provider,
}

/// The type of a result or a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ResultType {
    I32,
    I64,
    F32,
    F64,
    V128,
    Nullable,
    /// A reference of the host's, or null.
    Extern,
    /// A reference that is never null: no value for it can be given.
    Reference,
}

impl ResultType {
    /// Whether a value is of this type.
    pub(crate) fn fits(self, value: &WasmValue) -> bool {
        match (value, self) {
            (WasmValue::I32(_), ResultType::I32)
            | (WasmValue::I64(_), ResultType::I64)
            | (WasmValue::F32(_), ResultType::F32)
            | (WasmValue::F64(_), ResultType::F64)
            | (WasmValue::V128(_), ResultType::V128) => true,
            (WasmValue::Reference(word), ResultType::Nullable) => word == "null",
            (WasmValue::Reference(word), ResultType::Extern) => {
                word == "null" || host_value(word, "extern").is_some()
            }
            _ => false,
        }
    }
}

impl From<ValType> for ResultType {
    fn from(ty: ValType) -> ResultType {
        match ty {
            ValType::I32 => ResultType::I32,
            ValType::I64 => ResultType::I64,
            ValType::F32 => ResultType::F32,
            ValType::F64 => ResultType::F64,
            ValType::V128 => ResultType::V128,
            ValType::Ref(ty) if ty == RefType::EXTERNREF => ResultType::Extern,
            ValType::Ref(ty) if ty.is_nullable() => ResultType::Nullable,
            ValType::Ref(_) => ResultType::Reference,
        }
    }
}

impl From<ValueType> for ResultType {
    fn from(ty: ValueType) -> ResultType {
        match ty {
            ValueType::I32 => ResultType::I32,
            ValueType::I64 => ResultType::I64,
            ValueType::F32 => ResultType::F32,
            ValueType::F64 => ResultType::F64,
            ValueType::V128 => ResultType::V128,
        }
    }
}

impl HostFunction {
    /// The meaning of its arguments, if it is a function of WASI.
    pub(super) fn signature(&self) -> Option<Signature> {
        (self.import.module == wasi::MODULE).then(|| wasi::signature(&self.import.name)).flatten()
    }

    /// Whether only the host of an engine's process, or a host log, can answer it.
    pub(crate) fn needs_engine(&self) -> bool {
        matches!(self.provider, Provider::Engine)
    }

    /// Those that are WASI's.
    pub(crate) fn needs_wasi(&self) -> bool {
        self.needs_engine() && self.signature().is_some()
    }

    /// Whether it can return these values.
    pub(super) fn returns(&self, values: &[WasmValue]) -> bool {
        values.len() == self.results.len() && values.iter().zip(&self.results).all(|(value, ty)| ty.fits(value))
    }
}

/// Who answers an imported function without a host log.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Provider {
    /// The process of an engine that has a host.
    Engine,
    /// Always the same answer.
    Stub(HostEnd),
    /// There is no new thread.
    NoThreads,
    /// Nobody: only a host log can answer it.
    Nobody,
}
