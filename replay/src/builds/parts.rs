//! What a comparison of two builds holds: its JSON form is documented in `docs/json.md`.

use super::layout::BuildLayout;
use super::place::{BuildPlace, DifferingBytes, FollowedStores};
use super::unlike::BuildVerdict;
use super::walk::Seen;
use crate::report::{EventReport, ModuleReport, SideReport};
use forkpoint_traces::Position;
use serde::Serialize;

/// What a comparison of two builds found. Its JSON form is documented in `docs/json.md`.
#[derive(Debug, Clone, Serialize)]
pub struct BuildsReport {
    /// Whether both builds do the same in all that an observer sees. `None`: no answer, see `reason`.
    pub agree: Option<bool>,
    /// Why there is no answer.
    pub reason: Option<String>,
    /// In what they differ first.
    pub verdict: Option<BuildVerdict>,
    /// The same in words.
    pub meaning: Option<&'static str>,
    /// What exactly differs.
    pub difference: Option<String>,
    /// Whether addresses mean the same in both.
    pub layout: BuildLayout,
    /// What was compared and is the same.
    pub compared: ComparedSteps,
    /// Of builds that differ: where their stores part, if addresses mean the same in both.
    pub followed: Option<FollowedStores>,
    /// Where memory differs: at the first difference, or at the end.
    pub memory: DifferingBytes,
    /// The first few places of such bytes; what the host read first, then those that both builds wrote, in the order in which
    /// they were written.
    pub places: Vec<BuildPlace>,
    /// Results that differ in bits of NaNs only.
    pub nan_results: u64,
    /// What limits the answer, as sentences.
    pub notes: Vec<String>,
    /// The left build and its run.
    pub lhs: BuildReport,
    /// The right build and its run.
    pub rhs: BuildReport,
    /// What an observer saw last before the first difference.
    pub context: Vec<SeenRow>,
}

/// How much of two runs was compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct ComparedSteps {
    /// All that an observer saw.
    pub seen: u64,
    /// Calls of exports.
    pub calls: u64,
    /// Calls of the host.
    pub host_calls: u64,
    /// Times that a memory grew.
    pub growths: u64,
    /// At how many of these moments memory differed.
    pub memory_differed: u64,
}

/// One of the two builds.
#[derive(Debug, Clone, Serialize)]
pub struct BuildReport {
    /// The module.
    pub module: ModuleReport,
    /// Its run.
    pub run: SideReport,
    /// What it did where the builds differ first.
    pub event: Option<EventReport>,
}

/// Something that an observer saw of both builds.
#[derive(Debug, Clone, Serialize)]
pub struct SeenRow {
    /// Its position in the left trace.
    pub lhs: Position,
    /// In the right one.
    pub rhs: Position,
    /// The event of the left build, in one line.
    pub event: String,
}

impl ComparedSteps {
    pub(super) fn count(&mut self, seen: &Seen) {
        self.seen += 1;
        match seen {
            Seen::Call { .. } => self.calls += 1,
            Seen::HostCall(_) => self.host_calls += 1,
            Seen::Grown { .. } => self.growths += 1,
            _ => {}
        }
    }
}
