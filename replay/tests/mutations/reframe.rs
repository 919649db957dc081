//! Takes a trace apart and puts it together again, changed, with every length, checksum, digest and offset corrected,
//! so that what a stranger may write gets past the checks that stop mere damage.
//!
//! Written after docs/trace-format.md, not after the code.

use fastrand::Rng;
use std::cell::RefCell;
use zstd::bulk::{Compressor, Decompressor};

const CHUNK: u8 = 4;
const PAGES: u8 = 5;
const KEYFRAME: u8 = 6;
const NATIVE: u8 = 7;
const INDEX: u8 = 8;

/// Bytes of magic and version, and of the trailer.
const PREAMBLE: usize = 12;
/// Most raw bytes of a block that are looked at.
const MOST_RAW: usize = 32 << 20;
const TRAILER_MAGIC: &[u8] = b"FPTRIDX\n";

/// One block with its raw bytes; a chunk's columns are apart from its head.
#[derive(Clone)]
struct Block {
    tag: u8,
    /// Where it was, so that keyframes can find their pages again.
    at: u64,
    raw: Vec<u8>,
    chunk: Option<Chunk>,
    /// What was stored of it, until it is changed.
    stored: Option<Vec<u8>>,
}

/// What a chunk's head says, and its raw columns.
#[derive(Clone)]
struct Chunk {
    first: u64,
    count: u64,
    observed: u64,
    pages: Vec<u8>,
    columns: Vec<Vec<u8>>,
}

/// A trace in parts.
pub struct Parts {
    preamble: Vec<u8>,
    blocks: Vec<Block>,
}

/// Reads bincode's variable-length integers and byte strings.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn bytes(&mut self, count: usize) -> Option<Vec<u8>> {
        let (bytes, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(bytes.to_vec())
    }

    fn number(&mut self) -> Option<u64> {
        let width = match self.bytes(1)?[0] {
            251 => 2,
            252 => 4,
            253 => 8,
            small => return Some(small.into()),
        };
        let mut word = [0; 8];
        word[..width].copy_from_slice(&self.bytes(width)?);
        Some(u64::from_le_bytes(word))
    }
}

/// The shortest form of an integer.
fn number(out: &mut Vec<u8>, value: u64) {
    match value {
        0..=250 => out.push(value as u8),
        251..=0xffff => {
            out.push(251);
            out.extend_from_slice(&(value as u16).to_le_bytes());
        }
        0x1_0000..=0xffff_ffff => {
            out.push(252);
            out.extend_from_slice(&(value as u32).to_le_bytes());
        }
        _ => {
            out.push(253);
            out.extend_from_slice(&value.to_le_bytes());
        }
    }
}

fn compressed(tag: u8) -> bool {
    matches!(tag, 2 | 3 | PAGES | NATIVE | INDEX)
}

thread_local! {
    // Making them takes longer than all the rest.
    static COMPRESSOR: RefCell<Compressor<'static>> = RefCell::new(Compressor::new(1).expect("memory is enough"));
    static DECOMPRESSOR: RefCell<Decompressor<'static>> = RefCell::new(Decompressor::new().expect("memory is enough"));
}

fn zstd(raw: &[u8]) -> Vec<u8> {
    COMPRESSOR.with_borrow_mut(|compressor| compressor.compress(raw).expect("memory is enough"))
}

/// At most `length` raw bytes of a zstd frame.
fn unzstd(frame: &[u8], length: usize) -> Option<Vec<u8>> {
    DECOMPRESSOR.with_borrow_mut(|decompressor| decompressor.decompress(frame, length.min(MOST_RAW)).ok())
}

impl Chunk {
    fn parse(payload: &[u8]) -> Option<Chunk> {
        let mut head = Reader(payload);
        let (first, count) = (head.number()?, head.number()?);
        head.bytes(16)?;
        let observed = head.number()?;
        let length = head.number()? as usize;
        let pages = head.bytes(length)?;
        let sizes: Vec<(u64, u64)> = (0..6).map(|_| Some((head.number()?, head.number()?))).collect::<Option<_>>()?;
        let mut columns = Vec::new();
        for (raw, stored) in sizes {
            let bytes = head.bytes(stored as usize)?;
            columns.push(if raw == 0 { Vec::new() } else { unzstd(&bytes, raw as usize)? });
        }
        Some(Chunk { first, count, observed, pages, columns })
    }

    /// The entry of an index without its leading offset; and the head of a chunk without its trailing sizes.
    fn head(&self) -> Vec<u8> {
        let mut digest = xxhash_rust::xxh3::Xxh3::new();
        for column in &self.columns {
            digest.update(&(column.len() as u64).to_le_bytes());
            digest.update(column);
        }
        digest.update(&(self.count as u32).to_le_bytes());
        let mut out = Vec::new();
        number(&mut out, self.first);
        number(&mut out, self.count);
        out.extend_from_slice(&digest.digest128().to_le_bytes());
        number(&mut out, self.observed);
        number(&mut out, self.pages.len() as u64);
        out.extend_from_slice(&self.pages);
        out
    }

