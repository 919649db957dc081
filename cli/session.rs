//! From what the user typed to what the recorder takes.

use crate::args::GuestArgs;
use anyhow::{Context, Result, bail};
use forkpoint_tracer::instrument::Options;
use forkpoint_tracer::{
    Checkpoint, EndState, EngineSpec, Invocation, Program, Recorded, Request, Stdio, WasiSetup, Watch,
};
use indicatif::{ProgressBar, ProgressDrawTarget};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// A guest ready to be recorded, under one engine or several.
pub struct Session {
    pub program: Program,
    wasi: WasiSetup,
    timeout: Option<Duration>,
    memory_page_limit: Option<u64>,
    native_limit: u64,
    how: How,
    interrupt: Arc<AtomicBool>,
    executable: PathBuf,
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
    pub stdin: Stdio,
    pub output_streams: Stdio,
}

impl Session {
    /// Reads and rewrites the module and checks everything that can be checked before a run.
    pub fn new(guest: &GuestArgs, deterministic: bool) -> Result<Session> {
        let name = guest.module.file_name().map_or("module".into(), |name| name.to_string_lossy());
        let module = read_module(&guest.module)?;
        let calls: Vec<Invocation> = guest.invoke.iter().map(|call| parse_call(call)).collect::<Result<_>>()?;
        let program = Program::new(&name, module, &calls).with_context(|| format!("{}", guest.module.display()))?;
        let mut arguments = vec![name.into_owned()];
        arguments.extend(guest.arguments.iter().cloned());
        let interrupt = Arc::new(AtomicBool::new(false));
        // The second Ctrl-C ends us at once: the flag is set by then.
        signal_hook::flag::register_conditional_shutdown(signal_hook::consts::SIGINT, 130, Arc::clone(&interrupt))
            .and_then(|_| signal_hook::flag::register(signal_hook::consts::SIGINT, Arc::clone(&interrupt)))
            .context("setting up Ctrl-C")?;
        Ok(Session {
            program,
            wasi: WasiSetup {
                arguments,
                environment: guest.env.clone(),
                directories: guest.dir.clone(),
                deterministic,
            },
            timeout: guest.timeout,
            memory_page_limit: guest.memory_page_limit,
            native_limit: guest.native_limit(),
            how: How { options: guest.options(), checkpoint: guest.checkpoint, watch: None },
            interrupt,
            executable: std::env::current_exe().context("finding this program to start it again")?,
        })
    }

    /// Records one run. Where the output exists it is replaced only when the recording is complete.
    pub fn record(&self, side: Side, show_progress: bool) -> Result<Recorded> {
        self.record_how(side, self.how.clone(), show_progress)
    }

    /// Like [`Session::record`], in another way than the command line says.
    pub fn record_how(&self, side: Side, how: How, show_progress: bool) -> Result<Recorded> {
        let output = side.output.clone();
        if output.is_dir() {
            bail!("cannot write the trace {}: it is a directory", output.display());
        }
        let partial = output.exists().then(|| partial_name(&output));
        let request = self.request(Side { output: partial.clone().unwrap_or_else(|| output.clone()), ..side }, how);
        let bar = progress_bar(show_progress);
        let mut progress = |events: u64, bytes: u64| {
            bar.set_message(format!(
                "{}: {} events, {}",
                request.engine,
                crate::output::grouped(events),
                crate::output::bytes(bytes)
            ));
            bar.tick();
        };
        let recorded = self.program.record(&request, &mut progress);
        bar.finish_and_clear();
        let recorded = match recorded {
            Ok(recorded) => recorded,
            Err(error) if request.output.exists() => {
                return Err(error)
                    .context(format!("what was recorded until then is in {}", request.output.display()));
            }
            Err(error) => return Err(error.into()),
        };
        if let Some(partial) = partial {
            fs::rename(&partial, &output)
                .with_context(|| format!("moving {} to {}", partial.display(), output.display()))?;
        }
        Ok(recorded)
    }
}

impl Session {
    /// Runs one side without recording; its output file is not used.
    pub fn run_plain(&self, side: Side) -> Result<EndState> {
        let request = self.request(side, self.how.clone());
        Ok(self.program.run_plain(&request)?.end)
    }

    /// The command line's way to record, with other options.
    pub fn how_with(&self, options: Options) -> How {
        How { options, ..self.how.clone() }
    }

    fn request(&self, side: Side, how: How) -> Request {
        Request {
            engine: side.engine,
            wasi: self.wasi.clone(),
            output: side.output,
            memory_page_limit: side.memory_page_limit.or(self.memory_page_limit),
            timeout: self.timeout,
            stdin: side.stdin,
            output_streams: side.output_streams,
            executable: self.executable.clone(),
            command: std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned()).collect(),
            interrupt: Arc::clone(&self.interrupt),
            native_limit: self.native_limit,
            options: how.options,
            checkpoint: how.checkpoint,
            watch: how.watch,
        }
    }
}

fn progress_bar(show: bool) -> ProgressBar {
    if !show {
        return ProgressBar::hidden();
    }
    // Hidden by itself when standard error is no terminal.
    ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10))
}

fn partial_name(output: &Path) -> PathBuf {
    let mut name = output.file_name().unwrap_or_default().to_os_string();
    name.push(".partial");
    output.with_file_name(name)
}

/// Reads a module, binary or text.
fn read_module(path: &Path) -> Result<Vec<u8>> {
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

fn parse_call(call: &str) -> Result<Invocation> {
    let mut words = call.split_whitespace().map(str::to_string);
    let Some(function) = words.next() else { bail!("--invoke needs the name of an export") };
    Ok(Invocation { function, arguments: words.collect() })
}
