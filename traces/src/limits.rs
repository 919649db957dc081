//! What a file may demand of its reader. A trace may come from a stranger: nothing that it claims is believed before
//! it is checked against the bytes that are there.
//!
//! A few hundred bytes that decompress to a gigabyte are not a recording. So a block may claim a fixed size, and
//! beyond that only a multiple of what it stores; numbers that occur twice must agree; and the memory that events may
//! fill grows with the file. Section 9 of docs/trace-format.md has the numbers.

/// Most events in a chunk.
pub const MAX_CHUNK_EVENTS: u32 = 1 << 17;

/// Most raw bytes of all columns of a chunk together.
pub(crate) const MAX_COLUMNS: u64 = 32 << 20;

/// Most bytes of one event of a host call.
pub(crate) const MAX_HOST_EVENT: usize = 1 << 20;

/// Most bytes that a run may put into memory for its calls: a header holds them.
pub const MAX_PUT: u64 = 32 << 20;

/// Most bytes of any other event.
pub(crate) const MAX_BLOB: usize = 8 << 20;

/// Fewest events between two keyframes. A writer leaves more.
pub(crate) const MIN_KEYFRAME_EVENTS: u64 = 1 << 18;

/// Fewest bytes that an instruction of a site takes in the module: an operator and its immediates.
pub(crate) const MIN_INSTRUCTION: usize = 2;

/// This many sites are believed whatever the module's length.
pub(crate) const FREE_SITES: usize = 1 << 16;

/// Bytes that the module and the memory filled by events may have together whatever the length of the file.
const FREE_MEMORY: u64 = 64 << 20;

/// Further bytes for each byte of the file.
const MEMORY_RATIO: u64 = 64;

/// Most bytes of memory that events may fill at all.
pub(crate) const MAX_MEMORY: u64 = 8 << 30;

/// Bytes of memory that events may fill, by the lengths of the file and of its module.
pub(crate) fn memory(file_length: u64, module: usize) -> u64 {
    let free = FREE_MEMORY.saturating_sub(module as u64);
    file_length.saturating_mul(MEMORY_RATIO).clamp(free, MAX_MEMORY)
}

/// Raw bytes that a compressed block may claim: a fixed number, or a multiple of what it stores if that is more.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expansion {
    /// The fixed number.
    pub(crate) free: u32,
    /// The multiple.
    pub(crate) ratio: u32,
}

impl Expansion {
    /// Whether `stored` bytes may become `raw` bytes.
    pub(crate) fn allows(self, stored: u32, raw: u32) -> bool {
        raw <= self.free || u64::from(raw) <= u64::from(stored) * u64::from(self.ratio)
    }
}