    fn payload(&self) -> Vec<u8> {
        let mut out = self.head();
        let stored: Vec<Vec<u8>> =
            self.columns.iter().map(|column| if column.is_empty() { Vec::new() } else { zstd(column) }).collect();
        for (raw, stored) in self.columns.iter().zip(&stored) {
            number(&mut out, raw.len() as u64);
            number(&mut out, stored.len() as u64);
        }
        stored.iter().for_each(|stored| out.extend_from_slice(stored));
        out
    }
}

impl Parts {
    /// Takes a trace apart, up to its index, which is rebuilt. `None` if it has no sound frames.
    pub fn of(trace: &[u8]) -> Option<Parts> {
        let mut reader = Reader(trace);
        let preamble = reader.bytes(PREAMBLE)?;
        let mut blocks = Vec::new();
        while !reader.0.is_empty() {
            let at = (trace.len() - reader.0.len()) as u64;
            let head = reader.bytes(13)?;
            let word = |i: usize| u32::from_le_bytes(head[i..i + 4].try_into().expect("four bytes")) as usize;
            let (tag, stored, length) = (head[0], reader.bytes(word(1))?, word(5));
            if tag == INDEX {
                break;
            }
            let raw = match compressed(tag) {
                true => unzstd(&stored, length)?,
                false => stored.clone(),
            };
            let chunk = if tag == CHUNK { Chunk::parse(&raw) } else { None };
            blocks.push(Block { tag, at, raw, chunk, stored: Some(stored) });
        }
        Some(Parts { preamble, blocks })
    }

    /// A changed trace.
    pub fn mutated(&self, random: &mut Rng) -> Vec<u8> {
        let mut blocks = self.blocks.clone();
        for _ in 0..random.usize(1..4) {
            change(&mut blocks, random);
        }
        if random.u8(..4) > 0 {
            renumber(&mut blocks);
        }
        join(&self.preamble, &blocks, random)
    }
}

/// Makes each chunk begin where the one before it ends: otherwise the trace is refused before its events are read.
fn renumber(blocks: &mut [Block]) {
    let mut next = 0u64;
    for block in blocks {
        let Some(chunk) = &mut block.chunk else { continue };
        if chunk.first != next {
            chunk.first = next;
            block.stored = None;
        }
        next = next.wrapping_add(chunk.count);
    }
}

/// One change somewhere.
fn change(blocks: &mut Vec<Block>, random: &mut Rng) {
    if blocks.is_empty() {
        return;
    }
    let which = random.usize(..blocks.len());
    match random.u8(..20) {
        0 => {
            let copy = blocks[which].clone();
            blocks.insert(random.usize(..=blocks.len()), copy);
        }
        1 => drop(blocks.remove(which)),
        2 => {
            let other = random.usize(..blocks.len());
            blocks.swap(which, other);
        }
        _ => {
            let block = &mut blocks[which];
            block.stored = None;
            let Some(chunk) = &mut block.chunk else { return change_bytes(&mut block.raw, random) };
            match random.u8(..12) {
                0 => chunk.count = interesting(random, chunk.count),
                1 => chunk.first = interesting(random, chunk.first),
                2 => chunk.observed = interesting(random, chunk.observed),
                3 => change_bytes(&mut chunk.pages, random),
                4 => {
                    // Another site at any place: its operands come from wherever the columns are.
                    let column = &mut chunk.columns[1];
                    let mut varint = Vec::new();
                    leb128(&mut varint, random.u64(..1000));
                    splice(column, &varint, random);
                }
                5 | 6 => {
                    let mut varint = Vec::new();
                    let value = interesting(random, 0);
                    leb128(&mut varint, value);
                    splice(&mut chunk.columns[random.usize(..3)], &varint, random);
                }
                _ => {
                    let column = random.usize(..chunk.columns.len());
                    change_bytes(&mut chunk.columns[column], random);
                }
            }
        }
    }
}

/// Writes `bytes` over or into a random place.
fn splice(target: &mut Vec<u8>, bytes: &[u8], random: &mut Rng) {
    let at = random.usize(..=target.len());
    let end = if random.bool() { at } else { target.len().min(at + bytes.len()) };
    target.splice(at..end, bytes.iter().copied());
}

