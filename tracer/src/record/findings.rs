//! Where the engine's memory was not the replayed one.

use crate::observe::Watch;
use forkpoint_traces::{Image, MemoryIndex, Observation, TraceError, TraceWriter};

/// Most findings that are kept one by one.
const MOST: usize = 64;

/// Most bytes that are watched.
const MOST_WATCHED: u64 = 1 << 20;

/// Bytes that memory held in place of what the recorded events say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which memory.
    pub memory: MemoryIndex,
    /// The first byte.
    pub address: u64,
    /// What the engine holds.
    pub engine: Vec<u8>,
    /// What replay makes of it.
    pub replayed: Vec<u8>,
    /// How it was found.
    pub by: Observation,
    /// Events recorded before it was.
    pub events: u64,
}

/// What a recording found, the first of them one by one.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    /// The first findings, in order.
    pub first: Vec<Finding>,
    /// How many there are.
    pub count: u64,
}

impl Findings {
    pub(super) fn add(&mut self, finding: Finding) {
        self.count += 1;
        if self.first.len() < MOST {
            self.first.push(finding);
        }
    }
}

/// Watched bytes as the engine last showed them, compared with the model after every event.
pub(super) struct Watching {
    watch: Watch,
    engine: Vec<u8>,
}

impl Watching {
    /// Watches from now on, when the engine holds what the model does.
    pub(super) fn new(watch: Watch, model: &Image) -> Watching {
        let mut engine = vec![0; watch.length.min(MOST_WATCHED) as usize];
        let inside = model.read(MemoryIndex(watch.memory), watch.address, &mut engine);
        engine.truncate(inside);
        Watching { watch, engine }
    }

    pub(super) fn engine_holds(&mut self, bytes: Vec<u8>) {
        self.engine = bytes;
    }

    /// Records a difference between what the engine holds and what the events before say.
    pub(super) fn settle(&self, writer: &mut TraceWriter, findings: &mut Findings) -> Result<(), TraceError> {
        let mut replayed = vec![0; self.engine.len()];
        let (memory, address) = (MemoryIndex(self.watch.memory), self.watch.address);
        writer.image().read(memory, address, &mut replayed);
        let differs = |(engine, replayed): (&u8, &u8)| engine != replayed;
        let pairs = || self.engine.iter().zip(&replayed);
        let (Some(first), Some(last)) = (pairs().position(differs), pairs().rposition(differs)) else {
            return Ok(());
        };
        let (by, events, engine) = (Observation::Checkpoint, writer.events(), self.engine[first..=last].to_vec());
        let (address, replayed) = (address + first as u64, replayed[first..=last].to_vec());
        writer.observed(memory, address, by, &engine)?;
        findings.add(Finding { memory, address, engine, replayed, by, events });
        Ok(())
    }
}
