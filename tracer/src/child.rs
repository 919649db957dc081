//! The child process: runs one job under an engine and reports in frames.

use crate::engine::{self, EngineSpec};
use crate::features::FeatureSwitches;
use crate::host::WasiSetup;
use crate::host::answer::{HostFunction, HostSpec};
use crate::host::embed::{HostError, HostFunctions};
use crate::host::preload::{Preload, preload};
use crate::host::script::{HostScript, Script};
use crate::observe::Watch;
use crate::protocol::{FrameWriter, Message, Order, read_order};
use crate::values::WasmValue;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::io::{self, BufReader};
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};

/// First argument of a child process; the job's file, the number of its socket and that of the memory to put
/// under the guest's buffer follow.
pub const ARGUMENT: &str = "__run-engine";

/// What a child process is to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Job {
    /// [`VERSION`](crate::protocol::VERSION), for runners; forkpoint's own child is always of the same build.
    pub(crate) protocol: u32,
    pub(crate) engine: EngineSpec,
    /// The module as it was given, which the engine is asked to validate.
    pub(crate) original: PathBuf,
    /// The rewritten module, or what an engine compiled from it.
    pub(crate) module: PathBuf,
    /// Whether the module needs the stack switching proposal.
    pub(crate) stack_switching: bool,
    /// Most pages of 64 KiB that a memory may have.
    pub(crate) memory_page_limit: Option<u64>,
    /// Proposals to switch on and off.
    pub(crate) features: FeatureSwitches,
    pub(crate) task: Task,
}

/// The two things a child does.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Task {
    /// Compile the module to a file for another process.
    Compile { output: PathBuf },
    /// Run it.
    Run(Box<Run>),
}

/// A run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Run {
    /// Whether `module` is compiled already.
    pub(crate) precompiled: bool,
    /// Whether the run ends when the module is compiled: it is not valid, so nothing of it is to run.
    pub(crate) stages_only: bool,
    /// Export names of the original module's memories.
    pub(crate) memories: Vec<String>,
    /// Which of them is exported as `memory`: the one that WASI writes to.
    pub(crate) wasi_memory: Option<u32>,
    /// Export names of the original module's mutable numeric globals.
    pub(crate) globals: Vec<String>,
    /// Export names of the original module's tables.
    pub(crate) tables: Vec<String>,
    /// Whether there is a start function to call.
    pub(crate) has_start: bool,
    pub(crate) calls: Vec<Call>,
    pub(crate) wasi: WasiSetup,
    /// Whether the engine's process answers WASI itself; otherwise the recorder answers every host call.
    pub(crate) live_host: bool,
    /// Modules that answer other imports there.
    pub(crate) preloads: Vec<Preload>,
    /// Scripts that do.
    #[serde(default)]
    pub(crate) scripts: Vec<HostScript>,
    /// What else answers host calls there; without it the recorder is asked.
    pub(crate) answers: Option<HostSpec>,
    /// Whether to send native code, and at most how many bytes of it.
    pub(crate) native_limit: u64,
    /// When to show all memories, besides at the end.
    pub(crate) checkpoints: Checkpoints,
    /// Bytes to look at after every event.
    pub(crate) watch: Option<Watch>,
    /// Whether a runner that keeps records back sends each at once: the run crashed before.
    pub(crate) careful: bool,
}

/// When a child shows all memories, besides after instantiation and at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Checkpoints {
    /// Never.
    None,
    /// Around every host call.
    Calls,
    /// When so many bytes of records were sent since the last time.
    Bytes(u64),
}

/// A call of an export.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Call {
    pub(crate) function: String,
    pub(crate) arguments: Vec<WasmValue>,
    /// Whether its type has vectors, which not every interface to an engine can pass.
    pub(crate) vectors: bool,
}

/// Says that the parent wants the run to end.
pub(crate) type Stop = Arc<AtomicBool>;

/// What the parent sends: the order to stop, and its answers.
pub(crate) struct Control {
    pub(crate) stop: Stop,
    pub(crate) answers: Answers,
    /// Host functions of this process's own.
    pub(crate) hosted: Arc<HostFunctions>,
}

/// The parent's answers at checkpoints and to host calls.
pub(crate) struct Answers(Mutex<Receiver<Order>>);

impl Answers {
    /// Waits for the next one.
    pub(crate) fn wait(&self) -> io::Result<Order> {
        let lost = || io::Error::from(io::ErrorKind::BrokenPipe);
        self.0.lock().map_err(|_| lost())?.recv().map_err(|_| lost())
    }
}

/// Writes frames to the recorder.
pub(crate) type Out = FrameWriter<Socket>;

/// The socket to the recorder, for several hands.
#[derive(Clone)]
pub(crate) struct Socket(Arc<UnixStream>);

impl io::Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&*self.0).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        (&*self.0).flush()
    }
}

/// Runs a child process to its end. `arguments` are what follows [`ARGUMENT`] on the command line.
///
/// Only for processes that this crate started itself: the numbers are taken on trust.
///
/// # Errors
/// In words, when the job cannot be read or the parent is gone. What the engine or the guest does is reported
/// to the parent instead.
pub fn main(arguments: &[String]) -> Result<(), String> {
    main_with(arguments, HostFunctions::new())
}

