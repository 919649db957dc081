//! Wasmtime, in the child process.

mod asked;
mod compiled;
mod convert;
mod embedded;
mod guest;
mod imports;
mod live;
mod memories;
mod records;
mod references;
mod state;
mod tuning;
mod world;

use super::drive::{Engine, Guest, Loaded, Rejected};
use super::limit::GrowthLimit;
use super::session::Session;
use super::world::World;
use crate::features;
use crate::job::{Job, Run};
use crate::link::Out;
use crate::protocol::{NO_OFFSET, NativeFrame};
use crate::spec::{Compiler, OptLevel, Target, WasmtimeSpec, cranelift_flag, host_triple};
use compiled::Compiled;
use forkpoint_traces::EngineInfo;
use guest::WasmtimeGuest;
use std::io;
use std::path::Path;
use wasmtime::{Config, Module, Strategy};
use world::WasmtimeWorld;

/// The version linked in.
pub(super) const VERSION: &str = wasmtime_environ::VERSION;

/// Sets a [`Config`]'s switch.
type Switch = fn(&mut Config, bool) -> &mut Config;

/// Settings that are the same in every run, under Wasmtime's own names. Some are Wasmtime's default and set
/// nonetheless: they decide whether a divergence shows, so a trace must not leave them to the reader's version.
const SWITCHES: &[(&str, Switch, bool)] = &[
    ("cranelift_nan_canonicalization", Config::cranelift_nan_canonicalization, false),
    ("relaxed_simd_deterministic", Config::relaxed_simd_deterministic, false),
    ("shared_memory", Config::shared_memory, true),
    ("wasm_custom_page_sizes", Config::wasm_custom_page_sizes, true),
    ("wasm_exceptions", Config::wasm_exceptions, true),
    ("wasm_function_references", Config::wasm_function_references, true),
    ("wasm_gc", Config::wasm_gc, true),
    ("wasm_memory64", Config::wasm_memory64, true),
    ("wasm_multi_memory", Config::wasm_multi_memory, true),
    ("wasm_relaxed_simd", Config::wasm_relaxed_simd, true),
    ("wasm_threads", Config::wasm_threads, true),
    ("wasm_wide_arithmetic", Config::wasm_wide_arithmetic, true),
];

/// Proposals that a compiler lacks; with them switched on, the engine would not start.
const LACKING: &[(Compiler, &[&str])] = &[
    (
        Compiler::Winch,
        &[
            "wasm_exceptions",
            "wasm_function_references",
            "wasm_gc",
            "wasm_relaxed_simd",
            "relaxed_simd_deterministic",
        ],
    ),
    (Compiler::Pulley, &["wasm_threads", "shared_memory"]),
];

fn switches(compiler: Compiler) -> impl Iterator<Item = &'static (&'static str, Switch, bool)> {
    let lacking = LACKING.iter().filter(move |(which, _)| *which == compiler).flat_map(|(_, names)| names.iter());
    let lacking: Vec<&str> = lacking.copied().collect();
    SWITCHES.iter().filter(move |(name, ..)| !lacking.contains(name))
}

/// The target for Wasmtime's own bytecode on this kind of machine.
const PULLEY: &str = if cfg!(target_pointer_width = "64") { "pulley64" } else { "pulley32" };

/// Bytes of stack that a guest may use.
const MAX_WASM_STACK: usize = 512 << 10;

/// The same where the host may call the guest, since the stack of all of them counts.
const MAX_DEEP_STACK: usize = 128 << 20;

fn max_stack(job: &Job) -> usize {
    if job.deep_calls { MAX_DEEP_STACK } else { MAX_WASM_STACK }
}

/// Wasmtime, configured.
struct Wasmtime {
    spec: WasmtimeSpec,
    engine: wasmtime::Engine,
    limit: GrowthLimit,
    compiled: Compiled,
    /// Bytes of stack that the guest may use.
    stack: usize,
}

