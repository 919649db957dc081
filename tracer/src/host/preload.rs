//! Preloaded modules: small WebAssembly modules whose exports answer a guest's imports, and their access to the
//! guest's memory. An interpreter runs them: see `engine/wasmi/preload.rs`.

use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Module name of the imports by which a preloaded module reaches the guest's memory.
pub(crate) const GUEST: &str = "guest";

/// Export name of the preloaded module's own memory, the other end of copies.
pub(crate) const MEMORY: &str = "memory";

/// A module whose exports answer a guest's imports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preload {
    /// The module name under which the guest imports them.
    pub name: String,
    /// The module, binary.
    pub file: PathBuf,
}

/// What a preloaded module can do to the guest's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Guest address, own address, length: copies from the guest.
    Read,
    /// The same, to the guest.
    Write,
    /// Returns the size in pages.
    Size,
    /// Grows by this many pages; returns the previous size, or -1.
    Grow,
}

impl Access {
    /// The function of this name in [`GUEST`].
    pub(crate) fn named(name: &str) -> Option<Access> {
        Some(match name {
            "read" => Access::Read,
            "write" => Access::Write,
            "size" => Access::Size,
            "grow" => Access::Grow,
            _ => return None,
        })
    }

    /// The number of its parameters and results, each an i32 or an i64 at the module's choice.
    pub(crate) fn arity(self) -> (usize, usize) {
        match self {
            Access::Read | Access::Write => (3, 0),
            Access::Size => (0, 1),
            Access::Grow => (1, 1),
        }
    }

    /// Whether it needs the preloaded module's own memory.
    pub(crate) fn needs_memory(self) -> bool {
        matches!(self, Access::Read | Access::Write)
    }
}

/// Reads a preloaded module, binary or text.
pub(crate) fn read(file: &Path) -> Result<Vec<u8>, String> {
    let bytes = std::fs::read(file).map_err(|error| error.to_string())?;
    let module = wat::Parser::new().parse_bytes(Some(file), &bytes).map_err(|error| error.to_string())?;
    Ok(module.into_owned())
}
