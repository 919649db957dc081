//! What a guest imports: WASI, behind a wrapper that reports what it writes, and memories.

use super::guest::{State, Stopped};
use super::memories::GuestMemory;
use super::records;
use crate::child::Run;
use crate::host::outputs::{self, Output};
use crate::host::{NO_THREAD, THREADS_MODULE, THREADS_NAME, fixed, trampoline};
use crate::instrument::BUFFER_EXPORT;
use std::sync::atomic::Ordering;
use wasmtime::{
    Caller, Engine, Error, Extern, Func, FuncType, Instance, Linker, Memory, MemoryType, Module, SharedMemory, Store,
    Val, ValType,
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

/// Gives the module what it imports, and instantiates it without its start function.
pub(super) fn instantiate(engine: &Engine, module: &Module, store: &mut Store<State>) -> wasmtime::Result<Instance> {
    let mut linker = Linker::new(engine);
    let mut wasi = Linker::new(engine);
    p1::add_to_linker_sync(&mut wasi, |state: &mut State| &mut state.wasi)?;
    let mut hosts = Vec::new();
    records::define(&mut linker)?;
    for import in module.imports() {
        let (from, name) = (import.module(), import.name());
        if let Some(ty) = import.ty().memory() {
            let memory = new_memory(engine, ty.clone(), store)?;
            linker.define(&*store, from, name, memory)?;
            continue;
        }
        if (from, name) == (THREADS_MODULE, THREADS_NAME) {
            linker.func_wrap(from, name, |_: i32| NO_THREAD)?;
            continue;
        }
        let Some(ty) = import.ty().func().cloned() else { continue };
        let Some(host) = wasi.get(&mut *store, from, name).ok().and_then(Extern::into_func) else { continue };
        let number = hosts.len();
        hosts.push((host, ty.clone()));
        // A module may import the same function twice; both go through the same wrapper.
        linker.allow_shadowing(true);
        let wrapped = wrapper(store, ty, number, name);
        linker.define(&*store, from, name, wrapped)?;
    }
    let instance = linker.instantiate(&mut *store, module)?;
    store.data_mut().buffer = instance.get_memory(&mut *store, BUFFER_EXPORT);
    forward(engine, &instance, &hosts, store)?;
    Ok(instance)
}

/// Instantiates the trampoline between the guest's imports and the host functions behind them.
fn forward(
    engine: &Engine,
    instance: &Instance,
    hosts: &[(Func, FuncType)],
    store: &mut Store<State>,
) -> wasmtime::Result<()> {
    if hosts.is_empty() {
        return Ok(());
    }
    let memory = instance.get_export(&mut *store, trampoline::MEMORY).and_then(GuestMemory::of);
    let types: Vec<_> = hosts.iter().map(|(_, ty)| (encoded(ty.params()), encoded(ty.results()))).collect();
    let ty = memory.as_ref().map(|memory| {
        let ty = memory.ty(&*store);
        trampoline::MemoryKind { memory64: ty.is_64(), shared: ty.is_shared(), page_size_log2: ty.page_size_log2() }
    });
    let module = Module::new(engine, trampoline::build(&types, ty))?;
    let memory_import = memory.clone().map(|memory| match memory {
        GuestMemory::Own(memory) => Extern::Memory(memory),
        GuestMemory::Shared(memory) => Extern::SharedMemory(memory),
    });
    let imports: Vec<Extern> =
        memory_import.into_iter().chain(hosts.iter().map(|(host, _)| Extern::Func(*host))).collect();
    let forwarders = Instance::new(&mut *store, &module, &imports)?;
    store.data_mut().forwarders =
        (0..hosts.len()).filter_map(|i| forwarders.get_func(&mut *store, &i.to_string())).collect();
    store.data_mut().memory = memory.zip(store.data().run.wasi_memory);
    Ok(())
}

/// A memory that the module imports: a fresh one.
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

/// The function that the guest calls in place of WASI function `name`: calls it and reports what it wrote.
fn wrapper(store: &mut Store<State>, ty: FuncType, number: usize, name: &str) -> Func {
    let outputs = outputs::outputs_of(name);
    let name = name.to_string();
    Func::new(store, ty, move |mut caller: Caller<'_, State>, arguments, results| {
        if caller.data().control.stop.load(Ordering::Relaxed) {
            return Err(Error::new(Stopped));
        }
        records::around_call(&mut caller)?;
        let before = before(&caller, outputs, arguments);
        let function = caller.data().forwarders[number];
        let result = function.call(&mut caller, arguments, results);
        if result.is_ok() && caller.data().run.wasi.deterministic && matches!(results, [Val::I32(0)]) {
            fix_file_times(&mut caller, &name, &before)?;
        }
        report_writes(&mut caller, before)?;
        records::around_call(&mut caller)?;
        result
    })
}

/// Times of files are the host's clock by another way.
fn fix_file_times(caller: &mut Caller<'_, State>, name: &str, outputs: &[(usize, Vec<u8>)]) -> wasmtime::Result<()> {
    let Some((memory, _)) = caller.data().memory.clone() else { return Ok(()) };
    let mut fixed = outputs.iter().filter_map(|(start, old)| fixed::file_times(name, (*start, start + old.len())));
    fixed.try_for_each(|(at, bytes)| memory.write(&mut *caller, at, &bytes))
}

/// What the call may change, as it is before.
fn before(caller: &Caller<'_, State>, outputs: &[Output], arguments: &[Val]) -> Vec<(usize, Vec<u8>)> {
    let Some((memory, _)) = &caller.data().memory else { return Vec::new() };
    if outputs.is_empty() {
        return Vec::new();
    }
    let arguments: Vec<u64> = arguments
        .iter()
        .map(|argument| match argument {
            Val::I32(value) => u64::from(*value as u32),
            Val::I64(value) => *value as u64,
            _ => 0,
        })
        .collect();
    let data = memory.bytes(caller);
    outputs::ranges(outputs, &arguments, data, &caller.data().run.wasi)
        .into_iter()
        .map(|(start, end)| (start, data[start..end].to_vec()))
        .collect()
}

fn report_writes(caller: &mut Caller<'_, State>, before: Vec<(usize, Vec<u8>)>) -> wasmtime::Result<()> {
    let Some((memory, index)) = caller.data().memory.clone() else { return Ok(()) };
    let mut drained = false;
    for (start, old) in before {
        let new = &memory.bytes(&*caller)[start..start + old.len()];
        let Some(first) = old.iter().zip(new).position(|(old, new)| old != new) else { continue };
        let last = old.iter().zip(new).rposition(|(old, new)| old != new).unwrap_or(first);
        let bytes = new[first..=last].to_vec();
        if !drained {
            records::drain(&mut *caller)?;
            records::settle(&mut *caller)?;
            drained = true;
        }
        caller.data_mut().out.host_write(index, (start + first) as u64, &bytes)?;
    }
    if drained {
        // Watched bytes may be among them.
        records::drain(&mut *caller)?;
    }
    Ok(())
}
