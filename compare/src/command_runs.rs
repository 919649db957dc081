//! How often the commands of engines that are some were run, and how long that took.

use serde::Serialize;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Runs of one command in a comparison.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CommandRuns {
    /// The engine.
    pub engine: String,
    /// How often its command was run, without the runs that found out what it can do.
    pub runs: u64,
    /// How long these took in all, with what the recorder did meanwhile.
    pub seconds: f64,
}

/// Those of all commands, counted while runs go on beside each other.
#[derive(Default)]
pub(crate) struct CommandCount(Mutex<Vec<CommandRuns>>);

impl CommandCount {
    pub fn add(&self, engine: &impl ToString, runs: u32, time: Duration) {
        if runs == 0 {
            return;
        }
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let engine = engine.to_string();
        let at = all.iter().position(|known| known.engine == engine).unwrap_or_else(|| {
            all.push(CommandRuns { engine, runs: 0, seconds: 0.0 });
            all.len() - 1
        });
        all[at].runs += u64::from(runs);
        all[at].seconds += time.as_secs_f64();
    }

    pub fn all(&self) -> Vec<CommandRuns> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
