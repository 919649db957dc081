//! What a frame has read from the traces. It stays while an errand has them, so that there is always something to
//! show.

use crate::hex::HexShape;
use crate::screen::ListRow;
use crate::traces::{Code, EventLine};
use forkpoint_replay::Side;

/// What was in view when the traces were last here.
#[derive(Debug, Clone, Default)]
pub(crate) struct InView {
    /// The row under the cursor.
    pub(crate) row: u64,
    /// Its events by side.
    pub(crate) events: [Option<EventLine>; 2],
    /// The event lists.
    pub(crate) lists: [Vec<ListRow>; 2],
    /// The bytes in view.
    pub(crate) bytes: [Option<BytesInView>; 2],
    /// Text format of the function at the site, `None` if it was not in view.
    pub(crate) wat: [Option<Code>; 2],
    /// Its native code.
    pub(crate) native: [Option<Code>; 2],
}

impl InView {
    /// The event under the cursor: the side's own, or the other side's if it has none.
    pub(crate) fn event(&self, side: Side) -> Option<&EventLine> {
        self.events[side.index()].as_ref().or(self.events[side.other().index()].as_ref())
    }
}

/// Bytes of one side's memory.
#[derive(Debug, Clone)]
pub(crate) struct BytesInView {
    /// Size of the memory in bytes, `None` where it does not exist yet.
    pub(crate) size: Option<u64>,
    pub(crate) shape: HexShape,
    /// Address of the first one.
    pub(crate) start: u64,
    /// Bytes past the end of memory are 0.
    pub(crate) bytes: Vec<u8>,
    /// How many are inside.
    pub(crate) inside: usize,
}

impl BytesInView {
    /// The byte at a place, `None` past the end of memory.
    pub(crate) fn get(&self, at: usize) -> Option<u8> {
        self.bytes.get(at).copied().filter(|_| at < self.inside)
    }
}
