//! The world that a guest sees: WASI preview 1, and what the recorder must know about it.

pub(crate) mod answer;
pub(crate) mod ask;
pub(crate) mod embed;
pub(crate) mod fixed;
pub(crate) mod function;
pub(crate) mod live;
pub(crate) mod memory;
pub(crate) mod preload;
pub(crate) mod ranges;
pub(crate) mod script;
pub(crate) mod script_values;
pub(crate) mod stub;
pub(crate) mod touched;
pub(crate) mod trampoline;

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Module and name of the import by which a guest makes a thread.
pub(crate) const THREADS_MODULE: &str = "wasi";
pub(crate) const THREADS_NAME: &str = "thread-spawn";

/// The result of `thread-spawn`: any negative number means that there is no new thread.
pub(crate) const NO_THREAD: i32 = -1;

/// The guest's settings for WASI.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WasiSetup {
    /// Arguments, the program's name first.
    pub arguments: Vec<String>,
    /// Environment.
    pub environment: Vec<(String, String)>,
    /// Preopened directories: the path on the host, and the guest's name for it.
    pub directories: Vec<(PathBuf, String)>,
    /// Fixed clocks and random source, so that two runs can be compared.
    pub deterministic: bool,
}
