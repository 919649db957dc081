//! What a sweep calls of a module, and by which call a divergence shows.

use super::input::InputModule;
use crate::error::CompareError;
use crate::files::open_trace;
use forkpoint_tracer::{Invocation, MadeUp, every_call};
use forkpoint_traces::{Event, Milestone, Position, SiteId, TraceError};
use std::path::Path;

/// What is called of each module of a sweep.
#[derive(Debug, Clone, Default)]
pub struct SweepCalls {
    /// What is called where the input does not say; nothing for `_start`, or for every export.
    pub asked: Vec<Invocation>,
    /// The export that makes room for texts and files among arguments.
    pub alloc: Option<Invocation>,
    /// How often each export with parameters is called where calls are made up.
    pub per_export: u16,
    /// The seed for their arguments.
    pub seed: u64,
}

/// The calls of a module, and where they are from.
pub(super) struct ModuleCalls {
    /// `None`: it is instantiated only.
    pub list: Option<Vec<Invocation>>,
    /// How they were made up, where nothing says what to call.
    pub made_up: Option<MadeUp>,
}

impl ModuleCalls {
    /// What is called of a module: what the input's list says, or the sweep, or `_start`, or every export.
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
            // What exports nothing to call is instantiated, and that may differ, too.
            Some(every) => ModuleCalls { list: (!every.is_empty()).then_some(every), made_up: Some(made_up) },
        })
    }

    /// Two calls of each function with small numbers, instead of what was made up.
    pub fn tamed(&self, module: &[u8]) -> Option<ModuleCalls> {
        let made_up = MadeUp { calls: 2, tame: true, ..self.made_up? };
        Some(ModuleCalls { list: every_call(module, made_up), made_up: Some(made_up) })
    }

    /// As one writes them.
    pub fn words(&self) -> Vec<String> {
        self.list.iter().flatten().map(ToString::to_string).collect()
    }

    /// All up to one of them, in words; where it is not known, all.
    pub fn until(&self, last: Option<usize>) -> Vec<String> {
        let mut words = self.words();
        words.truncate(last.map_or(usize::MAX, |last| last + 1));
        words
    }

    /// One of them; where it is not known, the first.
    pub fn only(&self, which: Option<usize>) -> ModuleCalls {
        let one = self.list.iter().flatten().nth(which.unwrap_or(0)).cloned();
        ModuleCalls { list: one.map(|one| vec![one]), made_up: self.made_up }
    }
}

/// The call that was going on at an event of a trace, as a number among those that were asked for; `None` where none was.
/// What runs by itself before them is not asked for.
pub(super) fn call_at(trace: &Path, position: u64) -> Result<Option<usize>, CompareError> {
    let mut trace = open_trace(trace)?;
    let mut begun = 0usize;
    for chunk in 0..trace.chunks().len() {
        let mut at = trace.chunks()[chunk].first;
        if at > Position(position) {
            break;
        }
        let sites = trace.sites().clone();
        trace.read_chunk(chunk, |event| {
            if event.site == SiteId::MILESTONE
                && at <= Position(position)
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
