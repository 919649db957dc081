//! How much a rewritten module records, and by which means.

use super::BUFFER_LIMIT;
use super::classify::Recorded;
use forkpoint_traces::{FarStep, FuncIndex, MemoryIndex, Position, Shape};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// How records leave the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Style {
    /// The module's own code appends them to a buffer memory: fast, and needs multi-memory.
    #[default]
    Inline,
    /// One call of an imported function per event: slower, and changes the code around a store less.
    Hooks,
}

/// When inline records count: when the cursor in the buffer includes them, so that whoever shares the buffer sees them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Commit {
    /// After each event. Whatever ends the run, all records are there.
    #[default]
    EachEvent,
    /// Before calls, and where a function ends: in between, the cursor is in a local. Half the cost for the guest, but
    /// a trap or a crash takes the records of its function along. Of recordings of everything that ask nothing else, in
    /// modules without exceptions; others commit each event.
    AtCalls,
}

/// The scope of a recording.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scope {
    /// Only these functions' instructions; `None` for all functions.
    pub functions: Option<BTreeSet<FuncIndex>>,
    /// Only stores that touch these bytes of this memory; `None` for all of them.
    pub bytes: Option<(MemoryIndex, Range<u64>)>,
}

impl Scope {
    /// Whether everything is recorded, so that memory can be replayed.
    pub fn is_everything(&self) -> bool {
        *self == Scope::default()
    }

    /// Whether the instruction gets recorder's code at all. `memory.grow` always does, since nothing makes sense
    /// without sizes.
    pub(super) fn covers(&self, function: u32, recorded: &Recorded) -> bool {
        if recorded.op.shape() == Shape::Grow {
            return true;
        }
        self.functions.as_ref().is_none_or(|functions| functions.contains(&FuncIndex(function)))
            && self.bytes.as_ref().is_none_or(|(memory, _)| memory.0 == recorded.memory)
    }
}

/// How to rewrite a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// How records leave the module.
    pub style: Style,
    /// When inline records count.
    pub commit: Commit,
    /// Load every stored value back, and record what memory holds if it differs.
    pub read_back: bool,
    /// Give the instructions of a straight-line run one record head. If off, every event is complete before the next
    /// instruction of the module runs.
    pub join: bool,
    /// The buffer is flushed before a segment that finds more bytes than this in it. At most [`BUFFER_LIMIT`].
    pub buffer_limit: u32,
    /// What is recorded.
    pub scope: Scope,
    /// What else the code reports along the way.
    pub ask: Ask,
    /// Give every NaN that an instruction makes the same bits. The module then computes something else, within what
    /// the specification allows.
    pub canonical_nans: bool,
    /// Give every instruction of relaxed SIMD one of the results that the specification allows.
    pub fixed_relaxed: bool,
    /// Where the module is one of a program's: how many sites the modules before it have, since sites are numbered through.
    /// Calls of imports, which are other modules' functions, have no marks then. Only with [`Style::Hooks`].
    pub sites_before: Option<u32>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            style: Style::default(),
            commit: Commit::default(),
            read_back: false,
            join: true,
            buffer_limit: BUFFER_LIMIT,
            scope: Scope::default(),
            ask: Ask::default(),
            canonical_nans: false,
            fixed_relaxed: false,
            sites_before: None,
        }
    }
}

/// A question that a rerun answers besides recording events. None of them makes an event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Ask {
    /// None.
    #[default]
    Nothing,
    /// Where the run ends: before each instruction that can trap, at each loop, and around calls, the code leaves the
    /// number of a [`Mark`](super::Mark) where it can be read when the run is over, however it ended.
    Places {
        /// With [`Style::Hooks`], where each number costs a host call: only after this many events of instructions
        /// have been recorded.
        events: u64,
    },
    /// Which NaNs instructions make: a note for each, with its bits.
    Nans {
        /// The notes to keep, counted from 0; all others are only kept as digests.
        window: Range<u64>,
    },
    /// What functions are called with and return: a note for each value.
    Calls {
        /// The notes to keep, counted from 0; all others are only kept as digests.
        window: Range<u64>,
    },
    /// Which functions are active around a position: a note for each function that begins or ends, and for each value that
    /// it is called with or returns.
    Stack {
        /// The position.
        around: Position,
        /// Only where this step leads from there.
        step: Option<FarStep>,
        /// For functions with a frame base in debug information, the local that holds it.
        frame_bases: BTreeMap<FuncIndex, u32>,
    },
    /// What was loaded before an event: a note for each load.
    Loads {
        /// The event.
        before: Position,
    },
}

impl Ask {
    /// Whether the code sends notes.
    pub(super) fn takes_notes(&self) -> bool {
        self.window().is_some() || self.is_stack() || self.notes_loads()
    }

    /// Whether loads are noted.
    pub(super) fn notes_loads(&self) -> bool {
        matches!(self, Ask::Loads { .. })
    }

    /// Whether the question is which functions are active.
    pub(crate) fn is_stack(&self) -> bool {
        matches!(self, Ask::Stack { .. })
    }

    /// The local with a function's frame base, if it is to be noted.
    pub(super) fn frame_base(&self, func: FuncIndex) -> Option<u32> {
        match self {
            Ask::Stack { frame_bases, .. } => frame_bases.get(&func).copied(),
            _ => None,
        }
    }

    /// Whether functions have code where they begin and end.
    pub(super) fn notes_calls(&self) -> bool {
        matches!(self, Ask::Calls { .. } | Ask::Stack { .. })
    }

    /// The notes to keep.
    pub(crate) fn window(&self) -> Option<&Range<u64>> {
        match self {
            Ask::Nans { window } | Ask::Calls { window } => Some(window),
            Ask::Nothing | Ask::Places { .. } | Ask::Stack { .. } | Ask::Loads { .. } => None,
        }
    }
}

impl Options {
    /// Whether a record may share the head of the previous one: then everything in between is always recorded, one by
    /// one.
    pub(super) fn joins(&self) -> bool {
        self.join && !self.read_back && self.scope.bytes.is_none()
    }

    /// Whether functions may keep the cursor in a local.
    pub(super) fn keeps_cursor(&self) -> bool {
        let asks = self.asks() || self.read_back || !self.scope.is_everything();
        self.commit == Commit::AtCalls && self.style == Style::Inline && !asks
    }

    /// Whether a module without memory gets code, too.
    pub(super) fn asks(&self) -> bool {
        self.ask != Ask::Nothing || self.canonical_nans || self.fixed_relaxed
    }

    /// Whether each direct call of an imported function leaves its place.
    pub(super) fn places_host_calls(&self) -> bool {
        self.scope.is_everything() && self.sites_before.is_none()
    }

    /// What is added to a plain recording, in words, for a trace's header.
    pub(crate) fn probes(&self) -> Vec<String> {
        let ask = match self.ask {
            Ask::Nothing => None,
            Ask::Places { .. } => Some("markers before instructions that can trap"),
            Ask::Nans { .. } => Some("notes of NaNs"),
            Ask::Calls { .. } | Ask::Stack { .. } => Some("notes of calls and returns"),
            Ask::Loads { .. } => Some("notes of loads"),
        };
        let canonical = self.canonical_nans.then_some("canonical NaNs");
        let relaxed = self.fixed_relaxed.then_some("fixed relaxed SIMD");
        [ask, canonical, relaxed].into_iter().flatten().map(str::to_string).collect()
    }
}
