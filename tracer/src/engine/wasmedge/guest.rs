//! A guest under WasmEdge.

use super::abi::{Api, NOTHING, Object, Release, Status, Text, Value};
use super::host::OwnHost;
use super::imports::{Shared, imports};
use super::memories::WasmEdgeMemory;
use super::native;
use super::opened::WasmEdge;
use crate::engine::drive::{Ended, Guest, Rejected, Visit, left_behind};
use crate::engine::lent::views;
use crate::engine::session::Session;
use crate::engine::words::trap_kind;
use crate::instrument::BUFFER_EXPORT;
use crate::job::{ExportCall, Run};
use crate::spec::WasmEdgeMode;
use crate::values::WasmValue;
use std::io;

/// An instance.
pub(super) struct WasmEdgeGuest<'a> {
    api: &'a Api,
    release: &'a Release,
    machine: Object,
    /// Ours and never freed, since the engine keeps pointers to it. No reference to it lives while the guest runs.
    shared: *mut Shared,
}

impl<'a> WasmEdgeGuest<'a> {
    /// Instantiates the module in a machine; its start function is an export.
    pub(super) fn new(
        engine: &'a WasmEdge,
        machine: Object,
        ast: Object,
        run: &Run,
        session: Session,
    ) -> Result<WasmEdgeGuest<'a>, Rejected> {
        let (api, release) = (&engine.api, &engine.release);
        let shared = Shared { api, release, session, buffer: None, memories: Vec::new(), host: None };
        let guest = WasmEdgeGuest { api, release, machine, shared: Box::into_raw(Box::new(shared)) };
        let accept = |status: Status| match api.complaint(status) {
            Some(message) => Err(Rejected::instantiate(message)),
            None => Ok(()),
        };
        // SAFETY: machine and description are alive and belong together; no host function runs outside calls, so
        // nobody else holds a reference to the shared state.
        unsafe {
            for module in imports(guest.shared, ast, engine.page_limit)? {
                accept((api.WasmEdge_VMRegisterModuleFromImport)(machine, module))?;
            }
            // The JIT compiles now. If it fails, the engine interprets, and only its log would say so.
            let before = native::unnamed_code()?;
            if let Err(rejected) = accept((api.WasmEdge_VMInstantiate)(machine)) {
                let shared = &mut *guest.shared;
                left_behind(&mut shared.session, &views(&shared.memories, &()));
                return Err(rejected);
            }
            let runs = run.has_start || !run.calls.is_empty();
            if engine.spec.mode == WasmEdgeMode::Jit && runs && native::unnamed_code()? <= before {
                return Err(Rejected::instantiate(native::NONE));
            }
            let instance = (api.WasmEdge_VMGetActiveModule)(machine);
            let memory = |name: &str| {
                let memory = (api.WasmEdge_ModuleInstanceFindMemory)(instance, Text::of(name));
                (!memory.is_null()).then(|| WasmEdgeMemory::new(api, release, memory))
            };
            let shared = &mut *guest.shared;
            shared.memories = run.memories.iter().filter_map(|name| memory(name)).collect();
            shared.buffer = memory(BUFFER_EXPORT);
            if run.live_host {
                let host = OwnHost::new(api, instance, run);
                shared.host = Some(host.map_err(|why| why.tell(&mut shared.session))?);
            }
            if let Some(buffer) = shared.buffer {
                let (start, length) = buffer.place();
                shared
                    .session
                    .share_buffer(start, length)
                    .map_err(|error| Rejected::instantiate(format!("sharing the buffer: {error}")))?;
            }
        }
        Ok(guest)
    }
}

impl Guest for WasmEdgeGuest<'_> {
    fn visit(&mut self, visit: Visit<'_>) -> io::Result<()> {
        // SAFETY: the guest does not run, so this is the only reference to the shared state.
        let shared = unsafe { &mut *self.shared };
        shared.take_block()?;
        visit(&mut shared.session, &views(&shared.memories, &()))
    }

    fn call(&mut self, call: &ExportCall) -> Ended {
        let (api, name) = (self.api, Text::of(&call.function));
        let arguments: Option<Vec<Value>> = call.arguments.iter().map(|value| self.release.given(value)).collect();
        let Some(arguments) = arguments else {
            return Ended::Impossible(format!(
                "`{}` takes a reference, which cannot be made outside WasmEdge yet; call an export without one",
                call.function
            ));
        };
        // SAFETY: the machine is alive, arguments and results are as many as the function's type has, and no
        // reference to the shared state lives while the guest runs.
        unsafe {
            let ty = (api.WasmEdge_VMGetFunctionType)(self.machine, name);
            if ty.is_null() {
                return Ended::no_function(&call.function);
            }
            let mut results = vec![NOTHING; (api.WasmEdge_FunctionTypeGetReturnsLength)(ty) as usize];
            let status = (api.WasmEdge_VMExecute)(
                self.machine,
                name,
                arguments.as_ptr(),
                arguments.len() as u32,
                results.as_mut_ptr(),
                results.len() as u32,
            );
            match api.complaint(status) {
                None => Ended::Returned(results.iter().map(|value| self.release.taken(api, value)).collect()),
                Some(message) => Ended::Trapped { trap: trap_kind(&message), message, frames: Vec::new() },
            }
        }
    }

    fn global(&mut self, name: &str) -> Option<WasmValue> {
        // SAFETY: the machine is alive, and its globals live as long.
        unsafe {
            let instance = (self.api.WasmEdge_VMGetActiveModule)(self.machine);
            let global = (self.api.WasmEdge_ModuleInstanceFindGlobal)(instance, Text::of(name));
            if global.is_null() {
                return None;
            }
            let value = (self.api.WasmEdge_GlobalInstanceGetValue)(global);
            Some(self.release.taken(self.api, &value))
        }
    }

    fn table(&mut self, name: &str) -> Option<u64> {
        // SAFETY: as for globals.
        unsafe {
            let instance = (self.api.WasmEdge_VMGetActiveModule)(self.machine);
            let table = (self.api.WasmEdge_ModuleInstanceFindTable)(instance, Text::of(name));
            let size = |table: Object| (self.api.WasmEdge_TableInstanceGetSize)(table);
            (!table.is_null()).then(|| self.release.size(size(table)))
        }
    }
}
