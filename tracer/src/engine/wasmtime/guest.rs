//! One run of a guest under Wasmtime: host functions, calls, traps.

use super::{Out, images};
use crate::child::{Call, Run, Stop};
use crate::host::outputs::{self, Output};
use crate::host::{fixed, trampoline};
use crate::instrument::{BUFFER_EXPORT, FLUSH_IMPORT, IMPORT_MODULE, START_EXPORT};
use crate::protocol::{Message, TrapFrame};
use crate::shared;
use crate::values::WasmValue;
use forkpoint_traces::TrapKind;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::Ordering;
use wasmtime::{
    AsContextMut, Caller, Engine, Error, Extern, Func, FuncType, Instance, Linker, Memory, Module, Store, Trap, Val,
    ValType, WasmBacktrace,
};
use wasmtime_wasi::p1::{self, WasiP1Ctx};
use wasmtime_wasi::{FsPerms, I32Exit, WasiCtxBuilder};

/// What host functions need.
struct State {
    wasi: WasiP1Ctx,
    out: Out,
    stop: Stop,
    run: Run,
    /// Where the instrumented module records.
    buffer: Option<Memory>,
    /// Number of blocks of records sent.
    sent: u32,
    /// The memory that WASI sees, and its index.
    memory: Option<(Memory, u32)>,
    /// Host functions as the trampoline exports them, by import number.
    forwarders: Vec<Func>,
    /// An error of the socket: nobody listens any more.
    failed: Option<io::Error>,
}

/// The parent wants the run to end.
#[derive(Debug)]
struct Stopped;

impl std::fmt::Display for Stopped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the recorder stopped the run")
    }
}

impl std::error::Error for Stopped {}

/// Instantiates and runs a guest, and reports all of it.
pub(super) fn run(
    engine: &Engine,
    module: &Module,
    run: &Run,
    mut out: Out,
    stop: Stop,
    buffer: OwnedFd,
) -> io::Result<()> {
    let wasi = match wasi(run) {
        Ok(wasi) => wasi,
        Err(error) => return out.message(&Message::SetupFailed(format!("{error:#}"))),
    };
    let state = State {
        wasi,
        out,
        stop,
        run: run.clone(),
        buffer: None,
        sent: 0,
        memory: None,
        forwarders: Vec::new(),
        failed: None,
    };
    let mut store = Store::new(engine, state);
    let instance = match instantiate(engine, module, &mut store) {
        Ok(instance) => instance,
        Err(error) => {
            return store
                .data_mut()
                .out
                .message(&Message::Rejected { stage: "instantiate".to_string(), message: format!("{error:#}") });
        }
    };
    if let Some(memory) = store.data().buffer {
        // SAFETY: this is the guest's buffer, no slice of it is held, and it has the size it always has.
        unsafe { shared::put_under(buffer.as_fd(), memory.data_ptr(&store), memory.data_size(&store))? };
    }
    let memories: Vec<Memory> =
        run.memories.iter().filter_map(|name| instance.get_memory(&mut store, name)).collect();
    send_images(&memories, &mut store)?;
    store.data_mut().out.message(&Message::Instantiated)?;
    if calls(module, &instance, run, &mut store)? {
        send_images(&memories, &mut store)?;
        store.data_mut().out.message(&Message::End)?;
    }
    Ok(())
}

/// Makes all calls; `false` when nobody listens any more.
fn calls(module: &Module, instance: &Instance, run: &Run, store: &mut Store<State>) -> io::Result<bool> {
    let start = Call { function: START_EXPORT.to_string(), arguments: Vec::new() };
    let start = run.has_start.then_some((None, &start));
    let calls = run.calls.iter().enumerate().map(|(i, call)| (Some(i as u32), call));
    for (number, call) in start.into_iter().chain(calls) {
        store.data_mut().out.message(&Message::Call(number))?;
        let result = invoke(instance, call, store);
        drain(&mut *store)?;
        if let Some(error) = store.data_mut().failed.take() {
            return Err(error);
        }
        let message = match result {
            Ok(values) => Message::Returned(values),
            Err(error) => failure(&error, module),
        };
        store.data_mut().out.message(&message)?;
        let over = matches!(message, Message::Exited(_) | Message::Stopped);
        // A module whose start function failed is not there: no export of it can be called.
        if over || number.is_none() && !matches!(message, Message::Returned(_)) {
            break;
        }
    }
    Ok(true)
}

fn send_images(memories: &[Memory], store: &mut Store<State>) -> io::Result<()> {
    // The memories belong to the store and so does the socket: work on a second handle of it.
    let mut out = crate::protocol::FrameWriter(store.data().out.0.try_clone()?);
    for (index, memory) in memories.iter().enumerate() {
        images::send(index as u32, *memory, store, &mut out)?;
    }
    Ok(())
}

