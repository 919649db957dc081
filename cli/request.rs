//! From the command line to what the recorder takes.

use crate::args::{GuestArgs, RunArgs};
use crate::output::tell;
use anyhow::{Context, Result, bail};
use forkpoint_compare::{is_script, read_module, read_script};
use forkpoint_tracer::{CodeCache, EngineSpec, Imports, Invocation, Program, Request, WasiSetup};
use forkpoint_traces::TraceReader;
use signal_hook::consts::{SIGINT, SIGTERM};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

/// Reads the module and checks everything that can be checked before a run.
pub fn program(guest: &GuestArgs) -> Result<Program> {
    if guest.program.is_javascript() {
        bail!(
            "--node and --browser are for record and compare: reduce takes a module, and cannot run a program that lives in JavaScript"
        );
    }
    if guest.program.module_of.is_some() {
        bail!("--module-of chooses among the modules of a program in JavaScript: it needs --node or --browser");
    }
    if !guest.program.modules.is_empty() {
        return linked(guest);
    }
    if guest.program.module.is_none() {
        bail!(
            "no module was given: name one (.wasm or .wat), a script (.wast), or a program in JavaScript with --node or --browser"
        );
    }
    let file = guest.file();
    if is_script(file) && guest.run.invoke.is_empty() {
        let (name, text) = (module_name(guest), read_script(file)?);
        return Program::script(&name, &text).with_context(|| format!("{}", file.display()));
    }
    if file.is_file() && TraceReader::open(file).is_ok() {
        bail!(
            "{} is a recording, and this takes a module: `forkpoint replay` runs a recording again, and `forkpoint compare --recording` runs it under several engines",
            file.display()
        );
    }
    let module = read_module(file)?;
    let (run, scripts) = (&guest.run, guest.run.host_scripts());
    let imports = Imports { scripts: &scripts, ..imports(run) };
    let program = Program::allocating(&module_name(guest), module, &calls(run)?, run.alloc.as_ref(), &imports)
        .with_context(|| format!("{}", file.display()))?;
    if program.runs_without_threads() {
        tell(&format!(
            "note: {} gets no threads: each `thread-spawn` answers -1, and only its first thread runs",
            file.display()
        ));
    }
    Ok(program)
}

/// A program of several modules.
fn linked(guest: &GuestArgs) -> Result<Program> {
    let read = |(name, file): &(String, PathBuf)| Ok((name.clone(), read_module(file)?));
    let modules: Vec<(String, Vec<u8>)> = guest.program.modules.iter().map(read).collect::<Result<_>>()?;
    let name = module_name(guest);
    Program::linked(&name, &modules, &calls(&guest.run)?).with_context(|| format!("the program {name}"))
}

fn module_name(guest: &GuestArgs) -> String {
    if !guest.program.modules.is_empty() {
        let names: Vec<&str> = guest.program.modules.iter().map(|(name, _)| name.as_str()).collect();
        return names.join("+");
    }
    guest.file().file_name().map_or("module".into(), |name| name.to_string_lossy()).into_owned()
}

/// Who answers imports, apart from scripts.
pub fn imports(run: &RunArgs) -> Imports<'_> {
    Imports { stubs: &run.import, allow_unordered: run.allow_unordered, preloads: &run.preload, ..Imports::default() }
}

/// The calls of `--invoke`.
pub fn calls(run: &RunArgs) -> Result<Vec<Invocation>> {
    run.invoke.iter().map(|call| call.parse().with_context(|| format!("--invoke {call}"))).collect()
}

/// How a guest runs, whatever the engine and the trace.
pub fn guest_request(guest: &GuestArgs, deterministic: bool) -> Result<Request> {
    let request = run_request(&guest.run)?;
    let mut arguments = vec![module_name(guest)];
    arguments.extend(request.wasi.arguments);
    Ok(Request { wasi: WasiSetup { arguments, deterministic, ..request.wasi }, ..request })
}

/// The same without the module's name among the guest's arguments.
pub fn run_request(run: &RunArgs) -> Result<Request> {
    Ok(Request {
        wasi: WasiSetup {
            arguments: run.arguments.clone(),
            environment: run.env.clone(),
            directories: run.dir.clone(),
            deterministic: false,
        },
        memory_page_limit: run.memory_page_limit,
        features: run.features.clone().unwrap_or_default(),
        run_features: run.run_features.clone().unwrap_or_default(),
        timeout: run.timeout,
        max_memory: run.max_memory,
        native_limit: run.native_limit(),
        cache: if run.no_cache { None } else { CodeCache::of_environment() },
        options: run.options(),
        checkpoint: run.checkpoint,
        ..plain_request()?
    })
}

/// A run with this command line and no other settings.
pub fn plain_request() -> Result<Request> {
    let request = Request::new(EngineSpec::default(), PathBuf::new());
    Ok(Request {
        command: std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned()).collect(),
        interrupt: interrupt()?,
        cache: CodeCache::of_environment(),
        ..request.context("finding this program to start it again")?
    })
}

/// Files that are read, so none of them may be an output.
pub fn inputs(modules: impl Iterator<Item = PathBuf>, run: &RunArgs) -> Vec<PathBuf> {
    let preloads = run.preload.iter().map(|preload| preload.file.clone());
    modules.chain(preloads).collect()
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
        // The second one kills us at once, since the flag is set by then.
        signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&interrupt))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&interrupt)))
            .context("setting up Ctrl-C and SIGTERM")?;
    }
    *shared = Some(Arc::clone(&interrupt));
    Ok(interrupt)
}
