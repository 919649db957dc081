//! A guest under an engine with the interface `wasm.h`.

use super::abi::{Api, Object, Vector};
use super::call::invoke;
use super::host::OwnHost;
use super::imports::{Imports, Shared, imports};
use super::memories::CapiMemory;
use super::trap::message;
use super::values::{NULL, from_engine};
use crate::engine::drive::{Ended, Guest, Lend, Rejected, Visit, left_behind};
use crate::engine::lent::{LentMemories, views};
use crate::engine::session::Session;
use crate::engine::words::one_line;
use crate::job::{ExportCall, Run};
use crate::values::WasmValue;
use std::collections::HashMap;
use std::io;

/// An instance.
pub(super) struct CapiGuest<'a> {
    api: &'a Api,
    /// Ours and never freed, since the engine keeps pointers to it. No reference to it lives while the guest runs.
    shared: *mut Shared,
}

impl<'a> CapiGuest<'a> {
    /// Instantiates a module whose start function is an export.
    pub(super) fn new(
        api: &'a Api,
        store: Object,
        module: Object,
        run: &Run,
        session: Session,
    ) -> Result<CapiGuest<'a>, Rejected> {
        let shared = Box::into_raw(Box::new(Shared {
            api,
            store,
            session,
            memories: Vec::new(),
            host: None,
            exports: HashMap::new(),
        }));
        // SAFETY: the module belongs to this store.
        let Imports { mut externals, memories } = unsafe { imports(api, store, module, shared) }?;
        let imports = Vector::over(&mut externals);
        let mut trap = std::ptr::null_mut();
        // SAFETY: there is one import for each of the module's, in order.
        let instance = unsafe { (api.wasm_instance_new)(store, module, &imports, &mut trap) };
        if instance.is_null() || !trap.is_null() {
            let message = match trap.is_null() {
                true => "the library gives no reason".to_string(),
                // SAFETY: the trap is ours.
                false => one_line(&unsafe { message(api, trap) }),
            };
            // SAFETY: the memories are ours, and nothing runs that could change them or use the shared state.
            unsafe { left_behind(&mut (*shared).session, &views(&memories, &())) };
            return Err(Rejected::instantiate(message));
        }
        // SAFETY: module and instance belong together.
        let exports: HashMap<String, Object> = unsafe { exports(api, module, instance) }.into_iter().collect();
        let find = |name: &String| exports.get(name).copied();
        // SAFETY: exports are externals; no host function runs that could hold a reference to the shared state.
        unsafe {
            let shared = &mut *shared;
            let memories = run.memories.iter().filter_map(find).map(|export| (api.wasm_extern_as_memory)(export));
            let memories = memories.filter(|memory| !memory.is_null());
            shared.memories = memories.map(|memory| CapiMemory::new(api, memory)).collect();
            if run.live_host {
                let memory = run.wasi_memory.and_then(|memory| shared.memories.get(memory as usize));
                let memory = memory.map(|memory| (api.wasm_memory_as_extern)(memory.object()));
                let host = OwnHost::new(api, store, memory, run);
                shared.host = Some(host.map_err(|why| why.tell(&mut shared.session))?);
            }
            shared.exports = exports;
        }
        Ok(CapiGuest { api, shared })
    }

    fn export(&self, name: &str) -> Option<Object> {
        // SAFETY: the guest does not run, so there is no other reference to the shared state.
        unsafe { &*self.shared }.exports.get(name).copied()
    }
}

impl Guest for CapiGuest<'_> {
    fn visit(&mut self, visit: Visit<'_>) -> io::Result<()> {
        // SAFETY: the guest does not run, so this is the only reference to the shared state.
        let shared = unsafe { &mut *self.shared };
        visit(&mut shared.session, &views(&shared.memories, &()))
    }

    fn lend(&mut self, with: Lend<'_>) -> io::Result<()> {
        // SAFETY: the guest does not run, so this is the only reference to the shared state.
        let shared = unsafe { &mut *self.shared };
        let mut lent = LentMemories { memories: &shared.memories, store: &mut (), own_host: None };
        with(&mut shared.session, &mut lent);
        Ok(())
    }

    fn call(&mut self, call: &ExportCall) -> Ended {
        let Some(export) = self.export(&call.function) else { return Ended::no_function(&call.function) };
        // SAFETY: export and store are alive, and no reference to the shared state lives while the guest runs.
        unsafe { invoke(self.api, export, call) }
    }

    fn global(&mut self, name: &str) -> Option<WasmValue> {
        read_global(self.api, self.export(name)?)
    }

    fn table(&mut self, name: &str) -> Option<u64> {
        read_table(self.api, self.export(name)?)
    }
}

/// The value of a global that is exported.
pub(super) fn read_global(api: &Api, export: Object) -> Option<WasmValue> {
    // SAFETY: exports are never freed, and the place has room for a value.
    unsafe {
        let global = (api.wasm_extern_as_global)(export);
        if global.is_null() {
            return None;
        }
        let mut value = NULL;
        (api.wasm_global_get)(global, &mut value);
        from_engine(&value)
    }
}

/// The size of a table that is exported.
pub(super) fn read_table(api: &Api, export: Object) -> Option<u64> {
    // SAFETY: exports are never freed.
    unsafe {
        let table = (api.wasm_extern_as_table)(export);
        (!table.is_null()).then(|| (api.wasm_table_size)(table).into())
    }
}

/// The exports of an instance, by name.
///
/// # Safety
/// The instance must be one of this module.
pub(super) unsafe fn exports(api: &Api, module: Object, instance: Object) -> Vec<(String, Object)> {
    let (mut types, mut externals) = (Vector::empty(), Vector::empty());
    // SAFETY: the caller vouches for both; the lists are filled by the engine and never deleted.
    unsafe {
        (api.wasm_module_exports)(module, &mut types);
        (api.wasm_instance_exports)(instance, &mut externals);
        let names = types.slice().iter().map(|ty| api.text((api.wasm_exporttype_name)(*ty)));
        names.zip(externals.slice().iter().copied()).collect()
    }
}
