//! Any engine that is a shared library with the standard C interface `wasm.h`: libwasmtime of any release,
//! libwasmer, libiwasm.
//!
//! Nothing that the library allocates is freed: the process ends with the run.

mod abi;
mod call;
mod check;
mod compiler;
mod config;
mod guest;
mod host;
mod imports;
mod memories;
mod trap;
mod values;
mod version;
mod world;

use super::drive::{Engine, Guest, Loaded, Rejected};
use super::session::Session;
use super::world::World;
use super::{library, words};
use crate::features::FeatureSwitches;
use crate::job::{Job, Run, Task};
use crate::spec::{CapiSpec, host_triple};
use abi::{Api, Object, Vector};
use config::Settings;
pub(crate) use config::{PROPOSALS, WASMER_COMPILERS, WASMTIME_ALLOCATORS, WASMTIME_COMPILERS};
use forkpoint_traces::EngineInfo;
use guest::CapiGuest;
use std::cell::{OnceCell, RefCell};
use std::ffi::{CStr, c_char, c_void};
use std::ops::Deref;
use std::path::Path;
use world::CapiWorld;

/// A library, loaded, with an engine. Set up once in a process, whatever number of jobs it has.
struct Opened {
    spec: CapiSpec,
    features: FeatureSwitches,
    api: Api,
    engine: Object,
    settings: Settings,
    about: OnceCell<EngineInfo>,
}

thread_local! {
    /// The libraries that the jobs of this thread have used. They are never unloaded: they may have threads.
    static OPENED: RefCell<Vec<&'static Opened>> = const { RefCell::new(Vec::new()) };
}

/// An engine and a store for one job.
struct Capi {
    of: &'static Opened,
    store: Object,
}

impl Deref for Capi {
    type Target = Opened;

    fn deref(&self) -> &Opened {
        self.of
    }
}

/// Loads the library and sets the engine up, unless an earlier job has done so.
///
/// # Errors
/// In words, when the library cannot be loaded, lacks a function, or lacks a setting.
pub(super) fn open(spec: &CapiSpec, job: &Job) -> Result<Box<dyn Engine>, String> {
    if job.memory_page_limit.is_some() {
        return Err("the C interface wasm.h has no limit for a memory's pages; run it without".to_string());
    }
    let known = OPENED.with_borrow(|opened| {
        opened.iter().find(|opened| opened.spec == *spec && opened.features == job.features).copied()
    });
    let is_new = known.is_none();
    let of = match known {
        Some(opened) => opened,
        None => load(spec, job)?,
    };
    // SAFETY: the engine was made and is never freed.
    let store = unsafe { (of.api.wasm_store_new)(of.engine) };
    if store.is_null() {
        return Err("the library makes no store".to_string());
    }
    if is_new {
        check::values(&of.api, store)?;
        OPENED.with_borrow_mut(|opened| opened.push(of));
    }
    if let Task::Run(run) = &job.task
        && run.live_host
        && host::Functions::of(&of.api).is_some()
    {
        host::check(&run.wasi)?;
    }
    Ok(Box::new(Capi { of, store }))
}

fn load(spec: &CapiSpec, job: &Job) -> Result<&'static Opened, String> {
    let library = library::load(&spec.library)?;
    // SAFETY: names that start with `wasm_` are those of `wasm.h`.
    let api = unsafe { Api::of(library) }.map_err(|missing| {
        format!(
            "{} has no function `{missing}`: it is not a library with the C interface wasm.h",
            spec.library.display()
        )
    })?;
    let (engine, settings) = config::engine(&api, spec, &job.features)?;
    compiler::check(&api, engine, spec, &job.features)?;
    let (spec, features) = (spec.clone(), job.features.clone());
    Ok(Box::leak(Box::new(Opened { spec, features, api, engine, settings, about: OnceCell::new() })))
}

impl Capi {
    /// Compiles a module.
    fn compile(&self, bytes: &mut [u8]) -> Result<Object, Rejected> {
        let binary = Vector::over(bytes);
        // SAFETY: the store is the engine's own, the bytes are only read.
        let module = unsafe { (self.api.wasm_module_new)(self.store, &binary) };
        match module.is_null() {
            true => Err(Rejected::compile(self.why("wasmtime_module_new", bytes))),
            false => Ok(module),
        }
    }

    /// Why these bytes are not a valid module. `wasm.h` does not say, but a function of Wasmtime that does the same
    /// does.
    fn why(&self, function: &str, bytes: &[u8]) -> String {
        type Make = unsafe extern "C" fn(Object, *const u8, usize, *mut Object) -> Object;
        type Message = unsafe extern "C" fn(*const c_void, *mut Vector<u8>);
        // SAFETY: Wasmtime's functions of these names have these signatures.
        let (make, message) =
            unsafe { (self.api.extra::<Make>(function), self.api.extra::<Message>("wasmtime_error_message")) };
        if let (Some(make), Some(message)) = (make, message) {
            let mut module = std::ptr::null_mut();
            // SAFETY: the engine is alive, the bytes are only read, and there is room for the module.
            let error = unsafe { make(self.engine, bytes.as_ptr(), bytes.len(), &mut module) };
            if !error.is_null() {
                let mut text = Vector::empty();
                // SAFETY: the error is one, and the text is ours afterwards.
                return unsafe {
                    message(error, &mut text);
                    words::one_line(&self.api.own_text(text))
                };
            }
        }
        "the library rejects the module and gives no reason".to_string()
    }

