//! `forkpoint diff`: the first divergence of two traces, of one module or of two builds of a program.

use crate::answer::Answer;
use crate::args::{DiffArgs, ReportArgs};
use crate::files::timeline;
use crate::output::{quoted, tell};
use crate::progress;
use crate::render::{print_builds, print_compared};
use anyhow::Result;
use forkpoint_compare::OwnHosts;
use forkpoint_replay::{BuildsReport, Report, are_builds};
use std::path::Path;

/// Runs the command.
pub fn run(args: &DiffArgs) -> Result<Answer> {
    let [lhs, rhs] = [&args.lhs, &args.rhs].map(|path| quoted(path.as_os_str()));
    let hint = format!("\nlook at it: forkpoint view {lhs} {rhs}\n");
    compare_traces(&args.lhs, &args.rhs, &args.report, &hint)
}

/// Compares two traces, prints the report, and gives the command's answer. `hint` is printed after the report in
/// text.
pub fn compare_traces(lhs: &Path, rhs: &Path, args: &ReportArgs, hint: &str) -> Result<Answer> {
    let shown = progress::show(false);
    let (mut left, mut right) = (timeline(lhs)?, timeline(rhs)?);
    progress::follow("comparing", &mut left);
    if are_builds(&left, &right) {
        let report = BuildsReport::new(&mut left, &mut right, args.context, args.nan_bits)?;
        drop(shown);
        tell(
            "note: the traces are of different modules, so they are compared as two builds of one program, by what they do",
        );
        return print_builds(&report.into(), args.json, hint);
    }
    let report = Report::new(&mut left, &mut right, args.context, args.nan_bits)?;
    drop(shown);
    print_compared(&report.into(), &OwnHosts::default(), args.json, hint)
}
