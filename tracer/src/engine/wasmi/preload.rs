//! Runs preloaded modules.
//!
//! They run in wasmi, never in the engine under test, and are recorded like any host function. Their imports from
//! `guest` reach the guest's memory ([`Access`]). Such a function leaves its call with the request, which is served
//! where the memory is accessible, and the call resumes: no pointer to a memory outlives the host call.

use super::convert::{from_engine, to_engine};
use crate::host::embed::{HostError, HostFunctions};
use crate::host::memory::HostMemory;
use crate::host::preload::{Access, MEMORY, Preload, read};
use crate::values::WasmValue;
use std::fmt;
use std::sync::{Arc, Mutex};
use wasmi::errors::HostError as WasmiHostError;
use wasmi::{
    Caller, Config, Engine, Error, ExternType, Func, FuncType, Instance, Linker, Memory, Module, ResumableCall,
    Store, Val, ValType,
};

/// How a function of `guest` leaves the call: with its request and arguments.
#[derive(Debug)]
struct Asked {
    access: Access,
    numbers: Vec<u64>,
    result: Option<ValType>,
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is no guest yet: functions of `guest` work during a host call only")
    }
}

impl WasmiHostError for Asked {}

/// A preloaded module that runs.
struct Preloaded {
    store: Store<()>,
    memory: Option<Memory>,
}

/// Adds the exports of the module in `file` to `functions`, under the module name `name`.
///
/// # Errors
/// In words, when the module cannot be read or instantiated: it may import only functions of `guest`.
pub(crate) fn preload(Preload { name, file }: &Preload, functions: &mut HostFunctions) -> Result<(), String> {
    let fail = |error: &dyn fmt::Display| format!("the preloaded module {}: {error}", file.display());
    let bytes = read(file).map_err(|error| fail(&error))?;
    let mut config = Config::default();
    config.wasm_memory64(true).wasm_multi_memory(true).wasm_simd(true);
    let engine = Engine::new(&config);
    let module = Module::new(&engine, &bytes).map_err(|error| fail(&error))?;
    let mut store = Store::new(&engine, ());
    let mut linker = Linker::new(&engine);
    for import in module.imports() {
        let (ExternType::Func(ty), Some(access)) = (import.ty(), Access::named(import.name())) else { continue };
        let result = ty.results().first().copied();
        let ask = move |_: Caller<'_, ()>, arguments: &[Val], _: &mut [Val]| {
            Err(Error::host(Asked { access, numbers: arguments.iter().map(unsigned).collect(), result }))
        };
        // An import that occurs twice is the same function.
        linker.allow_shadowing(true);
        linker.func_new(import.module(), import.name(), ty.clone(), ask).map_err(|error| fail(&error))?;
    }
    let instance = linker.instantiate_and_start(&mut store, &module).map_err(|error| fail(&error))?;
    let memory = instance.get_memory(&store, MEMORY);
    let exports = exported(&module, &instance, &store);
    let shared = Arc::new(Mutex::new(Preloaded { store, memory }));
    for (export, function, ty) in exports {
        let shared = Arc::clone(&shared);
        functions.define(name, &export, move |guest, arguments| {
            let trap = |error: &dyn fmt::Display| HostError::Trap(error.to_string());
            let mut preloaded = shared.lock().map_err(|error| trap(&error))?;
            let results = preloaded.call(function, &ty, arguments, guest).map_err(|error| trap(&error))?;
            Ok(results.iter().map(from_engine).collect())
        });
    }
    Ok(())
}

fn exported(module: &Module, instance: &Instance, store: &Store<()>) -> Vec<(String, Func, FuncType)> {
    let functions = module.exports().filter_map(|export| match export.ty() {
        ExternType::Func(ty) => {
            Some((export.name().to_string(), instance.get_func(store, export.name())?, ty.clone()))
        }
        _ => None,
    });
    functions.collect()
}

fn unsigned(value: &Val) -> u64 {
    match value {
        Val::I32(value) => u64::from(*value as u32),
        Val::I64(value) => *value as u64,
        _ => 0,
    }
}

impl Preloaded {
    fn call(
        &mut self,
        function: Func,
        ty: &FuncType,
        arguments: &[WasmValue],
        guest: &mut HostMemory<'_>,
    ) -> Result<Vec<Val>, String> {
        let words = |error: Error| error.to_string();
        let arguments = arguments.iter().zip(ty.params()).map(|(value, ty)| to_engine(value, *ty));
        let arguments: Option<Vec<Val>> = arguments.collect();
        let arguments = arguments.ok_or("an argument of another type than the parameter")?;
        let mut results: Vec<Val> = ty.results().iter().map(|ty| Val::default_for_ty(*ty)).collect();
        let mut call = function.call_resumable(&mut self.store, &arguments, &mut results).map_err(words)?;
        loop {
            let left = match call {
                ResumableCall::Finished => return Ok(results),
                ResumableCall::HostTrap(left) => left,
                ResumableCall::OutOfFuel(_) => return Err("it ran out of fuel".to_string()),
            };
            let answer = match left.host_error().downcast_ref::<Asked>() {
                Some(asked) => self.answer(asked, guest)?,
                None => return Err(left.host_error().to_string()),
            };
            call = left.resume(&mut self.store, answer.as_slice(), &mut results).map_err(words)?;
        }
    }

    /// Serves the request in the guest's memory.
    fn answer(&mut self, asked: &Asked, guest: &mut HostMemory<'_>) -> Result<Option<Val>, String> {
        let sized = |number: Option<u64>| match asked.result {
            Some(ValType::I64) => Val::I64(number.map_or(-1, |number| number as i64)),
            _ => Val::I32(number.map_or(-1, |number| number as i32)),
        };
        match (asked.access, asked.numbers.as_slice()) {
            (Access::Size, _) => Ok(Some(sized(Some(guest.pages())))),
            (Access::Grow, [delta]) => Ok(Some(sized(guest.grow(*delta)))),
            (access, [address, own, length]) => {
                let memory = self.memory.ok_or("it exports no memory of its own as `memory`")?;
                let bytes = memory.data_mut(&mut self.store);
                let size = bytes.len();
                let end = own.checked_add(*length).filter(|end| *end <= size as u64);
                let Some(end) = end else {
                    return Err(format!(
                        "{length} bytes at {own:#x} lie outside of the preloaded module's own memory of {size:#x} bytes"
                    ));
                };
                let own = &mut bytes[*own as usize..end as usize];
                let done = match access {
                    Access::Write => guest.write(*address, own),
                    _ => guest.read(*address, *length).map(|bytes| own.copy_from_slice(bytes)),
                };
                done.map(|()| None).map_err(|error| error.to_string())
            }
            _ => Err("a function of `guest` with other parameters".to_string()),
        }
    }
}
