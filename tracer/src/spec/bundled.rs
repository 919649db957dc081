//! Short names for runners that are part of this program.
//!
//! Only the program that runs them, `node` or `python3`, has to be installed.

use super::settings::{OptLevel, Target, write_target};
use crate::switch::Switch;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A runner that is part of this program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundledSpec {
    /// Which one.
    pub runner: BundledRunner,
    /// Wasmtime's target under Python.
    pub target: Target,
    /// CPU features switched on and off there, on top of the target's.
    pub cpu: Vec<Switch>,
    /// The program that runs it, if it is not the usual one in the search path.
    pub program: Option<String>,
}

/// The bundled runners, with their settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum BundledRunner {
    /// V8 by Node.js, with one of its compilers or, by default, both.
    Node(Option<V8Compiler>),
    /// Wasmtime by its Python package, whatever release is installed.
    Python {
        /// Its compiler, if it is not the release's default.
        compiler: Option<PythonCompiler>,
        /// Its optimization level, if it is not the release's default.
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

/// A compiler of Wasmtime in its Python package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PythonCompiler {
    /// The optimizing compiler.
    Cranelift,
    /// The baseline compiler.
    Winch,
}

impl BundledSpec {
    /// Parses the text after `engine` (`node` or `python`).
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
                (Some(("cpu", features)), BundledRunner::Python { .. }) => cpu = Switch::parse_cpu(features)?,
                (Some(("opt", level)), BundledRunner::Python { opt, .. }) => *opt = Some(level.parse()?),
                _ => return Err(format!("unknown setting `{setting}`")),
            }
        }
        Ok(BundledSpec { runner, target, cpu, program })
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
