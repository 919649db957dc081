//! Rewrites a module so that it records what it does to its linear memories.
//!
//! [`instrument`] is pure: bytes in, bytes and tables out, no engine involved. The rewritten module runs on any
//! engine with multi-memory and does exactly what the original does; besides, it appends a record of each
//! committed memory-changing instruction to a buffer and calls the host when the buffer is full.
//!
//! # What is added
//!
//! | what | where | exported as |
//! | --- | --- | --- |
//! | function import `forkpoint` `flush`: `[i32] -> []` | behind the other function imports | |
//! | the *buffer*: a 32-bit memory of [`BUFFER_PAGES`] | last memory | [`BUFFER_EXPORT`] |
//! | a function that calls `flush(cursor)` and sets the cursor to 0 | last function | |
//! | exports of all memories, tables and mutable numeric globals | | [`MemoryDecl::export`] and the like |
//! | the start function, which no longer runs by itself | | [`START_EXPORT`] |
//!
//! The buffer starts with the *cursor* at [`CURSOR_AT`], the number of bytes of records in it. Records follow from
//! [`RECORDS_AT`] on; what is in between is the host's. The cursor is no global, so that who shares the buffer's
//! memory sees all records of a process that is dead.
//!
//! Indices of defined functions shift by one, all other indices stay. A module without memory gets the exports
//! only, and so does any module by [`Original::expose`]. Everything else is the original's, byte for byte where nothing in
//! it had to change.
//!
//! With [`Style::Hooks`] there is neither buffer nor cursor nor helper: the one import is `forkpoint` `event`:
//! `[i32 i64 i64 i64] -> []`, called behind every instruction with its site's number and its operands.
//!
//! # Records
//!
//! A *segment* is a straight-line run of recorded instructions: whenever its first one runs, the others follow
//! in order, unless a trap gets in between. Its record is its number, counted from [`FIRST_SEGMENT`], as four
//! bytes, and then the payload of each instruction, all little endian without padding:
//!
//! | instruction | payload |
//! | --- | --- |
//! | stores, store lanes | base address (without static offset), the bytes written |
//! | atomic read-modify-writes | base address (without static offset), what memory holds afterwards |
//! | `memory.grow` | delta, result |
//! | `memory.fill` | destination, the byte (one byte), length |
//! | `memory.copy`, `memory.init` | destination, source, length |
//! | `data.drop` | nothing; it is always a segment of its own |
//!
//! Besides, there are records of fixed size: before a direct call of an imported function, the number 3 and that of a
//! [`Mark`]; with [`Options::ask`], notes: the number 4, that of a mark, and 16 bytes of a value.
//!
//! With [`Options::read_back`], a store that memory does not show is followed by a record of its own: the number 1
//! and 16 bytes, of which as many as the store has are what memory holds in place of the stored ones.
//!
//! Addresses, lengths and page counts have 4 bytes, or 8 where the instruction's operand is an `i64`.
//!
//! # Invariants
//!
//! - The cursor moves behind an instruction's payload only after the instruction, so a record means *committed*.
//! - At the start of a segment the cursor is at most [`BUFFER_LIMIT`], and no segment has more than 64 KiB, so a
//!   record never leaves the buffer. The host must not set the cursor to anything but 0.
//! - The host empties the buffer (takes the records, sets the cursor to 0) whenever a call into the
//!   module ends, above all in a trap, before any other code of the module runs: an unfinished segment can only
//!   be told from a whole one at the end of a block. It may do so inside of any host call, too, since a call
//!   ends the segment.
//! - `flush` must not call back into the module.

mod address;
mod body;
mod classify;
mod decode;
mod emit;
mod entries;
mod error;
mod floats;
mod layout;
mod locals;
mod machinery;
mod mark;
mod marks;
pub(crate) mod names;
mod notes;
mod offsets;
mod options;
mod original;
mod raw;
mod scan;
mod sections;
mod steps;
mod types;

