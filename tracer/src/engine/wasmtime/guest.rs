//! A guest under Wasmtime.

use super::asked::{invoke, lend};
use super::convert::{failure, from_engine};
use super::imports::{instantiate, wasi};
use super::memories::GuestMemory;
use super::records;
use super::state::State;
use crate::engine::drive::{Ended, Guest, Lend, Visit};
use crate::engine::limit::GrowthLimit;
use crate::engine::session::Session;
use crate::job::{ExportCall, Run};
use crate::values::WasmValue;
use std::io;
use wasmtime::{Engine, Instance, Module, Store};

/// An instance, its store and its module.
pub(super) struct WasmtimeGuest<'a> {
    module: &'a Module,
    instance: Instance,
    store: Store<State>,
}

impl<'a> WasmtimeGuest<'a> {
    /// Instantiates a module whose start function is an export.
    pub(super) fn new(
        engine: &Engine,
        module: &'a Module,
        run: &Run,
        session: Session,
        limit: GrowthLimit,
    ) -> wasmtime::Result<WasmtimeGuest<'a>> {
        let state = State {
            wasi: wasi(run)?,
            session: Some(Box::new(session)),
            run: run.clone(),
            limit,
            buffer: None,
            memories: Vec::new(),
            memory: None,
            forwarders: Vec::new(),
        };
        let mut store = Store::new(engine, state);
        store.limiter(|state| &mut state.limit);
        let instance = instantiate(engine, module, &mut store)?;
        if let Some(memory) = store.data().buffer {
            let (start, length) = (memory.data_ptr(&store), memory.data_size(&store));
            if let Some(session) = &mut store.data_mut().session {
                // SAFETY: this is the guest's buffer, no slice of it is held, its size never changes, and it lives as long
                // as the store, which has the session.
                unsafe { session.share_buffer(start, length)? };
            }
        }
        store.data_mut().memories = GuestMemory::all(&instance, &run.memories, &mut store);
        Ok(WasmtimeGuest { module, instance, store })
    }
}

impl Guest for WasmtimeGuest<'_> {
    fn visit(&mut self, visit: Visit<'_>) -> io::Result<()> {
        records::visit(&mut self.store, visit)
    }

    fn lend(&mut self, with: Lend<'_>) -> io::Result<()> {
        lend(&mut self.store, with).map_err(io::Error::other)
    }

    fn call(&mut self, call: &ExportCall) -> Ended {
        let Some(function) = self.instance.get_func(&mut self.store, &call.function) else {
            return Ended::no_function(&call.function);
        };
        match invoke(&mut self.store, function, call) {
            Ok(values) => Ended::Returned(values),
            Err(error) => failure(&error, self.module),
        }
    }

    fn global(&mut self, name: &str) -> Option<WasmValue> {
        let global = self.instance.get_global(&mut self.store, name)?;
        Some(from_engine(&global.get(&mut self.store)))
    }

    fn table(&mut self, name: &str) -> Option<u64> {
        let table = self.instance.get_table(&mut self.store, name)?;
        Some(table.size(&self.store))
    }
}
