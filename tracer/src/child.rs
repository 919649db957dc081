//! The child process: runs one job under an engine and reports in frames.

pub use crate::job::ARGUMENT;

use crate::engine;
use crate::engine::wasmi::preload::preload;
use crate::handover;
use crate::host::embed::{HostError, HostFunctions};
use crate::host::function::HostFunction;
use crate::host::script::Script;
use crate::job::{Job, Run, Task};
use crate::link::{Socket, listen};
use crate::protocol::{FrameWriter, Message};
use crate::shared::Slots;
use std::collections::BTreeSet;
use std::io::Write;
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

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

/// Like [`main`], for an embedder with its own host functions: a recording names them in [`crate::Imports::hosted`],
/// and here they are passed in. They run in the child process only.
///
/// # Errors
/// Those of [`main`].
pub fn main_with(arguments: &[String], hosted: HostFunctions) -> Result<(), String> {
    tell_panics_apart();
    // The parent handles Ctrl-C and SIGTERM, and stops us through the socket.
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::default()).map_err(|error| format!("ignoring a signal: {error}"))?;
    }
    let number = |text: &String| text.parse::<i32>().ok().filter(|fd| *fd > 2);
    match arguments {
        [control] => {
            let control = number(control).ok_or("the socket for jobs is not a file descriptor")?;
            // SAFETY: the parent left this descriptor open for us and names it in the arguments; nothing else in this process
            // has used it, so it has one owner from here on.
            serve(&unsafe { UnixStream::from_raw_fd(control) })
        }
        [job, socket, memory, free] => {
            let (Some(socket), Some(memory), Some(free)) = (number(socket), number(memory), number(free)) else {
                return Err("the socket, the memory or the semaphore is not a file descriptor".to_string());
            };
            // SAFETY: as above, for each of the three.
            let (socket, memory, free) = unsafe {
                (UnixStream::from_raw_fd(socket), OwnedFd::from_raw_fd(memory), OwnedFd::from_raw_fd(free))
            };
            run(Path::new(job), socket, [memory, free], hosted)
        }
        _ => {
            let what = "it takes a job, a socket, shared memory and a semaphore, or a socket for jobs";
            Err(format!("{ARGUMENT} is for forkpoint's own use: {what}"))
        }
    }
}

/// Does job after job, and says after each that it is done.
fn serve(control: &UnixStream) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("the socket for jobs: {error}");
    while let Some((job, [socket, memory, free])) = handover::receive(control).map_err(failed)? {
        run(&job, socket.into(), [memory, free], HostFunctions::new())?;
        let mut control = control;
        control.write_all(&[1]).map_err(failed)?;
    }
    Ok(())
}

/// Does one job, and closes the socket.
fn run(job: &Path, socket: UnixStream, shared: [OwnedFd; 2], mut hosted: HostFunctions) -> Result<(), String> {
    let bytes = std::fs::read(job).map_err(|error| format!("reading the job {}: {error}", job.display()))?;
    let job: Job = serde_json::from_slice(&bytes).map_err(|error| format!("the job {}: {error}", job.display()))?;
    let cloned = || socket.try_clone().map_err(|error| format!("the socket: {error}"));
    let over = Arc::new(AtomicBool::new(false));
    let mut control = listen(cloned()?, Arc::clone(&over));
    let mut out = FrameWriter(Socket::new(cloned()?));
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
    let [memory, free] = shared;
    let slots = Slots::new(memory, free).map_err(|error| format!("the shared memory: {error}"))?;
    let ran = match job.deep_calls {
        true => std::thread::scope(|scope| {
            let run = || engine::run(&job, out, control, slots);
            std::thread::Builder::new().stack_size(DEEP_STACK).spawn_scoped(scope, run).and_then(|thread| {
                thread.join().map_err(|_| std::io::Error::other("the engine's thread panicked"))?
            })
        }),
        false => engine::run(&job, out, control, slots),
    };
    over.store(true, Ordering::Release);
    // Others may hold copies of it.
    let _ = socket.shutdown(std::net::Shutdown::Both);
    ran.map_err(|error| format!("talking to the recorder: {error}"))
}

/// The stack where host and guest call each other: ten thousand levels of it take a fifth of this.
const DEEP_STACK: usize = 256 << 20;

/// Crates that belong to engines linked into this program.
const ENGINES: &[&str] = &["cranelift", "pulley", "regalloc2", "wasmi", "wasmtime", "winch"];

/// Turns a panic of an engine into death by a signal, which it is in other engines, and any other panic into an exit
/// with a status: a failure of ours, or of an embedder's function, says nothing about an engine.
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

/// Whether a source file belongs to an engine: one of its path's folders is such a crate with its version.
fn is_engines(file: &str) -> bool {
    let of = |folder: &str, name: &&str| {
        folder.strip_prefix(*name).is_some_and(|rest| {
            // `wasmtime-48.0.0`, `wasmtime-internal-core-48.0.0`, but not the host functions of WASI.
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
