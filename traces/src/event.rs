//! What a trace holds: events, as people and programs read them.

use crate::host::HostEvent;
use crate::ids::{CodeOffset, FuncIndex, MemoryIndex, SiteId};
use crate::op::{MemoryOp, Shape};
use serde::{Deserialize, Serialize};

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

/// How the recorder came to see what memory holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Observation {
    /// Loaded by the guest right after the store before, in place of what was stored.
    ReadBack,
    /// Seen by the host at a checkpoint: changed at any time since the one before.
    Checkpoint,
    /// Seen by the host that looks at these bytes after every event: changed with the event before, or since
    /// the one before that.
    Watch,
}

impl Observation {
    /// The number that stands for it in a stored event.
    pub fn number(self) -> u64 {
        match self {
            Observation::ReadBack => 0,
            Observation::Checkpoint => 1,
            Observation::Watch => 2,
        }
    }

    /// The inverse of [`Observation::number`]; any other number counts as a checkpoint, which says least.
    pub(crate) fn of(number: u64) -> Observation {
        match number {
            0 => Observation::ReadBack,
            2 => Observation::Watch,
            _ => Observation::Checkpoint,
        }
    }
}

/// In place of the number of an [`Observation`]: the event is [`Event::FoundSize`].
pub(crate) const FOUND_SIZE: u64 = 3;

/// In place of the number of an [`Observation`]: the event is [`Event::FoundOutside`].
pub(crate) const FOUND_OUTSIDE: u64 = 4;

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
        /// The bytes written; of a read-modify-write, what memory holds afterwards.
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
        /// The size before in pages, `None` when the engine refused.
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
        segment: u32,
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
        segment: u32,
    },
    /// A step of a host call.
    Host(HostEvent),
    /// Bytes that memory held after instantiation in place of what the module declares.
    StrayBytes {
        /// Memory they are in.
        memory: MemoryIndex,
        /// First byte.
        address: u64,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// Bytes that memory was found to hold in place of what the events before say: a store that did not
    /// arrive, or a write without an event. Replay goes on with what was found.
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
    /// A memory was found to have another size than the events before make it. Replay goes on with what was found.
    FoundSize {
        /// Which memory.
        memory: MemoryIndex,
        /// Its size in pages, as the engine gave it.
        pages: u64,
    },
    /// The event before lies outside of memory, in whole or in part: the engine went on where it must trap.
    /// Where its bytes went is not known; replay wrote those that lie inside.
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
    /// The instruction's site, `None` for what is no instruction of the module.
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

    /// The bytes that a store wrote, that a host function wrote or that were found; `None` for everything else.
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Event::Store { value, .. } => Some(value.bytes()),
            Event::Host(HostEvent::Write { bytes, .. })
            | Event::StrayBytes { bytes, .. }
            | Event::Observed { bytes, .. } => Some(bytes),
            _ => None,
        }
    }

    /// The word of [`Event::kind`] for an instruction's events.
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
            Event::StrayBytes { .. } => "stray-bytes",
            Event::Observed { .. } | Event::FoundSize { .. } | Event::FoundOutside { .. } => "observed",
            Event::Milestone(milestone) => milestone.kind(),
        }
    }

    /// Every word [`Event::kind`] can answer.
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
        "stray-bytes",
        "observed",
        "memory",
        "data-init",
        "invoke",
        "return",
        "trap",
        "exit",
        "end",
    ];
}

/// A step of the run as a whole. Holds nothing that two engines word differently: messages are in the
/// trace's end record, so that equal runs have equal milestones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Milestone {
    /// A memory as it was between instantiation and start, read from the engine.
    Memory {
        /// Which memory.
        memory: MemoryIndex,
        /// Size in pages, as the engine gave it.
        pages: u64,
        /// Bytes in a page.
        page_size: u32,
    },
    /// An active data segment: memory held its declared bytes after instantiation, but for those that
    /// `StrayBytes` events behind it name.
    DataInit {
        /// Index of the data segment.
        segment: u32,
        /// Memory written.
        memory: MemoryIndex,
        /// First byte.
        address: u64,
        /// Length in bytes.
        length: u64,
    },
    /// A call from the host: an export, or the module's start function.
    Invoke {
        /// The export's name; `(start)` for the start function.
        function: String,
        /// Arguments in the notation of the command line.
        arguments: Vec<String>,
    },
    /// The call returned.
    Returned {
        /// Results in the notation of the command line.
        results: Vec<String>,
    },
    /// The call trapped.
    Trapped {
        /// Which trap.
        trap: TrapKind,
        /// The function it happened in, where the engine says so.
        func: Option<FuncIndex>,
        /// The instruction, where the engine says so.
        offset: Option<CodeOffset>,
    },
    /// The guest ended itself by `proc_exit`.
    Exited {
        /// The exit code.
        code: i32,
    },
    /// The run is over.
    End {
        /// How.
        outcome: Outcome,
        /// All memories as the engine held them, empty when it could not be asked any more.
        memories: Vec<MemoryState>,
        /// All mutable globals of numeric type, by index; empty when the engine could not be asked any more.
        globals: Vec<GlobalState>,
        /// Sizes of all tables in elements; empty when the engine could not be asked any more.
        tables: Vec<u64>,
    },
}

