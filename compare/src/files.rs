//! Files: reading modules, opening traces, and refusing outputs that are inputs.

use crate::error::CompareError;
use forkpoint_replay::Timeline;
use forkpoint_traces::{Source, TraceReader, unfinished};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Reads a module, binary or text.
///
/// # Errors
/// When the file cannot be read, or is neither.
pub fn read_module(path: &Path) -> Result<Vec<u8>, CompareError> {
    let bytes = fs::read(path).map_err(CompareError::io(format!("reading the module {}", path.display())))?;
    if bytes.starts_with(b"\0asm") {
        return Ok(bytes);
    }
    let is_text = path.extension().is_some_and(|extension| extension == "wat" || extension == "wast")
        || std::str::from_utf8(&bytes).is_ok_and(|text| text.trim_start().starts_with(['(', ';']));
    if !is_text {
        let begins = bytes[..bytes.len().min(4)].to_vec();
        return Err(CompareError::NotAModule { path: path.to_path_buf(), begins });
    }
    match wat::Parser::new().parse_bytes(Some(path), &bytes) {
        Ok(module) => Ok(module.into_owned()),
        Err(source) => Err(CompareError::Text { path: path.to_path_buf(), source }),
    }
}

/// Whether a file is a script of directives, by its name.
pub fn is_script(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "wast")
}

/// Reads a script.
///
/// # Errors
/// When the file cannot be read, or is not text.
pub fn read_script(path: &Path) -> Result<String, CompareError> {
    fs::read_to_string(path).map_err(CompareError::io(format!("reading the script {}", path.display())))
}

/// Opens a trace to be read.
///
/// # Errors
/// When it cannot be opened. If it is missing, the error names incomplete ones that killed recorders left.
pub fn open_trace(path: &Path) -> Result<TraceReader, CompareError> {
    TraceReader::open(path).map_err(|source| {
        let killed = if path.exists() { Vec::new() } else { left_by_killed_recorders(path) };
        CompareError::Open { path: path.to_path_buf(), killed, source }
    })
}

/// Opens a trace that this process has recorded: its events may fill as much memory as the guest has.
///
/// # Errors
/// As [`open_trace`].
pub fn open_recorded(path: &Path) -> Result<Timeline, CompareError> {
    Ok(of_recorded(open_trace(path)?))
}

/// The same where the trace may be one of digests, which is without its module.
///
/// # Errors
/// As [`open_trace`].
pub(crate) fn open_recorded_of(path: &Path, module: &Arc<[u8]>) -> Result<Timeline, CompareError> {
    let opened = Source::open(path).and_then(|file| TraceReader::of(file, Some(Arc::clone(module))));
    opened.map(of_recorded).map_err(|source| CompareError::Open {
        path: path.to_path_buf(),
        killed: Vec::new(),
        source,
    })
}

fn of_recorded(mut trace: TraceReader) -> Timeline {
    trace.allow_memory(u64::MAX);
    Timeline::new(trace)
}

/// Incomplete traces of recordings to `path` whose recorder is gone.
pub fn left_by_killed_recorders(path: &Path) -> Vec<PathBuf> {
    let dead = |process: u32| !Path::new(&format!("/proc/{process}")).exists();
    unfinished(path).into_iter().filter(|found| dead(found.process)).map(|found| found.path).collect()
}

/// Refuses an output that is one of the inputs, by whatever name, including links.
///
/// # Errors
/// [`CompareError::SameFile`].
pub fn refuse_same<P: AsRef<Path>>(output: &Path, inputs: impl IntoIterator<Item = P>) -> Result<(), CompareError> {
    let Ok(written) = fs::metadata(output) else { return Ok(()) };
    if !written.is_file() {
        return Ok(());
    }
    for input in inputs {
        let input = input.as_ref();
        if fs::metadata(input).is_ok_and(|read| (read.dev(), read.ino()) == (written.dev(), written.ino())) {
            return Err(CompareError::SameFile { output: output.to_path_buf(), input: input.to_path_buf() });
        }
    }
    Ok(())
}

/// Replaces a trace with one that knows more.
pub(crate) fn replace(trace: &Path, by: &Path) -> Result<(), CompareError> {
    fs::copy(by, trace).map_err(CompareError::io(format!("replacing {}", trace.display())))?;
    Ok(())
}
