//! From what the user typed to what the recorder takes.

use crate::args::{GuestArgs, HostMode, RunArgs};
use crate::output::tell;
use crate::{files, progress};
use anyhow::{Context, Result, bail};
use forkpoint_replay::{Symbols, printable};
use forkpoint_tracer::instrument::{Options, Style};
use forkpoint_tracer::{
    Checkpoint, EndState, EngineSpec, FeatureSwitches, Gauge, HostSource, Imports, Invocation, Program, Recorded,
    Request, Stdio, WasiSetup, Watch,
};
use forkpoint_traces::TraceReader;
use signal_hook::consts::{SIGINT, SIGTERM};
use std::collections::BTreeMap;
use std::fs;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A guest ready to be recorded, under one engine or several.
pub struct Session {
    pub program: Program,
    wasi: WasiSetup,
    timeout: Option<Duration>,
    memory_page_limit: Option<u64>,
    max_memory: Option<u64>,
    features: FeatureSwitches,
    run_features: FeatureSwitches,
    native_limit: u64,
    how: How,
    command: Vec<String>,
    interrupt: Arc<AtomicBool>,
    executable: PathBuf,
    gauge: Arc<Gauge>,
    /// Files that are read: none of them may be an output.
    inputs: Vec<PathBuf>,
}

/// The host of its own that an engine says it has; or why it has none, where there is more to say.
pub type OwnHost = std::result::Result<String, Option<String>>;

/// How long an engine may take to say whether it has a host.
const PATIENCE: Duration = Duration::from_secs(20);

/// What engines said of hosts of their own, by their names.
static OWN_HOSTS: Mutex<BTreeMap<String, OwnHost>> = Mutex::new(BTreeMap::new());

/// What an engine said of a host of its own, if it was asked.
pub fn known_host(engine: &str) -> Option<OwnHost> {
    OWN_HOSTS.lock().unwrap_or_else(PoisonError::into_inner).get(engine).cloned()
}

/// How a run is recorded.
#[derive(Clone)]
pub struct How {
    pub options: Options,
    pub checkpoint: Checkpoint,
    pub watch: Option<Watch>,
}

/// What differs between two recordings of a session.
pub struct Side {
    pub engine: EngineSpec,
    /// Most pages that a memory may have on this side; `None` for what holds for both.
    pub memory_page_limit: Option<u64>,
    pub output: PathBuf,
    pub host: HostSource,
    /// Whether what the guest prints is shown although its host calls come from a log.
    pub echo: bool,
    pub stdin: Stdio,
    pub output_streams: Stdio,
}

impl Side {
    /// A run without anything to read, whose host calls are answered by the trace `log` and whose output is not shown.
    pub fn replayed(engine: EngineSpec, output: PathBuf, log: PathBuf) -> Side {
        Side {
            engine,
            memory_page_limit: None,
            output,
            host: HostSource::Log(log),
            echo: false,
            stdin: Stdio::Null,
            output_streams: Stdio::Null,
        }
    }
}

impl Session {
    /// Reads and rewrites the module and checks everything that can be checked before a run.
    pub fn new(guest: &GuestArgs, deterministic: bool) -> Result<Session> {
        let module = read_module(&guest.module)?;
        let calls: Vec<Invocation> = guest.run.invoke.iter().map(|call| parse_call(call)).collect::<Result<_>>()?;
        let session = Session::of_module(&guest.module, module, Some(&calls), &guest.run, deterministic)?;
        if session.program.runs_without_threads() {
            tell(&format!(
                "note: {} gets no threads: each `thread-spawn` answers -1, and only its first thread runs",
                guest.module.display()
            ));
        }
        Ok(session)
    }

    /// The same for a module that was read from `file` before; without calls it is instantiated only.
    pub fn of_module(
        file: &Path,
        module: Vec<u8>,
        calls: Option<&[Invocation]>,
        run: &RunArgs,
        deterministic: bool,
    ) -> Result<Session> {
        let name = file.file_name().map_or("module".into(), |name| name.to_string_lossy());
        let scripts = run.host_scripts();
        let imports = Imports {
            stubs: &run.import,
            allow_unordered: run.allow_unordered,
            preloads: &run.preload,
            scripts: &scripts,
            ..Imports::default()
        };
        let program = match calls {
            Some(calls) => Program::allocating(&name, module, calls, run.alloc.as_ref(), &imports),
            None => Program::uncalled(&name, module, &imports),
        }
        .with_context(|| format!("{}", file.display()))?;
        let mut arguments = vec![name.into_owned()];
        arguments.extend(run.arguments.iter().cloned());
        let wasi = WasiSetup { arguments, environment: run.env.clone(), directories: run.dir.clone(), deterministic };
        let how = How { options: run.options(), checkpoint: run.checkpoint, watch: None };
        let mut session = Session::of(program, wasi, how, run.timeout, run.native_limit())?;
        session.memory_page_limit = run.memory_page_limit;
        session.max_memory = run.max_memory;
        session.features = run.features.clone().unwrap_or_default();
        session.run_features = run.run_features.clone().unwrap_or_default();
        session.inputs = vec![file.to_path_buf()];
        session.inputs.extend(run.preload.iter().map(|preload| preload.file.clone()));
        session.inputs.extend(session.program.files().iter().cloned());
        Ok(session)
    }

