//! Whether the requested compiler made the code: a release without it may silently accept the setting.

use super::abi::{Api, Object, Vector};
use super::config::{self, WINCH};
use crate::features::FeatureSwitches;
use crate::spec::CapiSpec;

/// A module with a function for which no two compilers generate the same code: a loop that counts.
const MODULE: &[u8] = b"\0asm\x01\0\0\0\
    \x01\x06\x01\x60\x01\x7f\x01\x7f\
    \x03\x02\x01\0\
    \x07\x05\x01\x01f\0\0\
    \x0a\x1b\x01\x19\x01\x01\x7f\x03\x40\x20\x01\x20\0\x6a\x21\x01\x20\0\x41\x01\x6b\x22\0\x0d\0\x0b\x20\x01\x0b";

/// Checks that Winch generates other code than Cranelift, if Winch was requested.
///
/// # Errors
/// When it does not, or when that cannot be determined.
pub(super) fn check(api: &Api, engine: Object, spec: &CapiSpec, features: &FeatureSwitches) -> Result<(), String> {
    if spec.compiler.as_deref() != Some(WINCH) {
        return Ok(());
    }
    let other = CapiSpec { compiler: Some("cranelift".to_string()), ..spec.clone() };
    let cranelift = || code(api, config::engine(api, &other, features)?.0);
    let (winch, once, again) = (code(api, engine)?, cranelift()?, cranelift()?);
    if once != again {
        return Err(
            "it is impossible to tell whether the library compiles with Winch: it makes different code of a module each time"
                .to_string(),
        );
    }
    match winch == once {
        true => Err("the library accepts compiler=winch but compiles with Cranelift: the C interface of this \
                     release has no Winch"
            .to_string()),
        false => Ok(()),
    }
}

/// The code that an engine generates for [`MODULE`].
fn code(api: &Api, engine: Object) -> Result<Vec<u8>, String> {
    let mut bytes = MODULE.to_vec();
    let mut code = Vector::empty();
    // SAFETY: the engine is alive and the module is valid; what the library makes is used as `wasm.h` says and,
    // except for the code, never freed.
    let copy = unsafe {
        let store = (api.wasm_store_new)(engine);
        let module = (api.wasm_module_new)(store, &Vector::over(&mut bytes));
        if module.is_null() {
            return Err("the library rejects a module of one loop".to_string());
        }
        (api.wasm_module_serialize)(module, &mut code);
        code.slice().to_vec()
    };
    match copy.is_empty() {
        true => Err("the library does not serialize a module, so its compiler is unknown".to_string()),
        false => Ok(copy),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_module_is_valid() {
        wasmparser::validate(super::MODULE).expect("a valid module");
    }
}
