//! A sweep compared with an earlier one: what is new.

use super::row::{ModuleAnswer, ModuleRow};
use super::store::read_rows;
use crate::error::CompareError;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Differences from a baseline, by module and signature.
#[derive(Debug, Default, Serialize)]
pub struct SweepChanges {
    /// Not in the baseline.
    pub new: Vec<SweepChange>,
    /// Only in the baseline.
    pub gone: Vec<SweepChange>,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SweepChange {
    /// The module.
    pub module: String,
    /// The signature; `None` if the module has no answer.
    pub signature: Option<String>,
}

/// The results of an earlier sweep.
#[derive(Debug, Default)]
pub struct Baseline {
    modules: BTreeMap<String, (ModuleAnswer, BTreeSet<String>)>,
    signatures: BTreeSet<String>,
}

impl Baseline {
    /// Adds a row to what is known.
    pub fn add(&mut self, row: &ModuleRow) {
        let signatures: BTreeSet<String> = row.findings.iter().map(|finding| finding.signature.clone()).collect();
        self.signatures.extend(signatures.iter().cloned());
        self.modules.insert(row.module.clone(), (row.answer, signatures));
    }
}

/// Reads the rows of an earlier sweep.
///
/// # Errors
/// When they cannot be read.
pub fn read_baseline(rows: &Path) -> Result<Baseline, CompareError> {
    let mut baseline = Baseline::default();
    read_rows(rows, &mut |row| baseline.add(&row)).map_err(|error| error.during("the baseline"))?;
    Ok(baseline)
}

impl SweepChanges {
    /// Compares a row with the baseline.
    pub(super) fn compare(&mut self, row: &ModuleRow, baseline: &Baseline) {
        let change =
            |signature: Option<&String>| SweepChange { module: row.module.clone(), signature: signature.cloned() };
        let now: BTreeSet<&String> = row.findings.iter().map(|finding| &finding.signature).collect();
        let unanswered = row.answer == ModuleAnswer::Unanswered;
        let seen = baseline.modules.get(&row.module);
        // For a new module, the signatures of all other modules are known.
        let known = seen.map_or(&baseline.signatures, |(_, signatures)| signatures);
        self.new.extend(now.iter().filter(|new| !known.contains(**new)).map(|new| change(Some(*new))));
        if unanswered && seen.is_none_or(|(answer, _)| *answer != ModuleAnswer::Unanswered) {
            self.new.push(change(None));
        }
        // A module without an answer says nothing about what it showed before.
        if let Some((answer, signatures)) = seen.filter(|_| !unanswered) {
            self.gone.extend(signatures.iter().filter(|old| !now.contains(old)).map(|old| change(Some(old))));
            if *answer == ModuleAnswer::Unanswered {
                self.gone.push(change(None));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::row::Deviation;
    use super::super::summary::Summary;
    use super::*;
    use forkpoint_traces::Position;

    fn row(module: &str, answer: ModuleAnswer, signatures: &[&str]) -> ModuleRow {
        let finding = |signature: &&str| Deviation {
            engines: vec!["wasmi".to_string()],
            verdict: "value".to_string(),
            position: Some(Position(3)),
            site: None,
            allowed: None,
            signature: signature.to_string(),
            context: "value: [i32.store]".to_string(),
            calls: Vec::new(),
            confirmed: false,
            command: None,
        };
        ModuleRow {
            answer,
            findings: signatures.iter().map(finding).collect(),
            ..ModuleRow::unanswered(module, String::new())
        }
    }

    #[test]
    fn only_what_is_not_known_is_new() {
        let mut baseline = Baseline::default();
        for known in [
            row("a", ModuleAnswer::Diverge, &["1", "2"]),
            row("b", ModuleAnswer::Agree, &[]),
            row("c", ModuleAnswer::Unanswered, &[]),
        ] {
            baseline.add(&known);
        }
        let mut summary = Summary::default();
        for now in [
            row("a", ModuleAnswer::Diverge, &["2", "3"]),
            row("b", ModuleAnswer::Unanswered, &[]),
            row("c", ModuleAnswer::Agree, &[]),
            // A new module with a known signature.
            row("d", ModuleAnswer::Diverge, &["1"]),
            row("e", ModuleAnswer::Diverge, &["4"]),
        ] {
            summary.add(&now, Some(&baseline));
        }
        summary.close(true);
        let changes = summary.changes.expect("a baseline");
        let told = |changes: &[SweepChange]| -> Vec<(String, Option<String>)> {
            changes.iter().map(|change| (change.module.clone(), change.signature.clone())).collect()
        };
        let some = |module: &str, signature: &str| (module.to_string(), Some(signature.to_string()));
        assert_eq!(told(&changes.new), [some("a", "3"), ("b".to_string(), None), some("e", "4")]);
        assert_eq!(told(&changes.gone), [some("a", "1"), ("c".to_string(), None)]);
        assert_eq!((summary.agree, summary.diverge, summary.unanswered), (1, 3, 1));
    }
}
