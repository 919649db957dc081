//! Instances of a program under WasmEdge: all in one store, under names of forkpoint's.

use super::abi::{Api, NOTHING, Object, Status, Text, Value};
use super::imports::{Shared, hook_module};
use super::memories::WasmEdgeMemory;
use super::opened::{WasmEdge, text};
use super::references::References;
use super::{config, native};
use crate::engine::drive::{Ended, Rejected, Visit};
use crate::engine::lent::views;
use crate::engine::library::extra_functions;
use crate::engine::linking;
use crate::engine::session::Session;
use crate::engine::words::trap_kind;
use crate::engine::world::{NoInstance, World};
use crate::job::{ExportCall, InstanceJob};
use crate::spec::WasmEdgeMode;
use crate::values::WasmValue;
use forkpoint_traces::{Stage, TrapKind};
use std::ffi::c_void;
use std::io;
use std::path::{Path, PathBuf};

extra_functions! {
    /// The functions that a library needs for several modules. All releases since 0.13 have them.
    create_validator: "WasmEdge_ValidatorCreate" (*const c_void) -> Object;
    validate: "WasmEdge_ValidatorValidate" (Object, *const c_void) -> Status;
    create_store: "WasmEdge_StoreCreate" () -> Object;
    create_executor: "WasmEdge_ExecutorCreate" (*const c_void, Object) -> Object;
    register_import: "WasmEdge_ExecutorRegisterImport" (Object, Object, *const c_void) -> Status;
    register: "WasmEdge_ExecutorRegister" (Object, *mut Object, Object, *const c_void, Text) -> Status;
    find_function: "WasmEdge_ModuleInstanceFindFunction" (*const c_void, Text) -> Object;
    type_of: "WasmEdge_FunctionInstanceGetFunctionType" (*const c_void) -> *const c_void;
    invoke: "WasmEdge_ExecutorInvoke" (Object, *const c_void, *const Value, u32, *mut Value, u32) -> Status;
}

/// Registers an instance under a name that is not its own, since 0.17.
type RegisterAlias = unsafe extern "C" fn(Object, Object, *const c_void, Text) -> Status;

/// A store with instances.
pub(super) struct WasmEdgeWorld<'a> {
    engine: &'a WasmEdge,
    functions: Functions,
    references: References,
    /// Names what a machine has instantiated: only a machine has a JIT.
    alias: Option<RegisterAlias>,
    /// The configuration for compiling ahead.
    compiling: Option<Object>,
    loader: Object,
    validator: Object,
    store: Object,
    executor: Object,
    /// Ours and never freed, since the engine keeps pointers to it. No reference to it lives while a guest runs.
    shared: *mut Shared,
    /// Whether the hook is in the store.
    is_hooked: bool,
    instances: Vec<Option<Object>>,
}

