//! `forkpoint replay`: run a recording again from its file alone, and check it event by event.

use crate::answer::Answer;
use crate::args::ReplayArgs;
use crate::diff::compare_traces;
use crate::files::{reader, timeline};
use crate::output::{quoted, tell};
use crate::progress::{self, Terminal};
use crate::rerun::{named_engine, recorded_request};
use crate::source_maps;
use anyhow::{Context, Result, bail};
use forkpoint_compare::{Doing, Progress, record, refuse_same};
use forkpoint_replay::{Pack, Timeline};
use forkpoint_tracer::{HostSource, Keep, Program, Request, Scratch, Stdio};
use forkpoint_traces::{DigestOf, Excerpt, ExcerptModule, Outcome};
use std::fs;

/// Runs the command.
pub fn run(args: &ReplayArgs) -> Result<Answer> {
    let file = args.trace.file.display();
    let mut trace = reader(&args.trace)?;
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
    let temporary = Scratch::new().context("creating a temporary folder")?;
    if let Some(output) = &args.output {
        refuse_same(output, [args.trace.file.as_path()])?;
    }
    // The engine's process opens the host log by the name of a trace.
    let log = match Pack::is_one(&args.trace.file) {
        true => {
            let (header, words) = (trace.header().clone(), trace.words().clone());
            let log = temporary.path().join("log.fpt");
            let module = ExcerptModule::Same;
            let excerpt = Excerpt { held: &[], header: &header, words: &words, module, edit: None };
            trace.excerpt(excerpt, &log, &mut |_| true).with_context(recording)?;
            log
        }
        false => args.trace.file.clone(),
    };
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
        host: HostSource::Log(log),
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
            let [file, new] = [&args.trace.file, output].map(|path| quoted(path.as_os_str()));
            match Pack::is_one(&args.trace.file) {
                true => format!("\nlook at it: forkpoint view {new}\n"),
                false => format!("\nlook at it: forkpoint view {file} {new}\n"),
            }
        }
        None => "\nlook at it: add -o FILE to keep the new run, then forkpoint view both\n".to_string(),
    };
    let sides = source_maps::with([Timeline::new(trace), timeline(&output)?], &args.source_map)?;
    compare_traces(sides, &args.report, &hint)
}
