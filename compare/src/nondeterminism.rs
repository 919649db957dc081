//! Whether an engine runs a module the same way twice.
//!
//! A run that ends differently with recording shows an effect of recording only if the run without it and the
//! recording can each be repeated. An engine that compiles on other threads while it runs, for example, may not be
//! repeatable.

use crate::differences::PlainDifference;
use crate::error::CompareError;
use crate::files::open_recorded;
use crate::runs::Runs;
use forkpoint_replay::{ReplayError, first_divergence, printable};
use forkpoint_tracer::{EndState, Request};
use forkpoint_traces::{Outcome, Position};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// How often a side is recorded again.
const AGAIN: usize = 2;

/// Most differences that are listed.
const MOST: usize = 3;

/// Evidence that a side does not run the module the same way twice. With a pinned host, only the engine can be the
/// cause.
#[derive(Debug, Clone, Serialize)]
pub struct Nondeterminism {
    /// The engine.
    pub engine: String,
    /// How two runs without recording ended differently, the first few.
    pub plain_differences: Vec<PlainDifference>,
    /// The first and the last position at which two of its recordings were seen to diverge; `None` if they are equal.
    pub events: Option<[Position; 2]>,
}

impl Runs<'_> {
    /// Runs a side again, with and without recording. `plain` is how it ended without; `recorded` is its trace, if
    /// that holds what every recording of it holds. `None` if all runs of a kind are equal.
    pub fn nondeterminism(
        &self,
        side: &Request,
        plain: &EndState,
        recorded: Option<&Path>,
    ) -> Result<Option<Nondeterminism>, CompareError> {
        let again = self
            .plain(side)
            .map_err(|error| error.during(format!("running under {} once more without recording", side.engine)))?;
        let comparable = !again.outcome.is_cut_short() && !plain.outcome.is_cut_short();
        let differences = if comparable { plain.differences(&again) } else { Vec::new() };
        let in_words = |difference| PlainDifference::new(difference, ["one run", "another"], self.symbols());
        let plain_differences: Vec<PlainDifference> = differences.iter().take(MOST).map(in_words).collect();
        let events = self.parting(side, recorded)?;
        let engine = printable(&side.engine.to_string());
        let found = !plain_differences.is_empty() || events.is_some();
        Ok(found.then_some(Nondeterminism { engine, plain_differences, events }))
    }

    /// The first and the last position at which two recordings of a side diverge.
    fn parting(&self, side: &Request, recorded: Option<&Path>) -> Result<Option<[Position; 2]>, CompareError> {
        let mut traces: Vec<PathBuf> = recorded.map(Path::to_path_buf).into_iter().collect();
        for number in 0..AGAIN {
            let output = self.aside(&format!("again-{number}.fpt"));
            let run = self.record_again(&Request { output: output.clone(), ..side.clone() })?;
            if run.outcome == Outcome::Interrupted {
                return Ok(None);
            }
            // The end of a run that was ended from outside proves nothing.
            if !run.outcome.is_cut_short() {
                traces.push(output);
            }
        }
        let mut seen: Option<[Position; 2]> = None;
        for (number, one) in traces.iter().enumerate() {
            for other in &traces[number + 1..] {
                let (mut one, mut other) = (open_recorded(one)?, open_recorded(other)?);
                let position = match first_divergence(&mut one, &mut other, self.settings.nan_bits) {
                    Err(ReplayError::PartLeftOut { stretch, .. }) => Some(stretch.start),
                    found => found?.divergence.map(|divergence| divergence.position),
                };
                let Some(position) = position else { continue };
                let [first, last] = seen.get_or_insert([position; 2]);
                (*first, *last) = ((*first).min(position), (*last).max(position));
            }
        }
        Ok(seen)
    }
}
