//! `forkpoint view`: traces in the terminal.

use crate::Answer;
use crate::args::ViewArgs;
use crate::open;
use anyhow::Result;
use forkpoint_traces::Position;
use forkpoint_tui::Run;
use std::path::Path;

/// Runs the command.
pub fn run(args: &ViewArgs) -> Result<Answer> {
    let lhs = named(&args.lhs)?;
    let rhs = args.rhs.as_deref().map(named).transpose()?;
    forkpoint_tui::run(lhs, rhs, args.at.map(Position))?;
    Ok(Answer::Yes)
}

fn named(path: &Path) -> Result<Run> {
    let timeline = open::timeline(path)?;
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    Ok(Run { name, timeline })
}
