//! A comparison in words and as data: what a bug report quotes and what `--json` prints.

mod ended;
mod parts;
mod places;
mod runs;
mod text;

use crate::allowed::{allowed, trapped_otherwise};
use crate::describe::{describe, describe_with_place, directive_words};
use crate::divergence::{Divergence, Found, both_observed, first_divergence};
use crate::error::ReplayError;
use crate::machine;
use crate::nan::NanBits;
use crate::side::Side;
use crate::symbols::Item;
use crate::timeline::Timeline;
use crate::verdict::Verdict;
use forkpoint_traces::{Event, Hex, HostEvent, Milestone, Outcome, Position};
pub use parts::{
    BetweenReport, ContextRow, CulpritReport, EventReport, ModuleReport, NanReport, PlaceReport, Report, SideReport,
    SiteReport,
};
use places::{site_of, writer};
use runs::{asked_for, not_asked, specification};
pub(crate) use runs::{module, side};
use std::sync::Arc;

impl Report {
    /// Compares two traces. `context` events before and after the divergence are shown.
    ///
    /// # Errors
    /// When the traces are of different modules, or damaged where it matters.
    pub fn new(
        lhs: &mut Timeline,
        rhs: &mut Timeline,
        context: u64,
        nan_bits: NanBits,
    ) -> Result<Report, ReplayError> {
        let Found { mut divergence, nan, cut_short } = first_divergence(lhs, rhs, nan_bits)?;
        if divergence.is_none() {
            divergence = both_observed(lhs, rhs)?;
        }
        let mut report = Report {
            agree: Some(divergence.is_none()),
            reason: None,
            nothing_ran: false,
            not_asked: not_asked(lhs, rhs),
            verdict: None,
            meaning: None,
            position: None,
            directive: None,
            site: None,
            between: None,
            memory: None,
            memory_name: None,
            address: None,
            before: None,
            last_writer: None,
            written_before: None,
            elsewhere: None,
            culprit: None,
            during: None,
            host_call: None,
            nan_bits: nan.map(|nan| NanReport {
                first: nan.first,
                count: nan.count,
                leads_to_divergence: divergence
                    .as_ref()
                    .and_then(|divergence| divergence.lhs.as_ref().zip(divergence.rhs.as_ref()))
                    .is_some_and(|(left, right)| nan.leads_to(left, right)),
            }),
            allowed: None,
            resync: None,
            resync_equal: None,
            specification: specification(lhs),
            machine: None,
            asked_for: asked_for(lhs, rhs),
            module: module(lhs),
            lhs: side(lhs)?,
            rhs: side(rhs)?,
            context: Vec::new(),
        };
        match divergence {
            Some(divergence) => report.explain(lhs, rhs, &divergence, context)?,
            None => report.agreement(lhs, rhs, cut_short)?,
        }
        Ok(report)
    }

    /// The report on one of the runs.
    pub fn side(&self, side: Side) -> &SideReport {
        side.of([&self.lhs, &self.rhs])
    }

    /// Both have the same events: they agree only if both ran to an end.
    fn agreement(
        &mut self,
        lhs: &mut Timeline,
        rhs: &mut Timeline,
        cut_short: Option<String>,
    ) -> Result<(), ReplayError> {
        for (side, timeline) in [("left", &*lhs), ("right", &*rhs)] {
            if let Some(why) = timeline.trace().incomplete() {
                self.agree = None;
                self.reason = Some(format!(
                    "the runs agree on {} events, but the {side} trace is incomplete: {why}",
                    lhs.len().min(rhs.len())
                ));
                return Ok(());
            }
        }
        if cut_short.is_some() {
            self.agree = None;
            self.reason = cut_short;
            return Ok(());
        }
        let Some(outcome) = lhs.trace_mut().outcome()? else { return Ok(()) };
        self.nothing_ran = match outcome {
            Outcome::Rejected { stage } => {
                self.reason = Some(format!("both engines rejected the module at {stage}, so nothing ran"));
                true
            }
            Outcome::NotRun => {
                self.reason =
                    Some("both engines compiled the module, which is not valid, so nothing ran".to_string());
                true
            }
            Outcome::NoRoom => {
                self.agree = None;
                self.reason = Some(format!("some of the requested calls did not run on either side: {outcome}"));
                false
            }
            _ => false,
        };
        if self.nothing_ran {
            self.agree = None;
        }
        Ok(())
    }

