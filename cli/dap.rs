//! `forkpoint dap`: a debug adapter on standard input and output.

use crate::answer::Answer;
use crate::{output, view};
use anyhow::Result;
use forkpoint_compare::in_one_line;
use forkpoint_dap::{DapTrace, Launch, Traces, serve};
use forkpoint_tui::Opened;
use std::io::BufReader;

/// Runs the command.
pub fn run() -> Result<Answer> {
    serve(BufReader::new(std::io::stdin()), output::messages(), &mut |launch| {
        traces(launch).map_err(|error| in_one_line(error.as_ref()))
    })?;
    Ok(Answer::Yes)
}

fn traces(launch: &Launch) -> Result<Traces> {
    let (lhs, rhs, _) = view::opened(launch.lhs.as_deref(), launch.rhs.as_deref())?;
    let trace = |Opened { name, timeline }| DapTrace { name, timeline };
    Ok((trace(lhs), rhs.map(trace)))
}
