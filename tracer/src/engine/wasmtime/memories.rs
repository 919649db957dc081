//! The guest's memories, shared or not.

use crate::memories::View;
use wasmtime::{AsContext, AsContextMut, Extern, Instance, Memory, SharedMemory};

/// A memory of the guest.
#[derive(Clone)]
pub(super) enum GuestMemory {
    /// Belongs to the store.
    Own(Memory),
    /// May be shared with other threads, of which there are none.
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

    /// Size in pages.
    pub(super) fn pages(&self, store: impl AsContext) -> u64 {
        match self {
            GuestMemory::Own(memory) => memory.size(store),
            GuestMemory::Shared(memory) => memory.size(),
        }
    }

    /// Its type.
    pub(super) fn ty(&self, store: impl AsContext) -> wasmtime::MemoryType {
        match self {
            GuestMemory::Own(memory) => memory.ty(store),
            GuestMemory::Shared(memory) => memory.ty(),
        }
    }

    /// Its bytes, while the guest does not run.
    pub(super) fn bytes<'a, S: AsContext>(&'a self, store: &'a S) -> &'a [u8] {
        match self {
            GuestMemory::Own(memory) => memory.data(store.as_context()),
            GuestMemory::Shared(memory) => {
                let cells = memory.data();
                // SAFETY: this process makes no second thread that runs the guest, and the one that does is here:
                // nobody writes while the slice is borrowed. An `UnsafeCell<u8>` is laid out as a `u8`.
                unsafe { std::slice::from_raw_parts(cells.as_ptr().cast(), cells.len()) }
            }
        }
    }

    /// The same, to be changed.
    pub(super) fn bytes_mut<'a, S: AsContextMut>(&'a self, store: &'a mut S) -> &'a mut [u8] {
        match self {
            GuestMemory::Own(memory) => memory.data_mut(store.as_context_mut()),
            GuestMemory::Shared(memory) => {
                let cells = memory.data();
                // SAFETY: as in `bytes`; and the store is borrowed mutably, so there is no other slice of them.
                unsafe { std::slice::from_raw_parts_mut(cells.as_ptr().cast_mut().cast(), cells.len()) }
            }
        }
    }

    /// Grows it by so many pages; the size before.
    pub(super) fn grow(&self, store: impl AsContextMut, delta: u64) -> wasmtime::Result<u64> {
        match self {
            GuestMemory::Own(memory) => memory.grow(store, delta),
            GuestMemory::Shared(memory) => memory.grow(delta),
        }
    }

    /// Writes bytes that lie inside of it, while the guest does not run.
    pub(super) fn write(&self, store: impl AsContextMut, at: usize, bytes: &[u8]) -> wasmtime::Result<()> {
        match self {
            GuestMemory::Own(memory) => Ok(memory.write(store, at, bytes)?),
            GuestMemory::Shared(memory) => {
                let cells = memory.data().get(at..).and_then(|cells| cells.get(..bytes.len()));
                let cells = cells.ok_or_else(|| wasmtime::Error::msg("a write past the end of a memory"))?;
                // SAFETY: as in `bytes`: nobody else reads or writes these cells now.
                unsafe {
                    std::ptr::copy_nonoverlapping(bytes.as_ptr(), cells.as_ptr().cast_mut().cast(), bytes.len())
                };
                Ok(())
            }
        }
    }
}

/// All memories as they are now.
pub(super) fn views<'a, S: AsContext>(memories: &'a [GuestMemory], store: &'a S) -> Vec<View<'a>> {
    let view = |(index, memory): (usize, &'a GuestMemory)| View {
        memory: index as u32,
        pages: memory.pages(store.as_context()),
        bytes: memory.bytes(store),
    };
    memories.iter().enumerate().map(view).collect()
}
