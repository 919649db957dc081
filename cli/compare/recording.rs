//! `forkpoint compare --recording`, `--node` and `--browser`: a recording, and what other engines make of it.

mod groups;

use crate::answer::Answer;
use crate::args::{CompareArgs, Format};
use crate::files::{allowance, timeline};
use crate::output::{print_json, quoted, tell};
use crate::progress::{self, Terminal};
use crate::record::javascript;
use crate::render::{EngineOfRecording, print_compared, print_recording};
use crate::rerun::{kept_like, named_engine, recorded_request, refuse_part};
use crate::source_maps;
use anyhow::{Context, Result, bail};
use forkpoint_compare::{CompareError, Comparison, Reask, Recording, Settings, record_app};
use forkpoint_replay::printable;
use forkpoint_tracer::{AppRecorded, EngineSpec, Request, Scratch, Stdio};
use forkpoint_traces::TraceReader;
use groups::Groups;
use std::fs;
use std::path::{Path, PathBuf};

/// Runs the command.
pub fn run(args: &CompareArgs) -> Result<Answer> {
    if !matches!(args.format, Format::Text | Format::Json) {
        bail!("--format {:?} has no form for a recording: leave it out", args.format);
    }
    match compared(args) {
        Err(error) if error.downcast_ref().is_some_and(CompareError::is_interrupt) => {
            tell(&error.to_string());
            Ok(Answer::None)
        }
        answer => answer,
    }
}

fn compared(args: &CompareArgs) -> Result<Answer> {
    let engines: Vec<EngineSpec> = match args.engines.is_empty() {
        true => args.engines_of_sides().into_iter().skip(1).collect(),
        false => args.listed(),
    };
    let temporary = Scratch::new().context("creating a temporary folder")?;
    let folder = args.output.as_deref().unwrap_or(temporary.path());
    fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    let (file, recorder) = match &args.recording {
        Some(file) => (file.clone(), None),
        None => recorded(args, folder)?,
    };
    let opened = timeline(&file)?;
    let trace = opened.trace();
    refuse_part(trace, &file)?;
    let again = args.lhs.clone().or(recorder).map_or_else(|| engine_of(trace, &engines), Ok);
    let recording = Recording::new(&file, allowance()?, again.as_ref().err().cloned())?;
    let what = || format!("the recording {}", file.display());
    let program = recording.program().with_context(what)?;
    let base = Request {
        timeout: args.run.timeout,
        keep: kept_like(trace),
        ..recorded_request(trace.header()).with_context(what)?
    };
    drop(opened);
    let settings = Settings {
        guard: !args.no_guard,
        reruns: if args.no_reruns { Reask::Never } else { Reask::Always },
        context: args.report.context,
        nan_bits: args.report.nan_bits,
        source_map: source_maps::named(&args.source_map)?,
        inputs: vec![file.clone()],
        ..Settings::default()
    };
    let json = args.report.json || args.format == Format::Json;
    let (mut answers, mut rows) = (Vec::new(), Vec::new());
    let mut groups = Groups::new(args.report.nan_bits);
    for (number, engine) in (1..).zip(&engines) {
        let (left, right) = match engines.len() {
            1 => ("lhs.fpt".to_string(), "rhs.fpt".to_string()),
            _ => (format!("{number:02}-lhs.fpt"), format!("{number:02}-{}.fpt", file_name(engine))),
        };
        let [left, right] = [left, right].map(|name| folder.join(name));
        let lhs = Request { engine: again.clone().unwrap_or_default(), output: left.clone(), ..base.clone() };
        let streams = if args.echo { Stdio::Inherit } else { Stdio::Null };
        let rhs = Request { engine: engine.clone(), output: right.clone(), echo: args.echo, ..base.clone() };
        let sides = [lhs, Request { output_streams: streams, ..rhs }];
        let comparison = Comparison {
            recording: Some(&recording),
            settings: settings.clone(),
            progress: &Terminal,
            ..Comparison::new(&program, sides)
        };
        let shown = progress::show(args.echo);
        let compared = comparison.run();
        drop(shown);
        if compared.is_err() && !json && !rows.is_empty() {
            // What is known of the others is worth its time.
            print_recording(&rows, &settings.own_hosts)?;
        }
        let compared = compared?;
        let hint = match args.output {
            Some(_) => {
                let left = if left.exists() { &left } else { &file };
                let [lhs, rhs] = [left, &right].map(|path| quoted(path.as_os_str()));
                format!("\nlook at it: forkpoint view {lhs} {rhs}\n")
            }
            None => "\nlook at it: add -o DIR to keep the new runs, then forkpoint view both\n".to_string(),
        };
        if engines.len() == 1 {
            return print_compared(&compared, &settings.own_hosts, json, &hint);
        }
        answers.push(Answer::of(compared.report.agree));
        let group = groups.of(&compared, &right);
        rows.push(EngineOfRecording { engine: engine.to_string(), group, compared, hint });
    }
    match json {
        true => print_json(&rows)?,
        false => print_recording(&rows, &settings.own_hosts)?,
    }
    Ok(worst(&answers))
}

/// The engine that runs a recording again: the one that made it, where this program is that engine, or the user names it
/// among `engines`; or why there is none.
fn engine_of(trace: &TraceReader, engines: &[EngineSpec]) -> Result<EngineSpec, String> {
    let spec = &trace.header().engine.spec;
    let named = engines.iter().find(|engine| engine.to_string() == *spec).cloned();
    named.map_or_else(|| named_engine(spec), Ok).map_err(|_| {
        let made = printable(spec);
        match spec.parse::<EngineSpec>() {
            Ok(_) => format!(
                "the recording was made under {made}, which forkpoint starts only if you name it: add --lhs {made}, or \
                 another engine"
            ),
            Err(_) => format!("the recording was made under {made}, which forkpoint does not start: add --lhs ENGINE"),
        }
    })
}

/// Records the program of --node or the page of --browser, and says which engine runs the recording again.
fn recorded(args: &CompareArgs, folder: &Path) -> Result<(PathBuf, Option<EngineSpec>)> {
    let app = javascript::app(&args.guest())?;
    let request = javascript::request(&args.guest(), &args.lhs.clone().unwrap_or_default())?;
    let output = folder.join("recording.fpt");
    let output_streams = if args.echo { Stdio::Stderr } else { Stdio::Null };
    let request = Request { output: output.clone(), output_streams, ..request };
    let shown = progress::show(args.echo);
    let AppRecorded { recorded, others, .. } = record_app(&app, &request)?;
    drop(shown);
    if recorded.mismatches.count > 0 {
        tell("note: memory is not what the module's own instructions wrote: see `forkpoint dump --kind observed`");
    }
    if !others.is_empty() {
        tell("note: the program instantiates other modules, too; --module-of takes one of them:");
        others.iter().for_each(|other| tell(&format!("  {}", printable(other))));
    }
    // Browsers other than Chromium have another engine.
    let made = TraceReader::open(&output)?.header().engine.spec == request.engine.to_string();
    Ok((output, made.then_some(request.engine)))
}

/// An engine's name as part of a file's.
fn file_name(engine: &EngineSpec) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    engine.to_string().chars().map(plain).take(40).collect()
}

/// No answer counts more than a divergence, and that more than agreement.
fn worst(answers: &[Answer]) -> Answer {
    if answers.contains(&Answer::None) {
        Answer::None
    } else if answers.contains(&Answer::Diverge) {
        Answer::Diverge
    } else {
        Answer::Yes
    }
}