    fn explain(
        &mut self,
        lhs: &mut Timeline,
        rhs: &mut Timeline,
        divergence: &Divergence,
        context: u64,
    ) -> Result<(), ReplayError> {
        let symbols = Arc::clone(lhs.symbols());
        let sites = lhs.trace().sites().clone();
        if divergence.verdict.is_no_answer() {
            self.agree = None;
            self.reason = Some(divergence.verdict.meaning().to_string());
        }
        if let Some(refusal) = machine::refusal(lhs, rhs, divergence) {
            if refusal.certain {
                self.agree = None;
                self.reason = Some(refusal.words.clone());
            }
            self.machine = Some(refusal.words);
        }
        self.verdict = Some(divergence.verdict);
        self.meaning = Some(divergence.verdict.meaning());
        self.position = Some(divergence.position);
        self.directive = directive_around(lhs, divergence.position)?;
        let place = |event: &Option<Event>, timeline: &Timeline| {
            event.as_ref().and_then(|event| ended::place(event, timeline, &sites, &symbols))
        };
        self.lhs.site = place(&divergence.lhs, lhs);
        self.rhs.site = place(&divergence.rhs, rhs);
        match ended::ended_side(divergence) {
            None => self.site = self.lhs.site.clone().or_else(|| self.rhs.site.clone()),
            Some(side) => {
                // An instruction of the side that continued is not where the other one ended.
                let ends = |event: &Option<Event>| event.as_ref().is_some_and(ended::ends_run);
                let both = ends(&divergence.lhs) && ends(&divergence.rhs);
                self.site = match side {
                    Side::Lhs if both => self.lhs.site.clone().or_else(|| self.rhs.site.clone()),
                    side => self.side(side).site.clone(),
                };
                if self.site.is_none() {
                    let sides = [&mut *lhs, &mut *rhs];
                    self.between = ended::between(side, divergence.position, sides, &sites, &symbols)?;
                }
            }
        }
        let mut culprit = |place: Option<(Side, Position)>| -> Result<Option<CulpritReport>, ReplayError> {
            let Some((side, position)) = place else { return Ok(None) };
            let event = side.of([&mut *lhs, &mut *rhs]).event(position)?;
            let site = site_of(&event, &sites, &symbols);
            let event = EventReport { position, event: describe(&event, &sites, &symbols), site };
            Ok(Some(CulpritReport { side, event }))
        };
        (self.culprit, self.during) = (culprit(divergence.culprit)?, culprit(divergence.during)?);
        // Found bytes have no instruction: the store responsible is what matters.
        let responsible = match divergence.verdict {
            Verdict::UncommittedStore | Verdict::OutOfBounds | Verdict::Instance => &self.culprit,
            Verdict::UnrecordedWrite => &self.during,
            _ => &None,
        };
        if let Some(responsible) = responsible {
            self.site.clone_from(&responsible.event.site);
        }
        if matches!(divergence.lhs, Some(Event::Host(_))) && divergence.verdict == Verdict::HostWrite {
            self.host_call =
                host_call_around(lhs, divergence.position)?.map(|event| describe(&event, &sites, &symbols));
        }
        let site = self.site.as_ref().map(|site| site.place.0);
        self.allowed = trapped_otherwise(divergence.lhs.as_ref(), divergence.rhs.as_ref())
            .or_else(|| allowed(divergence.verdict, site, &symbols, &lhs.trace().header().specification));
        self.resync = divergence.resync.map(|resync| [resync.lhs, resync.rhs]);
        self.resync_equal = divergence.resync.map(|resync| resync.equal);
        self.lhs.describe(divergence.lhs.as_ref(), &sites, &symbols);
        self.rhs.describe(divergence.rhs.as_ref(), &sites, &symbols);
        self.elsewhere = match &divergence.elsewhere {
            Some(effect) => Some(PlaceReport::new(effect, rhs, &sites, &symbols)?),
            None => None,
        };
        if let Some(effect) = &divergence.memory {
            self.memory = Some(effect.memory);
            self.memory_name = symbols.item_name(Item::Memory, effect.memory.0);
            self.address = Some(effect.address);
            self.before = Some(Hex(effect.before.clone()));
            self.lhs.after = Some(Hex(effect.lhs_after.clone()));
            self.rhs.after = Some(Hex(effect.rhs_after.clone()));
            self.last_writer = writer(effect, lhs, &sites, &symbols)?;
            self.written_before = effect.written_before;
        }
        let at = divergence.position.0;
        for position in (at.saturating_sub(context)..=at.saturating_add(context)).map(Position) {
            let line = |timeline: &mut Timeline| -> Result<Option<String>, ReplayError> {
                if position.0 >= timeline.len() || timeline.trace().gap(position).is_some() {
                    return Ok(None);
                }
                let event = timeline.event(position)?;
                Ok(Some(describe_with_place(&event, &sites, &symbols)))
            };
            let (left, right) = (line(lhs)?, line(rhs)?);
            if left.is_none() && right.is_none() {
                continue;
            }
            let equal = left.is_some() && right.is_some() && lhs.same_event(position, rhs, position)?;
            let rhs = right.filter(|_| !equal);
            self.context.push(ContextRow { position, equal, lhs: left, rhs });
        }
        Ok(())
    }
}

/// The directive of a script that the event at `position` belongs to, in words.
fn directive_around(timeline: &mut Timeline, position: Position) -> Result<Option<String>, ReplayError> {
    let Some(program) = timeline.trace().header().program.clone() else { return Ok(None) };
    let last = position.0.min(timeline.len().saturating_sub(1));
    for at in (last.saturating_sub(MAX_STEPS)..=last).rev().map(Position) {
        if timeline.trace().gap(at).is_some() {
            break;
        }
        if let Event::Milestone(Milestone::Directive { number }) = timeline.event(at)? {
            let directive = program.directives.get(number as usize);
            return Ok(directive.map(|directive| directive_words(&program, directive)));
        }
    }
    Ok(None)
}

/// Most steps of a host call, or events of a directive, to go back to find its beginning.
const MAX_STEPS: u64 = 1 << 16;

/// The host call that the step at `position` belongs to.
fn host_call_around(timeline: &mut Timeline, position: Position) -> Result<Option<Event>, ReplayError> {
    for back in 1..=position.0.min(MAX_STEPS) {
        if timeline.trace().gap(Position(position.0 - back)).is_some() {
            break;
        }
        match timeline.event(Position(position.0 - back))? {
            call @ Event::Host(HostEvent::Call(_)) => return Ok(Some(call)),
            Event::Host(HostEvent::Write { .. } | HostEvent::Grow { .. }) => {}
            _ => break,
        }
    }
    Ok(None)
}