fn leb128(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// A number near a border, or near `value`.
fn interesting(random: &mut Rng, value: u64) -> u64 {
    match random.u8(..8) {
        0 => value.wrapping_add(1),
        1 => value.wrapping_sub(1),
        2 => u64::MAX - random.u64(..20),
        3 => u64::from(u32::MAX).wrapping_add(random.u64(..4)).wrapping_sub(2),
        4 => (1 << random.u32(..64)) - random.u64(..2),
        5 => random.u64(..300),
        6 => 65536 * random.u64(..70_000),
        _ => random.u64(..),
    }
}

fn change_bytes(bytes: &mut Vec<u8>, random: &mut Rng) {
    if bytes.is_empty() {
        bytes.push(random.u8(..));
        return;
    }
    let at = random.usize(..bytes.len());
    match random.u8(..8) {
        0 => bytes[at] ^= 1 << random.u8(..8),
        1 => bytes[at] = random.u8(..),
        2 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff, 250, 251, 252, 253][random.usize(..9)],
        3 => drop(bytes.splice(at..at, [random.u8(..)])),
        4 => {
            let end = bytes.len().min(at + random.usize(1..9));
            drop(bytes.drain(at..end));
        }
        5 => {
            let mut encoded = Vec::new();
            let value = interesting(random, bytes[at].into());
            number(&mut encoded, value);
            splice(bytes, &encoded, random);
        }
        6 => {
            // A piece of itself again, now and then many times.
            let piece = bytes[at..bytes.len().min(at + random.usize(1..40))].to_vec();
            let times = if random.u8(..20) == 0 { 1 << random.u32(..12) } else { 1 };
            drop(bytes.splice(at..at, piece.repeat(times)));
        }
        _ => {
            let end = bytes.len().min(at + random.usize(1..9));
            bytes[at..end].iter_mut().for_each(|byte| *byte = random.u8(..));
        }
    }
}

/// The blocks as a file, mostly with an index that is right for them.
fn join(preamble: &[u8], blocks: &[Block], random: &mut Rng) -> Vec<u8> {
    let mut out = preamble.to_vec();
    let (mut chunks, mut keyframes, mut native) = (Vec::new(), Vec::new(), Vec::new());
    let mut counts = [0u64; 3];
    let mut moved: Vec<(u64, u64)> = Vec::new();
    for block in blocks {
        let at = out.len() as u64;
        let mut made = None;
        match block.tag {
            CHUNK => {
                if let Some(chunk) = &block.chunk {
                    number(&mut chunks, at);
                    chunks.extend_from_slice(&chunk.head());
                    counts[0] += 1;
                    made = block.stored.is_none().then(|| chunk.payload());
                }
            }
            KEYFRAME => {
                made = relocated(&block.raw, &moved);
                keyframes.extend_from_slice(made.as_ref().unwrap_or(&block.raw));
                counts[1] += 1;
            }
            NATIVE => {
                if let Some(func) = Reader(&block.raw).number() {
                    number(&mut native, func);
                    number(&mut native, at);
                    counts[2] += 1;
                }
            }
            PAGES => moved.push((block.at, at)),
            _ => {}
        }
        match (made, &block.stored) {
            (None, Some(stored)) => write_stored(&mut out, block.tag, stored, block.raw.len()),
            (made, _) => write_block(&mut out, block.tag, made.as_ref().unwrap_or(&block.raw)),
        }
    }
    if random.u8(..6) == 0 {
        // As if the recorder had been killed.
        return out;
    }
    let at = out.len() as u64;
    let mut index = Vec::new();
    for (count, entries) in counts.into_iter().zip([chunks, keyframes, native]) {
        number(&mut index, count);
        index.extend_from_slice(&entries);
    }
    // No words of the engine, and no time.
    index.extend_from_slice(&[0; 6]);
    if random.u8(..6) == 0 {
        change_bytes(&mut index, random);
    }
    write_block(&mut out, INDEX, &index);
    out.extend_from_slice(&at.to_le_bytes());
    out.extend_from_slice(TRAILER_MAGIC);
    out
}

/// A keyframe whose pages have moved.
fn relocated(raw: &[u8], moved: &[(u64, u64)]) -> Option<Vec<u8>> {
    let mut reader = Reader(raw);
    let mut out = Vec::new();
    number(&mut out, reader.number()?);
    let sizes = reader.number()?;
    number(&mut out, sizes);
    for _ in 0..sizes.checked_mul(2)? {
        number(&mut out, reader.number()?);
    }
    let pages = reader.number()?;
    number(&mut out, pages);
    for _ in 0..pages {
        let at = reader.number()?;
        number(&mut out, moved.iter().find(|(from, _)| *from == at).map_or(at, |(_, to)| *to));
    }
    out.extend_from_slice(reader.0);
    Some(out)
}

fn write_block(out: &mut Vec<u8>, tag: u8, raw: &[u8]) {
    if compressed(tag) {
        write_stored(out, tag, &zstd(raw), raw.len())
    } else {
        write_stored(out, tag, raw, raw.len())
    }
}

fn write_stored(out: &mut Vec<u8>, tag: u8, stored: &[u8], raw: usize) {
    let start = out.len();
    out.push(tag);
    out.extend_from_slice(&(stored.len() as u32).to_le_bytes());
    out.extend_from_slice(&(raw as u32).to_le_bytes());
    let mut sum = crc32fast::Hasher::new();
    sum.update(&out[start..]);
    sum.update(stored);
    out.extend_from_slice(&sum.finalize().to_le_bytes());
    out.extend_from_slice(stored);
}
