//! The model: linear memories as the events make them.
//!
//! The recorder applies every event to an [`Image`] as it is written, replay applies the same events as they
//! are read, and both compare the result with what the engine really held. Pages are 4 KiB and appear when
//! something other than zero is written to them.

use crate::digest::MemoryDigest;
use crate::filter::PageFilter;
use crate::ids::MemoryIndex;
use crate::limits;
use crate::milestone::MemoryState;
use crate::page::PAGE;
use crate::site::SiteTable;
use std::ops::Range;
use std::sync::Arc;

mod apply;
mod bulk;
mod pages;
mod writes;

use pages::Memory;

/// Most memories a trace may declare.
const MAX_MEMORIES: usize = 1000;

/// The environment variable that lets a trace fill more memory than its length allows. The command reads it, not this
/// crate: see [`TraceReader::allow_memory`](crate::TraceReader::allow_memory).
pub const MEMORY_VARIABLE: &str = "FORKPOINT_TRACE_MEMORY";

/// An event that cannot be replayed: from a damaged trace or a broken recorder, or one that takes more memory than
/// the trace may fill.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this event cannot be replayed: {what}")]
pub struct CorruptEvent {
    what: String,
    is_limit: bool,
}

impl CorruptEvent {
    fn new(what: String) -> CorruptEvent {
        CorruptEvent { what, is_limit: false }
    }

    #[cold]
    fn no_memory(index: u32) -> CorruptEvent {
        CorruptEvent::new(format!("there is no memory {index}"))
    }

    /// Whether the only fault of the event is that it takes more memory than was allowed.
    pub fn is_limit(&self) -> bool {
        self.is_limit
    }
}

/// Size of a memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemorySize {
    /// Size in pages.
    pub pages: u64,
    /// Bytes in a page.
    pub page_size: u32,
}

impl MemorySize {
    /// Size in bytes.
    #[inline]
    pub fn bytes(self) -> u64 {
        self.pages.saturating_mul(u64::from(self.page_size))
    }
}

/// All linear memories of a run at one position.
pub struct Image {
    sites: Arc<SiteTable>,
    module: Arc<[u8]>,
    data: Arc<[Range<u32>]>,
    memories: Vec<Memory>,
    /// Existing pages, plus those that the tables of pages would fill.
    allocated: u64,
    /// Limit for `allocated`.
    most_pages: u64,
    chunk: u32,
    interval: u32,
    /// Pages written in this chunk, including those that are still absent because only zeros were written to them.
    touched: PageFilter,
    dirty: u64,
    /// Memory and address of an instruction that wrote outside of memory.
    outside: Option<(MemoryIndex, u64)>,
}

impl Image {
    pub(crate) fn sites(&self) -> &SiteTable {
        &self.sites
    }

    pub(crate) fn module(&self) -> &[u8] {
        &self.module
    }

    /// The state before the first event: no memory at all. `data` gives the data segments' bytes as ranges of
    /// `module`.
    pub(crate) fn new(sites: Arc<SiteTable>, module: Arc<[u8]>, data: Arc<[Range<u32>]>) -> Image {
        Image {
            sites,
            module,
            data,
            memories: Vec::new(),
            allocated: 0,
            most_pages: limits::MAX_MEMORY / PAGE,
            chunk: 1,
            interval: 1,
            touched: PageFilter::new(),
            dirty: 0,
            outside: None,
        }
    }

    /// The same, with room for this many bytes of existing pages.
    pub(crate) fn with_room(mut self, bytes: u64) -> Image {
        self.most_pages = bytes / PAGE;
        self
    }

    /// Forgets all memories.
    pub fn clear(&mut self) {
        self.memories.clear();
        self.touched = PageFilter::new();
        (self.allocated, self.dirty, self.outside) = (0, 0, None);
    }

    /// How many memories there are.
    pub fn memories(&self) -> u32 {
        self.memories.len() as u32
    }

    /// Size of a memory, `None` where there is no such memory (yet).
    pub fn size(&self, memory: MemoryIndex) -> Option<MemorySize> {
        Some(self.memories.get(memory.0 as usize)?.size())
    }

    /// Copies bytes of a memory from `address` on into `out`. What lies past the end of memory reads as 0;
    /// returns how many bytes are inside.
    pub fn read(&self, memory: MemoryIndex, address: u64, out: &mut [u8]) -> usize {
        out.fill(0);
        let Some(memory) = self.memories.get(memory.0 as usize) else { return 0 };
        let inside = memory.bytes().saturating_sub(address).min(out.len() as u64) as usize;
        let mut done = 0;
        while done < inside {
            let at = address + done as u64;
            let start = (at % PAGE) as usize;
            let length = (PAGE as usize - start).min(inside - done);
            if let Some(page) = memory.page(at / PAGE) {
                out[done..done + length].copy_from_slice(&page[start..start + length]);
            }
            done += length;
        }
        inside
    }

    /// Every page with a number in `range` that has been written, ascending; all others are zero.
    pub fn pages_in(&self, memory: MemoryIndex, range: Range<u64>) -> impl Iterator<Item = (u64, &[u8])> {
        self.memories
            .get(memory.0 as usize)
            .into_iter()
            .flat_map(move |memory| memory.pages_in(range.clone()))
            .map(|(number, page)| (number, page.as_slice()))
    }

    /// Size and digest of a memory, in the form that the end of a run has; `None` where there is no such memory.
    pub fn state(&self, memory: MemoryIndex) -> Option<MemoryState> {
        let size = self.size(memory)?;
        let mut digest = MemoryDigest::default();
        for (page, bytes) in self.pages_in(memory, 0..u64::MAX) {
            // The last page of a memory with small pages is as long as the memory.
            let inside = size.bytes().saturating_sub(page * PAGE).min(PAGE) as usize;
            digest.update(page * PAGE, &bytes[..inside]);
        }
        Some(MemoryState { pages: size.pages, digest: digest.finish() })
    }

