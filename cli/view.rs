//! `forkpoint view`: traces in the terminal.

use crate::answer::Answer;
use crate::args::ViewArgs;
use crate::{files, progress};
use anyhow::Result;
use forkpoint_tui::Opened;
use std::path::Path;

/// Runs the command.
pub fn run(args: &ViewArgs) -> Result<Answer> {
    let shown = progress::show(false);
    let mut lhs = named(&args.lhs)?;
    let rhs = args.rhs.as_deref().map(named).transpose()?;
    progress::follow("looking for the first divergence", &mut lhs.timeline);
    let viewer = forkpoint_tui::open(lhs, rhs, args.at)?;
    // From here on the viewer owns the screen.
    drop(shown);
    viewer.show()?;
    Ok(Answer::Yes)
}

fn named(path: &Path) -> Result<Opened> {
    let timeline = files::timeline(path)?;
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    Ok(Opened { name, timeline })
}
