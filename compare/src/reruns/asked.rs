//! The two sides of a comparison, rerun to answer a question.

use crate::error::CompareError;
use crate::files::open_recorded;
use crate::runs::Runs;
use forkpoint_replay::{NanBits, ReplayError, Side, Timeline, first_divergence, first_unequal_held};
use forkpoint_tracer::instrument::{Ask, Options};
use forkpoint_tracer::{NOTES_IN_A_DIGEST, Notes, Recorded, Request};
use forkpoint_traces::{Outcome, Position};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// The two sides to rerun.
pub(crate) struct Asked<'a> {
    pub(super) runs: &'a Runs<'a>,
    pub(super) sides: [&'a Request; 2],
    /// How their traces were recorded.
    pub(super) options: Options,
    /// Whether that is by hooks, whatever the requests say.
    pub(super) by_hooks: bool,
}

impl<'a> Asked<'a> {
    /// Two sides recorded as their requests say.
    pub fn new(runs: &'a Runs<'a>, sides: [&'a Request; 2]) -> Asked<'a> {
        Asked { runs, sides, options: sides[0].options.clone(), by_hooks: false }
    }

    /// Whether the traces were recorded again by hooks, whatever the requests say.
    pub fn by_hooks(&self) -> bool {
        self.by_hooks
    }

    /// A side's trace.
    pub(super) fn trace(&self, side: Side) -> &Path {
        &side.of(self.sides).output
    }

    /// Where the trace of a side's rerun goes.
    pub(super) fn file(&self, side: Side) -> PathBuf {
        self.runs.aside(&format!("rerun-{}.fpt", side.word()))
    }

    /// Runs a side again.
    pub(super) fn again(&self, side: Side, options: Options) -> Result<Recorded, CompareError> {
        self.runs.record_again(&Request { output: self.file(side), options, ..side.of(self.sides).clone() })
    }

    /// Reruns a side to answer a question. The inner error says why the answer does not count: the run went
    /// differently, up to the divergence at `position` or at its end.
    pub(super) fn ask(
        &self,
        side: Side,
        options: Options,
        position: Position,
    ) -> Result<Result<Recorded, String>, CompareError> {
        let recorded = self.again(side, options)?;
        if recorded.notes.cut {
            return Ok(Ok(recorded));
        }
        Ok(match differs(&mut open_recorded(self.trace(side))?, &self.file(side), position)? {
            None => Ok(recorded),
            Some(how) => Err(format!("{} runs differently with the added code: {how}", side.word())),
        })
    }

    /// Notes of both sides, kept from number `start` on; `None` if an answer does not count, with the reason in
    /// `why_not`.
    pub(super) fn notes(
        &self,
        ask: impl Fn(Range<u64>) -> Ask,
        start: u64,
        position: Position,
        why_not: &mut Vec<String>,
    ) -> Result<Option<[Notes; 2]>, CompareError> {
        let mut both = Vec::new();
        for side in Side::BOTH {
            let window = start..start.saturating_add(NOTES_IN_A_DIGEST);
            match self.ask(side, Options { ask: ask(window), ..self.options.clone() }, position)? {
                Ok(recorded) => both.push(recorded.notes),
                Err(why) => {
                    why_not.push(why);
                    return Ok(None);
                }
            }
        }
        Ok(<[Notes; 2]>::try_from(both).ok())
    }

    /// The number of the first note that differs, and the notes of both sides that include it.
    pub(super) fn first_difference(
        &self,
        notes: [Notes; 2],
        ask: impl Fn(Range<u64>) -> Ask,
        position: Position,
    ) -> Result<Option<(u64, [Notes; 2])>, CompareError> {
        let Some(number) = notes[0].first_difference(&notes[1]) else { return Ok(None) };
        if notes.iter().any(|notes| notes.get(number).is_some()) {
            return Ok(Some((number, notes)));
        }
        // Of this note only the digest is known.
        let Some(notes) = self.notes(ask, number, position, &mut Vec::new())? else { return Ok(None) };
        Ok(notes[0].first_difference(&notes[1]).map(|number| (number, notes)))
    }
}

/// How two recordings of one run differ up to an event or at the end, if they do. A known place equals an unknown
/// one. What follows the event may have been recorded in another way.
pub(crate) fn differs(
    first: &mut Timeline,
    again: &Path,
    position: Position,
) -> Result<Option<String>, CompareError> {
    let mut again = open_recorded(again)?;
    let outcomes = [first.trace_mut().outcome()?, again.trace_mut().outcome()?];
    if outcomes[0] != outcomes[1] {
        let words = outcomes.map(|outcome| outcome.map_or("no end".to_string(), |outcome| outcome.to_string()));
        return Ok(Some(format!("{} before, {} now", words[0], words[1])));
    }
    let divergence = match first_divergence(first, &mut again, NanBits::Stop) {
        // With code that reports more than events, there are no digests of them.
        Err(ReplayError::NotComparable { .. }) => first_unequal_held(first, &mut again)?,
        found => found?.divergence.map(|divergence| divergence.position),
    };
    // Where a run was cut short depends on timing.
    let cut_short = outcomes[0].as_ref().is_some_and(Outcome::is_cut_short);
    let end = if cut_short { first.len().min(again.len()).saturating_sub(1) } else { u64::MAX };
    let first = divergence.filter(|at| *at <= position && at.0 < end);
    Ok(first.map(|at| format!("other events from {at} on")))
}
