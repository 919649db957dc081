//! `forkpoint record`: run a module and record every change to its memories.

pub mod javascript;

use crate::answer::Answer;
use crate::args::{RecordArgs, RecordHost};
use crate::files::timeline;
use crate::output::{bytes, grouped, print, print_json, tell};
use crate::progress::{self, Terminal};
use crate::request::{guest_request, inputs, program};
use anyhow::{Context, Result, bail};
use forkpoint_compare::{Doing, HostMode, Progress, Settings, record};
use forkpoint_replay::{Assertions, Item, Symbols, printable};
use forkpoint_tracer::{
    CallResult, Differs, EngineSpec, HostSource, Mismatch, Program, Recorded, Request, Scratch, Stdio,
};
use forkpoint_traces::{Hex, MEMORY_VARIABLE, Observation, Outcome};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Runs the command.
pub fn run(args: &RecordArgs) -> Result<Answer> {
    if args.guest.program.is_javascript() {
        return javascript::run(args);
    }
    let mut engine = args.engine.clone();
    apply_settings(&mut engine, args)?;
    let shown = progress::show(args.quiet);
    progress::phase("rewriting");
    let program = program(&args.guest)?;
    if let Some(error) = program.invalid() {
        bail!(
            "{}: {error}; it cannot be recorded. `forkpoint compare` shows what engines make of it",
            args.guest.file().display()
        );
    }
    let output = args.output.clone().unwrap_or_else(|| default_output(args.guest.file()));
    let temporary = Scratch::new().context("creating a temporary folder")?;
    let request = Request {
        engine: engine.clone(),
        output: output.clone(),
        stdin: Stdio::Inherit,
        output_streams: Stdio::Inherit,
        ..guest_request(&args.guest, args.deterministic)?
    };
    let host = match args.host {
        RecordHost::Wasmtime => HostMode::Pinned,
        RecordHost::Own => HostMode::Own,
    };
    let inputs = inputs(args.guest.files(), &args.guest.run);
    let settings = Settings { host, inputs, ..Settings::default() };
    let host = settings.host_for(&program, &request, temporary.path())?;
    if host != HostSource::Live && !args.quiet {
        tell(&format!(
            "host calls are answered as under {}; with --host own, {engine} answers them itself if it can",
            EngineSpec::default()
        ));
    }
    let request = Request { host, ..request };
    Terminal.run(Doing::Recording, &program, &request);
    let recorded = record(&program, &request, &settings.inputs)?;
    drop(shown);
    let failed = args.fail_on.iter().any(|end| end.is(&recorded.outcome));
    let answer = match recorded.outcome {
        _ if failed || recorded.mismatches.count > 0 => Answer::Diverge,
        // Some of the requested calls did not run.
        Outcome::NoRoom => Answer::None,
        _ => Answer::Yes,
    };
    if args.json {
        print_json(&RecordedJson::of(&recorded, &output))?;
        return Ok(answer);
    }
    // Of a script, what it asserts counts, and not what its calls return.
    let calls = if program.parts().is_some() { &[][..] } else { &recorded.calls };
    for call in calls {
        if let Ok(values) = &call.result {
            for value in values {
                print(&format!("{}\n", printable(&value.to_string())))?;
            }
        }
    }
    if !args.quiet {
        summary(&recorded, &output);
        if let Some(host) = recorded.host.as_ref().filter(|_| args.host == RecordHost::Own) {
            tell(&format!("  host calls were answered by {}", printable(host)));
        }
        if let Some(assertions) = assertions(&program, &output)?.filter(|assertions| !assertions.is_empty()) {
            assertions.to_string().lines().for_each(|line| tell(&format!("  {line}")));
        }
        if let Some(message) = &recorded.message {
            for line in message.lines() {
                tell(&format!("  {}", printable(line)));
            }
        }
        // The run's own standard error was shown as it ran, except for a rerun or a pinned guest.
        for line in recorded.last_words.iter().flat_map(|words| words.lines()) {
            tell(&format!("  its process wrote last: {}", printable(line)));
        }
    }
    findings(&recorded, &program);
    Ok(answer)
}

/// The recording in one line.
fn summary(recorded: &Recorded, output: &Path) {
    tell(&format!(
        "recorded {} events in {:.1} s{} to {} ({}{}): {}",
        grouped(recorded.events),
        recorded.elapsed.as_secs_f64(),
        times(recorded),
        printable(&output.display().to_string()),
        bytes(recorded.bytes),
        per_event(recorded),
        printable(&recorded.outcome.to_string())
    ));
}

/// What is wrong with the engine's memory, and what a replay needs.
fn findings(recorded: &Recorded, program: &Program) {
    if let Some(filled) = recorded.to_allow {
        tell(&format!(
            "its events fill more memory than a stranger's trace of this length may: to replay it, set \
             {MEMORY_VARIABLE}={}M",
            filled.div_ceil(1 << 20)
        ));
    }
    if recorded.mismatches.count > 0 {
        let symbols = Symbols::with(Arc::clone(program.original()), program.parts().cloned());
        recorded.mismatches.first.iter().take(MOST_FINDINGS).for_each(|finding| tell(&words(finding, &symbols)));
    }
    if recorded.mismatches.count > 0 {
        tell(&format!(
            "{} place(s) in which the engine's memory is not what its own instructions wrote: see `forkpoint dump --kind observed`. \
             To find the event, run `forkpoint compare --rhs ENGINE` with this engine",
            grouped(recorded.mismatches.count)
        ));
    }
}

