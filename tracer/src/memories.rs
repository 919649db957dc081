//! A guest's memories as an engine lends them: for reading, and for changes during a host call.

use crate::protocol::HostEnd;
use crate::values::WasmValue;

/// A memory at one moment.
pub(crate) struct View<'a> {
    pub(crate) memory: u32,
    /// Size in pages, as the engine gives it.
    pub(crate) pages: u64,
    pub(crate) bytes: &'a [u8],
}

/// The guest's memories during a host call, in the order of the original module.
pub(crate) trait Memories {
    /// All of them as they are now.
    fn views(&self) -> Vec<View<'_>>;

    /// Writes `bytes` at `address` of memory number `memory`; `false` if they do not fit, in which case nothing is
    /// written.
    fn write(&mut self, memory: u32, address: u64, bytes: &[u8]) -> bool;

    /// Grows memory number `memory` by this many pages; `false` if the engine refuses.
    fn grow(&mut self, memory: u32, delta: u64) -> bool;

    /// Has the engine's own host answer imported function number `function`, if it has a host.
    fn own_host(&mut self, function: u32, arguments: &[WasmValue]) -> HostEnd;
}
