//! A memory of the engine, shared or not.

use wasmtime::{AsContext, Extern, Memory, SharedMemory, Store};

/// A memory of the engine.
#[derive(Clone)]
pub enum Handle {
    Plain(Memory),
    Shared(SharedMemory),
}

impl Handle {
    /// `None` if it is not a memory.
    pub fn of(value: &Extern) -> Option<Handle> {
        match value {
            Extern::Memory(memory) => Some(Handle::Plain(*memory)),
            Extern::SharedMemory(memory) => Some(Handle::Shared(memory.clone())),
            _ => None,
        }
    }

    /// Its present contents.
    pub fn bytes<'s, T: 'static>(&'s self, store: &'s Store<T>) -> &'s [u8] {
        match self {
            Handle::Plain(memory) => memory.data(store.as_context()),
            Handle::Shared(memory) => {
                let cells = memory.data();
                // SAFETY: one thread runs in this store, and no guest while the slice is alive.
                unsafe { std::slice::from_raw_parts(cells.as_ptr().cast::<u8>(), cells.len()) }
            }
        }
    }
}
