//! Host functions of an embedder, of preloaded modules and of scripts, recorded like WASI's.
//!
//! They run in the engine's process. They read, write and grow the guest's memory through [`HostMemory`], so that the
//! recording knows exactly what they did.

use super::memory::{HostMemory, OutOfBounds};
use crate::values::WasmValue;
use forkpoint_traces::Import;
use std::collections::BTreeMap;

/// Why a host function does not return to the guest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// The guest traps, with this message.
    #[error("{0}")]
    Trap(String),
    /// The guest exits, with this code.
    #[error("exit code {0}")]
    Exit(i32),
    /// The host itself failed: the recording ends with this error, and says nothing about the guest.
    #[error("{0}")]
    Failed(String),
}

/// A host function: memory and arguments in, results out.
type Function = Box<dyn Fn(&mut HostMemory<'_>, &[WasmValue]) -> Result<Vec<WasmValue>, HostError> + Send + Sync>;

/// Host functions by the names under which guests import them.
#[derive(Default)]
pub struct HostFunctions(BTreeMap<Import, Function>);

impl HostFunctions {
    /// No functions.
    pub fn new() -> HostFunctions {
        HostFunctions::default()
    }

    /// Adds a function. Its results must have the types of the guest's import; otherwise the guest traps.
    pub fn define(
        &mut self,
        module: &str,
        name: &str,
        function: impl Fn(&mut HostMemory<'_>, &[WasmValue]) -> Result<Vec<WasmValue>, HostError> + Send + Sync + 'static,
    ) -> &mut HostFunctions {
        let import = Import { module: module.to_string(), name: name.to_string() };
        self.0.insert(import, Box::new(function));
        self
    }

    /// The names of all functions, for [`crate::Imports::hosted`].
    pub fn imports(&self) -> Vec<Import> {
        self.0.keys().cloned().collect()
    }

    pub(crate) fn get(&self, import: &Import) -> Option<&Function> {
        self.0.get(import)
    }
}

impl From<OutOfBounds> for HostError {
    fn from(error: OutOfBounds) -> HostError {
        HostError::Trap(error.to_string())
    }
}
