//! One run of a guest under Wasmtime: its calls, and what is seen of it before and after.

use super::convert::{failure, from_engine, to_engine};
use super::imports::{instantiate, wasi};
use super::memories::{GuestMemory, views};
use super::{Out, records};
use crate::child::{Call, Checkpoints, Control, Run};
use crate::instrument::START_EXPORT;
use crate::observe::{Watcher, send_image};
use crate::protocol::Message;
use crate::shared::{self, HookBuffer};
use crate::values::WasmValue;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use wasmtime::{Engine, Error, Func, Instance, Memory, Module, Store, Val};
use wasmtime_wasi::p1::WasiP1Ctx;

/// What host functions need.
pub(super) struct State {
    pub(super) wasi: WasiP1Ctx,
    pub(super) out: Out,
    pub(super) control: Arc<Control>,
    pub(super) run: Run,
    /// Where a module that records inline does.
    pub(super) buffer: Option<Memory>,
    /// Where the hook records.
    pub(super) hooks: HookBuffer,
    /// Number of blocks of records sent.
    pub(super) sent: u32,
    /// Bytes of records sent since the last checkpoint.
    pub(super) unchecked: u64,
    /// The original module's memories.
    pub(super) memories: Vec<GuestMemory>,
    pub(super) watcher: Option<Watcher>,
    /// The memory that WASI sees, and its index.
    pub(super) memory: Option<(GuestMemory, u32)>,
    /// Host functions as the trampoline exports them, by import number.
    pub(super) forwarders: Vec<Func>,
    /// An error of the socket: nobody listens any more.
    pub(super) failed: Option<io::Error>,
}

/// The parent wants the run to end.
#[derive(Debug)]
pub(super) struct Stopped;

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
    control: Control,
    buffer: OwnedFd,
) -> io::Result<()> {
    let wasi = match wasi(run) {
        Ok(wasi) => wasi,
        Err(error) => return out.message(&Message::SetupFailed(format!("{error:#}"))),
    };
    let state = State {
        wasi,
        out,
        control: Arc::new(control),
        run: run.clone(),
        buffer: None,
        hooks: HookBuffer::new(buffer.as_fd())?,
        sent: 0,
        unchecked: 0,
        memories: Vec::new(),
        watcher: None,
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
    let memories = GuestMemory::all(&instance, &run.memories, &mut store);
    store.data_mut().memories.clone_from(&memories);
    send_images(&memories, &mut store)?;
    if let Some(watch) = &run.watch {
        let bytes = memories.get(watch.memory as usize).map_or(&[][..], |memory| memory.bytes(&store));
        let watcher = Watcher::new(watch, bytes);
        store.data_mut().watcher = Some(watcher);
    }
    store.data_mut().out.message(&Message::Instantiated)?;
    if run.watch.is_some() {
        store.data_mut().out.message(&Message::Watching)?;
    }
    calls(module, &instance, run, &mut store)?;
    send_images(&memories, &mut store)?;
    let state = final_state(&instance, run, &mut store);
    store.data_mut().out.message(&state)?;
    store.data_mut().out.message(&Message::End)
}

/// Makes all calls.
fn calls(module: &Module, instance: &Instance, run: &Run, store: &mut Store<State>) -> io::Result<()> {
    let start = Call { function: START_EXPORT.to_string(), arguments: Vec::new() };
    let start = run.has_start.then_some((None, &start));
    let calls = run.calls.iter().enumerate().map(|(i, call)| (Some(i as u32), call));
    for (number, call) in start.into_iter().chain(calls) {
        store.data_mut().out.message(&Message::Call(number))?;
        let result = invoke(instance, call, store);
        records::drain(&mut *store)?;
        records::settle(&mut *store)?;
        if let Some(error) = store.data_mut().failed.take() {
            return Err(error);
        }
        let message = match result {
            Ok(values) => Message::Returned(values),
            Err(error) => failure(&error, module),
        };
        if matches!(message, Message::Trapped { .. }) && run.checkpoints != Checkpoints::None {
            records::checkpoint(&mut *store)?;
        }
        store.data_mut().out.message(&message)?;
        let over = matches!(message, Message::Exited(_) | Message::Stopped);
        // A module whose start function failed is not there: no export of it can be called.
        if over || number.is_none() && !matches!(message, Message::Returned(_)) {
            break;
        }
    }
    Ok(())
}

fn send_images(memories: &[GuestMemory], store: &mut Store<State>) -> io::Result<()> {
    let mut out = store.data().out.clone();
    views(memories, store).iter().try_for_each(|view| send_image(view, &mut out))
}

/// Globals and tables at the end.
fn final_state(instance: &Instance, run: &Run, store: &mut Store<State>) -> Message {
    let mut globals = Vec::new();
    for name in &run.globals {
        if let Some(global) = instance.get_global(&mut *store, name) {
            globals.push(from_engine(&global.get(&mut *store)));
        }
    }
    let mut tables = Vec::new();
    for name in &run.tables {
        if let Some(table) = instance.get_table(&mut *store, name) {
            tables.push(table.size(&*store));
        }
    }
    Message::State { globals, tables }
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