impl<'a> WasmEdgeWorld<'a> {
    /// Without instances.
    ///
    /// # Errors
    /// Names what the library lacks.
    pub(super) fn new(engine: &'a WasmEdge, session: Session) -> Result<WasmEdgeWorld<'a>, String> {
        let (api, release, spec) = (&engine.api, &engine.release, &engine.spec);
        let lacks = || "the library lacks functions to link modules, which WasmEdge has since 0.13".to_string();
        let functions = Functions::of(api).ok_or_else(lacks)?;
        let references = References::of(api).ok_or_else(lacks)?;
        // SAFETY: WasmEdge's function of this name has this signature.
        let alias = unsafe { api.extra::<RegisterAlias>("WasmEdge_ExecutorRegisterImportWithAlias") };
        if spec.mode == WasmEdgeMode::Jit && alias.is_none() {
            return Err("this library links no modules that its JIT compiles; WasmEdge does since 0.17".to_string());
        }
        let compiling = match spec.mode {
            WasmEdgeMode::Aot => Some(config::make(api, release, spec, engine.page_limit, true)?.0),
            _ => None,
        };
        let shared = Shared { api, release, session, buffer: None, memories: Vec::new(), host: None };
        // SAFETY: the configuration is ours.
        unsafe {
            Ok(WasmEdgeWorld {
                engine,
                references,
                alias,
                compiling,
                loader: (api.WasmEdge_LoaderCreate)(engine.config),
                validator: (functions.create_validator)(engine.config),
                store: (functions.create_store)(),
                executor: (functions.create_executor)(engine.config, std::ptr::null_mut()),
                functions,
                shared: Box::into_raw(Box::new(shared)),
                is_hooked: false,
                instances: Vec::new(),
            })
        }
    }

    /// The file that runs: this one, or what is compiled from it now.
    fn ready(&self, module: &Path) -> Result<PathBuf, Rejected> {
        let Some(compiling) = self.compiling else { return Ok(module.to_path_buf()) };
        let output = module.with_extension("so");
        config::compile(&self.engine.api, compiling, &text(module)?, &text(&output)?)?;
        Ok(output)
    }

    /// A validated module.
    fn load(&self, path: &Path) -> Result<Object, Rejected> {
        let (api, path) = (&self.engine.api, text(path)?);
        let mut ast = std::ptr::null_mut();
        // SAFETY: all objects are ours, and the path ends with a NUL.
        unsafe {
            let parsed = (api.WasmEdge_LoaderParseFromFile)(self.loader, &mut ast, path.as_ptr());
            api.accept(Stage::Compile, parsed)?;
            api.accept(Stage::Compile, (self.functions.validate)(self.validator, ast))?;
        }
        Ok(ast)
    }

    fn make(&mut self, module: &Path, job: &InstanceJob) -> Result<Object, NoInstance> {
        let failed = |error: io::Error| Rejected::compile(format!("{}: {error}", module.display()));
        let bytes = std::fs::read(module).map_err(failed).map_err(NoInstance::Rejected)?;
        let bytes = linking::renamed(&bytes, job);
        let linked = module.with_extension("linked.wasm");
        std::fs::write(&linked, &bytes).map_err(failed).map_err(NoInstance::Rejected)?;
        let path = self.ready(&linked).map_err(NoInstance::Rejected)?;
        let ast = self.load(&path).map_err(NoInstance::Rejected)?;
        let api = &self.engine.api;
        // SAFETY: the description is alive, and no guest runs; all objects are of the kinds that their names say.
        unsafe {
            if !self.is_hooked
                && let Some(hooks) = hook_module(self.shared, ast)
            {
                let registered = (self.functions.register_import)(self.executor, self.store, hooks);
                api.accept(Stage::Instantiate, registered).map_err(NoInstance::Rejected)?;
                self.is_hooked = true;
            }
            let name = linking::name(self.instances.len() as u32);
            if let Some(alias) = self.alias.filter(|_| self.engine.spec.mode == WasmEdgeMode::Jit) {
                return self.make_by_jit(&linked, &bytes, &name, alias);
            }
            let mut instance = std::ptr::null_mut();
            let (executor, store) = (self.executor, self.store);
            let made = (self.functions.register)(executor, &mut instance, store, ast, Text::of(&name));
            self.made(made)?;
            Ok(instance)
        }
    }

    /// An instance of a module that a machine of its own compiles now.
    ///
    /// # Safety
    /// The alias must be the library's, and no guest may run.
    unsafe fn make_by_jit(
        &self,
        linked: &Path,
        bytes: &[u8],
        name: &str,
        alias: RegisterAlias,
    ) -> Result<Object, NoInstance> {
        let api = &self.engine.api;
        let path = text(linked).map_err(NoInstance::Rejected)?;
        let accept = |status| api.accept(Stage::Compile, status).map_err(NoInstance::Rejected);
        // SAFETY: the configuration and the store are ours, and the path ends with a NUL.
        unsafe {
            let machine = (api.WasmEdge_VMCreate)(self.engine.config, self.store);
            if machine.is_null() {
                return Err(NoInstance::Rejected(Rejected::compile("the library makes no machine")));
            }
            accept((api.WasmEdge_VMLoadWasmFromFile)(machine, path.as_ptr()))?;
            accept((api.WasmEdge_VMValidate)(machine))?;
            let before = native::unnamed_code().map_err(NoInstance::Rejected)?;
            self.made((api.WasmEdge_VMInstantiate)(machine))?;
            if linking::has_code(bytes) && native::unnamed_code().map_err(NoInstance::Rejected)? <= before {
                return Err(NoInstance::Rejected(Rejected::instantiate(native::NONE)));
            }
            let instance = (api.WasmEdge_VMGetActiveModule)(machine);
            self.made(alias(self.executor, self.store, instance, Text::of(name)))?;
            Ok(instance.cast_mut())
        }
    }

    /// Whether there is an instance now. Only the words tell a segment that does not fit from an import that does not.
    fn made(&self, status: Status) -> Result<(), NoInstance> {
        match self.engine.api.accept(Stage::Instantiate, status) {
            Ok(()) => Ok(()),
            Err(rejected) => Err(match trap_kind(&rejected.message) {
                trap @ (TrapKind::MemoryOutOfBounds | TrapKind::TableOutOfBounds) => {
                    NoInstance::Trapped(Ended::Trapped { trap, message: rejected.message, frames: Vec::new() })
                }
                _ => NoInstance::Rejected(rejected),
            }),
        }
    }

    fn instance(&self, number: u32) -> Option<Object> {
        *self.instances.get(number as usize)?
    }
}

impl World for WasmEdgeWorld<'_> {
    fn check(&mut self, module: &Path) -> Result<(), Rejected> {
        self.load(&self.ready(module)?).map(drop)
    }