/// Like [`main`], for an embedder with host functions of its own: its recordings' [`crate::Imports::hosted`] names
/// them, and here they are. They run in the child process only.
///
/// # Errors
/// Those of [`main`].
pub fn main_with(arguments: &[String], mut hosted: HostFunctions) -> Result<(), String> {
    tell_panics_apart();
    let [job, socket, buffer] = arguments else {
        return Err(format!("{ARGUMENT} is for forkpoint's own use: it takes a job, a socket and a buffer"));
    };
    let bytes = std::fs::read(job).map_err(|error| format!("reading the job {job}: {error}"))?;
    let job: Job = serde_json::from_slice(&bytes).map_err(|error| format!("the job {job}: {error}"))?;
    let number = |text: &String| text.parse::<i32>().ok().filter(|fd| *fd > 2);
    let (Some(socket), Some(buffer)) = (number(socket), number(buffer)) else {
        return Err("the socket or the buffer is not a file descriptor".to_string());
    };
    // SAFETY: the parent left these two descriptors open for us and names them in the arguments; nothing else in
    // this process has used them, so each has one owner from here on.
    let (socket, buffer) = unsafe { (UnixStream::from_raw_fd(socket), OwnedFd::from_raw_fd(buffer)) };
    let mut control = listen(socket.try_clone().map_err(|error| format!("the socket: {error}"))?);
    // The parent decides what Ctrl-C and SIGTERM mean; it stops us through the socket.
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::default()).map_err(|error| format!("ignoring a signal: {error}"))?;
    }
    let mut out = FrameWriter(Socket(Arc::new(socket)));
    if let Task::Run(run) = &job.task
        && run.live_host
    {
        let preloaded = run.preloads.iter().try_for_each(|file| preload(file, &mut hosted));
        if let Err(message) = preloaded.and_then(|()| scripts(run, &job.module, &mut hosted)) {
            let sent = out.message(&Message::SetupFailed(message));
            return sent.map_err(|error| format!("talking to the recorder: {error}"));
        }
    }
    control.hosted = Arc::new(hosted);
    engine::run(&job, out, control, buffer).map_err(|error| format!("talking to the recorder: {error}"))
}

/// Crates that are parts of engines linked into this program.
const ENGINES: &[&str] = &["cranelift", "pulley", "regalloc2", "wasmi", "wasmtime", "winch"];

/// Makes a panic of an engine what it is elsewhere, the death of its process by a signal, and any other an exit with a
/// status: a failure of ours, or of an embedder's function, is no finding about an engine.
fn tell_panics_apart() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        usual(panic);
        match panic.location() {
            Some(place) if is_engines(place.file()) => std::process::abort(),
            _ => std::process::exit(101),
        }
    }));
}

/// Whether a source file belongs to an engine: one of its path's folders is that of such a crate, with its version.
fn is_engines(file: &str) -> bool {
    let of = |folder: &str, name: &&str| {
        folder.strip_prefix(*name).is_some_and(|rest| {
            // `wasmtime-48.0.0`, `wasmtime-internal-core-48.0.0`, and not the host functions of WASI.
            rest.starts_with(['-', '_']) && !rest.starts_with("-wasi") && rest.contains(|c: char| c.is_ascii_digit())
        })
    };
    file.split('/').any(|folder| ENGINES.iter().any(|name| of(folder, name)))
}

/// Starts the run's scripts, and adds those of their functions that the module imports.
fn scripts(run: &Run, module: &Path, hosted: &mut HostFunctions) -> Result<(), String> {
    let functions = run.answers.as_ref().map_or(&[][..], |answers| &answers.functions);
    let mut taken = BTreeSet::new();
    for spec in &run.scripts {
        let folder = module.parent().unwrap_or(Path::new("."));
        let started = Script::start(spec, folder);
        let (script, found) = started.map_err(|why| format!("the host script {}: {why}", spec.file.display()))?;
        let script = Arc::new(Mutex::new(script));
        let imported = functions.iter().filter(|function| found.contains(&function.import));
        for HostFunction { import, results, .. } in imported {
            if !taken.insert(import.clone()) {
                continue;
            }
            let (script, from, results) = (Arc::clone(&script), import.clone(), results.clone());
            hosted.define(&import.module, &import.name, move |memory, arguments| {
                let lost = |_| HostError::Failed("a call of a script came to no end".to_string());
                script.lock().map_err(lost)?.call(&from, arguments, &results, memory)
            });
        }
    }
    Ok(())
}

/// Listens to the parent. Without a parent nobody reads what this process reports: it ends at once.
fn listen(socket: UnixStream) -> Control {
    let stop = Stop::default();
    let (sender, answers) = channel();
    let answers = Answers(Mutex::new(answers));
    let control = Control { stop: Arc::clone(&stop), answers, hosted: Arc::default() };
    std::thread::spawn(move || {
        let mut input = BufReader::new(socket);
        loop {
            match read_order(&mut input) {
                Ok(Order::Stop) => stop.store(true, Ordering::Relaxed),
                Ok(order) => {
                    if sender.send(order).is_err() {
                        return;
                    }
                }
                Err(_) => std::process::exit(1),
            }
        }
    });
    control
}

#[cfg(test)]
mod tests {
    use super::is_engines;

    #[test]
    fn panics_are_told_apart_by_their_files() {
        let registry = "/home/user/.cargo/registry/src/index.crates.io-1/";
        for engine in
            ["wasmtime-48.0.8", "wasmi_core-2.0.0", "cranelift-codegen-0.120.0", "wasmtime-internal-core-48.0.8"]
        {
            assert!(is_engines(&format!("{registry}{engine}/src/lib.rs")), "{engine}");
        }
        for other in ["wasmtime-wasi-48.0.8", "serde-1.0.0", "wasmparser-0.240.0"] {
            assert!(!is_engines(&format!("{registry}{other}/src/lib.rs")), "{other}");
        }
        for ours in
            ["tracer/src/engine/wasmtime.rs", file!(), "src/main.rs", "/rustc/0123/library/core/src/option.rs"]
        {
            assert!(!is_engines(ours), "{ours}");
        }
    }
}
