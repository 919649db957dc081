//! What happens to a run as a whole: its stages, its calls, its end.

use crate::ids::{CodeOffset, DataIndex, FuncIndex, GlobalIndex, MemoryIndex};
use crate::outcome::{Outcome, Stage, TrapKind};
use crate::value::WasmValue;
use serde::{Deserialize, Serialize};

/// A step of the run as a whole. Holds nothing that two engines word differently: messages are in the trace's end
/// record, so equal runs have equal milestones.
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
    /// An active data segment: after instantiation memory held its declared bytes, except for those that later
    /// `StrayBytes` events name.
    DataInit {
        /// Index of the data segment.
        segment: DataIndex,
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
        /// Its arguments.
        arguments: Vec<WasmValue>,
    },
    /// The call returned.
    Returned {
        /// Its results.
        results: Vec<WasmValue>,
    },
    /// The call trapped.
    Trapped {
        /// Which trap.
        trap: TrapKind,
        /// The function it happened in, if the engine reports it.
        func: Option<FuncIndex>,
        /// The instruction, if the engine reports it.
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
        /// All memories as the engine held them, empty if it could no longer be asked.
        memories: Vec<MemoryState>,
        /// All mutable globals of numeric type, by index; empty if the engine could no longer be asked.
        globals: Vec<GlobalState>,
        /// Sizes of all tables in elements; empty if the engine could no longer be asked.
        tables: Vec<u64>,
    },
    /// The engine accepted the module at a stage. A rejection is in the end's [`Outcome`].
    Accepted {
        /// Which.
        stage: Stage,
    },
    /// A directive of a program of several modules begins.
    Directive {
        /// Its number, from 0.
        number: u32,
    },
    /// The engine refused the directive's module at a stage.
    Refused {
        /// Which.
        stage: Stage,
    },
    /// The directive is over.
    Judged {
        /// Whether what became of it is what was expected.
        passed: bool,
    },
}

impl Milestone {
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Milestone::Accepted { .. } => "accepted",
            Milestone::Memory { .. } => "memory",
            Milestone::DataInit { .. } => "data-init",
            Milestone::Invoke { .. } => "invoke",
            Milestone::Returned { .. } => "return",
            Milestone::Trapped { .. } => "trap",
            Milestone::Exited { .. } => "exit",
            Milestone::End { .. } => "end",
            Milestone::Directive { .. } => "directive",
            Milestone::Refused { .. } => "refused",
            Milestone::Judged { .. } => "judged",
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
    pub index: GlobalIndex,
    /// Its value.
    pub value: WasmValue,
}
