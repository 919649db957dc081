//! Instances of a program under an engine with the interface `wasm.h`: all in one store.

use super::abi::{Api, Object, Value, Vector};
use super::guest::{exports, read_global, read_table};
use super::imports::{Shared, hook_for};
use super::memories::CapiMemory;
use super::trap::message;
use super::values::{NULL, from_engine, kinds, to_engine};
use crate::engine::drive::{Ended, Rejected, Visit};
use crate::engine::lent::views;
use crate::engine::session::Session;
use crate::engine::words::{one_line, trap_kind, without_backtrace};
use crate::engine::world::{NoInstance, World};
use crate::instrument::IMPORT_MODULE;
use crate::job::{ExportCall, InstanceJob};
use crate::values::WasmValue;
use forkpoint_traces::TrapKind;
use std::io;
use std::path::Path;

/// Compiles the module in a file.
type Compile<'a> = Box<dyn Fn(&Path) -> Result<Object, Rejected> + 'a>;

/// Exports of an instance by name.
type Exports = Vec<(String, Object)>;

/// A store with instances.
pub(super) struct CapiWorld<'a> {
    api: &'a Api,
    store: Object,
    compile: Compile<'a>,
    /// Ours and never freed, since the engine keeps pointers to it. No reference to it lives while a guest runs.
    shared: *mut Shared,
    instances: Vec<Option<Exports>>,
}

impl<'a> CapiWorld<'a> {
    pub(super) fn new(api: &'a Api, store: Object, compile: Compile<'a>, session: Session) -> CapiWorld<'a> {
        let shared = Box::into_raw(Box::new(Shared {
            api,
            store,
            session,
            memories: Vec::new(),
            host: None,
            exports: Default::default(),
        }));
        CapiWorld { api, store, compile, shared, instances: Vec::new() }
    }

    fn export(&self, instance: u32, name: &str) -> Option<Object> {
        let exports = self.instances.get(instance as usize)?.as_ref()?;
        exports.iter().find(|(export, _)| export == name).map(|(_, export)| *export)
    }

    fn make(&self, module: &Path, job: &InstanceJob) -> Result<Exports, NoInstance> {
        let api = self.api;
        let module = (self.compile)(module).map_err(NoInstance::Rejected)?;
        let mut externals = Vec::new();
        let mut list = Vector::empty();
        // SAFETY: the module is one of this store; what the library returns about it lives as long as the list, which is
        // never deleted, and the shared state lives as long as the store.
        unsafe {
            (api.wasm_module_imports)(module, &mut list);
            for import in list.slice() {
                let from = api.text((api.wasm_importtype_module)(*import));
                let name = api.text((api.wasm_importtype_name)(*import));
                if from == IMPORT_MODULE {
                    externals.push(hook_for(api, self.store, (api.wasm_importtype_type)(*import), self.shared));
                    continue;
                }
                let link = job.import(&from, &name);
                let Some(found) = link.and_then(|link| self.export(link.instance, &link.export)) else {
                    let words = format!("unknown import {from}.{name}");
                    return Err(NoInstance::Rejected(Rejected::instantiate(words)));
                };
                externals.push(found);
            }
            let imports = Vector::over(&mut externals);
            let mut trap = std::ptr::null_mut();
            // There is one import for each of the module's, in order.
            let instance = (api.wasm_instance_new)(self.store, module, &imports, &mut trap);
            if trap.is_null() && !instance.is_null() {
                return Ok(exports(api, module, instance));
            }
            let words = match trap.is_null() {
                true => "the library gives no reason".to_string(),
                false => one_line(&message(api, trap)),
            };
            // Only the words tell a segment that does not fit from an import that does not.
            Err(match trap_kind(&words) {
                trap @ (TrapKind::MemoryOutOfBounds | TrapKind::TableOutOfBounds) => {
                    NoInstance::Trapped(Ended::Trapped { trap, message: words, frames: Vec::new() })
                }
                _ => NoInstance::Rejected(Rejected::instantiate(words)),
            })
        }
    }
}

impl World for CapiWorld<'_> {
    fn check(&mut self, module: &Path) -> Result<(), Rejected> {
        (self.compile)(module).map(drop)
    }

    fn instantiate(&mut self, module: &Path, job: &InstanceJob) -> Result<(), NoInstance> {
        let made = match module.as_os_str().is_empty() {
            true => Err(NoInstance::Rejected(Rejected::instantiate("there is no module"))),
            false => self.make(module, job),
        };
        let (exports, result) = match made {
            Ok(exports) => (Some(exports), Ok(())),
            Err(error) => (None, Err(error)),
        };
        self.instances.push(exports);
        let number = self.instances.len() as u32 - 1;
        for name in &job.memories {
            // SAFETY: exports are externals, and no host function runs that could hold a reference to the shared state.
            unsafe {
                let export = self.export(number, name);
                let memory = export.map_or(std::ptr::null_mut(), |export| (self.api.wasm_extern_as_memory)(export));
                (*self.shared).memories.push(CapiMemory::new(self.api, memory));
            }
        }
        result
    }

    fn visit(&mut self, visit: Visit<'_>) -> io::Result<()> {
        // SAFETY: no guest runs, so this is the only reference to the shared state.
        let shared = unsafe { &mut *self.shared };
        visit(&mut shared.session, &views(&shared.memories, &()))
    }

    fn has(&self, instance: u32) -> bool {
        self.instances.get(instance as usize).is_some_and(Option::is_some)
    }

    fn call(&mut self, instance: u32, call: &ExportCall) -> Ended {
        let Some(export) = self.export(instance, &call.function) else { return Ended::no_function(&call.function) };
        let arguments: Option<Vec<Value>> = call.arguments.iter().map(to_engine).collect();
        let Some(mut arguments) = arguments else {
            return Ended::Impossible("the C interface wasm.h cannot pass a v128".to_string());
        };
        let api = self.api;
        // SAFETY: export and store are alive, arguments and results are those of the function's type, and no reference to
        // the shared state lives while the guest runs.
        unsafe {
            let function = (api.wasm_extern_as_func)(export);
            if function.is_null() {
                return Ended::no_function(&call.function);
            }
            let ty = (api.wasm_func_type)(function);
            kinds(api, (api.wasm_functype_params)(ty), &mut arguments);
            let mut results = vec![NULL; (*(api.wasm_functype_results)(ty)).size];
            (api.wasm_functype_delete)(ty);
            let arguments = Vector::over(&mut arguments);
            let mut places = Vector::over(&mut results);
            let trap = (api.wasm_func_call)(function, &arguments, &mut places);
            if trap.is_null() {
                let unknown = || WasmValue::Reference("a value of unknown kind".to_string());
                let values = results.iter().map(|value| from_engine(value).unwrap_or_else(unknown));
                return Ended::Returned(values.collect());
            }
            let message = without_backtrace(&message(api, trap));
            // Frames do not say whose they are.
            Ended::Trapped { trap: trap_kind(&message), message, frames: Vec::new() }
        }
    }

    fn global(&mut self, instance: u32, name: &str) -> Option<WasmValue> {
        read_global(self.api, self.export(instance, name)?)
    }

    fn table(&mut self, instance: u32, name: &str) -> Option<u64> {
        read_table(self.api, self.export(instance, name)?)
    }
}
