//! When a run has to end before it ends by itself, and how long its process may take to end.

use crate::record::Gauge;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long a child that was asked to stop may take.
const GRACE: Duration = Duration::from_secs(2);

/// Why a run has to end before it ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::record) enum Stopped {
    TimedOut,
    Interrupted,
    OutOfMemory,
}

/// Limits and interrupt of a recording, over all its processes.
pub(in crate::record) struct Limits {
    deadline: Option<Instant>,
    /// Most bytes of memory that a process may hold.
    max_memory: Option<u64>,
    /// Most events, and what counts them.
    events: Option<(u64, Arc<Gauge>)>,
    interrupt: Arc<AtomicBool>,
}

impl Limits {
    pub(in crate::record) fn new(
        timeout: Option<Duration>,
        max_memory: Option<u64>,
        interrupt: Arc<AtomicBool>,
    ) -> Limits {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        Limits { deadline, max_memory, events: None, interrupt }
    }

    /// The same with a limit on events.
    pub(in crate::record) fn with_events(self, most: Option<u64>, gauge: &Arc<Gauge>) -> Limits {
        Limits { events: most.map(|most| (most, Arc::clone(gauge))), ..self }
    }

    /// Whether the process `id` has to end.
    pub(super) fn stopped(&self, id: u32) -> Option<Stopped> {
        if self.interrupt.load(Ordering::Relaxed) {
            return Some(Stopped::Interrupted);
        }
        if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Some(Stopped::TimedOut);
        }
        if self.events.as_ref().is_some_and(|(most, gauge)| gauge.events() > *most) {
            return Some(Stopped::TimedOut);
        }
        self.max_memory.is_some_and(|most| resident(id) > most).then_some(Stopped::OutOfMemory)
    }
}

/// Bytes of memory that a process holds; 0 when it is gone. What engines reserve and do not touch is not part of it.
fn resident(id: u32) -> u64 {
    let sizes = std::fs::read_to_string(format!("/proc/{id}/statm")).unwrap_or_default();
    let pages = sizes.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or(0).saturating_mul(rustix::param::page_size() as u64)
}

/// How long a process may still take, once there is nothing to wait for.
#[derive(Default)]
pub(super) struct Patience(Option<Instant>);

impl Patience {
    /// From now on, if not since before.
    pub(super) fn starts(&mut self) {
        self.0 = self.0.or_else(|| Instant::now().checked_add(GRACE));
    }

    pub(super) fn is_over(&self) -> bool {
        self.0.is_some_and(|end| Instant::now() >= end)
    }
}
