//! Runs under the conditions of a recording.

use crate::args;
use crate::files::timeline;
use crate::progress::Terminal;
use crate::request::plain_request;
use anyhow::{Context, Result, bail};
use forkpoint_compare::{Doing, Progress, record};
use forkpoint_tracer::instrument::{Options, Style};
use forkpoint_tracer::{EngineSpec, FeatureSwitches, HostSource, Keep, Program, Recorded, Request, Stdio};
use forkpoint_traces::{DigestOf, Header};
use std::path::Path;
use std::time::Duration;

/// A request for a run under the conditions of a recording.
pub fn recorded_request(header: &Header) -> Result<Request> {
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
pub fn named_engine(spec: &str) -> Result<EngineSpec> {
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

/// Runs a recording again under an engine, with its host log, and records that to `output`.
pub fn rerun(
    file: &Path,
    engine: &EngineSpec,
    output: &Path,
    timeout: Option<Duration>,
    echo: bool,
) -> Result<Recorded> {
    let opened = timeline(file)?;
    let trace = opened.trace();
    let recording = || format!("the recording {}", file.display());
    let program = Program::recorded(trace).with_context(recording)?;
    let base = recorded_request(trace.header()).with_context(recording)?;
    // Of events that the recording leaves out, it has digests to compare.
    let everything = Keep::Window { from: 0, to: u64::MAX };
    let keep = if trace.digests(DigestOf::Records).is_some() { everything } else { Keep::Full };
    drop(opened);
    let request = Request {
        engine: engine.clone(),
        output: output.to_path_buf(),
        host: HostSource::Log(file.to_path_buf()),
        echo,
        output_streams: if echo { Stdio::Inherit } else { Stdio::Null },
        timeout,
        keep,
        ..base
    };
    Terminal.run(Doing::Recording, &program, &request);
    record(&program, &request, &[]).with_context(|| format!("running {} under {engine}", file.display()))
}
