//! Whether an engine runs a module the same way twice.
//!
//! That a run ends differently with recording is an effect of recording only where the run without it, and the
//! recording, can each be repeated. An engine that compiles on other threads while it runs, for one, need not do so.

use super::{Comparison, Contender};
use crate::differences::words;
use crate::open::recorded as open;
use anyhow::{Context, Result};
use forkpoint_replay::{first_divergence, printable};
use forkpoint_tracer::EndState;
use serde::Serialize;
use std::fmt;
use std::path::{Path, PathBuf};

/// How often a side is recorded again.
const AGAIN: usize = 2;

/// Most differences that are listed.
const MOST: usize = 3;

/// What shows that a side does not run the module the same way twice. With a pinned host only the engine is left to
/// differ.
#[derive(Debug, Clone, Serialize)]
pub struct Nondeterminism {
    /// The engine.
    pub engine: String,
    /// In what two runs without recording ended differently, the first few.
    pub plain_differences: Vec<String>,
    /// The first and the last of the positions at which two recordings of it were seen to part; `None` where its
    /// recordings are equal.
    pub events: Option<[u64; 2]>,
}

impl Comparison<'_> {
    /// Runs a side again, without recording and recorded. `plain` is how it ended without, `recorded` its trace where
    /// that holds what every recording of it holds. `None` where all runs of a kind are equal.
    pub fn nondeterminism(
        &self,
        side: &Contender,
        plain: &EndState,
        recorded: Option<&Path>,
    ) -> Result<Option<Nondeterminism>> {
        let run = self.side(side, PathBuf::new(), false)?;
        let again = self.session.run_plain(run, !self.ways.quiet);
        let again = again.with_context(|| format!("running under {} once more without recording", side.engine))?;
        let comparable = !again.outcome.is_cut_short() && !plain.outcome.is_cut_short();
        let differences = if comparable { plain.differences(&again) } else { Vec::new() };
        let symbols = self.session.symbols();
        let in_words = |difference| words(difference, ["one run", "another"], &symbols);
        let plain_differences: Vec<String> = differences.iter().take(MOST).map(in_words).collect();
        let events = self.parting(side, recorded)?;
        let engine = printable(&side.engine.to_string());
        let found = !plain_differences.is_empty() || events.is_some();
        Ok(found.then_some(Nondeterminism { engine, plain_differences, events }))
    }

    /// The first and the last position at which two recordings of a side part.
    fn parting(&self, side: &Contender, recorded: Option<&Path>) -> Result<Option<[u64; 2]>> {
        let mut traces: Vec<PathBuf> = recorded.map(Path::to_path_buf).into_iter().collect();
        for number in 0..AGAIN {
            let trace = self.aside.join(format!("again-{number}.fpt"));
            let Some(run) = self.record_side(side, &trace, false)? else { return Ok(None) };
            // Where a run was ended from outside says nothing.
            if !run.outcome.is_cut_short() {
                traces.push(trace);
            }
        }
        let mut seen: Option<[u64; 2]> = None;
        for (number, one) in traces.iter().enumerate() {
            for other in &traces[number + 1..] {
                let found = first_divergence(&mut open(one)?, &mut open(other)?, self.ways.nan_bits)?;
                let Some(position) = found.divergence.map(|divergence| divergence.position.0) else { continue };
                let [first, last] = seen.get_or_insert([position; 2]);
                (*first, *last) = ((*first).min(position), (*last).max(position));
            }
        }
        Ok(seen)
    }
}

impl fmt::Display for Nondeterminism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} does not run this module the same way twice.", self.engine)?;
        if !self.plain_differences.is_empty() {
            writeln!(f, "Two of its runs without recording end differently:")?;
            self.plain_differences.iter().try_for_each(|line| writeln!(f, "  {line}"))?;
        }
        match self.events {
            Some([first, last]) if first == last => writeln!(f, "Its recordings part at #{first}."),
            Some([first, last]) => writeln!(f, "Its recordings part between #{first} and #{last}."),
            None => writeln!(f, "Its recordings are equal."),
        }
    }
}
