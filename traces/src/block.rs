//! Blocks: the frames that make up a trace file after its first twelve bytes.
//!
//! `tag u8 | stored length u32 | raw length u32 | CRC-32 u32 | stored bytes`, little endian. The checksum covers the
//! head before it and the stored bytes. Depending on the tag, the stored bytes are one zstd frame that decompresses
//! to the raw length, or the raw bytes themselves; then both lengths are equal.

use crate::compression;
use crate::error::TraceError;
use crate::limits::{Expansion, MAX_PUT};
use crate::source::Source;
use std::io::Write;

/// Length of a block's head in bytes.
pub(crate) const HEAD: u64 = 13;

/// What a block holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Tag {
    /// `Header`.
    Header = 1,
    /// The original binary module, compressed.
    Module = 2,
    /// Sites and data segments, compressed.
    Sites = 3,
    /// A chunk of events; its columns are compressed one by one.
    Chunk = 4,
    /// Memory pages of a keyframe, compressed.
    Pages = 5,
    /// A keyframe's head.
    Keyframe = 6,
    /// The native code of one function, compressed.
    Native = 7,
    /// The index.
    Index = 8,
    /// What was kept of events that were left out: a chunk of host calls and milestones.
    Kept = 9,
}

impl Tag {
    fn from_byte(byte: u8) -> Option<Tag> {
        Some(match byte {
            1 => Tag::Header,
            2 => Tag::Module,
            3 => Tag::Sites,
            4 => Tag::Chunk,
            5 => Tag::Pages,
            6 => Tag::Keyframe,
            7 => Tag::Native,
            8 => Tag::Index,
            9 => Tag::Kept,
            _ => return None,
        })
    }

    /// Most raw bytes such a block may claim: bounds what a hostile file can make a reader allocate.
    fn limit(self) -> u32 {
        match self {
            // It holds the bytes that are put into memory for calls.
            Tag::Header => MAX_PUT as u32 + (4 << 20),
            Tag::Module => 1 << 30,
            Tag::Sites | Tag::Index => 256 << 20,
            Tag::Chunk | Tag::Kept => 32 << 20,
            Tag::Pages | Tag::Keyframe => 16 << 20,
            Tag::Native => 32 << 20,
        }
    }

    /// How far the length that a compressed block claims may exceed what it stores.
    fn expansion(self) -> Expansion {
        match self {
            Tag::Module => Expansion { free: 64 << 20, ratio: 32 },
            // A header is stored uncompressed.
            Tag::Header | Tag::Pages => Expansion { free: self.limit(), ratio: 1 },
            // An index repeats what the blocks before it hold uncompressed: `file::open` knows how much that is.
            Tag::Index => Expansion { free: self.limit(), ratio: 1 },
            _ => Expansion { free: 4 << 20, ratio: 16 },
        }
    }

    /// Whether a block of this many raw bytes can be written, however well they compress.
    pub(crate) fn holds(self, raw: usize) -> bool {
        raw <= self.expansion().free.min(self.limit()) as usize
    }

    fn compressed(self) -> bool {
        matches!(self, Tag::Module | Tag::Sites | Tag::Pages | Tag::Native | Tag::Index)
    }
}

/// Head of a block, as found at `at`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BlockHead {
    pub(crate) tag: Tag,
    pub(crate) stored: u32,
    pub(crate) raw: u32,
    crc: u32,
    at: u64,
}

impl BlockHead {
    /// Offset of the block that follows.
    pub(crate) fn end(&self) -> u64 {
        self.at + HEAD + u64::from(self.stored)
    }
}

/// Writes one block and returns how many bytes it took.
pub(crate) fn write(out: &mut impl Write, tag: Tag, raw: &[u8], level: i32) -> std::io::Result<u64> {
    if raw.len() > tag.limit() as usize {
        return Err(std::io::Error::other(format!(
            "a {tag:?} block of {} bytes is more than the {} that the trace format allows",
            raw.len(),
            tag.limit()
        )));
    }
    let compressed;
    let stored = if tag.compressed() {
        compressed = compression::compress(raw, level)?;
        compressed.as_slice()
    } else {
        raw
    };
    if tag.compressed() && !tag.expansion().allows(stored.len() as u32, raw.len() as u32) {
        return Err(std::io::Error::other(format!(
            "a {tag:?} block of {} bytes compresses to {}: the trace format limits how \
             much more a block may claim than it stores",
            raw.len(),
            stored.len()
        )));
    }
    // What does not compress may grow a little.
    if stored.len() > tag.limit() as usize {
        return Err(std::io::Error::other(format!(
            "a {tag:?} block takes {} bytes, more than the {} that the trace format allows",
            stored.len(),
            tag.limit()
        )));
    }
    let mut head = [0u8; HEAD as usize];
    head[0] = tag as u8;
    head[1..5].copy_from_slice(&(stored.len() as u32).to_le_bytes());
    head[5..9].copy_from_slice(&(raw.len() as u32).to_le_bytes());
    let mut crc = crc32fast::Hasher::new();
    crc.update(&head[..9]);
    crc.update(stored);
    head[9..].copy_from_slice(&crc.finalize().to_le_bytes());
    out.write_all(&head)?;
    out.write_all(stored)?;
    Ok(HEAD + stored.len() as u64)
}

