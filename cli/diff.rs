//! `forkpoint diff`: the first divergence of two traces.

use crate::Answer;
use crate::args::DiffArgs;
use crate::report::compare_traces;
use anyhow::Result;

/// Runs the command.
pub fn run(args: &DiffArgs) -> Result<Answer> {
    let hint = format!("\nlook at it: forkpoint view {} {}\n", args.lhs.display(), args.rhs.display());
    compare_traces(&args.lhs, &args.rhs, &args.report, &hint)
}
