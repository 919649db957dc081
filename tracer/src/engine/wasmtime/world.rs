//! Instances of a program under Wasmtime.

use super::convert::{failure_of, from_engine, to_engine, words};
use super::imports::wasi;
use super::memories::GuestMemory;
use super::records;
use super::references;
use super::state::State;
use crate::engine::drive::{Ended, Rejected, Visit};
use crate::engine::limit::GrowthLimit;
use crate::engine::session::Session;
use crate::engine::world::{NoInstance, World};
use crate::instrument::{HOOK_IMPORT, IMPORT_MODULE};
use crate::job::{ExportCall, InstanceJob, Run};
use crate::values::WasmValue;
use std::io;
use std::path::Path;
use wasmtime::{Engine, Extern, Func, Instance, Linker, Memory, MemoryType, Module, Store, Trap, Val};

/// Compiles the module in a file.
type Compile<'a> = Box<dyn Fn(&Path) -> wasmtime::Result<Module> + 'a>;

/// A store with instances.
pub(super) struct WasmtimeWorld<'a> {
    compile: Compile<'a>,
    store: Store<State>,
    hook: Extern,
    /// Each with its module.
    instances: Vec<Option<(Instance, Module)>>,
}

impl<'a> WasmtimeWorld<'a> {
    pub(super) fn new(
        engine: &Engine,
        compile: Compile<'a>,
        run: &Run,
        session: Session,
        limit: GrowthLimit,
    ) -> wasmtime::Result<WasmtimeWorld<'a>> {
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
        let mut linker = Linker::new(engine);
        records::define(&mut linker)?;
        let hook = linker.get(&mut store, IMPORT_MODULE, HOOK_IMPORT)?;
        Ok(WasmtimeWorld { compile, store, hook, instances: Vec::new() })
    }

    fn compile(&self, module: &Path) -> Result<Module, Rejected> {
        (self.compile)(module).map_err(|error| Rejected::compile(format!("{error:#}")))
    }

    fn make(&mut self, module: &Path, job: &InstanceJob) -> Result<(Instance, Module), NoInstance> {
        let module = self.compile(module).map_err(NoInstance::Rejected)?;
        let mut imports = Vec::new();
        for import in module.imports() {
            if import.module() == IMPORT_MODULE {
                imports.push(self.hook.clone());
                continue;
            }
            let link = job.import(import.module(), import.name());
            let found = link.and_then(|link| self.instance(link.instance)?.get_export(&mut self.store, &link.export));
            let Some(found) = found else {
                let words = format!("unknown import {}.{}", import.module(), import.name());
                return Err(NoInstance::Rejected(Rejected::instantiate(words)));
            };
            imports.push(found);
        }
        match Instance::new(&mut self.store, &module, &imports) {
            Ok(instance) => Ok((instance, module)),
            Err(error) if error.is::<Trap>() => Err(NoInstance::Trapped(failure_of(&error, |_| None))),
            Err(error) => Err(NoInstance::Rejected(Rejected::instantiate(words(&error)))),
        }
    }

    fn instance(&self, number: u32) -> Option<Instance> {
        Some(self.instances.get(number as usize)?.as_ref()?.0)
    }

    fn invoke(&mut self, function: Func, call: &ExportCall) -> wasmtime::Result<Vec<WasmValue>> {
        let types = function.ty(&self.store);
        let mut arguments = Vec::new();
        for (value, ty) in call.arguments.iter().zip(types.params()) {
            let special = references::argument(&mut self.store, value, &ty)?;
            arguments.push(special.unwrap_or_else(|| to_engine(value, &ty)));
        }
        let mut results = vec![Val::I32(0); types.results().len()];
        function.call(&mut self.store, &arguments, &mut results)?;
        results.iter().map(|value| self.read(value)).collect()
    }

    /// A value, with what is known of a reference.
    fn read(&mut self, value: &Val) -> wasmtime::Result<WasmValue> {
        Ok(references::read(&mut self.store, value)?.unwrap_or_else(|| from_engine(value)))
    }
}

impl World for WasmtimeWorld<'_> {
    fn check(&mut self, module: &Path) -> Result<(), Rejected> {
        self.compile(module).map(drop)
    }

    fn instantiate(&mut self, module: &Path, job: &InstanceJob) -> Result<(), NoInstance> {
        let made = match module.as_os_str().is_empty() {
            true => Err(NoInstance::Rejected(Rejected::instantiate("there is no module"))),
            false => self.make(module, job),
        };
        for name in &job.memories {
            let instance = made.as_ref().ok().map(|(instance, _)| *instance);
            let export = instance.and_then(|instance| instance.get_export(&mut self.store, name));
            let memory = match export.and_then(GuestMemory::of) {
                Some(memory) => Ok(memory),
                None => Memory::new(&mut self.store, MemoryType::new(0, Some(0))).map(GuestMemory::Own),
            };
            match memory {
                Ok(memory) => self.store.data_mut().memories.push(memory),
                Err(error) => return Err(NoInstance::Rejected(Rejected::instantiate(words(&error)))),
            }
        }
        match made {
            Ok(made) => {
                self.instances.push(Some(made));
                Ok(())
            }
            Err(error) => {
                self.instances.push(None);
                Err(error)
            }
        }
    }

    fn visit(&mut self, visit: Visit<'_>) -> io::Result<()> {
        records::visit(&mut self.store, visit)
    }

    fn has(&self, instance: u32) -> bool {
        self.instance(instance).is_some()
    }

    fn call(&mut self, instance: u32, call: &ExportCall) -> Ended {
        let found = self.instance(instance).and_then(|found| found.get_func(&mut self.store, &call.function));
        let Some(function) = found else { return Ended::no_function(&call.function) };
        match self.invoke(function, call) {
            Ok(values) => Ended::Returned(values),
            Err(error) => {
                let instances = &self.instances;
                // An exception that nobody caught is still the store's.
                let ended = failure_of(&error, |text| {
                    let made = |made: &Option<(Instance, Module)>| {
                        made.as_ref().is_some_and(|(_, module)| std::ptr::eq(module.text(), text))
                    };
                    instances.iter().position(made).map(|at| at as u32)
                });
                self.store.take_pending_exception();
                ended
            }
        }
    }

    fn global(&mut self, instance: u32, name: &str) -> Option<WasmValue> {
        let global = self.instance(instance)?.get_global(&mut self.store, name)?;
        let value = global.get(&mut self.store);
        self.read(&value).ok()
    }

    fn table(&mut self, instance: u32, name: &str) -> Option<u64> {
        let table = self.instance(instance)?.get_table(&mut self.store, name)?;
        Some(table.size(&self.store))
    }
}
