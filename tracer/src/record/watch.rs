//! The recorder's half of watching: bytes that the engine shows, held against the model after every event.

use super::mismatches::{Differs, Mismatch, Mismatches};
use crate::job::Watch;
use forkpoint_traces::{Image, MemoryIndex, Observation, TraceError, TraceWriter};

/// Most bytes that are watched in one place, and most places.
pub(super) const MOST_WATCHED: u64 = 1 << 20;
const MOST_RANGES: usize = 64;

/// Watched bytes as the engine last showed them, compared with the model after every event.
pub(super) struct Watching {
    memory: MemoryIndex,
    /// Addresses, and the bytes there.
    engine: Vec<(u64, Vec<u8>)>,
}

impl Watching {
    /// Watches from now on, when the engine holds what the model does.
    pub(super) fn new(watch: &Watch, model: &Image) -> Watching {
        let memory = watch.memory;
        let engine = watch.ranges.iter().take(MOST_RANGES).map(|range| {
            let mut bytes = vec![0; range.length.min(MOST_WATCHED) as usize];
            let inside = model.read(memory, range.address, &mut bytes);
            bytes.truncate(inside);
            (range.address, bytes)
        });
        Watching { memory, engine: engine.collect() }
    }

    pub(super) fn engine_holds(&mut self, address: u64, bytes: Vec<u8>) {
        if let Some(range) = self.engine.iter_mut().find(|(watched, _)| *watched == address) {
            range.1 = bytes;
        }
    }

    /// Bytes were written into the engine's memory by the recorder's own order: what was last shown is from before.
    pub(super) fn was_written(&mut self, memory: MemoryIndex, address: u64, bytes: &[u8]) {
        if memory != self.memory {
            return;
        }
        let end = address.saturating_add(bytes.len() as u64);
        for (start, known) in &mut self.engine {
            let from = address.max(*start);
            let to = end.min(start.saturating_add(known.len() as u64));
            if from < to {
                let (own, theirs) = ((from - *start) as usize, (from - address) as usize);
                let length = (to - from) as usize;
                known[own..own + length].copy_from_slice(&bytes[theirs..theirs + length]);
            }
        }
    }

    /// Records differences between what the engine holds and what the events before say.
    pub(super) fn settle(&self, writer: &mut TraceWriter, mismatches: &mut Mismatches) -> Result<(), TraceError> {
        for (address, engine) in &self.engine {
            let mut replayed = vec![0; engine.len()];
            // Where memory is shorter here, its size is what was found.
            let inside = writer.image().read(self.memory, *address, &mut replayed);
            replayed.truncate(inside);
            let engine = &engine[..engine.len().min(inside)];
            if replayed == engine {
                continue;
            }
            let (by, events) = (Observation::Watch, writer.events());
            writer.observed(self.memory, *address, by, engine)?;
            let what = Differs::Bytes { address: *address, engine: engine.to_vec(), replayed, by };
            mismatches.add(Mismatch { memory: self.memory, events, what });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::WatchedRange;

    #[test]
    fn what_the_recorder_had_written_is_no_finding() {
        let ranges = [WatchedRange { address: 8, length: 4 }, WatchedRange { address: 20, length: 2 }];
        let mut watching = Watching {
            memory: MemoryIndex(0),
            engine: ranges.iter().map(|range| (range.address, vec![0; range.length as usize])).collect(),
        };
        watching.was_written(MemoryIndex(1), 8, &[9; 4]);
        watching.was_written(MemoryIndex(0), 10, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
        watching.was_written(MemoryIndex(0), u64::MAX, &[5, 5]);
        watching.was_written(MemoryIndex(0), 0, &[7; 9]);
        assert_eq!(watching.engine, [(8, vec![7, 0, 1, 2]), (20, vec![11, 0])]);
    }
}
