//! Instances of a program under wasmi.

use super::convert::{failure, from_engine, to_guest};
use super::guest::{State, hook, visit};
use crate::engine::drive::{Ended, Rejected, Visit};
use crate::engine::limit::GrowthLimit;
use crate::engine::session::Session;
use crate::engine::world::{NoInstance, World};
use crate::instrument::IMPORT_MODULE;
use crate::job::{ExportCall, InstanceJob};
use crate::values::WasmValue;
use forkpoint_traces::TrapKind;
use std::io;
use std::path::Path;
use std::sync::Arc;
use wasmi::errors::{ErrorKind, InstantiationError};
use wasmi::{Engine, Error, Extern, Func, Instance, Memory, MemoryType, Module, Nullable, Store, Val, ValType};

/// A store with instances.
pub(super) struct WasmiWorld<'a> {
    engine: &'a Engine,
    store: Store<State>,
    hook: Func,
    instances: Vec<Option<Instance>>,
}

impl<'a> WasmiWorld<'a> {
    pub(super) fn new(engine: &'a Engine, session: Session, limit: GrowthLimit) -> WasmiWorld<'a> {
        let mut store = Store::new(engine, State::new(session, limit));
        store.limiter(State::limits);
        let hook = Func::wrap(&mut store, hook);
        WasmiWorld { engine, store, hook, instances: Vec::new() }
    }

    fn compile(&self, module: &Path) -> Result<Module, Rejected> {
        let bytes = std::fs::read(module).map_err(|error| Rejected::compile(error.to_string()))?;
        Module::new(self.engine, bytes).map_err(|error| Rejected::compile(error.to_string()))
    }

    fn make(&mut self, module: &Path, job: &InstanceJob) -> Result<Instance, NoInstance> {
        let module = self.compile(module).map_err(NoInstance::Rejected)?;
        let mut imports = Vec::new();
        for import in module.imports() {
            if import.module() == IMPORT_MODULE {
                imports.push(Extern::Func(self.hook));
                continue;
            }
            let link = job.import(import.module(), import.name());
            let found = link.and_then(|link| self.instance(link.instance)?.get_export(&self.store, &link.export));
            let Some(found) = found else {
                let words = format!("unknown import {}.{}", import.module(), import.name());
                return Err(NoInstance::Rejected(Rejected::instantiate(words)));
            };
            imports.push(found);
        }
        Instance::new(&mut self.store, &module, &imports).map_err(|error| no_instance(&error))
    }

    fn instance(&self, number: u32) -> Option<Instance> {
        *self.instances.get(number as usize)?
    }

    fn invoke(&mut self, function: Func, call: &ExportCall) -> Result<Vec<WasmValue>, Error> {
        let ty = function.ty(&self.store);
        let arguments = call.arguments.iter().zip(ty.params());
        let arguments: Option<Vec<Val>> = arguments.map(|(value, ty)| self.argument(value, *ty)).collect();
        let arguments = arguments.ok_or_else(|| Error::new("an argument of another type than the parameter"))?;
        let mut results: Vec<Val> = ty.results().iter().map(|ty| Val::default_for_ty(*ty)).collect();
        function.call(&mut self.store, &arguments, &mut results)?;
        Ok(results.iter().map(|value| self.read(value)).collect())
    }

    fn argument(&mut self, value: &WasmValue, ty: ValType) -> Option<Val> {
        to_guest(&mut self.store, value, ty)
    }

    /// A value, with what is known of a reference.
    fn read(&self, value: &Val) -> WasmValue {
        match value {
            Val::FuncRef(Nullable::Val(_)) => WasmValue::Reference("func".to_string()),
            Val::ExternRef(Nullable::Val(object)) => {
                let number = object.data(&self.store).downcast_ref::<u32>();
                WasmValue::Reference(number.map_or("extern".to_string(), |number| format!("extern {number}")))
            }
            value => from_engine(value),
        }
    }
}

/// What an error of instantiation means.
fn no_instance(error: &Error) -> NoInstance {
    // For wasmi, a segment that does not fit into a table is no trap but an error of its own.
    let is_segment =
        matches!(error.kind(), ErrorKind::Instantiation(InstantiationError::ElementSegmentDoesNotFit { .. }));
    match failure(error) {
        Ended::Trapped { message, frames, .. } if is_segment => {
            NoInstance::Trapped(Ended::Trapped { trap: TrapKind::TableOutOfBounds, message, frames })
        }
        ended if error.as_trap_code().is_some() => NoInstance::Trapped(ended),
        _ => NoInstance::Rejected(Rejected::instantiate(error.to_string())),
    }
}

impl World for WasmiWorld<'_> {
    fn check(&mut self, module: &Path) -> Result<(), Rejected> {
        self.compile(module).map(drop)
    }

    fn instantiate(&mut self, module: &Path, job: &InstanceJob) -> Result<(), NoInstance> {
        let made = match module.as_os_str().is_empty() {
            true => Err(NoInstance::Rejected(Rejected::instantiate("there is no module"))),
            false => self.make(module, job),
        };
        let mut memories = self.store.data().memories.to_vec();
        for name in &job.memories {
            let memory = made.as_ref().ok().and_then(|instance| instance.get_memory(&self.store, name));
            let empty = || Memory::new(&mut self.store, MemoryType::new(0, Some(0)));
            match memory.map_or_else(empty, Ok) {
                Ok(memory) => memories.push(memory),
                Err(error) => return Err(NoInstance::Rejected(Rejected::instantiate(error.to_string()))),
            }
        }
        self.store.data_mut().memories = Arc::from(memories);
        self.instances.push(made.as_ref().ok().copied());
        made.map(drop)
    }

    fn visit(&mut self, look: Visit<'_>) -> io::Result<()> {
        visit(&mut self.store, look)
    }

    fn has(&self, instance: u32) -> bool {
        self.instance(instance).is_some()
    }

    fn call(&mut self, instance: u32, call: &ExportCall) -> Ended {
        let found = self.instance(instance).and_then(|instance| instance.get_func(&self.store, &call.function));
        let Some(function) = found else { return Ended::no_function(&call.function) };
        match self.invoke(function, call) {
            Ok(values) => Ended::Returned(values),
            Err(error) => failure(&error),
        }
    }

    fn global(&mut self, instance: u32, name: &str) -> Option<WasmValue> {
        let global = self.instance(instance)?.get_global(&self.store, name)?;
        Some(self.read(&global.get(&self.store)))
    }

    fn table(&mut self, instance: u32, name: &str) -> Option<u64> {
        match self.instance(instance)?.get_export(&self.store, name)? {
            Extern::Table(table) => Some(table.size(&self.store)),
            _ => None,
        }
    }
}
