//! Engine processes that are kept from one run to the next, for who has thousands of short runs.
//!
//! To start a process takes most of such a run's time: the program is loaded and linked, then an engine's library is, and the
//! engine is set up. A process that crashes, hangs or says anything unexpected is ended as ever, and the next run begins
//! another. One that wrote where it should not may change what it runs later, so a result that matters is to be seen once more
//! in a process of its own.

use super::process::Handle;
use crate::spec::EngineSpec;
use std::sync::Mutex;

/// A process has this many jobs: libraries keep what each job allocated.
const MOST_JOBS: u32 = 64;

/// Processes that wait for their next job. Dropping it ends them.
#[derive(Debug, Default)]
pub struct Workers(Mutex<Vec<(EngineSpec, Handle)>>);

impl Workers {
    /// A process that has had this engine before and waits.
    pub(super) fn take(&self, engine: &EngineSpec) -> Option<Handle> {
        let mut idle = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let at = idle.iter().position(|(of, _)| of == engine)?;
        Some(idle.swap_remove(at).1)
    }

    /// Keeps a process that waits for its next job.
    pub(super) fn keep(&self, engine: &EngineSpec, handle: Handle) {
        if handle.jobs() >= MOST_JOBS {
            return;
        }
        let mut idle = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        idle.push((engine.clone(), handle));
    }
}
