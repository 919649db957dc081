//! The result of a survey: a row for each engine, and which of them agree.

use crate::command_runs::CommandRuns;
use crate::differences::PlainDifference;
use crate::guard::Guard;
use crate::host::HostMode;
use crate::nondeterminism::Nondeterminism;
use crate::reruns::Reruns;
use forkpoint_replay::Report;
use forkpoint_tracer::{EngineSpec, Recorded, Request};
use forkpoint_traces::Outcome;
use serde::{Serialize, Serializer};
use std::path::PathBuf;

/// What many engines did with one module. Its JSON form is documented in `docs/json.md`.
#[derive(Debug, Serialize)]
pub struct Surveyed {
    /// Whether all engines agree; `None` if those with an answer do, and some gave none.
    pub agree: Option<bool>,
    /// Whether all engines with an answer rejected the module the same way, so that nothing ran.
    pub nothing_ran: bool,
    /// The row of the engine that the others are compared with; `None` if no engine could be recorded.
    pub reference: Option<usize>,
    /// The group that more than half of the engines with an answer are in.
    pub majority: Option<String>,
    /// The rows with an answer that are not in that group; empty without a majority.
    pub odd: Vec<usize>,
    /// Who answered host calls; `None` where the module has none.
    pub host: Option<HostMode>,
    /// What the specification says of the module, whatever the engines do.
    pub specification: Option<String>,
    /// The engines, in the order in which they were given.
    pub engines: Vec<EngineRow>,
    /// Which of them agree, the reference's group first.
    pub groups: Vec<EngineGroup>,
    /// How often the commands of engines that are some were run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<CommandRuns>,
}

/// One engine.
#[derive(Debug, Default, Serialize)]
pub struct EngineRow {
    /// The engine as written on the command line.
    pub engine: String,
    /// The group's name; `None` where there is no answer.
    pub group: Option<String>,
    /// Length of its trace.
    pub events: Option<u64>,
    /// How its run ended.
    #[serde(serialize_with = "outcome_in_words")]
    pub outcome: Option<Outcome>,
    /// The host that answered its calls for real, if one did.
    pub host: Option<String>,
    /// The engine's own message about its end.
    pub message: Option<String>,
    /// Why there is no answer.
    pub error: Option<String>,
    /// Whether it rejected the module, so that nothing ran.
    pub nothing_ran: bool,
    /// The trace, where it is kept.
    pub trace: Option<PathBuf>,
    /// Whether recording changes how the engine's run ends; `None` if that was not checked.
    pub changed_by_recording: Option<bool>,
    /// Evidence that it does not run the module the same way twice.
    pub nondeterminism: Option<Nondeterminism>,
    /// Whether it diverges from the reference only with recording, or only without.
    pub observer_effect: bool,
    /// How its end differs from the reference's without recording, with the reference as `lhs`.
    pub plain_differences: Vec<PlainDifference>,
    /// With an observer effect: what ways to record were tried, and which of them still shows the difference.
    pub guard: Option<Guard>,
    /// The reference against it, recorded in that way.
    pub divergence: Option<Report>,
    /// What else could not be determined, and why.
    pub notes: Vec<String>,
}

fn outcome_in_words<S: Serializer>(outcome: &Option<Outcome>, serializer: S) -> Result<S::Ok, S::Error> {
    outcome.as_ref().map(ToString::to_string).serialize(serializer)
}

/// Engines whose traces are the same event for event.
#[derive(Debug, Serialize)]
pub struct EngineGroup {
    /// `A`, `B` and so on.
    pub name: String,
    /// Their rows.
    pub engines: Vec<usize>,
    /// The reference against the first of them; `None` where there is nothing to report.
    pub divergence: Option<Report>,
    /// What reruns of these two found out.
    pub reruns: Option<Reruns>,
}

impl EngineRow {
    /// Whether the guard found anything that a full recording may explain.
    pub(super) fn is_remarkable(&self) -> bool {
        self.changed_by_recording == Some(true)
            || self.nondeterminism.is_some()
            || self.observer_effect
            || !self.plain_differences.is_empty()
            || !self.notes.is_empty()
    }

    fn of(engine: &EngineSpec) -> EngineRow {
        EngineRow { engine: engine.to_string(), ..EngineRow::default() }
    }
}

/// One engine of a survey.
pub(super) struct EngineRun {
    /// How it runs, and its trace.
    pub side: Request,
    /// Its recording, if there is one.
    pub recorded: Option<Recorded>,
    /// Whether its trace stays.
    pub kept: bool,
    /// What is known about it.
    pub row: EngineRow,
}

impl EngineRun {
    /// An engine that is not yet recorded, and whose trace does not stay.
    pub fn of(side: Request) -> EngineRun {
        EngineRun { recorded: None, kept: false, row: EngineRow::of(&side.engine), side }
    }

    /// What is known about the engine, with its trace if that is kept.
    pub fn into_row(self) -> EngineRow {
        let trace = (self.kept && self.side.output.exists()).then_some(self.side.output);
        EngineRow { trace, ..self.row }
    }
}
