//! Calls of a guest's exports.

use super::abi::{Api, Object, Value, Vector};
use super::trap::{frames, message};
use super::values::{NULL, from_engine, kinds, to_engine};
use crate::engine::drive::Ended;
use crate::engine::words::{trap_kind, without_backtrace};
use crate::job::ExportCall;
use crate::values::WasmValue;

/// Calls an export, also while the guest waits for a host call.
///
/// # Safety
/// The export must be alive, and no reference to the shared state may be used while the guest runs.
pub(super) unsafe fn invoke(api: &Api, export: Object, call: &ExportCall) -> Ended {
    let arguments: Option<Vec<Value>> = call.arguments.iter().map(to_engine).collect();
    let Some(mut arguments) = arguments.filter(|_| !call.vectors) else {
        return Ended::Impossible(format!(
            "`{}` takes or returns a v128, which the C interface wasm.h cannot pass; call an export without one",
            call.function
        ));
    };
    // SAFETY: the caller vouches for the export; arguments and results are those of the function's type, and no
    // reference to the shared state lives while the guest runs.
    unsafe {
        let function = (api.wasm_extern_as_func)(export);
        if function.is_null() {
            return Ended::no_function(&call.function);
        }
        let ty = (api.wasm_func_type)(function);
        kinds(api, (api.wasm_functype_params)(ty), &mut arguments);
        let mut results = vec![NULL; (*(api.wasm_functype_results)(ty)).size];
        (api.wasm_functype_delete)(ty);
        let arguments = Vector::over(&mut arguments);
        let mut places = Vector::over(&mut results);
        let trap = (api.wasm_func_call)(function, &arguments, &mut places);
        if trap.is_null() {
            let unknown = || WasmValue::Reference("a value of unknown kind".to_string());
            return Ended::Returned(results.iter().map(|value| from_engine(value).unwrap_or_else(unknown)).collect());
        }
        let frames = frames(api, trap);
        let message = without_backtrace(&message(api, trap));
        Ended::Trapped { trap: trap_kind(&message), message, frames }
    }
}
