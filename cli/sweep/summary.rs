//! What the rows of a sweep say together: how many of each answer, and which divergences are one.

use super::row::{Finding, Row, RowAnswer};
use crate::output::grouped;
use forkpoint_replay::printable;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// All rows together. Keeps one entry for each signature, and what is not known for each module.
#[derive(Debug, Default, Serialize)]
pub struct Summary {
    pub modules: u64,
    /// Files that were left out, since they hold the same module as another one that was not; `None` where rows were merged.
    pub copies: Option<u64>,
    pub agree: u64,
    pub diverge: u64,
    pub unanswered: u64,
    /// Divergences by signature, the most frequent first.
    pub signatures: Vec<Kind>,
    /// What the baseline does not know; `None` without one.
    pub changes: Option<Changes>,
    /// Why modules have no answer, the most frequent first.
    pub reasons: Vec<Reason>,
    #[serde(skip)]
    kinds: BTreeMap<String, Kind>,
    #[serde(skip)]
    why: BTreeMap<String, Reason>,
}

/// Divergences that look like one bug.
#[derive(Debug, Clone, Serialize)]
pub struct Kind {
    pub signature: String,
    pub verdict: String,
    pub context: String,
    pub allowed: Option<String>,
    pub count: u64,
    /// Engines that part from the reference so.
    pub engines: BTreeSet<String>,
    /// The smallest module that does.
    pub example: String,
    pub example_bytes: u64,
    /// The command that shows it; `None` where nothing of the module can be called.
    pub command: Option<String>,
}

/// A reason for having no answer.
#[derive(Debug, Clone, Serialize)]
pub struct Reason {
    pub reason: String,
    pub count: u64,
    pub example: String,
}

/// Differences to a baseline, each module and signature a line.
#[derive(Debug, Default, Serialize)]
pub struct Changes {
    pub new: Vec<Change>,
    /// Known, and no longer there.
    pub gone: Vec<Change>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    pub module: String,
    /// `None`: it has no answer now.
    pub signature: Option<String>,
}

/// What is known: an earlier sweep's rows.
#[derive(Debug, Default)]
pub struct Baseline {
    modules: BTreeMap<String, (RowAnswer, BTreeSet<String>)>,
    signatures: BTreeSet<String>,
}

/// Most reasons that are told apart.
const MOST_REASONS: usize = 1000;

impl Baseline {
    /// Learns a row.
    pub fn add(&mut self, row: &Row) {
        let signatures: BTreeSet<String> = row.findings.iter().map(|finding| finding.signature.clone()).collect();
        self.signatures.extend(signatures.iter().cloned());
        self.modules.insert(row.module.clone(), (row.answer, signatures));
    }
}

impl Summary {
    /// Takes a row in, and holds it against what is known.
    pub fn add(&mut self, row: &Row, baseline: Option<&Baseline>) {
        self.modules += 1;
        *match row.answer {
            RowAnswer::Agree => &mut self.agree,
            RowAnswer::Diverge => &mut self.diverge,
            RowAnswer::Unanswered => &mut self.unanswered,
        } += 1;
        for finding in &row.findings {
            self.finding(row, finding);
        }
        // The first clause tells what it is, the rest is about the module.
        let reason = row.reason.as_deref().and_then(|reason| reason.split(['\n', ';']).next());
        if let (RowAnswer::Unanswered, Some(reason)) = (row.answer, reason)
            && (self.why.contains_key(reason) || self.why.len() < MOST_REASONS)
        {
            let new = Reason { reason: reason.to_string(), count: 0, example: row.module.clone() };
            self.why.entry(reason.to_string()).or_insert(new).count += 1;
        }
        if let Some(baseline) = baseline {
            self.compare(row, baseline);
        }
    }

    fn finding(&mut self, row: &Row, finding: &Finding) {
        let kind = self.kinds.entry(finding.signature.clone()).or_insert_with(|| Kind {
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

    fn compare(&mut self, row: &Row, baseline: &Baseline) {
        let changes = self.changes.get_or_insert_default();
        let change =
            |signature: Option<&String>| Change { module: row.module.clone(), signature: signature.cloned() };
        let now: BTreeSet<&String> = row.findings.iter().map(|finding| &finding.signature).collect();
        let unanswered = row.answer == RowAnswer::Unanswered;
        let seen = baseline.modules.get(&row.module);
        // Of a module that nobody has seen, what other modules are known for is known.
        let known = seen.map_or(&baseline.signatures, |(_, signatures)| signatures);
        changes.new.extend(now.iter().filter(|new| !known.contains(**new)).map(|new| change(Some(*new))));
        if unanswered && seen.is_none_or(|(answer, _)| *answer != RowAnswer::Unanswered) {
            changes.new.push(change(None));
        }
        // A module without an answer tells nothing about what it showed before.
        if let Some((answer, signatures)) = seen.filter(|_| !unanswered) {
            changes.gone.extend(signatures.iter().filter(|old| !now.contains(old)).map(|old| change(Some(old))));
            if *answer == RowAnswer::Unanswered {
                changes.gone.push(change(None));
            }
        }
    }

    /// Sorts what was taken in.
    pub fn close(&mut self, with_baseline: bool) {
        self.signatures = std::mem::take(&mut self.kinds).into_values().collect();
        self.signatures.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.signature.cmp(&b.signature)));
        self.reasons = std::mem::take(&mut self.why).into_values().collect();
        self.reasons.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.reason.cmp(&b.reason)));
        if with_baseline {
            let changes = self.changes.get_or_insert_default();
            let order = |change: &Change| (change.module.clone(), change.signature.clone());
            changes.new.sort_by_key(order);
            changes.gone.sort_by_key(order);
        }
    }
}

