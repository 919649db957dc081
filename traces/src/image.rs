//! The model: linear memories as the events make them.
//!
//! The recorder applies every event to an [`Image`] as it is written, replay applies the same events as they
//! are read, and both compare the result with what the engine really held. Pages are 4 KiB and appear when
//! something other than zero is written to them.

use crate::event::Milestone;
use crate::ids::{MemoryIndex, SiteId};
use crate::op::Shape;
use crate::predict::RawEvent;
use crate::site::SiteTable;
use crate::wire;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// Bytes in a page of the model (not a WebAssembly page).
pub const PAGE: u64 = 4096;

/// Pages below this number (4 GiB) are found by index, those above in a map.
const LOW_PAGES: u64 = 1 << 20;

/// Most pages a model may hold: 8 GiB. A hostile trace stops here.
const MAX_PAGES: u64 = 2 << 20;

/// Most memories a trace may declare.
const MAX_MEMORIES: usize = 1000;

/// An event that cannot have happened: a damaged trace, or a broken recorder.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this event cannot be replayed: {0}")]
pub struct CorruptEvent(String);

/// Why an event could not be applied or memory not be compared.
pub type ImageError = CorruptEvent;

struct Page {
    bytes: [u8; PAGE as usize],
    /// Number of the chunk that last wrote it.
    chunk: u32,
    /// Number of the keyframe interval that last wrote it.
    interval: u32,
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

struct Memory {
    size: MemorySize,
    low: Vec<Option<Box<Page>>>,
    high: BTreeMap<u64, Box<Page>>,
}

impl Memory {
    #[inline]
    fn page(&self, number: u64) -> Option<&Page> {
        if number < LOW_PAGES {
            self.low.get(number as usize)?.as_deref()
        } else {
            self.high.get(&number).map(|page| &**page)
        }
    }

    /// Adds an empty page.
    #[cold]
    fn add(&mut self, number: u64) {
        if number >= LOW_PAGES {
            self.high.insert(number, new_page());
            return;
        }
        let number = number as usize;
        if number >= self.low.len() {
            self.low.resize_with(number + 1, || None);
        }
        self.low[number] = Some(new_page());
    }

    fn pages(&self) -> impl Iterator<Item = (u64, &Page)> {
        self.pages_in(0..u64::MAX)
    }

    fn pages_in(&self, range: Range<u64>) -> impl Iterator<Item = (u64, &Page)> {
        let end = range.end.max(range.start);
        let first = range.start.min(self.low.len() as u64) as usize;
        let low = &self.low[first..end.min(self.low.len() as u64) as usize];
        let low = low.iter().enumerate().filter_map(move |(i, page)| Some(((first + i) as u64, &**page.as_ref()?)));
        low.chain(self.high.range(range.start..end).map(|(i, page)| (*i, &**page)))
    }
}

/// All linear memories of a run at one position.
pub struct Image {
    sites: Arc<SiteTable>,
    module: Arc<[u8]>,
    data: Arc<[Range<u32>]>,
    memories: Vec<Memory>,
    allocated: u64,
    chunk: u32,
    interval: u32,
    /// Pages written in this chunk, each once.
    touched: Vec<(u32, u64)>,
    dirty: u64,
}

impl Image {
    /// The state before the first event: no memory at all. `data` are the data segments' bytes as ranges of
    /// `module`.
    pub(crate) fn sites(&self) -> &SiteTable {
        &self.sites
    }

    pub(crate) fn new(sites: Arc<SiteTable>, module: Arc<[u8]>, data: Arc<[Range<u32>]>) -> Image {
        Image {
            sites,
            module,
            data,
            memories: Vec::new(),
            allocated: 0,
            chunk: 1,
            interval: 1,
            touched: Vec::new(),
            dirty: 0,
        }
    }

    /// Forgets all memories.
    pub fn clear(&mut self) {
        self.memories.clear();
        self.touched.clear();
        (self.allocated, self.dirty) = (0, 0);
    }

    /// How many memories there are.
    pub fn memories(&self) -> u32 {
        self.memories.len() as u32
    }

    /// Size of a memory, `None` where there is no such memory (yet).
    pub fn size(&self, memory: MemoryIndex) -> Option<MemorySize> {
        Some(self.memories.get(memory.0 as usize)?.size)
    }

