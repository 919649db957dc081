//! What a module that records by itself and its reader agree on: frames, and places in the buffer memory.
//!
//! A frame is 16 bytes that only this run knows, its number from 0 on, its kind, the length of what follows, four zero
//! bytes, a checksum ([`checksum`]), and then the bytes. All numbers are little endian. So frames are found among whatever
//! else an engine prints, a lost or repeated one is noticed, and so is any changed byte.

/// Bytes of a frame in front of its payload.
pub(crate) const HEAD: u32 = 40;
/// Most bytes of a frame's payload.
pub(crate) const MOST: u32 = 1 << 20;

/// The module is instantiated and runs.
pub(crate) const BEGIN: u32 = 1;
/// A memory follows: its number u32, its size in pages u64.
pub(crate) const IMAGE: u32 = 2;
/// Blocks of a memory: address u64, length u32, bytes.
pub(crate) const BLOCKS: u32 = 3;
/// All blocks of the memory that are not zero were sent.
pub(crate) const IMAGE_END: u32 = 4;
/// All memories were shown.
pub(crate) const INSTANTIATED: u32 = 5;
/// A call begins: its number u32, [`START`] for the start function.
pub(crate) const CALL: u32 = 6;
/// Calls of the hook, as in a buffer.
pub(crate) const RECORDS: u32 = 7;
/// A call returned: values of 16 bytes each.
pub(crate) const RETURNED: u32 = 8;
/// A host call begins: function u32, length of the arguments u32, arguments of 16 bytes each.
pub(crate) const HOST_CALL: u32 = 9;
/// What it reads: memory u32, 4 zero bytes, address u64, bytes.
pub(crate) const READ: u32 = 10;
/// Its answer was applied.
pub(crate) const SERVED: u32 = 11;
/// The run has reached a mark: its number u32.
pub(crate) const MARK: u32 = 12;
/// Globals and sizes of tables, 16 bytes each.
pub(crate) const STATE: u32 = 13;
/// Everything was sent.
pub(crate) const END: u32 = 14;
/// A directive of a program of several modules begins: its number u32, [`START`] after the last one.
pub(crate) const DIRECTIVE: u32 = 15;
/// All memories were shown after a call.
pub(crate) const CHECK: u32 = 16;

/// The number of the start function among calls.
pub(crate) const START: u32 = u32::MAX;
/// Bytes of a value.
pub(crate) const VALUE: u32 = 16;

/// Where the one vector for `fd_write` is, and the number of bytes that it wrote.
pub(super) const VECTOR_AT: u32 = 0;
pub(super) const WRITTEN_AT: u32 = 8;
/// Small payloads, with room for a head in front.
pub(super) const SCRATCH_AT: u32 = 1024;
/// Records and blocks of memory, with room for a head in front.
pub(super) const RECORDS_AT: u32 = 1 << 16;
/// What a host answers.
pub(super) const LOG_AT: u32 = RECORDS_AT + MOST;
/// Most values in one payload.
pub(super) const MOST_VALUES: u32 = 3000;

/// Multiplier of the checksum.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

/// The factor as an instruction has it.
pub(super) const FACTOR_BITS: i64 = FACTOR as i64;
/// How far a word is turned before it is multiplied.
pub(crate) const TURN: u32 = 29;

/// The checksum's start for a frame.
pub(crate) fn seed(number: u32, kind: u32) -> u64 {
    (u64::from(number) << 32) | u64::from(kind)
}

/// One word more.
pub(crate) fn fold(sum: u64, word: u64) -> u64 {
    (sum ^ word).rotate_left(TURN).wrapping_mul(FACTOR)
}

/// A frame's checksum: over words of eight bytes, then over single bytes.
pub(crate) fn checksum(number: u32, kind: u32, payload: &[u8]) -> u64 {
    let (words, rest) = payload.as_chunks::<8>();
    let sum = words.iter().fold(seed(number, kind), |sum, word| fold(sum, u64::from_le_bytes(*word)));
    rest.iter().fold(sum, |sum, byte| fold(sum, u64::from(*byte)))
}
