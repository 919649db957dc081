//! A store in which the instances of a program live, under any engine.

use super::drive::{Ended, Rejected, Visit};
use crate::job::{ExportCall, InstanceJob};
use crate::values::WasmValue;
use std::io;
use std::path::Path;

/// Why there is no instance.
pub(super) enum NoInstance {
    /// The engine refused the module.
    Rejected(Rejected),
    /// A segment did not fit.
    Trapped(Ended),
}

/// A store with instances, by their numbers in the program.
pub(crate) trait World {
    /// Compiles the module in this file and nothing else.
    fn check(&mut self, module: &Path) -> Result<(), Rejected>;

    /// Compiles the module in this file and makes the next instance of it, whose imports are exports of earlier ones. Its
    /// own memories follow those that are there; if there is no instance, empty ones take their places.
    fn instantiate(&mut self, module: &Path, instance: &InstanceJob) -> Result<(), NoInstance>;

    /// Passes on the session and all memories of the program so far.
    fn visit(&mut self, visit: Visit<'_>) -> io::Result<()>;

    /// Whether there is such an instance.
    fn has(&self, instance: u32) -> bool;

    /// Calls an export of an instance.
    fn call(&mut self, instance: u32, call: &ExportCall) -> Ended;

    /// The value of an exported global of an instance.
    fn global(&mut self, instance: u32, name: &str) -> Option<WasmValue>;

    /// The size of an exported table of an instance.
    fn table(&mut self, instance: u32, name: &str) -> Option<u64>;
}
