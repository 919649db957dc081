//! WasmEdge as a shared library: interpreter, JIT, AOT.
//!
//! Nothing that the library allocates is freed: the process ends with the run. It is loaded into a separate process
//! for another reason, too: compiled code of WasmEdge sets signal handlers and removes them again, without restoring
//! earlier ones.

mod abi;
mod config;
mod guest;
mod host;
mod imports;
mod limits;
mod memories;
mod native;
mod opened;
mod references;
mod world;

use super::drive::{Engine, Guest, Loaded, Rejected};
use super::library;
use super::session::Session;
use super::world::World;
use crate::job::{Job, Run, Task};
use crate::spec::{WasmEdgeMode, WasmEdgeSpec};
use abi::{Api, Object, Release};
use forkpoint_traces::{EngineInfo, Stage};
use guest::WasmEdgeGuest;
use opened::{WasmEdge, text};
use std::ffi::CStr;
use std::path::Path;
use world::WasmEdgeWorld;

/// Loads the library and sets the engine up.
///
/// # Errors
/// In words, when the library cannot be loaded, is a different one, or lacks a setting.
pub(super) fn open(spec: &WasmEdgeSpec, job: &Job) -> Result<Box<dyn Engine>, String> {
    let asked = spec.to_string();
    let loaded = library::load(&spec.library)?;
    // SAFETY: names that start with `WasmEdge_` are those of WasmEdge's interface.
    let api = unsafe { Api::of(loaded) }.map_err(|missing| {
        format!(
            "{} has no function `{missing}`: it is not a library of WasmEdge 0.13 or later",
            spec.library.display()
        )
    })?;
    let release = Release::of(&api).with_interface(&api, spec.abi.as_deref())?;
    // SAFETY: has no condition. Results report errors; the log must not mix with the guest's output.
    unsafe { (api.WasmEdge_LogOff)() };
    let spec = WasmEdgeSpec {
        wasm: config::named(&job.features).chain(spec.wasm.iter().cloned()).collect(),
        ..spec.clone()
    };
    let compiling = matches!(job.task, Task::Compile { .. });
    let (config, settings) = config::make(&api, &release, &spec, job.memory_page_limit, compiling)?;
    if let Task::Run(run) = &job.task
        && run.live_host
    {
        host::check(&run.wasi)?;
    }
    Ok(Box::new(WasmEdge { asked, spec, api, release, config, settings, page_limit: job.memory_page_limit }))
}

impl Engine for WasmEdge {
    fn about(&self) -> EngineInfo {
        let compiles = self.spec.mode != WasmEdgeMode::Interpreter;
        let mut settings = self.settings.clone();
        settings.extend(
            self.spec
                .compile_wasm
                .iter()
                .map(|switch| (format!("{} (compiler)", switch.name), switch.enabled.to_string())),
        );
        settings.extend(library::identity(&self.spec.library));
        if host::Functions::of(&self.api).is_some() {
            settings.push(("host".to_string(), format!("WASI of WasmEdge {}", self.release.words())));
        }
        EngineInfo {
            spec: self.asked.clone(),
            name: "wasmedge".to_string(),
            version: self.release.words(),
            mode: self.spec.mode.to_string(),
            compiler: if compiles { "llvm" } else { "none" }.to_string(),
            opt_level: self.spec.opt.clone().unwrap_or_else(|| "default".to_string()),
            target: format!("{}-unknown-linux-gnu", std::env::consts::ARCH),
            cpu_features: if compiles { crate::spec::host_features() } else { Vec::new() },
            settings,
        }
    }

    fn validate(&self, module: &Path) -> Result<(), Rejected> {
        self.machine(&text(module)?, Stage::Validate).map(drop)
    }

    fn compile_ahead(&self, module: &Path, output: &Path) -> Result<(), Rejected> {
        config::compile(&self.api, self.config, &text(module)?, &text(output)?)
    }

    fn load<'a>(&'a self, module: &Path, _: &Run) -> Result<Box<dyn Loaded + 'a>, Rejected> {
        let path = text(module)?;
        let machine = self.machine(&path, Stage::Compile)?;
        // The machine does not give a module's imports, so it is read twice.
        let mut ast = std::ptr::null_mut();
        // SAFETY: the configuration is ours, and the path ends with a NUL.
        unsafe {
            let loader = (self.api.WasmEdge_LoaderCreate)(self.config);
            let parsed = (self.api.WasmEdge_LoaderParseFromFile)(loader, &mut ast, path.as_ptr());
            self.api.accept(Stage::Compile, parsed)?;
        }
        Ok(Box::new(LoadedModule { engine: self, machine, ast }))
    }

    fn world<'a>(&'a self, _: &'a Run, session: Session) -> Result<Box<dyn World + 'a>, String> {
        Ok(Box::new(WasmEdgeWorld::new(self, session)?))
    }
}

impl WasmEdge {
    /// A machine with the module in this file, validated. A file that cannot be read as a module is rejected at
    /// `stage`.
    fn machine(&self, path: &CStr, stage: Stage) -> Result<Object, Rejected> {
        // SAFETY: the configuration is ours, and the path ends with a NUL.
        unsafe {
            let machine = (self.api.WasmEdge_VMCreate)(self.config, std::ptr::null_mut());
            if machine.is_null() {
                return Err(Rejected::at(stage, "the library makes no machine"));
            }
            self.api.accept(stage, (self.api.WasmEdge_VMLoadWasmFromFile)(machine, path.as_ptr()))?;
            self.api.accept(Stage::Validate, (self.api.WasmEdge_VMValidate)(machine))?;
            Ok(machine)
        }
    }
}

/// A module in a machine, and its description.
struct LoadedModule<'a> {
    engine: &'a WasmEdge,
    machine: Object,
    ast: Object,
}

impl Loaded for LoadedModule<'_> {
    fn instantiate<'a>(&'a self, run: &Run, session: Session) -> Result<Box<dyn Guest + 'a>, Rejected> {
        Ok(Box::new(WasmEdgeGuest::new(self.engine, self.machine, self.ast, run, session)?))
    }
}
