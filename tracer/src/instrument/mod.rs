//! Rewrites a module so that it records what it does to its linear memories.
//!
//! [`instrument`] is pure: bytes in, bytes and tables out, no engine involved. The rewritten module runs on any
//! engine with multi-memory and does exactly what the original does. In addition it appends a record of each
//! committed memory-changing instruction to a buffer and calls the host when the buffer is full.
//!
//! # What is added
//!
//! | what | where | exported as |
//! | --- | --- | --- |
//! | function import `forkpoint` `flush`: `[i32] -> []` | after the other function imports | |
//! | the *buffer*: a 32-bit memory of [`BUFFER_PAGES`] | last memory | [`BUFFER_EXPORT`] |
//! | a function that sets the cursor and calls `flush(cursor)` | last function | |
//! | exports of all memories, tables and mutable numeric globals | | [`MemoryDecl::export`] and the like |
//! | the start function, which no longer runs by itself | | [`START_EXPORT`] |
//!
//! The buffer starts with the *cursor* at [`CURSOR_AT`]: where the next record goes, counted from [`RECORDS_AT`]; the space in between
//! is the host's. There, at [`KEPT_AT`], the host may say that it keeps so many bytes of the records' space: then the first record
//! begins behind them, and the buffer is flushed earlier. The cursor is not a global, so that a process that shares the
//! buffer's memory sees all records of a dead one.
//!
//! Indices of defined functions shift by one, all other indices stay. A module without memory only gets the exports,
//! and so does any module by [`Original::expose`]. Everything else is the original's, byte for byte where nothing in
//! it had to change.
//!
//! With [`Style::Hooks`] there is neither buffer nor cursor nor helper: the one import is `forkpoint` `event`: `[i32
//! i64 i64 i64] -> []`, called after every instruction with its site's number and its operands.
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
//! There are also records of fixed size: before a direct call of an imported function, the number 3 and that of a
//! [`Mark`]; with [`Options::ask`], notes: the number 4, that of a mark, and 16 bytes of a value.
//!
//! With [`Options::read_back`], a store that memory does not show is followed by a separate record: the number 1
//! and 16 bytes, the first of which are what memory holds instead, as many as the store has.
//!
//! Addresses, lengths and page counts have 4 bytes, or 8 where the instruction's operand is an `i64`.
//!
//! # Invariants
//!
//! - The cursor moves past an instruction's payload only after the instruction, so a record means *committed*. With
//!   [`Commit::AtCalls`] it moves in a local, and the one in the buffer follows at calls and exits.
//! - Where a segment looks, the cursor is at most [`BUFFER_LIMIT`], and no path from there to the next that looks has
//!   more than 64 KiB, so a record never leaves the buffer. The host must not set the cursor to anything but what is at
//!   [`KEPT_AT`].
//! - The host empties the buffer (takes the records, sets the cursor to that) whenever a call into the
//!   module ends, above all in a trap, before any other code of the module runs: an unfinished segment can only
//!   be told from a whole one at the end of a block. It may do so inside of any host call, too, since a call
//!   ends the segment.
//! - `flush` must not call back into the module.

mod address;
mod body;
mod classify;
mod cursor;
mod declared;
mod decode;
mod digest;
mod emit;
mod entries;
mod error;
mod floats;
mod instrumented;
mod interface;
mod layout;
mod loads;
mod locals;
mod machinery;
mod mark;
mod marks;
pub(crate) mod names;
mod notes;
mod offsets;
mod operands;
mod options;
mod original;
mod proposals;
mod raw;
mod room;
mod scan;
mod sections;
mod settle;
mod stack;
pub(crate) mod standalone;
mod steps;
mod types;
pub use address::Address;
pub use declared::{DataKind, DataSegment, GlobalDecl, MemoryDecl};
pub use decode::{LANES, RawRecordError, RecordDecoder, RecordSink};
pub use digest::{Covered, Digester, RunDigest, STRETCH, Stretch};
pub use error::InstrumentError;
pub use floats::{OpenResults, open_results};
pub use instrumented::Instrumented;
use interface::MAX_SEGMENT;
pub use interface::{
    BUFFER_EXPORT, BUFFER_LIMIT, BUFFER_PAGES, CURSOR_AT, EXPORT_PREFIX, FLUSH_IMPORT, HOOK_IMPORT, IMPORT_MODULE,
    KEPT_AT, MARK_AT, RECORDS_AT, START_EXPORT,
};
pub(crate) use interface::{
    element_export, function_element_export, function_export, global_export, step_export, table_grow_export,
};
pub use mark::{Float, Mark, Marked};
pub use offsets::{Mapped, OffsetMap};
pub use options::{Ask, Commit, Options, Scope, Style};
pub use original::Original;
use proposals::{COMMON, features};
pub(crate) use raw::{CALLER_HOOK, HOOK_SIZE, HOST_PIECE, MARK_HOOK, NOTE_HOOK};
pub use raw::{FIRST_SEGMENT, HOST_RECORD, Segment, host_records};
pub(crate) use settle::Given;
pub(crate) use steps::Reach;

/// Rewrites the binary `module` as `options` say. [`Original`] does it in several ways and reads the module once.
///
/// # Errors
///
/// When the module is not valid, or when it does something to memory that cannot be recorded.
pub fn instrument(module: &[u8], options: &Options) -> Result<Instrumented, InstrumentError> {
    Original::read(module.into())?.instrument(options)
}

/// The binary `module` unchanged, with nothing to record: for invalid modules, which engines only accept or reject.
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
        parts: Vec::new(),
    }
}
