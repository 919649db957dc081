//! Compares the engine's memory with the one that the events make, page by page as it arrives.

use crate::error::RecordError;
use forkpoint_traces::{Image, MemoryDigest, MemoryIndex, MemoryState, PAGE};

/// One memory of the engine, as it comes in: ascending runs of pages, zero pages left out.
pub(super) struct ShownImage {
    memory: MemoryIndex,
    pages: u64,
    next: u64,
    digest: MemoryDigest,
}

/// A stretch of bytes that the engine holds and the model does not.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) address: u64,
    pub(super) engine: Vec<u8>,
    pub(super) replayed: Vec<u8>,
}

impl ShownImage {
    pub(super) fn new(memory: u32, pages: u64) -> ShownImage {
        ShownImage { memory: MemoryIndex(memory), pages, next: 0, digest: MemoryDigest::default() }
    }

    pub(super) fn memory(&self) -> MemoryIndex {
        self.memory
    }

    pub(super) fn pages(&self) -> u64 {
        self.pages
    }

    /// Takes the bytes at `address`; calls `sink` for each difference to `model`, ascending.
    pub(super) fn bytes(
        &mut self,
        memory: u32,
        address: u64,
        bytes: &[u8],
        model: &Image,
        sink: &mut impl FnMut(Difference),
    ) -> Result<(), RecordError> {
        if memory != self.memory.0 || address < self.next || !address.is_multiple_of(PAGE) {
            return Err(RecordError::Protocol(format!(
                "bytes of memory {memory} at {address:#x} where memory {} from {:#x} on was expected, page by page",
                self.memory.0, self.next
            )));
        }
        self.zeros(address, model, sink);
        self.digest.update(address, bytes);
        let mut replayed = vec![0; bytes.len()];
        model.read(self.memory, address, &mut replayed);
        differences(address, bytes, &replayed, sink);
        self.next = address + bytes.len() as u64;
        Ok(())
    }

    /// The rest of the memory is zero.
    pub(super) fn end(self, model: &Image, sink: &mut impl FnMut(Difference)) -> MemoryState {
        self.zeros(u64::MAX, model, sink);
        MemoryState { pages: self.pages, digest: self.digest.finish() }
    }

    /// From the next byte up to `to` the engine holds zeros.
    fn zeros(&self, to: u64, model: &Image, sink: &mut impl FnMut(Difference)) {
        for (number, page) in model.pages_in(self.memory, self.next.div_ceil(PAGE)..to / PAGE) {
            differences(number * PAGE, &[0; PAGE as usize], page, sink);
        }
    }
}

/// One page of a memory at a checkpoint: appends its differences to `model`.
pub(super) fn page(memory: MemoryIndex, address: u64, bytes: &[u8], model: &Image, found: &mut Vec<Difference>) {
    let mut replayed = vec![0; bytes.len()];
    model.read(memory, address, &mut replayed);
    differences(address, bytes, &replayed, &mut |difference| found.push(difference));
}

/// Differences nearer to each other than this are one: an event costs about as much as these bytes.
const GAP: usize = 8;

fn differences(address: u64, engine: &[u8], replayed: &[u8], sink: &mut impl FnMut(Difference)) {
    if engine == replayed {
        return;
    }
    let unequal = |at: usize| engine[at] != replayed[at];
    let mut at = 0;
    while let Some(start) = (at..engine.len()).find(|at| unequal(*at)) {
        let mut end = start + 1;
        while let Some(more) = (end..engine.len().min(end + GAP)).find(|at| unequal(*at)) {
            end = more + 1;
        }
        sink(Difference {
            address: address + start as u64,
            engine: engine[start..end].to_vec(),
            replayed: replayed[start..end].to_vec(),
        });
        at = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_differences_are_one_and_far_ones_are_two() {
        let replayed = [0u8; 64];
        let mut engine = replayed;
        (engine[3], engine[6], engine[40]) = (1, 2, 3);
        let mut found = Vec::new();
        differences(100, &engine, &replayed, &mut |difference| {
            found.push((difference.address, difference.engine));
        });
        assert_eq!(found, [(103, vec![1, 0, 0, 2]), (140, vec![3])]);
    }
}
