//! The result of one comparison of two engines.

use crate::command_runs::CommandRuns;
use crate::guard::Guard;
use crate::host::HostMode;
use crate::reruns::Reruns;
use forkpoint_replay::{Likeness, Report, Verdict};
use serde::Serialize;

/// What a comparison found. Its JSON form is documented in `docs/json.md`.
#[derive(Debug, Serialize)]
pub struct Compared {
    /// What the two traces show.
    #[serde(flatten)]
    pub report: Report,
    /// In which way the runs diverge, if they do; `None` also where only traces were compared.
    pub likeness: Option<Likeness>,
    /// What reruns found out; `None` where only traces were compared.
    pub reruns: Option<Reruns>,
    /// What runs without recording show; `None` if there were none or one was cut short.
    pub guard: Option<Guard>,
    /// Who answered host calls; `None` where the module has none.
    pub host: Option<HostMode>,
    /// How often the commands of engines that are some were run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<CommandRuns>,
    /// Whether digests of the events were compared, and no traces: the runs agree.
    pub by_digests: bool,
}

impl From<Report> for Compared {
    /// The result of a comparison of two traces alone.
    fn from(report: Report) -> Compared {
        let commands = Vec::new();
        Compared { report, likeness: None, reruns: None, guard: None, host: None, commands, by_digests: false }
    }
}

impl Compared {
    /// Lets the guard's result count for the verdict: nondeterminism if the traces agree, an observer effect always.
    pub(crate) fn judge(&mut self, guard: Guard) {
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
