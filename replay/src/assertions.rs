//! What became of a script's assertions in a run, as its trace says.

use crate::describe::directive_words;
use crate::error::ReplayError;
use crate::timeline::Timeline;
use forkpoint_traces::{Event, Milestone, SiteId, TraceError};
use serde::Serialize;
use std::fmt;

/// Most failures that are named.
const MOST_NAMED: usize = 8;

/// What became of a script's directives under one engine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Assertions {
    /// Assertions of the script, those included that the run did not get to.
    pub total: u64,
    /// Assertions that hold.
    pub passed: u64,
    /// Assertions that do not hold.
    pub failed: u64,
    /// Other directives that did not succeed: modules that were refused, calls that trapped.
    pub others_failed: u64,
    /// Directives about the text format alone, which no engine sees.
    pub text_only: u64,
    /// The first directives that failed, in words.
    pub failures: Vec<String>,
}

impl Assertions {
    /// Those of a trace; `None` where it is not of a script. Reads the whole trace.
    ///
    /// # Errors
    /// When the trace is damaged.
    pub fn of(timeline: &mut Timeline) -> Result<Option<Assertions>, ReplayError> {
        let trace = timeline.trace_mut();
        let Some(program) = trace.header().program.clone() else { return Ok(None) };
        let mut found = Assertions {
            total: program.assertions() as u64,
            text_only: program.texts.into(),
            ..Assertions::default()
        };
        let sites = trace.sites().clone();
        let mut current = None;
        for chunk in 0..trace.chunks().len() {
            trace.read_chunk(chunk, |raw| {
                if raw.site != SiteId::MILESTONE {
                    return Ok(());
                }
                match Event::read(&raw, &sites)? {
                    Event::Milestone(Milestone::Directive { number }) => {
                        current = program.directives.get(number as usize);
                    }
                    Event::Milestone(Milestone::Judged { passed }) => {
                        let Some(directive) = current.take() else { return Ok(()) };
                        match (directive.expected.is_assertion(), passed) {
                            (true, true) => found.passed += 1,
                            (true, false) => found.failed += 1,
                            (false, false) => found.others_failed += 1,
                            (false, true) => {}
                        }
                        if !passed && found.failures.len() < MOST_NAMED {
                            found.failures.push(directive_words(&program, directive));
                        }
                    }
                    _ => {}
                }
                Ok::<(), TraceError>(())
            })?;
        }
        Ok(Some(found))
    }

    /// Whether there is nothing to say: nothing was asserted, and nothing failed.
    pub fn is_empty(&self) -> bool {
        self.total == 0 && self.others_failed == 0 && self.text_only == 0
    }

    /// Assertions that the run did not get to.
    pub fn not_reached(&self) -> u64 {
        self.total.saturating_sub(self.passed).saturating_sub(self.failed)
    }
}

/// One line, and one more for each failure that is named.
impl fmt::Display for Assertions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.total {
            0 => f.write_str("no assertions")?,
            total => write!(f, "assertions: {} of {total} passed", self.passed)?,
        }
        if self.failed > 0 {
            write!(f, ", {} failed", self.failed)?;
        }
        if self.not_reached() > 0 {
            write!(f, ", {} not reached", self.not_reached())?;
        }
        if self.others_failed > 0 {
            let what = if self.others_failed == 1 { "other module or call" } else { "other modules or calls" };
            write!(f, "; {} {what} did not succeed", self.others_failed)?;
        }
        if self.text_only > 0 {
            let noun = if self.text_only == 1 { "directive" } else { "directives" };
            write!(f, "; {} {noun} about the text format alone", self.text_only)?;
        }
        self.failures.iter().try_for_each(|failure| write!(f, "\n       failed: {failure}"))?;
        let more = (self.failed + self.others_failed).saturating_sub(self.failures.len() as u64);
        if more > 0 { write!(f, "\n       and {more} more") } else { Ok(()) }
    }
}
