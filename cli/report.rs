//! What `compare` and `diff` print.

use crate::args::{HostMode, ReportArgs};
use crate::compare::Reruns;
use crate::guard::Guard;
use crate::open::timeline as open;
use crate::output::{print, print_json, quoted};
use crate::{Answer, progress};
use anyhow::Result;
use forkpoint_replay::Report;
use forkpoint_tracer::EngineSpec;
use serde::Serialize;
use std::path::Path;

/// Compares two traces, prints the report, and gives the command's answer. `hint` ends the report for people.
pub fn compare_traces(lhs: &Path, rhs: &Path, args: &ReportArgs, hint: &str) -> Result<Answer> {
    let shown = progress::show(false);
    let (mut left, mut right) = (open(lhs)?, open(rhs)?);
    progress::follow("comparing", &mut left);
    let report = Report::new(&mut left, &mut right, args.context, args.nan_bits)?;
    drop(shown);
    print_report(&report, None, None, None, args, hint)
}

/// What to know of a comparison whose hosts were to be live, under these engines.
pub fn live_hosts(engines: &[&str]) -> String {
    let has_host = |engine: &str| engine.parse::<EngineSpec>().is_ok_and(|engine| engine.has_host());
    let without: Vec<&str> = engines.iter().copied().filter(|engine| !has_host(engine)).collect();
    let mut words = match engines.len() - without.len() {
        0 => "No host was live.".to_string(),
        live if without.is_empty() && live == 2 => "Both hosts were live.".to_string(),
        _ if without.is_empty() => "All hosts were live.".to_string(),
        _ => "Not all hosts were live.".to_string(),
    };
    if !without.is_empty() {
        let (has, its) = if without.len() == 1 { ("has", "its") } else { ("have", "their") };
        let without = without.join(", ");
        words.push_str(&format!(
            " {without} {has} no host that forkpoint can record: {its} calls were answered as in a live run of their own under {}.",
            EngineSpec::default()
        ));
    }
    words + " Clocks, random numbers and files may differ, and this may be about them."
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
        print(&format!("\n{}\n", live_hosts(&[&report.lhs.engine, &report.rhs.engine])))?;
    }
    if answer != Answer::Yes {
        print(&quotable(report))?;
        print(hint)?;
    }
    Ok(answer)
}

/// What a bug report needs so that others get the same: the module by its hash, and the command.
fn quotable(report: &Report) -> String {
    let module = &report.module;
    let words: Vec<String> = std::env::args_os().skip(1).map(|word| quoted(&word)).collect();
    let command = words.join(" ");
    let (name, bytes, hash) = (&module.name, module.bytes, &module.blake3);
    format!("\nmodule:  {name}, {bytes} bytes, BLAKE3 {hash}\ncommand: forkpoint {command}\n")
}
