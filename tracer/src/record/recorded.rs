//! The result of a recording.

use super::{FoundWriter, Mismatches, Notes};
use crate::instrument::RunDigest;
use crate::values::WasmValue;
use forkpoint_traces::{CallSteps, GlobalState, Loads, MemoryState, Outcome, Position, TrapKind};
use std::time::Duration;

/// What became of one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallResult {
    /// The function called.
    pub function: String,
    /// What it gave back.
    pub result: Result<Vec<WasmValue>, TrapKind>,
}

/// A finished recording.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// Number of events, whether the trace has them or a digest covers them.
    pub events: u64,
    /// Digests of the events, where the request asked for no more.
    pub digest: Option<RunDigest>,
    /// Length of the trace in bytes.
    pub bytes: u64,
    /// Bytes of memory that a reader must allow it, where its events fill more than a stranger's trace of this length may.
    pub to_allow: Option<u64>,
    /// The host that answered the guest's calls for real, if one did; unescaped.
    pub host: Option<String>,
    /// How the run ended.
    pub outcome: Outcome,
    /// The engine's own words about the end, where it had any; unescaped.
    pub message: Option<String>,
    /// The last lines of its process's standard error, where the run did not end by itself; unescaped.
    pub last_words: Option<String>,
    /// What became of the calls asked for.
    pub calls: Vec<CallResult>,
    /// Its memories at the end, as far as the engine could be asked.
    pub memories: Vec<MemoryState>,
    /// All mutable globals of numeric type at the end.
    pub globals: Vec<GlobalState>,
    /// Sizes of all tables at the end.
    pub tables: Vec<u64>,
    /// Where the engine's memory was not the replayed one. The events say so, too.
    pub mismatches: Mismatches,
    /// What the code reported besides events, where it was asked to.
    pub notes: Notes,
    /// Calls and returns around the position whose active functions were requested.
    pub stack: Option<CallSteps>,
    /// Where the step leads that the request asks for, if anywhere; `None` where the run ended before that was known.
    pub step: Option<Option<Position>>,
    /// The last loads before the event whose loads were requested.
    pub loads: Option<Loads>,
    /// The last writer of the bytes that the request seeks one of, if there was one.
    pub writer: Option<FoundWriter>,
    /// Wall-clock time of the engine's processes.
    pub elapsed: Duration,
    /// The part of it that the engine took to validate and compile; `None` where it accepted nothing.
    pub compiling: Option<Duration>,
    /// The part of it between instantiation and the end of the last call, as the recorder saw it.
    pub running: Duration,
    /// How often the command of an engine that is one was run.
    pub command_runs: u32,
}
