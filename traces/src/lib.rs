//! The event model and the trace file of forkpoint.
//!
//! Constraints, in order of weight:
//!
//! 1. A trace comes from a stranger: every length is bounded, every offset checked, nothing in it makes a
//!    reader panic, loop or allocate without bound.
//! 2. Constant memory while writing and while reading, whatever the length of the run.
//! 3. Nothing already recorded is lost: every chunk is readable alone, a file without its end is readable
//!    up to its last whole chunk.
//! 4. No work per event that can be done per chunk.
//!
//! To get started: [`TraceWriter`] and [`TraceReader`] (both in `file.rs`, so that what is written and what
//! is read stay side by side), [`Event`] for what a trace holds, [`Image`] for what events mean: the bytes
//! of the linear memories. The byte format is described in `docs/trace-format.md`.
//!
//! This crate runs no engine, rewrites no module and knows no symbols.
//!
//! # Example
//!
//! Reads a trace from its first event to its last, and applies them to memory:
//!
//! ```
//! use forkpoint_traces::{Event, MemoryIndex, TraceError, TraceReader};
//!
//! let mut trace = TraceReader::open("samples/orbit-jit.fpt".as_ref())?;
//! let (sites, mut memory, mut stores) = (trace.sites().clone(), trace.empty_image(), 0);
//! for chunk in 0..trace.chunks().len() {
//!     trace.read_chunk(chunk, |raw| {
//!         memory.apply(&raw).expect("this trace is whole");
//!         if let Event::Store { address, value, .. } = Event::read(&raw, &sites)? {
//!             println!("{address:#x}: {value:?}");
//!             stores += 1;
//!         }
//!         Ok::<(), TraceError>(())
//!     })?;
//! }
//! assert!(stores > 0 && memory.size(MemoryIndex(0)).is_some());
//! # Ok::<(), TraceError>(())
//! ```

// Only the command prints, in one place.
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))]

mod block;
mod calls;
mod chunk;
mod compression;
mod digest;
mod error;
mod event;
mod file;
mod filter;
mod header;
mod hex;
mod host;
mod ids;
mod image;
mod index;
mod keyframe;
mod limits;
mod loads;
mod milestone;
mod native;
mod op;
mod outcome;
mod page;
mod predict;
mod program;
mod raw;
mod same_call;
mod site;
mod source;
mod text;
mod value;
mod varint;
pub mod wasi;
mod wire;

pub use calls::{CallStep, CallSteps, FarStep};
pub use digest::MemoryDigest;
pub use error::TraceError;
pub use event::{Event, Observation, Value};
pub use file::{
    Excerpt, ExcerptModule, FORMAT_VERSION, Finished, HostLog, Scanner, TraceReader, TraceWriter, Unfinished,
    is_trace, unfinished,
};
pub use header::{
    ADDRESS_SPACE, Argument, Call, EngineInfo, Features, Header, HostInfo, JavaScriptInfo, Limits, ModuleInfo, Put,
    RecorderInfo, Specification, Step, StepResult,
};
pub use hex::Hex;
pub use host::{GuestOutcome, HostCall, HostEvent, HostOutcome, HostRead, Import};
pub use ids::{CodeOffset, DataIndex, FuncIndex, GlobalIndex, MemoryIndex, Position, SiteId, TableIndex};
pub use image::{CorruptEvent, Image, MEMORY_VARIABLE, MemorySize};
pub use index::{ChunkEntry, DigestOf, EngineWords, EventDigests, Place};
pub use limits::{MAX_CHUNK_EVENTS, MAX_PUT};
pub use loads::{Load, Loads};
pub use milestone::{GlobalState, MemoryState, Milestone};
pub use native::{NativeFunction, NativePoint};
pub use op::{MemoryOp, Shape, ValueType};
pub use outcome::{Outcome, Stage, TrapKind};
pub use page::{PAGE, written_pages};
pub use program::{Action, Became, Directive, Expected, InstanceInfo, Link, ModulePart, Pattern, ProgramInfo};
pub use raw::RawEvent;
pub use same_call::{CallDifference, POLL_EVENT, SUBSCRIPTION, USER_DATA};
pub use site::{Site, SiteTable};
pub use source::Source;
pub use text::{MAX_NAME, clip, is_active, printable, printable_lines, printable_name, printable_output};
pub use value::WasmValue;
