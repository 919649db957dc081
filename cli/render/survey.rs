//! What `compare --engines` prints for people.

use super::InWords;
use super::comparison::command_words;
use super::guard::{differences, ways};
use super::hosts::hosts;
use super::table::{Align, Table};
use crate::output::{grouped, print, quoted};
use anyhow::Result;
use forkpoint_compare::{EngineRow, OwnHosts, Surveyed};
use forkpoint_replay::printable;
use std::fmt;

/// Prints what many engines did with a module.
pub fn print_surveyed(surveyed: &Surveyed, own_hosts: &OwnHosts) -> Result<()> {
    print(&Words { surveyed, own_hosts }.to_string())
}

struct Words<'a> {
    surveyed: &'a Surveyed,
    own_hosts: &'a OwnHosts,
}

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table(f)?;
        writeln!(f)?;
        self.answer(f)?;
        for group in &self.surveyed.groups {
            let Some(report) = &group.divergence else { continue };
            let names: Vec<String> = group.engines.iter().map(|row| self.name(*row)).collect();
            let words = if group.engines.iter().any(|row| Some(*row) == self.surveyed.reference) {
                "the reference's own, against itself"
            } else {
                "its first engine as rhs, the reference as lhs"
            };
            write!(f, "\nGroup {} ({}), {words}:\n{report}", group.name, names.join("; "))?;
            if let Some(reruns) = group.reruns.as_ref().filter(|reruns| !reruns.is_empty()) {
                write!(f, "\n{}", InWords(reruns))?;
            }
        }
        self.remarks(f)?;
        let divergent = self.surveyed.groups.iter().rev().find(|group| group.divergence.is_some());
        let trace = |row: usize| self.surveyed.engines.get(row)?.trace.as_ref();
        if let (Some(group), Some(lhs)) = (divergent, self.surveyed.reference.and_then(trace))
            && let Some(rhs) = group.engines.first().and_then(|row| trace(*row))
        {
            let [lhs, rhs] = [lhs, rhs].map(|trace| quoted(trace.as_os_str()));
            writeln!(f, "\nlook at it: forkpoint view {lhs} {rhs}")?;
        }
        Ok(())
    }
}

impl Words<'_> {
    fn name(&self, row: usize) -> String {
        self.surveyed.engines.get(row).map(|row| printable(&row.engine).to_string()).unwrap_or_default()
    }

    fn table(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new([Align::Left, Align::Left, Align::Right, Align::Left]);
        table.row(["group", "engine", "events", "outcome"].map(str::to_string));
        for (index, row) in self.surveyed.engines.iter().enumerate() {
            let group = row.group.as_deref().unwrap_or("-").to_string();
            let events = row.events.map_or("-".to_string(), grouped);
            table.row([group, self.name(index), events, end(row)]);
        }
        write!(f, "{table}")
    }

    /// Which engines agree, in a few lines.
    fn answer(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(reference) = self.surveyed.reference else {
            return writeln!(
                f,
                "No engine could be recorded, for the reasons above; `forkpoint engines` lists the engines that work here."
            );
        };
        let answered: usize = self.surveyed.groups.iter().map(|group| group.engines.len()).sum();
        writeln!(f, "The reference is {}.", self.name(reference))?;
        if let Some(specification) = &self.surveyed.specification {
            writeln!(f, "Specification: {specification}.")?;
        }
        match (self.surveyed.groups.len(), &self.surveyed.majority) {
            (0, _) => writeln!(f, "No engine gave an answer.")?,
            _ if self.surveyed.nothing_ran => {
                writeln!(
                    f,
                    "Nothing to compare: all {answered} engines with an answer rejected the module, so nothing ran."
                )?;
            }
            (1, _) if answered == 1 => writeln!(f, "Only one engine gave an answer: there is nothing to compare.")?,
            (1, _) => writeln!(f, "All {answered} engines with an answer have the same events.")?,
            (count, Some(group)) => {
                let odd: Vec<String> = self.surveyed.odd.iter().map(|row| self.name(*row)).collect();
                let (members, odd) = (answered - self.surveyed.odd.len(), odd.join("; "));
                writeln!(f, "There are {count} groups. Most are in {group} ({members} of {answered}); odd: {odd}.")?;
            }
            (count, None) => {
                writeln!(f, "There are {count} groups, and none has more than half of the engines: no majority.")?;
            }
        }
        let answered = self.surveyed.engines.iter().filter(|row| row.outcome.is_some());
        let sides: Vec<_> = answered.map(|row| (row.engine.as_str(), row.host.as_deref())).collect();
        if let Some(words) = self.surveyed.host.and_then(|mode| hosts(mode, &sides, self.own_hosts)) {
            writeln!(f, "{words}")?;
        }
        for commands in &self.surveyed.commands {
            f.write_str(&command_words(&printable(&commands.engine), commands.runs, commands.seconds))?;
        }
        Ok(())
    }

    /// What the guard found, and what could not be determined.
    fn remarks(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, row) in self.surveyed.engines.iter().enumerate() {
            let name = self.name(index);
            if let Some(nondeterminism) = &row.nondeterminism {
                write!(f, "\n{}", InWords(nondeterminism))?;
            }
            if row.observer_effect {
                if row.plain_differences.is_empty() {
                    writeln!(f, "\nWithout recording, {name} ends as the reference does.")?;
                } else {
                    writeln!(f, "\nWithout recording, {name} (rhs) ends differently from the reference (lhs):")?;
                }
                differences(f, &row.plain_differences)?;
                if let Some(guard) = &row.guard {
                    ways(f, guard)?;
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

/// How an engine's run ended, and remarks on that.
fn end(row: &EngineRow) -> String {
    let mut end = row.outcome.as_ref().map(ToString::to_string).unwrap_or_default();
    if let Some(error) = &row.error {
        let comma = if end.is_empty() { "" } else { ", " };
        end = format!("{end}{comma}no answer: {}", printable(error));
    }
    if row.nondeterminism.is_some() {
        end.push_str("; does not run the same way twice");
    }
    if row.changed_by_recording == Some(true) {
        end.push_str("; recording changes how it ends");
    }
    end
}
