//! `forkpoint replay`: run a recording again from its file alone, and check it event by event.

use crate::Answer;
use crate::args::ReplayArgs;
use crate::open;
use crate::report::compare_traces;
use crate::session::{Session, Side};
use anyhow::{Context, Result, bail};
use forkpoint_tracer::{EngineSpec, Stdio};
use forkpoint_traces::Outcome;

/// Runs the command.
pub fn run(args: &ReplayArgs) -> Result<Answer> {
    let file = args.file.display();
    let trace = open::reader(&args.file)?;
    if let Some(scope) = &trace.header().recorder.scope {
        bail!("{file} holds {scope} only: record everything to run it again");
    }
    let engine = match &args.engine {
        Some(engine) => engine.clone(),
        None => named_engine(&trace.header().engine.spec)?,
    };
    let session = Session::replayed(&trace, args.timeout).with_context(|| format!("the recording {file}"))?;
    drop(trace);
    let temporary = tempfile::Builder::new().prefix("forkpoint-").tempdir().context("creating a temporary folder")?;
    let output = args.output.clone().unwrap_or_else(|| temporary.path().join("replay.fpt"));
    let output_streams = if args.echo { Stdio::Inherit } else { Stdio::Null };
    let side =
        Side { echo: args.echo, output_streams, ..Side::replayed(engine.clone(), output.clone(), args.file.clone()) };
    let recorded = session.record(side, true).with_context(|| format!("running {file} under {engine}"))?;
    if recorded.outcome == Outcome::Interrupted {
        eprintln!("interrupted");
        return Ok(Answer::None);
    }
    let hint = match &args.output {
        Some(output) => format!("\nlook at it: forkpoint view {file} {}\n", output.display()),
        None => "\nlook at it: add -o FILE to keep the new run, then forkpoint view both\n".to_string(),
    };
    compare_traces(&args.file, &output, &args.report, &hint)
}

/// The engine that a recording names, if it is one that is part of this program: a file from a stranger must not decide
/// which program or library is started here.
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