    /// Copies bytes of a memory from `address` on into `out`. What lies past the end of memory reads as 0;
    /// returns how many bytes are inside.
    pub fn read(&self, memory: MemoryIndex, address: u64, out: &mut [u8]) -> usize {
        out.fill(0);
        let Some(memory) = self.memories.get(memory.0 as usize) else { return 0 };
        let inside = memory.size.bytes().saturating_sub(address).min(out.len() as u64) as usize;
        let mut done = 0;
        while done < inside {
            let at = address + done as u64;
            let start = (at % PAGE) as usize;
            let length = (PAGE as usize - start).min(inside - done);
            if let Some(page) = memory.page(at / PAGE) {
                out[done..done + length].copy_from_slice(&page.bytes[start..start + length]);
            }
            done += length;
        }
        inside
    }

    /// Every page with a number in `range` that was ever written, ascending; all others are zero.
    pub fn pages_in(&self, memory: MemoryIndex, range: Range<u64>) -> impl Iterator<Item = (u64, &[u8])> {
        self.memories
            .get(memory.0 as usize)
            .into_iter()
            .flat_map(move |memory| memory.pages_in(range.clone()))
            .map(|(number, page)| (number, page.bytes.as_slice()))
    }

    /// Applies one event.
    ///
    /// # Errors
    /// When the event writes outside of memory or names something that the module does not have.
    #[inline]
    pub fn apply(&mut self, event: &RawEvent) -> Result<(), CorruptEvent> {
        let [first, second, third] = event.operands;
        if let Some(site) = self.sites.get(event.site) {
            let (memory, source) = (site.memory.0, site.source);
            return match site.op.shape() {
                Shape::Store { width: 16, .. } => {
                    let mut bytes = [0; 16];
                    bytes[..8].copy_from_slice(&second.to_le_bytes());
                    bytes[8..].copy_from_slice(&third.to_le_bytes());
                    self.write(memory, first, &bytes)
                }
                Shape::Store { width, .. } | Shape::Rmw { width, .. } | Shape::Lane { width } => {
                    self.store(memory, first, second, width)
                }
                Shape::Grow => self.grow(memory, first, second),
                Shape::Fill => self.fill(memory, first, second as u8, third),
                Shape::Copy => self.copy(memory, first, source, second, third),
                Shape::Init => self.init(memory, first, source, second, third),
                Shape::Drop => Ok(()),
            };
        }
        match event.site {
            SiteId::HOST_WRITE | SiteId::STRAY_BYTES | SiteId::OBSERVED => {
                let memory = u32::try_from(first).map_err(|_| no_memory(first))?;
                self.write(memory, second, event.blob)
            }
            SiteId::MILESTONE => self.milestone(event.blob),
            other => Err(CorruptEvent(format!("there is no site number {}", other.0))),
        }
    }

    fn milestone(&mut self, blob: &[u8]) -> Result<(), CorruptEvent> {
        let milestone: Milestone =
            wire::decode(blob, 0, "milestone").map_err(|error| CorruptEvent(error.to_string()))?;
        match milestone {
            Milestone::Memory { memory, pages, page_size } => {
                if memory.0 as usize != self.memories.len() || self.memories.len() >= MAX_MEMORIES {
                    return Err(CorruptEvent(format!(
                        "memory {} is declared where memory {} was expected",
                        memory.0,
                        self.memories.len()
                    )));
                }
                let size = MemorySize { pages, page_size };
                self.memories.push(Memory { size, low: Vec::new(), high: BTreeMap::new() });
                Ok(())
            }
            Milestone::DataInit { segment, memory, address, length, .. } => {
                self.init(memory.0, address, segment, 0, length)
            }
            _ => Ok(()),
        }
    }

    fn grow(&mut self, memory: u32, delta: u64, result: u64) -> Result<(), CorruptEvent> {
        if result == u64::MAX {
            return Ok(());
        }
        let memory = self.memories.get_mut(memory as usize).ok_or_else(|| no_memory(memory.into()))?;
        if result != memory.size.pages {
            return Err(CorruptEvent(format!(
                "memory.grow answered that memory had {result} pages, but it had {}",
                memory.size.pages
            )));
        }
        memory.size.pages = result
            .checked_add(delta)
            .ok_or_else(|| CorruptEvent(format!("memory.grow by {delta} pages cannot have succeeded")))?;
        Ok(())
    }

    #[inline]
    fn check(&self, memory: u32, address: u64, length: u64) -> Result<(), CorruptEvent> {
        let size = self.memories.get(memory as usize).ok_or_else(|| no_memory(memory.into()))?.size.bytes();
        if address.checked_add(length).is_some_and(|end| end <= size) {
            return Ok(());
        }
        Err(outside(memory, address, length, size))
    }

