//! The sum of a sweep's rows: the number of each answer, and which divergences are one.

use super::baseline::{Baseline, SweepChange, SweepChanges};
use super::row::{Deviation, ModuleAnswer, ModuleRow};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// All rows together. Keeps one entry per signature, and per module what the baseline lacks.
#[derive(Debug, Default, Serialize)]
pub struct Summary {
    /// How many modules there are.
    pub modules: u64,
    /// Files that were left out as duplicates of another; `None` if rows were merged.
    pub copies: Option<u64>,
    /// Modules on which all engines agree.
    pub agree: u64,
    /// Modules on which some engine diverges.
    pub diverge: u64,
    /// Modules without an answer.
    pub unanswered: u64,
    /// Divergences by signature, the most frequent first.
    pub signatures: Vec<SignatureCount>,
    /// Differences from the baseline; `None` without one.
    pub changes: Option<SweepChanges>,
    /// Why modules have no answer, the most frequent first.
    pub reasons: Vec<ReasonCount>,
    /// Assertions of all scripts, by engine; empty without scripts.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub assertions: BTreeMap<String, AssertionCount>,
    /// How often the commands of engines that are some were run, by engine; empty without commands.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub commands: BTreeMap<String, CommandSum>,
    #[serde(skip)]
    kinds: BTreeMap<String, SignatureCount>,
    #[serde(skip)]
    why: BTreeMap<String, ReasonCount>,
}

/// Divergences that look like one bug.
#[derive(Debug, Clone, Serialize)]
pub struct SignatureCount {
    /// The hash of the context, by which they are counted.
    pub signature: String,
    /// The class of divergence.
    pub verdict: String,
    /// The context of the divergence.
    pub context: String,
    /// Whether the specification allows it: `certain`, `perhaps`, or null.
    pub allowed: Option<String>,
    /// How often it was found.
    pub count: u64,
    /// Engines that diverge from the reference this way.
    pub engines: BTreeSet<String>,
    /// The smallest module that shows it.
    pub example: String,
    /// Length of that module.
    pub example_bytes: u64,
    /// The command that shows it; `None` if nothing in the module can be called.
    pub command: Option<String>,
}

/// A reason for having no answer.
#[derive(Debug, Clone, Serialize)]
pub struct ReasonCount {
    /// The reason.
    pub reason: String,
    /// How many modules have it.
    pub count: u64,
    /// The first such module.
    pub example: String,
}

/// Runs of one engine's command.
#[derive(Debug, Clone, Default, Serialize)]
pub struct CommandSum {
    /// How often its command was run.
    pub runs: u64,
    /// How long that took, in milliseconds.
    pub ms: u64,
}

/// Assertions of scripts under one engine.
#[derive(Debug, Clone, Default, Serialize)]
pub struct AssertionCount {
    /// Scripts.
    pub scripts: u64,
    /// Assertions in them.
    pub total: u64,
    /// Those that hold.
    pub passed: u64,
    /// Those that do not.
    pub failed: u64,
}

/// Most reasons that are kept apart.
const MOST_REASONS: usize = 1000;

impl Summary {
    /// Adds a row, and compares it with the baseline.
    pub fn add(&mut self, row: &ModuleRow, baseline: Option<&Baseline>) {
        self.modules += 1;
        *match row.answer {
            ModuleAnswer::Agree => &mut self.agree,
            ModuleAnswer::Diverge => &mut self.diverge,
            ModuleAnswer::Unanswered => &mut self.unanswered,
        } += 1;
        for finding in &row.findings {
            self.count(row, finding);
        }
        for engine in &row.assertions {
            let count = self.assertions.entry(engine.engine.clone()).or_default();
            count.scripts += 1;
            count.total += engine.total;
            count.passed += engine.passed;
            count.failed += engine.failed;
        }
        for engine in &row.commands {
            let sum = self.commands.entry(engine.engine.clone()).or_default();
            sum.runs += engine.runs;
            sum.ms += engine.ms;
        }
        // The first clause is the reason, the rest is about the module.
        let reason = row.reason.as_deref().and_then(|reason| reason.split(['\n', ';']).next());
        if let (ModuleAnswer::Unanswered, Some(reason)) = (row.answer, reason)
            && (self.why.contains_key(reason) || self.why.len() < MOST_REASONS)
        {
            let new = ReasonCount { reason: reason.to_string(), count: 0, example: row.module.clone() };
            self.why.entry(reason.to_string()).or_insert(new).count += 1;
        }
        if let Some(baseline) = baseline {
            self.changes.get_or_insert_default().compare(row, baseline);
        }
    }

    fn count(&mut self, row: &ModuleRow, finding: &Deviation) {
        let kind = self.kinds.entry(finding.signature.clone()).or_insert_with(|| SignatureCount {
            signature: finding.signature.clone(),
            verdict: finding.verdict.clone(),
            context: finding.context.clone(),
            allowed: finding.allowed.clone(),
            count: 0,
            engines: BTreeSet::new(),
            example: row.module.clone(),
            example_bytes: row.bytes,
            command: finding.command.clone(),
        });
        kind.count += 1;
        kind.engines.extend(finding.engines.iter().cloned());
        if row.bytes < kind.example_bytes {
            (kind.example, kind.example_bytes) = (row.module.clone(), row.bytes);
            kind.command.clone_from(&finding.command);
        }
    }

    /// Sorts the entries.
    pub fn close(&mut self, with_baseline: bool) {
        self.signatures = std::mem::take(&mut self.kinds).into_values().collect();
        self.signatures.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.signature.cmp(&b.signature)));
        self.reasons = std::mem::take(&mut self.why).into_values().collect();
        self.reasons.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.reason.cmp(&b.reason)));
        if with_baseline {
            let changes = self.changes.get_or_insert_default();
            let order = |change: &SweepChange| (change.module.clone(), change.signature.clone());
            changes.new.sort_by_key(order);
            changes.gone.sort_by_key(order);
        }
    }
}
