//! Recording: a program, an engine, a trace.
//!
//! 1. [`Program::new`] rewrites the module and resolves what is to be called: everything that is wrong with the
//!    *question* is an error here, before a file is written or a process started.
//! 2. [`Program::record`] starts the child process (for AOT first one that compiles), and
//! 3. `pump` turns its frames into events until it ends, whatever way it does.

mod checkpoints;
mod conduct;
mod end;
mod environment;
mod every;
mod findings;
#[doc(hidden)]
pub mod fuzzing;
mod gauge;
mod header;
mod images;
mod interface;
mod invocation;
mod launch;
mod marks;
mod native;
mod plain;
mod process;
mod program;
mod providers;
mod pump;
mod sink;
mod stepping;
mod steps;
mod trap;
mod types;

pub use checkpoints::Checkpoint;
pub use end::{EndDifference, EndMemory, EndPage, EndState};
pub use every::{MadeUp, every_call};
pub use findings::{Finding, Findings, Found};
pub use gauge::{Gauge, Phase};
pub use invocation::{CallError, Invocation};
pub use marks::{NOTES_IN_A_DIGEST, Note, Notes};
pub use plain::Plain;
pub use program::Program;
pub use providers::Imports;

use crate::child::Run;
use crate::engine::EngineSpec;
use crate::error::RecordError;
use crate::features::FeatureSwitches;
use crate::host::WasiSetup;
use crate::instrument::{BUFFER_PAGES, Options, Style};
use crate::observe::Watch;
use crate::values::WasmValue;
use forkpoint_traces::{EngineInfo, GlobalState, MemoryState, Outcome, TrapKind};
use launch::launch;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// How to record a run.
#[derive(Clone)]
pub struct Request {
    /// The engine.
    pub engine: EngineSpec,
    /// What the guest is given, where its host is live.
    pub wasi: WasiSetup,
    /// Who answers its host calls.
    pub host: HostSource,
    /// Whether what it prints is shown although its host calls come from a log.
    pub echo: bool,
    /// The file to write. It is begun when the engine's process is up, and gets its name when it is whole.
    pub output: PathBuf,
    /// Most pages of 64 KiB that a memory may have, told to the engine in its own way.
    pub memory_page_limit: Option<u64>,
    /// Proposals to switch on and off in the engine, while compiling and while running.
    pub features: FeatureSwitches,
    /// And further ones while running only: what was compiled ahead need not run with what it was checked with.
    pub run_features: FeatureSwitches,
    /// After this time the run is ended.
    pub timeout: Option<Duration>,
    /// A process of the engine that holds more bytes of memory than this is ended.
    pub max_memory: Option<u64>,
    /// The guest's standard input.
    pub stdin: Stdio,
    /// The guest's standard output and error.
    pub output_streams: Stdio,
    /// The program that is started again, with [`crate::child::ARGUMENT`], as the engine's process.
    pub executable: PathBuf,
    /// The command line, for the trace's header.
    pub command: Vec<String>,
    /// Set by anybody: ends the run.
    pub interrupt: Arc<AtomicBool>,
    /// Where the recording shows how far it is.
    pub gauge: Arc<Gauge>,
    /// Keep native code in the trace when the engine made at most so many bytes of it; 0 keeps none.
    pub native_limit: u64,
    /// How the module is rewritten.
    pub options: Options,
    /// When the engine's memory is compared with the replayed one.
    pub checkpoint: Checkpoint,
    /// Bytes to compare after every event; for modules that record inline, one record at a time.
    pub watch: Option<Watch>,
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
            max_memory: None,
            stdin: Stdio::Null,
            output_streams: Stdio::Null,
            executable: std::env::current_exe()?,
            command: Vec::new(),
            interrupt: Arc::default(),
            gauge: Arc::default(),
            native_limit: 0,
            options: Options::default(),
            checkpoint: Checkpoint::default(),
            watch: None,
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
        Options { style, ..self.options.clone() }
    }

    /// The switches while running.
    pub(crate) fn run_features(&self) -> FeatureSwitches {
        self.features.then(&self.run_features)
    }
}

