//! Wasmtime, in the child process.

mod asked;
mod convert;
mod guest;
mod imports;
mod live;
mod memories;
mod records;

use super::{Compiler, OptLevel, Target, WasmtimeSpec};
use crate::child::{Control, Job, Run, Task};
use crate::protocol::{FrameWriter, Message, NO_OFFSET, NativeFrame};
use forkpoint_traces::EngineInfo;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use wasmtime::{Config, Engine, Module, Strategy};

/// Sets a [`Config`]'s switch.
type Switch = fn(&mut Config, bool) -> &mut Config;

/// What is the same in every run, under Wasmtime's own names. Some of it is Wasmtime's default and set
/// nonetheless: it decides whether a divergence shows, so a trace must not leave it to the reader's version.
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

/// Proposals that a compiler does not have; switched on, the engine would not start.
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

/// The target of Wasmtime's own byte code on this kind of machine.
const PULLEY: &str = if cfg!(target_pointer_width = "64") { "pulley64" } else { "pulley32" };

/// Bytes of stack that a guest may use.
const MAX_WASM_STACK: usize = 512 << 10;

pub(crate) type Out = FrameWriter<Socket>;

/// The socket to the recorder, for several hands.
#[derive(Clone)]
pub(crate) struct Socket(pub(crate) Arc<UnixStream>);

impl io::Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&*self.0).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        (&*self.0).flush()
    }
}

/// Does the job and reports; an error means that the parent is gone.
pub(crate) fn run(spec: &WasmtimeSpec, job: &Job, mut out: Out, control: Control, buffer: OwnedFd) -> io::Result<()> {
    let engine = match configure(spec, job.stack_switching) {
        Ok(engine) => engine,
        Err(error) => return out.message(&Message::SetupFailed(format!("{error:#}"))),
    };
    out.message(&Message::Hello(describe(spec)))?;
    match &job.task {
        Task::Compile { output } => compile(&engine, &job.module, output, &mut out),
        Task::Run(run) => match load(&engine, &job.module, run) {
            Ok(module) => {
                send_native(&module, run.native_limit, &mut out)?;
                guest::run(&engine, &module, run, out, control, buffer)
            }
            Err(error) => {
                out.message(&Message::Rejected { stage: "compile".to_string(), message: format!("{error:#}") })
            }
        },
    }
}

fn configure(spec: &WasmtimeSpec, stack_switching: bool) -> wasmtime::Result<Engine> {
    let mut config = Config::new();
    config
        .cranelift_opt_level(match spec.opt {
            OptLevel::None => wasmtime::OptLevel::None,
            OptLevel::Speed => wasmtime::OptLevel::Speed,
            OptLevel::SpeedAndSize => wasmtime::OptLevel::SpeedAndSize,
        })
        .max_wasm_stack(MAX_WASM_STACK);
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
    if stack_switching {
        // Not by default: not every target has it.
        config.wasm_stack_switching(true);
    }
    match &spec.target {
        Target::Host => {}
        // Naming a target at all switches off what was found out about this processor.
        Target::Portable => {
            config.target(&host_triple())?;
        }
        Target::Triple(triple) => {
            config.target(triple)?;
        }
    }
    for cpu in &spec.cpu {
        let flag = format!("has_{}", cpu.feature.replace('.', ""));
        // SAFETY: the setter is unsafe because arbitrary Cranelift flags can break the engine's assumptions;
        // `has_*` flags only say which instructions may be used, and the engine refuses to load code that needs
        // instructions which this processor does not have.
        unsafe {
            config.cranelift_flag_set(&flag, if cpu.enabled { "true" } else { "false" });
        }
    }
    Engine::new(&config)
}

fn host_triple() -> String {
    let arch = std::env::consts::ARCH;
    format!("{arch}-unknown-linux-gnu")
}

/// Processor features that decide which code Cranelift makes, where this machine has them.
fn host_features() -> Vec<String> {
    let mut found = Vec::new();
    macro_rules! detect {
        ($detect:ident: $($feature:tt)*) => {
            $(if std::arch::$detect!($feature) { found.push($feature.to_string()); })*
        };
    }
    #[cfg(target_arch = "x86_64")]
    detect!(is_x86_feature_detected:
        "avx" "avx2" "avx512bitalg" "avx512dq" "avx512f" "avx512vbmi" "avx512vl" "bmi1" "bmi2" "cmpxchg16b"
        "fma" "lzcnt" "popcnt" "sse3" "sse4.1" "sse4.2" "ssse3");
    #[cfg(target_arch = "aarch64")]
    detect!(is_aarch64_feature_detected: "fp16" "lse" "paca" "pacg");
    found
}

fn describe(spec: &WasmtimeSpec) -> EngineInfo {
    let mut features = match spec.target {
        Target::Host if spec.compiler == Compiler::Pulley => Vec::new(),
        Target::Host => host_features(),
        Target::Portable | Target::Triple(_) => Vec::new(),
    };
    for cpu in &spec.cpu {
        features.retain(|feature| feature.replace('.', "") != cpu.feature.replace('.', ""));
        if cpu.enabled {
            features.push(cpu.feature.clone());
        }
    }
    features.sort();
    EngineInfo {
        spec: spec.to_string(),
        name: "wasmtime".to_string(),
        version: wasmtime_environ::VERSION.to_string(),
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
        settings: settings(spec.compiler),
    }
}

fn settings(compiler: Compiler) -> Vec<(String, String)> {
    let switches = switches(compiler).map(|(name, _, enabled)| (name.to_string(), enabled.to_string()));
    switches.chain([("max_wasm_stack".to_string(), MAX_WASM_STACK.to_string())]).collect()
}

fn compile(engine: &Engine, module: &Path, output: &Path, out: &mut Out) -> io::Result<()> {
    let compiled = std::fs::read(module)
        .map_err(wasmtime::Error::from)
        .and_then(|bytes| engine.precompile_module(&bytes))
        .and_then(|code| Ok(std::fs::write(output, code)?));
    out.message(&match compiled {
        Ok(()) => Message::End,
        Err(error) => Message::Rejected { stage: "compile".to_string(), message: format!("{error:#}") },
    })
}

fn load(engine: &Engine, path: &Path, run: &Run) -> wasmtime::Result<Module> {
    if run.precompiled {
        // SAFETY: the file was written by a child of the same parent a moment ago, in a directory that only
        // this user can write; a trace never names such a file.
        unsafe { Module::deserialize_file(engine, path) }
    } else {
        Module::new(engine, std::fs::read(path)?)
    }
}

/// Sends the native code of all functions, when it is not more than `limit` bytes.
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
