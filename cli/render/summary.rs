//! What a sweep prints.

use super::InWords;
use super::comparison::command_words;
use crate::output::{grouped, print};
use anyhow::Result;
use forkpoint_compare::{ReasonCount, Summary, SweepChange};
use forkpoint_replay::printable;
use std::fmt;

/// Prints a summary.
pub fn print_summary(summary: &Summary) -> Result<()> {
    print(&InWords(summary).to_string())
}

/// Most characters of a command that is printed for people.
const LONGEST: usize = 1000;

/// Most lines of each list for people; `--json` and the rows have all.
const SHOWN: usize = 20;

impl fmt::Display for InWords<'_, Summary> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let InWords(summary) = self;
        let count = |number: u64| grouped(number);
        let copies = match summary.copies {
            None | Some(0) => String::new(),
            Some(1) => " (one more file holds the same as another)".to_string(),
            Some(more) => format!(" ({} more files hold the same as others)", count(more)),
        };
        writeln!(
            f,
            "{} modules{copies}: {} agree, {} diverge, {} without an answer",
            count(summary.modules),
            count(summary.agree),
            count(summary.diverge),
            count(summary.unanswered)
        )?;
        for (engine, count) in &summary.assertions {
            writeln!(
                f,
                "assertions of {} scripts under {}: {} of {} passed, {} failed",
                grouped(count.scripts),
                printable(engine),
                grouped(count.passed),
                grouped(count.total),
                grouped(count.failed)
            )?;
        }
        for (engine, sum) in &summary.commands {
            f.write_str(&command_words(&printable(engine), sum.runs, sum.ms as f64 / 1000.0))?;
        }
        if !summary.signatures.is_empty() {
            writeln!(f, "\nsignature         modules  what, and the smallest module that shows it")?;
        }
        for kind in summary.signatures.iter().take(SHOWN) {
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
        left_out(f, summary.signatures.len(), "signatures")?;
        if !summary.reasons.is_empty() {
            writeln!(f, "\nmodules  why there is no answer, and the first such module")?;
        }
        for ReasonCount { reason, count: number, example } in summary.reasons.iter().take(SHOWN) {
            writeln!(f, "{:>7}  {}\n         {}", count(*number), printable(reason), printable(example))?;
        }
        left_out(f, summary.reasons.len(), "reasons")?;
        let Some(changes) = &summary.changes else { return Ok(()) };
        for (name, list) in [("new, against the baseline", &changes.new), ("known, and gone", &changes.gone)] {
            writeln!(f, "\n{name}: {}", count(list.len() as u64))?;
            for SweepChange { module, signature } in list.iter().take(SHOWN) {
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
