//! Preloaded modules: small WebAssembly modules whose exports answer a guest's imports.
//!
//! They run in wasmi, never in the engine under test, and are recorded like any host function.

use crate::engine::wasmi::convert::{from_engine, to_engine};
use crate::host::embed::{HostError, HostFunctions};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use wasmi::{Engine, ExternType, Linker, Module, Store, Val};

/// A module whose exports answer a guest's imports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preload {
    /// The module name under which the guest imports them.
    pub name: String,
    /// The module, binary.
    pub file: PathBuf,
}

/// Adds the exports of the module in `file` to `functions`, under the module name `name`.
///
/// # Errors
/// In words, when the module cannot be read or instantiated: it must import nothing.
pub(crate) fn preload(Preload { name, file }: &Preload, functions: &mut HostFunctions) -> Result<(), String> {
    let fail = |error: &dyn std::fmt::Display| format!("the preloaded module {}: {error}", file.display());
    let bytes = std::fs::read(file).map_err(|error| fail(&error))?;
    let engine = Engine::default();
    let module = Module::new(&engine, &bytes).map_err(|error| fail(&error))?;
    let mut store = Store::new(&engine, ());
    let instance = Linker::new(&engine).instantiate_and_start(&mut store, &module).map_err(|error| fail(&error))?;
    let shared = Arc::new(Mutex::new(store));
    for export in module.exports() {
        let ExternType::Func(ty) = export.ty() else { continue };
        let store = shared.lock().map_err(|error| fail(&error))?;
        let Some(function) = instance.get_func(&*store, export.name()) else { continue };
        drop(store);
        let (shared, ty) = (Arc::clone(&shared), ty.clone());
        functions.define(name, export.name(), move |_, arguments| {
            let trap = |error: &dyn std::fmt::Display| HostError::Trap(error.to_string());
            let mut store = shared.lock().map_err(|error| trap(&error))?;
            let arguments = arguments.iter().zip(ty.params()).map(|(value, ty)| to_engine(value, *ty));
            let arguments: Option<Vec<Val>> = arguments.collect();
            let arguments = arguments.ok_or_else(|| trap(&"an argument of another type than the parameter"))?;
            let mut results: Vec<Val> = ty.results().iter().map(|ty| Val::default_for_ty(*ty)).collect();
            function.call(&mut *store, &arguments, &mut results).map_err(|error| trap(&error))?;
            Ok(results.iter().map(from_engine).collect())
        });
    }
    Ok(())
}
