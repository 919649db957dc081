//! What a guest imports under an engine with the interface `wasm.h`: the hook, host functions, new memories.

use super::abi::{Api, Callback, FUNCTION, MEMORY, Object, Value, Vector};
use super::call::invoke;
use super::host::OwnHost;
use super::memories::CapiMemory;
use super::values::{from_engine, to_engine};
use crate::engine::drive::{Ended, Rejected, go_on};
use crate::engine::lent::{LentMemories, OwnHostCall, views};
use crate::engine::session::{HostTurn, Session};
use crate::instrument::{HOOK_IMPORT, IMPORT_MODULE};
use crate::values::WasmValue;
use std::collections::HashMap;
use std::ffi::c_void;

/// The state of host functions, which they reach by a pointer that the engine keeps for them.
pub(super) struct Shared {
    pub(super) api: *const Api,
    pub(super) store: Object,
    pub(super) session: Session,
    /// The original module's memories.
    pub(super) memories: Vec<CapiMemory>,
    /// The library's own WASI, if it is live.
    pub(super) host: Option<OwnHost>,
    /// What the guest exports, by name, once it exists.
    pub(super) exports: HashMap<String, Object>,
}

/// The data of one imported function.
struct Imported {
    shared: *mut Shared,
    index: u32,
}

/// The values for a module's imports.
pub(super) struct Imports {
    /// One external for each, in order.
    pub(super) externals: Vec<Object>,
    /// The memories among them.
    pub(super) memories: Vec<CapiMemory>,
}

/// Makes the module's imports: the hook, host functions, new memories.
///
/// # Safety
/// The module must belong to the store, and `shared` must live as long as the store.
pub(super) unsafe fn imports(
    api: &Api,
    store: Object,
    module: Object,
    shared: *mut Shared,
) -> Result<Imports, Rejected> {
    let mut list = Vector::empty();
    let (mut externals, mut memories) = (Vec::new(), Vec::new());
    let mut functions = 0;
    // SAFETY: the caller vouches for the module; what the library returns about it lives as long as the list, which
    // is never deleted, and the callbacks get what they expect.
    unsafe {
        (api.wasm_module_imports)(module, &mut list);
        for import in list.slice() {
            let from = api.text((api.wasm_importtype_module)(*import));
            let name = api.text((api.wasm_importtype_name)(*import));
            let ty = (api.wasm_importtype_type)(*import);
            externals.push(match (api.wasm_externtype_kind)(ty) {
                FUNCTION => {
                    let (callback, environment): (Callback, *mut c_void) = match (from.as_str(), name.as_str()) {
                        (IMPORT_MODULE, HOOK_IMPORT) => (hook, shared.cast()),
                        _ => {
                            let imported = Imported { shared, index: functions };
                            (host_call, Box::into_raw(Box::new(imported)).cast())
                        }
                    };
                    functions += 1;
                    let ty = (api.wasm_externtype_as_functype_const)(ty);
                    (api.wasm_func_as_extern)((api.wasm_func_new_with_env)(store, ty, callback, environment, None))
                }
                MEMORY => {
                    let memory = (api.wasm_memory_new)(store, (api.wasm_externtype_as_memorytype_const)(ty));
                    if memory.is_null() {
                        return Err(Rejected::instantiate(format!("the library makes no memory for {from}.{name}")));
                    }
                    memories.push(CapiMemory::new(api, memory));
                    (api.wasm_memory_as_extern)(memory)
                }
                _ => return Err(Rejected::instantiate(format!("nothing provides the import {from}.{name}"))),
            });
        }
    }
    Ok(Imports { externals, memories })
}

/// The hook as an import of this type.
///
/// # Safety
/// The type must be the import's, and `shared` must live as long as the store.
pub(super) unsafe fn hook_for(api: &Api, store: Object, ty: *const c_void, shared: *mut Shared) -> Object {
    // SAFETY: the caller's.
    unsafe {
        let ty = (api.wasm_externtype_as_functype_const)(ty);
        (api.wasm_func_as_extern)((api.wasm_func_new_with_env)(store, ty, hook, shared.cast(), None))
    }
}

/// The hook of a rewritten module.
unsafe extern "C" fn hook(shared: *mut c_void, arguments: *const Vector<Value>, _: *mut Vector<Value>) -> Object {
    // SAFETY: the engine calls this while the guest runs, when there is no other reference to the shared state, with
    // the pointer and the argument types that the function was made with.
    unsafe {
        let shared = &mut *shared.cast::<Shared>();
        let [site, first, second, third] = (*arguments).slice() else { return shared.trap() };
        let operands = [first.of.wide, second.of.wide, third.of.wide];
        let next = shared.session.event(site.of.word, operands);
        let Shared { session, memories, .. } = &mut *shared;
        match go_on(next, |look| look(session, &views(memories, &()))) {
            Ok(()) => std::ptr::null_mut(),
            Err(_) => shared.trap(),
        }
    }
}

/// A function that the guest itself imports.
unsafe extern "C" fn host_call(
    imported: *mut c_void,
    arguments: *const Vector<Value>,
    results: *mut Vector<Value>,
) -> Object {
    // SAFETY: as in `hook`; there is room for as many results as the function's type has, and nobody else writes
    // there.
    unsafe {
        let imported = &*imported.cast::<Imported>();
        let shared = &mut *imported.shared;
        let Some(arguments) = (*arguments).slice().iter().map(from_engine).collect::<Option<Vec<_>>>() else {
            return shared.trap();
        };
        let api = &*shared.api;
        let host = shared.host.as_ref();
        // No view of a memory is left when it is called, since it is lent mutably.
        let mut call = host.map(|host| |function: u32, arguments: &[WasmValue]| host.call(api, function, arguments));
        let own_host = call.as_mut().map(|call| call as OwnHostCall<'_>);
        let mut lent = LentMemories { memories: &shared.memories, store: &mut (), own_host };
        let mut turn = shared.session.host_turn(imported.index, &arguments, &mut lent);
        if let Some(why) = shared.host.as_ref().and_then(OwnHost::take_failure) {
            // If the recorder is gone, the session's own error says so.
            let _ = shared.session.host_failed(why);
        }
        while let Ok(HostTurn::Enters(call)) = &turn {
            // The shared state is looked up anew afterwards: the guest uses it meanwhile.
            let export = (&*imported.shared).exports.get(&call.function).copied();
            let ended = match export {
                Some(export) => invoke(api, export, call),
                None => Ended::no_function(&call.function),
            };
            let shared = &mut *imported.shared;
            let mut lent = LentMemories { memories: &shared.memories, store: &mut (), own_host: None };
            turn = shared.session.entered(ended, &mut lent);
        }
        let shared = &mut *imported.shared;
        let Ok(HostTurn::Returns(values)) = turn else { return shared.trap() };
        let results = &mut *results;
        if values.len() != results.size {
            return shared.trap();
        }
        for (i, value) in values.iter().enumerate() {
            let Some(value) = to_engine(value) else { return shared.trap() };
            results.data.add(i).write(value);
        }
        std::ptr::null_mut()
    }
}

impl Shared {
    /// A trap by which a host function leaves the guest. The session knows why.
    fn trap(&self) -> Object {
        let mut text = *b"the recorder ends the run\0";
        let text = Vector::over(&mut text);
        // SAFETY: the store is alive while its guest runs, and the text is copied.
        unsafe { ((*self.api).wasm_trap_new)(self.store, &text) }
    }
}
