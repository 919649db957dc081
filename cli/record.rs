//! `forkpoint record`: run a module and record every change to its memories.

use crate::args::{HostMode, RecordArgs, RecordHost};
use crate::output::{bytes, grouped, print, print_json, tell};
use crate::session::{Session, Side};
use crate::{Answer, progress};
use anyhow::{Context, Result, bail};
use forkpoint_replay::{Item, Symbols, printable};
use forkpoint_tracer::{Differs, EngineSpec, HostSource, Mismatch, Recorded, Scratch, Stdio};
use forkpoint_traces::{Hex, MEMORY_VARIABLE, Observation, Outcome};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Runs the command.
pub fn run(args: &RecordArgs) -> Result<Answer> {
    let mut engine = args.engine.clone();
    apply_settings(&mut engine, args)?;
    let shown = progress::show(args.quiet);
    progress::phase("rewriting");
    let session = Session::new(&args.guest, args.deterministic)?;
    if let Some(error) = session.program.invalid() {
        bail!(
            "{}: {error}; nothing of it can be recorded. `forkpoint compare` asks engines what they make of it",
            args.guest.module.display()
        );
    }
    let output = args.output.clone().unwrap_or_else(|| default_output(&args.guest.module));
    let temporary = Scratch::new().context("creating a temporary folder")?;
    let mode = match args.host {
        RecordHost::Wasmtime => HostMode::Pinned,
        RecordHost::Own => HostMode::Own,
    };
    let host = session.host_for(&engine, mode, temporary.path(), Stdio::Inherit, Stdio::Inherit)?;
    if host != HostSource::Live && !args.quiet {
        tell(&format!(
            "host calls are answered as under {}; --host own has {engine} answer them, if it can",
            EngineSpec::default()
        ));
    }
    let side = Side {
        engine,
        memory_page_limit: None,
        output: output.clone(),
        host,
        echo: false,
        stdin: Stdio::Inherit,
        output_streams: Stdio::Inherit,
    };
    let recorded = session.record(side, true)?;
    drop(shown);
    let failed = args.fail_on.iter().any(|end| end.is(&recorded.outcome));
    let answer = match recorded.outcome {
        _ if failed || recorded.mismatches.count > 0 => Answer::Diverge,
        // Not all that was asked for was run.
        Outcome::NoRoom => Answer::None,
        _ => Answer::Yes,
    };
    if args.json {
        print_json(&summary(&recorded, &output))?;
        return Ok(answer);
    }
    for call in &recorded.calls {
        if let Ok(values) = &call.result {
            for value in values {
                print(&format!("{}\n", printable(&value.to_string())))?;
            }
        }
    }
    if !args.quiet {
        tell(&format!(
            "recorded {} events in {:.1} s{} to {} ({}{}): {}",
            grouped(recorded.events),
            recorded.elapsed.as_secs_f64(),
            times(&recorded),
            printable(&output.display().to_string()),
            bytes(recorded.bytes),
            per_event(&recorded),
            printable(&recorded.outcome.to_string())
        ));
        if let Some(host) = recorded.host.as_ref().filter(|_| args.host == RecordHost::Own) {
            tell(&format!("  host calls were answered by {}", printable(host)));
        }
        if let Some(message) = &recorded.message {
            for line in message.lines() {
                tell(&format!("  {}", printable(line)));
            }
        }
        // The run's own standard error was shown as it went, but for a rerun's or a guest's that is pinned.
        for line in recorded.last_words.iter().flat_map(|words| words.lines()) {
            tell(&format!("  its process wrote last: {}", printable(line)));
        }
    }
    if let Some(filled) = recorded.to_allow {
        tell(&format!(
            "its events fill more memory than those of a stranger's trace of this length may: to replay it, set \
             {MEMORY_VARIABLE}={}M",
            filled.div_ceil(1 << 20)
        ));
    }
    for finding in recorded.mismatches.first.iter().take(MOST_FINDINGS) {
        tell(&words(finding, &session.symbols()));
    }
    if recorded.mismatches.count > 0 {
        tell(&format!(
            "{} place(s) in which the engine's memory is not what its own instructions wrote: see `forkpoint dump --kind observed`. \
             To find the event, run `forkpoint compare --rhs ENGINE` with this engine",
            grouped(recorded.mismatches.count)
        ));
    }
    Ok(answer)
}

/// Settings of their own on the command line go on top of those in the engine's name.
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

/// Most findings that are printed.
const MOST_FINDINGS: usize = 5;

/// A finding in a line.
fn words(finding: &Mismatch, symbols: &Symbols) -> String {
    let (memory, before) = (symbols.item(Item::Memory, finding.memory.0), finding.events.saturating_sub(1));
    match &finding.what {
        Differs::Bytes { address, engine, replayed, by } => format!(
            "{memory} at {address:#x} holds {:#}, the recorded events make it {:#} (found {})",
            Hex(engine),
            Hex(replayed),
            match by {
                Observation::ReadBack => format!("when it was read back after #{before}"),
                Observation::Checkpoint => format!("at the checkpoint before #{}", finding.events),
                Observation::Watch => format!("after #{before}"),
            }
        ),
        Differs::Size { engine, replayed } => {
            let engine = symbols.pages(finding.memory.0, *engine);
            format!("{memory} has {engine}; the recorded events make it {replayed}")
        }
        Differs::Outside { address } => {
            format!("#{before} writes at {address:#x}, outside of {memory}: the engine did not trap")
        }
    }
}

fn default_output(module: &Path) -> PathBuf {
    PathBuf::from(module.file_stem().unwrap_or("module".as_ref())).with_extension("fpt")
}

/// Compile time and run time apart, where they are worth a word.
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

fn summary(recorded: &Recorded, output: &Path) -> serde_json::Value {
    let calls: Vec<_> = recorded
        .calls
        .iter()
        .map(|call| match &call.result {
            Ok(values) => {
                let results: Vec<String> = values.iter().map(ToString::to_string).collect();
                json!({ "function": call.function, "results": results })
            }
            Err(trap) => json!({ "function": call.function, "trap": trap.to_string() }),
        })
        .collect();
    json!({
        "trace": output.display().to_string(),
        "events": recorded.events,
        "bytes": recorded.bytes,
        "memory_to_allow": recorded.to_allow,
        "seconds": recorded.elapsed.as_secs_f64(),
        "compile_seconds": recorded.compiling.map(|time| time.as_secs_f64()),
        "run_seconds": recorded.running.as_secs_f64(),
        "host": recorded.host,
        "outcome": recorded.outcome.to_string(),
        "message": recorded.message,
        "findings": recorded.mismatches.count,
        "calls": calls,
    })
}
