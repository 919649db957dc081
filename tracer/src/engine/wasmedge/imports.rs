//! What a guest imports under WasmEdge: the recorder's functions, host functions, new memories.

use super::abi::{Api, HostFunction, Object, Release, Status, Text, Value};
use super::host::OwnHost;
use super::limits;
use super::memories::WasmEdgeMemory;
use crate::engine::drive::{Rejected, go_on};
use crate::engine::lent::{EngineMemory, LentMemories, OwnHostCall, views};
use crate::engine::session::{Next, Session};
use crate::instrument::{FLUSH_IMPORT, HOOK_IMPORT, IMPORT_MODULE};
use crate::values::WasmValue;
use std::collections::BTreeMap;
use std::ffi::c_void;
use std::io;

/// Kinds of imports.
const FUNCTION: u32 = 0;
const MEMORY: u32 = 2;

/// Category of errors that are not WasmEdge's own, and our single error in it.
const USER_ERROR: (u32, u32) = (1, 1);

/// The state of host functions, which they reach by a pointer that the engine keeps for them.
pub(super) struct Shared {
    pub(super) api: *const Api,
    pub(super) release: *const Release,
    pub(super) session: Session,
    /// Where a module that records inline has its records.
    pub(super) buffer: Option<WasmEdgeMemory>,
    /// The original module's memories.
    pub(super) memories: Vec<WasmEdgeMemory>,
    /// The library's own WASI, if it is live.
    pub(super) host: Option<OwnHost>,
}

/// The data of one imported function.
struct Imported {
    shared: *mut Shared,
    index: u32,
    arguments: usize,
    results: usize,
}

/// Module instances with all that the module imports: the recorder's functions, host functions, new memories. The
/// memories are those of the guest that exist before it is instantiated.
///
/// # Safety
/// The description must be alive and belong to the module in the machine; the shared state must live as long, and
/// nobody else may hold a reference to it.
pub(super) unsafe fn imports(
    shared: *mut Shared,
    ast: Object,
    page_limit: Option<u64>,
) -> Result<Vec<Object>, Rejected> {
    let (mut modules, mut functions, mut memories) = (BTreeMap::new(), 0, Vec::new());
    // SAFETY: the caller vouches for the description, which owns all that is read here; types and names are copied by
    // the functions that use them.
    unsafe {
        let (api, release) = (&*(*shared).api, &*(*shared).release);
        let mut imports = vec![std::ptr::null(); (api.WasmEdge_ASTModuleListImportsLength)(ast) as usize];
        (api.WasmEdge_ASTModuleListImports)(ast, imports.as_mut_ptr(), imports.len() as u32);
        for import in imports {
            let from = (api.WasmEdge_ImportTypeGetModuleName)(import).read();
            let name = (api.WasmEdge_ImportTypeGetExternalName)(import).read();
            let module =
                *modules.entry(from.clone()).or_insert_with(|| (api.WasmEdge_ModuleInstanceCreate)(Text::of(&from)));
            match (api.WasmEdge_ImportTypeGetExternalType)(import) {
                FUNCTION => {
                    let ty = (api.WasmEdge_ImportTypeGetFunctionType)(ast, import);
                    let (callback, data) = function(api, shared, ty, (&from, &name), functions);
                    functions += 1;
                    let function = (api.WasmEdge_FunctionInstanceCreate)(ty, callback, data, 0);
                    (api.WasmEdge_ModuleInstanceAddFunction)(module, Text::of(&name), function);
                }
                MEMORY => {
                    let ty = (api.WasmEdge_ImportTypeGetMemoryType)(ast, import);
                    let ty = match page_limit {
                        Some(limit) => limits::limited(api, release, ty, limit)?,
                        None => ty,
                    };
                    let memory = (api.WasmEdge_MemoryInstanceCreate)(ty);
                    (api.WasmEdge_ModuleInstanceAddMemory)(module, Text::of(&name), memory);
                    memories.push(WasmEdgeMemory::new(api, release, memory));
                }
                _ => return Err(Rejected::instantiate(format!("nothing provides the import {from}.{name}"))),
            }
        }
        (*shared).memories = memories;
    }
    Ok(modules.into_values().collect())
}

/// A module instance with the hook, if the module imports it: as a host function, so that the engine cannot take another
/// instance's memory for the hook's.
///
/// # Safety
/// As for [`imports`].
pub(super) unsafe fn hook_module(shared: *mut Shared, ast: Object) -> Option<Object> {
    // SAFETY: the caller vouches for the description, which owns all that is read here.
    unsafe {
        let api = &*(*shared).api;
        let mut imports = vec![std::ptr::null(); (api.WasmEdge_ASTModuleListImportsLength)(ast) as usize];
        (api.WasmEdge_ASTModuleListImports)(ast, imports.as_mut_ptr(), imports.len() as u32);
        let import = imports.into_iter().find(|import| {
            (api.WasmEdge_ImportTypeGetModuleName)(*import).read() == IMPORT_MODULE
                && (api.WasmEdge_ImportTypeGetExternalName)(*import).read() == HOOK_IMPORT
        })?;
        let module = (api.WasmEdge_ModuleInstanceCreate)(Text::of(IMPORT_MODULE));
        let ty = (api.WasmEdge_ImportTypeGetFunctionType)(ast, import);
        let function = (api.WasmEdge_FunctionInstanceCreate)(ty, hook, shared.cast(), 0);
        (api.WasmEdge_ModuleInstanceAddFunction)(module, Text::of(HOOK_IMPORT), function);
        Some(module)
    }
}

