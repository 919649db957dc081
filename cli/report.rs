//! What `compare` and `diff` print.

use crate::Answer;
use crate::args::ReportArgs;
use crate::output::{print, print_json};
use anyhow::{Context, Result};
use forkpoint_replay::{Report, Timeline};
use std::path::Path;

/// Compares two traces, prints the report, and gives the command's answer. `hint` ends the report for people.
pub fn compare_traces(lhs: &Path, rhs: &Path, args: &ReportArgs, hint: &str) -> Result<Answer> {
    let open = |path: &Path| Timeline::open(path).with_context(|| format!("reading the trace {}", path.display()));
    let (mut left, mut right) = (open(lhs)?, open(rhs)?);
    let report = Report::new(&mut left, &mut right, args.context, args.nan_bits)?;
    let answer = match report.agree {
        Some(true) => Answer::Yes,
        Some(false) => Answer::Diverge,
        None => Answer::None,
    };
    if args.json {
        print_json(&report)?;
    } else {
        print(&report.to_string())?;
        if answer != Answer::Yes {
            print(hint)?;
        }
    }
    Ok(answer)
}
