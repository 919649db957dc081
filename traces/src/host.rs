//! The host log: what a guest asked of its host, and all that the host did about it.
//!
//! One call of an imported function is a [`HostEvent::Call`], what the host did in order, and a [`HostEvent::Return`]. A
//! host that calls the guest, from inside of such a call or from outside, leaves a [`HostEvent::Enter`] and a
//! [`HostEvent::Leave`] around what the guest does. These events lie in the trace among the stores, but in a separate column of each chunk, so
//! that the log alone can be read fast and fed to another run ([`crate::HostLog`]).

use crate::error::TraceError;
use crate::ids::{FuncIndex, GlobalIndex, MemoryIndex, TableIndex};
use crate::index::Place;
use crate::limits::MAX_HOST_EVENT;
use crate::op::ValueType;
use crate::outcome::TrapKind;
use crate::value::WasmValue;
use crate::wire;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

/// Bytes of a read that are kept for display.
const SHOWN: usize = 256;

/// One step of a host call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum HostEvent {
    /// The guest calls an imported function.
    Call(HostCall),
    /// The host wrote bytes of a memory, whether or not they were the same before.
    Write {
        /// Memory written.
        memory: MemoryIndex,
        /// First byte.
        address: u64,
        /// The bytes.
        #[serde(with = "wire::bytes")]
        bytes: Vec<u8>,
    },
    /// The host grew a memory.
    Grow {
        /// Memory grown.
        memory: MemoryIndex,
        /// Pages added.
        delta: u64,
        /// The size before in pages.
        before: u64,
    },
    /// The call is over.
    Return {
        /// What was called.
        import: Import,
        /// How it ended.
        outcome: HostOutcome,
    },
    /// The host calls a function of the guest.
    Enter {
        /// The function, which need not be an export: it may be an element of a table.
        function: FuncIndex,
        /// Its arguments.
        arguments: Vec<WasmValue>,
    },
    /// That call is over.
    Leave {
        /// What was called.
        function: FuncIndex,
        /// How it ended.
        outcome: GuestOutcome,
    },
    /// The host set a global.
    SetGlobal {
        /// The global.
        global: GlobalIndex,
        /// Its value from then on.
        value: WasmValue,
    },
    /// The host set an element of a table.
    SetElement {
        /// The table.
        table: TableIndex,
        /// The element.
        index: u64,
        /// What it is from then on: a function of the guest, or null.
        function: Option<FuncIndex>,
    },
    /// The host grew a table by elements that are null.
    GrowTable {
        /// The table.
        table: TableIndex,
        /// Elements added.
        delta: u64,
        /// The size before.
        before: u64,
    },
    /// The host set an element of a table of its own references.
    SetReference {
        /// The table.
        table: TableIndex,
        /// The element.
        index: u64,
        /// What it is from then on: `null`, or one of the host's values by its number, `extern 5`.
        value: WasmValue,
    },
    /// The host set an element of a table to a function of its own, which the guest can then call.
    SetFunction {
        /// The table.
        table: TableIndex,
        /// The element.
        index: u64,
        /// The function: such functions are counted behind the imported ones, in the order in which they come.
        function: FuncIndex,
        /// Its type.
        parameters: Vec<ValueType>,
        /// The same.
        results: Vec<ValueType>,
    },
}

/// How a call of the guest by its host ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum GuestOutcome {
    /// With these results.
    Returned(Vec<WasmValue>),
    /// By a trap, or by what a host function threw, which the host then caught.
    Trapped(TrapKind),
}

/// An imported function by its two names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Import {
    /// The module that it is imported from.
    pub module: String,
    /// Its name there.
    pub name: String,
}

/// A call of an imported function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostCall {
    /// The function: its index among all functions, and so among the imported ones.
    pub function: FuncIndex,
    /// Its names.
    pub import: Import,
    /// Its arguments.
    pub arguments: Vec<WasmValue>,
    /// What of the guest's memory the call depends on: output buffers, paths.
    pub reads: Vec<HostRead>,
    /// The instruction that calls it by name; `None` for a call by reference, and if it is unknown.
    pub caller: Option<Place>,
}

/// Bytes of guest memory that a host function was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostRead {
    /// Memory read.
    pub memory: MemoryIndex,
    /// First byte.
    pub address: u64,
    /// Length in bytes.
    pub length: u64,
    /// XXH3-64 of the bytes.
    pub digest: u64,
    /// The first of them (256 at most), for display.
    #[serde(with = "wire::bytes")]
    pub start: Vec<u8>,
}

/// How a host call ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum HostOutcome {
    /// With these results.
    Returned(Vec<WasmValue>),
    /// By a trap, in the host's words.
    Trapped(String),
    /// The guest is ended with this exit code.
    Exited(i32),
}

impl std::fmt::Display for Import {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.module, self.name)
    }
}

impl HostRead {
    /// What a host function was given at `address` of a memory.
    pub fn of(memory: MemoryIndex, address: u64, bytes: &[u8]) -> HostRead {
        HostRead {
            memory,
            address,
            length: bytes.len() as u64,
            digest: xxh3_64(bytes),
            start: bytes[..bytes.len().min(SHOWN)].to_vec(),
        }
    }

    /// Whether it was given exactly these bytes.
    pub fn is(&self, bytes: &[u8]) -> bool {
        self.length == bytes.len() as u64 && self.digest == xxh3_64(bytes)
    }
}

impl HostEvent {
    /// As a trace stores it.
    pub fn encode(&self) -> Vec<u8> {
        wire::encode(self)
    }

    /// The inverse of [`HostEvent::encode`].
    ///
    /// # Errors
    /// When the bytes do not decode.
    pub fn decode(bytes: &[u8]) -> Result<HostEvent, TraceError> {
        if bytes.len() > MAX_HOST_EVENT {
            return Err(TraceError::corrupt(0, format!("a step of a host call of {} bytes", bytes.len())));
        }
        wire::decode(bytes, 0, "host event")
    }
}