/// Who answers a guest's host calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostSource {
    /// WASI, by an engine that has it; what is recorded can be replayed.
    Live,
    /// The host log of this trace.
    Log(PathBuf),
}

impl HostSource {
    fn log(&self) -> Option<&Path> {
        match self {
            HostSource::Live => None,
            HostSource::Log(path) => Some(path),
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

/// What became of one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallResult {
    /// The function called.
    pub function: String,
    /// What it gave back.
    pub result: Result<Vec<WasmValue>, TrapKind>,
}

/// A finished recording.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// Number of events.
    pub events: u64,
    /// Length of the trace in bytes.
    pub bytes: u64,
    /// Bytes of memory that a reader must allow it, where its events fill more than a stranger's trace of this length may.
    pub to_allow: Option<u64>,
    /// The host that answered the guest's calls for real, if one did; unescaped.
    pub host: Option<String>,
    /// How the run ended.
    pub outcome: Outcome,
    /// The engine's own words about the end, where it had any; unescaped.
    pub message: Option<String>,
    /// What its process wrote to its standard error last, where the run came to no end by itself; unescaped.
    pub last_words: Option<String>,
    /// What became of the calls asked for.
    pub calls: Vec<CallResult>,
    /// What it left behind, as far as the engine could be asked.
    pub memories: Vec<MemoryState>,
    /// All mutable globals of numeric type at the end.
    pub globals: Vec<GlobalState>,
    /// Sizes of all tables at the end.
    pub tables: Vec<u64>,
    /// Where the engine's memory was not the replayed one. The events say so, too.
    pub findings: Findings,
    /// What the code told besides, where it was asked to.
    pub notes: Notes,
    /// Wall-clock time of the engine's processes.
    pub elapsed: Duration,
    /// The part of it that the engine took to validate and compile; `None` where it accepted nothing.
    pub compiling: Option<Duration>,
    /// The part of it between instantiation and the end of the last call, as the recorder saw it.
    pub running: Duration,
}

/// The host of its own with which an engine answers WASI's calls, in its words; or why it has none, where it says so. Asks
/// the engine with a small module.
///
/// # Errors
/// When the engine cannot be started.
pub fn own_host(request: &Request) -> Result<Result<String, Option<String>>, RecordError> {
    let call = Invocation { function: "run".to_string(), arguments: Vec::new() };
    let program = Program::new("host.wasm", probe(), &[call], &Imports::default())?;
    let ran = match program.run_plain(request) {
        Ok(ran) => ran,
        Err(RecordError::NoHost { why, .. }) => return Ok(Err(why)),
        Err(error) => return Err(error),
    };
    if ran.end.outcome != Outcome::Finished {
        let words = ran.end.message.unwrap_or_default();
        return Ok(Err(Some(format!(
            "a call of its host ended otherwise than by a return: {} {words}",
            ran.end.outcome
        ))));
    }
    Ok(ran.engine.as_ref().map_or(Err(None), header::own_host))
}

/// A module that makes one call of WASI's.
fn probe() -> Vec<u8> {
    use wasm_encoder::{
        CodeSection, EntityType, ExportKind, ExportSection, Function, FunctionSection, ImportSection, MemorySection,
        MemoryType, Module, TypeSection, ValType,
    };
    let mut types = TypeSection::new();
    types.ty().function([], [ValType::I32]);
    let mut imports = ImportSection::new();
    imports.import(forkpoint_traces::wasi::MODULE, "sched_yield", EntityType::Function(0));
    let mut functions = FunctionSection::new();
    functions.function(0);
    let mut memories = MemorySection::new();
    memories.memory(MemoryType { minimum: 1, maximum: None, memory64: false, shared: false, page_size_log2: None });
    let mut exports = ExportSection::new();
    exports.export("memory", ExportKind::Memory, 0).export("run", ExportKind::Func, 1);
    let mut run = Function::new([]);
    run.instructions().call(0).end();
    let mut code = CodeSection::new();
    code.function(&run);
    let mut module = Module::new();
    module.section(&types).section(&imports).section(&functions).section(&memories).section(&exports).section(&code);
    module.finish()
}

/// Told now and then how a recording goes on.
pub type Progress<'a> = &'a mut dyn FnMut(u64, u64);

impl Program {
    /// Whether the host that the request asks for, and what calls are given, can be had.
    fn check_host(&self, request: &Request) -> Result<(), RecordError> {
        let without_segments =
            [&request.features, &request.run_features()].iter().any(|set| set.switch_off("bulk-memory"));
        if without_segments && self.steps.puts() {
            return Err(RecordError::Bytes {
                what: "texts and files for memory".to_string(),
                why: "they come with the module as passive data segments, which need the proposal bulk-memory: leave out \
                      -bulk-memory"
                    .to_string(),
            });
        }
        if request.host != HostSource::Live {
            return Ok(());
        }
        for (path, _) in &request.wasi.directories {
            std::fs::read_dir(path).map_err(|source| RecordError::Directory { path: path.clone(), source })?;
        }
        if request.engine.has_linked_host() || !self.needs_host() {
            return Ok(());
        }
        let why = match self.beyond_wasi() {
            Some(import) => Some(format!("{import} is answered beside the linked Wasmtime only")),
            None if request.wasi.deterministic => {
                Some("only the host of the linked Wasmtime has fixed clocks and random numbers".to_string())
            }
            None => return Ok(()),
        };
        Err(RecordError::NoHost { engine: request.engine.to_string(), why })
    }