impl Milestone {
    fn kind(&self) -> &'static str {
        match self {
            Milestone::Memory { .. } => "memory",
            Milestone::DataInit { .. } => "data-init",
            Milestone::Invoke { .. } => "invoke",
            Milestone::Returned { .. } => "return",
            Milestone::Trapped { .. } => "trap",
            Milestone::Exited { .. } => "exit",
            Milestone::End { .. } => "end",
        }
    }
}

/// A memory at the end of a run, as the engine held it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryState {
    /// Size in pages.
    pub pages: u64,
    /// XXH3-64 over the memory's non-zero 4 KiB pages, each as number and bytes.
    pub digest: u64,
}

/// A mutable global at the end of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GlobalState {
    /// Its index in the original module, imports first.
    pub index: u32,
    /// Its value in the notation of the command line, with its type in front: `i32:5`.
    pub value: String,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// Every call returned.
    Finished,
    /// `proc_exit` with this code.
    Exited {
        /// The exit code.
        code: i32,
    },
    /// A call trapped.
    Trapped {
        /// Which trap.
        trap: TrapKind,
    },
    /// The engine did not accept the module.
    Rejected {
        /// Where: `compile` or `instantiate`.
        stage: String,
    },
    /// The engine's process died.
    Crashed {
        /// The signal that killed it, or `None` when it left with an exit code of its own.
        signal: Option<i32>,
    },
    /// The time limit ran out.
    TimedOut,
    /// The user ended it (Ctrl-C).
    Interrupted,
    /// The guest asked something of its host that the host log has no answer to: it went another way.
    Unanswered,
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Outcome::Finished => f.write_str("finished"),
            Outcome::Exited { code } => write!(f, "exited with code {code}"),
            Outcome::Trapped { trap } => write!(f, "trapped: {trap}"),
            Outcome::Rejected { stage } => write!(f, "rejected at {stage}"),
            Outcome::Crashed { signal: Some(signal) } => match signal_name(*signal) {
                Some(name) => write!(f, "crashed: {name}"),
                None => write!(f, "crashed: signal {signal}"),
            },
            Outcome::Crashed { signal: None } => f.write_str("crashed: the engine's process ended early"),
            Outcome::TimedOut => f.write_str("timed out"),
            Outcome::Interrupted => f.write_str("interrupted"),
            Outcome::Unanswered => f.write_str("ended at a host call that the recording does not have"),
        }
    }
}

fn signal_name(signal: i32) -> Option<&'static str> {
    Some(match signal {
        2 => "SIGINT",
        4 => "SIGILL",
        5 => "SIGTRAP",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        15 => "SIGTERM",
        _ => return None,
    })
}

macro_rules! traps {
    ($($name:ident $text:literal;)*) => {
        /// A trap, by the words of the specification's test suite rather than of one engine.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[allow(missing_docs, reason = "the text in the table is the documentation")]
        pub enum TrapKind { $($name),* }

        impl std::fmt::Display for TrapKind {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(match self { $(TrapKind::$name => $text),* })
            }
        }
    };
}

// Order is part of the trace format: append only.
traps! {
    Unreachable             "unreachable";
    MemoryOutOfBounds       "out of bounds memory access";
    TableOutOfBounds        "out of bounds table access";
    UndefinedElement        "undefined element";
    IndirectCallType        "indirect call type mismatch";
    IntegerOverflow         "integer overflow";
    IntegerDivideByZero     "integer divide by zero";
    InvalidConversion       "invalid conversion to integer";
    StackOverflow           "call stack exhausted";
    UnalignedAtomic         "unaligned atomic";
    NullReference           "null reference";
    ArrayOutOfBounds        "out of bounds array access";
    CastFailure             "cast failure";
    UncaughtException       "uncaught exception";
    OutOfMemory             "out of memory";
    HostError               "error in a host function";
    Other                   "trap";
}

impl Event {
    /// The instruction's operator in a table of sites; `None` for what is no instruction.
    pub fn op(&self, sites: &crate::SiteTable) -> Option<MemoryOp> {
        Some(sites.get(self.site()?)?.op)
    }
}