/// Most characters of a command that is printed for people.
const LONGEST: usize = 1000;

/// Most lines of each list for people; `--json` and the rows have all.
const SHOWN: usize = 20;

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |number: u64| grouped(number);
        let copies = match self.copies {
            None | Some(0) => String::new(),
            Some(1) => " (one more file holds the same as another)".to_string(),
            Some(more) => format!(" ({} more files hold the same as others)", count(more)),
        };
        writeln!(
            f,
            "{} modules{copies}: {} agree, {} diverge, {} without an answer",
            count(self.modules),
            count(self.agree),
            count(self.diverge),
            count(self.unanswered)
        )?;
        if !self.signatures.is_empty() {
            writeln!(f, "\nsignature         modules  what, and the smallest module that shows it")?;
        }
        for kind in self.signatures.iter().take(SHOWN) {
            let allowed = match kind.allowed.as_deref() {
                Some("certain") => " (the specification allows it)",
                Some(_) => " (the specification may allow it)",
                None => "",
            };
            writeln!(f, "{}  {:>7}  {}{allowed}", kind.signature, count(kind.count), printable(&kind.context))?;
            let engines: Vec<String> = kind.engines.iter().map(|engine| printable(engine).to_string()).collect();
            writeln!(f, "{:27}{}; {}", "", printable(&kind.example), engines.join("; "))?;
            match &kind.command {
                Some(command) if command.len() <= LONGEST => writeln!(f, "{:27}{}", "", printable(command))?,
                Some(_) => writeln!(f, "{:27}(a long command: see --json)", "")?,
                None => {}
            }
        }
        left_out(f, self.signatures.len(), "signatures")?;
        if !self.reasons.is_empty() {
            writeln!(f, "\nmodules  why there is no answer, and the first such module")?;
        }
        for Reason { reason, count: number, example } in self.reasons.iter().take(SHOWN) {
            writeln!(f, "{:>7}  {}\n         {}", count(*number), printable(reason), printable(example))?;
        }
        left_out(f, self.reasons.len(), "reasons")?;
        let Some(changes) = &self.changes else { return Ok(()) };
        for (name, list) in [("new, against the baseline", &changes.new), ("known, and gone", &changes.gone)] {
            writeln!(f, "\n{name}: {}", count(list.len() as u64))?;
            for Change { module, signature } in list.iter().take(SHOWN) {
                writeln!(f, "  {}  {}", signature.as_deref().unwrap_or("no answer       "), printable(module))?;
            }
            left_out(f, list.len(), "changes")?;
        }
        Ok(())
    }
}

fn left_out(f: &mut fmt::Formatter<'_>, length: usize, what: &str) -> fmt::Result {
    match length.saturating_sub(SHOWN) {
        0 => Ok(()),
        more => writeln!(f, "... and {more} more {what}: see --json"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(module: &str, answer: RowAnswer, signatures: &[&str]) -> Row {
        let finding = |signature: &&str| Finding {
            engines: vec!["wasmi".to_string()],
            verdict: "value".to_string(),
            position: Some(3),
            site: None,
            allowed: None,
            signature: signature.to_string(),
            context: "value: [i32.store]".to_string(),
            calls: Vec::new(),
            confirmed: false,
            command: None,
        };
        Row { answer, findings: signatures.iter().map(finding).collect(), ..Row::unanswered(module, String::new()) }
    }

    #[test]
    fn only_what_is_not_known_is_new() {
        let mut baseline = Baseline::default();
        for known in [
            row("a", RowAnswer::Diverge, &["1", "2"]),
            row("b", RowAnswer::Agree, &[]),
            row("c", RowAnswer::Unanswered, &[]),
        ] {
            baseline.add(&known);
        }
        let mut summary = Summary::default();
        for now in [
            row("a", RowAnswer::Diverge, &["2", "3"]),
            row("b", RowAnswer::Unanswered, &[]),
            row("c", RowAnswer::Agree, &[]),
            // Not seen before, but what it shows is.
            row("d", RowAnswer::Diverge, &["1"]),
            row("e", RowAnswer::Diverge, &["4"]),
        ] {
            summary.add(&now, Some(&baseline));
        }
        summary.close(true);
        let changes = summary.changes.expect("a baseline");
        let told = |changes: &[Change]| -> Vec<(String, Option<String>)> {
            changes.iter().map(|change| (change.module.clone(), change.signature.clone())).collect()
        };
        let some = |module: &str, signature: &str| (module.to_string(), Some(signature.to_string()));
        assert_eq!(told(&changes.new), [some("a", "3"), ("b".to_string(), None), some("e", "4")]);
        assert_eq!(told(&changes.gone), [some("a", "1"), ("c".to_string(), None)]);
        assert_eq!((summary.agree, summary.diverge, summary.unanswered), (1, 3, 1));
    }
}
