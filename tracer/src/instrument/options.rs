//! How much a rewritten module records, and by which means.

use super::BUFFER_LIMIT;
use super::classify::Recorded;
use forkpoint_traces::{FuncIndex, MemoryIndex, Shape};
use std::collections::BTreeSet;
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

/// What is recorded.
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

    /// Whether the instruction gets recorder's code at all. Sizes are needed to make sense of anything, so
    /// `memory.grow` always does.
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
    /// Load every stored value back, and record what memory holds where that is something else.
    pub read_back: bool,
    /// Give the instructions of a straight-line run one record head. Off, every event is complete before the
    /// next instruction of the module runs.
    pub join: bool,
    /// The buffer is flushed before a segment that finds more bytes than this in it. At most [`BUFFER_LIMIT`].
    pub buffer_limit: u32,
    /// What is recorded.
    pub scope: Scope,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            style: Style::default(),
            read_back: false,
            join: true,
            buffer_limit: BUFFER_LIMIT,
            scope: Scope::default(),
        }
    }
}

impl Options {
    /// Whether a record may share the head of the one before: what comes in between is then always recorded,
    /// one by one.
    pub(super) fn joins(&self) -> bool {
        self.join && !self.read_back && self.scope.bytes.is_none()
    }
}
