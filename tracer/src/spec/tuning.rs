//! Settings of Wasmtime that change neither what a module means nor how hard the compiler tries, but can decide
//! whether a bug shows: how registers are allocated, where memory lies, how traps are found.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Such settings. `None` or off means Wasmtime's default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tuning {
    /// The register allocator that goes through the code once, instead of the one that goes back.
    pub single_pass: bool,
    /// Instances and memories come from a pool.
    pub pooling: bool,
    /// Bytes of address space reserved for a memory.
    pub memory_reservation: Option<u64>,
    /// Bytes of address space after a memory in which accesses fault.
    pub memory_guard: Option<u64>,
    /// Every trap is found by code and none by a signal.
    pub no_signals: bool,
    /// NaNs that an operation makes are made canonical.
    pub canonical_nans: bool,
}

impl Tuning {
    /// Applies the setting `name`; `false` if it is not one of these.
    pub(super) fn set(&mut self, name: &str, value: &str) -> Result<bool, String> {
        let switch = || match value {
            "on" => Ok(true),
            "off" => Ok(false),
            _ => Err(format!("`{name}={value}`: write on or off")),
        };
        let bytes = || {
            let parsed = match value.strip_prefix("0x") {
                Some(hex) => u64::from_str_radix(hex, 16),
                None => value.parse(),
            };
            parsed.map(Some).map_err(|error| format!("`{name}={value}`: {error}; write a number of bytes"))
        };
        match name {
            "regalloc" => {
                self.single_pass = match value {
                    "single-pass" => true,
                    "backtracking" => false,
                    _ => return Err(format!("unknown register allocator `{value}`")),
                }
            }
            "pooling" => self.pooling = switch()?,
            "memory-reservation" => self.memory_reservation = bytes()?,
            "memory-guard" => self.memory_guard = bytes()?,
            "signals" => self.no_signals = !switch()?,
            "nan-canonicalization" => self.canonical_nans = switch()?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// The settings in an engine's name, each after a comma.
impl fmt::Display for Tuning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.single_pass {
            f.write_str(",regalloc=single-pass")?;
        }
        if self.pooling {
            f.write_str(",pooling=on")?;
        }
        if let Some(bytes) = self.memory_reservation {
            write!(f, ",memory-reservation={bytes}")?;
        }
        if let Some(bytes) = self.memory_guard {
            write!(f, ",memory-guard={bytes}")?;
        }
        if self.no_signals {
            f.write_str(",signals=off")?;
        }
        if self.canonical_nans {
            f.write_str(",nan-canonicalization=on")?;
        }
        Ok(())
    }
}