    /// Whether the host that the request asks for is one that the engine says it has.
    fn check_own_host(&self, request: &Request, engine: &EngineInfo) -> Result<(), RecordError> {
        if request.host != HostSource::Live || !self.needs_host() {
            return Ok(());
        }
        match header::own_host(engine) {
            Ok(_) => Ok(()),
            Err(why) => Err(RecordError::NoHost { engine: request.engine.to_string(), why }),
        }
    }

    /// Records one run. `progress` gets the number of events and the bytes written so far.
    ///
    /// # Errors
    /// When the run could not be recorded. What the guest or the engine does, crashes included, is an [`Outcome`]
    /// or one of the [`Findings`] and no error.
    pub fn record(&self, request: &Request, progress: Progress) -> Result<Recorded, RecordError> {
        request.gauge.enter(Phase::Rewriting);
        self.check_host(request)?;
        let (recorded, offers_care) = self.record_once(request, &request.output, false, progress)?;
        if !offers_care || !matches!(recorded.outcome, Outcome::Crashed { .. }) {
            return Ok(recorded);
        }
        // Its last events may have died with it: once more, with each of them sent at once.
        let folder = request.output.parent().filter(|folder| !folder.as_os_str().is_empty());
        let again = tempfile::Builder::new()
            .prefix(".forkpoint-")
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666))
            .tempfile_in(folder.unwrap_or(Path::new(".")))
            .map_err(RecordError::io("creating a second trace beside the first"))?
            .into_temp_path();
        match self.record_once(request, &again, true, progress) {
            // An engine need not do the same twice: the crash is what counts.
            Ok((careful, _)) if careful.outcome == recorded.outcome => {
                again
                    .persist(&request.output)
                    .map_err(|error| RecordError::io("replacing a trace by one without loss")(error.error))?;
                Ok(Recorded { elapsed: recorded.elapsed + careful.elapsed, ..careful })
            }
            _ => Ok(recorded),
        }
    }

    /// Records one run to `output`, with care or without. Says also whether the engine's runner loses events in a crash, and
    /// would not if it took care.
    fn record_once(
        &self,
        request: &Request,
        output: &Path,
        careful: bool,
        progress: Progress,
    ) -> Result<(Recorded, bool), RecordError> {
        let started = Instant::now();
        let rewritten = self.rewritten_as(&request.effective_options())?;
        let mut pump = pump::Pump::new(self, &rewritten, request, output, progress)?;
        let run = Run { careful, ..self.run(request, &rewritten) };
        let launched = launch(request, &self.original, &rewritten, run, |frame, socket| pump.frame(frame, socket))?;
        pump.conclude(&launched)?;
        let offers_care = pump.offers_care();
        Ok((pump.finish(started.elapsed())?, offers_care))
    }
}
