//! One recording, with precautions: it overwrites no file that is read, and a failure names what is left.

use crate::error::CompareError;
use crate::files::refuse_same;
use forkpoint_tracer::{App, AppRecorded, Program, RecordError, Recorded, Request};
use forkpoint_traces::{Unfinished, unfinished};
use std::path::{Path, PathBuf};

/// Records a run of `program`. The trace is not written over one of `inputs`, nor over the log that answers host calls.
///
/// # Errors
/// When the trace cannot be written or the run cannot be recorded; [`CompareError::CutOff`] names the trace of a
/// recording that was begun.
pub fn record(program: &Program, request: &Request, inputs: &[PathBuf]) -> Result<Recorded, CompareError> {
    let log = request.host.log().map(Path::to_path_buf);
    refuse_same(&request.output, inputs.iter().chain(program.files()).chain(&log))?;
    with_care(request, || program.record(request, &mut |_, _| {}))
}

/// Records a program that lives in JavaScript, with the same precautions; the trace is not written over a file of its command.
///
/// # Errors
/// Those of [`record`].
pub fn record_app(app: &App, request: &Request) -> Result<AppRecorded, CompareError> {
    let files = app.command.iter().map(PathBuf::from);
    refuse_same(&request.output, files.filter(|file| file.is_file()).collect::<Vec<_>>())?;
    with_care(request, || app.record(request, &mut |_, _| {}))
}

/// Runs a recording, of whose failure more is known when it is over.
fn with_care<T>(request: &Request, recording: impl FnOnce() -> Result<T, RecordError>) -> Result<T, CompareError> {
    let output = &request.output;
    if output.is_dir() {
        return Err(CompareError::IsDirectory(output.clone()));
    }
    let was_there = output.exists();
    recording().map_err(|source| {
        let ours = |left: &Unfinished| left.process == std::process::id();
        let left = unfinished(output).into_iter().find(ours).map(|left| left.path);
        match left.or_else(|| (!was_there && output.is_file()).then(|| output.clone())) {
            Some(partial) => CompareError::CutOff { partial, source: Box::new(source) },
            None => source.into(),
        }
    })
}
