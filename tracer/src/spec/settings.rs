//! Settings that several engines share: how code is made, how hard a compiler tries, and for which processor.

use crate::switch::Switch;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// How an engine gets its native code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// Compiled in the process that runs it.
    Jit,
    /// Compiled to a file in one process, loaded from it in another.
    Aot,
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

/// The target of native code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    /// This machine, with all that its processor can do. This is the default.
    Host,
    /// This machine's architecture without any feature beyond its baseline.
    Portable,
    /// A target triple, with its baseline.
    Triple(String),
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

/// The settings `target=` and `cpu=`, each after a comma, where they are not the default.
pub(crate) fn write_target(f: &mut fmt::Formatter<'_>, target: &Target, cpu: &[Switch]) -> fmt::Result {
    match target {
        Target::Host => {}
        Target::Portable => f.write_str(",target=portable")?,
        Target::Triple(triple) => write!(f, ",target={triple}")?,
    }
    if cpu.is_empty() {
        return Ok(());
    }
    write!(f, ",cpu={}", Switch::list(cpu))
}

impl Target {
    /// The triple to pass to a compiler; `None` for this machine with all that it can do. Passing one at all disables
    /// the compiler's detection of processor features.
    pub(crate) fn triple(&self) -> Option<String> {
        match self {
            Target::Host => None,
            Target::Portable => Some(host_triple()),
            Target::Triple(triple) => Some(triple.clone()),
        }
    }

    /// The processor features that code may use, after applying `cpu`; sorted.
    pub(crate) fn features(&self, cpu: &[Switch]) -> Vec<String> {
        let mut features = if *self == Target::Host { host_features() } else { Vec::new() };
        for cpu in cpu {
            features.retain(|feature| feature.replace('.', "") != cpu.name.replace('.', ""));
            if cpu.enabled {
                features.push(cpu.name.clone());
            }
        }
        features.sort();
        features
    }
}

/// The triple of this machine.
pub(crate) fn host_triple() -> String {
    format!("{}-unknown-linux-gnu", std::env::consts::ARCH)
}

/// Processor features that influence code generation, if this machine has them.
pub(crate) fn host_features() -> Vec<String> {
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

/// A CPU feature's name among Cranelift's flags.
pub(crate) fn cranelift_flag(cpu: &Switch) -> String {
    format!("has_{}", cpu.name.replace('.', ""))
}
