//! Opening a trace: what precedes the first event, and the index, stored or rebuilt.
//!
//! A file is *complete* when its trailer leads to a whole index. Any other file with a whole header, module and site
//! table is *incomplete* and opens too: [`rescue`] walks its blocks and stops, with a reason, where they stop making
//! sense. Nothing recorded before that place is given up because of what follows it.

use super::{FORMAT_VERSION, MAGIC, PREAMBLE, TRAILER, TRAILER_MAGIC};
use crate::block::{self, BlockHead, Tag};
use crate::chunk::ChunkHead;
use crate::error::TraceError;
use crate::header::Header;
use crate::ids::Position;
use crate::index::{ChunkEntry, EventDigests, Index};
use crate::keyframe::{Base, KeyframeEntry};
use crate::limits::{MAX_CHUNK_EVENTS, MIN_KEYFRAME_EVENTS};
use crate::native::NativeFunction;
use crate::source::Source;
use crate::wire;
use std::collections::HashSet;
use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::Path;

/// Most bytes that the head of a chunk takes; its columns are checked when they are read.
const CHUNK_HEAD: usize = 1024;

/// Whether a file begins like a trace, of whatever version.
pub fn is_trace(file: &Path) -> bool {
    let mut begins = [0; MAGIC.len()];
    File::open(file).and_then(|mut file| file.read_exact(&mut begins)).is_ok() && begins == MAGIC
}

/// Refuses a file that is not a trace, or a trace of another version.
fn check_preamble(file: &Source, length: u64) -> Result<(), TraceError> {
    let mut bytes = vec![0; length.min(PREAMBLE) as usize];
    file.read_exact_at(&mut bytes, 0).map_err(TraceError::io("reading the start of the file"))?;
    let (magic, version) = bytes.split_at(bytes.len().min(MAGIC.len()));
    if magic != MAGIC {
        return Err(TraceError::NotATrace { expected: MAGIC.to_vec(), found: magic.to_vec() });
    }
    let Ok(version) = version.try_into().map(u32::from_le_bytes) else {
        return Err(TraceError::Truncated { at: length, what: "version" });
    };
    if version != FORMAT_VERSION {
        return Err(TraceError::Version { expected: FORMAT_VERSION, found: version });
    }
    Ok(())
}

/// Reads the block at `at`, which must have `tag`, and moves `at` past it.
pub(super) fn expect(
    file: &Source,
    at: &mut u64,
    length: u64,
    tag: Tag,
    what: &'static str,
) -> Result<Vec<u8>, TraceError> {
    let head = expected(file, *at, length, tag, what)?;
    let bytes = block::read(file, &head)?;
    *at = head.end();
    Ok(bytes)
}

fn expected(file: &Source, at: u64, length: u64, tag: Tag, what: &'static str) -> Result<BlockHead, TraceError> {
    let head = block::head(file, at, length)?.ok_or(TraceError::Truncated { at: length, what })?;
    if head.tag != tag {
        return Err(TraceError::corrupt(at, format!("a {:?} block where the {what} was expected", head.tag)));
    }
    Ok(head)
}

/// The header of a trace, and where the block after it begins.
pub(super) fn header(file: &Source, length: u64) -> Result<(Header, u64), TraceError> {
    check_preamble(file, length)?;
    let mut at = PREAMBLE;
    let header: Header = wire::decode(&expect(file, &mut at, length, Tag::Header, "header")?, at, "header")?;
    if header.chunk_events > MAX_CHUNK_EVENTS {
        let (events, most) = (header.chunk_events, MAX_CHUNK_EVENTS);
        return Err(TraceError::corrupt(at, format!("chunks of {events} events, expected at most {most}")));
    }
    Ok((header, at))
}

/// The index of a trace whose first chunk may begin at `at`, where its readable part ends, and why it is incomplete, if it is.
pub(super) fn index(
    file: &Source,
    at: u64,
    length: u64,
    chunk_events: u32,
) -> Result<(Index, u64, Option<String>), TraceError> {
    match read_index(file, length)? {
        Ok(index) => {
            check_index(&index, chunk_events)?;
            Ok((index, length, None))
        }
        Err(why) => {
            let rescued = rescue(file, at, length, chunk_events)?;
            Ok((rescued.index, rescued.end, Some(rescued.why.unwrap_or(why))))
        }
    }
}

