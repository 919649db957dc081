//! `forkpoint info`: what a trace holds.

use crate::args::InfoArgs;
use crate::open;
use crate::output::{bytes, grouped, print, print_json};
use crate::{Answer, progress};
use anyhow::{Context, Result, bail};
use forkpoint_replay::{Finding, Symbols, Verified, printable, verify_with};
use forkpoint_traces::{Argument, Header, Step, StepResult, TraceReader};
use serde_json::json;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Runs the command.
pub fn run(args: &InfoArgs) -> Result<Answer> {
    let mut timeline = open::timeline(&args.file)?;
    let shown = progress::show(false);
    let verified =
        if args.verify { Some(verify(timeline.trace_mut()).context("verifying the trace")?) } else { None };
    drop(shown);
    let outcome = timeline.trace_mut().outcome()?.map(|outcome| outcome.to_string());
    let trace = timeline.trace();
    let header = trace.header();
    let engine = &header.engine;
    if args.json {
        print_json(&json!({
            "complete": trace.is_complete(),
            "incomplete": trace.incomplete(),
            "events": trace.events(),
            "bytes": trace.file_length(),
            "chunks": trace.chunks().len(),
            "keyframes": trace.keyframes(),
            "outcome": outcome,
            "message": trace.message(),
            "offset": trace.words().offset,
            "code": trace.words().code,
            "wall_ms": trace.wall_ms(),
            "forkpoint": header.forkpoint,
            "command": header.command,
            "module": { "name": header.module.name, "blake3": header.module.hash_hex(), "bytes": header.module.length },
            "sites": trace.sites().len(),
            "engine": {
                "spec": engine.spec, "name": engine.name, "version": engine.version, "mode": engine.mode,
                "compiler": engine.compiler, "opt_level": engine.opt_level, "target": engine.target,
                "cpu_features": engine.cpu_features, "settings": engine.settings,
            },
            "host": {
                "arguments": header.host.arguments, "environment": header.host.environment,
                "directories": header.host.directories, "deterministic": header.host.deterministic,
                "replayed": header.host.replayed, "stubs": header.host.stubs,
            },
            "calls": steps(header),
            "timeout_ms": header.limits.timeout_ms,
            "memory_page_limit": header.limits.memory_pages,
            "features": header.features,
            "specification": header.specification,
            "recorder": header.recorder,
            "observed": trace.observed(),
            "verified": verified.map(|verified| verified.kinds),
        }))?;
        return Ok(Answer::Yes);
    }
    let mut text = String::new();
    let mut row = |name: &str, value: String| {
        let _ = writeln!(text, "{name:<11} {}", printable(&value));
    };
    row("trace", format!("{} ({})", args.file.display(), bytes(trace.file_length())));
    row(
        "state",
        match trace.incomplete() {
            None => "complete".to_string(),
            Some(why) => format!("incomplete: {why}; readable up to its last whole chunk"),
        },
    );
    row(
        "events",
        format!("{} in {} chunks, {} keyframes", grouped(trace.events()), trace.chunks().len(), trace.keyframes()),
    );
    row("outcome", outcome.unwrap_or_else(|| "not recorded".to_string()));
    for (i, line) in trace.message().unwrap_or_default().lines().enumerate() {
        row(if i == 0 { "message" } else { "" }, line.to_string());
    }
    let words = trace.words();
    for (i, line) in words.last_words.as_deref().unwrap_or_default().lines().enumerate() {
        row(if i == 0 { "last words" } else { "" }, line.to_string());
    }
    if let Some(offset) = words.offset {
        row("", format!("at byte offset {offset:#x}"));
    }
    if let Some(code) = &words.code {
        row("", format!("error code {code}"));
    }
    row(
        "module",
        format!("{}, {}, BLAKE3 {}", header.module.name, bytes(header.module.length), header.module.hash_hex()),
    );
    row("sites", grouped(trace.sites().len() as u64));
    row("engine", engine.spec.clone());
    row(
        "",
        format!("{} {}, {}, {}, opt {}", engine.name, engine.version, engine.compiler, engine.mode, engine.opt_level),
    );
    row("target", engine.target.clone());
    row(
        "CPU",
        match engine.cpu_features.as_slice() {
            [] => "baseline".to_string(),
            features => features.join(" "),
        },
    );
    let settings: Vec<String> = engine.settings.iter().map(|(name, value)| format!("{name}={value}")).collect();
    if !settings.is_empty() {
        row("settings", settings.join(" "));
    }
    for call in steps(header) {
        row("call", call);
    }
    row("arguments", header.host.arguments.join(" "));
    if header.host.deterministic {
        row("host", "fixed clocks and random source".to_string());
    }
    if header.host.replayed {
        row("host", "every call answered from the host log of another recording".to_string());
    }
    for stub in &header.host.stubs {
        row("import", stub.clone());
    }
    for directory in &header.host.directories {
        row("directory", directory.clone());
    }
    if let Some(pages) = header.limits.memory_pages {
        row("limit", format!("{} pages of memory", grouped(pages)));
    }
    for (name, switches) in [("compiled", &header.features.compile), ("run with", &header.features.run)] {
        if !switches.is_empty() {
            row(name, switches.join(" "));
        }
    }
    let recorder = &header.recorder;
    let how = if recorder.hooks { "one host call per event" } else { "inline records" };
    let read_back = if recorder.read_back { ", stores read back" } else { "" };
    let scope = recorder.scope.as_ref().map_or(String::new(), |scope| format!("; only {scope}"));
    row("recording", format!("{how}{read_back}, checkpoints {}{scope}", recorder.checkpoint));
    if trace.observed() > 0 {
        row("observed", format!("memory was {} time(s) not what the events say", grouped(trace.observed())));
    }
    row("recorded by", format!("forkpoint {}: {}", header.forkpoint, header.command.join(" ")));
    if let Some(verified) = verified {
        let kinds: Vec<String> =
            verified.kinds.iter().map(|(kind, count)| format!("{} {kind}", grouped(*count))).collect();
        row("verified", format!("every chunk reads and every event replays: {}", kinds.join(", ")));
        if verified.keyframes > 0 {
            row("", format!("{} keyframes hold the replayed memory", grouped(verified.keyframes as u64)));
        }
    }
    print(&text)?;
    Ok(Answer::Yes)
}

