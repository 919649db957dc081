//! How engines are written on the command line: their names and settings, as data.
//!
//! Constraint: no engine is linked here. A setting takes effect in the engine's own folder.

mod bundled;
mod capi;
mod command;
mod settings;
mod tuning;
mod wasmedge;
mod wasmtime;

pub use bundled::{BundledRunner, BundledSpec, PythonCompiler, V8Compiler};
pub use capi::CapiSpec;
pub use command::{CommandSpec, Way};
pub use settings::{Mode, OptLevel, Target};
pub(crate) use settings::{cranelift_flag, host_features, host_triple};
pub use tuning::Tuning;
pub(crate) use wasmedge::{ABIS, LEVELS, abis};
pub use wasmedge::{WasmEdgeMode, WasmEdgeSpec};
pub use wasmtime::{Compiler, WasmtimeSpec};

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// An engine as written on the command line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum EngineSpec {
    /// The one linked into this program: `wasmtime:aot,target=portable,opt=none`.
    Wasmtime(WasmtimeSpec),
    /// A shared library with the C interface `wasm.h`: `capi:aot,lib=/path/libwasmtime.so`.
    Capi(CapiSpec),
    /// WasmEdge as a shared library: `wasmedge:aot,lib=/path/libwasmedge.so`.
    WasmEdge(WasmEdgeSpec),
    /// The interpreter linked into this program: `wasmi`.
    Wasmi,
    /// A runner that is part of this program: `node`, `python:winch`.
    Bundled(BundledSpec),
    /// Any command that runs a module (docs/command-engines.md): `command:TEMPLATE`.
    Command(CommandSpec),
    /// A program that speaks the runner protocol (docs/runner-protocol.md): `runner:COMMAND`.
    Runner {
        /// Program and arguments, separated by spaces.
        command: String,
    },
}

/// Why an engine's name is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{problem} in the engine `{spec}`{nearest}; `forkpoint engines` lists what can be used here, docs/engines.md all settings"
)]
pub struct SpecError {
    spec: String,
    problem: String,
    /// `: did you mean X?`, or nothing.
    nearest: String,
}

/// Every engine with its modes, as the start of its name.
const NAMES: &[&str] = &[
    "wasmtime:jit",
    "wasmtime:aot",
    "wasmtime:winch-jit",
    "wasmtime:winch-aot",
    "wasmtime:pulley",
    "wasmtime:pulley-aot",
    "wasmi",
    "wasmedge:interpreter,lib=PATH",
    "wasmedge:jit,lib=PATH",
    "wasmedge:aot,lib=PATH",
    "capi:jit,lib=PATH",
    "capi:aot,lib=PATH",
    "node",
    "node:liftoff",
    "node:turbofan",
    "python",
    "python:cranelift",
    "python:winch",
    "command:TEMPLATE",
    "runner:COMMAND",
];

/// Settings that are lists of switches.
const LISTS: &[&str] = &["cpu", "wasm", "compile-wasm"];

/// Similarity of two names, from 0 to 1, above which one is suggested for the other.
const ALIKE: f64 = 0.75;

/// The engine most likely meant by `name`, without its settings: by its whole name, or by the engine's part alone.
fn nearest(name: &str) -> Option<&'static str> {
    let (engine, variant) = name.split_once(':').unwrap_or((name, ""));
    let bare = |known: &&'static str| known.split(',').next().unwrap_or_default();
    if engine == "v8" || engine == "chrome" {
        return Some("node");
    }
    let likeness = |known: &&'static str| {
        let whole = strsim::jaro_winkler(name, bare(known));
        let (known_engine, _) = bare(known).split_once(':').unwrap_or((bare(known), ""));
        // `wasmtime:jitt`, and `wasmtme` without a mode.
        if variant.is_empty() { strsim::jaro_winkler(engine, known_engine) } else { whole }
    };
    let mut best: Option<(&'static str, f64)> = None;
    for known in NAMES {
        let likeness = likeness(known);
        if likeness >= ALIKE && *known != name && best.is_none_or(|(_, most)| likeness > most) {
            best = Some((known, likeness));
        }
    }
    best.map(|(known, _)| known)
}

impl Default for EngineSpec {
    fn default() -> EngineSpec {
        EngineSpec::Wasmtime(WasmtimeSpec::default())
    }
}

impl EngineSpec {
    /// Whether code is compiled in a separate process first.
    pub(crate) fn compiles_ahead(&self) -> bool {
        match self {
            EngineSpec::Wasmtime(spec) => spec.mode == Mode::Aot,
            EngineSpec::Capi(spec) => spec.mode == Mode::Aot,
            EngineSpec::WasmEdge(spec) => spec.mode == WasmEdgeMode::Aot,
            EngineSpec::Wasmi | EngineSpec::Bundled(_) | EngineSpec::Command(_) | EngineSpec::Runner { .. } => false,
        }
    }

    /// Whether the engine's process answers WASI, scripts and preloaded modules with what is linked into this
    /// program. Another engine may have its own host: [`crate::own_host`] asks it.
    pub fn has_linked_host(&self) -> bool {
        matches!(self, EngineSpec::Wasmtime(_))
    }

