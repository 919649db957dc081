//! Bulk instructions on the model: `memory.fill`, `memory.copy`, `memory.init`.
//!
//! A stranger's trace may fill or copy 2^63 bytes of a memory that holds nothing: the time depends on the pages that
//! exist, not on the length.

use super::{CorruptEvent, Image, MemoryIndex};
use crate::ids::DataIndex;
use crate::page::PAGE;
use std::ops::Range;
use std::sync::Arc;

/// Bytes that `memory.copy` moves at a time: a multiple of [`PAGE`].
const BLOCK: u64 = 1 << 20;

impl Image {
    pub(super) fn fill(&mut self, memory: u32, address: u64, byte: u8, length: u64) -> Result<(), CorruptEvent> {
        let length = self.inside(memory, address, length)?;
        let bytes = [byte; PAGE as usize];
        let mut at = 0;
        while at < length {
            if byte == 0 {
                let absent = self.absent(memory, address, &(at..length), false);
                if !absent.is_empty() {
                    self.touch(memory, address + at..address + absent.end);
                    at = absent.end;
                    continue;
                }
            }
            let start = (address + at) % PAGE;
            let piece = (PAGE - start).min(length - at);
            self.write_page(memory, (address + at) / PAGE, start as usize, &bytes[..piece as usize])?;
            at += piece;
        }
        Ok(())
    }

    pub(super) fn copy(
        &mut self,
        to: u32,
        address: u64,
        from: u32,
        source: u64,
        length: u64,
    ) -> Result<(), CorruptEvent> {
        // What lies outside of the source is unknown.
        let length = self.inside(to, address, length)?.min(self.inside(from, source, length)?);
        // Overlapping ranges behave as if through a buffer: copy away from the overlap, a block at a time.
        let backwards = to == from && address > source;
        let mut block = vec![0; length.min(BLOCK) as usize];
        let mut rest = 0..length;
        while !rest.is_empty() {
            let zeros = self.absent(to, address, &rest, backwards);
            let zeros = self.absent(from, source, &zeros, backwards);
            if !zeros.is_empty() {
                // Zeros on zeros.
                self.touch(to, address + zeros.start..address + zeros.end);
                rest = if backwards { rest.start..zeros.start } else { zeros.end..rest.end };
                continue;
            }
            let piece = if backwards {
                rest.end.saturating_sub(BLOCK).max(rest.start)..rest.end
            } else {
                rest.start..rest.end.min(rest.start + BLOCK)
            };
            let bytes = &mut block[..(piece.end - piece.start) as usize];
            self.read(MemoryIndex(from), source + piece.start, bytes);
            self.write(MemoryIndex(to), address + piece.start, bytes)?;
            rest = if backwards { rest.start..piece.start } else { piece.end..rest.end };
        }
        Ok(())
    }

    pub(super) fn init(
        &mut self,
        memory: u32,
        address: u64,
        segment: DataIndex,
        source: u64,
        length: u64,
    ) -> Result<(), CorruptEvent> {
        let module = Arc::clone(&self.module);
        let bytes = self
            .data
            .get(segment.0 as usize)
            .and_then(|range| module.get(range.start as usize..range.end as usize))
            .ok_or_else(|| CorruptEvent::new(format!("there is no data segment {}", segment.0)))?;
        let rest = usize::try_from(source).ok().and_then(|source| bytes.get(source..)).unwrap_or_default();
        let bytes = usize::try_from(length).ok().and_then(|length| rest.get(..length));
        if bytes.is_none() {
            self.note_outside(memory, address, length);
        }
        self.write_clipped(memory, address, bytes.unwrap_or(rest))
    }

    /// How much of an instruction's range is inside of memory; notes it when not all is.
    fn inside(&mut self, memory: u32, address: u64, length: u64) -> Result<u64, CorruptEvent> {
        let Some(inside) = self.clipped(memory, address, length)? else { return Ok(length) };
        self.note_outside(memory, address, length);
        Ok(inside)
    }

    /// The first part of `range`, or the last one if `at_end`, in which no page exists. `range` counts from `base`
    /// and lies within the memory.
    fn absent(&self, memory: u32, base: u64, range: &Range<u64>, at_end: bool) -> Range<u64> {
        if range.is_empty() {
            return range.clone();
        }
        let (first, last) = (base + range.start, base + range.end - 1);
        let pages = first / PAGE..last / PAGE + 1;
        let memory = &self.memories[memory as usize];
        if at_end {
            let start = memory.last_page_in(pages).map_or(0, |page| (page * PAGE + (PAGE - 1)).saturating_add(1));
            start.saturating_sub(base).clamp(range.start, range.end)..range.end
        } else {
            let end = memory.first_page_in(pages).map_or(u64::MAX, |page| page * PAGE);
            range.start..end.saturating_sub(base).clamp(range.start, range.end)
        }
    }

    /// Notes zeros that were written where no page exists.
    fn touch(&mut self, memory: u32, addresses: Range<u64>) {
        if !addresses.is_empty() {
            self.touched.insert_range(memory, addresses.start / PAGE..(addresses.end - 1) / PAGE + 1);
        }
    }
}
