//! What `compare --engines` prints for people.

use super::{Row, Survey};
use crate::output::{grouped, quoted};
use forkpoint_replay::printable;
use std::fmt;

impl fmt::Display for Survey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table(f)?;
        writeln!(f)?;
        self.answer(f)?;
        for group in &self.groups {
            let Some(report) = &group.divergence else { continue };
            let names: Vec<String> = group.engines.iter().map(|row| self.name(*row)).collect();
            let words = if group.engines.iter().any(|row| Some(*row) == self.reference) {
                "the reference's own, against itself"
            } else {
                "the first of it as rhs, against the reference as lhs"
            };
            write!(f, "\nGroup {} ({}), {words}:\n{report}", group.name, names.join("; "))?;
            if let Some(reruns) = group.reruns.as_ref().filter(|reruns| !reruns.is_empty()) {
                write!(f, "\n{reruns}")?;
            }
        }
        self.remarks(f)?;
        let divergent = self.groups.iter().rev().find(|group| group.divergence.is_some());
        let trace = |row: usize| self.engines.get(row)?.trace.as_ref();
        if let (Some(group), Some(lhs)) = (divergent, self.reference.and_then(trace))
            && let Some(rhs) = group.engines.first().and_then(|row| trace(*row))
        {
            let [lhs, rhs] = [lhs, rhs].map(|trace| quoted(trace.as_os_str()));
            writeln!(f, "\nlook at it: forkpoint view {lhs} {rhs}")?;
        }
        Ok(())
    }
}

impl Survey {
    fn name(&self, row: usize) -> String {
        self.engines.get(row).map(|row| printable(&row.engine).to_string()).unwrap_or_default()
    }

    fn table(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let events = |row: &Row| row.events.map_or("-".to_string(), grouped);
        let names: Vec<String> = (0..self.engines.len()).map(|row| self.name(row)).collect();
        let name_width = names.iter().map(|name| name.chars().count()).chain([6]).max().unwrap_or(6);
        let width = self.engines.iter().map(|row| events(row).len()).chain([6]).max().unwrap_or(6);
        writeln!(f, "group  {:name_width$}  {:>width$}  outcome", "engine", "events")?;
        for (row, name) in self.engines.iter().zip(&names) {
            let group = row.group.as_deref().unwrap_or("-");
            let mut end = row.outcome.clone().unwrap_or_default();
            if let Some(error) = &row.error {
                let comma = if end.is_empty() { "" } else { ", " };
                end = format!("{end}{comma}no answer: {}", printable(error));
            }
            if row.nondeterminism.is_some() {
                end.push_str("; not the same way twice");
            }
            if row.changed_by_recording == Some(true) {
                end.push_str("; recording changes how it ends");
            }
            writeln!(f, "{group:5}  {name:name_width$}  {:>width$}  {end}", events(row))?;
        }
        Ok(())
    }

    /// Who agrees, in a few lines.
    fn answer(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(reference) = self.reference else {
            return writeln!(
                f,
                "No engine could be recorded: see why above; `forkpoint engines` lists what can be used here."
            );
        };
        let answered: usize = self.groups.iter().map(|group| group.engines.len()).sum();
        writeln!(f, "The reference is {}.", self.name(reference))?;
        if let Some(specification) = &self.specification {
            writeln!(f, "Specification: {specification}.")?;
        }
        match (self.groups.len(), &self.majority) {
            (0, _) => writeln!(f, "No engine gave an answer.")?,
            _ if self.nothing_ran => {
                writeln!(
                    f,
                    "Nothing to compare: all {answered} engines with an answer rejected the module, so nothing ran."
                )?;
            }
            (1, _) if answered == 1 => writeln!(f, "Only one engine gave an answer: there is nothing to compare.")?,
            (1, _) => writeln!(f, "All {answered} engines with an answer have the same events.")?,
            (count, Some(group)) => {
                let odd: Vec<String> = self.odd.iter().map(|row| self.name(*row)).collect();
                let (members, odd) = (answered - self.odd.len(), odd.join("; "));
                writeln!(f, "There are {count} groups. Most are in {group} ({members} of {answered}); odd: {odd}.")?;
            }
            (count, None) => {
                writeln!(f, "There are {count} groups, and none has more than half of the engines: no majority.")?;
            }
        }
        let answered = self.engines.iter().filter(|row| row.outcome.is_some());
        let sides: Vec<_> = answered.map(|row| (row.engine.as_str(), row.host.as_deref())).collect();
        if let Some(words) = self.host.and_then(|mode| crate::report::hosts(mode, &sides)) {
            writeln!(f, "{words}")?;
        }
        Ok(())
    }

    /// What the guard found, and what could not be found out.
    fn remarks(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, row) in self.engines.iter().enumerate() {
            let name = self.name(index);
            if let Some(nondeterminism) = &row.nondeterminism {
                write!(f, "\n{nondeterminism}")?;
            }
            if row.observer_effect {
                if row.plain_differences.is_empty() {
                    writeln!(f, "\nWithout recording, {name} ends as the reference does.")?;
                } else {
                    writeln!(f, "\nWithout recording, {name} (rhs) ends otherwise than the reference (lhs):")?;
                }
                row.plain_differences.iter().try_for_each(|line| writeln!(f, "  {}", printable(line)))?;
                if let Some(guard) = &row.guard {
                    guard.ways(f)?;
                }
                if let Some(report) = &row.divergence {
                    write!(f, "\n{report}")?;
                }
            }
            for note in &row.notes {
                writeln!(f, "\nnote: {name}: {}", printable(note))?;
            }
        }
        Ok(())
    }
}
