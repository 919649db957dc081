//! One module under many engines, and which of them agree.
//!
//! One engine is the reference: the log of its host calls answers all other runs, and every other trace is compared
//! with its trace. An engine that cannot be recorded gets a row with the reason; the others are still compared.

mod grouping;
mod guarding;
mod recordings;
mod rows;

pub use rows::{EngineGroup, EngineRow, Surveyed};

use crate::agreement::same_digests;
use crate::digests::{ByDigests, Parting};
use crate::error::CompareError;
use crate::progress::{Progress, Silent};
use crate::reruns::{Asked, Reruns};
use crate::runs::{Runs, with_way};
use crate::settings::Settings;
use forkpoint_replay::printable;
use forkpoint_tracer::instrument::Commit;
use forkpoint_tracer::{EngineSpec, Program, Request, Scratch};
use grouping::group;
use guarding::guard;
use recordings::record_all;
use rows::EngineRun;
use std::path::PathBuf;

/// A program under many engines.
pub struct Survey<'a> {
    /// The program.
    pub program: &'a Program,
    /// How each engine runs; the engine and the output of this request are not used.
    pub base: Request,
    /// The engines. The reference is the first that can answer host calls and finishes its run.
    pub engines: Vec<EngineSpec>,
    /// Where the traces are kept; without it they are deleted when the survey is done.
    pub folder: Option<PathBuf>,
    /// How the runs are compared.
    pub settings: Settings,
    /// Follows its progress.
    pub progress: &'a dyn Progress,
}

