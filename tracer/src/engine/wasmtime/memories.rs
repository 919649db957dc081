//! The guest's memories, shared or not.

use crate::engine::lent::EngineMemory;
use wasmtime::{AsContext, AsContextMut, Extern, Instance, Memory, SharedMemory};

/// A memory of the guest.
#[derive(Clone)]
pub(super) enum GuestMemory {
    /// Belongs to the store.
    Own(Memory),
    /// May be shared with other threads, but there are none.
    Shared(SharedMemory),
}

impl GuestMemory {
    /// The memory exported under a name.
    pub(super) fn of(export: Extern) -> Option<GuestMemory> {
        match export {
            Extern::Memory(memory) => Some(GuestMemory::Own(memory)),
            Extern::SharedMemory(memory) => Some(GuestMemory::Shared(memory)),
            _ => None,
        }
    }

    /// The memories exported under these names, in order.
    pub(super) fn all(instance: &Instance, names: &[String], mut store: impl AsContextMut) -> Vec<GuestMemory> {
        let exports = names.iter().filter_map(|name| instance.get_export(&mut store, name));
        exports.filter_map(GuestMemory::of).collect()
    }

    /// Its type.
    pub(super) fn ty(&self, store: impl AsContext) -> wasmtime::MemoryType {
        match self {
            GuestMemory::Own(memory) => memory.ty(store),
            GuestMemory::Shared(memory) => memory.ty(),
        }
    }
}

/// Only while the guest does not run.
impl<S: AsContextMut> EngineMemory<S> for GuestMemory {
    fn pages(&self, store: &S) -> u64 {
        match self {
            GuestMemory::Own(memory) => memory.size(store),
            GuestMemory::Shared(memory) => memory.size(),
        }
    }

    fn bytes<'a>(&'a self, store: &'a S) -> &'a [u8] {
        match self {
            GuestMemory::Own(memory) => memory.data(store.as_context()),
            GuestMemory::Shared(memory) => {
                let cells = memory.data();
                // SAFETY: this process makes no second thread that runs the guest, and the one that does is here:
                // nobody writes while the slice is borrowed. An `UnsafeCell<u8>` has the layout of a `u8`.
                unsafe { std::slice::from_raw_parts(cells.as_ptr().cast(), cells.len()) }
            }
        }
    }

    fn bytes_mut<'a>(&'a self, store: &'a mut S) -> &'a mut [u8] {
        match self {
            GuestMemory::Own(memory) => memory.data_mut(store.as_context_mut()),
            GuestMemory::Shared(memory) => {
                let cells = memory.data();
                // SAFETY: as in `bytes`; and the store is borrowed mutably, so there is no other slice of them.
                unsafe { std::slice::from_raw_parts_mut(cells.as_ptr().cast_mut().cast(), cells.len()) }
            }
        }
    }

    fn grow(&self, store: &mut S, delta: u64) -> bool {
        match self {
            GuestMemory::Own(memory) => memory.grow(store, delta).is_ok(),
            GuestMemory::Shared(memory) => memory.grow(delta).is_ok(),
        }
    }
}
