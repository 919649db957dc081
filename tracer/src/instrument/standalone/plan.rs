//! What a module that records by itself is to do.

use super::log::Answers;
use crate::job::ExportCall;

/// How to make a module that records by itself.
pub(crate) struct Plan<'a> {
    /// What frames begin with.
    pub(crate) magic: [u64; 2],
    /// The export that the engine runs.
    pub(crate) entry: &'a str,
    /// Whether there is a start function to call.
    pub(crate) has_start: bool,
    /// The calls to make.
    pub(crate) calls: &'a [ExportCall],
    /// Names under which the rewritten module exports the original's globals and tables.
    pub(crate) globals: &'a [String],
    pub(crate) tables: &'a [String],
    /// How many memories the original has.
    pub(crate) memories: u32,
    /// What answers host calls.
    pub(crate) answers: &'a Answers,
    /// From so many bytes of records on, each is sent at once.
    pub(crate) careful: Option<u64>,
    /// From there on, the state is shown whenever it changes, too. The guest's code then has more in it.
    pub(crate) shows_state: bool,
    /// Where the module shows its memories and ends.
    pub(crate) stop: Stop,
}

/// Where a run shows its memories and ends, although it would go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Nowhere.
    Never,
    /// When so many bytes of records were sent.
    Records(u64),
    /// At a host call by number, before it is answered.
    Before(u32),
    /// At a host call by number, after it was answered.
    After(u32),
}

impl Stop {
    pub(super) fn records(self) -> Option<u64> {
        match self {
            Stop::Records(at) => Some(at),
            _ => None,
        }
    }
}