    /// A session that runs a recording again.
    pub fn replayed(trace: &TraceReader, timeout: Option<Duration>) -> Result<Session> {
        let program = Program::recorded(trace)?;
        let recorder = &trace.header().recorder;
        let checkpoint = recorder.checkpoint.parse().ok().unwrap_or_default();
        let style = if recorder.hooks { Style::Hooks } else { Style::Inline };
        let options = Options { style, read_back: recorder.read_back, ..crate::args::options_for(checkpoint) };
        let how = How { options, checkpoint, watch: None };
        let mut session = Session::of(program, WasiSetup::default(), how, timeout, 0)?;
        session.memory_page_limit = trace.header().limits.memory_pages;
        let features = &trace.header().features;
        let switches = |words: &[String]| words.join(",").parse().context("the recording's proposals");
        if !features.compile.is_empty() {
            session.features = switches(&features.compile)?;
        }
        if !features.run.is_empty() {
            session.run_features = switches(&features.run)?;
        }
        Ok(session)
    }

    fn of(
        program: Program,
        wasi: WasiSetup,
        how: How,
        timeout: Option<Duration>,
        native_limit: u64,
    ) -> Result<Session> {
        let interrupt = interrupt()?;
        let command = std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned()).collect();
        let executable = std::env::current_exe().context("finding this program to start it again")?;
        let memory_page_limit = None;
        Ok(Session {
            program,
            wasi,
            timeout,
            memory_page_limit,
            max_memory: None,
            features: FeatureSwitches::default(),
            run_features: FeatureSwitches::default(),
            native_limit,
            how,
            command,
            interrupt,
            executable,
            gauge: Arc::default(),
            inputs: Vec::new(),
        })
    }

    /// The host of its own with which `engine` answers the guest's calls. Asks the engine once.
    pub fn own_host(&self, engine: &EngineSpec) -> Result<OwnHost> {
        if let Some(import) = self.program.beyond_wasi().filter(|_| !engine.has_linked_host()) {
            return Ok(Err(Some(format!("{import} is answered beside the linked Wasmtime only"))));
        }
        let name = engine.to_string();
        if let Some(known) = known_host(&name) {
            return Ok(known);
        }
        let request =
            Request::new(engine.clone(), PathBuf::new()).context("finding this program to start it again")?;
        let interrupt = Arc::clone(&self.interrupt);
        let request = Request { timeout: Some(self.timeout.unwrap_or(PATIENCE)), interrupt, ..request };
        let found =
            forkpoint_tracer::own_host(&request).with_context(|| format!("asking {engine} whether it has a host"))?;
        OWN_HOSTS.lock().unwrap_or_else(PoisonError::into_inner).insert(name, found.clone());
        Ok(found)
    }

    /// Whether `engine` answers host calls by itself where they are to be answered as `mode` says.
    pub fn answers_itself(&self, engine: &EngineSpec, mode: HostMode) -> Result<bool> {
        if engine.has_linked_host() || !self.program.needs_host() {
            return Ok(true);
        }
        Ok(mode != HostMode::Pinned && self.own_host(engine)?.is_ok())
    }

    /// Where the host calls of `engine` are answered: by its own host, or, where that is not asked for or it has none and the
    /// guest needs one, by the host log of a recording under Wasmtime, made here in the folder `aside`.
    pub fn host_for(
        &self,
        engine: &EngineSpec,
        mode: HostMode,
        aside: &Path,
        stdin: Stdio,
        output_streams: Stdio,
    ) -> Result<HostSource> {
        if self.answers_itself(engine, mode)? {
            return Ok(HostSource::Live);
        }
        if mode == HostMode::Own {
            let why = self.own_host(engine)?.err().flatten().map_or(String::new(), |why| format!(" ({why})"));
            bail!(
                "{engine} has no host of its own{}: leave out --host own, or name an engine that has one (`forkpoint engines` \
                 lists them)",
                printable(&why)
            );
        }
        let log = aside.join("host.fpt");
        let reference = EngineSpec::default();
        let side = Side {
            engine: reference.clone(),
            memory_page_limit: None,
            output: log.clone(),
            host: HostSource::Live,
            echo: false,
            stdin,
            output_streams,
        };
        self.record(side, false).with_context(|| format!("recording the host calls under {reference}"))?;
        Ok(HostSource::Log(log))
    }

    /// Records one run. `show_progress`: whether this is what the command is doing.
    pub fn record(&self, side: Side, show_progress: bool) -> Result<Recorded> {
        self.record_how(side, self.how.clone(), show_progress)
    }

    /// Like [`Session::record`], in another way than the command line says.
    pub fn record_how(&self, side: Side, how: How, show_progress: bool) -> Result<Recorded> {
        let output = side.output.clone();
        if output.is_dir() {
            bail!("cannot write the trace {}: it is a directory", output.display());
        }
        let log = match &side.host {
            HostSource::Log(log) => Some(log.as_path()),
            HostSource::Live => None,
        };
        files::refuse_same(&output, self.inputs.iter().map(PathBuf::as_path).chain(log))?;
        files::note_unfinished(&output);
        if show_progress {
            let inherits = matches!(side.output_streams, Stdio::Inherit) && std::io::stdout().is_terminal();
            let prints = inherits || matches!(side.output_streams, Stdio::Stderr | Stdio::Inherit) || side.echo;
            let what = if how.watch.is_some() { "narrowing" } else { "recording" };
            progress::run(what, &side.engine.to_string(), &self.gauge, prints && self.program.needs_host());
        }
        let was_there = output.exists();
        let request = self.request(side, how);
        match self.program.record(&request, &mut |_, _| {}) {
            Ok(recorded) => Ok(recorded),
            Err(error) => {
                let ours = |left: &forkpoint_traces::Unfinished| left.process == std::process::id();
                let left = forkpoint_traces::unfinished(&output).into_iter().find(ours).map(|left| left.path);
                match left.or((!was_there && output.is_file()).then_some(output)) {
                    Some(left) => {
                        Err(error).context(format!("what was recorded until then is in {}", left.display()))
                    }
                    None => Err(error.into()),
                }
            }
        }
    }
}

