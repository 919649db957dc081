//! `forkpoint sweep`: many modules under many engines, one row each.

use crate::answer::Answer;
use crate::args::{Format, SweepArgs};
use crate::ci::{Case, of_row, print_cases};
use crate::output::{print_json, tell};
use crate::progress;
use crate::render::print_summary;
use crate::request::{calls, imports, run_request};
use anyhow::{Context, Result, bail};
use forkpoint_compare::{
    Baseline, HostMode, Kept, ModuleAnswer, ModuleRow, Reask, Settings, Store, Summary, Sweep, SweepCalls, merge,
    modules, read_baseline,
};
use forkpoint_replay::NanBits;
use forkpoint_tracer::{Checkpoint, EngineSpec, FeatureSwitches, Imports, Request};
use serde::Serialize;
use std::path::Path;
use std::time::Duration;

/// Runs the command.
pub fn run(args: &SweepArgs) -> Result<Answer> {
    let baseline = args.baseline.as_deref().map(read_baseline).transpose()?;
    let (mut summary, mut cases) = (Summary::default(), Vec::new());
    let whole = match args.merge.is_empty() {
        true => sweep(args, &mut summary, &mut cases, baseline.as_ref())?,
        false => {
            let rows = merge(&args.merge, args.out.as_deref())?;
            rows.iter().for_each(|row| summary.add(row, baseline.as_ref()));
            cases.extend(rows.iter().flat_map(|row| wanted(args, row)));
            true
        }
    };
    summary.close(baseline.is_some());
    if args.json || args.format == Format::Json {
        print_json(&summary)?;
    } else if args.format != Format::Text {
        print_cases(args.format, &cases)?;
    } else {
        print_summary(&summary)?;
    }
    if !whole {
        tell("interrupted: with --out, the same command continues from here");
        return Ok(Answer::None);
    }
    Ok(match &summary.changes {
        Some(changes) if changes.new.is_empty() => Answer::Yes,
        Some(_) => Answer::Diverge,
        None if summary.diverge > 0 => Answer::Diverge,
        None if summary.unanswered > 0 => Answer::None,
        None => Answer::Yes,
    })
}

/// A row's cases, if they are going to be printed: a sweep may have millions of rows, and text and JSON need none.
fn wanted(args: &SweepArgs, row: &ModuleRow) -> Vec<Case> {
    match args.format {
        Format::Text | Format::Json => Vec::new(),
        // Annotations and findings are about what does not agree.
        Format::Github | Format::Sarif if row.answer == ModuleAnswer::Agree => Vec::new(),
        Format::Github | Format::Sarif => from_here(args, of_row(row)),
        Format::Junit => of_row(row),
    }
}

/// The cases with names of files as they are from where the command runs: such systems look for them there.
fn from_here(args: &SweepArgs, mut cases: Vec<Case>) -> Vec<Case> {
    if let Some(folder) = args.input.as_deref().filter(|input| input.is_dir() && *input != Path::new(".")) {
        cases.iter_mut().for_each(|case| case.module = folder.join(&case.module).display().to_string());
    }
    cases
}

/// Runs all modules that have no row yet. False if the user interrupted it.
fn sweep(
    args: &SweepArgs,
    summary: &mut Summary,
    cases: &mut Vec<Case>,
    baseline: Option<&Baseline>,
) -> Result<bool> {
    let engines: Vec<EngineSpec> = args.engines.iter().flat_map(|list| list.0.iter().cloned()).collect();
    if engines.len() < 2 {
        bail!("--engines names one engine: name at least two, as in --engines 'wasmtime:jit;wasmi'");
    }
    let input = args.input.as_deref().context("nothing to sweep: name a folder or a list of modules")?;
    let (mut modules, copies) = modules(input, args.shard)?;
    summary.copies = Some(copies);
    let mut store = match &args.out {
        Some(folder) => Some(Store::open(folder, &Options::of(args, &engines))?),
        None => None,
    };
    let known = store.as_mut().map(|store| store.take_known(&mut modules)).unwrap_or_default();
    known.iter().for_each(|row| summary.add(row, baseline));
    cases.extend(known.iter().flat_map(|row| wanted(args, row)));
    drop(known);

    let scripts = args.run.host_scripts();
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let sweep = Sweep {
        engines: engines.clone(),
        base: Request { timeout: Some(args.patience()), ..run_request(&args.run)? },
        imports: Imports { scripts: &scripts, ..imports(&args.run) },
        calls: SweepCalls {
            asked: calls(&args.run)?,
            alloc: args.run.alloc.clone(),
            per_export: args.calls,
            seed: args.seed,
        },
        settings: Settings {
            host: args.host,
            guard: !args.no_guard,
            keep: Kept::Nothing,
            // In a sweep, finding the place of a run is not worth another time limit.
            reruns: if args.no_reruns { Reask::Never } else { Reask::Quickly },
            context: 0,
            nan_bits: args.nan_bits,
            ..Settings::default()
        },
        jobs: args.jobs.unwrap_or(processors),
        command: &|module, calls| command(args, &engines, module, calls),
    };
    let shown = progress::show(false);
    let done = progress::modules(modules.len() as u64);
    let whole = sweep.run(&modules, store.as_mut(), &mut |row| {
        summary.add(row, baseline);
        cases.extend(wanted(args, row));
        done.done(summary.diverge);
    })?;
    drop(shown);
    Ok(whole)
}

