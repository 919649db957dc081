//! Where the engine's memory was not the replayed one.

use super::watch::MOST_WATCHED;
use forkpoint_traces::{MemoryIndex, Observation, TraceError, TraceWriter};

/// Most mismatches that are kept one by one.
const MOST: usize = 64;

/// Something in which the engine's memory was not what the recorded events say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// Which memory.
    pub memory: MemoryIndex,
    /// Events recorded before it was found.
    pub events: u64,
    /// What was found.
    pub what: Differs,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Differs {
    /// Other bytes, the first MiB of them.
    Bytes {
        /// The first byte.
        address: u64,
        /// What the engine holds.
        engine: Vec<u8>,
        /// What replay has.
        replayed: Vec<u8>,
        /// How it was found.
        by: Observation,
    },
    /// Another size, in pages.
    Size {
        /// The engine's.
        engine: u64,
        /// What replay has.
        replayed: u64,
    },
    /// The event before wrote at this address, outside of memory.
    Outside {
        /// The address.
        address: u64,
    },
}

/// What a recording found, the first of them one by one.
#[derive(Debug, Clone, Default)]
pub struct Mismatches {
    /// The first mismatches, in order.
    pub first: Vec<Mismatch>,
    /// How many there are.
    pub count: u64,
}

impl Mismatches {
    pub(super) fn add(&mut self, mut finding: Mismatch) {
        self.count += 1;
        if self.first.len() >= MOST {
            return;
        }
        if let Differs::Bytes { engine, replayed, .. } = &mut finding.what {
            for bytes in [engine, replayed] {
                bytes.truncate(MOST_WATCHED as usize);
                bytes.shrink_to_fit();
            }
        }
        self.first.push(finding);
    }
}

/// Records that the event pushed last lies outside of memory, if it does.
pub(super) fn outside(writer: &mut TraceWriter, mismatches: &mut Mismatches) -> Result<(), TraceError> {
    let Some((memory, address)) = writer.take_outside() else { return Ok(()) };
    writer.found_outside(memory, address)?;
    mismatches.add(Mismatch { memory, events: writer.events() - 1, what: Differs::Outside { address } });
    Ok(())
}
