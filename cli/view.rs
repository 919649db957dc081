//! `forkpoint view`: traces in the terminal.

use crate::Answer;
use crate::args::ViewArgs;
use crate::files::Reading;
use anyhow::Result;
use forkpoint_replay::Timeline;
use forkpoint_traces::Position;
use forkpoint_tui::Run;
use std::path::Path;

/// Runs the command.
pub fn run(args: &ViewArgs) -> Result<Answer> {
    let lhs = open(&args.lhs)?;
    let rhs = args.rhs.as_deref().map(open).transpose()?;
    forkpoint_tui::run(lhs, rhs, args.at.map(Position))?;
    Ok(Answer::Yes)
}

fn open(path: &Path) -> Result<Run> {
    let timeline = Timeline::open(path).reading(path)?;
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    Ok(Run { name, timeline })
}
