//! How to record a run: every parameter of one, declared once.

use super::sought::Sought;
use super::workers::Workers;
use super::{Checkpoint, Gauge};
use crate::cache::CodeCache;
use crate::features::FeatureSwitches;
use crate::host::WasiSetup;
use crate::instrument::{Ask, BUFFER_PAGES, Commit, Options, Style};
use crate::job::Watch;
use crate::spec::EngineSpec;
use forkpoint_traces::Position;
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// How to record a run. Also a template for further runs, of which each says what it does otherwise:
/// `Request { engine, output, ..base.clone() }`.
#[derive(Debug, Clone)]
pub struct Request {
    /// The engine.
    pub engine: EngineSpec,
    /// What the guest is given, where its host is live.
    pub wasi: WasiSetup,
    /// What answers its host calls.
    pub host: HostSource,
    /// Whether what it prints is shown although its host calls come from a log.
    pub echo: bool,
    /// The file to write. It is begun when the engine's process is up, and gets its name when it is whole.
    pub output: PathBuf,
    /// Most pages of 64 KiB that a memory may have, passed to the engine in its own way.
    pub memory_page_limit: Option<u64>,
    /// Proposals to switch on and off in the engine, while compiling and while running.
    pub features: FeatureSwitches,
    /// And further ones while running only: what was compiled ahead need not run with what it was checked with.
    pub run_features: FeatureSwitches,
    /// After this time the run is ended.
    pub timeout: Option<Duration>,
    /// After about this many events the run is ended as at its time limit. They are counted by its `gauge`, which must be its
    /// own.
    pub event_limit: Option<u64>,
    /// A process of the engine that holds more bytes of memory than this is ended.
    pub max_memory: Option<u64>,
    /// The guest's standard input.
    pub stdin: Stdio,
    /// The guest's standard output and error.
    pub output_streams: Stdio,
    /// The program that is started again, with [`crate::child::ARGUMENT`], as the engine's process.
    pub executable: PathBuf,
    /// Where engine processes are kept for further runs, by engines that are part of this program and need nothing of this one's.
    pub workers: Option<Arc<Workers>>,
    /// The command line, for the trace's header.
    pub command: Vec<String>,
    /// Set by anybody: ends the run.
    pub interrupt: Arc<AtomicBool>,
    /// Where the recording shows how far it is.
    pub gauge: Arc<Gauge>,
    /// Keep native code in the trace when the engine made at most this many bytes of it; 0 keeps none.
    pub native_limit: u64,
    /// Where compiled code is kept from one run to the next, by engines that are part of this program.
    pub cache: Option<CodeCache>,
    /// How the module is rewritten.
    pub options: Options,
    /// What is kept of the events.
    pub keep: Keep,
    /// When the engine's memory is compared with the replayed one.
    pub checkpoint: Checkpoint,
    /// Bytes to compare after every event; for modules that record inline, one record at a time.
    pub watch: Option<Watch>,
    /// The full trace of another engine's run, for an engine that can only be asked one thing a run.
    pub reference: Option<PathBuf>,
    /// Bytes whose last writer is wanted, whether the trace holds it or leaves it out.
    pub sought: Option<Sought>,
}

impl Request {
    /// A recording under `engine` to `output` with everything else as it is by default: a live host without arguments or
    /// directories, nothing to read, output not shown, and this program as the engine's process.
    ///
    /// # Errors
    /// When the path of this program cannot be found.
    pub fn new(engine: EngineSpec, output: PathBuf) -> std::io::Result<Request> {
        Ok(Request {
            engine,
            wasi: WasiSetup::default(),
            host: HostSource::Live,
            echo: false,
            output,
            memory_page_limit: None,
            features: FeatureSwitches::default(),
            run_features: FeatureSwitches::default(),
            timeout: None,
            event_limit: None,
            max_memory: None,
            stdin: Stdio::Null,
            output_streams: Stdio::Null,
            executable: std::env::current_exe()?,
            workers: None,
            command: Vec::new(),
            interrupt: Arc::default(),
            gauge: Arc::default(),
            native_limit: 0,
            cache: None,
            options: Options::default(),
            keep: Keep::Full,
            checkpoint: Checkpoint::default(),
            watch: None,
            reference: None,
            sought: None,
        })
    }

