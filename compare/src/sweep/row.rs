//! One module's result, as a row of a sweep. docs/json.md describes its JSON form.

use crate::command_runs::CommandRuns;
use crate::survey::{EngineGroup, EngineRow, Surveyed};
use forkpoint_replay::{Allowed, Signature, SiteReport, Symbols, Verdict};
use forkpoint_traces::{CodeOffset, FuncIndex, Outcome, Position};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The result of one module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleRow {
    /// The module's name in the input, with the calls that a list gives.
    pub module: String,
    /// BLAKE3 of its binary form; empty when it could not be read.
    pub blake3: String,
    /// Length of its binary form.
    pub bytes: u64,
    /// The calls that were made.
    pub calls: Vec<String>,
    /// Generated calls that were left out because the run with them took too long.
    #[serde(default)]
    pub calls_left_out: u64,
    /// Whether the engines agree.
    pub answer: ModuleAnswer,
    /// Why some engine or all engines gave no answer.
    pub reason: Option<String>,
    /// The engine that the others were compared with.
    pub reference: Option<String>,
    /// What the specification says of the module; `None` if no engine could be recorded.
    pub specification: Option<String>,
    /// Engines that agree with each other, the reference's group first.
    pub groups: Vec<Vec<String>>,
    /// Engines outside the majority.
    pub odd: Vec<String>,
    /// Of a script: what became of its assertions, by engine.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assertions: Vec<EngineAssertions>,
    /// How often the commands of engines that are some were run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<EngineCommands>,
    /// How groups of engines diverge from the reference.
    pub findings: Vec<Deviation>,
    /// How long it took, in milliseconds.
    pub ms: u64,
}

/// Runs of one engine's command for a module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineCommands {
    /// The engine.
    pub engine: String,
    /// How often its command was run.
    pub runs: u64,
    /// How long that took, in milliseconds.
    pub ms: u64,
}

/// What became of a script's assertions under one engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineAssertions {
    /// The engine.
    pub engine: String,
    /// Assertions of the script.
    pub total: u64,
    /// Those that hold.
    pub passed: u64,
    /// Those that do not.
    pub failed: u64,
    /// The first directives that failed, in words.
    pub failures: Vec<String>,
}

/// How a module's comparison turned out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ModuleAnswer {
    /// All engines agree.
    Agree,
    /// Some engine diverges from the others.
    Diverge,
    /// Some engines gave no answer, and the others agree.
    Unanswered,
}

/// A divergence of one group of engines from the reference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deviation {
    /// The group.
    pub engines: Vec<String>,
    /// The class of the divergence.
    pub verdict: String,
    /// The first event that differs.
    pub position: Option<Position>,
    /// Its instruction.
    pub site: Option<ModuleSite>,
    /// Whether the specification allows it: `certain`, `perhaps`, or null.
    pub allowed: Option<String>,
    /// The signature: what makes it look like the same bug as another.
    pub signature: String,
    /// The signature in words.
    pub context: String,
    /// The calls that show it: one if that is enough, otherwise all up to the one in which it appears.
    #[serde(default)]
    pub calls: Vec<String>,
    /// Whether this was tried and showed the same.
    #[serde(default)]
    pub confirmed: bool,
    /// The command that compares the module with these calls; `None` if nothing can be called.
    #[serde(default)]
    pub command: Option<String>,
}

/// A place in the module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleSite {
    /// The function's index.
    pub function: FuncIndex,
    /// Its name.
    pub name: String,
    /// The instruction's offset in the module.
    pub offset: CodeOffset,
    /// The instruction in the text format.
    pub instruction: String,
}

impl From<&CommandRuns> for EngineCommands {
    fn from(commands: &CommandRuns) -> EngineCommands {
        let CommandRuns { engine, runs, seconds } = commands;
        EngineCommands { engine: engine.clone(), runs: *runs, ms: (seconds * 1000.0) as u64 }
    }
}

impl From<&SiteReport> for ModuleSite {
    fn from(site: &SiteReport) -> ModuleSite {
        ModuleSite {
            function: site.function,
            name: site.name.clone(),
            offset: site.offset,
            instruction: site.instruction.clone(),
        }
    }
}

impl ModuleRow {
    /// The row of a module that could not even be tried.
    pub fn unanswered(module: &str, reason: String) -> ModuleRow {
        ModuleRow {
            module: module.to_string(),
            blake3: String::new(),
            bytes: 0,
            calls: Vec::new(),
            calls_left_out: 0,
            answer: ModuleAnswer::Unanswered,
            reason: Some(reason),
            reference: None,
            specification: None,
            groups: Vec::new(),
            odd: Vec::new(),
            assertions: Vec::new(),
            commands: Vec::new(),
            findings: Vec::new(),
            ms: 0,
        }
    }

