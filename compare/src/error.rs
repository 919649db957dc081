//! Errors of comparing. A failure of an *engine* is not an error: it is in the result.

use forkpoint_replay::{ReplayError, printable};
use forkpoint_tracer::{CallError, RecordError};
use forkpoint_traces::TraceError;
use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

/// Why runs could not be compared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompareError {
    /// The run's interrupt flag was set: by Ctrl-C, for example.
    #[error("interrupted while recording under {engine}")]
    Interrupted {
        /// The engine that ran.
        engine: String,
    },
    /// A command that gives one answer a run is asked for more than events.
    #[error("{engine} gives one answer a run and is asked for events only")]
    EventsOnly {
        /// The engine.
        engine: String,
    },
    /// Which functions were active at an event cannot be told.
    #[error("the call stack is not known: {why}")]
    NoCalls {
        /// Why.
        why: String,
    },
    /// What was loaded before an event cannot be told.
    #[error("what was loaded is not known: {why}")]
    NoLoads {
        /// Why.
        why: String,
    },
    /// More of a recording's events cannot be told.
    #[error("what the recording leaves out is not known: {why}")]
    NoWindow {
        /// Why.
        why: String,
    },
    /// The module to reduce does not diverge.
    #[error(
        "the runs agree, so there is nothing to reduce: run `forkpoint compare` with the same arguments to see it"
    )]
    NothingToReduce,
    /// JavaScript would have to call what is left of a module, and there is none.
    #[error(
        "a program that lives in JavaScript is reduced to one call of its functions, without JavaScript, and that cannot be \
         done here: {why}; `forkpoint pack` takes both recordings as they are"
    )]
    NeedsJavaScript {
        /// What stands in the way.
        why: String,
    },
    /// The state of a reduction belongs to another one.
    #[error(
        "{} is the state of another reduction: of another module, with other calls or engines; name another file, or remove it",
        path.display()
    )]
    OtherState {
        /// The file.
        path: PathBuf,
    },
    /// The state of a reduction is no state.
    #[error("{} is damaged: remove it to begin anew", path.display())]
    DamagedState {
        /// The file.
        path: PathBuf,
    },
    /// Two runs that are to be redacted agree.
    #[error(
        "the runs agree, so there is no divergence to keep while everything else is replaced: pack them without --redact"
    )]
    NothingToRedact,
    /// What JavaScript gave a guest cannot be distinguished from what it computed.
    #[error(
        "a recording of a program in JavaScript cannot be redacted, since JavaScript writes what it likes anywhere in memory: \
         `forkpoint pack --list` says what a pack of it holds, and `forkpoint reduce` makes a module without it"
    )]
    RedactJavaScript,
    /// Runs that are made again do not diverge as the recorded ones do.
    #[error(
        "run again from the recording, without custom sections, the engines do not diverge in the same way ({likeness}): \
         name the engines of the recordings by --lhs-engine and --rhs-engine, or pack the traces without --redact"
    )]
    NotReproduced {
        /// In which way the recorded runs diverge.
        likeness: String,
    },
    /// A pack cannot be made.
    #[error(transparent)]
    Pack(#[from] forkpoint_replay::PackError),
    /// A reduced module has no text form.
    #[error("the reduced module cannot be printed as text ({}): name an output that ends in .wasm", printable(.0))]
    NoText(String),
    /// A step of the comparison failed.
    #[error("{step}")]
    Step {
        /// The step, as in "recording under wasmi".
        step: String,
        /// Why.
        source: Box<CompareError>,
    },
    /// A recording failed after its trace was created.
    #[error("the recording so far is in {}", partial.display())]
    CutOff {
        /// The unfinished trace.
        partial: PathBuf,
        /// Why.
        source: Box<RecordError>,
    },
    /// A run failed.
    #[error(transparent)]
    Record(Box<RecordError>),
    /// Traces could not be replayed or compared.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// A trace cannot be read.
    #[error("reading the trace {}{}", path.display(), left_by_killed(killed))]
    Open {
        /// The trace.
        path: PathBuf,
        /// If there is no such file: incomplete traces that killed recorders of it left.
        killed: Vec<PathBuf>,
        /// Why.
        source: TraceError,
    },
    /// The file system refused.
    #[error("{what}")]
    Io {
        /// What was being done.
        what: String,
        /// The system's answer.
        source: io::Error,
    },
    /// A trace cannot be written to a directory.
    #[error("cannot write the trace {}: it is a directory", .0.display())]
    IsDirectory(PathBuf),
    /// A trace would be written over a file that is read.
    #[error(
        "the output {} is the input {}: it would be overwritten. Name another file with --output",
        printable(&output.display().to_string()),
        printable(&input.display().to_string())
    )]
    SameFile {
        /// The trace to write.
        output: PathBuf,
        /// The file that is read.
        input: PathBuf,
    },
    /// An engine was asked to answer host calls and has no host.
    #[error(
        "{engine} does not have its own host{}: leave out --host own, or name an engine that has one (`forkpoint engines` \
         lists them)",
        printable(&why.as_ref().map_or(String::new(), |why| format!(" ({why})")))
    )]
    NoHost {
        /// The engine.
        engine: String,
        /// Why it has none, in the engine's words.
        why: Option<String>,
    },
    /// Two builds were asked to be answered by live hosts.
    #[error(
        "two builds are compared with the answers of one host: leave out --host live, which would let clocks and random \
         numbers tell them apart"
    )]
    LiveBuilds,
    /// An engine that answers questions was asked to run a build.
    #[error(
        "{engine} can only be asked whether a run is that of a known trace, and there is none of another build: name an \
         engine that records by itself"
    )]
    BuildByQuestions {
        /// The engine.
        engine: String,
    },
    /// A build is not a valid module.
    #[error("{} is not a valid module, so nothing of it runs: {why}", printable(&path.display().to_string()))]
    InvalidBuild {
        /// The file.
        path: PathBuf,
        /// Why it is not valid.
        why: String,
    },
    /// A file is neither a binary module nor a text module.
    #[error(
        "{} is not a WebAssembly module: it starts with {begins:02x?}, expected the bytes [00, 61, 73, 6d] or a text \
         module `(module ...)`",
        path.display()
    )]
    NotAModule {
        /// The file.
        path: PathBuf,
        /// Its first bytes.
        begins: Vec<u8>,
    },
    /// A text module is malformed.
    #[error("the text module {}", path.display())]
    Text {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: wat::Error,
    },
    /// A call is malformed.
    #[error("the call `{call}`")]
    Call {
        /// The call as written.
        call: String,
        /// What is wrong with it.
        source: CallError,
    },
    /// A survey or a sweep compares at least two engines.
    #[error("only {0} engine(s) to compare: name at least two")]
    TooFewEngines(usize),
    /// The input of a sweep holds no module.
    #[error("{} has no .wasm or .wat file", .0.display())]
    NoModules(PathBuf),
    /// A folder holds a sweep with other options.
    #[error(
        "{} holds a sweep with other options ({}): give it another folder, or repeat those\nbefore: {before}\nnow:    {now}",
        folder.display(),
        options.display()
    )]
    OtherOptions {
        /// The folder.
        folder: PathBuf,
        /// The file with its options.
        options: PathBuf,
        /// These options.
        before: String,
        /// The options asked for.
        now: String,
    },
    /// Two folders hold sweeps with different options.
    #[error("{} and {} hold sweeps with other options: their rows mean different things", .0.display(), .1.display())]
    UnlikeSweeps(PathBuf, PathBuf),
    /// A folder holds no sweep.
    #[error("{} holds no sweep: it has no sweep.json", .0.display())]
    NoSweep(PathBuf),
    /// A file of a sweep is malformed.
    #[error("{}", malformed(path, *line))]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line, from 1, where rows are read.
        line: Option<u64>,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