/// Reads the head of the block at `at`. `Ok(None)` if the file, `length` bytes long, ends before the block does: the
/// sign of a recording that was cut off.
pub(crate) fn head(file: &Source, at: u64, length: u64) -> Result<Option<BlockHead>, TraceError> {
    if at.checked_add(HEAD).is_none_or(|end| end > length) {
        return Ok(None);
    }
    let mut bytes = [0u8; HEAD as usize];
    file.read_exact_at(&mut bytes, at).map_err(TraceError::io(format!("reading the block at byte {at:#x}")))?;
    let word = |i: usize| u32::from_le_bytes([bytes[i], bytes[i + 1], bytes[i + 2], bytes[i + 3]]);
    let Some(tag) = Tag::from_byte(bytes[0]) else {
        return Err(TraceError::corrupt(at, format!("unknown block tag {}", bytes[0])));
    };
    let head = BlockHead { tag, stored: word(1), raw: word(5), crc: word(9), at };
    if head.raw > tag.limit() || head.stored > tag.limit() {
        return Err(TraceError::corrupt(at, format!("a {tag:?} block claims {} bytes", head.raw.max(head.stored))));
    }
    if tag.compressed() && !tag.expansion().allows(head.stored, head.raw) {
        return Err(TraceError::corrupt(
            at,
            format!("a {tag:?} block of {} bytes claims to hold {}", head.stored, head.raw),
        ));
    }
    if !tag.compressed() && head.raw != head.stored {
        return Err(TraceError::corrupt(
            at,
            format!("a {tag:?} block, which is not compressed, claims {} bytes and stores {}", head.raw, head.stored),
        ));
    }
    Ok((head.end() <= length).then_some(head))
}

/// Reads, checks and decompresses the block that follows `head`.
pub(crate) fn read(file: &Source, head: &BlockHead) -> Result<Vec<u8>, TraceError> {
    let stored = check(file, head)?;
    if !head.tag.compressed() {
        return Ok(stored);
    }
    decompress(&stored, head.raw as usize, head.at)
}

/// Reads and checks the stored bytes of the block that follows `head`.
pub(crate) fn check(file: &Source, head: &BlockHead) -> Result<Vec<u8>, TraceError> {
    let mut stored = vec![0; head.stored as usize];
    file.read_exact_at(&mut stored, head.at + HEAD)
        .map_err(TraceError::io(format!("reading the block at byte {:#x}", head.at)))?;
    let mut crc = crc32fast::Hasher::new();
    crc.update(&[head.tag as u8]);
    crc.update(&head.stored.to_le_bytes());
    crc.update(&head.raw.to_le_bytes());
    crc.update(&stored);
    let found = crc.finalize();
    if found != head.crc {
        return Err(TraceError::corrupt(
            head.at,
            format!("checksum of the {:?} block is {found:#010x}, expected {:#010x}", head.tag, head.crc),
        ));
    }
    Ok(stored)
}

/// Reads the first bytes of a block without checking its sum: enough to index an incomplete file.
pub(crate) fn peek(file: &Source, head: &BlockHead, most: usize) -> Result<Vec<u8>, TraceError> {
    let mut bytes = vec![0; most.min(head.stored as usize)];
    file.read_exact_at(&mut bytes, head.at + HEAD)
        .map_err(TraceError::io(format!("reading the block at byte {:#x}", head.at)))?;
    Ok(bytes)
}

/// Decompresses one zstd frame that must give exactly `raw` bytes.
pub(crate) fn decompress(stored: &[u8], raw: usize, at: u64) -> Result<Vec<u8>, TraceError> {
    let bytes = compression::decompress(stored, raw)
        .map_err(|error| TraceError::corrupt(at, format!("a block does not decompress: {error}")))?;
    if bytes.len() == raw {
        Ok(bytes)
    } else {
        Err(TraceError::corrupt(at, format!("a block decompresses to {} bytes, expected {raw}", bytes.len())))
    }
}
