//! Recording what is not an instruction: milestones, steps of host calls, and what was found in memory.

use super::TraceWriter;
use crate::error::TraceError;
use crate::event::Observation;
use crate::host::HostEvent;
use crate::ids::MemoryIndex;
use crate::limits::{MAX_BLOB, MAX_HOST_EVENT};
use crate::milestone::Milestone;
use crate::raw::RawEvent;

/// Host writes and stray bytes are cut into pieces of this size.
const PIECE: usize = 64 << 10;

impl TraceWriter {
    /// Records a milestone.
    pub fn milestone(&mut self, milestone: &Milestone) -> Result<(), TraceError> {
        let encoded = milestone.encode();
        self.fits(encoded.len(), MAX_BLOB, "milestone")?;
        self.push(&RawEvent::milestone(&encoded))
    }

    /// Records a step of a host call; a long write becomes several.
    pub fn host(&mut self, event: &HostEvent) -> Result<(), TraceError> {
        let HostEvent::Write { memory, address, bytes } = event else { return self.host_encoded(&event.encode()) };
        for (i, piece) in bytes.chunks(PIECE).enumerate() {
            let address = address.saturating_add((i * PIECE) as u64);
            self.host_encoded(&HostEvent::Write { memory: *memory, address, bytes: piece.to_vec() }.encode())?;
        }
        Ok(())
    }

    /// Refuses what no reader would accept.
    fn fits(&self, length: usize, most: usize, what: &str) -> Result<(), TraceError> {
        if length <= most {
            return Ok(());
        }
        Err(TraceError::corrupt(
            self.packer.length(),
            format!("a {what} of {length} bytes, the format allows {most}"),
        ))
    }

    fn host_encoded(&mut self, encoded: &[u8]) -> Result<(), TraceError> {
        self.fits(encoded.len(), MAX_HOST_EVENT, "step of a host call")?;
        self.push(&RawEvent::host(encoded))
    }

    /// Records bytes that memory held after instantiation instead of what the module declares.
    pub fn stray_bytes(&mut self, memory: MemoryIndex, address: u64, bytes: &[u8]) -> Result<(), TraceError> {
        for (i, piece) in bytes.chunks(PIECE).enumerate() {
            self.push(&RawEvent::stray_bytes(memory, address + (i * PIECE) as u64, piece))?;
        }
        Ok(())
    }

    /// Records what memory was found to hold where the events so far say otherwise.
    pub fn observed(
        &mut self,
        memory: MemoryIndex,
        address: u64,
        by: Observation,
        bytes: &[u8],
    ) -> Result<(), TraceError> {
        for (i, piece) in bytes.chunks(PIECE).enumerate() {
            self.push(&RawEvent::observed(memory, address + (i * PIECE) as u64, by, piece))?;
        }
        Ok(())
    }

    /// Records that a memory was found to differ in size from what the events so far make it.
    pub fn found_size(&mut self, memory: MemoryIndex, pages: u64) -> Result<(), TraceError> {
        self.push(&RawEvent::found_size(memory, pages))
    }

    /// Where the event pushed last lies outside of memory, if it does; [`TraceWriter::found_outside`] is to record
    /// it.
    #[inline]
    pub fn take_outside(&mut self) -> Option<(MemoryIndex, u64)> {
        self.image.take_outside()
    }

    /// Records that the event before lies outside of memory.
    pub fn found_outside(&mut self, memory: MemoryIndex, address: u64) -> Result<(), TraceError> {
        self.push(&RawEvent::found_outside(memory, address))
    }
}