    /// Whether it is a part of this program, and not a program or library that its name points to.
    pub fn is_built_in(&self) -> bool {
        matches!(self, EngineSpec::Wasmtime(_) | EngineSpec::Wasmi)
    }

    /// Whether its process is this program again.
    pub(crate) fn is_of_this_program(&self) -> bool {
        !matches!(self, EngineSpec::Bundled(_) | EngineSpec::Runner { .. })
    }

    /// Whether it is a command, which modules have to record by themselves for.
    pub(crate) fn is_command(&self) -> bool {
        matches!(self, EngineSpec::Command(_))
    }

    /// Whether its page limit applies to every memory that a module defines, including the recorder's buffer.
    pub(crate) fn limits_buffer(&self) -> bool {
        matches!(self, EngineSpec::WasmEdge(_))
    }

    /// Whether modules record inline. wasmi calls hooks faster than it interprets the code that would replace them;
    /// old releases with `wasm.h` have no multi-memory, and a runner may have none. A host call costs compiled code
    /// of WasmEdge a hundred times what a record does, and its interpreter less than a record.
    pub fn records_inline(&self) -> bool {
        match self {
            EngineSpec::Wasmtime(_) => true,
            EngineSpec::WasmEdge(spec) => spec.mode != WasmEdgeMode::Interpreter,
            EngineSpec::Wasmi
            | EngineSpec::Capi(_)
            | EngineSpec::Bundled(_)
            | EngineSpec::Command(_)
            | EngineSpec::Runner { .. } => false,
        }
    }
}

/// The name and the settings of an engine. In a list of switches, as in `cpu=+fma,-avx2`, a comma before a sign does not
/// end the setting: no other one begins with a sign.
fn parts(spec: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut start = 0;
    for at in spec.match_indices(',').map(|(at, _)| at).chain([spec.len()]) {
        let part = &spec[start..at];
        let is_list = LISTS.iter().any(|list| part.strip_prefix(list).is_some_and(|rest| rest.starts_with('=')));
        let goes_on = spec[at..].strip_prefix(',').is_some_and(|next| next.trim_start().starts_with(['+', '-']));
        if !(is_list && goes_on) {
            parts.push(part);
            start = at + 1;
        }
    }
    parts
}

impl FromStr for EngineSpec {
    type Err = SpecError;

    fn from_str(spec: &str) -> Result<EngineSpec, SpecError> {
        // The error names a missing setting; only the engine's name may be a typo.
        let fail = |problem: String| {
            let name = spec.split(',').next().unwrap_or_default();
            let is_name = problem.contains("engine") || problem.contains("mode") || problem.contains("compiler");
            let nearest = is_name.then(|| nearest(name)).flatten();
            SpecError {
                spec: spec.escape_debug().to_string(),
                problem,
                nearest: nearest.map_or(String::new(), |name| format!(": did you mean `{name}`?")),
            }
        };
        if let Some(command) = spec.strip_prefix("runner:") {
            if command.trim().is_empty() {
                return Err(fail("no command".to_string()));
            }
            return Ok(EngineSpec::Runner { command: command.to_string() });
        }
        // A command may hold commas and colons.
        if let Some(command) = spec.strip_prefix("command").filter(|rest| rest.starts_with([':', ','])) {
            return CommandSpec::parse(command).map(EngineSpec::Command).map_err(fail);
        }
        let mut parts = parts(spec).into_iter();
        let name = parts.next().unwrap_or_default();
        let (engine, variant) = name.split_once(':').unwrap_or((name, ""));
        match engine {
            "wasmtime" => WasmtimeSpec::parse(variant, parts).map(EngineSpec::Wasmtime),
            "wasmedge" => WasmEdgeSpec::parse(variant, parts).map(EngineSpec::WasmEdge),
            "node" | "python" => BundledSpec::parse(engine, variant, parts).map(EngineSpec::Bundled),
            "capi" => CapiSpec::parse(variant, parts).map(EngineSpec::Capi),
            "wasmi" => match (variant, parts.next()) {
                ("" | "interpreter", None) => Ok(EngineSpec::Wasmi),
                ("" | "interpreter", Some(setting)) => Err(format!("unknown setting `{setting}`")),
                (other, _) => Err(format!("unknown mode `{other}`")),
            },
            _ => Err(format!("unknown engine `{name}`")),
        }
        .map_err(fail)
    }
}

impl fmt::Display for EngineSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EngineSpec::Wasmtime(spec) => spec.fmt(f),
            EngineSpec::Wasmi => f.write_str("wasmi"),
            EngineSpec::Capi(spec) => spec.fmt(f),
            EngineSpec::WasmEdge(spec) => spec.fmt(f),
            EngineSpec::Bundled(spec) => spec.fmt(f),
            EngineSpec::Command(spec) => spec.fmt(f),
            EngineSpec::Runner { command } => write!(f, "runner:{command}"),
        }
    }
}

#[cfg(test)]
mod tests;
