//! `forkpoint view`: traces in the terminal.

use crate::answer::Answer;
use crate::args::ViewArgs;
use crate::{files, progress};
use anyhow::Result;
use forkpoint_replay::{Pack, Side, Timeline};
use forkpoint_tui::Opened;
use std::path::Path;

/// Runs the command.
pub fn run(args: &ViewArgs) -> Result<Answer> {
    let shown = progress::show(false);
    let (mut lhs, rhs) = match &args.rhs {
        None if Pack::is_one(&args.lhs) => {
            let [lhs, rhs] = files::pair(&args.lhs, None)?;
            (in_pack(&args.lhs, Side::Lhs, lhs), Some(in_pack(&args.lhs, Side::Rhs, rhs)))
        }
        rhs => (named(&args.lhs)?, rhs.as_deref().map(named).transpose()?),
    };
    progress::follow("looking for the first divergence", &mut lhs.timeline);
    let viewer = forkpoint_tui::open(lhs, rhs, args.at)?;
    // From here on the viewer owns the screen.
    drop(shown);
    viewer.show()?;
    Ok(Answer::Yes)
}

fn named(path: &Path) -> Result<Opened> {
    Ok(Opened { name: name(path), timeline: files::timeline(path)? })
}

fn in_pack(path: &Path, side: Side, timeline: Timeline) -> Opened {
    Opened { name: format!("{}: {side}", name(path)), timeline }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}
