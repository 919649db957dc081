//! One comparison of two engines, from the first run to the result.

use crate::compared::Compared;
use crate::digests::{ByDigests, Parting};
use crate::error::CompareError;
use crate::guard::PlainRuns;
use crate::host::HostMode;
use crate::progress::{Progress, Silent};
use crate::recording::Recording;
use crate::reruns::{Asked, Reruns};
use crate::runs::{Runs, at_once, with_way};
use crate::settings::{Reask, Settings};
use forkpoint_replay::{Likeness, Report};
use forkpoint_tracer::{Program, Recorded, Request};

/// A program under two engines.
pub struct Comparison<'a> {
    /// The program.
    pub program: &'a Program,
    /// The two runs, the reference first: each names its engine and the trace to write. The settings choose the
    /// `host`. The guest's output goes where the left request says; the right run prints nothing.
    pub sides: [Request; 2],
    /// What there is of the left run already: then it answers the host calls of all runs, and the left request says how it is
    /// run again for what it does not tell.
    pub recording: Option<&'a Recording>,
    /// How they are compared.
    pub settings: Settings,
    /// Follows its progress.
    pub progress: &'a dyn Progress,
}

impl<'a> Comparison<'a> {
    /// A comparison with the default settings and without progress.
    pub fn new(program: &'a Program, sides: [Request; 2]) -> Comparison<'a> {
        Comparison { program, sides, recording: None, settings: Settings::default(), progress: &Silent }
    }

    /// Runs it: the top-level entry point for comparing two engines.
    ///
    /// # Errors
    /// When a run is not possible, and [`CompareError::Interrupted`] when the user ended it. What an engine does is
    /// not an error.
    pub fn run(&self) -> Result<Compared, CompareError> {
        let mut runs = Runs::new(self.program, &self.settings, self.progress)?;
        let compared = self.compared(&mut runs)?;
        Ok(Compared { commands: runs.commands.all(), ..compared })
    }

    fn compared(&self, runs: &mut Runs) -> Result<Compared, CompareError> {
        if let Some(recording) = self.recording {
            return self.against(recording, runs);
        }
        let sides = [with_way(&self.sides[0])?, with_way(&self.sides[1])?];
        let [left, right] = &sides;

        // Most runs agree, and that is known for a fraction of a recording's cost. If not, it is known where to look.
        if runs.begins_with_digests(&[left, right]) {
            match runs.compare_digests(&sides)? {
                ByDigests::Agree(compared) => return Ok(Compared { host: self.answered_by(), ..*compared }),
                ByDigests::Part(parting) => {
                    let sides = sides.each_ref().map(|side| parting.window(side));
                    if let Some(compared) = self.record_and_compare(runs, &sides, Some(&parting))? {
                        return Ok(compared);
                    }
                }
                ByDigests::Unknown => {}
            }
        }
        let compared = self.record_and_compare(runs, &sides, None)?;
        Ok(compared.expect("full recordings always give a result"))
    }

    /// Who answers host calls, if the module makes any.
    fn answered_by(&self) -> Option<HostMode> {
        self.program.needs_host().then_some(self.settings.host)
    }

    /// Records both sides and compares them. `None` if windows around a `parting` were recorded and do not show it.
    fn record_and_compare(
        &self,
        runs: &mut Runs,
        [left, right]: &[Request; 2],
        parting: Option<&Parting>,
    ) -> Result<Option<Compared>, CompareError> {
        // Recording changes the code, and only runs without it show what that changes.
        let guarded = self.settings.guard && !runs.live();
        let plain = |runs: &Runs| guarded.then(|| PlainRuns::of(runs, [left, right])).transpose();

        // The first divergence.
        let (recorded, plain, report) = if let Some(parting) = parting {
            // The host has answered for the digests.
            let (lhs, rhs) = at_once(|| runs.record(left), || runs.record(right));
            let recorded = [lhs?, rhs?];
            let report = runs.report([&left.output, &right.output]).ok();
            match report.filter(|report| report.agree == Some(false) && report.position.is_some()) {
                Some(report) if (0..).zip(&recorded).all(|(side, run)| parting.is_of(side, run)) => {
                    (recorded, plain(runs)?, report)
                }
                _ => return Ok(None),
            }
        } else {
            // The left side's host answers for real, unless it did so for the digests; from here on its log answers every
            // other run. A better trace that replaces this one has the same log.
            let waits = self.program.needs_host() || right.engine.needs_reference();
            let (lhs, early) = match waits {
                true => (runs.record_shown(left)?, None),
                false => {
                    let (lhs, rhs) = at_once(|| runs.record_shown(left), || runs.record(right));
                    (lhs?, Some(rhs?))
                }
            };
            runs.pin(&left.output);
            runs.refer(&left.output);
            runs.narrow(left, &lhs)?;
            let plain = plain(runs)?;
            let rhs = early.map_or_else(|| runs.record(right), Ok)?;
            runs.narrow(right, &rhs)?;
            ([lhs, rhs], plain, runs.report([&left.output, &right.output])?)
        };

        self.conclude(runs, [left, right], recorded, plain, report).map(Some)
    }

    /// Compares a recording with what the right engine makes of it.
    fn against(&self, recording: &Recording, runs: &mut Runs) -> Result<Compared, CompareError> {
        let [left, shown] = &self.sides;
        let (shown, right) = (&with_way(shown)?, &with_way(&Request { echo: false, ..shown.clone() })?);
        runs.answer_by(recording.file());
        runs.refer(recording.file());
        let guarded = self.settings.guard;
        let (again, rhs) = match guarded {
            true => {
                let (again, rhs) = at_once(|| recording.again(runs, left), || runs.record_shown(shown));
                (Some(again?), rhs?)
            }
            false => (None, runs.record_shown(shown)?),
        };
        runs.narrow(right, &rhs)?;
        let mut report = recording.report(runs, &right.output)?;
        if again.is_none() && (report.agree == Some(true) || self.settings.reruns == Reask::Never) {
            return Ok(Compared { reruns: Some(Reruns::default()), ..Compared::from(report) });
        }
        let lhs = match again.map_or_else(|| recording.again(runs, left), Ok)? {
            Ok(lhs) => lhs,
            Err(why) => return Ok(recording.unasked(report, &why)),
        };
        if lhs.mismatches.count > 0 {
            runs.narrow(left, &lhs)?;
            report = runs.report([&left.output, &right.output])?;
        }
        let plain = guarded.then(|| PlainRuns::with(|| recording.plain(runs, left), runs, [left, right]));
        self.conclude(runs, [left, right], [lhs, rhs], plain.transpose()?, report)
    }

    /// Asks what traces do not tell, and whether the runs would diverge without recording, too.
    fn conclude(
        &self,
        runs: &Runs,
        sides: [&Request; 2],
        recorded: [Recorded; 2],
        plain: Option<PlainRuns>,
        report: Report,
    ) -> Result<Compared, CompareError> {
        let mut asked = Asked::new(runs, sides);
        let (report, recorded, reruns) = asked.ask_all(report, recorded)?;

        // Whether the runs would diverge without recording, too.
        let mut compared = Compared { reruns: Some(reruns), host: self.answered_by(), ..Compared::from(report) };
        if let Some(plain) = plain.filter(|plain| !plain.cut_short() && compared.report.agree.is_some()) {
            let mut guard = plain.judge(&recorded, compared.report.agree == Some(true), runs.symbols());
            guard.repeat(runs, sides, &plain, &recorded, asked.by_hooks());
            if compared.report.agree == Some(true) && guard.observer_effect && self.program.parts().is_none() {
                compared.report = guard.climb(runs, sides, &plain, compared.report)?;
            }
            compared.judge(guard);
        }
        compared.likeness = Likeness::of(&compared.report);
        Ok(compared)
    }
}
