//! Frames of an engine's process: control frames in JSON, records and memory as raw bytes.

use super::block::{Block, Spares};
use super::grammar::{
    self, DIGESTS, GUEST, HOOKS, IMAGE, MAX_FRAME, MESSAGE, NATIVE, PASSED, PIECE, RECORDS, WATCHED, bad,
};
use super::{Message, NativeFrame};
use std::io::{self, Read, Write};

/// A page of memory at a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PageDigest {
    pub(crate) page: u64,
    pub(crate) digest: u64,
}

/// A block of records that the engine's process passes on in memory that both sides share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Passed {
    /// The number of the slot that holds it.
    pub(crate) slot: u32,
    /// Bytes of records in it.
    pub(crate) used: u32,
    /// Whether these are calls of the hook.
    pub(crate) hooks: bool,
}

/// A frame as the parent sees it.
pub(crate) enum Frame {
    Message(Message),
    Records(Block),
    Hooks(Block),
    Digests { memory: u32, digests: Vec<PageDigest> },
    Watched { address: u64, bytes: Vec<u8> },
    Native(NativeFrame),
    Guest { range: u32, bytes: Vec<u8> },
    Image { memory: u32, address: u64, bytes: Vec<u8> },
}

/// Writes frames.
#[derive(Clone)]
pub(crate) struct FrameWriter<W: Write>(pub(crate) W);

impl<W: Write> FrameWriter<W> {
    fn frame(&mut self, tag: u8, head: &[u8], bytes: &[u8]) -> io::Result<()> {
        grammar::write(&mut self.0, tag, head, bytes)
    }

    pub(crate) fn message(&mut self, message: &Message) -> io::Result<()> {
        self.frame(MESSAGE, &[], &serde_json::to_vec(message)?)
    }

    pub(crate) fn records(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.frame(RECORDS, &[], bytes)
    }

    pub(crate) fn hooks(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.frame(HOOKS, &[], bytes)
    }

    /// Passes on a block that is in shared memory.
    pub(crate) fn passed(&mut self, block: Passed) -> io::Result<()> {
        let mut bytes = [0; 9];
        bytes[..4].copy_from_slice(&block.slot.to_le_bytes());
        bytes[4..8].copy_from_slice(&block.used.to_le_bytes());
        bytes[8] = u8::from(block.hooks);
        self.frame(PASSED, &[], &bytes)
    }

    pub(crate) fn digests(&mut self, memory: u32, digests: &[PageDigest]) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(4 + 16 * digests.len());
        bytes.extend_from_slice(&memory.to_le_bytes());
        for entry in digests {
            bytes.extend_from_slice(&entry.page.to_le_bytes());
            bytes.extend_from_slice(&entry.digest.to_le_bytes());
        }
        self.frame(DIGESTS, &[], &bytes)
    }

    pub(crate) fn watched(&mut self, memory: u32, address: u64, bytes: &[u8]) -> io::Result<()> {
        grammar::write_placed(&mut self.0, WATCHED, memory, address, bytes)
    }

    /// Sends native code; a function too large for a frame is left out.
    pub(crate) fn native(&mut self, native: &NativeFrame) -> io::Result<()> {
        let bytes = native.encode();
        if bytes.len() > MAX_FRAME as usize {
            return Ok(());
        }
        self.frame(NATIVE, &[], &bytes)
    }

    /// Sends the bytes of range number `range` that the recorder asked for.
    pub(crate) fn guest(&mut self, range: u32, bytes: &[u8]) -> io::Result<()> {
        bytes.chunks(PIECE).try_for_each(|piece| self.frame(GUEST, &range.to_le_bytes(), piece))
    }

    pub(crate) fn image(&mut self, memory: u32, address: u64, bytes: &[u8]) -> io::Result<()> {
        grammar::write_placed(&mut self.0, IMAGE, memory, address, bytes)
    }
}

