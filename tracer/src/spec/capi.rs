//! How a library with the C interface `wasm.h` is written on the command line.

use super::settings::{Mode, OptLevel, Target, write_target};
use crate::features;
use crate::switch::Switch;
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
    /// The target of the code.
    pub target: Target,
    /// CPU features switched on and off, on top of the target's.
    pub cpu: Vec<Switch>,
    /// Optimization level; `None` for the engine's default.
    pub opt: Option<OptLevel>,
    /// Which of the engine's register allocators, by its own name; `None` for its default.
    pub regalloc: Option<String>,
    /// Proposals switched on and off, by the engine's own names.
    pub wasm: Vec<Switch>,
}

impl CapiSpec {
    /// Parses the text after `capi:`, including the settings.
    pub(super) fn parse<'a>(variant: &str, settings: impl Iterator<Item = &'a str>) -> Result<CapiSpec, String> {
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
                Some(("cpu", features)) => spec.cpu = Switch::parse_cpu(features)?,
                Some(("opt", level)) => spec.opt = Some(level.parse()?),
                Some(("regalloc", name)) => spec.regalloc = Some(name.to_string()),
                Some(("wasm", list)) => spec.wasm = features::own_names(list)?,
                _ => return Err(format!("unknown setting `{setting}`")),
            }
        }
        match spec.library.as_os_str().is_empty() {
            true => Err("no library: `lib=PATH` names one".to_string()),
            false => Ok(spec),
        }
    }
}

/// The shortest notation of this engine.
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
