//! A store in which a script runs: with its original modules, or with each of them rewritten.

use super::check::check;
use super::handle::Handle;
use super::replay::{self, Event, Replay};
use super::script::{Action, Directive};
use super::value::{self, Outcome, Value};
use forkpoint_tracer::instrument::{
    BUFFER_EXPORT, EXPORT_PREFIX, FLUSH_IMPORT, HOOK_IMPORT, IMPORT_MODULE, Instrumented, Options, RECORDS_AT,
    START_EXPORT, instrument,
};
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;
use wasmparser::{Validator, WasmFeatures};
use wasmtime::{Caller, Engine, Extern, Func, Global, Instance, Module, Store, Val};
use wast::core::WastArgCore;

/// The features that the rewriter accepts.
const FEATURES: WasmFeatures = WasmFeatures::WASM3
    .union(WasmFeatures::CUSTOM_PAGE_SIZES)
    .union(WasmFeatures::WIDE_ARITHMETIC)
    .union(WasmFeatures::STACK_SWITCHING);

/// An instance, and the number of its recorder in the replay.
#[derive(Clone, Copy)]
struct Live {
    instance: Instance,
    recorder: Option<usize>,
}

pub struct World<'e> {
    engine: &'e Engine,
    /// How modules are rewritten; `None` for the originals.
    options: Option<&'e Options>,
    pub store: Store<Replay>,
    spectest: HashMap<String, Extern>,
    instances: Vec<Live>,
    current: Option<usize>,
    named: HashMap<String, usize>,
    registered: HashMap<String, usize>,
    definitions: HashMap<Option<String>, Vec<u8>>,
    /// Modules compiled.
    pub modules: usize,
    /// Why the last step failed.
    pub reason: String,
}

