//! How Wasmtime is written on the command line.

use super::settings::{Mode, OptLevel, Target, write_target};
use super::tuning::Tuning;
use crate::switch::Switch;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Wasmtime and its settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WasmtimeSpec {
    /// Which of its compilers.
    pub compiler: Compiler,
    /// JIT or AOT.
    pub mode: Mode,
    /// The target of the code.
    pub target: Target,
    /// CPU features switched on and off, on top of the target's.
    pub cpu: Vec<Switch>,
    /// Optimization level.
    pub opt: OptLevel,
    /// Other settings that can decide whether a bug shows.
    pub tuning: Tuning,
}

/// The compiler of Wasmtime that makes the code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Compiler {
    /// The optimizing one. This is the default.
    Cranelift,
    /// The baseline one: fast to compile, and without some proposals.
    Winch,
    /// Cranelift for Pulley, Wasmtime's own byte code, which is interpreted.
    Pulley,
}

impl Default for WasmtimeSpec {
    fn default() -> WasmtimeSpec {
        WasmtimeSpec {
            compiler: Compiler::Cranelift,
            mode: Mode::Jit,
            target: Target::Host,
            cpu: Vec::new(),
            opt: OptLevel::Speed,
            tuning: Tuning::default(),
        }
    }
}

impl WasmtimeSpec {
    /// Parses the text after `wasmtime:`, including the settings.
    pub(super) fn parse<'a>(variant: &str, settings: impl Iterator<Item = &'a str>) -> Result<WasmtimeSpec, String> {
        let mut engine = WasmtimeSpec::default();
        (engine.compiler, engine.mode) = match variant {
            "" | "jit" | "cranelift-jit" => (Compiler::Cranelift, Mode::Jit),
            "aot" | "cranelift-aot" => (Compiler::Cranelift, Mode::Aot),
            "winch" | "winch-jit" => (Compiler::Winch, Mode::Jit),
            "winch-aot" => (Compiler::Winch, Mode::Aot),
            "pulley" | "pulley-jit" => (Compiler::Pulley, Mode::Jit),
            "pulley-aot" => (Compiler::Pulley, Mode::Aot),
            other => return Err(format!("unknown mode `{other}`")),
        };
        for setting in settings {
            match setting.split_once('=') {
                Some(("target", target)) => engine.target = target.parse()?,
                Some(("cpu", features)) => engine.cpu = Switch::parse_cpu(features)?,
                Some(("opt", level)) => engine.opt = level.parse()?,
                Some((name, value)) if engine.tuning.set(name, value)? => {}
                _ => return Err(format!("unknown setting `{setting}`")),
            }
        }
        if engine.compiler == Compiler::Pulley && engine.target != Target::Host {
            return Err("pulley is a separate target".to_string());
        }
        Ok(engine)
    }
}

/// The shortest notation of this engine.
impl fmt::Display for WasmtimeSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.compiler, self.mode) {
            (Compiler::Cranelift, mode) => write!(f, "wasmtime:{mode}")?,
            (Compiler::Winch, mode) => write!(f, "wasmtime:winch-{mode}")?,
            (Compiler::Pulley, Mode::Jit) => f.write_str("wasmtime:pulley")?,
            (Compiler::Pulley, Mode::Aot) => f.write_str("wasmtime:pulley-aot")?,
        }
        write_target(f, &self.target, &self.cpu)?;
        if self.opt != OptLevel::Speed {
            write!(f, ",opt={}", self.opt)?;
        }
        self.tuning.fmt(f)
    }
}
