//! Short names for runners that are part of this program: their text is in it, and a run gets a copy in its private folder.
//!
//! Only the program that runs them, `node` or `python3`, has to be there.

use super::wasmtime::write_target;
use super::{Cpu, OptLevel, Target};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::io;
use std::path::Path;
use std::process::Command;

/// The files of `runners/node`, the one to start first.
const NODE: &[(&str, &str)] = &[
    ("start.cjs", include_str!("../../runners/node/start.cjs")),
    ("load.cjs", include_str!("../../runners/node/load.cjs")),
    ("drain.cjs", include_str!("../../runners/node/drain.cjs")),
    ("runner.mjs", include_str!("../../runners/node/runner.mjs")),
    ("host.mjs", include_str!("../../runners/node/host.mjs")),
    ("module.mjs", include_str!("../../runners/node/module.mjs")),
    ("protocol.mjs", include_str!("../../runners/node/protocol.mjs")),
    ("wasi.mjs", include_str!("../../runners/node/wasi.mjs")),
];

/// The files of `runners/python`, the one to start first.
const PYTHON: &[(&str, &str)] = &[
    ("runner.py", include_str!("../../runners/python/runner.py")),
    ("engine.py", include_str!("../../runners/python/engine.py")),
    ("host.py", include_str!("../../runners/python/host.py")),
    ("observe.py", include_str!("../../runners/python/observe.py")),
    ("protocol.py", include_str!("../../runners/python/protocol.py")),
];

/// A runner that is part of this program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundledSpec {
    /// Which one.
    pub runner: BundledRunner,
    /// What Wasmtime's code is made for under Python.
    pub target: Target,
    /// CPU features switched on and off there, on top of what the target has.
    pub cpu: Vec<Cpu>,
    /// The program that runs it, if it is not the usual one in the search path.
    pub program: Option<String>,
}

/// The runners there are, with their settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum BundledRunner {
    /// V8 by Node.js, with one of its compilers or, by default, both.
    Node(Option<V8Compiler>),
    /// Wasmtime by its Python package, whatever release is installed.
    Python {
        /// Its compiler, if it is not the release's default.
        compiler: Option<PythonCompiler>,
        /// How hard it tries, if it is not the release's default.
        opt: Option<OptLevel>,
    },
}

/// A compiler of V8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum V8Compiler {
    /// The baseline compiler.
    Liftoff,
    /// The optimizing compiler.
    Turbofan,
}

/// A compiler of Wasmtime as its Python package has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PythonCompiler {
    /// The optimizing compiler.
    Cranelift,
    /// The baseline compiler.
    Winch,
}

impl BundledSpec {
    /// Reads what follows `engine` (`node` or `python`).
    pub(super) fn parse<'a>(
        engine: &str,
        variant: &str,
        settings: impl Iterator<Item = &'a str>,
    ) -> Result<BundledSpec, String> {
        let unknown = || format!("unknown compiler `{variant}`");
        let mut runner = match (engine, variant) {
            ("node", "" | "tiering") => BundledRunner::Node(None),
            ("node", "liftoff") => BundledRunner::Node(Some(V8Compiler::Liftoff)),
            ("node", "turbofan") => BundledRunner::Node(Some(V8Compiler::Turbofan)),
            ("python", "") => BundledRunner::Python { compiler: None, opt: None },
            ("python", "cranelift") => BundledRunner::Python { compiler: Some(PythonCompiler::Cranelift), opt: None },
            ("python", "winch") => BundledRunner::Python { compiler: Some(PythonCompiler::Winch), opt: None },
            _ => return Err(unknown()),
        };
        let (mut target, mut cpu) = (Target::Host, Vec::new());
        let mut program = None;
        for setting in settings {
            match (setting.split_once('='), &mut runner) {
                (Some(("program", "")), _) => return Err("an empty program".to_string()),
                (Some(("program", path)), _) => program = Some(path.to_string()),
                (Some(("target", name)), BundledRunner::Python { .. }) => target = name.parse()?,
                (Some(("cpu", features)), BundledRunner::Python { .. }) => cpu = Cpu::parse_list(features)?,
                (Some(("opt", level)), BundledRunner::Python { opt, .. }) => *opt = Some(level.parse()?),
                _ => return Err(format!("unknown setting `{setting}`")),
            }
        }
        Ok(BundledSpec { runner, target, cpu, program })
    }

    /// The command that runs it, from copies of its files in `folder`.
    pub(crate) fn command(&self, folder: &Path) -> io::Result<Command> {
        let (usual, files) = match self.runner {
            BundledRunner::Node(_) => ("node", NODE),
            BundledRunner::Python { .. } => ("python3", PYTHON),
        };
        let folder = folder.join("runner");
        // An engine that compiles ahead would have been here before.
        std::fs::create_dir_all(&folder)?;
        files.iter().try_for_each(|(name, text)| std::fs::write(folder.join(name), text))?;
        let mut command = Command::new(self.program.as_deref().unwrap_or(usual));
        if let BundledRunner::Node(compiler) = self.runner {
            // V8 reads them before it starts.
            command.args(match compiler {
                None => &[][..],
                Some(V8Compiler::Liftoff) => &["--liftoff", "--no-wasm-tier-up"],
                Some(V8Compiler::Turbofan) => &["--no-liftoff"],
            });
        }
        command.arg(folder.join(files[0].0));
        if let BundledRunner::Python { compiler, opt } = self.runner {
            if let Some(compiler) = compiler {
                command.arg("--compiler").arg(compiler.to_string());
            }
            if let Some(opt) = opt {
                command.arg("--opt").arg(opt.to_string());
            }
            if let Some(triple) = self.target.triple() {
                command.arg("--target").arg(triple);
            }
            for cpu in &self.cpu {
                command.arg(format!("--cranelift={}={}", cpu.flag(), cpu.enabled));
            }
        }
        Ok(command)
    }
}

impl fmt::Display for PythonCompiler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PythonCompiler::Cranelift => "cranelift",
            PythonCompiler::Winch => "winch",
        })
    }
}

impl fmt::Display for BundledSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.runner {
            BundledRunner::Node(None) => f.write_str("node")?,
            BundledRunner::Node(Some(V8Compiler::Liftoff)) => f.write_str("node:liftoff")?,
            BundledRunner::Node(Some(V8Compiler::Turbofan)) => f.write_str("node:turbofan")?,
            BundledRunner::Python { compiler, opt } => {
                f.write_str("python")?;
                compiler.map_or(Ok(()), |compiler| write!(f, ":{compiler}"))?;
                opt.map_or(Ok(()), |opt| write!(f, ",opt={opt}"))?;
                write_target(f, &self.target, &self.cpu)?;
            }
        }
        self.program.as_ref().map_or(Ok(()), |program| write!(f, ",program={program}"))
    }
}