    /// The page to write, noted as written. `None` where it does not exist and only zeros would be written:
    /// zeros are what it reads as.
    #[inline]
    fn writable(
        &mut self,
        memory: u32,
        number: u64,
        zeros: impl FnOnce() -> bool,
    ) -> Result<Option<&mut [u8; PAGE as usize]>, CorruptEvent> {
        let slot = &mut self.memories[memory as usize];
        if slot.page(number).is_none() {
            if zeros() {
                return Ok(None);
            }
            reserve(&mut self.allocated)?;
            slot.add(number);
        }
        let page = match number {
            0..LOW_PAGES => slot.low[number as usize].as_mut(),
            _ => slot.high.get_mut(&number),
        };
        let page = page.expect("it was there or was just added");
        if page.chunk != self.chunk {
            page.chunk = self.chunk;
            self.touched.push((memory, number));
            if page.interval != self.interval {
                page.interval = self.interval;
                self.dirty += 1;
            }
        }
        Ok(Some(&mut page.bytes))
    }

    /// A store of 1, 2, 4 or 8 bytes: nearly every event there is.
    #[inline]
    fn store(&mut self, memory: u32, address: u64, value: u64, width: u8) -> Result<(), CorruptEvent> {
        let start = (address % PAGE) as usize;
        if start + usize::from(width) > PAGE as usize {
            return self.write(memory, address, &value.to_le_bytes()[..usize::from(width)]);
        }
        self.check(memory, address, width.into())?;
        if let Some(page) = self.writable(memory, address / PAGE, || value == 0)? {
            // Copies of a known length are single instructions.
            match width {
                1 => page[start] = value as u8,
                2 => page[start..start + 2].copy_from_slice(&(value as u16).to_le_bytes()),
                4 => page[start..start + 4].copy_from_slice(&(value as u32).to_le_bytes()),
                _ => page[start..start + 8].copy_from_slice(&value.to_le_bytes()),
            }
        }
        Ok(())
    }

    /// Writes within one page; the caller has checked the bounds.
    fn write_page(&mut self, memory: u32, number: u64, start: usize, bytes: &[u8]) -> Result<(), CorruptEvent> {
        if let Some(page) = self.writable(memory, number, || bytes.iter().all(|byte| *byte == 0))? {
            page[start..start + bytes.len()].copy_from_slice(bytes);
        }
        Ok(())
    }

    /// Writes bytes, as an event does. Also how replay takes an event back.
    pub fn write(&mut self, memory: u32, address: u64, bytes: &[u8]) -> Result<(), CorruptEvent> {
        self.check(memory, address, bytes.len() as u64)?;
        let start = (address % PAGE) as usize;
        if start + bytes.len() <= PAGE as usize {
            return self.write_page(memory, address / PAGE, start, bytes);
        }
        let mut done = 0;
        while done < bytes.len() {
            let at = address + done as u64;
            let start = (at % PAGE) as usize;
            let length = (PAGE as usize - start).min(bytes.len() - done);
            self.write_page(memory, at / PAGE, start, &bytes[done..done + length])?;
            done += length;
        }
        Ok(())
    }

    fn fill(&mut self, memory: u32, address: u64, byte: u8, length: u64) -> Result<(), CorruptEvent> {
        self.check(memory, address, length)?;
        let bytes = [byte; PAGE as usize];
        let mut done = 0;
        while done < length {
            let at = address + done;
            let start = at % PAGE;
            if byte == 0 && start == 0 && self.memories[memory as usize].page(at / PAGE).is_none() {
                // Clearing what was never written costs nothing, however long.
                let skip = self.absent_pages(memory, at / PAGE, (length - done) / PAGE).max(1) * PAGE;
                done += skip.min(length - done);
                continue;
            }
            let chunk = (PAGE - start).min(length - done);
            self.write_page(memory, at / PAGE, start as usize, &bytes[..chunk as usize])?;
            done += chunk;
        }
        Ok(())
    }

    /// How many pages from `first` on are absent, `most` at the most.
    fn absent_pages(&self, memory: u32, first: u64, most: u64) -> u64 {
        let memory = &self.memories[memory as usize];
        if first >= LOW_PAGES {
            return memory.high.range(first..).next().map_or(most, |(page, _)| (page - first).min(most));
        }
        let low = (memory.low.len() as u64).max(first);
        let end = (first..low).find(|page| memory.page(*page).is_some());
        end.unwrap_or(LOW_PAGES).saturating_sub(first).min(most)
    }

