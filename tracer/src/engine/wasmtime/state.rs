//! The contents of Wasmtime's store besides the guest.

use super::memories::GuestMemory;
use crate::engine::limit::GrowthLimit;
use crate::engine::session::Session;
use crate::job::Run;
use wasmtime::{Func, Memory};
use wasmtime_wasi::p1::WasiP1Ctx;

/// The state of host functions.
pub(super) struct State {
    pub(super) wasi: WasiP1Ctx,
    /// Taken out while it looks at memories, which belong to the same store.
    pub(super) session: Option<Box<Session>>,
    pub(super) run: Run,
    pub(super) limit: GrowthLimit,
    /// Where a module that records inline has its records.
    pub(super) buffer: Option<Memory>,
    /// The original module's memories.
    pub(super) memories: Vec<GuestMemory>,
    /// The memory that WASI sees, and its index.
    pub(super) memory: Option<(GuestMemory, u32)>,
    /// Host functions as the trampoline exports them, by import number.
    pub(super) forwarders: Vec<Func>,
}
