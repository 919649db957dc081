//! How a library with the C interface `wasm.h` is written on the command line.

use crate::engine::wasmtime::write_target;
use crate::engine::{Cpu, Mode, OptLevel, Target};
use crate::features;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;

/// A library with the standard C interface, and its settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapiSpec {
    /// JIT or AOT: compiled where it runs, or serialized in one process and deserialized in another.
    pub mode: Mode,
    /// The shared library.
    pub library: PathBuf,
    /// Which of the engine's compilers, by its own name; `None` for its default.
    pub compiler: Option<String>,
    /// What code is made for.
    pub target: Target,
    /// CPU features switched on and off, on top of what the target has.
    pub cpu: Vec<Cpu>,
    /// Optimization level; `None` for the engine's default.
    pub opt: Option<OptLevel>,
    /// Which of the engine's register allocators, by its own name; `None` for its default.
    pub regalloc: Option<String>,
    /// Proposals switched on and off, by the engine's own names.
    pub wasm: Vec<Switch>,
}

/// A proposal or another thing of the engine, switched on or off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Switch {
    /// Its name.
    pub name: String,
    /// On or off.
    pub enabled: bool,
}

impl Switch {
    /// What [`Switch::parse_list`] reads.
    pub(in crate::engine) fn list(switches: &[Switch]) -> String {
        switches.iter().map(|switch| format!("{}{}", if switch.enabled { '+' } else { '-' }, switch.name)).collect()
    }

    /// Parses `+gc-simd`. A proposal's name may have its hyphens, as `--features` has them, or underscores, as engines do:
    /// a hyphen is part of a name where a known one goes on with it.
    ///
    /// # Errors
    /// A sentence that names the part which is not understood.
    pub(in crate::engine) fn parse_list(list: &str) -> Result<Vec<Switch>, String> {
        let mut switches = Vec::new();
        let mut rest = list;
        while let Some(sign) = rest.chars().next() {
            if !['+', '-'].contains(&sign) {
                return Err(format!("a name without + or - before it: `{rest}`"));
            }
            let end = match features::hyphenated_at(&rest[1..]) {
                Some(length) => 1 + length,
                None => rest[1..].find(['+', '-']).map_or(rest.len(), |end| end + 1),
            };
            let name = &rest[1..end].replace('-', "_");
            if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
                return Err(format!("`{name}` is not the name of a proposal; write it as `multi_memory`"));
            }
            switches.push(Switch { name: name.to_string(), enabled: sign == '+' });
            rest = &rest[end..];
        }
        Ok(switches)
    }
}

impl CapiSpec {
    /// Reads what stands behind `capi:`, and the settings.
    pub(in crate::engine) fn parse<'a>(
        variant: &str,
        settings: impl Iterator<Item = &'a str>,
    ) -> Result<CapiSpec, String> {
        let mode = match variant {
            "" | "jit" => Mode::Jit,
            "aot" => Mode::Aot,
            other => return Err(format!("unknown mode `{other}`")),
        };
        let mut spec = CapiSpec {
            mode,
            library: PathBuf::new(),
            compiler: None,
            target: Target::Host,
            cpu: Vec::new(),
            opt: None,
            regalloc: None,
            wasm: Vec::new(),
        };
        for setting in settings {
            match setting.split_once('=') {
                Some(("lib", path)) => spec.library = path.into(),
                Some(("compiler", name)) => spec.compiler = Some(name.to_string()),
                Some(("target", target)) => spec.target = target.parse()?,
                Some(("cpu", features)) => spec.cpu = Cpu::parse_list(features)?,
                Some(("opt", level)) => spec.opt = Some(level.parse()?),
                Some(("regalloc", name)) => spec.regalloc = Some(name.to_string()),
                Some(("wasm", list)) => spec.wasm = Switch::parse_list(list)?,
                _ => return Err(format!("unknown setting `{setting}`")),
            }
        }
        match spec.library.as_os_str().is_empty() {
            true => Err("no library: `lib=PATH` names one".to_string()),
            false => Ok(spec),
        }
    }
}

/// The shortest spelling that means this engine.
impl fmt::Display for CapiSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "capi:{},lib={}", self.mode, self.library.display())?;
        if let Some(compiler) = &self.compiler {
            write!(f, ",compiler={compiler}")?;
        }
        write_target(f, &self.target, &self.cpu)?;
        if let Some(opt) = &self.opt {
            write!(f, ",opt={opt}")?;
        }
        if let Some(regalloc) = &self.regalloc {
            write!(f, ",regalloc={regalloc}")?;
        }
        if !self.wasm.is_empty() {
            f.write_str(",wasm=")?;
        }
        f.write_str(&Switch::list(&self.wasm))
    }
}