/// The options that decide the rows, for the sweep's folder.
#[derive(Serialize)]
struct Options<'a> {
    forkpoint: &'static str,
    engines: Vec<String>,
    invoke: &'a [String],
    alloc: Option<String>,
    calls: u16,
    seed: u64,
    arguments: &'a [String],
    env: &'a [(String, String)],
    dir: Vec<String>,
    import: Vec<String>,
    preload: Vec<&'a str>,
    timeout_ms: u64,
    max_memory: Option<u64>,
    memory_page_limit: Option<u64>,
    features: Vec<String>,
    run_features: Vec<String>,
    read_back: bool,
    checkpoint: String,
    hooks: bool,
    allow_unordered: bool,
    nan_bits: String,
    host: HostMode,
    guard: bool,
    reruns: bool,
}

impl Options<'_> {
    fn of<'a>(args: &'a SweepArgs, engines: &[EngineSpec]) -> Options<'a> {
        let run = &args.run;
        let words = |list: &Option<FeatureSwitches>| list.as_ref().map(FeatureSwitches::words).unwrap_or_default();
        Options {
            forkpoint: env!("CARGO_PKG_VERSION"),
            engines: engines.iter().map(ToString::to_string).collect(),
            invoke: &run.invoke,
            alloc: run.alloc.as_ref().map(ToString::to_string),
            calls: args.calls,
            seed: args.seed,
            arguments: &run.arguments,
            env: &run.env,
            dir: run.dir.iter().map(|(host, guest)| format!("{}::{guest}", host.display())).collect(),
            import: run.import.iter().map(ToString::to_string).collect(),
            preload: run.preload.iter().map(|preload| preload.name.as_str()).collect(),
            timeout_ms: args.patience().as_millis() as u64,
            max_memory: run.max_memory,
            memory_page_limit: run.memory_page_limit,
            features: words(&run.features),
            run_features: words(&run.run_features),
            read_back: run.read_back,
            checkpoint: run.checkpoint.to_string(),
            hooks: run.hooks,
            allow_unordered: run.allow_unordered,
            nan_bits: args.nan_bits.to_string(),
            host: args.host,
            guard: !args.no_guard,
            reruns: !args.no_reruns,
        }
    }
}

/// The command that compares a module under the engines of a sweep, with these calls.
fn command(args: &SweepArgs, engines: &[EngineSpec], path: &Path, calls: &[String]) -> String {
    let run = &args.run;
    let engines = engines.iter().map(ToString::to_string).collect::<Vec<_>>().join(";");
    let mut words = vec!["forkpoint".to_string(), "compare".to_string(), path.display().to_string()];
    let mut option = |name: &str, value: String| words.extend([format!("--{name}"), value]);
    option("engines", engines);
    if let Some(alloc) = &run.alloc {
        option("alloc", alloc.to_string());
    }
    calls.iter().for_each(|call| option("invoke", call.clone()));
    run.env.iter().for_each(|(name, value)| option("env", format!("{name}={value}")));
    run.dir.iter().for_each(|(host, guest)| option("dir", format!("{}::{guest}", host.display())));
    option("timeout", in_words(args.patience()));
    if let Some(most) = run.max_memory {
        option("max-memory", most.to_string());
    }
    if let Some(pages) = run.memory_page_limit {
        option("memory-page-limit", pages.to_string());
    }
    let list = |features: &Option<FeatureSwitches>| features.as_ref().map(|features| features.words().join(","));
    for (name, features) in [("features", list(&run.features)), ("run-features", list(&run.run_features))] {
        if let Some(features) = features {
            option(name, features);
        }
    }
    run.import.iter().for_each(|stub| option("import", stub.to_string()));
    run.preload.iter().for_each(|preload| option("preload", format!("{}={}", preload.name, preload.file.display())));
    run.host_script.iter().for_each(|file| option("host-script", file.display().to_string()));
    if run.checkpoint != Checkpoint::default() {
        option("checkpoint", run.checkpoint.to_string());
    }
    if args.nan_bits != NanBits::default() {
        option("nan-bits", args.nan_bits.to_string());
    }
    let flags = [
        ("read-back", run.read_back),
        ("hooks", run.hooks),
        ("allow-unordered", run.allow_unordered),
        ("no-guard", args.no_guard),
    ];
    words.extend(flags.into_iter().filter(|(_, set)| *set).map(|(name, _)| format!("--{name}")));
    if !run.arguments.is_empty() {
        words.push("--".to_string());
        words.extend(run.arguments.iter().cloned());
    }
    shell_words::join(words)
}

/// A time in the notation of the command line.
fn in_words(time: Duration) -> String {
    match time.subsec_millis() {
        0 => format!("{}s", time.as_secs()),
        _ => format!("{}ms", time.as_millis()),
    }
}