/// What became of a script's assertions, as its trace says.
fn assertions(program: &Program, output: &Path) -> Result<Option<Assertions>> {
    if program.parts().is_none() || !output.is_file() {
        return Ok(None);
    }
    Ok(Assertions::of(&mut timeline(output)?)?)
}

/// Applies the options `--target`, `--cpu` and `--opt` on top of the settings in the engine's name.
fn apply_settings(engine: &mut EngineSpec, args: &RecordArgs) -> Result<()> {
    let EngineSpec::Wasmtime(engine) = engine else {
        if args.target.is_some() || args.cpu.is_some() || args.opt.is_some() {
            bail!("--target, --cpu and --opt are Wasmtime's: {engine} takes its settings in its name or command");
        }
        return Ok(());
    };
    if let Some(target) = &args.target {
        engine.target = target.clone();
    }
    if let Some(cpu) = &args.cpu {
        engine.cpu.extend(cpu.iter().cloned());
    }
    if let Some(opt) = args.opt {
        engine.opt = opt;
    }
    Ok(())
}

/// Most mismatches that are printed.
const MOST_FINDINGS: usize = 5;

/// A mismatch in one line.
fn words(finding: &Mismatch, symbols: &Symbols) -> String {
    let (memory, before) = (symbols.item(Item::Memory, finding.memory.0), finding.events.saturating_sub(1));
    match &finding.what {
        Differs::Bytes { address, engine, replayed, by } => format!(
            "{memory} at {address:#x} holds {:#}, by the recorded events it holds {:#} (found {})",
            Hex(engine),
            Hex(replayed),
            match by {
                Observation::ReadBack => format!("when it was read back after #{before}"),
                Observation::Checkpoint => format!("at the checkpoint before #{}", finding.events),
                Observation::Watch => format!("after #{before}"),
            }
        ),
        Differs::Size { engine, replayed } => {
            let engine = symbols.pages(finding.memory, *engine);
            format!("{memory} has {engine}; by the recorded events it has {replayed}")
        }
        Differs::Outside { address } => {
            format!("#{before} writes at {address:#x}, outside of {memory}: the engine did not trap")
        }
    }
}

fn default_output(module: &Path) -> PathBuf {
    PathBuf::from(module.file_stem().unwrap_or("module".as_ref())).with_extension("fpt")
}

/// Compile time and run time, where they are worth mentioning.
fn times(recorded: &Recorded) -> String {
    let (Some(compiling), running) = (recorded.compiling, recorded.running) else { return String::new() };
    if recorded.elapsed.as_secs_f64() < 1.0 {
        return String::new();
    }
    format!(" (compiled in {:.1} s, ran {:.1} s)", compiling.as_secs_f64(), running.as_secs_f64())
}

/// Only long runs: in short ones the module itself is most of the file.
fn per_event(recorded: &Recorded) -> String {
    if recorded.events < 1_000_000 {
        return String::new();
    }
    format!(", {:.3} bytes/event", recorded.bytes as f64 / recorded.events as f64)
}

/// The `--json` output that docs/json.md describes.
#[derive(Serialize)]
struct RecordedJson<'a> {
    trace: String,
    events: u64,
    bytes: u64,
    memory_to_allow: Option<u64>,
    seconds: f64,
    compile_seconds: Option<f64>,
    run_seconds: f64,
    host: Option<&'a str>,
    outcome: String,
    message: Option<&'a str>,
    findings: u64,
    calls: Vec<CallJson<'a>>,
}

/// The result of one call.
#[derive(Serialize)]
#[serde(untagged)]
enum CallJson<'a> {
    Returned { function: &'a str, results: Vec<String> },
    Trapped { function: &'a str, trap: String },
}

impl RecordedJson<'_> {
    fn of<'a>(recorded: &'a Recorded, output: &Path) -> RecordedJson<'a> {
        RecordedJson {
            trace: output.display().to_string(),
            events: recorded.events,
            bytes: recorded.bytes,
            memory_to_allow: recorded.to_allow,
            seconds: recorded.elapsed.as_secs_f64(),
            compile_seconds: recorded.compiling.map(|time| time.as_secs_f64()),
            run_seconds: recorded.running.as_secs_f64(),
            host: recorded.host.as_deref(),
            outcome: recorded.outcome.to_string(),
            message: recorded.message.as_deref(),
            findings: recorded.mismatches.count,
            calls: recorded.calls.iter().map(CallJson::of).collect(),
        }
    }
}

impl CallJson<'_> {
    fn of(call: &CallResult) -> CallJson<'_> {
        let function = &call.function;
        match &call.result {
            Ok(values) => CallJson::Returned { function, results: values.iter().map(ToString::to_string).collect() },
            Err(trap) => CallJson::Trapped { function, trap: trap.to_string() },
        }
    }
}
