//! One module under many engines, and which of them agree.
//!
//! One engine is the reference: its host calls answer all other runs, and every other trace is held against its own.
//! An engine that cannot be recorded is a row that says why; the others are compared all the same.

mod grouping;
mod guarding;
mod recordings;

use crate::differences::PlainDifference;
use crate::error::CompareError;
use crate::guard::Guard;
use crate::host::HostMode;
use crate::nondeterminism::Nondeterminism;
use crate::progress::{Progress, Silent};
use crate::reruns::{Asked, Reruns};
use crate::runs::Runs;
use crate::settings::Settings;
use forkpoint_replay::Report;
use forkpoint_tracer::{EngineSpec, Program, Request, Scratch};
use forkpoint_traces::Outcome;
use grouping::group;
use guarding::guard;
use recordings::{EngineRun, record_all};
use serde::{Serialize, Serializer};
use std::path::PathBuf;

/// A program under many engines.
pub struct Survey<'a> {
    /// The program.
    pub program: &'a Program,
    /// How each engine runs: the engine and the output of this request are not used.
    pub base: Request,
    /// The engines. The reference is the first that can answer host calls and whose run comes to an end.
    pub engines: Vec<EngineSpec>,
    /// Where the traces stay; without it they are gone when the survey is done.
    pub folder: Option<PathBuf>,
    /// How the runs are compared.
    pub settings: Settings,
    /// Who follows it.
    pub progress: &'a dyn Progress,
}

/// What many engines made of one module. Its JSON form is documented in `docs/json.md`.
#[derive(Debug, Serialize)]
pub struct Surveyed {
    /// Whether all engines agree; `None` when those that gave an answer do, and not all gave one.
    pub agree: Option<bool>,
    /// Whether all engines with an answer rejected the module the same way, so that nothing ran.
    pub nothing_ran: bool,
    /// The row of the engine that the others are compared with; `None` when no engine could be recorded.
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
}

/// One engine.
#[derive(Debug, Default, Serialize)]
pub struct EngineRow {
    /// As it is written on the command line.
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
    /// The engine's own words about its end.
    pub message: Option<String>,
    /// Why there is no answer.
    pub error: Option<String>,
    /// Whether it did not accept the module, so that nothing ran.
    pub nothing_ran: bool,
    /// The trace, where it is kept.
    pub trace: Option<PathBuf>,
    /// Whether recording changes how the engine's run ends; `None` where that was not looked at.
    pub changed_by_recording: Option<bool>,
    /// What shows that it does not run the module the same way twice.
    pub nondeterminism: Option<Nondeterminism>,
    /// Whether it parts from the reference only with recording, or only without.
    pub observer_effect: bool,
    /// Where it ends otherwise than the reference without recording, the reference as `lhs`.
    pub plain_differences: Vec<PlainDifference>,
    /// With an observer effect: what ways to record were tried, and which of them still shows the difference.
    pub guard: Option<Guard>,
    /// The reference against it, recorded in that way.
    pub divergence: Option<Report>,
    /// What else could not be found out, and why.
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

impl<'a> Survey<'a> {
    /// A survey with the default settings, which nobody follows, and whose traces do not stay.
    pub fn new(program: &'a Program, base: Request, engines: Vec<EngineSpec>) -> Survey<'a> {
        Survey { program, base, engines, folder: None, settings: Settings::default(), progress: &Silent }
    }

    /// Runs it: records every engine, puts those that agree into groups, and finds out where groups diverge.
    ///
    /// # Errors
    /// When there are not two engines, a file cannot be read or written, and [`CompareError::Interrupted`] when the user
    /// ended it. An engine that cannot be recorded is no error.
    pub fn run(&self) -> Result<Surveyed, CompareError> {
        if self.engines.len() < 2 {
            return Err(CompareError::TooFewEngines(self.engines.len()));
        }
        let scratch = Scratch::new().map_err(CompareError::io("creating a temporary folder"))?;
        let folder = self.folder.as_deref().unwrap_or(scratch.path());
        std::fs::create_dir_all(folder).map_err(CompareError::io(format!("creating {}", folder.display())))?;
        let mut runs = Runs::new(self.program, &self.settings, self.progress)?;
        let mut engines: Vec<EngineRun> = self
            .engines
            .iter()
            .enumerate()
            .map(|(index, engine)| {
                let output = folder.join(file_name(index, engine));
                let side = Request { engine: engine.clone(), output, ..self.base.clone() };
                EngineRun { side, recorded: None, kept: self.folder.is_some(), row: EngineRow::of(engine) }
            })
            .collect();

        let reference = record_all(&mut runs, &mut engines)?;
        let (mut groups, mut specification) = (Vec::new(), None);
        if let Some(reference) = reference {
            (groups, specification) = group(&runs, &mut engines, reference);
            for group in &mut groups {
                ask(&runs, &engines, reference, group)?;
            }
            guard(&runs, &mut engines, reference)?;
        }
        let host = self.program.needs_host().then_some(self.settings.host);
        let rows = engines.into_iter().map(EngineRun::into_row).collect();
        Ok(Surveyed { host, specification, ..conclude(rows, groups, reference) })
    }
}

impl EngineRow {
    fn of(engine: &EngineSpec) -> EngineRow {
        EngineRow { engine: engine.to_string(), ..EngineRow::default() }
    }
}

/// Asks in reruns of the reference and a group's first engine what their traces do not tell.
fn ask(runs: &Runs, engines: &[EngineRun], reference: usize, group: &mut EngineGroup) -> Result<(), CompareError> {
    let Some(&index) = group.engines.first().filter(|index| **index != reference) else { return Ok(()) };
    let Some(report) = group.divergence.take() else { return Ok(()) };
    let mut reruns = Reruns::default();
    let asked = Asked::new(runs, [&engines[reference].side, &engines[index].side]);
    group.divergence = Some(asked.ask_more(report, &mut reruns)?);
    group.reruns = Some(reruns);
    Ok(())
}

fn conclude(rows: Vec<EngineRow>, groups: Vec<EngineGroup>, reference: Option<usize>) -> Surveyed {
    let answered: usize = groups.iter().map(|group| group.engines.len()).sum();
    let majority = groups.iter().find(|group| group.engines.len() * 2 > answered).map(|group| group.name.clone());
    let odd = |row: &EngineRow| majority.is_some() && row.group.is_some() && row.group != majority;
    let odd = (0..rows.len()).filter(|index| odd(&rows[*index])).collect();
    let parted = groups.len() > 1
        || groups.iter().any(|group| group.divergence.is_some())
        || rows.iter().any(|row| row.observer_effect || row.nondeterminism.is_some());
    // Engines that reject a module the same way agree in that, and it did not run under any of them.
    let nothing_ran = !parted && answered > 0 && rows.iter().all(|row| row.nothing_ran || row.group.is_none());
    let agree = match (parted, answered == rows.len()) {
        (true, _) => Some(false),
        (false, true) if !nothing_ran => Some(true),
        (false, _) => None,
    };
    Surveyed { agree, nothing_ran, reference, majority, odd, host: None, specification: None, engines: rows, groups }
}

/// A file name that is this engine's alone, since the same engine may be named twice.
fn file_name(index: usize, engine: &EngineSpec) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || "-.+=".contains(c) { c } else { '_' };
    let engine: String = engine.to_string().chars().map(safe).take(60).collect();
    format!("{:02}-{engine}.fpt", index + 1)
}
