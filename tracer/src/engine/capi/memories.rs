//! A guest's memories under an engine with the interface `wasm.h`.

use super::abi::{Api, Object};
use crate::engine::lent::EngineMemory;

/// A memory of the guest.
#[derive(Clone, Copy)]
pub(super) struct CapiMemory {
    api: *const Api,
    object: Object,
}

impl CapiMemory {
    /// A memory that the library made.
    ///
    /// # Safety
    /// It must be one or null, which is a memory without bytes, and live as long as the library. Its methods may be used only while nothing runs in its store,
    /// and slices that they return must be gone when something runs again.
    pub(super) unsafe fn new(api: &Api, object: Object) -> CapiMemory {
        CapiMemory { api, object }
    }

    /// The library's pointer to it.
    pub(super) fn object(&self) -> Object {
        self.object
    }

    fn place(&self) -> (*mut u8, usize) {
        if self.object.is_null() {
            return (std::ptr::null_mut(), 0);
        }
        // SAFETY: it is a memory, and the library is there, as `new` demands.
        unsafe { (((*self.api).wasm_memory_data)(self.object), ((*self.api).wasm_memory_data_size)(self.object)) }
    }
}

impl EngineMemory<()> for CapiMemory {
    fn pages(&self, (): &()) -> u64 {
        if self.object.is_null() {
            return 0;
        }
        // SAFETY: as in `place`.
        unsafe { ((*self.api).wasm_memory_size)(self.object).into() }
    }

    fn bytes<'a>(&'a self, (): &'a ()) -> &'a [u8] {
        match self.place() {
            (start, length) if start.is_null() || length == 0 => &[],
            // SAFETY: this many bytes are there, and nothing changes or moves them meanwhile, as `new` demands.
            (start, length) => unsafe { std::slice::from_raw_parts(start, length) },
        }
    }

    fn bytes_mut<'a>(&'a self, (): &'a mut ()) -> &'a mut [u8] {
        match self.place() {
            (start, length) if start.is_null() || length == 0 => &mut [],
            // SAFETY: as in `bytes`; memories are lent mutably one at a time.
            (start, length) => unsafe { std::slice::from_raw_parts_mut(start, length) },
        }
    }

    fn grow(&self, (): &mut (), delta: u64) -> bool {
        // SAFETY: as in `place`; no slice of it is left.
        u32::try_from(delta).is_ok_and(|delta| unsafe { ((*self.api).wasm_memory_grow)(self.object, delta) })
    }
}
