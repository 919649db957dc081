//! How WasmEdge is written on the command line.

use crate::features;
use crate::switch::Switch;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;

/// WasmEdge as a shared library, and its settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WasmEdgeSpec {
    /// How it runs modules.
    pub mode: WasmEdgeMode,
    /// The shared library.
    pub library: PathBuf,
    /// Optimization level as WasmEdge names it: `O0` to `O3`, `Os`, `Oz`; `None` for its default.
    pub opt: Option<String>,
    /// Proposals switched on and off, by WasmEdge's names in the form `multi_memories`.
    pub wasm: Vec<Switch>,
    /// The same for the compiler only: the proposals that a compiled file is checked with may differ from those it
    /// runs with.
    pub compile_wasm: Vec<Switch>,
    /// The release whose C interface is assumed for a library that does not know its own version; one of `ABIS`.
    pub abi: Option<String>,
}

/// How WasmEdge runs modules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum WasmEdgeMode {
    /// Interpreted.
    Interpreter,
    /// Compiled in the process that runs it.
    Jit,
    /// Compiled to a file in one process, loaded from it in another.
    Aot,
}

/// Optimization levels, in WasmEdge's order.
pub(crate) const LEVELS: &[&str] = &["O0", "O1", "O2", "O3", "Os", "Oz"];

/// Releases whose C interfaces differ, by name and number: one that is not listed has that of its predecessor.
pub(crate) const ABIS: &[(&str, (u32, u32, u32))] =
    &[("0.13", (0, 13, 0)), ("0.14", (0, 14, 0)), ("0.15", (0, 15, 0)), ("0.16", (0, 16, 0)), ("0.17", (0, 17, 0))];

/// The names of these interfaces.
pub(crate) fn abis() -> String {
    ABIS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

impl WasmEdgeSpec {
    /// Parses the text after `wasmedge:`, including the settings.
    pub(super) fn parse<'a>(variant: &str, settings: impl Iterator<Item = &'a str>) -> Result<WasmEdgeSpec, String> {
        let mode = match variant {
            "interpreter" => WasmEdgeMode::Interpreter,
            "jit" => WasmEdgeMode::Jit,
            "" | "aot" => WasmEdgeMode::Aot,
            other => return Err(format!("unknown mode `{other}`")),
        };
        let mut spec = WasmEdgeSpec {
            mode,
            library: PathBuf::new(),
            opt: None,
            wasm: Vec::new(),
            compile_wasm: Vec::new(),
            abi: None,
        };
        for setting in settings {
            match setting.split_once('=') {
                Some(("lib", path)) => spec.library = path.into(),
                Some(("opt", level)) if LEVELS.contains(&level) => spec.opt = Some(level.to_string()),
                Some(("opt", level)) => {
                    return Err(format!("unknown optimization level `{level}`, WasmEdge has {}", LEVELS.join(", ")));
                }
                Some(("wasm", list)) => spec.wasm = features::own_names(list)?,
                Some(("compile-wasm", list)) => spec.compile_wasm = features::own_names(list)?,
                Some(("abi", abi)) if ABIS.iter().any(|(name, _)| *name == abi) => spec.abi = Some(abi.to_string()),
                Some(("abi", abi)) => {
                    return Err(format!("unknown C interface `{abi}`, the known ones are {}", abis()));
                }
                _ => return Err(format!("unknown setting `{setting}`")),
            }
        }
        if spec.opt.is_some() && mode == WasmEdgeMode::Interpreter {
            return Err("`opt` is for the compiler, and the interpreter has none".to_string());
        }
        if !spec.compile_wasm.is_empty() && mode != WasmEdgeMode::Aot {
            return Err(
                "`compile-wasm` is for `aot`: only there do compiler and run have separate settings".to_string()
            );
        }
        match spec.library.as_os_str().is_empty() {
            true => Err("no library: `lib=PATH` names one".to_string()),
            false => Ok(spec),
        }
    }
}

impl fmt::Display for WasmEdgeMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            WasmEdgeMode::Interpreter => "interpreter",
            WasmEdgeMode::Jit => "jit",
            WasmEdgeMode::Aot => "aot",
        })
    }
}

/// The shortest notation of this engine.
impl fmt::Display for WasmEdgeSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "wasmedge:{},lib={}", self.mode, self.library.display())?;
        if let Some(opt) = &self.opt {
            write!(f, ",opt={opt}")?;
        }
        if let Some(abi) = &self.abi {
            write!(f, ",abi={abi}")?;
        }
        for (name, switches) in [("wasm", &self.wasm), ("compile-wasm", &self.compile_wasm)] {
            if !switches.is_empty() {
                write!(f, ",{name}={}", Switch::list(switches))?;
            }
        }
        Ok(())
    }
}