impl<'a> Survey<'a> {
    /// A survey with the default settings, without progress, whose traces are not kept.
    pub fn new(program: &'a Program, base: Request, engines: Vec<EngineSpec>) -> Survey<'a> {
        Survey { program, base, engines, folder: None, settings: Settings::default(), progress: &Silent }
    }

    /// Runs it: records every engine, groups those that agree, and finds out where the groups diverge.
    ///
    /// # Errors
    /// When there are fewer than two engines, when a file cannot be read or written, and
    /// [`CompareError::Interrupted`] when the user ended it. An engine that cannot be recorded is not an error.
    pub fn run(&self) -> Result<Surveyed, CompareError> {
        if self.engines.len() < 2 {
            return Err(CompareError::TooFewEngines(self.engines.len()));
        }
        let scratch = Scratch::new().map_err(CompareError::io("creating a temporary folder"))?;
        let folder = self.folder.as_deref().unwrap_or(scratch.path());
        std::fs::create_dir_all(folder).map_err(CompareError::io(format!("creating {}", folder.display())))?;
        let mut runs = Runs::new(self.program, &self.settings, self.progress)?;
        let named = self.engines.iter().map(|engine| Request { engine: engine.clone(), ..self.base.clone() });
        let named = named.map(|side| with_way(&side).map(|side| side.engine)).collect::<Result<Vec<_>, _>>()?;
        let mut engines = engine_runs(&self.base, &named, |index, side| {
            let output = folder.join(file_name(index, &side.engine));
            EngineRun { kept: self.folder.is_some(), ..EngineRun::of(Request { output, ..side }) }
        });
        let sides: Vec<&Request> = engines.iter().map(|engine| &engine.side).collect();
        let mut windows = None;
        if runs.begins_with_digests(&sides) {
            match self.by_digests(&mut runs, &named)? {
                ByDigests::Agree(agreed) => return Ok(*agreed),
                ByDigests::Part(parting) => windows = self.windows(&mut runs, &engines, &parting)?,
                ByDigests::Unknown => {}
            }
        }

        let reference = match windows {
            Some((windows, reference)) => {
                engines = windows;
                Some(reference)
            }
            None => record_all(&mut runs, &mut engines)?,
        };
        let (mut groups, mut specification) = (Vec::new(), None);
        if let Some(reference) = reference {
            (groups, specification) = group(&runs, &mut engines, reference);
            for group in &mut groups {
                ask(&runs, &engines, reference, group)?;
            }
            guard(&runs, &mut engines, reference)?;
            let row = &mut engines[reference].row;
            row.host = row.host.take().or_else(|| runs.first_host.clone());
        }
        Ok(self.conclude(&runs, engines, groups, specification, reference))
    }

    /// The same by digests of events.
    fn by_digests(&self, runs: &mut Runs, named: &[EngineSpec]) -> Result<ByDigests<Surveyed>, CompareError> {
        let mut engines = engine_runs(&self.base, named, |index, side| {
            EngineRun::of(runs.by_digests(&side, &format!("digests-{index}.fpt")))
        });
        let Some(reference) = record_all(runs, &mut engines)? else { return Ok(ByDigests::Unknown) };
        let recorded = engines[reference].recorded.as_ref();
        runs.first_host = recorded.and_then(|recorded| recorded.host.as_deref()).map(printable);
        let agrees = |engine: &EngineRun| match (&engine.recorded, recorded) {
            (Some(run), Some(reference)) => same_digests(reference, run),
            _ => true,
        };
        if !engines.iter().all(agrees) {
            let all = engines.iter().map(|engine| engine.recorded.as_ref());
            let parting = recorded.and_then(|reference| runs.digests_part(reference, all, Commit::AtCalls));
            return Ok(parting.map_or(ByDigests::Unknown, ByDigests::Part));
        }
        let (groups, specification) = group(runs, &mut engines, reference);
        guard(runs, &mut engines, reference)?;
        let parted = groups.len() > 1 || groups.iter().any(|group| group.divergence.is_some());
        if parted || engines.iter().any(|engine| engine.row.is_remarkable()) {
            return Ok(ByDigests::Unknown);
        }
        Ok(ByDigests::Agree(Box::new(self.conclude(runs, engines, groups, specification, Some(reference)))))
    }

    /// Records a window of every engine's run around where some part, the reference's first. `None` if that does not show what
    /// the digests do.
    fn windows(
        &self,
        runs: &mut Runs,
        engines: &[EngineRun],
        parting: &Parting,
    ) -> Result<Option<(Vec<EngineRun>, usize)>, CompareError> {
        let mut engines: Vec<EngineRun> = engines
            .iter()
            .map(|engine| EngineRun { kept: engine.kept, ..EngineRun::of(parting.window(&engine.side)) })
            .collect();
        let Some(reference) = record_all(runs, &mut engines)? else { return Ok(None) };
        let same = |(index, engine): (usize, &EngineRun)| {
            engine.recorded.as_ref().is_none_or(|recorded| parting.is_of(index, recorded))
        };
        if !engines.iter().enumerate().all(same) {
            return Ok(None);
        }
        // What the digests tell apart must show in the window, too.
        for (index, engine) in engines.iter().enumerate() {
            if engine.recorded.is_some() && !parting.are_equal(index, reference) {
                let report = runs.report([&engines[reference].side.output, &engine.side.output]).ok();
                if report.is_none_or(|report| report.agree != Some(false) || report.position.is_none()) {
                    return Ok(None);
                }
            }
        }
        Ok(Some((engines, reference)))
    }

    fn conclude(
        &self,
        runs: &Runs,
        engines: Vec<EngineRun>,
        groups: Vec<EngineGroup>,
        specification: Option<String>,
        reference: Option<usize>,
    ) -> Surveyed {
        let host = self.program.needs_host().then_some(self.settings.host);
        let rows = engines.into_iter().map(EngineRun::into_row).collect();
        Surveyed { host, specification, commands: runs.commands.all(), ..conclude(rows, groups, reference) }
    }
}

/// Every engine, not yet recorded: `run` makes it of the engine's number and request.
fn engine_runs(base: &Request, engines: &[EngineSpec], run: impl Fn(usize, Request) -> EngineRun) -> Vec<EngineRun> {
    let side = |engine: &EngineSpec| Request { engine: engine.clone(), ..base.clone() };
    engines.iter().map(side).enumerate().map(|(index, side)| run(index, side)).collect()
}

/// Reruns the reference and a group's first engine to find out what their traces do not show.
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
    // Engines that reject a module the same way agree on that, but none of them ran it.
    let nothing_ran = !parted && answered > 0 && rows.iter().all(|row| row.nothing_ran || row.group.is_none());
    let agree = match (parted, answered == rows.len()) {
        (true, _) => Some(false),
        (false, true) if !nothing_ran => Some(true),
        (false, _) => None,
    };
    let commands = Vec::new();
    let (host, specification) = Default::default();
    Surveyed { agree, nothing_ran, reference, majority, odd, host, specification, commands, engines: rows, groups }
}

/// A file name of this engine's own, since the same engine may be named twice.
fn file_name(index: usize, engine: &EngineSpec) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || "-.+=".contains(c) { c } else { '_' };
    let engine: String = engine.to_string().chars().map(safe).take(60).collect();
    format!("{:02}-{engine}.fpt", index + 1)
}