    /// Fills in the results under all engines; `symbols` are the module's.
    pub(super) fn fill(&mut self, survey: &Surveyed, symbols: &Symbols, timeout: Option<Duration>) {
        let name = |row: &usize| survey.engines.get(*row).map(|row| row.engine.clone());
        self.commands = survey.commands.iter().map(EngineCommands::from).collect();
        self.answer = match survey.agree {
            Some(true) => ModuleAnswer::Agree,
            Some(false) => ModuleAnswer::Diverge,
            // Whether engines accept a module is also a question of a sweep.
            None if survey.nothing_ran && survey.engines.iter().all(|row| row.error.is_none()) => ModuleAnswer::Agree,
            None => ModuleAnswer::Unanswered,
        };
        // Without an answer, the ends of the runs are the reason, first of all those that were ended from outside.
        let end = |row: &EngineRow| match (self.answer, &row.outcome) {
            (ModuleAnswer::Unanswered, Some(Outcome::TimedOut)) => Some((true, timed_out(timeout))),
            (ModuleAnswer::Unanswered, Some(outcome)) if *outcome != Outcome::Finished => {
                let ended = matches!(outcome, Outcome::OutOfMemory | Outcome::Interrupted | Outcome::NoRoom);
                Some((ended, outcome.to_string()))
            }
            _ => None,
        };
        let reason = |row: &EngineRow| match (end(row), row.error.clone()) {
            (Some((true, words)), _) | (Some((_, words)), None) => Some(words),
            (_, error) => error,
        };
        let reasons = survey.engines.iter().filter_map(|row| Some((&row.engine, reason(row)?)));
        let reasons: Vec<(&String, String)> = reasons.collect();
        let is_one = reasons.len() == survey.engines.len() && reasons.windows(2).all(|pair| pair[0].1 == pair[1].1);
        self.reason = match reasons.first() {
            Some((_, reason)) if is_one => Some(format!("{reason} under every engine")),
            Some(_) => {
                let each = reasons.iter().map(|(engine, reason)| format!("{engine}: {reason}"));
                Some(each.collect::<Vec<_>>().join("; "))
            }
            None => None,
        };
        self.reference = survey.reference.as_ref().and_then(name);
        self.specification.clone_from(&survey.specification);
        self.groups = survey.groups.iter().map(|group| group.engines.iter().filter_map(name).collect()).collect();
        self.odd = survey.odd.iter().filter_map(name).collect();
        self.findings = survey.groups.iter().filter_map(|group| deviation(survey, group, symbols, timeout)).collect();
        let hidden = survey.engines.iter().filter(|row| row.observer_effect).map(|row| {
            // End states are full of numbers: only the kinds of differences count.
            let mut kinds: Vec<&str> =
                row.plain_differences.iter().map(|difference| difference.kind.as_str()).collect();
            kinds.dedup();
            unplaced(&row.engine, Verdict::ObserverEffect, &kinds.join(" "))
        });
        self.findings.extend(hidden);
        let unsteady = survey.engines.iter().filter(|row| row.nondeterminism.is_some());
        let unsteady = unsteady.map(|row| unplaced(&row.engine, Verdict::Nondeterminism, ""));
        self.findings.extend(unsteady);
    }
}

/// A deviation of one engine that no pair of traces shows.
fn unplaced(engine: &str, verdict: Verdict, context: &str) -> Deviation {
    let words = format!("{verdict}: {context}").trim_end().to_string();
    let Signature { hash, words } = Signature::of_words(words);
    Deviation {
        engines: vec![engine.to_string()],
        verdict: verdict.to_string(),
        position: None,
        site: None,
        allowed: None,
        signature: hash,
        context: words,
        calls: Vec::new(),
        confirmed: false,
        command: None,
    }
}

fn deviation(
    survey: &Surveyed,
    group: &EngineGroup,
    symbols: &Symbols,
    timeout: Option<Duration>,
) -> Option<Deviation> {
    let report = group.divergence.as_ref()?;
    let Signature { hash, words } = Signature::of(report, symbols)?;
    let engines = group.engines.iter().filter_map(|row| Some(survey.engines.get(*row)?.engine.clone()));
    let allowed = |Allowed { certain, .. }: &Allowed| if *certain { "certain" } else { "perhaps" }.to_string();
    Some(Deviation {
        engines: engines.collect(),
        verdict: report.verdict?.word().to_string(),
        position: report.position,
        site: report.site.as_ref().map(ModuleSite::from),
        allowed: report.allowed.as_ref().map(allowed),
        signature: hash,
        // The time limit is the same for the whole sweep, and not part of the signature.
        context: words.replace(Outcome::TimedOut.kind(), &timed_out(timeout)),
        calls: Vec::new(),
        confirmed: false,
        command: None,
    })
}

/// The outcome of a run that took too long, in words.
const TIMED_OUT: &str = "timed out";

fn timed_out(timeout: Option<Duration>) -> String {
    timeout.map_or(TIMED_OUT.to_string(), |timeout| format!("{TIMED_OUT} after {}", in_words(timeout)))
}

/// A time in the notation of the command line.
fn in_words(time: Duration) -> String {
    match time.subsec_millis() {
        0 => format!("{} s", time.as_secs()),
        _ => format!("{} ms", time.as_millis()),
    }
}
