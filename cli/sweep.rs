//! `forkpoint sweep`: many modules under many engines, one row each.
//!
//! Each module is surveyed as `compare --engines` does, several at a time. Rows are written as they come, so a sweep that
//! is ended goes on where it was; divergences that look alike are told once.

mod attempt;
mod calls;
mod content;
mod input;
mod row;
mod store;
mod summary;

use crate::Answer;
use crate::args::SweepArgs;
use crate::output::{print, print_json, tell};
use crate::session::{interrupt, read_module};
use anyhow::{Context, Result, bail};
use attempt::Tried;
use calls::{Calls, call_at};
use forkpoint_tracer::{EngineSpec, FeatureSwitches, Scratch};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use input::{Item, items};
use row::{Row, RowAnswer};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;
use std::time::Instant;
use store::{ROWS, Store, read_options, read_rows};
use summary::{Baseline, Summary};

/// Runs the command.
pub fn run(args: &SweepArgs) -> Result<Answer> {
    let baseline = args.baseline.as_deref().map(read_baseline).transpose()?;
    let mut summary = Summary::default();
    let whole = match args.merge.is_empty() {
        true => sweep(args, &mut summary, baseline.as_ref())?,
        false => merge(args, &mut summary, baseline.as_ref())?,
    };
    summary.close(baseline.is_some());
    if args.json {
        print_json(&summary)?;
    } else {
        print(&summary.to_string())?;
    }
    if !whole {
        tell("interrupted: with --out, the same command goes on from here");
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

fn read_baseline(file: &Path) -> Result<Baseline> {
    let mut baseline = Baseline::default();
    read_rows(file, &mut |row| baseline.add(&row)).context("the baseline")?;
    Ok(baseline)
}

/// What decides the rows, for the folder that keeps them.
fn options(args: &SweepArgs, engines: &[EngineSpec]) -> Value {
    let run = &args.run;
    let directories = run.dir.iter().map(|(host, guest)| format!("{}::{guest}", host.display()));
    let words = |list: &Option<FeatureSwitches>| list.as_ref().map(FeatureSwitches::words).unwrap_or_default();
    json!({
        "forkpoint": env!("CARGO_PKG_VERSION"),
        "engines": engines.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "invoke": run.invoke,
        "alloc": run.alloc.as_ref().map(ToString::to_string),
        "calls": args.calls,
        "seed": args.seed,
        "arguments": run.arguments,
        "env": run.env,
        "dir": directories.collect::<Vec<_>>(),
        "import": run.import.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "preload": run.preload.iter().map(|preload| &preload.name).collect::<Vec<_>>(),
        "timeout_ms": args.patience().as_millis() as u64,
        "max_memory": run.max_memory,
        "memory_page_limit": run.memory_page_limit,
        "features": words(&run.features),
        "run_features": words(&run.run_features),
        "read_back": run.read_back,
        "checkpoint": run.checkpoint.to_string(),
        "hooks": run.hooks,
        "allow_unordered": run.allow_unordered,
        "nan_bits": args.nan_bits.to_string(),
        "host": args.host,
        "guard": !args.no_guard,
        "reruns": !args.no_reruns,
    })
}

/// What a worker sends: a row, and traces to keep as examples, by signature.
struct Done {
    row: Row,
    examples: Vec<(String, [PathBuf; 2])>,
    /// Where these traces are; gone when this is dropped.
    _folder: Option<Scratch>,
}

/// Runs all modules that have no row yet. False when the user ended it.
fn sweep(args: &SweepArgs, summary: &mut Summary, baseline: Option<&Baseline>) -> Result<bool> {
    let engines: Vec<EngineSpec> = args.engines.iter().flat_map(|list| list.0.iter().cloned()).collect();
    if engines.len() < 2 {
        bail!("--engines names one engine: name at least two, as in --engines 'wasmtime:jit;wasmi'");
    }
    let input = args.input.as_deref().context("nothing to sweep: name a folder or a list of modules")?;
    let (mut items, copies) = items(input, args.shard)?;
    summary.copies = Some(copies);
    let mut known: BTreeMap<String, Row> = BTreeMap::new();
    let mut store = match &args.out {
        Some(folder) => Some(Store::open(folder, &options(args, &engines), &mut |row| {
            known.insert(row.module.clone(), row);
        })?),
        None => None,
    };
    let asked: BTreeSet<&str> = items.iter().map(|item| item.name.as_str()).collect();
    known.retain(|name, _| asked.contains(name.as_str()));
    known.values().for_each(|row| summary.add(row, baseline));
    items.retain(|item| !known.contains_key(&item.name));
    drop(known);

    let interrupt = interrupt()?;
    let next = AtomicUsize::new(0);
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let jobs = args.jobs.unwrap_or(processors).clamp(1, items.len().max(1));
    let bar = progress(items.len() as u64, jobs);
    let (sender, receiver) = channel::<Done>();
    let work = |sender: Sender<Done>| {
        while !interrupt.load(Ordering::Relaxed) {
            let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) else { break };
            let Some(done) = one(args, &engines, item) else { break };
            if sender.send(done).is_err() {
                break;
            }
        }
    };
    std::thread::scope(|scope| -> Result<()> {
        for _ in 0..jobs {
            let sender = sender.clone();
            scope.spawn(|| work(sender));
        }
        drop(sender);
        for done in &receiver {
            let written = keep(&done, store.as_mut());
            summary.add(&done.row, baseline);
            bar.inc(1);
            if summary.diverge > 0 {
                bar.set_message(format!("{} diverge", summary.diverge));
            }
            if let Err(error) = written {
                // Rows that nobody keeps are not worth the time.
                next.store(items.len(), Ordering::Relaxed);
                return Err(error);
            }
        }
        Ok(())
    })?;
    bar.finish_and_clear();
    Ok(!interrupt.load(Ordering::Relaxed))
}

fn keep(done: &Done, store: Option<&mut Store>) -> Result<()> {
    let Some(store) = store else { return Ok(()) };
    for (signature, [lhs, rhs]) in &done.examples {
        store.example(signature, [lhs, rhs])?;
    }
    store.add(&done.row)
}

fn progress(modules: u64, jobs: usize) -> ProgressBar {
    // Hidden by itself when standard error is no terminal.
    let bar = ProgressBar::with_draw_target(Some(modules), ProgressDrawTarget::stderr_with_hz(5));
    let style =
        ProgressStyle::with_template("{spinner} {pos} of {len} modules, {elapsed}, {per_sec}, {eta} left {msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.set_message(format!("({jobs} at a time)"));
    // One module may take long, and the time goes on meanwhile.
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// One module's row. `None` when the user ended it.
fn one(args: &SweepArgs, engines: &[EngineSpec], item: &Item) -> Option<Done> {
    let begun = Instant::now();
    let mut row = Row::unanswered(&item.name, String::new());
    let surveyed = try_one(args, engines, item, &mut row);
    row.ms = begun.elapsed().as_millis() as u64;
    match surveyed {
        Ok(Some((examples, folder))) => Some(Done { row, examples, _folder: Some(folder) }),
        Ok(None) => None,
        Err(error) => {
            let words = format!("{error:#}");
            let file = format!("{}: ", item.path.display());
            row.reason = Some(words.strip_prefix(&file).unwrap_or(&words).to_string());
            row.answer = RowAnswer::Unanswered;
            Some(Done { row, examples: Vec::new(), _folder: None })
        }
    }
}

/// Traces of a divergence by its signature, and where they are.
type Examples = (Vec<(String, [PathBuf; 2])>, Scratch);

fn try_one(args: &SweepArgs, engines: &[EngineSpec], item: &Item, row: &mut Row) -> Result<Option<Examples>> {
    let module = read_module(&item.path)?;
    row.bytes = module.len() as u64;
    row.blake3 = blake3::hash(&module).to_hex().to_string();
    let folder = Scratch::new().context("creating a temporary folder")?;
    let tried = Tried { args, engines, item, module: &module };
    let mut calls = Calls::of(args, item, &module)?;
    let Some(mut attempt) = tried.attempt(calls.list.as_deref(), &folder.path().join("1"))? else { return Ok(None) };
    // What keeps a loop busy too long may do so for all that is called: what it does with small numbers is worth a row.
    if attempt.timed_out()
        && let Some(fewer) = calls.tamed(&module).filter(|fewer| fewer.list != calls.list)
    {
        let Some(again) = tried.attempt(fewer.list.as_deref(), &folder.path().join("2"))? else { return Ok(None) };
        if again.survey.agree.is_some() {
            row.calls_left_out = (calls.words().len() as u64).saturating_sub(fewer.words().len() as u64);
            (attempt, calls) = (again, fewer);
        }
    }
    if attempt.valid {
        row.calls = calls.words();
    }
    row.survey(&attempt.survey, &module, args.patience());
    let survey = &attempt.survey;
    let trace = |index: usize| survey.engines.get(index).and_then(|row| row.trace.clone());
    let mut examples = Vec::new();
    let diverged = survey.groups.iter().filter(|group| group.divergence.is_some());
    for (number, (group, finding)) in diverged.zip(&mut row.findings).enumerate() {
        let first = group.engines.first().copied();
        let (Some(lhs), Some(rhs)) = (survey.reference.and_then(trace), first.and_then(trace)) else { continue };
        let at = finding.position.map(|position| call_at(&lhs, position)).transpose()?.flatten();
        finding.calls = calls.until(at);
        if number < MOST_CONFIRMED && !args.no_reruns && finding.calls.len() > 1 && calls.made_up.is_some() {
            let alone = calls.only(at);
            let place = folder.path().join(format!("alone-{number}"));
            let Some(again) = tried.attempt(alone.list.as_deref(), &place)? else { return Ok(None) };
            let mut of_one = Row::unanswered(&row.module, String::new());
            of_one.survey(&again.survey, &module, args.patience());
            if of_one.findings.iter().any(|other| other.signature == finding.signature) {
                (finding.calls, finding.confirmed) = (alone.words(), true);
            }
        }
        examples.push((finding.signature.clone(), [lhs, rhs]));
    }
    for finding in &mut row.findings {
        if finding.calls.is_empty() {
            finding.calls = calls.until(None);
        }
        finding.command = calls.command(args, engines, &item.path, &finding.calls);
    }
    Ok(Some((examples, folder)))
}

/// Most findings of a module whose calls are tried alone.
const MOST_CONFIRMED: usize = 4;

/// Puts the rows of several folders together, and into `--out` where it is given.
fn merge(args: &SweepArgs, summary: &mut Summary, baseline: Option<&Baseline>) -> Result<bool> {
    let mut asked: Option<(Value, &Path)> = None;
    let mut rows: BTreeMap<String, Row> = BTreeMap::new();
    for folder in &args.merge {
        let Some(options) = read_options(folder)? else {
            bail!("{} holds no sweep: it has no sweep.json", folder.display());
        };
        match &asked {
            Some((first, whose)) if *first != options => bail!(
                "{} and {} hold sweeps with other options: their rows mean different things",
                whose.display(),
                folder.display()
            ),
            _ => asked = Some((options, folder)),
        }
        read_rows(&folder.join(ROWS), &mut |row| {
            rows.insert(row.module.clone(), row);
        })?;
    }
    if let (Some(out), Some((options, _))) = (&args.out, &asked) {
        let mut there = BTreeSet::new();
        let mut store = Store::open(out, options, &mut |row| {
            there.insert(row.module);
        })?;
        for row in rows.values().filter(|row| !there.contains(&row.module)) {
            store.add(row)?;
        }
        for folder in &args.merge {
            store.take_examples(folder)?;
        }
    }
    rows.values().for_each(|row| summary.add(row, baseline));
    Ok(true)
}
