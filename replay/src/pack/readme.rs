//! The page in a pack, in Markdown: what it shows, how to look at it, and what it holds.

use super::packing::{Packing, Shown};
use crate::builds::BuildsReport;
use crate::report::{ModuleReport, Report, SideReport};
use crate::symbols::printable;
use std::fmt::Write;

/// The page of a pack that is called `name`.
pub(super) fn page(name: &str, packing: &Packing) -> String {
    let name = printable(name);
    let mut page = String::new();
    let shown = match &packing.shown {
        Shown::Runs(report) => runs(&mut page, report),
        Shown::Builds(report) => builds(&mut page, report),
    };
    for command in &packing.contents.commands {
        let _ = writeln!(page, "- recorded by `forkpoint {}`", code(command));
    }
    let _ = writeln!(page, "\n## What it shows\n\n```text\n{}```\n", fenced(&shown));
    let _ = writeln!(page, "## How to look at it\n");
    let _ = writeln!(page, "```sh");
    for (command, what) in [
        ("view", "both runs side by side, memory, and code"),
        ("diff", "the report above"),
        ("dump", "the events of the left run; those of the right one with --side rhs"),
        ("replay", "run the left recording again; --engine runs it under another engine"),
    ] {
        let _ = writeln!(page, "forkpoint {command:<6} {name}  # {what}");
    }
    let _ = writeln!(page, "```\n");
    let [lhs, rhs] = packing.held_events();
    if packing.is_whole() {
        let _ = writeln!(page, "`lhs.fpt` and `rhs.fpt` are the two traces as they were recorded.");
    } else {
        let _ = writeln!(
            page,
            "`lhs.fpt` and `rhs.fpt` hold {lhs} and {rhs} events: those around the divergence, with memory as it was, and the \
             digests and host calls of all others. The module is stored once, for both."
        );
    }
    page
}

/// What the pack is about, of one module. Returns the report in words.
fn runs(page: &mut String, report: &Report) -> String {
    let title = match (report.verdict, report.position) {
        (Some(verdict), Some(position)) => format!("{} at event {position}", verdict.word()),
        _ => "two runs without a divergence".to_string(),
    };
    let _ = writeln!(page, "# forkpoint: {title}\n");
    let _ = writeln!(page, "- module: {}", module(&report.module));
    for (side, run) in [("lhs", &report.lhs), ("rhs", &report.rhs)] {
        let _ = writeln!(page, "- {side}: {}", run_of(run));
    }
    report.to_string()
}

/// The same of two builds.
fn builds(page: &mut String, report: &BuildsReport) -> String {
    let title = match report.verdict {
        Some(verdict) => format!("two builds, {verdict}"),
        None => "two builds without a divergence".to_string(),
    };
    let _ = writeln!(page, "# forkpoint: {title}\n");
    for (side, build) in [("lhs", &report.lhs), ("rhs", &report.rhs)] {
        let _ = writeln!(page, "- {side}: {}; {}", module(&build.module), run_of(&build.run));
    }
    report.to_string()
}

fn module(module: &ModuleReport) -> String {
    format!("`{}`, {} bytes, BLAKE3 `{}`", code(&module.name), module.bytes, module.blake3)
}

fn run_of(run: &SideReport) -> String {
    format!("`{}` ({}), {} events", code(&run.engine), printable(&run.version), run.events)
}

/// Text for a code span.
fn code(text: &str) -> String {
    printable(text).replace('`', "'")
}

/// Text for a fence of three backticks.
fn fenced(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| printable(line).replace("```", "'''")).collect();
    lines.join("\n") + "\n"
}