/// The host function that answers an import, and its data.
fn function(
    api: &Api,
    shared: *mut Shared,
    ty: *const c_void,
    (from, name): (&str, &str),
    index: u32,
) -> (HostFunction, *mut c_void) {
    match (from, name) {
        (IMPORT_MODULE, HOOK_IMPORT) => (hook, shared.cast()),
        (IMPORT_MODULE, FLUSH_IMPORT) => (flush, shared.cast()),
        _ => {
            // SAFETY: the type is one.
            let (arguments, results) = unsafe {
                ((api.WasmEdge_FunctionTypeGetParametersLength)(ty), (api.WasmEdge_FunctionTypeGetReturnsLength)(ty))
            };
            let imported = Imported { shared, index, arguments: arguments as usize, results: results as usize };
            (host_call, Box::into_raw(Box::new(imported)).cast())
        }
    }
}

/// The `Shared` that is the data of a recorder's function.
///
/// # Safety
/// For host functions only, while the guest waits for them: there is no other reference then.
unsafe fn shared<'a>(data: *mut c_void) -> &'a mut Shared {
    // SAFETY: this is what these functions were made with.
    unsafe { &mut *data.cast::<Shared>() }
}

impl Shared {
    /// The result that leaves the guest. The session knows why.
    fn leave(&self) -> Status {
        // SAFETY: any numbers will do.
        unsafe { ((*self.api).WasmEdge_ResultGen)(USER_ERROR.0, USER_ERROR.1) }
    }

    /// Takes the contents of the guest's buffer, if it has one.
    pub(super) fn take_block(&mut self) -> io::Result<()> {
        match &self.buffer {
            Some(buffer) => self.session.take_block(buffer.bytes_mut(&mut ())),
            None => Ok(()),
        }
    }

    fn go_on(&mut self, next: Next) -> Status {
        let Shared { session, memories, .. } = self;
        match go_on(next, |look| look(session, &views(memories, &()))) {
            Ok(()) => Status::FINE,
            Err(_) => self.leave(),
        }
    }
}

/// The hook of a rewritten module.
unsafe extern "C" fn hook(data: *mut c_void, _: *const c_void, arguments: *const Value, _: *mut Value) -> Status {
    // SAFETY: the engine calls this while the guest waits, with four arguments.
    let (shared, arguments) = unsafe { (shared(data), std::slice::from_raw_parts(arguments, 4)) };
    let operand = |i: usize| arguments[i].bits[0];
    let next = shared.session.event(operand(0) as u32, [operand(1), operand(2), operand(3)]);
    shared.go_on(next)
}

/// The buffer of a module that records inline is full.
unsafe extern "C" fn flush(data: *mut c_void, _: *const c_void, _: *const Value, _: *mut Value) -> Status {
    // SAFETY: the engine calls this while the guest waits.
    let shared = unsafe { shared(data) };
    let taken = shared.take_block();
    let next = shared.session.after_block(taken);
    shared.go_on(next)
}

/// A function that the guest itself imports.
unsafe extern "C" fn host_call(
    imported: *mut c_void,
    _: *const c_void,
    arguments: *const Value,
    results: *mut Value,
) -> Status {
    // SAFETY: the engine calls this while the guest waits, with as many arguments and places for results as the
    // function's type has.
    unsafe {
        let imported = &*imported.cast::<Imported>();
        let shared = &mut *imported.shared;
        let (api, release) = (&*shared.api, &*shared.release);
        let arguments = match imported.arguments {
            0 => &[],
            count => std::slice::from_raw_parts(arguments, count),
        };
        let arguments: Vec<WasmValue> = arguments.iter().map(|value| release.taken(api, value)).collect();
        if shared.take_block().is_err() {
            return shared.leave();
        }
        let host = shared.host.as_ref();
        // No view of a memory is left when it is called, since it is lent mutably.
        let mut call =
            host.map(|host| |function: u32, arguments: &[WasmValue]| host.call(api, release, function, arguments));
        let own_host = call.as_mut().map(|call| call as OwnHostCall<'_>);
        let mut lent = LentMemories { memories: &shared.memories, store: &mut (), own_host };
        let Ok(values) = shared.session.host_call(imported.index, &arguments, &mut lent) else {
            return shared.leave();
        };
        if values.len() != imported.results {
            return shared.leave();
        }
        for (i, value) in values.iter().enumerate() {
            let Some(value) = release.given(value) else { return shared.leave() };
            results.add(i).write(value);
        }
        Status::FINE
    }
}