    fn copy(&mut self, to: u32, address: u64, from: u32, source: u64, length: u64) -> Result<(), CorruptEvent> {
        self.check(to, address, length)?;
        self.check(from, source, length)?;
        // Overlapping ranges behave as if through a buffer: copy away from the overlap, a block at a time.
        let mut block = vec![0; length.min(1 << 20) as usize];
        let blocks = length.div_ceil(1 << 20);
        let backwards = to == from && address > source;
        for i in 0..blocks {
            let i = if backwards { blocks - 1 - i } else { i };
            let start = i << 20;
            let bytes = &mut block[..(length - start).min(1 << 20) as usize];
            self.read(MemoryIndex(from), source + start, bytes);
            self.write(to, address + start, bytes)?;
        }
        Ok(())
    }

    fn init(
        &mut self,
        memory: u32,
        address: u64,
        segment: u32,
        source: u64,
        length: u64,
    ) -> Result<(), CorruptEvent> {
        let module = Arc::clone(&self.module);
        let bytes = self
            .data
            .get(segment as usize)
            .and_then(|range| module.get(range.start as usize..range.end as usize))
            .and_then(|bytes| bytes.get(usize::try_from(source).ok()?..)?.get(..usize::try_from(length).ok()?))
            .ok_or_else(|| {
                CorruptEvent(format!("data segment {segment} has no {length} bytes from {source:#x} on"))
            })?;
        self.write(memory, address, bytes)
    }

    // For the writer: which pages a chunk or an interval between keyframes has written.

    pub(crate) fn take_touched(&mut self) -> Vec<(u32, u64)> {
        self.chunk = self.chunk.wrapping_add(1);
        std::mem::take(&mut self.touched)
    }

    pub(crate) fn dirty_pages(&self) -> u64 {
        self.dirty
    }

    /// Ends keyframe interval `k` and calls `sink` with every page written after keyframe `base`.
    pub(crate) fn dirty_since(&mut self, base: u64, mut sink: impl FnMut(u32, u64, &[u8])) {
        for (index, memory) in self.memories.iter().enumerate() {
            for (number, page) in memory.pages() {
                if u64::from(page.interval) > base {
                    sink(index as u32, number, &page.bytes);
                }
            }
        }
        self.interval += 1;
        self.dirty = 0;
        // Pages written earlier in this chunk must be seen as dirty again when they are written once more.
        self.chunk = self.chunk.wrapping_add(1);
    }

    pub(crate) fn sizes(&self) -> Vec<(u64, u32)> {
        self.memories.iter().map(|memory| (memory.size.pages, memory.size.page_size)).collect()
    }

    /// Sets up empty memories of these sizes, as a keyframe has them.
    pub(crate) fn restore_sizes(&mut self, sizes: &[(u64, u32)]) -> Result<(), CorruptEvent> {
        if sizes.len() > MAX_MEMORIES {
            return Err(CorruptEvent(format!("a keyframe claims {} memories", sizes.len())));
        }
        self.clear();
        self.memories = sizes
            .iter()
            .map(|&(pages, page_size)| Memory {
                size: MemorySize { pages, page_size },
                low: Vec::new(),
                high: BTreeMap::new(),
            })
            .collect();
        Ok(())
    }

    /// Shrinks a memory to `pages`: how replay takes a `memory.grow` back.
    pub fn set_pages(&mut self, memory: MemoryIndex, pages: u64) {
        if let Some(memory) = self.memories.get_mut(memory.0 as usize) {
            memory.size.pages = pages;
        }
    }
}

fn new_page() -> Box<Page> {
    Box::new(Page { bytes: [0; PAGE as usize], chunk: 0, interval: 0 })
}

fn reserve(allocated: &mut u64) -> Result<(), CorruptEvent> {
    if *allocated >= MAX_PAGES {
        return Err(CorruptEvent(format!("more than {} GiB of memory were written", (MAX_PAGES * PAGE) >> 30)));
    }
    *allocated += 1;
    Ok(())
}

#[cold]
fn outside(memory: u32, address: u64, length: u64, size: u64) -> CorruptEvent {
    CorruptEvent(format!("{length} bytes at {address:#x} lie outside of memory {memory}, which has {size:#x} bytes"))
}

#[cold]
fn no_memory(index: u64) -> CorruptEvent {
    CorruptEvent(format!("there is no memory {index}"))
}