/// Sets the engine up.
///
/// # Errors
/// In the engine's words, when its settings cannot be combined.
pub(super) fn open(spec: &WasmtimeSpec, job: &Job) -> Result<Box<dyn Engine>, String> {
    let limit = GrowthLimit::new(job.memory_page_limit);
    match configure(spec, job) {
        Ok(engine) => {
            let compiled = Compiled::new(spec, job, &engine);
            Ok(Box::new(Wasmtime { spec: spec.clone(), engine, limit, compiled, stack: max_stack(job) }))
        }
        Err(error) => Err(format!("{error:#}")),
    }
}

impl Engine for Wasmtime {
    fn about(&self) -> EngineInfo {
        describe(&self.spec, self.stack)
    }

    fn validate(&self, module: &Path) -> Result<(), Rejected> {
        if self.compiled.kept().is_some() {
            return Ok(());
        }
        let bytes = std::fs::read(module).map_err(|error| Rejected::validate(error.to_string()))?;
        Module::validate(&self.engine, &bytes).map_err(|error| Rejected::validate(format!("{error:#}")))
    }

    fn compile_ahead(&self, module: &Path, output: &Path) -> Result<(), Rejected> {
        let compiled = self.compiled.ahead(&self.engine, module, output);
        compiled.map_err(|error| Rejected::compile(format!("{error:#}")))
    }

    fn load<'a>(&'a self, module: &Path, run: &Run) -> Result<Box<dyn Loaded + 'a>, Rejected> {
        match self.load_module(module, run) {
            Ok(module) => Ok(Box::new(LoadedModule { engine: self, module })),
            Err(error) => Err(Rejected::compile(format!("{error:#}"))),
        }
    }

    fn world<'a>(&'a self, run: &'a Run, session: Session) -> Result<Box<dyn World + 'a>, String> {
        let compile = Box::new(|path: &Path| self.compile_alone(path, run));
        match WasmtimeWorld::new(&self.engine, compile, run, session, self.limit) {
            Ok(world) => Ok(Box::new(world)),
            Err(error) => Err(format!("{error:#}")),
        }
    }
}

impl Wasmtime {
    fn load_module(&self, path: &Path, run: &Run) -> wasmtime::Result<Module> {
        if run.precompiled {
            // SAFETY: the file was just written by a child of the same parent, in a directory that only this user can
            // write; a trace never names such a file.
            return unsafe { Module::deserialize_file(&self.engine, path) };
        }
        self.compiled.module(&self.engine, path)
    }

    /// Compiles one module of several; ahead of time, it goes through the form in which compiled code is kept.
    fn compile_alone(&self, path: &Path, run: &Run) -> wasmtime::Result<Module> {
        let module = std::fs::read(path)?;
        if !run.precompiled {
            return self.compiled.one_of_several(&self.engine, &module);
        }
        let code = self.engine.precompile_module(&module)?;
        // SAFETY: this engine has made the code just now.
        unsafe { Module::deserialize(&self.engine, code) }
    }
}

/// A compiled module.
struct LoadedModule<'a> {
    engine: &'a Wasmtime,
    module: Module,
}

impl Loaded for LoadedModule<'_> {
    fn send_native(&self, limit: u64, out: &mut Out) -> io::Result<()> {
        send_native(&self.module, limit, out)
    }

    fn instantiate<'a>(&'a self, run: &Run, session: Session) -> Result<Box<dyn Guest + 'a>, Rejected> {
        match WasmtimeGuest::new(&self.engine.engine, &self.module, run, session, self.engine.limit) {
            Ok(guest) => Ok(Box::new(guest)),
            Err(error) => Err(Rejected::instantiate(format!("{error:#}"))),
        }
    }
}