    fn instantiate(&mut self, module: &Path, job: &InstanceJob) -> Result<(), NoInstance> {
        let made = match module.as_os_str().is_empty() {
            true => Err(NoInstance::Rejected(Rejected::instantiate("there is no module"))),
            false => self.make(module, job),
        };
        let (api, release) = (&self.engine.api, &self.engine.release);
        let instance = made.as_ref().ok().copied();
        for name in &job.memories {
            // SAFETY: the instance is alive as long as the store, and no host function runs that could hold a reference
            // to the shared state.
            unsafe {
                let find = |instance: Object| (api.WasmEdge_ModuleInstanceFindMemory)(instance, Text::of(name));
                let memory = instance.map_or(std::ptr::null_mut(), find);
                (*self.shared).memories.push(WasmEdgeMemory::new(api, release, memory));
            }
        }
        self.instances.push(instance);
        made.map(drop)
    }

    fn visit(&mut self, visit: Visit<'_>) -> io::Result<()> {
        // SAFETY: no guest runs, so this is the only reference to the shared state.
        let shared = unsafe { &mut *self.shared };
        visit(&mut shared.session, &views(&shared.memories, &()))
    }

    fn has(&self, instance: u32) -> bool {
        self.instance(instance).is_some()
    }

    fn call(&mut self, instance: u32, call: &ExportCall) -> Ended {
        let (api, release) = (&self.engine.api, &self.engine.release);
        let Some(instance) = self.instance(instance) else { return Ended::no_function(&call.function) };
        // SAFETY: the instance is alive, arguments and results are as many as the function's type has, and no reference to
        // the shared state lives while the guest runs.
        unsafe {
            let function = (self.functions.find_function)(instance, Text::of(&call.function));
            if function.is_null() {
                return Ended::no_function(&call.function);
            }
            let ty = (self.functions.type_of)(function);
            let Some(arguments) = self.references.given(release, ty, &call.arguments) else {
                return Ended::Impossible(
                    "an argument is a reference that cannot be made outside WasmEdge".to_string(),
                );
            };
            let mut results = vec![NOTHING; (api.WasmEdge_FunctionTypeGetReturnsLength)(ty) as usize];
            let status = (self.functions.invoke)(
                self.executor,
                function,
                arguments.as_ptr(),
                arguments.len() as u32,
                results.as_mut_ptr(),
                results.len() as u32,
            );
            match api.complaint(status) {
                None => {
                    let taken = |value| self.references.taken(api, release, value);
                    Ended::Returned(results.iter().map(taken).collect())
                }
                Some(message) => Ended::Trapped { trap: trap_kind(&message), message, frames: Vec::new() },
            }
        }
    }

    fn global(&mut self, instance: u32, name: &str) -> Option<WasmValue> {
        let (api, instance) = (&self.engine.api, self.instance(instance)?);
        // SAFETY: the instance is alive, and its globals live as long.
        unsafe {
            let global = (api.WasmEdge_ModuleInstanceFindGlobal)(instance, Text::of(name));
            if global.is_null() {
                return None;
            }
            let value = (api.WasmEdge_GlobalInstanceGetValue)(global);
            Some(self.references.taken(api, &self.engine.release, &value))
        }
    }

    fn table(&mut self, instance: u32, name: &str) -> Option<u64> {
        let (api, instance) = (&self.engine.api, self.instance(instance)?);
        // SAFETY: as for globals.
        unsafe {
            let table = (api.WasmEdge_ModuleInstanceFindTable)(instance, Text::of(name));
            (!table.is_null()).then(|| self.engine.release.size((api.WasmEdge_TableInstanceGetSize)(table)))
        }
    }
}