impl<'e> World<'e> {
    pub fn new(engine: &'e Engine, options: Option<&'e Options>) -> World<'e> {
        let mut store = Store::new(engine, Replay::default());
        let spectest = super::spectest::exports(engine, &mut store);
        World {
            engine,
            options,
            store,
            spectest,
            instances: Vec::new(),
            current: None,
            named: HashMap::new(),
            registered: HashMap::new(),
            definitions: HashMap::new(),
            modules: 0,
            reason: String::new(),
        }
    }

    /// Performs one step.
    pub fn step(&mut self, directive: &Directive<'_>) -> Outcome {
        match directive {
            Directive::Module { name, binary, instantiate } => {
                if let Some(binary) = binary {
                    self.definitions.insert(None, binary.clone());
                    if let Some(name) = name {
                        self.definitions.insert(Some((*name).to_string()), binary.clone());
                    }
                }
                if *instantiate { self.instance(*name, binary.as_deref()) } else { self.reject(binary.as_deref()) }
            }
            Directive::Instance { name, module } => {
                let binary = self.definitions.get(&module.map(str::to_string)).cloned();
                self.instance(*name, binary.as_deref())
            }
            Directive::Register { name, instance } => match self.find(*instance) {
                Some(found) => {
                    self.registered.insert((*name).to_string(), found);
                    Outcome::Done(Vec::new())
                }
                None => Outcome::Missing,
            },
            Directive::Reject { binary } => self.reject(binary.as_deref()),
            Directive::Run { action, .. } => self.action(action),
        }
    }

    fn action(&mut self, action: &Action<'_>) -> Outcome {
        match action {
            Action::Instantiate { binary } => match self.instantiate(binary.as_deref()) {
                Ok(_) => Outcome::Done(Vec::new()),
                Err(outcome) => outcome,
            },
            Action::Get { instance, name } => match self.export(*instance, name) {
                Some(Extern::Global(global)) => {
                    let value = global.get(&mut self.store);
                    Outcome::Done(vec![value::read(&mut self.store, &value)])
                }
                _ => Outcome::Missing,
            },
            Action::Invoke { instance, name, arguments } => match self.export(*instance, name) {
                Some(Extern::Func(function)) => self.call(function, arguments),
                _ => Outcome::Missing,
            },
        }
    }

    fn call(&mut self, function: Func, arguments: &[WastArgCore<'_>]) -> Outcome {
        let ty = function.ty(&self.store);
        let arguments: wasmtime::Result<Vec<Val>> =
            arguments.iter().zip(ty.params()).map(|(a, ty)| value::argument(&mut self.store, a, &ty)).collect();
        let mut results = vec![Val::I32(0); ty.results().len()];
        let called = arguments.and_then(|arguments| function.call(&mut self.store, &arguments, &mut results));
        match called {
            Ok(()) => Outcome::Done(results.iter().map(|value| value::read(&mut self.store, value)).collect()),
            Err(error) => Outcome::of_error(&mut self.store, &error),
        }
    }

    fn find(&self, name: Option<&str>) -> Option<usize> {
        match name {
            Some(name) => self.named.get(name).copied(),
            None => self.current,
        }
    }

    fn export(&mut self, instance: Option<&str>, name: &str) -> Option<Extern> {
        let found = self.find(instance)?;
        self.instances[found].instance.get_export(&mut self.store, name)
    }

    /// Makes an instance the current one.
    fn instance(&mut self, name: Option<&str>, binary: Option<&[u8]>) -> Outcome {
        self.current = None;
        match self.instantiate(binary) {
            Ok(live) => {
                self.instances.push(live);
                let index = self.instances.len() - 1;
                self.current = Some(index);
                if let Some(name) = name {
                    self.named.insert(name.to_string(), index);
                }
                Outcome::Done(Vec::new())
            }
            Err(outcome) => outcome,
        }
    }

    fn instantiate(&mut self, binary: Option<&[u8]>) -> Result<Live, Outcome> {
        let (module, rewritten) = self.compile(binary.ok_or(Outcome::Rejected)?)?;
        let recorder = rewritten.map(|rewritten| {
            let original = Rc::from(binary.unwrap_or_default());
            self.store.data_mut().announce(rewritten, original)
        });
        let imports = self.imports(&module, recorder).ok_or(Outcome::Unlinkable)?;
        let globals: Vec<Global> = imports.iter().filter_map(|import| import.clone().into_global()).collect();
        if let Some(id) = recorder {
            replay::imports(&mut self.store, id, &imports);
        }
        let instance = match Instance::new(&mut self.store, &module, &imports) {
            Ok(instance) => instance,
            Err(error) => {
                self.reason = format!("{error:#}");
                let outcome = Outcome::of_error(&mut self.store, &error);
                let (Some(id), Outcome::Trap(trap)) = (recorder, &outcome) else {
                    return Err(if matches!(outcome, Outcome::Failed(_)) { Outcome::Unlinkable } else { outcome });
                };
                // Tables come first: if one of their segments traps, no data segment was copied.
                if *trap == wasmtime::Trap::MemoryOutOfBounds {
                    replay::active_segments(&mut self.store, id, &globals);
                }
                return Err(outcome);
            }
        };
        if let Some(id) = recorder {
            replay::defined(&mut self.store, id, &instance);
            replay::active_segments(&mut self.store, id, &globals);
            if let Some(start) = instance.get_func(&mut self.store, START_EXPORT)
                && let Err(error) = start.call(&mut self.store, &[], &mut [])
            {
                return Err(Outcome::of_error(&mut self.store, &error));
            }
        }
        Ok(Live { instance, recorder })
    }

    /// Compiles a module, rewritten or not.
    fn compile(&mut self, binary: &[u8]) -> Result<(Module, Option<Rc<Instrumented>>), Outcome> {
        let mut refused = |error: String| {
            self.reason = error;
            Outcome::Rejected
        };
        let Some(options) = self.options else {
            let module = Module::from_binary(self.engine, binary).map_err(|error| refused(format!("{error:#}")))?;
            self.modules += 1;
            return Ok((module, None));
        };
        let rewritten = instrument(binary, options);
        let valid = Validator::new_with_features(FEATURES).validate_all(binary).is_ok();
        assert_eq!(rewritten.is_ok(), valid, "the rewriter refuses what the validator refuses: {rewritten:?}");
        let rewritten = rewritten.map_err(|error| refused(error.to_string()))?;
        check(binary, &rewritten);
        let module =
            Module::from_binary(self.engine, &rewritten.module).map_err(|error| refused(format!("{error:#}")))?;
        self.modules += 1;
        Ok((module, Some(Rc::new(rewritten))))
    }

    /// A module that must not be accepted, or only be defined.
    fn reject(&mut self, binary: Option<&[u8]>) -> Outcome {
        let Some(binary) = binary else { return Outcome::Rejected };
        match self.compile(binary) {
            Ok(_) => Outcome::Done(Vec::new()),
            Err(outcome) => outcome,
        }
    }

    /// A module's imports; `None` if one is missing.
    fn imports(&mut self, module: &Module, recorder: Option<usize>) -> Option<Vec<Extern>> {
        let mut imports = Vec::new();
        for import in module.imports() {
            imports.push(match (import.module(), import.name()) {
                (IMPORT_MODULE, FLUSH_IMPORT) => flush(&mut self.store, recorder?).into(),
                (IMPORT_MODULE, HOOK_IMPORT) => hook(&mut self.store, recorder?).into(),
                (module, name) => match self.registered.get(module) {
                    Some(found) => self.instances[*found].instance.get_export(&mut self.store, name)?,
                    None if module == "spectest" => self.spectest.get(name)?.clone(),
                    None => return None,
                },
            });
        }
        Some(imports)
    }

    /// The events of the last step, and models of memories that the script can still reach by name.
    pub fn settle(&mut self) -> (Vec<Event>, Vec<usize>) {
        let events = replay::drain(&mut self.store);
        let live = self.current.iter().chain(self.named.values()).chain(self.registered.values());
        let mut models: Vec<usize> = live
            .filter_map(|index| self.instances[*index].recorder)
            .flat_map(|recorder| self.store.data().models(recorder).to_vec())
            .collect();
        models.sort_unstable();
        models.dedup();
        (events, models)
    }

    /// Everything that the instances export at the end: contents of memories, numbers in globals, sizes of tables.
    pub fn end_state(&mut self) -> Vec<(usize, String, Vec<Value>)> {
        let mut state = Vec::new();
        for (index, live) in self.instances.clone().into_iter().enumerate() {
            let names: Vec<String> =
                live.instance.exports(&mut self.store).map(|export| export.name().to_string()).collect();
            for name in names.into_iter().filter(|name| !name.starts_with(EXPORT_PREFIX)) {
                let export = live.instance.get_export(&mut self.store, &name).expect("listed");
                let value = match &export {
                    Extern::Global(global) => {
                        let value = global.get(&mut self.store);
                        vec![value::read(&mut self.store, &value)]
                    }
                    Extern::Table(table) => vec![Value::I64(table.size(&self.store))],
                    _ => match Handle::of(&export) {
                        Some(handle) => {
                            let bytes = handle.bytes(&self.store);
                            let mut hasher = DefaultHasher::new();
                            bytes.hash(&mut hasher);
                            vec![Value::I64(bytes.len() as u64), Value::I64(hasher.finish())]
                        }
                        None => continue,
                    },
                };
                state.push((index, name, value));
            }
        }
        state
    }
}

fn flush(store: &mut Store<Replay>, recorder: usize) -> Func {
    Func::wrap(store, move |mut caller: Caller<'_, Replay>, length: i32| {
        let buffer = caller.get_export(BUFFER_EXPORT).and_then(Extern::into_memory).expect("exported");
        let (bytes, replay) = buffer.data_and_store_mut(&mut caller);
        replay.block(recorder, &bytes[RECORDS_AT..][..length as usize]);
    })
}

fn hook(store: &mut Store<Replay>, recorder: usize) -> Func {
    Func::wrap(store, move |mut caller: Caller<'_, Replay>, site: u32, a: u64, b: u64, c: u64| {
        caller.data_mut().hook(recorder, site, [a, b, c]);
    })
}
