//! `forkpoint diff`: the first divergence of two traces.

use crate::Answer;
use crate::args::DiffArgs;
use crate::output::quoted;
use crate::report::compare_traces;
use anyhow::Result;

/// Runs the command.
pub fn run(args: &DiffArgs) -> Result<Answer> {
    let [lhs, rhs] = [&args.lhs, &args.rhs].map(|path| quoted(path.as_os_str()));
    let hint = format!("\nlook at it: forkpoint view {lhs} {rhs}\n");
    compare_traces(&args.lhs, &args.rhs, &args.report, &hint)
}