fn configure(spec: &WasmtimeSpec, job: &Job) -> wasmtime::Result<wasmtime::Engine> {
    let mut config = Config::new();
    config
        .cranelift_opt_level(match spec.opt {
            OptLevel::None => wasmtime::OptLevel::None,
            OptLevel::Speed => wasmtime::OptLevel::Speed,
            OptLevel::SpeedAndSize => wasmtime::OptLevel::SpeedAndSize,
        })
        .max_wasm_stack(max_stack(job))
        // Nothing here is asynchronous, but the engine checks that this is larger.
        .async_stack_size(max_stack(job).max(2 << 20));
    for (_, switch, enabled) in switches(spec.compiler) {
        switch(&mut config, *enabled);
    }
    match spec.compiler {
        Compiler::Cranelift => {}
        Compiler::Winch => {
            config.strategy(Strategy::Winch);
        }
        Compiler::Pulley => {
            config.target(PULLEY)?;
        }
    }
    if job.stack_switching {
        // Not by default: some targets lack it.
        config.wasm_stack_switching(true);
    }
    for switch in job.features.switches() {
        config.wasm_features(features::flag(switch), switch.enabled);
    }
    if let Some(triple) = spec.target.triple() {
        config.target(&triple)?;
    }
    for cpu in &spec.cpu {
        // SAFETY: the setter is unsafe because arbitrary Cranelift flags can break the engine's assumptions;
        // `has_*` flags only say which instructions may be used, and the engine refuses to load code that needs
        // instructions which this processor does not have.
        unsafe {
            config.cranelift_flag_set(&cranelift_flag(cpu), if cpu.enabled { "true" } else { "false" });
        }
    }
    tuning::apply(&spec.tuning, &mut config);
    wasmtime::Engine::new(&config)
}

fn describe(spec: &WasmtimeSpec, stack: usize) -> EngineInfo {
    let features = match spec.target {
        // Pulley has no features to detect.
        Target::Host if spec.compiler == Compiler::Pulley => Target::Portable.features(&spec.cpu),
        _ => spec.target.features(&spec.cpu),
    };
    EngineInfo {
        spec: spec.to_string(),
        name: "wasmtime".to_string(),
        version: VERSION.to_string(),
        mode: spec.mode.to_string(),
        compiler: match spec.compiler {
            Compiler::Winch => "winch",
            Compiler::Cranelift | Compiler::Pulley => "cranelift",
        }
        .to_string(),
        opt_level: spec.opt.to_string(),
        target: match &spec.target {
            Target::Triple(triple) => triple.clone(),
            Target::Host if spec.compiler == Compiler::Pulley => PULLEY.to_string(),
            Target::Host | Target::Portable => host_triple(),
        },
        cpu_features: features,
        settings: settings(spec, stack),
    }
}

fn settings(spec: &WasmtimeSpec, stack: usize) -> Vec<(String, String)> {
    let tuned = tuning::settings(&spec.tuning);
    let switches = switches(spec.compiler).map(|(name, _, enabled)| (name.to_string(), enabled.to_string()));
    let untouched = switches.filter(|(name, _)| !tuned.iter().any(|(tuned, _)| tuned == name));
    let mut settings: Vec<_> = untouched.collect();
    settings.push(("max_wasm_stack".to_string(), stack.to_string()));
    settings.push(("host".to_string(), format!("wasmtime-wasi {}", wasmtime_environ::VERSION)));
    settings.extend(tuned);
    settings
}

/// Sends the native code of all functions, if it is not more than `limit` bytes.
fn send_native(module: &Module, limit: u64, out: &mut Out) -> io::Result<()> {
    let text = module.text();
    if text.len() as u64 > limit {
        return Ok(());
    }
    let mut functions: Vec<_> = module.functions().collect();
    functions.sort_by_key(|function| function.offset);
    let Some(points) = module.address_map() else { return Ok(()) };
    let mut points = points.peekable();
    for function in functions {
        let (start, end) = (function.offset, function.offset + function.len);
        let mut own = Vec::new();
        while let Some((offset, wasm)) = points.next_if(|(offset, _)| *offset < end) {
            if offset >= start {
                own.push(((offset - start) as u32, wasm.unwrap_or(NO_OFFSET)));
            }
        }
        out.native(&NativeFrame {
            function: function.index.as_u32(),
            start: start as u64,
            points: own,
            code: text.get(start..end).unwrap_or_default().to_vec(),
        })?;
    }
    Ok(())
}