impl Session {
    /// Runs one side without recording; its output file is not used.
    pub fn run_plain(&self, side: Side, show_progress: bool) -> Result<EndState> {
        let request = self.request(side, self.how.clone());
        if show_progress {
            progress::run("without recording", &request.engine.to_string(), &self.gauge, false);
        }
        Ok(self.program.run_plain(&request)?.end)
    }

    /// Names of the module's functions and of what else it has.
    pub fn symbols(&self) -> Symbols {
        Symbols::new(self.program.original().to_vec())
    }

    /// How the command line has the module rewritten.
    pub fn options(&self) -> &Options {
        &self.how.options
    }

    /// The command line's way to record, with other options.
    pub fn how_with(&self, options: Options) -> How {
        How { options, ..self.how.clone() }
    }

    fn request(&self, side: Side, how: How) -> Request {
        Request {
            engine: side.engine,
            wasi: self.wasi.clone(),
            host: side.host,
            echo: side.echo,
            output: side.output,
            memory_page_limit: side.memory_page_limit.or(self.memory_page_limit),
            features: self.features.clone(),
            run_features: self.run_features.clone(),
            timeout: self.timeout,
            max_memory: self.max_memory,
            stdin: side.stdin,
            output_streams: side.output_streams,
            executable: self.executable.clone(),
            command: self.command.clone(),
            interrupt: Arc::clone(&self.interrupt),
            gauge: Arc::clone(&self.gauge),
            native_limit: self.native_limit,
            options: how.options,
            checkpoint: how.checkpoint,
            watch: how.watch,
        }
    }
}

/// Set by Ctrl-C and SIGTERM, for all runs of this process.
pub fn interrupt() -> Result<Arc<AtomicBool>> {
    static INTERRUPT: Mutex<Option<Arc<AtomicBool>>> = Mutex::new(None);
    let mut shared = INTERRUPT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(interrupt) = &*shared {
        return Ok(Arc::clone(interrupt));
    }
    let interrupt = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // The second one ends us at once: the flag is set by then.
        signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&interrupt))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&interrupt)))
            .context("setting up Ctrl-C and SIGTERM")?;
    }
    *shared = Some(Arc::clone(&interrupt));
    Ok(interrupt)
}

/// Reads a module, binary or text.
pub fn read_module(path: &Path) -> Result<Vec<u8>> {
    let bytes = fs::read(path).with_context(|| format!("reading the module {}", path.display()))?;
    if bytes.starts_with(b"\0asm") {
        return Ok(bytes);
    }
    let is_text = path.extension().is_some_and(|extension| extension == "wat" || extension == "wast")
        || std::str::from_utf8(&bytes).is_ok_and(|text| text.trim_start().starts_with(['(', ';']));
    if !is_text {
        bail!(
            "{} is not a WebAssembly module: it starts with {:02x?}, expected the bytes [00, 61, 73, 6d] or a text \
             module `(module ...)`",
            path.display(),
            &bytes[..bytes.len().min(4)]
        );
    }
    let parsed = wat::Parser::new().parse_bytes(Some(path), &bytes);
    Ok(parsed.with_context(|| format!("the text module {}", path.display()))?.into_owned())
}

/// A call as `--invoke` has it.
pub fn parse_call(call: &str) -> Result<Invocation> {
    call.parse().with_context(|| format!("--invoke {call}"))
}
