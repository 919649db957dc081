//! The child process: runs one job under an engine and reports in frames.

use crate::engine::{EngineSpec, wasmtime};
use crate::host::WasiSetup;
use crate::protocol::FrameWriter;
use crate::values::WasmValue;
use serde::{Deserialize, Serialize};
use std::io::Read;
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// First argument of a child process; the job's file, the number of its socket and that of the memory to put
/// under the guest's buffer follow.
pub const ARGUMENT: &str = "__run-engine";

/// What a child process is to do.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) engine: EngineSpec,
    /// The rewritten module, or what an engine compiled from it.
    pub(crate) module: PathBuf,
    pub(crate) task: Task,
}

/// The two things a child does.
#[derive(Debug, Serialize, Deserialize)]
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
    /// Export names of the original module's memories.
    pub(crate) memories: Vec<String>,
    /// Which of them is exported as `memory`: the one that WASI writes to.
    pub(crate) wasi_memory: Option<u32>,
    /// Whether there is a start function to call.
    pub(crate) has_start: bool,
    pub(crate) calls: Vec<Call>,
    pub(crate) wasi: WasiSetup,
    /// Whether to send native code, and at most how many bytes of it.
    pub(crate) native_limit: u64,
}

/// A call of an export.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Call {
    pub(crate) function: String,
    pub(crate) arguments: Vec<WasmValue>,
}

/// Says that the parent wants the run to end.
pub(crate) type Stop = Arc<AtomicBool>;

/// Runs a child process to its end. `arguments` are what follows [`ARGUMENT`] on the command line.
///
/// Only for processes that this crate started itself: the numbers are taken on trust.
///
/// # Errors
/// In words, when the job cannot be read or the parent is gone. What the engine or the guest does is reported
/// to the parent instead.
pub fn main(arguments: &[String]) -> Result<(), String> {
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
    let stop = Stop::default();
    watch(socket.try_clone().map_err(|error| format!("the socket: {error}"))?, Arc::clone(&stop));
    // The parent decides what Ctrl-C means; it stops us through the socket.
    let ignored = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGINT, ignored)
        .map_err(|error| format!("ignoring SIGINT: {error}"))?;
    wasmtime::run(&job, FrameWriter(socket), stop, buffer)
        .map_err(|error| format!("talking to the recorder: {error}"))
}

/// Waits for the parent's byte. Without a parent nobody reads what this process reports: it ends at once.
fn watch(mut socket: UnixStream, stop: Stop) {
    std::thread::spawn(move || {
        let mut byte = [0];
        loop {
            match socket.read(&mut byte) {
                Ok(0) | Err(_) => std::process::exit(1),
                Ok(_) => stop.store(true, Ordering::Relaxed),
            }
        }
    });
}
