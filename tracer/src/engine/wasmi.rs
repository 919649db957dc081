//! wasmi, an interpreter that shares no code with Wasmtime's compilers: the independent oracle.

pub(crate) mod convert;
mod guest;
pub(crate) mod preload;
mod world;

use super::drive::{Engine, Guest, Loaded, Rejected};
use super::limit::GrowthLimit;
use super::session::Session;
use super::world::World;
use crate::job::{Job, Run};
use forkpoint_traces::EngineInfo;
use guest::WasmiGuest;
use std::path::Path;
use wasmi::{CompilationMode, Config, Module};
use world::WasmiWorld;

/// The version linked in; the workspace pins it, since the crate does not export it.
pub(super) const VERSION: &str = "2.0.0";

/// Frames and bytes of stack that a guest may use: about as many as fit in Wasmtime's stack.
const MAX_RECURSION: usize = 16 << 10;
const MAX_STACK: usize = 8 << 20;

/// Sets a [`Config`]'s switch.
type Switch = fn(&mut Config, bool) -> &mut Config;

/// What can be switched by the names of [`crate::features`].
const FEATURES: &[(&str, Switch)] = &[
    ("bulk-memory", Config::wasm_bulk_memory),
    ("custom-page-sizes", Config::wasm_custom_page_sizes),
    ("extended-const", Config::wasm_extended_const),
    ("memory64", Config::wasm_memory64),
    ("multi-memory", Config::wasm_multi_memory),
    ("multi-value", Config::wasm_multi_value),
    ("mutable-global", Config::wasm_mutable_global),
    ("reference-types", Config::wasm_reference_types),
    ("relaxed-simd", Config::wasm_relaxed_simd),
    ("saturating-float-to-int", Config::wasm_saturating_float_to_int),
    ("sign-extension", Config::wasm_sign_extension),
    ("simd", Config::wasm_simd),
    ("tail-call", Config::wasm_tail_call),
    ("wide-arithmetic", Config::wasm_wide_arithmetic),
];

/// What is on by default.
const ON: &[&str] =
    &["custom-page-sizes", "memory64", "multi-memory", "relaxed-simd", "simd", "tail-call", "wide-arithmetic"];

/// wasmi, configured.
struct Wasmi {
    engine: wasmi::Engine,
    limit: GrowthLimit,
}

/// Sets the engine up.
///
/// # Errors
/// In words, when a proposal to switch is unknown to it.
pub(super) fn open(job: &Job) -> Result<Box<dyn Engine>, String> {
    let mut config = Config::default();
    for (_, switch) in FEATURES.iter().filter(|(name, _)| ON.contains(name)) {
        switch(&mut config, true);
    }
    for wanted in job.features.switches() {
        let Some((_, switch)) = FEATURES.iter().find(|(name, _)| *name == wanted.name) else {
            let known: Vec<&str> = FEATURES.iter().map(|(name, _)| *name).collect();
            return Err(format!("wasmi cannot switch {}; it can switch {}", wanted.name, known.join(", ")));
        };
        switch(&mut config, wanted.enabled);
    }
    config
        // It rejects modules before anything runs.
        .compilation_mode(CompilationMode::Eager)
        .ignore_custom_sections(true)
        .set_max_recursion_depth(MAX_RECURSION)
        .set_max_stack_height(MAX_STACK);
    Ok(Box::new(Wasmi { engine: wasmi::Engine::new(&config), limit: GrowthLimit::new(job.memory_page_limit) }))
}

impl Engine for Wasmi {
    fn about(&self) -> EngineInfo {
        let switches = ON.iter().map(|name| (format!("wasm_{}", name.replace('-', "_")), "true".to_string()));
        let limits = [("max_recursion_depth", MAX_RECURSION), ("max_stack_height", MAX_STACK)];
        let limits = limits.map(|(name, value)| (name.to_string(), value.to_string()));
        EngineInfo {
            spec: "wasmi".to_string(),
            name: "wasmi".to_string(),
            version: VERSION.to_string(),
            mode: "interpreter".to_string(),
            compiler: "none".to_string(),
            opt_level: "none".to_string(),
            target: std::env::consts::ARCH.to_string(),
            cpu_features: Vec::new(),
            settings: switches.chain(limits).collect(),
        }
    }

    fn validate(&self, module: &Path) -> Result<(), Rejected> {
        let bytes = std::fs::read(module).map_err(|error| Rejected::validate(error.to_string()))?;
        Module::validate(&self.engine, &bytes).map_err(|error| Rejected::validate(error.to_string()))
    }

    fn compile_ahead(&self, _: &Path, _: &Path) -> Result<(), Rejected> {
        Err(Rejected::compile("an interpreter compiles nothing ahead of time"))
    }

    fn load<'a>(&'a self, module: &Path, _: &Run) -> Result<Box<dyn Loaded + 'a>, Rejected> {
        let bytes = std::fs::read(module).map_err(|error| Rejected::compile(error.to_string()))?;
        match Module::new(&self.engine, bytes) {
            Ok(module) => Ok(Box::new(LoadedModule { engine: self, module })),
            Err(error) => Err(Rejected::compile(error.to_string())),
        }
    }

    fn world<'a>(&'a self, _: &'a Run, session: Session) -> Result<Box<dyn World + 'a>, String> {
        Ok(Box::new(WasmiWorld::new(&self.engine, session, self.limit)))
    }
}

/// A translated module.
struct LoadedModule<'a> {
    engine: &'a Wasmi,
    module: Module,
}

impl Loaded for LoadedModule<'_> {
    fn instantiate<'a>(&'a self, run: &Run, session: Session) -> Result<Box<dyn Guest + 'a>, Rejected> {
        match WasmiGuest::new(&self.engine.engine, &self.module, run, session, self.engine.limit) {
            Ok(guest) => Ok(Box::new(guest)),
            Err(error) => Err(Rejected::instantiate(error.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_version_is_the_one_linked_in() {
        let lock = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.lock"));
        let package = format!("name = \"wasmi\"\nversion = \"{}\"\n", super::VERSION);
        assert!(lock.contains(&package), "Cargo.lock has another version of wasmi than {}", super::VERSION);
    }
}
