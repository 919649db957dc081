//! Plain writes to the model: stores and runs of bytes. Nearly every event of a run comes through here, while it is
//! recorded and whenever it is replayed.

use super::pages::{Bytes, Memory};
use super::{CorruptEvent, Image, MemoryIndex};
use crate::page::{PAGE, is_zero};

impl Image {
    /// How many of these bytes are inside of memory; `None` if all are.
    #[inline]
    pub(super) fn clipped(&self, memory: u32, address: u64, length: u64) -> Result<Option<u64>, CorruptEvent> {
        let size = self.memories.get(memory as usize).ok_or_else(|| CorruptEvent::no_memory(memory))?.bytes();
        if address.checked_add(length).is_some_and(|end| end <= size) {
            return Ok(None);
        }
        Ok(Some(size.saturating_sub(address).min(length)))
    }

    /// Notes that an instruction wrote outside of memory. Its pages count as touched, all of them.
    #[cold]
    pub(super) fn note_outside(&mut self, memory: u32, address: u64, length: u64) {
        self.outside.get_or_insert((MemoryIndex(memory), address));
        if length > 0 {
            let last = address.saturating_add(length - 1) / PAGE;
            self.touched.insert_range(memory, address / PAGE..last + 1);
        }
    }

    /// Writes as much of an instruction's bytes as is inside of memory.
    pub(super) fn write_clipped(&mut self, memory: u32, address: u64, bytes: &[u8]) -> Result<(), CorruptEvent> {
        match self.clipped(memory, address, bytes.len() as u64)? {
            None => self.write(MemoryIndex(memory), address, bytes),
            Some(inside) => {
                self.note_outside(memory, address, bytes.len() as u64);
                if inside == 0 { Ok(()) } else { self.write(MemoryIndex(memory), address, &bytes[..inside as usize]) }
            }
        }
    }

    #[inline]
    fn check(&self, memory: u32, address: u64, length: u64) -> Result<(), CorruptEvent> {
        let size = self.memories.get(memory as usize).ok_or_else(|| CorruptEvent::no_memory(memory))?.bytes();
        if address.checked_add(length).is_some_and(|end| end <= size) {
            return Ok(());
        }
        Err(outside(memory, address, length, size))
    }

    /// The page to write, marked as written. `None` where it does not exist and only zeros would be written: an
    /// absent page reads as zeros.
    #[inline]
    fn writable(
        &mut self,
        memory: u32,
        number: u64,
        zeros: impl FnOnce() -> bool,
    ) -> Result<Option<&mut Bytes>, CorruptEvent> {
        let slot = &self.memories[memory as usize];
        if slot.page(number).is_none() {
            if zeros() {
                self.touched.insert(memory, number);
                return Ok(None);
            }
            let table = slot.table_pages(number);
            self.reserve(1 + table)?;
            self.memories[memory as usize].add(number);
        }
        let page = self.memories[memory as usize].page_mut(number);
        let (bytes, stamp) = page.expect("it was there or was just added");
        if stamp.chunk != self.chunk {
            stamp.chunk = self.chunk;
            self.touched.insert(memory, number);
            if stamp.interval != self.interval {
                stamp.interval = self.interval;
                self.dirty += 1;
            }
        }
        Ok(Some(bytes))
    }

    /// A store of 1, 2, 4 or 8 bytes: nearly every event there is.
    #[inline]
    pub(crate) fn store(&mut self, memory: u32, address: u64, value: u64, width: u8) -> Result<(), CorruptEvent> {
        let start = (address % PAGE) as usize;
        let inside = |memory: &Memory| address.checked_add(width.into()).is_some_and(|end| end <= memory.bytes());
        if let Some(memory) = self.memories.get_mut(memory as usize)
            && inside(memory)
            && let Some((bytes, stamp)) = memory.page_mut(address / PAGE)
            && stamp.chunk == self.chunk
            && put(bytes, start, value, width)
        {
            return Ok(());
        }
        self.store_slowly(memory, address, value, width)
    }

    /// Stores of `width` bytes of one value, the first to `address` and each `stride` bytes behind the one before, as long as each is as
    /// [`Image::store`] has it mostly. Returns how many there were, at most `count`.
    pub(crate) fn stores(
        &mut self,
        memory: u32,
        address: u64,
        stride: u64,
        value: u64,
        width: u8,
        count: u64,
    ) -> u64 {
        let Some(memory) = self.memories.get_mut(memory as usize) else { return 0 };
        let (size, mut at) = (memory.bytes(), address);
        for done in 0..count {
            let inside = at.checked_add(width.into()).is_some_and(|end| end <= size);
            let page = if inside { memory.page_mut(at / PAGE) } else { None };
            let stored = page.is_some_and(|(bytes, stamp)| {
                stamp.chunk == self.chunk && put(bytes, (at % PAGE) as usize, value, width)
            });
            if !stored {
                return done;
            }
            at = at.wrapping_add(stride);
        }
        count
    }

    /// A store that is the first to its page in this chunk, crosses two pages, or is not all inside of memory.
    #[cold]
    fn store_slowly(&mut self, memory: u32, address: u64, value: u64, width: u8) -> Result<(), CorruptEvent> {
        self.write_clipped(memory, address, &value.to_le_bytes()[..usize::from(width.min(8))])
    }

    /// Writes within one page; the caller has checked the bounds.
    pub(super) fn write_page(
        &mut self,
        memory: u32,
        number: u64,
        start: usize,
        bytes: &[u8],
    ) -> Result<(), CorruptEvent> {
        if let Some(page) = self.writable(memory, number, || is_zero(bytes))? {
            page[start..start + bytes.len()].copy_from_slice(bytes);
        }
        Ok(())
    }

    /// Writes bytes, as an event does. Replay also takes an event back with it.
    pub fn write(&mut self, memory: MemoryIndex, address: u64, bytes: &[u8]) -> Result<(), CorruptEvent> {
        let MemoryIndex(memory) = memory;
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
}

/// Puts the first `width` bytes of `value` into a page; `false` where the page ends before. Copies of a known length are
/// single instructions.
#[inline]
fn put(page: &mut Bytes, start: usize, value: u64, width: u8) -> bool {
    let place = &mut page[start..];
    match width {
        1 => place.first_chunk_mut().map(|place| *place = (value as u8).to_le_bytes()),
        2 => place.first_chunk_mut().map(|place| *place = (value as u16).to_le_bytes()),
        4 => place.first_chunk_mut().map(|place| *place = (value as u32).to_le_bytes()),
        _ => place.first_chunk_mut().map(|place| *place = value.to_le_bytes()),
    }
    .is_some()
}

#[cold]
fn outside(memory: u32, address: u64, length: u64, size: u64) -> CorruptEvent {
    CorruptEvent::new(format!(
        "{length} bytes at {address:#x} lie outside of memory {memory}, which has {size:#x} bytes"
    ))
}