pub use address::Address;
pub use decode::{RawRecordError, RecordDecoder, RecordSink};
pub use error::InstrumentError;
pub use floats::{OpenResults, open_results};
pub use mark::{Float, Mark, Marked};
pub use offsets::{Mapped, OffsetMap};
pub use options::{Ask, Options, Scope, Style};
pub use original::Original;
pub use raw::{FIRST_SEGMENT, HOST_RECORD, host_records};
pub(crate) use raw::{HOOK_SIZE, MARK_HOOK};

use forkpoint_traces::{MemoryIndex, Site, Step, ValueType};
use std::collections::BTreeSet;
use std::ops::Range;
use wasmparser::WasmFeatures;

/// Module name of the import that rewritten modules need.
pub const IMPORT_MODULE: &str = "forkpoint";
/// Field name of the import of modules that record inline; its argument is the number of bytes in the buffer.
pub const FLUSH_IMPORT: &str = "flush";
/// Field name of the import of modules that record by hooks; its arguments are the number of a site and up to
/// three operands, see [`RecordDecoder::decode_hook`].
pub const HOOK_IMPORT: &str = "event";
/// Start of all export names that the rewriter adds.
pub const EXPORT_PREFIX: &str = "forkpoint:";
/// Export name of the buffer.
pub const BUFFER_EXPORT: &str = "forkpoint:buffer";
/// Export name of the function that was the start function.
pub const START_EXPORT: &str = "forkpoint:start";

/// Export name of the function for a step of a run, by its number.
pub(crate) fn step_export(number: u32) -> String {
    format!("{EXPORT_PREFIX}step.{number}")
}

/// Address in the buffer of the cursor, an `i32`.
pub const CURSOR_AT: usize = 0;
/// Address in the buffer of the number of the [`Mark`] that the run came to last, an `i32`; 0 for none.
pub const MARK_AT: usize = 8;
/// Address in the buffer of the first record.
pub const RECORDS_AT: usize = 16;
/// A segment that finds more bytes of records than this in the buffer has it flushed first.
pub const BUFFER_LIMIT: u32 = (1 << 20) - RECORDS_AT as u32;
/// Largest record of one segment in bytes: what the buffer holds beyond [`BUFFER_LIMIT`].
const MAX_SEGMENT: u32 = 1 << 16;
/// Size of the buffer in pages of 64 KiB.
pub const BUFFER_PAGES: u32 = (RECORDS_AT as u32 + BUFFER_LIMIT + MAX_SEGMENT) >> 16;

/// A run of sites whose records share one head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// Index in [`Instrumented::sites`] of its first site.
    pub first: u32,
    /// How many sites.
    pub count: u32,
}

/// A linear memory of the original module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryDecl {
    /// Initial size in pages.
    pub minimum: u64,
    /// Largest size in pages.
    pub maximum: Option<u64>,
    /// Bytes in a page.
    pub page_size: u32,
    /// Whether addresses have 64 bits.
    pub memory64: bool,
    /// Whether threads may share it.
    pub shared: bool,
    /// Whether it is imported.
    pub imported: bool,
    /// The name under which the rewritten module exports it.
    pub export: String,
}

/// A mutable global of numeric type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GlobalDecl {
    /// Its index, equal in the original and in the rewritten module.
    pub index: u32,
    /// Its type; never a vector.
    pub ty: ValueType,
    /// The name under which the rewritten module exports it.
    pub export: String,
}

/// What a data segment is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DataKind {
    /// Copied into memory at instantiation.
    Active {
        /// Memory written.
        memory: MemoryIndex,
        /// First byte written.
        address: Address,
    },
    /// Waits for `memory.init`.
    Passive,
}

/// A data segment of the original module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataSegment {
    /// What it is for.
    pub kind: DataKind,
    /// Where its bytes are in the original module.
    pub bytes: Range<usize>,
}

