//! What a trace holds: events, as people and programs read them.

use crate::host::HostEvent;
use crate::ids::{DataIndex, MemoryIndex, SiteId};
use crate::milestone::Milestone;
use crate::op::{MemoryOp, Shape};
use crate::site::SiteTable;

/// A stored value as memory holds it: 1 to 16 bytes, little endian.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Value {
    bytes: [u8; 16],
    width: u8,
}

impl Value {
    /// The low `width` (1 to 16) bytes of `low` and then `high`.
    pub(crate) fn new(low: u64, high: u64, width: u8) -> Value {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&low.to_le_bytes());
        bytes[8..].copy_from_slice(&high.to_le_bytes());
        Value { bytes, width }
    }

    /// The bytes in memory order.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.width as usize]
    }
}

impl std::fmt::Debug for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:02x?}", self.bytes())
    }
}

/// How the recorder learned what memory holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Observation {
    /// The guest loaded it right after the preceding store, instead of what was stored.
    ReadBack,
    /// The host saw it at a checkpoint: it changed at some time since the one before.
    Checkpoint,
    /// The host, which looks at these bytes after every event, saw it: it changed with the event before, or since the
    /// one before that.
    Watch,
}

/// One event of a run, decoded. An event means *committed*: it is recorded after the fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A scalar or vector store, a store lane, or an atomic read-modify-write.
    Store {
        /// Where in the module.
        site: SiteId,
        /// Memory written.
        memory: MemoryIndex,
        /// Effective address in bytes: operand plus static offset.
        address: u64,
        /// The bytes written; for a read-modify-write, what memory holds afterwards.
        value: Value,
    },
    /// `memory.grow`, successful or not.
    Grow {
        /// Where in the module.
        site: SiteId,
        /// Memory grown.
        memory: MemoryIndex,
        /// Pages asked for.
        delta: u64,
        /// The size before in pages, `None` if the engine refused.
        result: Option<u64>,
    },
    /// `memory.fill`.
    Fill {
        /// Where in the module.
        site: SiteId,
        /// Memory written.
        memory: MemoryIndex,
        /// First byte.
        address: u64,
        /// The byte repeated.
        byte: u8,
        /// Length in bytes.
        length: u64,
    },
    /// `memory.copy`.
    Copy {
        /// Where in the module.
        site: SiteId,
        /// Memory written.
        memory: MemoryIndex,
        /// First byte written.
        address: u64,
        /// Memory read.
        source_memory: MemoryIndex,
        /// First byte read.
        source: u64,
        /// Length in bytes.
        length: u64,
    },
    /// `memory.init`.
    Init {
        /// Where in the module.
        site: SiteId,
        /// Memory written.
        memory: MemoryIndex,
        /// First byte written.
        address: u64,
        /// Data segment read.
        segment: DataIndex,
        /// First byte of the segment read.
        source: u64,
        /// Length in bytes.
        length: u64,
    },
    /// `data.drop`.
    Drop {
        /// Where in the module.
        site: SiteId,
        /// The segment dropped.
        segment: DataIndex,
    },
    /// A step of a host call.
    Host(HostEvent),
    /// Bytes that memory held after instantiation instead of what the module declares.
    StrayBytes {
        /// Memory they are in.
        memory: MemoryIndex,
        /// First byte.
        address: u64,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// Bytes that memory was found to hold although the events before say otherwise: a store that did not arrive, or
    /// a write without an event. Replay continues with what was found.
    Observed {
        /// Memory they are in.
        memory: MemoryIndex,
        /// First byte.
        address: u64,
        /// How they were found.
        by: Observation,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// A memory was found to differ in size from what the events before make it. Replay continues with the size
    /// found.
    FoundSize {
        /// Which memory.
        memory: MemoryIndex,
        /// Its size in pages, as the engine gave it.
        pages: u64,
    },
    /// The event before lies outside of memory, wholly or partly: the engine continued where it must trap. Where its
    /// bytes went is unknown; replay wrote those that lie inside.
    FoundOutside {
        /// Which memory.
        memory: MemoryIndex,
        /// The first address that the event names.
        address: u64,
    },
    /// Something that happened to the run as a whole.
    Milestone(Milestone),
}

impl Event {
    /// The instruction's site, `None` for an event that is not an instruction of the module.
    pub fn site(&self) -> Option<SiteId> {
        match self {
            Event::Store { site, .. }
            | Event::Grow { site, .. }
            | Event::Fill { site, .. }
            | Event::Copy { site, .. }
            | Event::Init { site, .. }
            | Event::Drop { site, .. } => Some(*site),
            _ => None,
        }
    }

    /// The instruction's operator in a table of sites; `None` for an event that is not an instruction.
    pub fn op(&self, sites: &SiteTable) -> Option<MemoryOp> {
        Some(sites.get(self.site()?)?.op)
    }

    /// The bytes of memory this event may have changed: memory, first address, length in bytes.
    pub fn written(&self) -> Option<(MemoryIndex, u64, u64)> {
        match self {
            Event::Store { memory, address, value, .. } => Some((*memory, *address, value.bytes().len() as u64)),
            Event::Fill { memory, address, length, .. }
            | Event::Copy { memory, address, length, .. }
            | Event::Init { memory, address, length, .. } => Some((*memory, *address, *length)),
            Event::Host(HostEvent::Write { memory, address, bytes })
            | Event::StrayBytes { memory, address, bytes }
            | Event::Observed { memory, address, bytes, .. } => Some((*memory, *address, bytes.len() as u64)),
            Event::Milestone(Milestone::DataInit { memory, address, length, .. }) => {
                Some((*memory, *address, *length))
            }
            Event::Grow { .. }
            | Event::Drop { .. }
            | Event::Host(_)
            | Event::FoundSize { .. }
            | Event::FoundOutside { .. }
            | Event::Milestone(_) => None,
        }
    }

    /// The bytes that a store or a host function wrote, or that were found; `None` for everything else.
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Event::Store { value, .. } => Some(value.bytes()),
            Event::Host(HostEvent::Write { bytes, .. })
            | Event::StrayBytes { bytes, .. }
            | Event::Observed { bytes, .. } => Some(bytes),
            _ => None,
        }
    }

    /// The word that [`Event::kind`] returns for an instruction's events.
    pub fn kind_of(op: MemoryOp) -> &'static str {
        match op.shape() {
            Shape::Store { .. } | Shape::Rmw { .. } | Shape::Lane { .. } => "store",
            Shape::Grow => "grow",
            Shape::Fill => "fill",
            Shape::Copy => "copy",
            Shape::Init => "init",
            Shape::Drop => "drop",
        }
    }

    /// A short word for the kind of event, as `dump --kind` takes it.
    pub fn kind(&self) -> &'static str {
        match self {
            Event::Store { .. } => "store",
            Event::Grow { .. } => "grow",
            Event::Fill { .. } => "fill",
            Event::Copy { .. } => "copy",
            Event::Init { .. } => "init",
            Event::Drop { .. } => "drop",
            Event::Host(HostEvent::Call(_)) => "host-call",
            Event::Host(HostEvent::Write { .. }) => "host-write",
            Event::Host(HostEvent::Grow { .. }) => "host-grow",
            Event::Host(HostEvent::Return { .. }) => "host-return",
            Event::Host(HostEvent::Enter { .. }) => "guest-call",
            Event::Host(HostEvent::Leave { .. }) => "guest-return",
            Event::Host(
                HostEvent::SetGlobal { .. }
                | HostEvent::SetElement { .. }
                | HostEvent::GrowTable { .. }
                | HostEvent::SetReference { .. }
                | HostEvent::SetFunction { .. },
            ) => "host-set",
            Event::StrayBytes { .. } => "stray-bytes",
            Event::Observed { .. } | Event::FoundSize { .. } | Event::FoundOutside { .. } => "observed",
            Event::Milestone(milestone) => milestone.kind(),
        }
    }

    /// Every word that [`Event::kind`] can return.
    pub const KINDS: &'static [&'static str] = &[
        "store",
        "grow",
        "fill",
        "copy",
        "init",
        "drop",
        "host-call",
        "host-write",
        "host-grow",
        "host-return",
        "guest-call",
        "guest-return",
        "host-set",
        "stray-bytes",
        "observed",
        "accepted",
        "memory",
        "data-init",
        "invoke",
        "return",
        "trap",
        "exit",
        "end",
    ];
}
