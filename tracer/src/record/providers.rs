//! What answers an imported function: a script, a preloaded module, a stub, the engine's process, or nothing.

use super::interface::{Interface, Needed, NeededKind};
use super::types::signature;
use crate::error::RecordError;
use crate::host::function::{HostFunction, Provider, ResultType};
use crate::host::preload::{self, Access, GUEST, MEMORY, Preload};
use crate::host::script::HostScript;
use crate::host::stub::{Stub, StubAnswer};
use crate::host::{THREADS_MODULE, THREADS_NAME};
use crate::protocol::HostEnd;
use crate::values::{WasmValue, parse_value};
use forkpoint_traces::{Import, wasi};
use std::collections::{BTreeMap, BTreeSet};
use wasmparser::{FuncType, ValType};

/// Module, name and type of the import that makes a thread.
const THREAD_SPAWN: (&str, &str, &str) = (THREADS_MODULE, THREADS_NAME, "func (i32) -> (i32)");

/// What answers a module's imports.
#[derive(Debug, Default)]
pub struct Imports<'a> {
    /// Stubs for functions that are not WASI's; the first that fits counts.
    pub stubs: &'a [Stub],
    /// Whether a host log answers everything: then no function needs anybody.
    pub logged: bool,
    /// Whether JavaScript gave what is neither a function nor a memory, and the module then defines it.
    pub given: bool,
    /// Whether a module that can make threads is let run without them.
    pub allow_unordered: bool,
    /// Functions that the child process answers by itself: see [`crate::child::main_with`].
    pub hosted: &'a [Import],
    /// Modules whose exports answer imports.
    pub preloads: &'a [Preload],
    /// Scripts whose functions answer imports, before anything else does. They are started to be asked which they have.
    pub scripts: &'a [HostScript],
}

/// Finds what answers each imported function, and whether all other imports can be provided.
pub(super) fn provide(interface: &Interface, imports: &Imports) -> Result<Vec<HostFunction>, RecordError> {
    let mut memories = BTreeSet::new();
    let mut functions = Vec::new();
    let mut missing = Vec::new();
    let preloads = imports.preloads.iter().map(exports_of).collect::<Result<Vec<_>, _>>()?;
    let scripted = scripted(imports.scripts)?;
    for needed in &interface.imports {
        let Needed { import, ty, kind } = needed;
        let provided = match kind {
            // Each imported memory is a fresh one. Imported twice, it would be one memory under two numbers.
            NeededKind::Memory => memories.insert(import),
            NeededKind::Other => imports.given,
            NeededKind::Function(signature) => {
                let results = signature.as_ref().map_or(&[][..], FuncType::results);
                let own =
                    scripted.contains(import) || preloaded(import, signature.as_ref(), imports.preloads, &preloads)?;
                let provider = match own {
                    true => Provider::Engine,
                    false => provider(import, ty, results, imports)?,
                };
                let provided = imports.logged || !matches!(provider, Provider::Nobody);
                let types = |types: &[ValType]| types.iter().map(|ty| ResultType::from(*ty)).collect();
                let parameters = types(signature.as_ref().map_or(&[][..], FuncType::params));
                let results = types(results);
                functions.push(HostFunction { import: import.clone(), parameters, results, provider });
                provided
            }
        };
        if !provided {
            missing.push(format!("  {}: {ty}", import.to_string().escape_debug()));
        }
    }
    if missing.is_empty() {
        let threads = functions.iter().any(|function| matches!(function.provider, Provider::NoThreads));
        return if threads && !imports.allow_unordered { Err(RecordError::Threads) } else { Ok(functions) };
    }
    Err(RecordError::UnresolvedImports { list: missing.join("\n") })
}

type Exports = BTreeMap<String, Option<FuncType>>;