/// Passes over a block.
pub(super) fn skip(file: &Source, at: &mut u64, length: u64, tag: Tag, what: &'static str) -> Result<(), TraceError> {
    *at = expected(file, *at, length, tag, what)?.end();
    Ok(())
}

/// The index that the trailer points to. The inner error says why there is none, worded as a reason for being
/// incomplete; the outer error means that the file cannot be read at all.
fn read_index(file: &Source, length: u64) -> Result<Result<Index, String>, TraceError> {
    let Some(start) = length.checked_sub(TRAILER) else { return Ok(Err(unclosed())) };
    let mut trailer = [0; TRAILER as usize];
    file.read_exact_at(&mut trailer, start).map_err(TraceError::io("reading the end of the file"))?;
    let (offset, magic) = trailer.split_at(8);
    if magic != TRAILER_MAGIC {
        return Ok(Err(unclosed()));
    }
    let at = u64::from_le_bytes(offset.try_into().expect("split at 8"));
    match index_at(file, at, length) {
        Ok(index) => Ok(Ok(index)),
        Err(error @ TraceError::Io { .. }) => Err(error),
        Err(error) => Ok(Err(format!("its index cannot be read: {error}"))),
    }
}

fn unclosed() -> String {
    "the recorder did not close it (killed, or out of disk)".to_string()
}

fn index_at(file: &Source, at: u64, length: u64) -> Result<Index, TraceError> {
    let head = block::head(file, at, length)?
        .filter(|head| head.tag == Tag::Index)
        .ok_or_else(|| TraceError::corrupt(at, "the trailer does not point to an index"))?;
    read_index_block(file, &head, at, length)
}

/// Room in an index for what no block before it has: the engine's words.
const WORDS: u64 = 4 << 20;

/// Decodes an index. The blocks before it also hold what it says of chunks and keyframes, uncompressed, so it exceeds
/// the file's length by no more than the engine's words.
fn read_index_block(file: &Source, head: &BlockHead, at: u64, length: u64) -> Result<Index, TraceError> {
    if u64::from(head.raw) > length.saturating_add(WORDS) {
        return Err(TraceError::corrupt(at, format!("an index of {} bytes in a file of {length}", head.raw)));
    }
    wire::decode(&block::read(file, head)?, at, "index")
}

/// What [`rescue`] could read.
pub(super) struct Rescued {
    pub(super) index: Index,
    /// Where the readable part ends.
    pub(super) end: u64,
    /// Why it ends there, `None` if the file ends there too or an index follows.
    pub(super) why: Option<String>,
    /// Most events of a chunk.
    chunk_events: u32,
}

/// Rebuilds the index from the blocks after the site table, which ends at `at`.
///
/// # Errors
/// Only when the file cannot be read at all: damage merely ends the readable part and becomes its reason.
fn rescue(file: &Source, at: u64, length: u64, chunk_events: u32) -> Result<Rescued, TraceError> {
    let mut rescued = Rescued { index: Index::default(), end: at, why: None, chunk_events };
    let mut last_chunk = None;
    loop {
        match next_block(file, &mut rescued, length) {
            Ok(Some(head)) => {
                if head.tag == Tag::Chunk {
                    last_chunk = Some(head);
                }
                rescued.end = head.end();
            }
            Ok(None) => break,
            Err(error @ TraceError::Io { .. }) => return Err(error),
            Err(error) => {
                rescued.why = Some(error.to_string());
                break;
            }
        }
    }
    // When a file system loses the tail, a whole head may precede zeros. Only the last chunk can be affected: earlier
    // chunks are whole, or are found damaged when they are read.
    if let Some(head) = last_chunk {
        match block::read(file, &head) {
            Ok(_) => {}
            Err(error @ TraceError::Io { .. }) => return Err(error),
            Err(error) => rescued.drop_last_chunk(&error),
        }
    }
    rescued.drop_memory_after_a_gap();
    Ok(rescued)
}