fn wasi(run: &Run) -> wasmtime::Result<WasiP1Ctx> {
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

fn instantiate(engine: &Engine, module: &Module, store: &mut Store<State>) -> wasmtime::Result<Instance> {
    let mut linker = Linker::new(engine);
    let mut wasi = Linker::new(engine);
    p1::add_to_linker_sync(&mut wasi, |state: &mut State| &mut state.wasi)?;
    let mut hosts = Vec::new();
    for import in module.imports() {
        let Some(ty) = import.ty().func().cloned() else { continue };
        let (from, name) = (import.module(), import.name());
        if (from, name) == (IMPORT_MODULE, FLUSH_IMPORT) {
            linker.func_wrap(from, name, |mut caller: Caller<'_, State>, _: u32| -> wasmtime::Result<()> {
                flush(&mut caller)
            })?;
            continue;
        }
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
    let memory = instance.get_memory(&mut *store, trampoline::MEMORY);
    let types: Vec<_> = hosts.iter().map(|(_, ty)| (encoded(ty.params()), encoded(ty.results()))).collect();
    let memory64 = memory.map(|memory| memory.ty(&*store).is_64());
    let module = Module::new(engine, trampoline::build(&types, memory64))?;
    let memory_import = memory.map(Extern::Memory);
    let imports: Vec<Extern> =
        memory_import.into_iter().chain(hosts.iter().map(|(host, _)| Extern::Func(*host))).collect();
    let forwarders = Instance::new(&mut *store, &module, &imports)?;
    store.data_mut().forwarders =
        (0..hosts.len()).filter_map(|i| forwarders.get_func(&mut *store, &i.to_string())).collect();
    store.data_mut().memory = memory.zip(store.data().run.wasi_memory);
    Ok(())
}

/// WASI has integers only.
fn encoded(types: impl Iterator<Item = ValType>) -> Vec<wasm_encoder::ValType> {
    types.map(|ty| if ty.is_i64() { wasm_encoder::ValType::I64 } else { wasm_encoder::ValType::I32 }).collect()
}

/// The function that the guest calls in place of WASI function `name`: calls it and reports what it wrote.
fn wrapper(store: &mut Store<State>, ty: FuncType, number: usize, name: &str) -> Func {
    let outputs = outputs::outputs_of(name);
    Func::new(store, ty, move |mut caller: Caller<'_, State>, arguments, results| {
        if caller.data().stop.load(Ordering::Relaxed) {
            return Err(Error::new(Stopped));
        }
        let before = before(&caller, outputs, arguments);
        let function = caller.data().forwarders[number];
        let result = function.call(&mut caller, arguments, results);
        report_writes(&mut caller, before)?;
        result
    })
}

/// What the call may change, as it is before.
fn before(caller: &Caller<'_, State>, outputs: &[Output], arguments: &[Val]) -> Vec<(usize, Vec<u8>)> {
    let Some((memory, _)) = caller.data().memory else { return Vec::new() };
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
    let data = memory.data(caller);
    outputs::ranges(outputs, &arguments, data, &caller.data().run.wasi)
        .into_iter()
        .map(|(start, end)| (start, data[start..end].to_vec()))
        .collect()
}

fn report_writes(caller: &mut Caller<'_, State>, before: Vec<(usize, Vec<u8>)>) -> wasmtime::Result<()> {
    let Some((memory, index)) = caller.data().memory else { return Ok(()) };
    let mut drained = false;
    for (start, old) in before {
        let new = &memory.data(&*caller)[start..start + old.len()];
        let Some(first) = old.iter().zip(new).position(|(old, new)| old != new) else { continue };
        let last = old.iter().zip(new).rposition(|(old, new)| old != new).unwrap_or(first);
        let bytes = new[first..=last].to_vec();
        if !drained {
            drain(&mut *caller)?;
            drained = true;
        }
        caller.data_mut().out.host_write(index, (start + first) as u64, &bytes)?;
    }
    Ok(())
}

/// The instrumented module's buffer is full.
fn flush(caller: &mut Caller<'_, State>) -> wasmtime::Result<()> {
    if let Err(error) = drain(&mut *caller) {
        caller.data_mut().failed = Some(error);
        return Err(Error::new(Stopped));
    }
    if caller.data().stop.load(Ordering::Relaxed) {
        return Err(Error::new(Stopped));
    }
    Ok(())
}

/// Sends what is in the buffer and empties it.
fn drain(mut store: impl AsContextMut<Data = State>) -> io::Result<()> {
    let Some(buffer) = store.as_context().data().buffer else { return Ok(()) };
    let (data, state) = buffer.data_and_store_mut(&mut store);
    shared::send(data, &mut state.sent, &mut state.out)
}