    /// Where an instruction since the last call wrote outside of memory, which a correct engine never allows. What it
    /// wrote inside is applied.
    #[inline]
    pub fn take_outside(&mut self) -> Option<(MemoryIndex, u64)> {
        // Taking it writes it back, and it hardly ever is there.
        if self.outside.is_some() { self.outside.take() } else { None }
    }

    /// Bytes of memory that the events have filled, counted as their reader counts them.
    pub(crate) fn filled(&self) -> u64 {
        self.allocated * PAGE
    }

    /// Gives all memories the sizes and bytes of `other`. Only pages that differ count as written.
    ///
    /// # Errors
    /// When there are more bytes than this image has room for.
    pub(crate) fn become_like(&mut self, other: &Image) -> Result<(), CorruptEvent> {
        let sizes: Vec<MemorySize> = other.memories.iter().map(Memory::size).collect();
        self.set_sizes(&sizes);
        for (index, theirs) in other.memories.iter().enumerate() {
            let (memory, ours) = (MemoryIndex(index as u32), &self.memories[index]);
            let differs = |number: &u64| ours.page(*number) != theirs.page(*number);
            let mut pages: Vec<u64> =
                theirs.pages_in(0..u64::MAX).map(|(number, _)| number).filter(differs).collect();
            let missing = |number: &u64| theirs.page(*number).is_none();
            pages.extend(ours.pages_in(0..u64::MAX).map(|(number, _)| number).filter(missing));
            for number in pages {
                // The last page of a memory with small pages is as long as the memory.
                let inside = theirs.bytes().saturating_sub(number.saturating_mul(PAGE)).min(PAGE) as usize;
                let bytes = theirs.page(number).map_or(&[0; PAGE as usize][..], |page| &page[..]);
                self.write(memory, number * PAGE, &bytes[..inside])?;
            }
        }
        Ok(())
    }

    /// Calls `sink` with every page that was written since the last call.
    pub fn take_written(&mut self, mut sink: impl FnMut(MemoryIndex, u64, &[u8])) {
        let before = u64::from(self.interval) - 1;
        self.dirty_since(before, |memory, page, bytes| sink(MemoryIndex(memory), page, bytes));
    }

    /// Gives each memory its size here, and adds those that are missing: for memory that was copied.
    pub fn set_sizes(&mut self, sizes: &[MemorySize]) {
        for (i, size) in sizes.iter().enumerate().take(MAX_MEMORIES) {
            match self.memories.get_mut(i) {
                Some(memory) => memory.resize(size.pages),
                None => self.memories.push(Memory::new(size.pages, size.page_size)),
            }
        }
    }

    // For the writer: which pages a chunk or an interval between keyframes has written.

    /// The pages written since the last call, for the filter of a chunk.
    pub(crate) fn take_touched(&mut self) -> PageFilter {
        self.chunk = self.chunk.wrapping_add(1);
        std::mem::replace(&mut self.touched, PageFilter::new())
    }

    /// How many pages [`Image::take_written`] would call its sink with.
    pub fn dirty_pages(&self) -> u64 {
        self.dirty
    }

    /// Ends keyframe interval `k` and calls `sink` with every page written after keyframe `base`.
    pub(crate) fn dirty_since(&mut self, base: u64, mut sink: impl FnMut(u32, u64, &[u8])) {
        for (index, memory) in self.memories.iter().enumerate() {
            memory.written_since(base).for_each(|(number, page)| sink(index as u32, number, page));
        }
        self.interval += 1;
        self.dirty = 0;
        // Pages written earlier in this chunk must become dirty again when they are written once more.
        self.chunk = self.chunk.wrapping_add(1);
    }

    pub(crate) fn sizes(&self) -> Vec<(u64, u32)> {
        self.memories.iter().map(|memory| (memory.size().pages, memory.size().page_size)).collect()
    }

    /// Gives all memories the sizes that a keyframe stores. Those that are missing are empty.
    pub(crate) fn restore_sizes(&mut self, sizes: &[(u64, u32)]) -> Result<(), CorruptEvent> {
        if sizes.len() > MAX_MEMORIES {
            return Err(CorruptEvent::new(format!("a keyframe claims {} memories", sizes.len())));
        }
        let sizes: Vec<MemorySize> =
            sizes.iter().map(|&(pages, page_size)| MemorySize { pages, page_size }).collect();
        self.set_sizes(&sizes);
        Ok(())
    }

    /// Counts pages that are about to be added.
    pub(super) fn reserve(&mut self, pages: u64) -> Result<(), CorruptEvent> {
        if pages > self.most_pages.saturating_sub(self.allocated) {
            let most = (self.most_pages * PAGE) >> 20;
            let what = format!(
                "more than {most} MiB of memory are written, which is the most that is allowed for a file and a module of these \
                 lengths; if you trust it, set {MEMORY_VARIABLE} to a larger size, as in {MEMORY_VARIABLE}=4G"
            );
            return Err(CorruptEvent { what, is_limit: true });
        }
        self.allocated += pages;
        Ok(())
    }

    /// Sets the size of a memory: how replay takes a `memory.grow` back.
    pub fn set_pages(&mut self, memory: MemoryIndex, pages: u64) {
        if let Some(memory) = self.memories.get_mut(memory.0 as usize) {
            memory.resize(pages);
        }
    }
}
