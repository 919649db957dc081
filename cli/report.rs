//! What `compare` and `diff` print.

use crate::args::{HostMode, ReportArgs};
use crate::compare::Reruns;
use crate::guard::Guard;
use crate::open::timeline as open;
use crate::output::{print, print_json, quoted};
use crate::session::known_host;
use crate::{Answer, progress};
use anyhow::Result;
use forkpoint_replay::{Report, printable};
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

/// What to know of the hosts of a comparison: of each engine, the host that answered it for real, if one did.
pub fn hosts(mode: HostMode, sides: &[(&str, Option<&str>)]) -> Option<String> {
    let live: Vec<String> =
        sides.iter().filter_map(|(engine, host)| host.map(|host| format!("{host} under {engine}"))).collect();
    let all = live.join("; ");
    match mode {
        HostMode::Pinned => return None,
        HostMode::Own if live.is_empty() => return None,
        HostMode::Own => {
            return Some(format!(
                "The host that answered: {all}. All other runs had its answers from the recording."
            ));
        }
        HostMode::Live => {}
    }
    let without: Vec<String> =
        sides.iter().filter(|(_, host)| host.is_none()).map(|(engine, _)| with_reason(engine)).collect();
    let mut words = match live.len() {
        0 => "No host was live.".to_string(),
        2 if without.is_empty() => format!("Both hosts were live: {all}."),
        _ if without.is_empty() => format!("All hosts were live: {all}."),
        _ => format!("Not all hosts were live: {all}."),
    };
    if !without.is_empty() {
        let (has, its) = if without.len() == 1 { ("has", "its") } else { ("have", "their") };
        let without = without.join(", ");
        words.push_str(&format!(
            " {without} {has} no host that forkpoint can record: {its} calls were answered as in a live run of their own under {}.",
            EngineSpec::default()
        ));
    }
    Some(words + " Clocks, random numbers and files may differ, and this may be about them.")
}

/// An engine without a host, and why it has none where it says so.
fn with_reason(engine: &str) -> String {
    match known_host(engine) {
        Some(Err(Some(why))) => format!("{engine} ({})", printable(&why)),
        _ => engine.to_string(),
    }
}

/// A report, and what the observer guard has to say.
#[derive(Serialize)]
struct Whole<'a> {
    #[serde(flatten)]
    report: &'a Report,
    /// What reruns of a comparison found out.
    reruns: Option<&'a Reruns>,
    guard: Option<&'a Guard>,
    /// Who answered the host calls of a comparison.
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
    let sides = [&report.lhs, &report.rhs].map(|side| (side.engine.as_str(), side.host.as_deref()));
    if let Some(words) = host.and_then(|mode| hosts(mode, &sides)) {
        print(&format!("\n{words}\n"))?;
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
