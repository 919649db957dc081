//! A guest under wasmi.

use super::convert::{failure, from_engine, from_guest, to_guest};
use crate::engine::drive::{self, Ended, Guest, Lend, Visit, go_on};
use crate::engine::lent::{EngineMemory, LentMemories, views};
use crate::engine::limit::GrowthLimit;
use crate::engine::session::{Halt, HostTurn, Next, Session};
use crate::instrument::{BUFFER_EXPORT, FLUSH_IMPORT, HOOK_IMPORT, IMPORT_MODULE};
use crate::job::{ExportCall, Run};
use crate::memories::Memories;
use crate::values::{HostFunctionValue, WasmValue};
use forkpoint_traces::ValueType;
use std::io;
use std::sync::Arc;
use wasmi::{
    AsContextMut, Caller, Engine, Error, Extern, ExternType, Func, FuncType, Instance, Linker, Memory, Module,
    Nullable, ResourceLimiter, Store, StoreLimits, Val, ValType,
};

/// The state of host functions.
pub(super) struct State {
    /// Taken out while it looks at memories, which belong to the same store.
    session: Option<Box<Session>>,
    /// Where a module that records inline has its records.
    buffer: Option<Memory>,
    /// The original module's memories.
    pub(super) memories: Arc<[Memory]>,
    limits: StoreLimits,
}

impl State {
    /// Without memories.
    pub(super) fn new(session: Session, limit: GrowthLimit) -> State {
        State { session: Some(Box::new(session)), buffer: None, memories: Arc::new([]), limits: limit.for_wasmi() }
    }

    /// The limits of the store.
    pub(super) fn limits(&mut self) -> &mut dyn ResourceLimiter {
        &mut self.limits
    }
}

impl wasmi::errors::HostError for Halt {}

/// An instance and its store.
pub(super) struct WasmiGuest {
    instance: Instance,
    store: Store<State>,
}

