//! Reruns that ask more precisely: where a run ended, what follows from results that the specification leaves open,
//! which function first returned otherwise.
//!
//! With a pinned host a run can be had again at will. Each question is a way to rewrite the module; an answer counts
//! only where the run itself came out as before, and what could not be asked is said.

use super::calls::FirstCall;
use super::open_results::FollowsFrom;
use super::places::FoundPlace;
use super::{Comparison, Contender};
use crate::args::HostMode;
use crate::open::recorded as open;
use anyhow::Result;
use forkpoint_replay::{NanBits, Report, Verdict, first_divergence, printable};
use forkpoint_tracer::Recorded;
use forkpoint_tracer::instrument::{Options, Style};
use serde::Serialize;
use std::fmt;
use std::path::{Path, PathBuf};

/// What reruns found out about a divergence. Its JSON form is documented in `docs/json.md`.
#[derive(Debug, Default, Serialize)]
pub struct Reruns {
    /// Where runs ended whose engines do not say so.
    pub places: Vec<FoundPlace>,
    /// That the divergence follows from results that the specification leaves open.
    pub follows_from: Option<FollowsFrom>,
    /// The first call or return that differs.
    pub first_call: Option<FirstCall>,
    /// Whether both sides were recorded again by hooks, whatever the command line says.
    #[serde(skip)]
    pub by_hooks: bool,
    /// What else there is to say about reruns: what could not be found out, and why.
    pub notes: Vec<String>,
}

/// The two sides that are asked again.
pub(super) struct Asked<'a> {
    pub(super) comparison: &'a Comparison<'a>,
    pub(super) sides: [&'a Contender; 2],
    pub(super) traces: &'a [PathBuf; 2],
    /// How the traces were recorded.
    pub(super) base: Options,
}

/// The names of the two sides.
pub(super) const NAMES: [&str; 2] = ["lhs", "rhs"];

impl Asked<'_> {
    /// Where the rerun of a side goes.
    pub(super) fn file(&self, side: usize) -> PathBuf {
        self.comparison.aside.join(format!("rerun-{}.fpt", NAMES[side]))
    }

    /// Runs a side again.
    pub(super) fn again(&self, side: usize, options: Options) -> Result<Recorded> {
        let how = self.comparison.session.how_with(options);
        self.comparison.record(self.sides[side], &self.file(side), Some(how), false)
    }

    /// Runs a side again to ask it something, and says why the answer does not count where the run came out
    /// otherwise than before, up to the divergence at `position` or in the end.
    pub(super) fn ask(
        &self,
        side: usize,
        options: Options,
        position: u64,
    ) -> Result<std::result::Result<Recorded, String>> {
        let recorded = self.again(side, options)?;
        if recorded.notes.cut {
            return Ok(Ok(recorded));
        }
        Ok(match differs(&self.traces[side], &self.file(side), position)? {
            None => Ok(recorded),
            Some(how) => Err(format!("{} runs otherwise when it is asked: {how}", NAMES[side])),
        })
    }
}

/// In what two recordings of one run differ up to an event or in the end, if they do. One that knows a place and one that
/// does not are the same. What lies behind the event may have been recorded in another way.
fn differs(first: &Path, again: &Path, position: u64) -> Result<Option<String>> {
    let (mut first, mut again) = (open(first)?, open(again)?);
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

impl Comparison<'_> {
    /// Whether there is something to ask about a report. Where host calls are answered by the world, no run can be had
    /// again.
    fn asks(&self, report: &Report) -> bool {
        let live = self.ways.host == HostMode::Live && self.session.program.needs_host();
        self.ways.reruns && !live && report.agree != Some(true)
    }

    /// Has both sides recorded by hooks where records were lost, and asks the rest. Gives back the report and the
    /// recordings that are about the traces as they are then.
    pub(super) fn ask_all(
        &self,
        sides: [&Contender; 2],
        traces: &[PathBuf; 2],
        mut report: Report,
        mut recorded: [Recorded; 2],
    ) -> Result<(Report, [Recorded; 2], Reruns)> {
        let mut asked = Asked { comparison: self, sides, traces, base: self.session.options().clone() };
        let mut reruns = Reruns::default();
        if self.asks(&report) {
            match asked.lost_records(&report, &mut reruns) {
                Ok(Some(by_hooks)) => {
                    recorded = by_hooks;
                    reruns.by_hooks = true;
                    asked.base.style = Style::Hooks;
                    report = self.report(traces)?;
                }
                Ok(None) => {}
                Err(error) => reruns.note("whether records were lost", &error),
            }
        }
        let report = asked.ask_more(report, &mut reruns)?;
        Ok((report, recorded, reruns))
    }

    /// Asks what two traces do not tell about their divergence, and gives back the report about them as they are then.
    pub(super) fn ask_more(
        &self,
        sides: [&Contender; 2],
        traces: &[PathBuf; 2],
        report: Report,
    ) -> Result<(Report, Reruns)> {
        let asked = Asked { comparison: self, sides, traces, base: self.session.options().clone() };
        let mut reruns = Reruns::default();
        let report = asked.ask_more(report, &mut reruns)?;
        Ok((report, reruns))
    }
}

impl Asked<'_> {
    /// Asks everything that makes sense. Traces that know more take the place of the others, and then the report is a
    /// new one. A question that fails is no reason to say nothing of what is known.
    fn ask_more(&self, mut report: Report, reruns: &mut Reruns) -> Result<Report> {
        if !self.comparison.asks(&report) {
            return Ok(report);
        }
        match self.places(&report, reruns) {
            Ok(true) => report = self.comparison.report(self.traces)?,
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
    fn note(&mut self, what: &str, error: &anyhow::Error) {
        self.notes.push(format!("it could not be found out {what}: {}", printable(&format!("{error:#}"))));
    }

    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty() && self.follows_from.is_none() && self.first_call.is_none() && self.notes.is_empty()
    }
}

impl fmt::Display for Reruns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.places.iter().try_for_each(|place| writeln!(f, "{place}"))?;
        if let Some(follows) = &self.follows_from {
            writeln!(f, "{follows}")?;
        }
        if let Some(call) = &self.first_call {
            writeln!(f, "{call}")?;
        }
        self.notes.iter().try_for_each(|note| writeln!(f, "Note: {note}."))
    }
}
