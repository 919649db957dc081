//! A guest under wasmi.

use super::convert::{failure, from_engine, to_engine};
use crate::engine::drive::{self, Ended, Guest, Visit};
use crate::engine::limit::GrowthLimit;
use crate::engine::session::{Halt, Next, Session};
use crate::instrument::{BUFFER_EXPORT, FLUSH_IMPORT, HOOK_IMPORT, IMPORT_MODULE};
use crate::job::{Call, Run};
use crate::memories::Memories;
use crate::memories::View;
use crate::values::WasmValue;
use std::io;
use std::sync::Arc;
use wasmi::{
    AsContext, AsContextMut, Caller, Engine, Error, Extern, ExternType, Func, FuncType, Instance, Linker, Memory,
    Module, Store, StoreLimits, Val,
};

/// What host functions need.
struct State {
    /// Away while it looks at memories, which belong to the same store.
    session: Option<Box<Session>>,
    /// Where a module that records inline does.
    buffer: Option<Memory>,
    /// The original module's memories.
    memories: Arc<[Memory]>,
    limits: StoreLimits,
}

impl wasmi::errors::HostError for Halt {}

/// An instance and its store.
pub(super) struct WasmiGuest {
    instance: Instance,
    store: Store<State>,
}

impl WasmiGuest {
    /// Instantiates a module, whose start function is an export.
    pub(super) fn new(
        engine: &Engine,
        module: &Module,
        run: &Run,
        session: Session,
        limit: GrowthLimit,
    ) -> Result<WasmiGuest, Error> {
        let state = State {
            session: Some(Box::new(session)),
            buffer: None,
            memories: Arc::new([]),
            limits: limit.for_wasmi(),
        };
        let mut store = Store::new(engine, state);
        store.limiter(|state| &mut state.limits);
        let mut linker = Linker::new(engine);
        linker.func_wrap(IMPORT_MODULE, FLUSH_IMPORT, |mut caller: Caller<'_, State>, _: u32| flush(&mut caller))?;
        linker.func_wrap(
            IMPORT_MODULE,
            HOOK_IMPORT,
            |mut caller: Caller<'_, State>, site: u32, first: u64, second: u64, third: u64| {
                let session = caller.data_mut().session.as_mut();
                let next = session.map_or(Next::Stop, |session| session.event(site, [first, second, third]));
                go_on(&mut caller, next)
            },
        )?;
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
                    // A module may import the same function twice.
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

/// Defines an imported function of the guest's own: the session knows who answers.
fn answer(
    linker: &mut Linker<State>,
    import: u32,
    module: &str,
    name: &str,
    ty: &FuncType,
) -> Result<(), wasmi::errors::LinkerError> {
    let (from, field) = (module.to_string(), name.to_string());
    linker.func_new(module, name, ty.clone(), move |mut caller, arguments, results| {
        take_block(&mut caller).map_err(|_| Error::host(Halt))?;
        let Some(mut session) = caller.data_mut().session.take() else { return Err(Error::host(Halt)) };
        let arguments: Vec<WasmValue> = arguments.iter().map(from_engine).collect();
        let memories = Arc::clone(&caller.data().memories);
        let answer = session.host_call(import, &arguments, &mut Lent { caller: &mut caller, memories });
        caller.data_mut().session = Some(session);
        let values = answer.map_err(Error::host)?;
        if values.len() != results.len() {
            return Err(Error::new(format!("{} results for {from}.{field}", values.len())));
        }
        for (place, value) in results.iter_mut().zip(&values) {
            *place = to_engine(value, place.ty())
                .ok_or_else(|| Error::new(format!("a result of another type for {from}.{field}: {value}")))?;
        }
        Ok(())
    })?;
    Ok(())
}

/// The memories during a host call.
struct Lent<'a, 'b> {
    caller: &'a mut Caller<'b, State>,
    memories: Arc<[Memory]>,
}

impl Memories for Lent<'_, '_> {
    fn views(&self) -> Vec<View<'_>> {
        views(&self.memories, &*self.caller)
    }

    fn write(&mut self, memory: u32, address: u64, bytes: &[u8]) -> bool {
        let (Some(memory), Ok(address)) = (self.memories.get(memory as usize), usize::try_from(address)) else {
            return false;
        };
        memory.write(&mut *self.caller, address, bytes).is_ok()
    }

    fn grow(&mut self, memory: u32, delta: u64) -> bool {
        let memory = self.memories.get(memory as usize);
        memory.is_some_and(|memory| memory.grow(&mut *self.caller, delta).is_ok())
    }
}

fn views<'a, S: AsContext>(memories: &[Memory], store: &'a S) -> Vec<View<'a>> {
    let view = |(index, memory): (usize, &Memory)| View {
        memory: index as u32,
        pages: memory.size(store),
        bytes: memory.data(store.as_context()),
    };
    memories.iter().enumerate().map(view).collect()
}

/// The buffer of a module that records inline is full.
fn flush(caller: &mut Caller<'_, State>) -> Result<(), Error> {
    let taken = take_block(&mut *caller);
    let next = caller.data_mut().session.as_mut().map_or(Next::Stop, |session| session.after_block(taken));
    go_on(caller, next)
}

fn go_on(caller: &mut Caller<'_, State>, next: Next) -> Result<(), Error> {
    match next {
        Next::GoOn => Ok(()),
        Next::Stop => Err(Error::host(Halt)),
        Next::Look => {
            let mut looked = Ok(());
            let visited = visit(caller, &mut |session, views| {
                looked = session.look(views);
                Ok(())
            });
            match visited {
                Ok(()) => looked.map_err(Error::host),
                Err(_) => Err(Error::host(Halt)),
            }
        }
    }
}

/// Takes what is in the guest's buffer, if it has one.
fn take_block(mut store: impl AsContextMut<Data = State>) -> io::Result<()> {
    let Some(buffer) = store.as_context().data().buffer else { return Ok(()) };
    let (data, state) = buffer.data_and_store_mut(&mut store);
    state.session.as_mut().map_or(Ok(()), |session| session.take_block(data))
}

/// Hands out session and memories, when all records so far are taken.
fn visit(mut store: impl AsContextMut<Data = State>, visit: Visit<'_>) -> io::Result<()> {
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

    fn call(&mut self, call: &Call) -> Ended {
        let Some(function) = self.instance.get_func(&self.store, &call.function) else {
            return Ended::no_function(&call.function);
        };
        match invoke(function, call, &mut self.store) {
            Ok(values) => Ended::Returned(values),
            Err(error) => failure(&error),
        }
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

fn invoke(function: Func, call: &Call, store: &mut Store<State>) -> Result<Vec<WasmValue>, Error> {
    let ty = function.ty(&*store);
    let arguments = call.arguments.iter().zip(ty.params()).map(|(value, ty)| to_engine(value, *ty));
    let arguments: Option<Vec<Val>> = arguments.collect();
    let arguments = arguments.ok_or_else(|| Error::new("an argument of another type than the parameter"))?;
    let mut results: Vec<Val> = ty.results().iter().map(|ty| Val::default_for_ty(*ty)).collect();
    function.call(&mut *store, &arguments, &mut results)?;
    Ok(results.iter().map(from_engine).collect())
}