    /// The options as far as the engine can follow them.
    pub(crate) fn effective_options(&self) -> Options {
        // A buffer is a second memory.
        let one_memory = [&self.features, &self.run_features()].iter().any(|set| set.switch_off("multi-memory"));
        let small = self.memory_page_limit.is_some_and(|pages| pages < u64::from(BUFFER_PAGES));
        let no_buffer = one_memory || small && self.engine.limits_buffer();
        let inline = self.engine.records_inline() && !no_buffer;
        let style = if inline { self.options.style } else { Style::Hooks };
        // Calls of the hook have no cursor; the same module serves both.
        let commit = if style == Style::Inline { self.options.commit } else { Commit::EachEvent };
        Options { style, commit, ..self.options.clone() }
    }

    /// Whether the run's events are digested. What is asked besides is among the records, which digests cover as they are.
    pub(crate) fn digests(&self) -> bool {
        let Options { ask, read_back, scope, .. } = &self.options;
        self.keep != Keep::Full && *ask == Ask::Nothing && !read_back && scope.is_everything()
    }

    /// The switches while running.
    pub(crate) fn run_features(&self) -> FeatureSwitches {
        self.features.then(&self.run_features)
    }
}

/// What a recording keeps of the events of instructions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keep {
    /// All of them, and the engine's memory is held against the one that they make.
    Full,
    /// [Digests](crate::instrument::RunDigest) only: the trace has host calls, milestones and sizes of memories. No
    /// memory is replayed, so a store that memory does not hold is not found. Of a recording with the default options
    /// but for their style, and without checkpoints. The trace is without its module, and the disk may not have all of it
    /// yet: it is for the process that made it ([`TraceReader::of`](forkpoint_traces::TraceReader::of)).
    Digests,
    /// A window: the blocks of records with the events of instructions from number `from` to before `to`, what happens before
    /// the first and after the last of all, and digests. Everything is checked as in a full recording.
    Window {
        /// The number of the first event, from 0.
        from: u64,
        /// One past the number of the last.
        to: u64,
    },
    /// The same with any number of windows, in order, by the positions of events in the trace.
    Windows(Arc<[Range<Position>]>),
}

impl Keep {
    /// Whether a block with events of instructions of these numbers, and with events at these positions, is kept.
    pub(super) fn holds(&self, numbers: Range<u64>, positions: Range<Position>) -> bool {
        match self {
            Keep::Full | Keep::Digests => true,
            Keep::Window { from, to } => numbers.start < *to && *from < numbers.end,
            Keep::Windows(windows) => {
                windows.iter().any(|window| positions.start < window.end && window.start < positions.end)
            }
        }
    }
}

/// What answers a guest's host calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostSource {
    /// WASI, by an engine that has it; what is recorded can be replayed.
    Live,
    /// The host log of this trace.
    Log(PathBuf),
    /// The host log of this trace, which another build of the program made: its calls are found by what they mean, and what
    /// the host wrote goes where this build wants it.
    LogOfOtherBuild(PathBuf),
}

impl HostSource {
    /// The trace whose host log answers.
    pub fn log(&self) -> Option<&Path> {
        match self {
            HostSource::Live => None,
            HostSource::Log(path) | HostSource::LogOfOtherBuild(path) => Some(path),
        }
    }
}

/// Where one of the guest's standard streams goes.
#[derive(Debug, Clone)]
pub enum Stdio {
    /// The recorder's own.
    Inherit,
    /// Nowhere.
    Null,
    /// A file, from its start.
    File(Arc<File>),
    /// The recorder's own standard error: for output that must not be mixed with the recorder's.
    Stderr,
}