/// A rewritten module and what is needed to understand its records.
#[derive(Debug, Clone)]
pub struct Instrumented {
    /// The rewritten binary.
    pub module: Vec<u8>,
    /// Every memory-changing instruction that can run, in the order of the code. A site's number is
    /// [`SiteId::FIRST`](forkpoint_traces::SiteId::FIRST) plus its index.
    pub sites: Vec<Site>,
    /// The segments, numbered from [`FIRST_SEGMENT`].
    pub segments: Vec<Segment>,
    /// Places that the code names without an event, numbered from 1.
    pub marks: Vec<Mark>,
    /// From the rewritten module's offsets and function indices to the original's.
    pub offsets: OffsetMap,
    /// Memories of the original module, imports first.
    pub memories: Vec<MemoryDecl>,
    /// Mutable numeric globals of the original module.
    pub globals: Vec<GlobalDecl>,
    /// Names under which the rewritten module exports the original's tables, imports first.
    pub tables: Vec<String>,
    /// Data segments of the original module.
    pub data: Vec<DataSegment>,
    /// Whether the host has to call [`START_EXPORT`] after instantiation.
    pub has_start: bool,
    /// Whether recorder's code was added: the module has a memory, or something else is asked of it.
    pub records: bool,
    /// Whether the module needs the stack switching proposal, which not every engine setting goes with.
    pub stack_switching: bool,
}

impl Instrumented {
    /// The mark with this number.
    pub fn mark(&self, number: u32) -> Option<&Mark> {
        self.marks.get(number.checked_sub(1)? as usize)
    }

    /// The same module with a function for each step of `steps` whose number is in `added`, exported under
    /// [`step_export`]: it does what the step asks for, and keeps what others need of it.
    ///
    /// # Errors
    /// When a step calls what the module does not export, or the module grows beyond what engines accept.
    pub(crate) fn with_steps(
        mut self,
        steps: &[Step],
        added: &BTreeSet<u32>,
    ) -> Result<Instrumented, InstrumentError> {
        let (module, moved) = steps::add(&self.module, steps, added)?;
        self.offsets.move_by(moved);
        Ok(Instrumented { module, ..self })
    }

    /// About how many bytes of memory this takes.
    pub(crate) fn size(&self) -> usize {
        self.module.len()
            + size_of_val(self.sites.as_slice())
            + size_of_val(self.segments.as_slice())
            + size_of_val(self.marks.as_slice())
            + self.offsets.size()
    }

    /// A decoder for this module's raw records.
    pub fn decoder(&self) -> RecordDecoder {
        RecordDecoder::new(&self.sites, &self.segments, &self.memories)
    }
}

/// What a module may use: WebAssembly 3.0 and the proposals beyond it that Wasmtime runs.
fn features() -> WasmFeatures {
    COMMON | WasmFeatures::STACK_SWITCHING
}

/// What every engine setting goes with.
const COMMON: WasmFeatures =
    WasmFeatures::WASM3.union(WasmFeatures::CUSTOM_PAGE_SIZES).union(WasmFeatures::WIDE_ARITHMETIC);

/// Rewrites the binary `module` as `options` say. [`Original`] does it in several ways and reads the module once.
///
/// # Errors
///
/// When the module is not valid, or when it does something to memory that cannot be recorded.
pub fn instrument(module: &[u8], options: &Options) -> Result<Instrumented, InstrumentError> {
    Original::read(module.into())?.instrument(options)
}

/// The binary `module` as it is, with nothing to record: for modules that are not valid, of which engines are only
/// asked what they make of them.
pub fn untouched(module: &[u8]) -> Instrumented {
    Instrumented {
        module: module.to_vec(),
        sites: Vec::new(),
        segments: Vec::new(),
        marks: Vec::new(),
        offsets: OffsetMap::default(),
        memories: Vec::new(),
        globals: Vec::new(),
        tables: Vec::new(),
        data: Vec::new(),
        has_start: false,
        records: false,
        stack_switching: false,
    }
}
