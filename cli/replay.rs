//! `forkpoint replay`: run a recording again from its file alone, and check it event by event.

use crate::answer::Answer;
use crate::args;
use crate::args::ReplayArgs;
use crate::diff::compare_traces;
use crate::files::reader;
use crate::output::{quoted, tell};
use crate::progress::{self, Terminal};
use crate::request::plain_request;
use anyhow::{Context, Result, bail};
use forkpoint_compare::{Doing, Progress, record, refuse_same};
use forkpoint_tracer::instrument::{Options, Style};
use forkpoint_tracer::{EngineSpec, FeatureSwitches, HostSource, Keep, Program, Request, Scratch, Stdio};
use forkpoint_traces::{DigestOf, Header, Outcome};
use std::fs;

/// Runs the command.
pub fn run(args: &ReplayArgs) -> Result<Answer> {
    let file = args.file.display();
    let trace = reader(&args.file)?;
    if let Some(scope) = &trace.header().recorder.scope {
        bail!("{file} holds {scope} only: record everything to run it again");
    }
    let engine = match &args.engine {
        Some(engine) => engine.clone(),
        None => named_engine(&trace.header().engine.spec)?,
    };
    let recording = || format!("the recording {file}");
    let program = Program::recorded(&trace).with_context(recording)?;
    let base = recorded_request(trace.header()).with_context(recording)?;
    // Of events that the recording leaves out, it has digests to compare.
    let everything = Keep::Window { from: 0, to: u64::MAX };
    let keep = if trace.digests(DigestOf::Records).is_some() { everything } else { Keep::Full };
    drop(trace);
    let temporary = Scratch::new().context("creating a temporary folder")?;
    if let Some(output) = &args.output {
        refuse_same(output, [args.file.as_path()])?;
    }
    // A device or a FIFO cannot be read back for the comparison.
    let direct = args
        .output
        .as_ref()
        .filter(|output| fs::metadata(output).is_ok_and(|file| !file.is_file() && !file.is_dir()));
    let output =
        args.output.clone().filter(|_| direct.is_none()).unwrap_or_else(|| temporary.path().join("replay.fpt"));
    let request = Request {
        engine: engine.clone(),
        output: output.clone(),
        host: HostSource::Log(args.file.clone()),
        echo: args.echo,
        output_streams: if args.echo { Stdio::Inherit } else { Stdio::Null },
        timeout: args.timeout.0,
        keep,
        ..base
    };
    let shown = progress::show(false);
    Terminal.run(Doing::Recording, &program, &request);
    let recorded = record(&program, &request, &[]).with_context(|| format!("running {file} under {engine}"))?;
    if recorded.outcome == Outcome::Interrupted {
        tell("interrupted");
        return Ok(Answer::None);
    }
    if recorded.outcome == Outcome::TimedOut && args.timeout.is_default() {
        tell("note: a replay ends after 5 minutes unless --timeout gives another time, or none");
    }
    if let Some(direct) = direct {
        fs::OpenOptions::new()
            .write(true)
            .open(direct)
            .and_then(|mut to| std::io::copy(&mut fs::File::open(&output)?, &mut to))
            .with_context(|| format!("writing {}", direct.display()))?;
    }
    drop(shown);
    let hint = match &args.output {
        Some(output) => {
            let [file, output] = [&args.file, output].map(|path| quoted(path.as_os_str()));
            format!("\nlook at it: forkpoint view {file} {output}\n")
        }
        None => "\nlook at it: add -o FILE to keep the new run, then forkpoint view both\n".to_string(),
    };
    compare_traces(&args.file, &output, &args.report, &hint)
}

/// A request for a run under the conditions of a recording.
fn recorded_request(header: &Header) -> Result<Request> {
    let recorder = &header.recorder;
    let checkpoint = recorder.checkpoint.parse().ok().unwrap_or_default();
    let style = if recorder.hooks { Style::Hooks } else { Style::Inline };
    let switches = |words: &[String]| match words {
        [] => Ok(FeatureSwitches::default()),
        words => words.join(",").parse::<FeatureSwitches>().context("the recording's proposals"),
    };
    Ok(Request {
        options: Options { style, read_back: recorder.read_back, ..args::options_for(checkpoint) },
        checkpoint,
        memory_page_limit: header.limits.memory_pages,
        features: switches(&header.features.compile)?,
        run_features: switches(&header.features.run)?,
        ..plain_request()?
    })
}

/// The engine that a recording names, if it is part of this program: a file from a stranger must not decide which
/// program or library is started here.
fn named_engine(spec: &str) -> Result<EngineSpec> {
    match spec.parse::<EngineSpec>() {
        Ok(engine) if engine.is_built_in() => Ok(engine),
        Ok(_) => bail!(
            "it was recorded under {}, which is a program or a library outside of forkpoint: name it with --engine to \
             start it, or another engine",
            forkpoint_replay::printable(spec)
        ),
        Err(error) => Err(error).context("the engine of the recording is not known here: name one with --engine"),
    }
}
