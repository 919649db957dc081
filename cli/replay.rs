//! `forkpoint replay`: run a recording again from its file alone, and check it event by event.

use crate::args::ReplayArgs;
use crate::files;
use crate::open;
use crate::output::{quoted, tell};
use crate::report::compare_traces;
use crate::session::{Session, Side};
use crate::{Answer, progress};
use anyhow::{Context, Result, bail};
use forkpoint_tracer::{EngineSpec, Scratch, Stdio};
use forkpoint_traces::Outcome;
use std::fs;

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
    let session = Session::replayed(&trace, args.timeout.0).with_context(|| format!("the recording {file}"))?;
    drop(trace);
    let temporary = Scratch::new().context("creating a temporary folder")?;
    if let Some(output) = &args.output {
        files::refuse_same(output, [args.file.as_path()])?;
    }
    // What goes to a device or a FIFO cannot be read back to be compared.
    let direct = args
        .output
        .as_ref()
        .filter(|output| fs::metadata(output).is_ok_and(|file| !file.is_file() && !file.is_dir()));
    let output =
        args.output.clone().filter(|_| direct.is_none()).unwrap_or_else(|| temporary.path().join("replay.fpt"));
    let output_streams = if args.echo { Stdio::Inherit } else { Stdio::Null };
    let side =
        Side { echo: args.echo, output_streams, ..Side::replayed(engine.clone(), output.clone(), args.file.clone()) };
    let shown = progress::show(false);
    let recorded = session.record(side, true).with_context(|| format!("running {file} under {engine}"))?;
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
