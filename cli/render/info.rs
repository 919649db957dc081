//! The contents of a trace, as text and as JSON.

use crate::output::{bytes, grouped, print, print_json};
use anyhow::Result;
use forkpoint_replay::{Symbols, Verified, printable};
use forkpoint_traces::{
    Argument, EngineInfo, Features, Header, HostInfo, Position, RecorderInfo, Specification, Step, StepResult,
    TraceReader,
};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

/// Most instances that are named.
const SHOWN: usize = 8;

/// Prints the contents of a trace, and the result of verifying it.
pub fn print_info(file: &Path, trace: &mut TraceReader, verified: Option<&Verified>, json: bool) -> Result<()> {
    let outcome = trace.outcome()?.map(|outcome| outcome.to_string());
    if json {
        return print_json(&InfoJson::of(trace, outcome, verified));
    }
    let header = trace.header();
    let engine = &header.engine;
    let mut text = String::new();
    let mut row = |name: &str, value: String| {
        let _ = writeln!(text, "{name:<11} {}", printable(&value));
    };
    row("trace", format!("{} ({})", file.display(), bytes(trace.file_length())));
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
    for (i, gap) in trace.gaps().enumerate() {
        let (count, last) = (gap.end.0 - gap.start.0, Position(gap.end.0 - 1));
        let what = format!("{} events, from {} to {last}", grouped(count), gap.start);
        row(if i == 0 { "left out" } else { "" }, what);
    }
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
    if let Some(url) = Symbols::of(trace).source_map_url() {
        let own = url.starts_with("data:");
        row(
            "source map",
            if own { "in the module".to_string() } else { format!("{url} (--source-map takes its file)") },
        );
    }
    row("sites", grouped(trace.sites().len() as u64));
    row("engine", engine.spec.clone());
    row(
        "",
        match engine.mode.as_str() {
            "command" => format!("{}, a command of unknown version", engine.name),
            mode => {
                format!("{} {}, {}, {mode}, opt {}", engine.name, engine.version, engine.compiler, engine.opt_level)
            }
        },
    );
    // What a command makes code for is not known.
    if engine.mode != "command" {
        row("target", engine.target.clone());
        row(
            "CPU",
            match engine.cpu_features.as_slice() {
                [] => "baseline".to_string(),
                features => features.join(" "),
            },
        );
    }
    let settings: Vec<String> = engine.settings.iter().map(|(name, value)| format!("{name}={value}")).collect();
    if !settings.is_empty() {
        row("settings", settings.join(" "));
    }
    if let Some(program) = &header.program {
        let names: Vec<&str> = program.instances.iter().take(SHOWN).map(|one| one.name.as_str()).collect();
        let more = if program.instances.len() > SHOWN { ", ..." } else { "" };
        row("instances", format!("{}: {}{more}", grouped(program.instances.len() as u64), names.join(", ")));
        let (all, asserted) = (program.directives.len() as u64, program.assertions() as u64);
        row("directives", format!("{}, of which {} assert", grouped(all), grouped(asserted)));
    }
    for call in steps(header) {
        row("call", call);
    }
    if let Some(javascript) = &header.javascript {
        row("JavaScript", javascript.command.join(" "));
        row("its writes", javascript.changes.clone());
    }
    if header.javascript.is_none() {
        row("arguments", header.host.arguments.join(" "));
    }
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
        row("observed", format!("memory differed from the events {} time(s)", grouped(trace.observed())));
    }
    row("recorded by", format!("forkpoint {}: {}", header.forkpoint, header.command.join(" ")));
    if let Some(verified) = verified {
        let kinds: Vec<String> =
            verified.kinds.iter().map(|(kind, count)| format!("{} {kind}", grouped(*count))).collect();
        let held = if trace.gaps().next().is_some() { " that it holds" } else { "" };
        row("verified", format!("every chunk can be read and every event{held} replayed: {}", kinds.join(", ")));
        if verified.keyframes > 0 {
            row("", format!("{} keyframes hold the replayed memory", grouped(verified.keyframes as u64)));
        }
    }
    print(&text)
}

/// The requested calls as written on the command line, with results of earlier steps by their number, from 1.
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

/// The `--json` output that docs/json.md describes.
#[derive(Serialize)]
struct InfoJson<'a> {
    complete: bool,
    incomplete: Option<&'a str>,
    events: u64,
    bytes: u64,
    chunks: usize,
    keyframes: usize,
    /// Events that the trace leaves out: the first ones and those after the last ones.
    left_out: Vec<[Position; 2]>,
    outcome: Option<String>,
    message: Option<&'a str>,
    offset: Option<u64>,
    code: Option<&'a str>,
    wall_ms: u64,
    forkpoint: &'a str,
    command: &'a [String],
    module: ModuleJson<'a>,
    sites: usize,
    engine: &'a EngineInfo,
    host: &'a HostInfo,
    calls: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    program: Option<ProgramJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    javascript: Option<JavaScriptJson<'a>>,
    timeout_ms: Option<u64>,
    memory_page_limit: Option<u64>,
    features: &'a Features,
    specification: &'a Specification,
    recorder: &'a RecorderInfo,
    observed: u64,
    verified: Option<&'a BTreeMap<&'static str, u64>>,
}

/// A script, or a program of several modules.
#[derive(Serialize)]
struct ProgramJson<'a> {
    instances: Vec<&'a str>,
    directives: usize,
    assertions: usize,
    text_only: u32,
}

/// A program that lives in JavaScript.
#[derive(Serialize)]
struct JavaScriptJson<'a> {
    command: &'a [String],
    changes: &'a str,
}

#[derive(Serialize)]
struct ModuleJson<'a> {
    name: &'a str,
    blake3: String,
    bytes: u64,
}

impl InfoJson<'_> {
    fn of<'a>(trace: &'a TraceReader, outcome: Option<String>, verified: Option<&'a Verified>) -> InfoJson<'a> {
        let (header, words) = (trace.header(), trace.words());
        let module = &header.module;
        InfoJson {
            complete: trace.is_complete(),
            incomplete: trace.incomplete(),
            events: trace.events(),
            bytes: trace.file_length(),
            chunks: trace.chunks().len(),
            keyframes: trace.keyframes(),
            left_out: trace.gaps().map(|gap| [gap.start, gap.end]).collect(),
            outcome,
            message: trace.message(),
            offset: words.offset,
            code: words.code.as_deref(),
            wall_ms: trace.wall_ms(),
            forkpoint: &header.forkpoint,
            command: &header.command,
            module: ModuleJson { name: &module.name, blake3: module.hash_hex(), bytes: module.length },
            sites: trace.sites().len(),
            engine: &header.engine,
            host: &header.host,
            calls: steps(header),
            program: header.program.as_ref().map(|program| ProgramJson {
                instances: program.instances.iter().map(|instance| instance.name.as_str()).collect(),
                directives: program.directives.len(),
                assertions: program.assertions(),
                text_only: program.texts,
            }),
            javascript: header
                .javascript
                .as_ref()
                .map(|javascript| JavaScriptJson { command: &javascript.command, changes: &javascript.changes }),
            timeout_ms: header.limits.timeout_ms,
            memory_page_limit: header.limits.memory_pages,
            features: &header.features,
            specification: &header.specification,
            recorder: &header.recorder,
            observed: trace.observed(),
            verified: verified.map(|verified| &verified.kinds),
        }
    }
}
