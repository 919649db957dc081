//! Plain writes to the model: stores and runs of bytes. Nearly every event of a run comes through here, while it is
//! recorded and whenever it is replayed.

use super::{CorruptEvent, Image, PAGE, no_memory};

/// Most pages a model may hold: 8 GiB. A hostile trace stops here.
const MAX_PAGES: u64 = 2 << 20;

impl Image {
    #[inline]
    pub(super) fn check(&self, memory: u32, address: u64, length: u64) -> Result<(), CorruptEvent> {
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
                self.touched.insert(memory, number);
                return Ok(None);
            }
            reserve(&mut self.allocated)?;
            slot.add(number);
        }
        let page = slot.page_mut(number).expect("it was there or was just added");
        if page.chunk != self.chunk {
            page.chunk = self.chunk;
            self.touched.insert(memory, number);
            if page.interval != self.interval {
                page.interval = self.interval;
                self.dirty += 1;
            }
        }
        Ok(Some(&mut page.bytes))
    }

    /// A store of 1, 2, 4 or 8 bytes: nearly every event there is.
    #[inline]
    pub(super) fn store(&mut self, memory: u32, address: u64, value: u64, width: u8) -> Result<(), CorruptEvent> {
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
    pub(super) fn write_page(
        &mut self,
        memory: u32,
        number: u64,
        start: usize,
        bytes: &[u8],
    ) -> Result<(), CorruptEvent> {
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
