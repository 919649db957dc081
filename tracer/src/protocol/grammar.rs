//! The grammar of frames, the same in both directions: `tag u8 | length u32 little endian | payload`.

use std::io::{self, Read, Write};

/// Most bytes of a frame's payload.
pub(super) const MAX_FRAME: u32 = 4 << 20;

/// Most bytes of memory in one frame.
pub(super) const PIECE: usize = 1 << 20;

/// A control frame, in JSON.
pub(super) const MESSAGE: u8 = b'J';
/// Raw records, as the rewritten module left them in the buffer.
pub(super) const RECORDS: u8 = b'R';
/// A block of records or calls of the hook in memory that both sides share: slot u32, bytes u32, 1 for calls of the hook u8.
/// Only for processes of this program.
pub(super) const PASSED: u8 = b'S';
/// Bytes of guest memory that the recorder asked for during a host call: number of the range u32, bytes.
pub(super) const GUEST: u8 = b'G';
/// Bytes of a memory image: memory u32, address u64, bytes; ascending, zero pages left out.
pub(super) const IMAGE: u8 = b'I';
/// Calls of the hook: site u32 and three operands u64 each.
pub(super) const HOOKS: u8 = b'H';
/// Digests of pages at a checkpoint: memory u32, then page u64 and digest u64 each.
pub(super) const DIGESTS: u8 = b'D';
/// What watched bytes hold now: memory u32, address u64, bytes.
pub(super) const WATCHED: u8 = b'V';
/// Bytes that an answer to a host call writes: memory u32, address u64, bytes.
pub(super) const WRITE: u8 = b'W';
/// Native code of one function: see [`NativeFrame`](super::NativeFrame).
pub(super) const NATIVE: u8 = b'N';

/// What is wrong with a frame.
pub(super) fn bad(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}

/// Writes a frame whose payload is `head` and `bytes`.
pub(super) fn write(out: &mut impl Write, tag: u8, head: &[u8], bytes: &[u8]) -> io::Result<()> {
    let mut start = Vec::with_capacity(5 + head.len() + bytes.len().min(4096));
    start.push(tag);
    start.extend_from_slice(&((head.len() + bytes.len()) as u32).to_le_bytes());
    start.extend_from_slice(head);
    if bytes.len() <= 4096 {
        // Small frames go in one system call.
        start.extend_from_slice(bytes);
        return out.write_all(&start);
    }
    out.write_all(&start)?;
    out.write_all(bytes)
}

/// Reads the next frame, its payload into `payload`, which is empty, and returns its tag; `None` at a clean end.
pub(super) fn read(input: &mut impl Read, payload: &mut Vec<u8>) -> io::Result<Option<u8>> {
    let mut head = [0; 5];
    if input.read(&mut head[..1])? == 0 {
        return Ok(None);
    }
    input.read_exact(&mut head[1..])?;
    let length = u32::from_le_bytes([head[1], head[2], head[3], head[4]]);
    if length > MAX_FRAME {
        return Err(bad(format!("a frame of {length} bytes, more than the {MAX_FRAME} allowed")));
    }
    payload.reserve(length as usize);
    if input.take(u64::from(length)).read_to_end(payload)? < length as usize {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Some(head[0]))
}

/// Writes bytes of a memory with their place, in as many frames as they need.
pub(super) fn write_placed(out: &mut impl Write, tag: u8, memory: u32, address: u64, bytes: &[u8]) -> io::Result<()> {
    for (i, piece) in bytes.chunks(PIECE).enumerate() {
        let mut head = [0; 12];
        head[..4].copy_from_slice(&memory.to_le_bytes());
        head[4..].copy_from_slice(&address.saturating_add((i * PIECE) as u64).to_le_bytes());
        write(out, tag, &head, piece)?;
    }
    Ok(())
}

/// Parses a payload written by [`write_placed`]: memory, address, bytes.
pub(super) fn placed(mut payload: Vec<u8>) -> io::Result<(u32, u64, Vec<u8>)> {
    let (Some(memory), Some(address)) =
        (payload.first_chunk().copied(), payload.get(4..).and_then(|rest| rest.first_chunk().copied()))
    else {
        return Err(bad("a frame of bytes without address"));
    };
    payload.drain(..12);
    Ok((u32::from_le_bytes(memory), u64::from_le_bytes(address), payload))
}

/// Takes a number off the front of a payload; `what` is the frame's name.
pub(super) fn numbered(mut payload: Vec<u8>, what: &str) -> io::Result<(u32, Vec<u8>)> {
    let number = payload.first_chunk().copied().ok_or_else(|| bad(format!("a frame of {what} without a number")))?;
    payload.drain(..4);
    Ok((u32::from_le_bytes(number), payload))
}