/// The exported functions of a preloaded module.
fn exports_of(preload: &Preload) -> Result<Exports, RecordError> {
    let fail = |why: String| RecordError::Preload { file: preload.file.clone(), why };
    let bytes = preload::read(&preload.file).map_err(fail)?;
    wasmparser::validate(&bytes).map_err(|error| fail(error.to_string()))?;
    let interface = Interface::of(&bytes);
    for needed in &interface.imports {
        let name = needed.import.to_string().escape_debug().to_string();
        let Some(access) = Access::named(&needed.import.name).filter(|_| needed.import.module == GUEST) else {
            return Err(fail(format!(
                "it imports {name} itself, and may import only read, write, size and grow of `{GUEST}` (docs/host.md)"
            )));
        };
        if !needed.is_function_of_integers(access.arity()) {
            let (parameters, results) = access.arity();
            return Err(fail(format!(
                "it imports {name} as {}, expected {parameters} parameter(s) and {results} result(s), each an i32 or \
                 an i64",
                needed.ty
            )));
        }
        if access.needs_memory() && interface.wasi_memory.is_none() {
            return Err(fail(format!("it imports {name}, and exports no memory of its own as `{MEMORY}`")));
        }
    }
    Ok(interface.exports)
}

/// The functions of all scripts.
fn scripted(scripts: &[HostScript]) -> Result<BTreeSet<Import>, RecordError> {
    let mut found = BTreeSet::new();
    for script in scripts {
        let fail = |why: String| RecordError::HostScript { file: script.file.clone(), why };
        for import in script.functions().map_err(fail)? {
            if import.module == wasi::MODULE && wasi::signature(&import.name).is_some() {
                return Err(fail(format!("it has {import}, but only a WASI host answers WASI: leave it out")));
            }
            found.insert(import);
        }
    }
    Ok(found)
}

/// Whether a preloaded module answers an import.
fn preloaded(
    import: &Import,
    ty: Option<&FuncType>,
    preloads: &[Preload],
    exports: &[Exports],
) -> Result<bool, RecordError> {
    for (preload, exports) in preloads.iter().zip(exports).filter(|(preload, _)| preload.name == import.module) {
        match exports.get(&import.name) {
            Some(Some(found)) if Some(found) == ty => return Ok(true),
            Some(found) => {
                let words = |ty: Option<&FuncType>| ty.map_or("no function".to_string(), signature);
                let why = format!(
                    "it exports {} as {}, the guest imports it as {}",
                    import.name.escape_debug(),
                    words(found.as_ref()),
                    words(ty)
                );
                return Err(RecordError::Preload { file: preload.file.clone(), why });
            }
            None => {}
        }
    }
    Ok(false)
}

/// What answers an imported function of this type.
fn provider(import: &Import, ty: &str, results: &[ValType], imports: &Imports) -> Result<Provider, RecordError> {
    if let Some(stub) = imports.stubs.iter().find(|stub| stub.fits(import)) {
        let fail = |why: String| RecordError::Stub {
            stub: stub.to_string(),
            import: import.to_string(),
            ty: ty.to_string(),
            why,
        };
        let values = match &stub.answer {
            StubAnswer::Trap => return Ok(Provider::Stub(HostEnd::Trapped(format!("the stub {stub} says so")))),
            StubAnswer::Results(values) if values.is_empty() => results.iter().map(|ty| zero(*ty)).collect(),
            StubAnswer::Results(values) if values.len() == results.len() => values
                .iter()
                .zip(results)
                .map(|(text, ty)| parse_value(text, *ty).map_err(|error| fail(error.to_string())))
                .collect::<Result<_, _>>()?,
            StubAnswer::Results(values) => {
                return Err(fail(format!("{} result(s) expected, {} given", results.len(), values.len())));
            }
        };
        return Ok(Provider::Stub(HostEnd::Returned(values)));
    }
    if (&*import.module, &*import.name, ty) == THREAD_SPAWN {
        return Ok(Provider::NoThreads);
    }
    if imports.hosted.contains(import) {
        return Ok(Provider::Engine);
    }
    let is_wasi = import.module == wasi::MODULE && wasi::signature(&import.name).is_some();
    Ok(if is_wasi { Provider::Engine } else { Provider::Nobody })
}

/// Zero, or a null reference.
fn zero(ty: ValType) -> WasmValue {
    match ty {
        ValType::I32 => WasmValue::I32(0),
        ValType::I64 => WasmValue::I64(0),
        ValType::F32 => WasmValue::F32(0),
        ValType::F64 => WasmValue::F64(0),
        ValType::V128 => WasmValue::V128([0; 16]),
        ValType::Ref(_) => WasmValue::Reference("null".to_string()),
    }
}
