//! How Wasmtime is written on the command line.

use super::tuning::Tuning;
use crate::engine::{Mode, OptLevel};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Wasmtime and its settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WasmtimeSpec {
    /// Which of its compilers.
    pub compiler: Compiler,
    /// JIT or AOT.
    pub mode: Mode,
    /// What code is made for.
    pub target: Target,
    /// CPU features switched on and off, on top of what the target has.
    pub cpu: Vec<Cpu>,
    /// Optimization level.
    pub opt: OptLevel,
    /// What else decides whether a bug shows.
    pub tuning: Tuning,
}

/// Which of Wasmtime's compilers makes the code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Compiler {
    /// The optimizing one. This is the default.
    Cranelift,
    /// The baseline one: fast to compile, and without some proposals.
    Winch,
    /// Cranelift for Pulley, Wasmtime's own byte code, which is interpreted.
    Pulley,
}

/// What native code is made for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    /// This machine, with all that its processor can do. This is the default.
    Host,
    /// This machine's architecture without any feature beyond its baseline.
    Portable,
    /// A target triple, with its baseline.
    Triple(String),
}

/// A CPU feature switched on or off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cpu {
    /// The feature as Cranelift names it without its `has_`: `fma`, `avx2`.
    pub feature: String,
    /// On or off.
    pub enabled: bool,
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
    /// Reads what stands behind `wasmtime:`, and the settings.
    pub(in crate::engine) fn parse<'a>(
        variant: &str,
        settings: impl Iterator<Item = &'a str>,
    ) -> Result<WasmtimeSpec, String> {
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
                Some(("cpu", features)) => engine.cpu = Cpu::parse_list(features)?,
                Some(("opt", level)) => engine.opt = level.parse()?,
                Some((name, value)) if engine.tuning.set(name, value)? => {}
                _ => return Err(format!("unknown setting `{setting}`")),
            }
        }
        if engine.compiler == Compiler::Pulley && engine.target != Target::Host {
            return Err("pulley is a target of its own".to_string());
        }
        Ok(engine)
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(target: &str) -> Result<Target, String> {
        match target {
            "host" => Ok(Target::Host),
            "portable" => Ok(Target::Portable),
            "" => Err("empty target".to_string()),
            triple => Ok(Target::Triple(triple.to_string())),
        }
    }
}

impl Cpu {
    /// Parses `+fma-avx2`.
    ///
    /// # Errors
    /// A sentence that names the part which is not understood.
    pub fn parse_list(list: &str) -> Result<Vec<Cpu>, String> {
        let mut features = Vec::new();
        let mut rest = list;
        while !rest.is_empty() {
            let enabled = match rest.as_bytes()[0] {
                b'+' => true,
                b'-' => false,
                _ => return Err(format!("CPU feature without + or - before it: `{rest}`")),
            };
            let end = rest[1..].find(['+', '-']).map_or(rest.len(), |end| end + 1);
            let feature = &rest[1..end];
            if feature.is_empty() || !feature.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.') {
                return Err(format!("`{feature}` is not the name of a CPU feature"));
            }
            features.push(Cpu { feature: feature.to_string(), enabled });
            rest = &rest[end..];
        }
        Ok(features)
    }
}

/// The settings `target=` and `cpu=`, with a comma before each, where they are not what they are by default.
pub(in crate::engine) fn write_target(f: &mut fmt::Formatter<'_>, target: &Target, cpu: &[Cpu]) -> fmt::Result {
    match target {
        Target::Host => {}
        Target::Portable => f.write_str(",target=portable")?,
        Target::Triple(triple) => write!(f, ",target={triple}")?,
    }
    if cpu.is_empty() {
        return Ok(());
    }
    f.write_str(",cpu=")?;
    cpu.iter().try_for_each(|cpu| write!(f, "{}{}", if cpu.enabled { '+' } else { '-' }, cpu.feature))
}

impl Target {
    /// The triple to name to a compiler; `None` for this machine with all that it can do. To name one at all is what
    /// switches off what a compiler finds out about the processor.
    pub(in crate::engine) fn triple(&self) -> Option<String> {
        match self {
            Target::Host => None,
            Target::Portable => Some(host_triple()),
            Target::Triple(triple) => Some(triple.clone()),
        }
    }

    /// The processor features that code may use, `cpu` switched on and off among them; sorted.
    pub(in crate::engine) fn features(&self, cpu: &[Cpu]) -> Vec<String> {
        let mut features = if *self == Target::Host { crate::engine::host_features() } else { Vec::new() };
        for cpu in cpu {
            features.retain(|feature| feature.replace('.', "") != cpu.feature.replace('.', ""));
            if cpu.enabled {
                features.push(cpu.feature.clone());
            }
        }
        features.sort();
        features
    }
}

/// The triple of this machine.
pub(in crate::engine) fn host_triple() -> String {
    format!("{}-unknown-linux-gnu", std::env::consts::ARCH)
}

impl Cpu {
    /// Its name among the flags of Cranelift.
    pub(in crate::engine) fn flag(&self) -> String {
        format!("has_{}", self.feature.replace('.', ""))
    }
}

/// The shortest spelling that means this engine.
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
