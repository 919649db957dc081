//! Going back event by event: what each one replaced, as long as that is little.

use forkpoint_traces::{Event, HostEvent, Image, MemoryIndex, Milestone};

/// Longest write whose old bytes the undo log keeps; reverting a longer one replays instead.
const UNDO_LIMIT: u64 = 1 << 16;

/// Bytes the undo log may hold.
const UNDO_BUDGET: usize = 16 << 20;

/// How to revert one event.
pub(super) enum Undo {
    Nothing,
    Bytes(MemoryIndex, u64, Vec<u8>),
    Pages(MemoryIndex, u64),
    /// Too much to keep, or the event created a memory: replay from a keyframe.
    Replay,
}

impl Undo {
    /// How to revert an event that is about to be applied to `image`.
    pub(super) fn of(event: &Event, image: &Image) -> Undo {
        match event {
            // The size that the instruction returned may be wrong.
            Event::Grow { memory, result: Some(_), .. } | Event::Host(HostEvent::Grow { memory, .. }) => {
                image.size(*memory).map_or(Undo::Replay, |size| Undo::Pages(*memory, size.pages))
            }
            Event::Milestone(Milestone::Memory { .. }) | Event::FoundSize { .. } => Undo::Replay,
            event => match event.written() {
                Some((memory, address, length)) if length <= UNDO_LIMIT => {
                    let mut bytes = vec![0; length as usize];
                    let inside = image.read(memory, address, &mut bytes);
                    bytes.truncate(inside);
                    if inside == 0 { Undo::Nothing } else { Undo::Bytes(memory, address, bytes) }
                }
                Some(_) => Undo::Replay,
                None => Undo::Nothing,
            },
        }
    }

    fn bytes(&self) -> usize {
        if let Undo::Bytes(.., bytes) = self { bytes.len() } else { 0 }
    }
}

/// How to revert the latest events, the last one first.
#[derive(Default)]
pub(super) struct UndoLog {
    events: Vec<Undo>,
    bytes: usize,
}

impl UndoLog {
    pub(super) fn push(&mut self, undo: Undo) {
        self.bytes += undo.bytes();
        self.events.push(undo);
    }

    /// The latest event that is not reverted yet; `None` if the log does not reach it.
    pub(super) fn pop(&mut self) -> Option<Undo> {
        let undo = self.events.pop()?;
        self.bytes -= undo.bytes();
        Some(undo)
    }

    pub(super) fn clear(&mut self) {
        self.events.clear();
        self.bytes = 0;
    }

    /// Whether the log holds as many bytes as it may.
    pub(super) fn is_full(&self) -> bool {
        self.bytes > UNDO_BUDGET
    }
}
