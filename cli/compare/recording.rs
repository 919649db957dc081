//! `forkpoint compare --recording` and `--node`: a recording, and what other engines make of it.

use crate::answer::Answer;
use crate::args::{CompareArgs, Format};
use crate::files::timeline;
use crate::output::{print, print_json, quoted, tell};
use crate::progress;
use crate::record::javascript;
use crate::render::print_compared;
use crate::rerun::rerun;
use anyhow::{Context, Result, bail};
use forkpoint_compare::{Compared, OwnHosts, record_app};
use forkpoint_replay::{Report, printable};
use forkpoint_tracer::{AppRecorded, EngineSpec, Request, Scratch, Stdio};
use forkpoint_traces::Outcome;
use serde::Serialize;
use std::fs;
use std::path::{Path, PathBuf};

/// Runs the command.
pub fn run(args: &CompareArgs) -> Result<Answer> {
    if !matches!(args.format, Format::Text | Format::Json) {
        bail!("--format {:?} has no form for a recording: leave it out", args.format);
    }
    let engines: Vec<EngineSpec> = match args.engines.is_empty() {
        true => args.engines_of_sides().into_iter().skip(1).collect(),
        false => args.engines.iter().flat_map(|list| list.0.iter().cloned()).collect(),
    };
    let temporary = Scratch::new().context("creating a temporary folder")?;
    let folder = args.output.as_deref().unwrap_or(temporary.path());
    fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    let recording = match &args.recording {
        Some(file) => file.clone(),
        None => recorded(args, folder)?,
    };
    if let Some(scope) = &timeline(&recording)?.trace().header().recorder.scope {
        bail!("{} holds {scope} only: record everything to run it again", recording.display());
    }
    let json = args.report.json || args.format == Format::Json;
    let (mut answers, mut rows) = (Vec::new(), Vec::new());
    for (number, engine) in (1..).zip(&engines) {
        let output = folder.join(format!("{number:02}-{}.fpt", file_name(engine)));
        let shown = progress::show(false);
        let again = rerun(&recording, engine, &output, args.run.timeout, args.echo)?;
        if again.outcome == Outcome::Interrupted {
            tell("interrupted");
            return Ok(Answer::None);
        }
        let (mut left, mut right) = (timeline(&recording)?, timeline(&output)?);
        progress::follow("comparing", &mut left);
        let report = Report::new(&mut left, &mut right, args.report.context, args.report.nan_bits)?;
        drop(shown);
        let compared: Compared = report.into();
        if json && engines.len() > 1 {
            answers.push(Answer::of(compared.report.agree));
            rows.push(Row { engine: engine.to_string(), compared });
            continue;
        }
        if engines.len() > 1 {
            print(&format!("{}{}:\n", if number > 1 { "\n" } else { "" }, printable(&engine.to_string())))?;
        }
        let hint = match args.output {
            Some(_) => {
                let [lhs, rhs] = [&recording, &output].map(|path| quoted(path.as_os_str()));
                format!("\nlook at it: forkpoint view {lhs} {rhs}\n")
            }
            None => "\nlook at it: add -o DIR to keep the new runs, then forkpoint view both\n".to_string(),
        };
        answers.push(print_compared(&compared, &OwnHosts::default(), json, &hint)?);
    }
    if json && engines.len() > 1 {
        print_json(&rows)?;
    }
    Ok(worst(&answers))
}

/// What one engine made of it, in JSON.
#[derive(Serialize)]
struct Row {
    engine: String,
    #[serde(flatten)]
    compared: Compared,
}

/// Records the program of --node.
fn recorded(args: &CompareArgs, folder: &Path) -> Result<PathBuf> {
    let app = javascript::app(&args.guest())?;
    let request = javascript::request(&args.guest(), &EngineSpec::default())?;
    let output = folder.join("recording.fpt");
    let output_streams = if args.echo { Stdio::Stderr } else { Stdio::Null };
    let request = Request { output: output.clone(), output_streams, ..request };
    let shown = progress::show(args.echo);
    let AppRecorded { recorded, others, .. } = record_app(&app, &request)?;
    drop(shown);
    if recorded.mismatches.count > 0 {
        tell("note: memory under Node is not what its own instructions wrote: see `forkpoint dump --kind observed`");
    }
    if !others.is_empty() {
        tell("note: the program instantiates other modules, too; --module-of takes one of them:");
        others.iter().for_each(|other| tell(&format!("  {}", printable(other))));
    }
    Ok(output)
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
