//! `forkpoint diff`: the first divergence of two traces, of one module or of two builds of a program.

use crate::answer::Answer;
use crate::args::{DiffArgs, ReportArgs};
use crate::files::pair;
use crate::output::{quoted, tell};
use crate::render::{print_builds, print_compared};
use crate::{progress, source_maps};
use anyhow::Result;
use forkpoint_compare::OwnHosts;
use forkpoint_replay::{BuildsReport, Report, Timeline, are_builds};

/// Runs the command.
pub fn run(args: &DiffArgs) -> Result<Answer> {
    let files = std::iter::once(&args.lhs).chain(&args.rhs);
    let files: Vec<String> = files.map(|path| quoted(path.as_os_str())).collect();
    let hint = format!("\nlook at it: forkpoint view {}\n", files.join(" "));
    let sides = source_maps::with(pair(&args.lhs, args.rhs.as_deref())?, &args.source_map)?;
    compare_traces(sides, &args.report, &hint)
}

/// Compares two traces, prints the report, and gives the command's answer. `hint` is printed after the report in
/// text.
pub fn compare_traces([mut lhs, mut rhs]: [Timeline; 2], args: &ReportArgs, hint: &str) -> Result<Answer> {
    let shown = progress::show(false);
    progress::follow("comparing", &mut lhs);
    if are_builds(&lhs, &rhs) {
        let report = BuildsReport::new(&mut lhs, &mut rhs, args.context, args.nan_bits)?;
        drop(shown);
        tell(
            "note: the traces are of different modules, so they are compared as two builds of one program, by what they do",
        );
        return print_builds(&report.into(), args.json, hint);
    }
    let report = Report::new(&mut lhs, &mut rhs, args.context, args.nan_bits)?;
    drop(shown);
    print_compared(&report.into(), &OwnHosts::default(), args.json, hint)
}