fn invoke(instance: &Instance, call: &Call, store: &mut Store<State>) -> wasmtime::Result<Vec<WasmValue>> {
    let function = instance
        .get_func(&mut *store, &call.function)
        .ok_or_else(|| Error::msg(format!("no function is exported as `{}`", call.function)))?;
    let types = function.ty(&*store);
    let arguments: Vec<Val> =
        call.arguments.iter().zip(types.params()).map(|(value, ty)| to_engine(value, &ty)).collect();
    let mut results = vec![Val::I32(0); types.results().len()];
    function.call(&mut *store, &arguments, &mut results)?;
    Ok(results.iter().map(from_engine).collect())
}

fn to_engine(value: &WasmValue, ty: &ValType) -> Val {
    match value {
        WasmValue::I32(value) => Val::I32(*value),
        WasmValue::I64(value) => Val::I64(*value),
        WasmValue::F32(bits) => Val::F32(*bits),
        WasmValue::F64(bits) => Val::F64(*bits),
        WasmValue::V128(bytes) => Val::V128(u128::from_le_bytes(*bytes).into()),
        WasmValue::Reference(_) => match ty {
            ValType::Ref(ty) => Val::null_ref(ty.heap_type()),
            _ => Val::I32(0),
        },
    }
}

fn from_engine(value: &Val) -> WasmValue {
    match value {
        Val::I32(value) => WasmValue::I32(*value),
        Val::I64(value) => WasmValue::I64(*value),
        Val::F32(bits) => WasmValue::F32(*bits),
        Val::F64(bits) => WasmValue::F64(*bits),
        Val::V128(value) => WasmValue::V128(value.as_u128().to_le_bytes()),
        reference => {
            let null = reference.ref_().is_some_and(|reference| reference.is_null());
            WasmValue::Reference(if null { "null" } else { "reference" }.to_string())
        }
    }
}

/// How a call that did not return ended.
fn failure(error: &Error, module: &Module) -> Message {
    if error.downcast_ref::<Stopped>().is_some() {
        return Message::Stopped;
    }
    if let Some(exit) = error.downcast_ref::<I32Exit>() {
        return Message::Exited(exit.0);
    }
    let trap = match error.downcast_ref::<Trap>() {
        Some(trap) => trap_kind(*trap),
        None if error.is::<wasmtime::ThrownException>() => TrapKind::UncaughtException,
        None => TrapKind::HostError,
    };
    Message::Trapped { trap, message: words(error), frames: frames(error, module) }
}

/// What an error says, its backtrace left out.
fn words(error: &Error) -> String {
    let links = error.chain().map(ToString::to_string).filter(|link| !link.starts_with(BACKTRACE));
    links.collect::<Vec<_>>().join(": ")
}

/// How Wasmtime begins a backtrace.
const BACKTRACE: &str = "error while executing at wasm backtrace";

/// The guest's frames. Those of the trampoline are none of its business.
fn frames(error: &Error, module: &Module) -> Vec<TrapFrame> {
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else { return Vec::new() };
    let own = backtrace.frames().iter().filter(|frame| std::ptr::eq(frame.module().text(), module.text()));
    own.map(|frame| TrapFrame {
        function: frame.func_index(),
        offset: frame.module_offset().map(|offset| offset as u32),
        name: frame.func_name().map(str::to_string),
    })
    .collect()
}

fn trap_kind(trap: Trap) -> TrapKind {
    match trap {
        Trap::UnreachableCodeReached => TrapKind::Unreachable,
        Trap::MemoryOutOfBounds => TrapKind::MemoryOutOfBounds,
        Trap::TableOutOfBounds => TrapKind::TableOutOfBounds,
        Trap::IndirectCallToNull => TrapKind::UndefinedElement,
        Trap::BadSignature => TrapKind::IndirectCallType,
        Trap::IntegerOverflow => TrapKind::IntegerOverflow,
        Trap::IntegerDivisionByZero => TrapKind::IntegerDivideByZero,
        Trap::BadConversionToInteger => TrapKind::InvalidConversion,
        Trap::StackOverflow => TrapKind::StackOverflow,
        Trap::HeapMisaligned => TrapKind::UnalignedAtomic,
        Trap::NullReference => TrapKind::NullReference,
        Trap::ArrayOutOfBounds => TrapKind::ArrayOutOfBounds,
        Trap::CastFailure => TrapKind::CastFailure,
        Trap::AllocationTooLarge => TrapKind::OutOfMemory,
        _ => TrapKind::Other,
    }
}
