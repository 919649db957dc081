//! Memories that an engine lends while its guest waits: the same for every engine, however one reaches them.

use crate::memories::{Memories, View};
use crate::protocol::HostEnd;
use crate::values::WasmValue;

/// One memory of a guest. An engine reaches it through `S`, its store; an engine that needs none uses `()`.
pub(super) trait EngineMemory<S> {
    /// Size in pages, as the engine gives it.
    fn pages(&self, store: &S) -> u64;

    /// Its bytes.
    fn bytes<'a>(&'a self, store: &'a S) -> &'a [u8];

    /// The same, mutable.
    fn bytes_mut<'a>(&'a self, store: &'a mut S) -> &'a mut [u8];

    /// Grows it by this many pages; `false` if the engine refuses.
    fn grow(&self, store: &mut S, delta: u64) -> bool;
}

/// All memories as they are now.
pub(super) fn views<'a, M: EngineMemory<S>, S>(memories: &'a [M], store: &'a S) -> Vec<View<'a>> {
    let view = |(index, memory): (usize, &'a M)| View {
        memory: index as u32,
        pages: memory.pages(store),
        bytes: memory.bytes(store),
    };
    memories.iter().enumerate().map(view).collect()
}

/// Writes at an address; `false` if the bytes do not fit, in which case nothing is written.
pub(super) fn write(memory: &mut [u8], address: u64, bytes: &[u8]) -> bool {
    let place = usize::try_from(address).ok().and_then(|start| memory.get_mut(start..)?.get_mut(..bytes.len()));
    match place {
        Some(place) => {
            place.copy_from_slice(bytes);
            true
        }
        None => false,
    }
}

/// Calls an engine's own host with the number of an imported function and its arguments.
pub(super) type OwnHostCall<'a> = &'a mut dyn FnMut(u32, &[WasmValue]) -> HostEnd;

/// A guest's memories during a host call.
pub(super) struct LentMemories<'a, M, S> {
    pub(super) memories: &'a [M],
    pub(super) store: &'a mut S,
    /// The engine's own host, if it has one and that is live.
    pub(super) own_host: Option<OwnHostCall<'a>>,
}

impl<M: EngineMemory<S>, S> Memories for LentMemories<'_, M, S> {
    fn views(&self) -> Vec<View<'_>> {
        views(self.memories, self.store)
    }

    fn write(&mut self, memory: u32, address: u64, bytes: &[u8]) -> bool {
        let memory = self.memories.get(memory as usize);
        memory.is_some_and(|memory| write(memory.bytes_mut(self.store), address, bytes))
    }

    fn grow(&mut self, memory: u32, delta: u64) -> bool {
        self.memories.get(memory as usize).is_some_and(|memory| memory.grow(self.store, delta))
    }

    fn own_host(&mut self, function: u32, arguments: &[WasmValue]) -> HostEnd {
        match &mut self.own_host {
            Some(call) => call(function, arguments),
            None => HostEnd::Trapped("this engine's own host is not there".to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A memory in a store of two, by its index there.
    struct Plain(usize);

    impl EngineMemory<[Vec<u8>; 2]> for Plain {
        fn pages(&self, store: &[Vec<u8>; 2]) -> u64 {
            store[self.0].len() as u64 / 4
        }

        fn bytes<'a>(&'a self, store: &'a [Vec<u8>; 2]) -> &'a [u8] {
            &store[self.0]
        }

        fn bytes_mut<'a>(&'a self, store: &'a mut [Vec<u8>; 2]) -> &'a mut [u8] {
            &mut store[self.0]
        }

        fn grow(&self, store: &mut [Vec<u8>; 2], delta: u64) -> bool {
            let size = store[self.0].len() + 4 * delta as usize;
            store[self.0].resize(size, 0);
            size <= 8
        }
    }

    #[test]
    fn only_what_fits_is_written() {
        let mut store = [vec![0; 4], vec![0; 8]];
        let memories = [Plain(0), Plain(1)];
        let mut lent = LentMemories { memories: &memories, store: &mut store, own_host: None };
        assert!(lent.write(1, 6, b"ab") && lent.write(0, 4, b""));
        for (memory, address, bytes) in [(0, 3, &b"ab"[..]), (0, 5, b""), (0, u64::MAX, b"a"), (2, 0, b"")] {
            assert!(!lent.write(memory, address, bytes), "{memory} {address}");
        }
        let sizes: Vec<_> = lent.views().iter().map(|view| (view.memory, view.pages, view.bytes.len())).collect();
        assert_eq!(sizes, [(0, 1, 4), (1, 2, 8)]);
        assert!(lent.grow(0, 1) && !lent.grow(1, 1) && !lent.grow(2, 0));
        assert_eq!(store[0], [0; 8]);
        assert_eq!(store[1][..8], *b"\0\0\0\0\0\0ab");
    }
}