impl CompareError {
    /// Wraps an error of the file system during `what`.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> CompareError {
        let what = what.into();
        move |source| CompareError::Io { what, source }
    }

    /// Names the step in which this error occurred.
    pub(crate) fn during(self, step: impl Into<String>) -> CompareError {
        match self {
            // The user ended it, so there is nothing to explain.
            CompareError::Interrupted { .. } => self,
            source => CompareError::Step { step: step.into(), source: Box::new(source) },
        }
    }

    /// Whether the run's interrupt flag ended it.
    pub fn is_interrupt(&self) -> bool {
        matches!(self, CompareError::Interrupted { .. })
    }
}

impl From<RecordError> for CompareError {
    fn from(error: RecordError) -> CompareError {
        CompareError::Record(Box::new(error))
    }
}

impl From<TraceError> for CompareError {
    fn from(error: TraceError) -> CompareError {
        CompareError::Replay(error.into())
    }
}

fn left_by_killed(killed: &[PathBuf]) -> String {
    let note = |path: &PathBuf| {
        format!(" (a recorder that was killed left an incomplete one: {})", printable(&path.display().to_string()))
    };
    killed.iter().map(note).collect()
}

fn malformed(path: &Path, line: Option<u64>) -> String {
    match line {
        Some(line) => format!("{}, line {line}, is not a row of a sweep", path.display()),
        None => format!("{} is not JSON", path.display()),
    }
}

/// An error and its causes in one line. A cause that the text before it already ends with is not repeated.
pub fn in_one_line(error: &(dyn Error + 'static)) -> String {
    joined(causes(error))
}

/// The same without the path of the unfinished trace, which is deleted when the comparison ends.
pub(crate) fn without_partial(error: &CompareError) -> String {
    let is_partial = |error: &&(dyn Error + 'static)| {
        let boxed = || error.downcast_ref::<Box<CompareError>>().map(Box::as_ref);
        matches!(error.downcast_ref().or_else(boxed), Some(CompareError::CutOff { .. }))
    };
    joined(causes(error).filter(|error| !is_partial(error)))
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}

fn joined<'a>(causes: impl Iterator<Item = &'a (dyn Error + 'static)>) -> String {
    let mut words: Vec<String> = Vec::new();
    for cause in causes.map(ToString::to_string) {
        if !words.last().is_some_and(|last| last.ends_with(&cause)) {
            words.push(cause);
        }
    }
    words.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut_off() -> CompareError {
        let source = Box::new(RecordError::Protocol("an early end".to_string()));
        CompareError::CutOff { partial: PathBuf::from("/tmp/x/01-wasmi.fpt"), source }.during("recording under wasmi")
    }

    #[test]
    fn an_unfinished_trace_that_does_not_stay_is_not_named() {
        let whole = in_one_line(&cut_off());
        assert!(whole.starts_with("recording under wasmi: the recording so far is in /tmp/x"), "{whole}");
        let without = without_partial(&cut_off());
        assert!(without.starts_with("recording under wasmi: the engine's process broke"), "{without}");
        assert!(!without.contains("/tmp/x"), "{without}");
    }

    #[test]
    fn an_interrupt_stays_one_whatever_was_going_on() {
        let error = CompareError::Interrupted { engine: "wasmi".to_string() };
        assert!(error.during("recording the host calls").is_interrupt());
        assert!(!cut_off().is_interrupt());
    }
}
