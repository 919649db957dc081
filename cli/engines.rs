//! `forkpoint engines`: which engines work here, and what each of them supports.
//!
//! There is no list to look it up in: each engine runs a small module per feature, in a separate process.

use crate::answer::Answer;
use crate::args::EnginesArgs;
use crate::output::{print, print_json};
use crate::progress;
use crate::request::interrupt;
use anyhow::{Context, Result, bail};
use forkpoint_replay::printable;
use forkpoint_tracer::{
    Checkpoint, CommandSpec, EngineSpec, Imports, Invocation, Plain, Program, Request, Way, own_host,
};
use forkpoint_traces::{EngineInfo, Outcome};
use serde::Serialize;
use std::fmt::Write;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Engines that are linked in and runners that are part of this program; then the other modes of each, which support
/// the same.
const OWN: &[(&str, &str)] = &[
    ("wasmtime:jit", "wasmtime:aot"),
    ("wasmtime:winch-jit", "wasmtime:winch-aot"),
    ("wasmtime:pulley", "wasmtime:pulley-aot"),
    ("wasmi", ""),
    ("node", "node:liftoff, node:turbofan"),
    ("python", "python:cranelift, python:winch"),
];

/// Engines that have to be named, and how.
const NAMED: &[(&str, &str)] = &[
    ("capi", "name a library with the interface wasm.h: forkpoint engines capi:jit,lib=PATH"),
    ("wasmedge", "name libwasmedge: forkpoint engines wasmedge:aot,lib=PATH"),
    ("command", "write the command line that runs a module: forkpoint engines 'command:ENGINE {module}'"),
    ("runner", "name a program that speaks the runner protocol: forkpoint engines runner:COMMAND"),
];

