//! Which engine runs a module, and how it is set up.

pub(crate) mod wasmtime;

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// An engine as it is written on the command line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum EngineSpec {
    /// The one linked into this program: `wasmtime:aot,target=portable,opt=none`.
    Wasmtime(WasmtimeSpec),
    /// A program that speaks the runner protocol (docs/runner-protocol.md): `runner:COMMAND`.
    Runner {
        /// Program and arguments, separated by spaces.
        command: String,
    },
}

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

/// How an engine comes to its native code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// Compiled in the process that runs it.
    Jit,
    /// Compiled to a file in one process, loaded from it in another.
    Aot,
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

/// How hard the compiler tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum OptLevel {
    /// As little as possible.
    None,
    /// For speed. This is the default.
    Speed,
    /// For speed and size.
    SpeedAndSize,
}

/// Why an engine's name is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem} in the engine `{spec}`; {hint}")]
pub struct SpecError {
    spec: String,
    problem: String,
    hint: &'static str,
}

const HINT: &str = "write `wasmtime:jit`, `wasmtime:aot`, `wasmtime:winch-jit`, `wasmtime:winch-aot`, `wasmtime:pulley` \
                    or `wasmtime:pulley-aot`, then any of `,target=host|portable|TRIPLE`, `,cpu=+fma-avx2`, \
                    `,opt=none|speed|speed-and-size`; or `runner:COMMAND`";

impl Default for WasmtimeSpec {
    fn default() -> WasmtimeSpec {
        WasmtimeSpec {
            compiler: Compiler::Cranelift,
            mode: Mode::Jit,
            target: Target::Host,
            cpu: Vec::new(),
            opt: OptLevel::Speed,
        }
    }
}

impl Default for EngineSpec {
    fn default() -> EngineSpec {
        EngineSpec::Wasmtime(WasmtimeSpec::default())
    }
}

impl EngineSpec {
    /// Whether code is compiled in a process of its own first.
    pub(crate) fn compiles_ahead(&self) -> bool {
        matches!(self, EngineSpec::Wasmtime(WasmtimeSpec { mode: Mode::Aot, .. }))
    }

    /// Whether the engine's process can answer WASI by itself.
    pub fn has_host(&self) -> bool {
        matches!(self, EngineSpec::Wasmtime(_))
    }

    /// Whether it is a part of this program, and no program or library that its name leads to.
    pub fn is_built_in(&self) -> bool {
        !matches!(self, EngineSpec::Runner { .. })
    }

    /// Whether modules can record inline: a runner may not know multi-memory, and has no buffer to share.
    pub fn records_inline(&self) -> bool {
        matches!(self, EngineSpec::Wasmtime(_))
    }
}

impl FromStr for EngineSpec {
    type Err = SpecError;

    fn from_str(spec: &str) -> Result<EngineSpec, SpecError> {
        let fail = |problem: String| SpecError { spec: spec.to_string(), problem, hint: HINT };
        if let Some(command) = spec.strip_prefix("runner:") {
            if command.trim().is_empty() {
                return Err(fail("no command".to_string()));
            }
            return Ok(EngineSpec::Runner { command: command.to_string() });
        }
        let mut parts = spec.split(',');
        let mut engine = WasmtimeSpec::default();
        (engine.compiler, engine.mode) = match parts.next().unwrap_or_default() {
            "wasmtime" | "wasmtime:jit" | "wasmtime:cranelift-jit" => (Compiler::Cranelift, Mode::Jit),
            "wasmtime:aot" | "wasmtime:cranelift-aot" => (Compiler::Cranelift, Mode::Aot),
            "wasmtime:winch" | "wasmtime:winch-jit" => (Compiler::Winch, Mode::Jit),
            "wasmtime:winch-aot" => (Compiler::Winch, Mode::Aot),
            "wasmtime:pulley" | "wasmtime:pulley-jit" => (Compiler::Pulley, Mode::Jit),
            "wasmtime:pulley-aot" => (Compiler::Pulley, Mode::Aot),
            other => return Err(fail(format!("unknown engine or mode `{other}`"))),
        };
        for part in parts {
            match part.split_once('=') {
                Some(("target", target)) => engine.target = target.parse().map_err(&fail)?,
                Some(("cpu", features)) => engine.cpu = Cpu::parse_list(features).map_err(&fail)?,
                Some(("opt", level)) => engine.opt = level.parse().map_err(&fail)?,
                _ => return Err(fail(format!("unknown setting `{part}`"))),
            }
        }
        if engine.compiler == Compiler::Pulley && engine.target != Target::Host {
            return Err(fail("pulley is a target of its own".to_string()));
        }
        Ok(EngineSpec::Wasmtime(engine))
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

impl FromStr for OptLevel {
    type Err = String;

    fn from_str(level: &str) -> Result<OptLevel, String> {
        match level {
            "none" | "0" => Ok(OptLevel::None),
            "speed" | "2" => Ok(OptLevel::Speed),
            "speed-and-size" | "s" => Ok(OptLevel::SpeedAndSize),
            other => Err(format!("unknown optimization level `{other}`")),
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

impl fmt::Display for OptLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            OptLevel::None => "none",
            OptLevel::Speed => "speed",
            OptLevel::SpeedAndSize => "speed-and-size",
        })
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Mode::Jit => "jit",
            Mode::Aot => "aot",
        })
    }
}

impl fmt::Display for EngineSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EngineSpec::Wasmtime(spec) => spec.fmt(f),
            EngineSpec::Runner { command } => write!(f, "runner:{command}"),
        }
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
        match &self.target {
            Target::Host => {}
            Target::Portable => f.write_str(",target=portable")?,
            Target::Triple(triple) => write!(f, ",target={triple}")?,
        }
        if !self.cpu.is_empty() {
            f.write_str(",cpu=")?;
            for cpu in &self.cpu {
                write!(f, "{}{}", if cpu.enabled { '+' } else { '-' }, cpu.feature)?;
            }
        }
        if self.opt != OptLevel::Speed {
            write!(f, ",opt={}", self.opt)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specs_read_back_as_they_are_written() {
        for spec in [
            "wasmtime:jit",
            "wasmtime:aot",
            "wasmtime:aot,target=portable",
            "wasmtime:jit,target=x86_64-unknown-linux-gnu,cpu=+fma-avx2,opt=none",
            "wasmtime:jit,opt=speed-and-size",
            "wasmtime:winch-jit",
            "wasmtime:winch-aot,cpu=-avx2",
            "wasmtime:pulley",
            "wasmtime:pulley-aot,opt=none",
            "runner:python3 my runner.py",
        ] {
            assert_eq!(spec.parse::<EngineSpec>().expect(spec).to_string(), spec);
        }
        assert_eq!("wasmtime".parse(), Ok(EngineSpec::default()));
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for (spec, named) in [
            ("v8", "v8"),
            ("wasmtime:jit,foo", "foo"),
            ("wasmtime:jit,opt=9", "9"),
            ("wasmtime:jit,cpu=fma", "fma"),
            ("wasmtime:jit,cpu=+", "CPU"),
            ("wasmtime:jit,target=", "empty target"),
            ("wasmtime:pulley,target=portable", "pulley"),
            ("runner: ", "no command"),
        ] {
            let error = spec.parse::<EngineSpec>().expect_err(spec).to_string();
            assert!(error.contains(named) && error.contains("wasmtime:jit"), "{error}");
        }
    }
}
