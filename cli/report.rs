//! What `compare` and `diff` print.

use crate::Answer;
use crate::args::{HostMode, ReportArgs};
use crate::compare::Reruns;
use crate::guard::Guard;
use crate::open::timeline as open;
use crate::output::{print, print_json};
use anyhow::Result;
use forkpoint_replay::Report;
use serde::Serialize;
use std::path::Path;

/// Compares two traces, prints the report, and gives the command's answer. `hint` ends the report for people.
pub fn compare_traces(lhs: &Path, rhs: &Path, args: &ReportArgs, hint: &str) -> Result<Answer> {
    let (mut left, mut right) = (open(lhs)?, open(rhs)?);
    let report = Report::new(&mut left, &mut right, args.context, args.nan_bits)?;
    print_report(&report, None, None, None, args, hint)
}

/// A report, and what the observer guard has to say.
#[derive(Serialize)]
struct Whole<'a> {
    #[serde(flatten)]
    report: &'a Report,
    /// What reruns of a comparison found out.
    reruns: Option<&'a Reruns>,
    guard: Option<&'a Guard>,
    /// Who answered the host calls of a comparison: `live` or `pinned`.
    host: Option<HostMode>,
}

/// Prints a report and gives the command's answer.
pub fn print_report(
    report: &Report,
    reruns: Option<&Reruns>,
    guard: Option<&Guard>,
    host: Option<HostMode>,
    args: &ReportArgs,
    hint: &str,
) -> Result<Answer> {
    let answer = match report.agree {
        Some(true) => Answer::Yes,
        Some(false) => Answer::Diverge,
        None => Answer::None,
    };
    if args.json {
        print_json(&Whole { report, reruns, guard, host })?;
        return Ok(answer);
    }
    // What bears on every sentence of the report comes first.
    let unsteady: Vec<&str> = guard.iter().flat_map(|guard| &guard.nondeterminism).map(|found| found.side).collect();
    if !unsteady.is_empty() {
        let (sides, does, its) = match unsteady.as_slice() {
            [side] => ((*side).to_string(), "does", "its"),
            sides => (sides.join(" and "), "do", "their"),
        };
        print(&format!(
            "{sides} {does} not run this module the same way twice: what follows is one of {its} runs.\n"
        ))?;
    }
    print(&report.to_string())?;
    if let Some(reruns) = reruns.filter(|reruns| !reruns.is_empty()) {
        print(&format!("\n{reruns}"))?;
    }
    if let Some(guard) = guard.filter(|guard| !guard.is_unremarkable()) {
        print(&format!("\n{guard}"))?;
    }
    if host == Some(HostMode::Live) {
        print("\nBoth hosts were live: clocks, random numbers and files may differ, and this may be about them.\n")?;
    }
    if answer != Answer::Yes {
        print(hint)?;
    }
    Ok(answer)
}
