//! One comparison of two engines, from the first run to the result.

use crate::error::CompareError;
use crate::guard::{Guard, PlainRuns};
use crate::host::HostMode;
use crate::progress::{Progress, Silent};
use crate::reruns::{Asked, Reruns};
use crate::runs::Runs;
use crate::settings::Settings;
use forkpoint_replay::{Report, Verdict};
use forkpoint_tracer::{Program, Request};
use serde::Serialize;

/// A program under two engines.
pub struct Comparison<'a> {
    /// The program.
    pub program: &'a Program,
    /// The two runs, the reference first: each names its engine and the trace to write. The settings choose the
    /// `host`. The guest's output goes where the left request says; the right run prints nothing.
    pub sides: [Request; 2],
    /// How they are compared.
    pub settings: Settings,
    /// Follows its progress.
    pub progress: &'a dyn Progress,
}

/// What a comparison found. Its JSON form is documented in `docs/json.md`.
#[derive(Debug, Serialize)]
pub struct Compared {
    /// What the two traces show.
    #[serde(flatten)]
    pub report: Report,
    /// What reruns found out; `None` where only traces were compared.
    pub reruns: Option<Reruns>,
    /// What runs without recording show; `None` if there were none or one was cut short.
    pub guard: Option<Guard>,
    /// Who answered host calls; `None` where the module has none.
    pub host: Option<HostMode>,
    /// Whether digests of the events were compared, and no traces: the runs agree.
    pub by_digests: bool,
}

impl From<Report> for Compared {
    /// The result of a comparison of two traces alone.
    fn from(report: Report) -> Compared {
        Compared { report, reruns: None, guard: None, host: None, by_digests: false }
    }
}

impl<'a> Comparison<'a> {
    /// A comparison with the default settings and without progress.
    pub fn new(program: &'a Program, sides: [Request; 2]) -> Comparison<'a> {
        Comparison { program, sides, settings: Settings::default(), progress: &Silent }
    }

    /// Runs it: the top-level entry point for comparing two engines.
    ///
    /// # Errors
    /// When a run is not possible, and [`CompareError::Interrupted`] when the user ended it. What an engine does is
    /// not an error.
    pub fn run(&self) -> Result<Compared, CompareError> {
        let mut runs = Runs::new(self.program, &self.settings, self.progress)?;
        let [left, right] = &self.sides;

        // Most runs agree, and that is known for a fraction of a recording's cost.
        let host = self.program.needs_host().then_some(self.settings.host);
        if runs.begins_with_digests(&[left, right])
            && let Some(compared) = runs.agree_by_digests(&self.sides)?
        {
            return Ok(Compared { host, ..compared });
        }

        // The left side's host answers for real, unless it did so for the digests; from here on its log answers every
        // other run. A better trace that replaces this one has the same log.
        let lhs = runs.record_shown(left)?;
        runs.pin(&left.output);
        runs.narrow(left, &lhs)?;

        // Recording changes the code, and only runs without it show what that changes.
        let guarded = self.settings.guard && !runs.live();
        let plain = guarded.then(|| PlainRuns::of(&runs, [left, right])).transpose()?;

        let rhs = runs.record(right)?;
        runs.narrow(right, &rhs)?;

        // The first divergence, and answers that the traces do not give.
        let report = runs.report([&left.output, &right.output])?;
        let mut asked = Asked::new(&runs, [left, right]);
        let (report, recorded, reruns) = asked.ask_all(report, [lhs, rhs])?;

        // Whether the runs would diverge without recording, too.
        let mut compared = Compared { reruns: Some(reruns), host, ..Compared::from(report) };
        if let Some(plain) = plain.filter(|plain| !plain.cut_short() && compared.report.agree.is_some()) {
            let mut guard = plain.judge(&recorded, compared.report.agree == Some(true), runs.symbols());
            guard.repeat(&runs, [left, right], &plain, &recorded, asked.by_hooks());
            if compared.report.agree == Some(true) && guard.observer_effect {
                compared.report = guard.climb(&runs, [left, right], &plain, compared.report)?;
            }
            compared.judge(guard);
        }
        Ok(compared)
    }
}

impl Compared {
    /// Lets the guard's result count for the verdict: nondeterminism if the traces agree, an observer effect always.
    fn judge(&mut self, guard: Guard) {
        let unsteady = self.report.agree == Some(true) && !guard.nondeterminism.is_empty();
        let verdict = match (guard.observer_effect, unsteady) {
            (true, _) => Some(Verdict::ObserverEffect),
            (false, true) => Some(Verdict::Nondeterminism),
            (false, false) => None,
        };
        if let Some(verdict) = verdict {
            self.report.agree = Some(false);
            self.report.verdict = Some(verdict);
            self.report.meaning = Some(verdict.meaning());
        }
        self.guard = Some(guard);
    }
}
