//! How far a recording is, for whoever looks at it from another thread: what a progress line shows.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

/// What a recording is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The module is rewritten.
    Rewriting,
    /// The engine validates and compiles it.
    Compiling,
    /// It runs.
    Running,
}

/// Set by a recording as it goes on. Recordings that share one write over each other.
#[derive(Debug, Default)]
pub struct Gauge {
    phase: AtomicU8,
    events: AtomicU64,
    bytes: AtomicU64,
}

impl Gauge {
    /// What is being done.
    pub fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Relaxed) {
            0 => Phase::Rewriting,
            1 => Phase::Compiling,
            _ => Phase::Running,
        }
    }

    /// Events so far.
    pub fn events(&self) -> u64 {
        self.events.load(Ordering::Relaxed)
    }

    /// Bytes of the trace written so far.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// A phase begins.
    pub(crate) fn enter(&self, phase: Phase) {
        if phase == Phase::Rewriting {
            self.count(0, 0);
        }
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    pub(crate) fn count(&self, events: u64, bytes: u64) {
        self.events.store(events, Ordering::Relaxed);
        self.bytes.store(bytes, Ordering::Relaxed);
    }
}
