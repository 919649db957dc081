//! What can be wrong with a trace, by name and place.

use crate::pages::PageDifference;
use crate::symbols::{Item, Symbols};
use forkpoint_traces::{CorruptEvent, FuncIndex, MemoryIndex, MemorySize, Position, TraceError};

/// One thing that is wrong with a trace.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// A block is damaged, or the index contradicts the blocks.
    #[error("{0}")]
    Blocks(TraceError),
    /// A chunk cannot be read. No event from there on is verified.
    #[error("the chunk that starts at event {first}: {source}")]
    Chunk {
        /// Its first event.
        first: Position,
        /// What is wrong with it.
        source: TraceError,
    },
    /// An event contradicts earlier ones. No event from there on is verified.
    #[error("event {position}: {source}")]
    Event {
        /// Which event.
        position: Position,
        /// What is wrong with it.
        source: CorruptEvent,
    },
    /// An event fills more memory than the trace may. No event from there on is verified.
    #[error("no event from {position} on is verified: {source}")]
    Limit {
        /// Which event.
        position: Position,
        /// How much it may fill.
        source: CorruptEvent,
    },
    /// A step of a host call without its call.
    #[error("event {position} is a step of a host call, but none has begun")]
    HostLog {
        /// Which event.
        position: Position,
    },
    /// An event writes outside of memory, and the next event does not report it.
    #[error("event {position} writes outside of memory {} at {address:#x}, and no event reports it", .memory.0)]
    Outside {
        /// Which event.
        position: Position,
        /// Memory written.
        memory: MemoryIndex,
        /// The first address that it names.
        address: u64,
    },
    /// An event's bytes do not decode.
    #[error("event {position}: {source}")]
    Undecodable {
        /// Which event.
        position: Position,
        /// What is wrong with it.
        source: TraceError,
    },
    /// A chunk's filter excludes a page that an event of the chunk wrote: searches would miss the event.
    #[error("event {position} writes memory {} at {address:#x}, which the page filter of its chunk denies", .memory.0)]
    PageFilter {
        /// Which event.
        position: Position,
        /// Memory written.
        memory: MemoryIndex,
        /// An address on the page.
        address: u64,
    },
    /// A keyframe's position is not the end of a chunk.
    #[error("keyframe {keyframe} is at position {position}, where no chunk ends")]
    KeyframePosition {
        /// Its number, from 1.
        keyframe: usize,
        /// Its position.
        position: Position,
    },
    /// A keyframe cannot be restored.
    #[error("keyframe {keyframe} at {position}: {source}")]
    Keyframe {
        /// Its number, from 1.
        keyframe: usize,
        /// Its position.
        position: Position,
        /// What is wrong with it.
        source: TraceError,
    },
    /// A keyframe has a different number of memories, or a memory of a different size, than the events make.
    #[error("keyframe {keyframe} at {position}: memory {} is {}, replayed it is {}", .memory.0, size(.stored), size(.replayed))]
    KeyframeSize {
        /// Its number, from 1.
        keyframe: usize,
        /// Its position.
        position: Position,
        /// Which memory.
        memory: MemoryIndex,
        /// Size in the keyframe, `None` if it has no such memory.
        stored: Option<MemorySize>,
        /// Size as the events make it.
        replayed: Option<MemorySize>,
    },
    /// A keyframe holds a different byte than the events make.
    #[error(
        "keyframe {keyframe} at {position}: memory {} holds {:#04x} at {:#x}, replayed it is {:#04x}",
        .memory.0, .difference.lhs, .difference.address, .difference.rhs
    )]
    KeyframeBytes {
        /// Its number, from 1.
        keyframe: usize,
        /// Its position.
        position: Position,
        /// Which memory.
        memory: MemoryIndex,
        /// The first byte that differs: the keyframe's on the left.
        difference: PageDifference,
    },
    /// Native code does not decode, or its points are not in order.
    #[error("native code of function {}: {what}", .func.0)]
    Native {
        /// Which function.
        func: FuncIndex,
        /// What is wrong with it.
        what: String,
    },
    /// An event follows the end of the run.
    #[error("event {position} comes after the end of the run")]
    AfterEnd {
        /// Which event.
        position: Position,
    },
    /// The trace was closed but does not say how the run ended.
    #[error("the trace is closed, but its last event is not the end of the run")]
    NoEnd,
    /// The engine's memory at the end was not the replayed one.
    #[error("at the end memory {} had {expected} in the engine, replayed it has {found}", .memory.0)]
    EndMemory {
        /// Which memory.
        memory: MemoryIndex,
        /// Pages and digest as the trace has them.
        expected: String,
        /// Pages and digest as replayed.
        found: String,
    },
}

impl Fault {
    /// The finding, and the name of the memory or function that it numbers, if it has one.
    pub fn in_words(&self, symbols: &Symbols) -> String {
        let memory = |memory: &MemoryIndex| {
            let name = symbols.item_name(Item::Memory, memory.0)?;
            Some(format!(" (memory {} is {name})", memory.0))
        };
        let name = match self {
            Fault::Outside { memory: index, .. }
            | Fault::PageFilter { memory: index, .. }
            | Fault::KeyframeSize { memory: index, .. }
            | Fault::KeyframeBytes { memory: index, .. }
            | Fault::EndMemory { memory: index, .. } => memory(index),
            Fault::Native { func, .. } => Some(format!(" (function {} is {})", func.0, symbols.function_name(*func))),
            _ => None,
        };
        format!("{self}{}", name.unwrap_or_default())
    }
}

fn size(size: &Option<MemorySize>) -> String {
    size.map_or("absent".to_string(), |size| format!("{} pages of {} bytes", size.pages, size.page_size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_and_functions_go_by_their_names() {
        let module = "(module (memory 1) (memory $heap 1) (func $step))";
        let symbols = Symbols::new(wat::parse_str(module).expect("a module"));
        let outside = |memory| Fault::Outside { position: Position(3), memory: MemoryIndex(memory), address: 16 };
        let words = "event #3 writes outside of memory 1 at 0x10, and no event reports it (memory 1 is heap)";
        assert_eq!(outside(1).in_words(&symbols), words);
        assert_eq!(outside(0).in_words(&symbols), outside(0).to_string());
        let native = Fault::Native { func: FuncIndex(0), what: "it is cut".to_string() };
        assert_eq!(native.in_words(&symbols), "native code of function 0: it is cut (function 0 is step)");
    }
}
