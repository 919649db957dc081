//! A guest's memories under WasmEdge.

use super::abi::{Api, Object, Release};
use crate::engine::lent::EngineMemory;

/// Bytes in a page.
const PAGE: u64 = 1 << 16;

/// A memory of the guest, or its buffer.
#[derive(Clone, Copy)]
pub(super) struct WasmEdgeMemory {
    api: *const Api,
    release: *const Release,
    object: Object,
}

impl WasmEdgeMemory {
    /// A memory that the library made.
    ///
    /// # Safety
    /// It must be one or null, which is a memory without bytes, and live as long as the library and what is known of its
    /// release. Its methods may be used only while nothing runs in its machine, and slices that they return must be gone
    /// when something runs again.
    pub(super) unsafe fn new(api: &Api, release: &Release, object: Object) -> WasmEdgeMemory {
        WasmEdgeMemory { api, release, object }
    }

    /// Its address, and its length in bytes.
    pub(super) fn place(&self) -> (*mut u8, usize) {
        match self.pages(&()) {
            0 => (std::ptr::null_mut(), 0),
            // SAFETY: it is a memory, and the library is there, as `new` demands. Only one byte is requested, since
            // older releases cannot express a length of 4 GiB; a memory is contiguous.
            pages => unsafe {
                (((*self.api).WasmEdge_MemoryInstanceGetPointer)(self.object, 0, 1), (pages * PAGE) as usize)
            },
        }
    }
}

/// A memory may report pages and have no bytes: both are what the engine holds.
impl EngineMemory<()> for WasmEdgeMemory {
    fn pages(&self, (): &()) -> u64 {
        if self.object.is_null() {
            return 0;
        }
        // SAFETY: as in `place`.
        unsafe { (*self.release).size(((*self.api).WasmEdge_MemoryInstanceGetPageSize)(self.object)) }
    }

    fn bytes<'a>(&'a self, (): &'a ()) -> &'a [u8] {
        match self.place() {
            (start, _) if start.is_null() => &[],
            // SAFETY: this many bytes are there, and nothing changes or moves them meanwhile, as `new` demands.
            (start, length) => unsafe { std::slice::from_raw_parts(start, length) },
        }
    }

    fn bytes_mut<'a>(&'a self, (): &'a mut ()) -> &'a mut [u8] {
        match self.place() {
            (start, _) if start.is_null() => &mut [],
            // SAFETY: as in `bytes`; memories are lent mutably one at a time.
            (start, length) => unsafe { std::slice::from_raw_parts_mut(start, length) },
        }
    }

    fn grow(&self, (): &mut (), delta: u64) -> bool {
        let Some(delta) = u32::try_from(delta).ok().filter(|_| !self.object.is_null()) else { return false };
        // SAFETY: as in `place`; no slice of it is left.
        unsafe {
            let api = &*self.api;
            (api.WasmEdge_ResultOK)((api.WasmEdge_MemoryInstanceGrowPage)(self.object, delta.into()))
        }
    }
}