    fn serialize(&self, module: Object) -> Result<Vector<u8>, Rejected> {
        let mut code = Vector::empty();
        // SAFETY: the module is one, and the vector is filled by the engine.
        unsafe { (self.api.wasm_module_serialize)(module, &mut code) };
        match code.data.is_null() || code.size == 0 {
            true => Err(Rejected::compile("the library does not serialize modules: it has no ahead-of-time mode")),
            false => Ok(code),
        }
    }

    /// The engine's version, which `wasm.h` does not give.
    fn version(&self) -> String {
        type Version = unsafe extern "C" fn() -> *const c_char;
        // SAFETY: Wasmer's function of this name has this signature.
        if let Some(version) = unsafe { self.api.extra::<Version>("wasmer_version") } {
            // SAFETY: it returns a constant that ends with a NUL.
            return unsafe { CStr::from_ptr(version()) }.to_string_lossy().into_owned();
        }
        // An engine that cannot serialize may end the process when asked to.
        if self.name() != "wasmtime" {
            return "unknown (its interface does not report it)".to_string();
        }
        let mut empty = *b"\0asm\x01\0\0\0";
        let told = self.compile(&mut empty).and_then(|module| self.serialize(module)).ok();
        // SAFETY: the engine filled the vector, and nobody else has it.
        let told = told.and_then(|code| version::of_serialized(unsafe { code.slice() }));
        match told {
            None => "unknown (no version in a module that it serialized)".to_string(),
            Some(told) => version::in_full(told, &std::fs::read(&self.spec.library).unwrap_or_default()),
        }
    }

    fn described(&self) -> EngineInfo {
        let mut settings = self.settings.clone();
        settings.extend(library::identity(&self.spec.library));
        if host::Functions::of(&self.api).is_some() {
            settings.push(("host".to_string(), format!("WASI of Wasmer {}", self.version())));
        }
        EngineInfo {
            spec: self.spec.to_string(),
            name: self.name().to_string(),
            version: self.version(),
            mode: self.spec.mode.to_string(),
            compiler: self.spec.compiler.clone().unwrap_or_else(|| "default".to_string()),
            opt_level: self.spec.opt.map_or("default".to_string(), |opt| opt.to_string()),
            target: self.spec.target.triple().unwrap_or_else(host_triple),
            cpu_features: self.spec.target.features(&self.spec.cpu),
            settings,
        }
    }

    /// The engine that the library belongs to, recognised by functions that only that engine has.
    fn name(&self) -> &'static str {
        let marks = [
            ("wasmtime_module_new", "wasmtime"),
            ("wasmer_version", "wasmer"),
            ("wasm_runtime_init", "wamr"),
            ("v8_engine_new", "v8"),
        ];
        marks.iter().find(|(function, _)| self.api.has(function)).map_or("wasm.h library", |(_, name)| name)
    }
}

impl Engine for Capi {
    fn about(&self) -> EngineInfo {
        self.about.get_or_init(|| self.described()).clone()
    }

    fn validate(&self, module: &Path) -> Result<(), Rejected> {
        let mut bytes = read(module)?;
        let binary = Vector::over(&mut bytes);
        // SAFETY: the store is the engine's own, the bytes are only read.
        match unsafe { (self.api.wasm_module_validate)(self.store, &binary) } {
            true => Ok(()),
            false => Err(Rejected::validate(self.why("wasmtime_module_new", &bytes))),
        }
    }

    fn compile_ahead(&self, module: &Path, output: &Path) -> Result<(), Rejected> {
        let mut bytes = read(module)?;
        let code = self.serialize(self.compile(&mut bytes)?)?;
        // SAFETY: the engine filled the vector, and nobody else has it.
        let written = std::fs::write(output, unsafe { code.slice() });
        written.map_err(|error| Rejected::compile(format!("writing {}: {error}", output.display())))
    }

    fn load<'a>(&'a self, module: &Path, run: &Run) -> Result<Box<dyn Loaded + 'a>, Rejected> {
        let mut bytes = read(module)?;
        let module = match run.precompiled {
            true => {
                let code = Vector::over(&mut bytes);
                // SAFETY: the file was just written by a child of the same parent with the same library, in a
                // directory that only this user can write.
                let module = unsafe { (self.api.wasm_module_deserialize)(self.store, &code) };
                if module.is_null() {
                    return Err(Rejected::compile(self.why("wasmtime_module_deserialize", &bytes)));
                }
                module
            }
            false => self.compile(&mut bytes)?,
        };
        Ok(Box::new(LoadedModule { api: &self.api, store: self.store, module }))
    }

    fn world<'a>(&'a self, run: &'a Run, session: Session) -> Result<Box<dyn World + 'a>, String> {
        let compile = Box::new(|path: &Path| {
            let module = self.compile(&mut read(path)?)?;
            if !run.precompiled {
                return Ok(module);
            }
            let code = self.serialize(module)?;
            // SAFETY: this library has made the code just now.
            let module = unsafe { (self.api.wasm_module_deserialize)(self.store, &code) };
            if module.is_null() {
                Err(Rejected::compile("the library does not load what it serialized"))
            } else {
                Ok(module)
            }
        });
        Ok(Box::new(CapiWorld::new(&self.api, self.store, compile, session)))
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Rejected> {
    std::fs::read(path).map_err(|error| Rejected::compile(format!("reading {}: {error}", path.display())))
}

/// A compiled module.
struct LoadedModule<'a> {
    api: &'a Api,
    store: Object,
    module: Object,
}

impl Loaded for LoadedModule<'_> {
    fn instantiate<'a>(&'a self, run: &Run, session: Session) -> Result<Box<dyn Guest + 'a>, Rejected> {
        let guest = CapiGuest::new(self.api, self.store, self.module, run, session)?;
        Ok(Box::new(guest))
    }
}