impl WasmiGuest {
    /// Instantiates a module whose start function is an export.
    pub(super) fn new(
        engine: &Engine,
        module: &Module,
        run: &Run,
        session: Session,
        limit: GrowthLimit,
    ) -> Result<WasmiGuest, Error> {
        let mut store = Store::new(engine, State::new(session, limit));
        store.limiter(State::limits);
        let mut linker = Linker::new(engine);
        linker.func_wrap(IMPORT_MODULE, FLUSH_IMPORT, |mut caller: Caller<'_, State>, _: u32| flush(&mut caller))?;
        linker.func_wrap(IMPORT_MODULE, HOOK_IMPORT, hook)?;
        let mut functions = 0;
        let mut imported = Vec::new();
        for import in module.imports() {
            match import.ty() {
                ExternType::Memory(ty) => {
                    let memory = Memory::new(&mut store, *ty)?;
                    imported.push(memory);
                    linker.define(import.module(), import.name(), memory)?;
                }
                ExternType::Func(ty) if import.module() != IMPORT_MODULE => {
                    // A module may import a function twice.
                    linker.allow_shadowing(true);
                    answer(&mut linker, functions, import.module(), import.name(), ty)?;
                    functions += 1;
                }
                _ => {}
            }
        }
        let instance = match linker.instantiate_and_start(&mut store, module) {
            Ok(instance) => instance,
            Err(error) => {
                if let Some(mut session) = store.data_mut().session.take() {
                    drive::left_behind(&mut session, &views(&imported, &store));
                }
                return Err(error);
            }
        };
        let memory = |name: &str| instance.get_memory(&store, name);
        let (buffer, memories) =
            (memory(BUFFER_EXPORT), run.memories.iter().filter_map(|name| memory(name)).collect());
        let state = store.data_mut();
        (state.buffer, state.memories) = (buffer, memories);
        Ok(WasmiGuest { instance, store })
    }
}

/// Defines one of the guest's imported functions: the session knows who answers it.
fn answer(
    linker: &mut Linker<State>,
    import: u32,
    module: &str,
    name: &str,
    ty: &FuncType,
) -> Result<(), wasmi::errors::LinkerError> {
    linker.func_new(module, name, ty.clone(), answering(import, format!("{module}.{name}")))?;
    Ok(())
}

/// The function that does so, for its number and its name.
fn answering(
    import: u32,
    name: String,
) -> impl Fn(Caller<'_, State>, &[Val], &mut [Val]) -> Result<(), Error> + Send + Sync + 'static {
    move |mut caller, arguments, results| {
        let arguments: Vec<WasmValue> = arguments.iter().map(|value| from_guest(&caller, value)).collect();
        let mut turn = turn(&mut caller, |session, lent| session.host_turn(import, &arguments, lent))?;
        let values = loop {
            match turn {
                HostTurn::Returns(values) => break values,
                HostTurn::Enters(call) => {
                    let function = caller.get_export(&call.function).and_then(Extern::into_func);
                    let ended = enter(function, &call, &mut caller);
                    turn = self::turn(&mut caller, |session, lent| session.entered(ended, lent))?;
                }
            }
        };
        if values.len() != results.len() {
            return Err(Error::new(format!("{} results for {name}", values.len())));
        }
        for (place, value) in results.iter_mut().zip(&values) {
            *place = to_guest(&mut caller, value, place.ty())
                .ok_or_else(|| Error::new(format!("a result of another type for {name}: {value}")))?;
        }
        Ok(())
    }
}

/// A value for the guest: a function of the host's own is one that asks, too.
fn argument(mut store: impl AsContextMut<Data = State>, value: &WasmValue, ty: ValType) -> Option<Val> {
    if let WasmValue::Reference(text) = value
        && let Some(HostFunctionValue { number, parameters, results }) = HostFunctionValue::read(text)
    {
        let types = |types: Vec<ValueType>| types.into_iter().map(number_type).collect::<Vec<_>>();
        let ty = FuncType::new(types(parameters), types(results));
        let function = Func::new(&mut store, ty, answering(number, format!("function {number}")));
        return Some(Val::FuncRef(Nullable::Val(function)));
    }
    to_guest(store, value, ty)
}

fn number_type(ty: ValueType) -> ValType {
    match ty {
        ValueType::I32 => ValType::I32,
        ValueType::I64 => ValType::I64,
        ValueType::F32 => ValType::F32,
        ValueType::F64 => ValType::F64,
        ValueType::V128 => ValType::V128,
    }
}

/// Passes on the session and the guest's memories, for reading and for changes.
fn lend<T>(
    mut store: impl AsContextMut<Data = State>,
    with: impl FnOnce(&mut Session, &mut dyn Memories) -> T,
) -> io::Result<T> {
    take_block(&mut store)?;
    let lost = || io::Error::other(Halt);
    let mut session = store.as_context_mut().data_mut().session.take().ok_or_else(lost)?;
    let memories = Arc::clone(&store.as_context().data().memories);
    let mut lent = LentMemories { memories: &memories, store: &mut store, own_host: None };
    let result = with(&mut session, &mut lent);
    store.as_context_mut().data_mut().session = Some(session);
    Ok(result)
}

/// What the host does next, or the error with which the guest is left.
fn turn(
    caller: &mut Caller<'_, State>,
    with: impl FnOnce(&mut Session, &mut dyn Memories) -> Result<HostTurn, Halt>,
) -> Result<HostTurn, Error> {
    lend(caller, with).map_err(|_| Error::host(Halt))?.map_err(Error::host)
}

impl<S: AsContextMut> EngineMemory<S> for Memory {
    fn pages(&self, store: &S) -> u64 {
        self.size(store)
    }

    fn bytes<'a>(&'a self, store: &'a S) -> &'a [u8] {
        self.data(store.as_context())
    }

    fn bytes_mut<'a>(&'a self, store: &'a mut S) -> &'a mut [u8] {
        self.data_mut(store.as_context_mut())
    }

    fn grow(&self, store: &mut S, delta: u64) -> bool {
        Memory::grow(self, store, delta).is_ok()
    }
}

/// An event of a module that records by hooks.
pub(super) fn hook(
    mut caller: Caller<'_, State>,
    site: u32,
    first: u64,
    second: u64,
    third: u64,
) -> Result<(), Error> {
    let session = caller.data_mut().session.as_mut();
    let next = session.map_or(Next::Stop, |session| session.event(site, [first, second, third]));
    go_on(next, |look| visit(&mut caller, look)).map_err(Error::host)
}

/// The buffer of a module that records inline is full.
fn flush(caller: &mut Caller<'_, State>) -> Result<(), Error> {
    let taken = take_block(&mut *caller);
    let next = caller.data_mut().session.as_mut().map_or(Next::Stop, |session| session.after_block(taken));
    go_on(next, |look| visit(caller, look)).map_err(Error::host)
}

/// Takes the contents of the guest's buffer, if it has one.
fn take_block(mut store: impl AsContextMut<Data = State>) -> io::Result<()> {
    let Some(buffer) = store.as_context().data().buffer else { return Ok(()) };
    let (data, state) = buffer.data_and_store_mut(&mut store);
    state.session.as_mut().map_or(Ok(()), |session| session.take_block(data))
}

/// Passes on session and memories, once all records so far are taken.
pub(super) fn visit(mut store: impl AsContextMut<Data = State>, visit: Visit<'_>) -> io::Result<()> {
    take_block(&mut store)?;
    let Some(mut session) = store.as_context_mut().data_mut().session.take() else { return Ok(()) };
    let memories = Arc::clone(&store.as_context().data().memories);
    let visited = visit(&mut session, &views(&memories, &store));
    store.as_context_mut().data_mut().session = Some(session);
    visited
}

impl Guest for WasmiGuest {
    fn visit(&mut self, visit_: Visit<'_>) -> io::Result<()> {
        visit(&mut self.store, visit_)
    }

    fn lend(&mut self, with: Lend<'_>) -> io::Result<()> {
        lend(&mut self.store, with)
    }

    fn call(&mut self, call: &ExportCall) -> Ended {
        let function = self.instance.get_func(&self.store, &call.function);
        enter(function, call, &mut self.store)
    }

    fn global(&mut self, name: &str) -> Option<WasmValue> {
        let global = self.instance.get_global(&self.store, name)?;
        Some(from_engine(&global.get(&self.store)))
    }

    fn table(&mut self, name: &str) -> Option<u64> {
        match self.instance.get_export(&self.store, name)? {
            Extern::Table(table) => Some(table.size(&self.store)),
            _ => None,
        }
    }
}

/// Calls a function of the guest, which may be waiting for a host call.
fn enter(function: Option<Func>, call: &ExportCall, store: impl AsContextMut<Data = State>) -> Ended {
    let Some(function) = function else { return Ended::no_function(&call.function) };
    match invoke(function, call, store) {
        Ok(values) => Ended::Returned(values),
        Err(error) => failure(&error),
    }
}

fn invoke(
    function: Func,
    call: &ExportCall,
    mut store: impl AsContextMut<Data = State>,
) -> Result<Vec<WasmValue>, Error> {
    let ty = function.ty(&store);
    let arguments = call.arguments.iter().zip(ty.params()).map(|(value, ty)| argument(&mut store, value, *ty));
    let arguments: Option<Vec<Val>> = arguments.collect();
    let arguments = arguments.ok_or_else(|| Error::new("an argument of another type than the parameter"))?;
    let mut results: Vec<Val> = ty.results().iter().map(|ty| Val::default_for_ty(*ty)).collect();
    function.call(&mut store, &arguments, &mut results)?;
    Ok(results.iter().map(|value| from_guest(&store, value)).collect())
}
