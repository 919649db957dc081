//! One recording, with precautions: it overwrites no file that is read, and a failure names what is left.

use crate::error::CompareError;
use crate::files::refuse_same;
use forkpoint_tracer::{Program, Recorded, Request};
use forkpoint_traces::{Unfinished, unfinished};
use std::path::{Path, PathBuf};

/// Records a run of `program`. The trace is not written over one of `inputs`, nor over the log that answers host calls.
///
/// # Errors
/// When the trace cannot be written or the run cannot be recorded; [`CompareError::CutOff`] names the trace of a
/// recording that was begun.
pub fn record(program: &Program, request: &Request, inputs: &[PathBuf]) -> Result<Recorded, CompareError> {
    let output = &request.output;
    if output.is_dir() {
        return Err(CompareError::IsDirectory(output.clone()));
    }
    let log = request.host.log().map(Path::to_path_buf);
    refuse_same(output, inputs.iter().chain(program.files()).chain(&log))?;
    let was_there = output.exists();
    program.record(request, &mut |_, _| {}).map_err(|source| {
        let ours = |left: &Unfinished| left.process == std::process::id();
        let left = unfinished(output).into_iter().find(ours).map(|left| left.path);
        match left.or_else(|| (!was_there && output.is_file()).then(|| output.clone())) {
            Some(partial) => CompareError::CutOff { partial, source: Box::new(source) },
            None => source.into(),
        }
    })
}