impl Rescued {
    /// Forgets memory after events that are left out, if no event follows it: the run is known up to the gap.
    fn drop_memory_after_a_gap(&mut self) {
        let end = self.index.chunks.last().map_or(0, |chunk| chunk.end().0);
        self.index.keyframes.retain(|frame| frame.position <= end);
    }

    fn drop_last_chunk(&mut self, error: &TraceError) {
        let Some(chunk) = self.index.chunks.pop() else { return };
        self.index.keyframes.retain(|frame| frame.position <= chunk.first.0);
        self.end = chunk.offset;
        self.why = Some(error.to_string());
    }
}

/// Notes the block at the end of what was rescued and returns its head. `None`: the file ends in or before it, or it
/// is an index, after which nothing may follow.
fn next_block(file: &Source, rescued: &mut Rescued, length: u64) -> Result<Option<BlockHead>, TraceError> {
    let (index, at) = (&mut rescued.index, rescued.end);
    let Some(head) = block::head(file, at, length)? else {
        if at < length {
            rescued.why = Some(format!("it is cut off inside a block at byte {at:#x}"));
        }
        return Ok(None);
    };
    match head.tag {
        Tag::Chunk => {
            let bytes = block::peek(file, &head, CHUNK_HEAD)?;
            let (chunk, _): (ChunkHead, _) = wire::decode_prefix(&bytes, at, "chunk head")?;
            let entry = ChunkEntry {
                offset: at,
                first: Position(chunk.first),
                count: chunk.count,
                digest: chunk.digest,
                observed: chunk.observed,
                pages: chunk.pages,
            };
            let next = index.chunks.last().map_or(0, |chunk| chunk.end().0);
            // Where events are left out, the memory after them is stored.
            let next = index.keyframes.last().map_or(next, |frame| next.max(frame.position));
            check_chunk(&entry, next, rescued.chunk_events)?;
            index.chunks.push(entry);
        }
        Tag::Kept => index.kept.push(at),
        Tag::Keyframe => {
            let frame: KeyframeEntry = wire::decode(&block::read(file, &head)?, at, "keyframe")?;
            let after_gap = index.chunks.last().is_some_and(|chunk| chunk.end().0 < frame.position);
            check_keyframe(&frame, &index.keyframes, index.first_chunk(), after_gap, at)?;
            index.keyframes.push(frame);
        }
        Tag::Native => {
            let function: NativeFunction = wire::decode(&block::read(file, &head)?, at, "native code")?;
            index.native.push((function.func, at));
        }
        Tag::Pages => {}
        Tag::Index => {
            // Cut inside the trailer. Only what the index alone has is taken from it; the rest was already found.
            if let Ok(stored) = read_index_block(file, &head, at, length) {
                (index.words, index.wall_ms) = (stored.words, stored.wall_ms);
                index.digests = stored.digests.filter(EventDigests::is_sound);
            }
            return Ok(None);
        }
        other @ (Tag::Header | Tag::Module | Tag::Sites) => {
            return Err(TraceError::corrupt(at, format!("a {other:?} block among the events")));
        }
    }
    Ok(Some(head))
}

/// Checks every block in `range` of the file, which begins after the site table, and compares `index` with them.
pub(super) fn check_blocks(
    file: &Source,
    index: &Index,
    range: Range<u64>,
    complete: bool,
    chunk_events: u32,
) -> Result<(), TraceError> {
    let (mut at, length) = (range.start, range.end);
    let mut found = Rescued { index: Index::default(), end: at, why: None, chunk_events };
    let mut pages = Vec::new();
    while let Some(head) = next_block(file, &mut found, length)? {
        block::check(file, &head)?;
        if head.tag == Tag::Pages {
            pages.push(at);
        }
        at = head.end();
        found.end = at;
    }
    if !complete {
        found.drop_memory_after_a_gap();
    }
    let differs = |what| Err(TraceError::corrupt(at, format!("the index and the blocks have other {what}")));
    if found.index.chunks != index.chunks {
        return differs("chunks");
    }
    if found.index.keyframes != index.keyframes {
        return differs("keyframes");
    }
    if found.index.native != index.native {
        return differs("native code");
    }
    if found.index.kept != index.kept {
        return differs("blocks of what was kept of events that are left out");
    }
    if complete {
        let used: HashSet<u64> = index.keyframes.iter().flat_map(|frame| &frame.blocks).copied().collect();
        if let Some(page) = pages.iter().find(|at| !used.contains(at)) {
            return Err(TraceError::corrupt(*page, "a block of pages belongs to no keyframe"));
        }
        let end = block::head(file, at, length)?.map_or(at, |head| head.end());
        if end.checked_add(TRAILER) != Some(length) {
            return Err(TraceError::corrupt(end, "there is something between the index and the trailer"));
        }
    }
    Ok(())
}

