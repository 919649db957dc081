//! Reruns that ask more questions: where a run ended, what follows from results that the specification leaves open,
//! which function first returned a different value, who wrote bytes last that a window does not show.
//!
//! With a pinned host a run can be repeated at will. Each question is a way to rewrite the module; an answer counts
//! only if the run itself went as before, and a question without an answer is noted.

mod asked;
mod calls;
mod lost;
mod open_results;
mod places;
mod writers;

pub(crate) use asked::{Asked, differs};
pub use calls::{FirstCall, Unlike};
pub use open_results::{FirstNan, FollowsFrom, LeftOpen};
pub use places::FoundPlace;

use crate::error::{CompareError, in_one_line};
use crate::settings::Reask;
use forkpoint_replay::{Report, Side, Verdict, printable};
use forkpoint_tracer::Recorded;
use forkpoint_tracer::instrument::Style;
use serde::Serialize;

/// What reruns found out about a divergence. Its JSON form is documented in `docs/json.md`.
#[derive(Debug, Default, Serialize)]
pub struct Reruns {
    /// Where runs ended whose engines do not report it.
    pub places: Vec<FoundPlace>,
    /// That the divergence follows from results that the specification leaves open.
    pub follows_from: Option<FollowsFrom>,
    /// The first call or return that differs.
    pub first_call: Option<FirstCall>,
    /// Further notes on reruns: what could not be determined, and why.
    pub notes: Vec<String>,
}

impl Asked<'_> {
    /// Whether there is something to ask about a report. If host calls are answered for real, no run can be repeated.
    fn asks(&self, report: &Report) -> bool {
        let asks = self.runs.settings.reruns != Reask::Never && self.runs.program.parts().is_none();
        asks && !self.runs.live() && report.agree != Some(true)
    }

    /// The side that can be asked for nothing but events.
    fn events_only(&self) -> Option<Side> {
        Side::BOTH.into_iter().find(|side| side.of(self.sides).engine.needs_reference())
    }

    /// Records both sides by hooks if records were lost, then asks the other questions. Returns the report and the
    /// recordings that belong to the traces as they are then.
    pub fn ask_all(
        &mut self,
        mut report: Report,
        mut recorded: [Recorded; 2],
    ) -> Result<(Report, [Recorded; 2], Reruns), CompareError> {
        let mut reruns = Reruns::default();
        if self.asks(&report) && self.events_only().is_none() {
            match self.lost_records(&report, &mut reruns.notes) {
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

    /// Asks what the traces do not show about their divergence. Better traces replace the others and get a new
    /// report. If a question fails, what is known is kept.
    pub fn ask_more(&self, mut report: Report, reruns: &mut Reruns) -> Result<Report, CompareError> {
        if !self.asks(&report) {
            return Ok(report);
        }
        if let Some(side) = self.events_only() {
            reruns.notes.push(format!(
                "{} gives one answer a run, so where a run ended, NaNs, and the first call that differs are not asked for",
                side.word()
            ));
            return Ok(report);
        }
        match self.places(&report, &mut reruns.places, &mut reruns.notes) {
            // Traces were replaced by others that name the places.
            Ok(()) if !reruns.places.is_empty() => report = self.report()?,
            Ok(()) => {}
            Err(error) => reruns.note("where a side ended", &error),
        }
        if let Err(error) = self.last_writers(&mut report, &mut reruns.notes) {
            reruns.note("who wrote there last", &error);
        }
        if report.agree == Some(false) && is_computed(report.verdict) {
            let mut why_not = Vec::new();
            let what = "whether it follows from results that the specification leaves open";
            match self.open_results(&mut report, &mut why_not) {
                Ok(found) => reruns.follows_from = found,
                Err(error) => reruns.note(what, &error),
            }
            reruns.unanswered(what, &mut why_not);
            if reruns.follows_from.is_none() {
                let what = "which function first returned a different value";
                match self.first_call(&report, &mut why_not) {
                    Ok(found) => reruns.first_call = found,
                    Err(error) => reruns.note(what, &error),
                }
                reruns.unanswered(what, &mut why_not);
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
        self.unanswered(what, &mut vec![printable(&in_one_line(error))]);
    }

    /// Says why a question has no answer.
    fn unanswered(&mut self, what: &str, why_not: &mut Vec<String>) {
        self.notes.extend(why_not.drain(..).map(|why| format!("forkpoint could not find out {what}: {why}")));
    }

    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty() && self.follows_from.is_none() && self.first_call.is_none() && self.notes.is_empty()
    }
}
