//! `forkpoint dap`: a debug adapter on standard input and output.

use crate::answer::Answer;
use crate::reruns::Rerunner;
use crate::{output, source_maps, view};
use anyhow::{Context, Result};
use forkpoint_compare::in_one_line;
use forkpoint_dap::{DapTrace, Launch, Traces, serve};
use forkpoint_replay::{CallSource, SourceFiles};
use forkpoint_tui::Opened;
use std::io::BufReader;
use std::path::PathBuf;
use std::sync::Arc;

/// Runs the command.
pub fn run() -> Result<Answer> {
    serve(BufReader::new(std::io::stdin()), output::messages(), &mut |launch| {
        traces(launch).map_err(|error| in_one_line(error.as_ref()))
    })?;
    Ok(Answer::Yes)
}

fn traces(launch: &Launch) -> Result<Traces> {
    let (lhs, rhs, _) = view::opened(launch.lhs.as_deref(), launch.rhs.as_deref())?;
    let files =
        SourceFiles::new(launch.source.iter().map(PathBuf::as_path)).context("looking for a source folder")?;
    let calls = launch.calls.then(|| -> Arc<dyn CallSource> {
        let files = view::files_of(launch.lhs.as_deref(), launch.rhs.as_deref());
        Arc::new(Rerunner { files, engines: [None, None] })
    });
    let trace = |Opened { name, timeline }| {
        let timeline = source_maps::in_folders(timeline, &files);
        DapTrace { name, timeline, calls: calls.clone() }
    };
    Ok((trace(lhs), rhs.map(trace)))
}
