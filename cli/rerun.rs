//! Runs under the conditions of a recording.

use crate::args;
use crate::request::plain_request;
use anyhow::{Context, Result, bail};
use forkpoint_tracer::instrument::{Options, Style};
use forkpoint_tracer::{EngineSpec, FeatureSwitches, Request};
use forkpoint_traces::Header;

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