/// Reads the next frame; `None` at a clean end. `take` copies a block that was passed on.
pub(crate) fn read_frame(
    input: &mut impl Read,
    spares: &Spares,
    take: impl FnOnce(Passed, &mut Vec<u8>) -> io::Result<()>,
) -> io::Result<Option<Frame>> {
    let mut payload = spares.take();
    let Some(tag) = grammar::read(input, &mut payload)? else { return Ok(None) };
    Ok(Some(match tag {
        MESSAGE => {
            let payload = spares.block(payload);
            let message = serde_json::from_slice(&payload);
            Frame::Message(message.map_err(|error| bad(format!("a control frame: {error}")))?)
        }
        RECORDS => Frame::Records(spares.block(payload)),
        NATIVE => Frame::Native(NativeFrame::decode(&payload).ok_or_else(|| bad("a cut frame of native code"))?),
        HOOKS => Frame::Hooks(spares.block(payload)),
        PASSED => {
            let &[a, b, c, d, e, f, g, h, hooks @ (0 | 1)] = payload.as_slice() else {
                return Err(bad("a block in shared memory without its place"));
            };
            let (slot, used) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]));
            payload.clear();
            take(Passed { slot, used, hooks: hooks == 1 }, &mut payload)?;
            let block = spares.block(payload);
            if hooks == 1 { Frame::Hooks(block) } else { Frame::Records(block) }
        }
        DIGESTS => {
            let (memory, entries) = grammar::numbered(payload, "digests")?;
            let word = |bytes: &[u8]| bytes.first_chunk().map_or(0, |word| u64::from_le_bytes(*word));
            let digests = entries.chunks_exact(16);
            let digests = digests.map(|entry| PageDigest { page: word(entry), digest: word(&entry[8..]) }).collect();
            Frame::Digests { memory, digests }
        }
        GUEST => {
            let (range, bytes) = grammar::numbered(payload, "guest bytes")?;
            Frame::Guest { range, bytes }
        }
        IMAGE => {
            let (memory, address, bytes) = grammar::placed(payload)?;
            Frame::Image { memory, address, bytes }
        }
        WATCHED => {
            let (_, address, bytes) = grammar::placed(payload)?;
            Frame::Watched { address, bytes }
        }
        tag => return Err(bad(format!("unknown frame {tag:#04x}"))),
    }))
}

/// Refuses blocks that are passed on: there is no shared memory.
pub(crate) fn no_block(_: Passed, _: &mut Vec<u8>) -> io::Result<()> {
    Err(bad("a block in shared memory, and there is none"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::NO_OFFSET;

    #[test]
    fn frames_read_back_as_they_are_written() {
        let native =
            NativeFrame { function: 7, start: 1 << 33, points: vec![(0, NO_OFFSET), (4, 99)], code: vec![0xc3] };
        let mut writer = FrameWriter(Vec::new());
        writer.message(&Message::Call(Some(3))).expect("memory");
        writer.records(&[1; 10_000]).expect("memory");
        writer.guest(1, &[2, 3]).expect("memory");
        writer.native(&native).expect("memory");
        let bytes = writer.0;
        let (mut input, spares) = (bytes.as_slice(), Spares::new());
        assert!(matches!(
            read_frame(&mut input, &spares, no_block),
            Ok(Some(Frame::Message(Message::Call(Some(3)))))
        ));
        assert!(
            matches!(read_frame(&mut input, &spares, no_block), Ok(Some(Frame::Records(records))) if *records == [1; 10_000])
        );
        assert!(matches!(
            read_frame(&mut input, &spares, no_block),
            Ok(Some(Frame::Guest { range: 1, bytes })) if bytes == [2, 3]
        ));
        assert!(
            matches!(read_frame(&mut input, &spares, no_block), Ok(Some(Frame::Native(found))) if found == native)
        );
        assert!(matches!(read_frame(&mut input, &spares, no_block), Ok(None)));
        // Cut anywhere except between frames, it is an error and never a panic.
        for end in 1..bytes.len().min(64) {
            let mut input = &bytes[..end];
            while let Ok(Some(_)) = read_frame(&mut input, &spares, no_block) {}
        }
        assert!(read_frame(&mut [b'R', 255, 255, 255, 255].as_slice(), &spares, no_block).is_err());
        assert!(read_frame(&mut [b'?', 0, 0, 0, 0].as_slice(), &spares, no_block).is_err());
    }
}