/// Chunks must follow each other, except where events are left out and a keyframe has the memory after them; keyframes
/// must be in order: every seek relies on it.
fn check_index(index: &Index, chunk_events: u32) -> Result<(), TraceError> {
    let mut next = 0;
    let mut gaps = HashSet::new();
    for chunk in &index.chunks {
        let known = || index.keyframes.binary_search_by_key(&chunk.first.0, |frame| frame.position).is_ok();
        if chunk.first.0 > next && next > 0 && known() {
            gaps.insert(chunk.first.0);
            next = chunk.first.0;
        }
        check_chunk(chunk, next, chunk_events)?;
        next = chunk.end().0;
    }
    for (number, frame) in index.keyframes.iter().enumerate() {
        check_keyframe(frame, &index.keyframes[..number], index.first_chunk(), gaps.contains(&frame.position), 0)?;
    }
    if index.digests.as_ref().is_some_and(|digests| !digests.is_sound()) {
        return Err(TraceError::corrupt(0, "digests of events are out of order, or some are missing"));
    }
    Ok(())
}

/// Keyframes build on earlier ones, are in order, so far apart that the number of events bounds theirs, unless events are left out before, and no
/// two share pages: the cost of reading them all is bounded by the length of the file.
fn check_keyframe(
    frame: &KeyframeEntry,
    earlier: &[KeyframeEntry],
    first_chunk: u64,
    after_gap: bool,
    at: u64,
) -> Result<(), TraceError> {
    let number = earlier.len() as u64 + 1;
    match frame.base {
        Base::Keyframe(base) if base == 0 || base >= number => {
            let what = format!("keyframe {number} builds on keyframe {base}, which is none before it");
            return Err(TraceError::corrupt(at, what));
        }
        Base::Events(events) if events > first_chunk => {
            let what = format!("keyframe {number} builds on {events} events, and the first chunk has {first_chunk}");
            return Err(TraceError::corrupt(at, what));
        }
        Base::Events(_) | Base::Keyframe(_) => {}
    }
    let last = earlier.last();
    let before = last.map_or(0, |last| last.position);
    let apart = if after_gap { 1 } else { MIN_KEYFRAME_EVENTS };
    if frame.position.checked_sub(before).is_none_or(|events| events < apart) {
        let expected = before.saturating_add(apart);
        let found = frame.position;
        return Err(TraceError::corrupt(at, format!("a keyframe at #{found}, expected none before #{expected}")));
    }
    let mut previous = last.and_then(|last| last.blocks.last());
    for block in &frame.blocks {
        if previous.is_some_and(|previous| previous >= block) {
            return Err(TraceError::corrupt(at, format!("keyframes name the pages at byte {block:#x} out of order")));
        }
        previous = Some(block);
    }
    Ok(())
}

/// A chunk must start at event `next`, hold 1 to `chunk_events` events, and end at a number that fits a u64.
fn check_chunk(chunk: &ChunkEntry, next: u64, chunk_events: u32) -> Result<(), TraceError> {
    if chunk.count > chunk_events {
        let count = chunk.count;
        return Err(TraceError::corrupt(
            chunk.offset,
            format!("a chunk claims {count} events, the header allows {chunk_events}"),
        ));
    }
    if chunk.first.0 != next || chunk.count == 0 {
        return Err(TraceError::corrupt(
            chunk.offset,
            format!("a chunk of {} events starts at event #{}, expected #{next}", chunk.count, chunk.first.0),
        ));
    }
    if next.checked_add(chunk.count.into()).is_none() {
        return Err(TraceError::corrupt(chunk.offset, "more events than can be counted"));
    }
    Ok(())
}
