//! Reruns that ask more precisely: where a run ended, what follows from results that the specification leaves open,
//! which function first returned otherwise.
//!
//! With a pinned host a run can be had again at will. Each question is a way to rewrite the module; an answer counts
//! only where the run itself came out as before, and what could not be asked is noted.

mod calls;
mod lost;
mod open_results;
mod places;

pub use calls::{FirstCall, Unlike};
pub use open_results::{FirstNan, FollowsFrom, LeftOpen};
pub use places::FoundPlace;

use crate::error::{CompareError, in_one_line};
use crate::files::open_recorded;
use crate::runs::Runs;
use crate::settings::Reask;
use forkpoint_replay::{NanBits, Report, Side, Verdict, first_divergence, printable};
use forkpoint_tracer::instrument::{Options, Style};
use forkpoint_tracer::{Recorded, Request};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// What reruns found out about a divergence. Its JSON form is documented in `docs/json.md`.
#[derive(Debug, Default, Serialize)]
pub struct Reruns {
    /// Where runs ended whose engines do not report it.
    pub places: Vec<FoundPlace>,
    /// That the divergence follows from results that the specification leaves open.
    pub follows_from: Option<FollowsFrom>,
    /// The first call or return that differs.
    pub first_call: Option<FirstCall>,
    /// What else there is to say about reruns: what could not be found out, and why.
    pub notes: Vec<String>,
}

/// The two sides that are asked again.
pub(crate) struct Asked<'a> {
    runs: &'a Runs<'a>,
    sides: [&'a Request; 2],
    /// How their traces were recorded.
    options: Options,
    /// Whether that is by hooks, whatever the requests say.
    by_hooks: bool,
}

impl<'a> Asked<'a> {
    /// Two sides that were recorded as their requests say.
    pub fn new(runs: &'a Runs<'a>, sides: [&'a Request; 2]) -> Asked<'a> {
        Asked { runs, sides, options: sides[0].options.clone(), by_hooks: false }
    }

    /// Whether the traces were recorded again by hooks, whatever the requests say.
    pub fn by_hooks(&self) -> bool {
        self.by_hooks
    }

    /// A side's trace.
    fn trace(&self, side: Side) -> &Path {
        &side.of(self.sides).output
    }

    /// Where the rerun of a side goes.
    fn file(&self, side: Side) -> PathBuf {
        self.runs.aside(&format!("rerun-{}.fpt", side.word()))
    }

    /// Runs a side again.
    fn again(&self, side: Side, options: Options) -> Result<Recorded, CompareError> {
        self.runs.record_again(&Request { output: self.file(side), options, ..side.of(self.sides).clone() })
    }

    /// Runs a side again to ask it something; the inner error says why the answer does not count, where the run came out
    /// otherwise than before, up to the divergence at `position` or in the end.
    fn ask(&self, side: Side, options: Options, position: u64) -> Result<Result<Recorded, String>, CompareError> {
        let recorded = self.again(side, options)?;
        if recorded.notes.cut {
            return Ok(Ok(recorded));
        }
        Ok(match differs(self.trace(side), &self.file(side), position)? {
            None => Ok(recorded),
            Some(how) => Err(format!("{} runs otherwise when it is asked: {how}", side.word())),
        })
    }
}

/// In what two recordings of one run differ up to an event or in the end, if they do. One that knows a place and one that
/// does not are the same. What follows the event may have been recorded in another way.
fn differs(first: &Path, again: &Path, position: u64) -> Result<Option<String>, CompareError> {
    let (mut first, mut again) = (open_recorded(first)?, open_recorded(again)?);
    let outcomes = [first.trace_mut().outcome()?, again.trace_mut().outcome()?];
    if outcomes[0] != outcomes[1] {
        let words = outcomes.map(|outcome| outcome.map_or("no end".to_string(), |outcome| outcome.to_string()));
        return Ok(Some(format!("{} before, {} now", words[0], words[1])));
    }
    let divergence = first_divergence(&mut first, &mut again, NanBits::Stop)?.divergence;
    // Where a run was cut short is a matter of time.
    let cut_short = outcomes[0].as_ref().is_some_and(forkpoint_traces::Outcome::is_cut_short);
    let end = if cut_short { first.len().min(again.len()).saturating_sub(1) } else { u64::MAX };
    let first = divergence.map(|divergence| divergence.position.0).filter(|at| *at <= position && *at < end);
    Ok(first.map(|at| format!("other events from #{at} on")))
}

impl Asked<'_> {
    /// Whether there is something to ask about a report. Where host calls are answered by the world, no run can be had
    /// again.
    fn asks(&self, report: &Report) -> bool {
        self.runs.settings.reruns != Reask::Never && !self.runs.live() && report.agree != Some(true)
    }

    /// Has both sides recorded by hooks where records were lost, and asks the rest. Gives back the report and the
    /// recordings that are about the traces as they are then.
    pub fn ask_all(
        &mut self,
        mut report: Report,
        mut recorded: [Recorded; 2],
    ) -> Result<(Report, [Recorded; 2], Reruns), CompareError> {
        let mut reruns = Reruns::default();
        if self.asks(&report) {
            match self.lost_records(&report, &mut reruns) {
                Ok(Some(by_hooks)) => {
                    recorded = by_hooks;
                    self.by_hooks = true;
                    self.options.style = Style::Hooks;
                    report = self.report()?;
                }
                Ok(None) => {}
                Err(error) => reruns.note("whether records were lost", &error),
            }
        }
        let report = self.ask_more(report, &mut reruns)?;
        Ok((report, recorded, reruns))
    }

    /// Asks what the traces do not tell about their divergence. Traces that know more replace the others, and then the
    /// report is a new one. A question that fails is no reason to drop what is known.
    pub fn ask_more(&self, mut report: Report, reruns: &mut Reruns) -> Result<Report, CompareError> {
        if !self.asks(&report) {
            return Ok(report);
        }
        match self.places(&report, reruns) {
            Ok(true) => report = self.report()?,
            Ok(false) => {}
            Err(error) => reruns.note("where a side ended", &error),
        }
        if report.agree == Some(false) && is_computed(report.verdict) {
            if let Err(error) = self.open_results(&mut report, reruns) {
                reruns.note("whether it follows from results that the specification leaves open", &error);
            }
            if reruns.follows_from.is_none()
                && let Err(error) = self.first_call(&report, reruns)
            {
                reruns.note("which function first returned otherwise", &error);
            }
        }
        Ok(report)
    }

    fn report(&self) -> Result<Report, CompareError> {
        self.runs.report(self.sides.map(|side| side.output.as_path()))
    }
}

/// Whether a divergence is about what instructions compute, and not about what an engine accepts, holds or answers.
fn is_computed(verdict: Option<Verdict>) -> bool {
    matches!(
        verdict,
        Some(
            Verdict::Address
                | Verdict::Value
                | Verdict::Width
                | Verdict::MissingEvent
                | Verdict::ExtraEvent
                | Verdict::ControlFlow
                | Verdict::Grow
                | Verdict::HostCall
                | Verdict::Trap
                | Verdict::EndState
        )
    )
}

impl Reruns {
    fn note(&mut self, what: &str, error: &CompareError) {
        self.notes.push(format!("it could not be found out {what}: {}", printable(&in_one_line(error))));
    }

    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty() && self.follows_from.is_none() && self.first_call.is_none() && self.notes.is_empty()
    }
}