/// What was asked for: calls as one writes them, with results of steps before by the step's number, from 1.
fn steps(header: &Header) -> Vec<String> {
    let argument = |argument: &Argument| match argument {
        Argument::Value(value) => format!(" {value}"),
        Argument::Result(from) => format!(" {}", result(from)),
    };
    let step = |step: &Step| match step {
        Step::Call(call) => {
            format!("{}{}", call.function, call.arguments.iter().map(argument).collect::<String>())
        }
        Step::Put(put) => format!("put {} bytes at {}", put.bytes.len(), result(&put.room)),
    };
    header.steps.iter().map(step).collect()
}

fn result(from: &StepResult) -> String {
    let step = u64::from(from.step) + 1;
    match from.result {
        0 => format!("(result of step {step})"),
        number => format!("(result {} of step {step})", u64::from(number) + 1),
    }
}

/// Verifies everything that a trace holds; what is wrong with it is an error.
fn verify(trace: &mut TraceReader) -> Result<Verified> {
    let done = progress::events("verifying", trace.events());
    let verified = verify_with(trace, &mut |position| done.store(position.0, Ordering::Relaxed));
    if verified.findings.is_empty() {
        return Ok(verified);
    }
    let symbols = Symbols::new(Arc::clone(trace.module()));
    let findings: Vec<String> = verified.findings.iter().map(|finding| finding.in_words(&symbols)).collect();
    let limits = verified.findings.iter().all(|finding| matches!(finding, Finding::Limit { .. }));
    let what = if limits { "the trace is sound as far as it was replayed" } else { "the trace is not sound" };
    bail!("{what}:\n  {}", findings.join("\n  "))
}
