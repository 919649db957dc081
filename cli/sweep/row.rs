//! One module's result, as a row of a sweep. docs/json.md describes its JSON form.

use crate::compare::many::{self, Group, Survey};
use forkpoint_replay::{Allowed, Signature, SiteReport, Verdict};
use forkpoint_traces::Outcome;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What became of a module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The module's name in the input, with the calls that a list asks for.
    pub module: String,
    /// BLAKE3 of its binary form; empty when it could not be read.
    pub blake3: String,
    pub bytes: u64,
    pub calls: Vec<String>,
    /// Calls that were made up and left out, since the run with them took too long.
    #[serde(default)]
    pub calls_left_out: u64,
    pub answer: RowAnswer,
    /// Why there is no answer, from some engine or from all.
    pub reason: Option<String>,
    /// The engine that the others were held against.
    pub reference: Option<String>,
    /// What the specification says of the module; `None` when no engine could be recorded.
    pub specification: Option<String>,
    /// Engines that agree with each other, the reference's group first.
    pub groups: Vec<Vec<String>>,
    /// Engines outside of the majority.
    pub odd: Vec<String>,
    pub findings: Vec<Finding>,
    /// How long it took, in milliseconds.
    pub ms: u64,
}

/// How a module's comparison turned out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RowAnswer {
    Agree,
    Diverge,
    Unanswered,
}

/// A divergence of one group of engines from the reference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    pub engines: Vec<String>,
    pub verdict: String,
    pub position: Option<u64>,
    pub site: Option<Place>,
    /// Whether the specification allows it: `certain`, `perhaps`, or null.
    pub allowed: Option<String>,
    pub signature: String,
    pub context: String,
    /// The calls by which it shows: one where that is enough, or else all up to the one in which it shows.
    #[serde(default)]
    pub calls: Vec<String>,
    /// Whether that was tried out, and the same was found.
    #[serde(default)]
    pub confirmed: bool,
    /// The command that compares the module with these calls; `None` where nothing can be called.
    #[serde(default)]
    pub command: Option<String>,
}

/// Where in the module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    pub function: u32,
    pub name: String,
    pub offset: u32,
    pub instruction: String,
}

impl From<&SiteReport> for Place {
    fn from(site: &SiteReport) -> Place {
        Place {
            function: site.function,
            name: site.name.clone(),
            offset: site.offset,
            instruction: site.instruction.clone(),
        }
    }
}

impl Row {
    /// The row of a module that could not even be tried.
    pub fn unanswered(module: &str, reason: String) -> Row {
        Row {
            module: module.to_string(),
            blake3: String::new(),
            bytes: 0,
            calls: Vec::new(),
            calls_left_out: 0,
            answer: RowAnswer::Unanswered,
            reason: Some(reason),
            reference: None,
            specification: None,
            groups: Vec::new(),
            odd: Vec::new(),
            findings: Vec::new(),
            ms: 0,
        }
    }

    /// Fills in what the engines made of `module`.
    pub fn survey(&mut self, survey: &Survey, module: &[u8], timeout: Duration) {
        let name = |row: &usize| survey.engines.get(*row).map(|row| row.engine.clone());
        self.answer = match survey.agree {
            Some(true) => RowAnswer::Agree,
            Some(false) => RowAnswer::Diverge,
            // Whether a module is accepted is what a sweep asks, too.
            None if survey.nothing_ran && survey.engines.iter().all(|row| row.error.is_none()) => RowAnswer::Agree,
            None => RowAnswer::Unanswered,
        };
        // Without an answer, how the runs ended is the reason: before all else where one was ended from outside.
        let end = |row: &many::Row| match (self.answer, row.outcome.as_deref()) {
            (RowAnswer::Unanswered, Some(TIMED_OUT)) => Some((true, timed_out(timeout))),
            (RowAnswer::Unanswered, Some(outcome)) if outcome != "finished" => {
                let ended = [Outcome::OutOfMemory, Outcome::Interrupted, Outcome::NoRoom];
                Some((ended.iter().any(|end| end.to_string() == outcome), outcome.to_string()))
            }
            _ => None,
        };
        let reason = |row: &many::Row| match (end(row), row.error.clone()) {
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
        self.findings = survey.groups.iter().filter_map(|group| finding(survey, group, module, timeout)).collect();
        let hidden = survey.engines.iter().filter(|row| row.observer_effect).map(|row| {
            // What the runs without recording end with is numbers: which kinds of end differ is what is left.
            let kinds = row.plain_differences.iter().filter_map(|line| line.split([' ', ':']).next());
            let mut kinds: Vec<&str> = kinds.collect();
            kinds.dedup();
            unplaced(&row.engine, Verdict::ObserverEffect, &kinds.join(" "))
        });
        self.findings.extend(hidden);
        let unsteady = survey.engines.iter().filter(|row| row.nondeterminism.is_some());
        let unsteady = unsteady.map(|row| unplaced(&row.engine, Verdict::Nondeterminism, ""));
        self.findings.extend(unsteady);
    }
}

/// A finding about one engine that no pair of traces shows.
fn unplaced(engine: &str, verdict: Verdict, context: &str) -> Finding {
    let words = format!("{verdict}: {context}").trim_end().to_string();
    let Signature { hash, words } = Signature::of_words(words);
    Finding {
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

fn finding(survey: &Survey, group: &Group, module: &[u8], timeout: Duration) -> Option<Finding> {
    let report = group.divergence.as_ref()?;
    let Signature { hash, words } = Signature::of(report, module)?;
    let engines = group.engines.iter().filter_map(|row| Some(survey.engines.get(*row)?.engine.clone()));
    let allowed = |Allowed { certain, .. }: &Allowed| if *certain { "certain" } else { "perhaps" }.to_string();
    Some(Finding {
        engines: engines.collect(),
        verdict: report.verdict?.word().to_string(),
        position: report.position,
        site: report.site.as_ref().map(Place::from),
        allowed: report.allowed.as_ref().map(allowed),
        signature: hash,
        // How long is the same for all of a sweep, and no part of the signature.
        context: words.replace(TIMED_OUT, &timed_out(timeout)),
        calls: Vec::new(),
        confirmed: false,
        command: None,
    })
}

/// How a run ended that took too long, as its outcome says.
const TIMED_OUT: &str = "timed out";

fn timed_out(timeout: Duration) -> String {
    format!("{TIMED_OUT} after {}", in_words(timeout))
}

/// A time as one writes it on the command line.
pub fn in_words(time: Duration) -> String {
    match time.subsec_millis() {
        0 => format!("{} s", time.as_secs()),
        _ => format!("{} ms", time.as_millis()),
    }
}
