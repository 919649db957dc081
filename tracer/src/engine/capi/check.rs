//! Whether a library lays values out as `wasm.h` says: not every one does, and nothing else would show it.

use super::abi::{Api, I32, I64, Object, Value, Vector};
use std::ffi::c_void;

/// A module whose export calls its import with an `i32` and an `i64`: 7 and -9.
const MODULE: &[u8] = b"\0asm\x01\0\0\0\
    \x01\x09\x02\x60\x02\x7f\x7e\0\x60\0\0\
    \x02\x05\x01\0\0\0\0\
    \x03\x02\x01\x01\
    \x07\x05\x01\x01f\0\x01\
    \x0a\x0a\x01\x08\0\x41\x07\x42\x77\x10\0\x0b";

/// The arguments that the import must see.
const SEEN: [(u8, u64); 2] = [(I32, 7), (I64, -9i64 as u64)];

/// Sets the `bool` behind `right` if the arguments are those of [`MODULE`].
unsafe extern "C" fn look(right: *mut c_void, arguments: *const Vector<Value>, _: *mut Vector<Value>) -> Object {
    // SAFETY: the function is made with a pointer to a `bool` that outlives the call, and the engine passes a vector.
    unsafe {
        let value = |argument: &Value| match argument.kind {
            I32 => (argument.kind, u64::from(argument.of.word)),
            _ => (argument.kind, argument.of.wide),
        };
        *right.cast::<bool>() = (*arguments).slice().iter().map(value).eq(SEEN);
    }
    std::ptr::null_mut()
}

/// Runs a small module whose host function checks its arguments.
///
/// # Errors
/// When they are not what they should be.
pub(super) fn values(api: &Api, store: Object) -> Result<(), String> {
    let mut right = false;
    let mut bytes = MODULE.to_vec();
    let binary = Vector::over(&mut bytes);
    // SAFETY: the store is alive and the module is valid; what the library makes is used as `wasm.h` says and never
    // freed.
    unsafe {
        let module = (api.wasm_module_new)(store, &binary);
        if module.is_null() {
            return Err("the library rejects a module of one call".to_string());
        }
        let (mut imports, mut exports) = (Vector::empty(), Vector::empty());
        (api.wasm_module_imports)(module, &mut imports);
        let [import] = imports.slice() else { return Err("the library miscounts imports".to_string()) };
        let ty = (api.wasm_externtype_as_functype_const)((api.wasm_importtype_type)(*import));
        let function = (api.wasm_func_new_with_env)(store, ty, look, (&raw mut right).cast(), None);
        let mut externals = [(api.wasm_func_as_extern)(function)];
        let mut trap = std::ptr::null_mut();
        let instance = (api.wasm_instance_new)(store, module, &Vector::over(&mut externals), &mut trap);
        if instance.is_null() {
            return Err("the library does not instantiate a module of one call".to_string());
        }
        (api.wasm_instance_exports)(instance, &mut exports);
        let [export] = exports.slice() else { return Err("the library miscounts exports".to_string()) };
        let function = (api.wasm_extern_as_func)(*export);
        (api.wasm_func_call)(function, &Vector::empty(), &mut Vector::empty());
    }
    match right {
        true => Ok(()),
        false => Err("the library does not pass values as the C interface wasm.h lays them out, so its results would be meaningless; use another build of it"
            .to_string()),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_module_is_valid() {
        wasmparser::validate(super::MODULE).expect("a valid module");
    }
}
