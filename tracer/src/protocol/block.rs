//! The payload of a frame of records, in memory that is used again.
//!
//! Blocks have up to a mebibyte each. Memory of that size goes back to the system when it is freed and comes from it zeroed
//! when it is allocated: a fifth of the time of a recording by digests.

use std::ops::Deref;
use std::sync::mpsc::{Receiver, Sender, channel};

/// A frame's payload. Its memory goes back to the [`Spares`] that it came from.
pub(crate) struct Block {
    bytes: Vec<u8>,
    back: Sender<Vec<u8>>,
}

impl Deref for Block {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // Where nothing is read any more, no memory is needed.
        let _ = self.back.send(std::mem::take(&mut self.bytes));
    }
}

/// Memory for blocks. There is as much as there were blocks at a time: the queue of frames bounds it.
pub(crate) struct Spares {
    back: Sender<Vec<u8>>,
    kept: Receiver<Vec<u8>>,
}

impl Spares {
    pub(crate) fn new() -> Spares {
        let (back, kept) = channel();
        Spares { back, kept }
    }

    /// Memory for the next payload, empty.
    pub(super) fn take(&self) -> Vec<u8> {
        let mut bytes = self.kept.try_recv().unwrap_or_default();
        bytes.clear();
        bytes
    }

    /// A payload of records.
    pub(super) fn block(&self, bytes: Vec<u8>) -> Block {
        Block { bytes, back: self.back.clone() }
    }
}
