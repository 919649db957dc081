//! What a guest imports: WASI, the functions that the recorder answers, and memories.

use super::memories::GuestMemory;
use super::state::State;
use super::{asked, embedded, live, records};
use crate::engine::drive::left_behind;
use crate::engine::lent::views;
use crate::host::fixed;
use crate::host::trampoline::{self, Forwarded};
use crate::instrument::{BUFFER_EXPORT, IMPORT_MODULE};
use crate::job::Run;
use forkpoint_traces::{Import, wasi as preview1};
use std::sync::Arc;
use wasmtime::{
    Engine, Extern, Func, FuncType, Instance, Linker, Memory, MemoryType, Module, SharedMemory, Store, ValType,
};
use wasmtime_wasi::p1::{self, WasiP1Ctx};
use wasmtime_wasi::{FsPerms, WasiCtxBuilder};

pub(super) fn wasi(run: &Run) -> wasmtime::Result<WasiP1Ctx> {
    let mut builder = WasiCtxBuilder::new();
    builder.inherit_stdio().args(&run.wasi.arguments).envs(&run.wasi.environment);
    builder.allow_blocking_current_thread(true);
    for (host, guest) in &run.wasi.directories {
        builder.preopened_dir(host, guest, FsPerms::ReadWrite)?;
    }
    if run.wasi.deterministic {
        fixed::fix(&mut builder);
    }
    Ok(builder.build_p1())
}

/// Gives the module its imports, and instantiates it without its start function.
pub(super) fn instantiate(engine: &Engine, module: &Module, store: &mut Store<State>) -> wasmtime::Result<Instance> {
    let mut linker = Linker::new(engine);
    let mut wasi = Linker::new(engine);
    p1::add_to_linker_sync(&mut wasi, |state: &mut State| &mut state.wasi)?;
    let mut hosts = Vec::new();
    let mut functions = 0..;
    let live_host = store.data().run.live_host;
    let hosted = store.data().session.as_ref().map_or_else(Default::default, |session| session.hosted());
    records::define(&mut linker)?;
    let mut imported = Vec::new();
    for import in module.imports() {
        let (from, name) = (import.module(), import.name());
        if let Some(ty) = import.ty().memory() {
            let memory = new_memory(engine, ty.clone(), store)?;
            imported.extend(GuestMemory::of(memory.clone()));
            linker.define(&*store, from, name, memory)?;
            continue;
        }
        let Some(ty) = import.ty().func().cloned() else { continue };
        if from == IMPORT_MODULE {
            continue;
        }
        // The rewriter adds its own imports after those of the module.
        let function = functions.next().unwrap_or(u32::MAX);
        let host = match live_host && from == preview1::MODULE {
            true => wasi.get(&mut *store, from, name).ok().and_then(Extern::into_func),
            false => None,
        };
        let import = Import { module: from.to_string(), name: name.to_string() };
        let wrapped = match host {
            Some(host) => {
                hosts.push((host, ty.clone()));
                live::wrapper(store, ty, hosts.len() - 1, function, import)
            }
            None if live_host && hosted.get(&import).is_some() => {
                embedded::wrapper(store, ty, Arc::clone(&hosted), function, import)
            }
            None => asked::wrapper(&mut *store, ty, function),
        };
        // A module may import a function twice: the second wrapper serves both.
        linker.allow_shadowing(true);
        linker.define(&*store, from, name, wrapped)?;
    }
    let instance = match linker.instantiate(&mut *store, module) {
        Ok(instance) => instance,
        Err(error) => {
            if let Some(mut session) = store.data_mut().session.take() {
                left_behind(&mut session, &views(&imported, &*store));
            }
            return Err(error);
        }
    };
    store.data_mut().buffer = instance.get_memory(&mut *store, BUFFER_EXPORT);
    forward(engine, &instance, &hosts, store)?;
    Ok(instance)
}

/// Instantiates the trampoline between the guest's imports and their host functions.
fn forward(
    engine: &Engine,
    instance: &Instance,
    hosts: &[(Func, FuncType)],
    store: &mut Store<State>,
) -> wasmtime::Result<()> {
    let memory = instance.get_export(&mut *store, trampoline::MEMORY).and_then(GuestMemory::of);
    store.data_mut().memory = memory.clone().zip(store.data().run.wasi_memory);
    if hosts.is_empty() {
        return Ok(());
    }
    let function = |(i, (_, ty)): (usize, &(Func, FuncType))| Forwarded {
        name: i.to_string(),
        parameters: encoded(ty.params()),
        results: encoded(ty.results()),
    };
    let functions: Vec<Forwarded> = hosts.iter().enumerate().map(function).collect();
    let ty = memory.as_ref().map(|memory| {
        let ty = memory.ty(&*store);
        trampoline::MemoryKind { memory64: ty.is_64(), shared: ty.is_shared(), page_size_log2: ty.page_size_log2() }
    });
    // Imports are passed in order.
    let module = Module::new(engine, trampoline::build("host", &functions, ty.map(|ty| ("guest", ty))))?;
    let memory_import = memory.clone().map(|memory| match memory {
        GuestMemory::Own(memory) => Extern::Memory(memory),
        GuestMemory::Shared(memory) => Extern::SharedMemory(memory),
    });
    let imports: Vec<Extern> =
        memory_import.into_iter().chain(hosts.iter().map(|(host, _)| Extern::Func(*host))).collect();
    let forwarders = Instance::new(&mut *store, &module, &imports)?;
    store.data_mut().forwarders =
        (0..hosts.len()).filter_map(|i| forwarders.get_func(&mut *store, &i.to_string())).collect();
    Ok(())
}

/// A new memory for an import.
fn new_memory(engine: &Engine, ty: MemoryType, store: &mut Store<State>) -> wasmtime::Result<Extern> {
    Ok(if ty.is_shared() {
        Extern::SharedMemory(SharedMemory::new(engine, ty)?)
    } else {
        Extern::Memory(Memory::new(store, ty)?)
    })
}

/// WASI has integers only.
fn encoded(types: impl Iterator<Item = ValType>) -> Vec<wasm_encoder::ValType> {
    types.map(|ty| if ty.is_i64() { wasm_encoder::ValType::I64 } else { wasm_encoder::ValType::I32 }).collect()
}
