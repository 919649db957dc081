//! The calls that a sweep makes, and which of them shows a divergence.

use super::input::InputModule;
use crate::error::CompareError;
use crate::files::open_trace;
use forkpoint_tracer::{Invocation, MadeUp, every_call};
use forkpoint_traces::{Event, Milestone, Position, SiteId, TraceError};
use std::path::Path;

/// The calls that a sweep makes to each module.
#[derive(Debug, Clone, Default)]
pub struct SweepCalls {
    /// The calls for modules without their own in the input; if empty, `_start` or every export is called.
    pub asked: Vec<Invocation>,
    /// The export that makes room for texts and files among arguments.
    pub alloc: Option<Invocation>,
    /// How often each export with parameters is called if calls are generated.
    pub per_export: u16,
    /// The seed for generated arguments.
    pub seed: u64,
}

/// The calls of a module, and their origin.
pub(super) struct ModuleCalls {
    /// `None`: it is only instantiated.
    pub list: Option<Vec<Invocation>>,
    /// How they were generated, if nothing specifies the calls.
    pub made_up: Option<MadeUp>,
}

impl ModuleCalls {
    /// The calls of a module: those in the input's list, else the sweep's, else `_start`, else every export.
    pub fn of(calls: &SweepCalls, input: &InputModule, module: &[u8]) -> Result<ModuleCalls, CompareError> {
        let parse = |call: &String| call.parse().map_err(|source| CompareError::Call { call: call.clone(), source });
        let asked: Vec<Invocation> = input.calls.iter().map(parse).collect::<Result<_, _>>()?;
        let asked = if asked.is_empty() { calls.asked.clone() } else { asked };
        if !asked.is_empty() {
            return Ok(ModuleCalls { list: Some(asked), made_up: None });
        }
        let made_up = MadeUp { seed: calls.seed, calls: calls.per_export.into(), tame: false };
        Ok(match every_call(module, made_up) {
            // Its `_start`.
            None => ModuleCalls { list: Some(Vec::new()), made_up: None },
            // A module without callable exports is instantiated, and that may differ, too.
            Some(every) => ModuleCalls { list: (!every.is_empty()).then_some(every), made_up: Some(made_up) },
        })
    }

    /// Two calls of each function with small numbers, instead of the generated ones.
    pub fn tamed(&self, module: &[u8]) -> Option<ModuleCalls> {
        let made_up = MadeUp { calls: 2, tame: true, ..self.made_up? };
        Some(ModuleCalls { list: every_call(module, made_up), made_up: Some(made_up) })
    }

    /// The calls in the notation of the command line.
    pub fn words(&self) -> Vec<String> {
        self.list.iter().flatten().map(ToString::to_string).collect()
    }

    /// All calls up to `last`, in words; all of them if it is not known.
    pub fn until(&self, last: Option<usize>) -> Vec<String> {
        let mut words = self.words();
        words.truncate(last.map_or(usize::MAX, |last| last + 1));
        words
    }

    /// One call; the first if it is not known which.
    pub fn only(&self, which: Option<usize>) -> ModuleCalls {
        let one = self.list.iter().flatten().nth(which.unwrap_or(0)).cloned();
        ModuleCalls { list: one.map(|one| vec![one]), made_up: self.made_up }
    }
}

/// The call in progress at an event of a trace, as an index into the requested calls; `None` if there was none. Calls
/// made without a request are not counted.
pub(super) fn call_at(trace: &Path, position: Position) -> Result<Option<usize>, CompareError> {
    let mut trace = open_trace(trace)?;
    let mut begun = 0usize;
    for chunk in 0..trace.chunks().len() {
        let mut at = trace.chunks()[chunk].first;
        if at > position {
            break;
        }
        let sites = trace.sites().clone();
        trace.read_chunk(chunk, |event| {
            if event.site == SiteId::MILESTONE
                && at <= position
                && let Event::Milestone(Milestone::Invoke { function, .. }) = Event::read(&event, &sites)?
                && !matches!(function.as_str(), "(start)" | "_initialize")
            {
                begun += 1;
            }
            at = at.next();
            Ok::<(), TraceError>(())
        })?;
    }
    Ok(begun.checked_sub(1))
}
