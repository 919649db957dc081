//! Host calls, the same for every engine: who answers them, and what an answer may be.

use crate::observe::View;
use crate::values::WasmValue;

/// One call of an imported function.
#[derive(Debug)]
pub(crate) struct HostCall<'a> {
    /// Index among the module's imported functions.
    pub(crate) import: u32,
    /// Module name of the import.
    pub(crate) module: &'a str,
    /// Field name of the import.
    pub(crate) name: &'a str,
    /// What the guest passes.
    pub(crate) arguments: &'a [WasmValue],
}

/// The guest's memories during a host call, in the order of the original module.
pub(crate) trait Memories {
    /// All of them as they are now.
    fn views(&self) -> Vec<View<'_>>;

    /// Writes `bytes` at `address` of memory number `memory`; `false` when they do not fit, and then nothing is
    /// written.
    #[allow(dead_code, reason = "the host that refuses writes nothing")]
    fn write(&mut self, memory: u32, address: u64, bytes: &[u8]) -> bool;
}

/// Why a host call does not return to the guest.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(dead_code, reason = "the host that refuses has one end only")]
pub(crate) enum HostEnd {
    /// The host function traps, in these words.
    Trap(String),
    /// The guest exits.
    Exit(i32),
    /// The recorder wants the run to end.
    Stopped,
    /// Nobody can answer: the run says nothing about the engine.
    Unanswered(String),
}

/// Answers the calls of imported functions.
pub(crate) trait Host: Send {
    /// Answers one call. What it writes to `memories` it reports to the recorder by itself.
    ///
    /// # Errors
    /// When the call does not return to the guest.
    fn call(&mut self, call: &HostCall<'_>, memories: &mut dyn Memories) -> Result<Vec<WasmValue>, HostEnd>;
}

/// Knows no answer to any call.
pub(crate) struct Refusing;

impl Host for Refusing {
    fn call(&mut self, call: &HostCall<'_>, _: &mut dyn Memories) -> Result<Vec<WasmValue>, HostEnd> {
        Err(HostEnd::Unanswered(format!(
            "the guest calls {}.{} (import {}, {} argument(s)), and this engine cannot answer host calls yet; run it \
             under wasmtime, or call an export that needs no host",
            call.module,
            call.name,
            call.import,
            call.arguments.len()
        )))
    }
}