/// A module for each feature, which exports `run` without arguments.
#[rustfmt::skip]
const FEATURES: &[(&str, &str)] = &[
    ("bulk-memory", r#"(module (memory 1) (func (export "run") (memory.fill (i32.const 0) (i32.const 1) (i32.const 2))))"#),
    ("custom-page-sizes", r#"(module (memory 1 (pagesize 1)) (func (export "run") (i32.store8 (i32.const 0) (i32.const 1))))"#),
    ("exceptions", r#"(module (tag $t) (func (export "run") (block $b (try_table (catch $t $b) (throw $t)))))"#),
    ("extended-const", r#"(module (memory 1) (data (i32.add (i32.const 1) (i32.const 2)) "a") (func (export "run")))"#),
    ("function-references", r#"(module (type $f (func)) (func $g (type $f)) (elem declare func $g) (func (export "run") (call_ref $f (ref.func $g))))"#),
    ("gc", r#"(module (type $s (struct (field i32))) (func (export "run") (drop (struct.new $s (i32.const 1)))))"#),
    ("memory64", r#"(module (memory i64 1) (func (export "run") (i32.store (i64.const 0) (i32.const 1))))"#),
    ("multi-memory", r#"(module (memory 1) (memory $b 1) (func (export "run") (i32.store $b (i32.const 0) (i32.const 1))))"#),
    ("multi-value", r#"(module (func $f (result i32 i32) (i32.const 1) (i32.const 2)) (func (export "run") (call $f) (drop) (drop)))"#),
    ("reference-types", r#"(module (table 1 externref) (func (export "run") (table.set (i32.const 0) (ref.null extern))))"#),
    ("relaxed-simd", r#"(module (func (export "run") (drop (f32x4.relaxed_madd (v128.const i64x2 0 0) (v128.const i64x2 0 0) (v128.const i64x2 0 0)))))"#),
    ("simd", r#"(module (memory 1) (func (export "run") (v128.store (i32.const 0) (v128.const i64x2 1 2))))"#),
    ("tail-calls", r#"(module (func $f) (func (export "run") (return_call $f)))"#),
    ("threads", r#"(module (memory 1 1 shared) (func (export "run") (drop (i32.atomic.rmw.add (i32.const 0) (i32.const 1)))))"#),
    ("wide-arithmetic", r#"(module (func (export "run") (i64.mul_wide_u (i64.const 1) (i64.const 2)) (drop) (drop)))"#),
];

/// What every engine must do.
const PLAIN: &str = r#"(module (memory 1) (func (export "run") (i32.store (i32.const 0) (i32.const 1))))"#;

/// An engine that takes longer than this for such a module hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// What is known about one engine.
#[derive(Debug, Serialize)]
struct FeatureRow {
    /// The engine as written on the command line.
    engine: String,
    /// Its other modes, which support the same.
    #[serde(skip_serializing_if = "str::is_empty")]
    also: &'static str,
    usable: bool,
    /// Why it is not usable.
    reason: Option<String>,
    name: Option<String>,
    version: Option<String>,
    mode: Option<String>,
    compiler: Option<String>,
    /// Its own host, which answers WASI calls on request.
    host: Option<String>,
    /// Why it has no host, if there is a reason to give.
    no_host: Option<String>,
    /// How a command gets events out of a module.
    #[serde(skip_serializing_if = "Option::is_none")]
    way: Option<String>,
    /// Better ways, and why they do not work.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not: Vec<OtherWay>,
    /// Which of the features it runs, and which it lacks.
    features: Vec<&'static str>,
    lacks: Vec<&'static str>,
}

/// A way that does not work.
#[derive(Debug, Serialize)]
struct OtherWay {
    way: String,
    reason: String,
}

/// Runs the command.
pub fn run(args: &EnginesArgs) -> Result<Answer> {
    let shown = progress::show(false);
    let mut rows = Vec::new();
    for (engine, also) in OWN {
        let spec: EngineSpec = engine.parse().with_context(|| format!("the engine {engine}"))?;
        if args.engines.contains(&spec) {
            continue;
        }
        rows.push(FeatureRow { also, ..look_at(&spec)? });
    }
    for engine in &args.engines {
        rows.push(look_at(engine)?);
    }
    for (engine, how) in NAMED {
        let is_there = |spec: &EngineSpec| {
            spec.to_string().starts_with(&format!("{engine}:"))
                || matches!((*engine, spec), ("command", EngineSpec::Command(_)))
        };
        if !args.engines.iter().any(is_there) {
            rows.push(unusable(engine, how));
        }
    }
    drop(shown);
    match args.json {
        true => print_json(&rows)?,
        false => print(&table(&rows))?,
    }
    Ok(Answer::Yes)
}

fn unusable(engine: &str, reason: &str) -> FeatureRow {
    FeatureRow {
        engine: engine.to_string(),
        also: "",
        usable: false,
        reason: Some(reason.to_string()),
        name: None,
        version: None,
        mode: None,
        compiler: None,
        host: None,
        no_host: None,
        way: None,
        not: Vec::new(),
        features: Vec::new(),
        lacks: Vec::new(),
    }
}

/// Tries an engine; of a command first, which way it has to get events out.
fn look_at(spec: &EngineSpec) -> Result<FeatureRow> {
    let name = spec.to_string();
    progress::phase(&format!("trying {}", printable(&name)));
    let Some(ways) = spec.command_ways(&request(spec)?)? else { return look_at_features(spec) };
    let not = ways.not.into_iter().map(|(way, reason)| OtherWay { way: way.to_string(), reason }).collect();
    let (EngineSpec::Command(command), Some(way)) = (spec, ways.way) else {
        let reason = "none of the ways to get events out of a module works";
        return Ok(FeatureRow { not, ..unusable(&name, reason) });
    };
    let row = look_at_features(&EngineSpec::Command(CommandSpec { way: Some(way), ..command.clone() }))?;
    let what = match way {
        Way::Stream => "sends events as they come, by WASI's fd_write",
        Way::Answer => "prints one answer a run",
        Way::Status => "gives some bits a run, as exit status",
        Way::Outcome => "gives one bit a run: success or failure",
    };
    Ok(FeatureRow { engine: name, way: Some(format!("{way}: {what}")), not, ..row })
}

/// Tries an engine's features.
fn look_at_features(spec: &EngineSpec) -> Result<FeatureRow> {
    let name = spec.to_string();
    let plain = match try_module(spec, PLAIN)? {
        Ok(plain) => plain,
        Err(problem) => return Ok(unusable(&name, &problem)),
    };
    if plain.end.outcome != Outcome::Finished {
        let message = plain.end.message.unwrap_or_default();
        return Ok(unusable(&name, &format!("a module of one store: {} {message}", plain.end.outcome)));
    }
    let (mut features, mut lacks) = (Vec::new(), Vec::new());
    for (feature, module) in FEATURES {
        progress::phase(&format!("trying {}: {feature}", printable(&name)));
        let runs = try_module(spec, module)?.is_ok_and(|plain| plain.end.outcome == Outcome::Finished);
        if runs { &mut features } else { &mut lacks }.push(*feature);
    }
    let (host, no_host) = match own_host(&request(spec)?) {
        Ok(Ok(host)) => (Some(host), None),
        Ok(Err(why)) => (None, why),
        Err(error) => (None, Some(error.to_string())),
    };
    let told = |what: fn(EngineInfo) -> String| plain.engine.clone().map(what);
    Ok(FeatureRow {
        usable: true,
        reason: None,
        name: told(|engine| engine.name),
        version: told(|engine| engine.version),
        mode: told(|engine| engine.mode),
        compiler: told(|engine| engine.compiler),
        host,
        no_host,
        features,
        lacks,
        ..unusable(&name, "")
    })
}

/// Runs a module without recording. The inner error says why the engine cannot be used.
fn try_module(spec: &EngineSpec, text: &str) -> Result<Result<Plain, String>> {
    let module = wat::parse_str(text).context("a module of this program")?;
    let call = Invocation { function: "run".to_string(), arguments: Vec::new() };
    let program =
        Program::new("feature", module, &[call], &Imports::default()).context("a module of this program")?;
    let plain = program.run_plain(&request(spec)?).map_err(|error| error.to_string());
    if interrupt()?.load(Ordering::Relaxed) {
        bail!("interrupted");
    }
    Ok(plain)
}

/// A run of a small module.
fn request(spec: &EngineSpec) -> Result<Request> {
    let request = Request::new(spec.clone(), PathBuf::new()).context("finding this program to start it again")?;
    Ok(Request { timeout: Some(PATIENCE), checkpoint: Checkpoint::End, interrupt: interrupt()?, ..request })
}

/// Lists ways that do not work.
fn not(text: &mut String, ways: &[OtherWay]) {
    for OtherWay { way, reason } in ways {
        let _ = writeln!(text, "  not   {way}: {}", printable(reason));
    }
}

fn table(rows: &[FeatureRow]) -> String {
    let mut text = String::new();
    for row in rows {
        let also = if row.also.is_empty() { String::new() } else { format!(", {}", row.also) };
        let _ = write!(text, "{}{also}", printable(&row.engine));
        match &row.reason {
            Some(reason) => {
                let _ = writeln!(text, ": not usable\n  {}", printable(reason));
                not(&mut text, &row.not);
            }
            None => {
                let known = |what: &Option<String>| printable(what.as_deref().unwrap_or("unknown")).to_string();
                let (name, version) = (known(&row.name), known(&row.version));
                // Modes that share a row differ in both.
                let how = match row.also {
                    "" => format!(", {}, compiler {}", known(&row.mode), known(&row.compiler)),
                    _ => String::new(),
                };
                let _ = writeln!(text, ": {name} {version}{how}");
                let _ = match (&row.host, &row.no_host) {
                    (Some(host), _) => writeln!(text, "  host  {}", printable(host)),
                    (None, Some(why)) => writeln!(text, "  host  none: {}", printable(why)),
                    (None, None) => Ok(()),
                };
                if let Some(way) = &row.way {
                    let _ = writeln!(text, "  way   {way}");
                    not(&mut text, &row.not);
                }
                let _ = writeln!(text, "  runs  {}", row.features.join(" "));
                if !row.lacks.is_empty() {
                    let _ = writeln!(text, "  lacks {}", row.lacks.join(" "));
                }
            }
        }
    }
    text
}
