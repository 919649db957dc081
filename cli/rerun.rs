//! Runs under the conditions of a recording.

use crate::args;
use crate::progress::Terminal;
use crate::request::plain_request;
use anyhow::{Context, Result, bail};
use forkpoint_compare::{Doing, Progress, record};
use forkpoint_replay::Pack;
use forkpoint_tracer::instrument::{Options, Style};
use forkpoint_tracer::{EngineSpec, FeatureSwitches, HostSource, Keep, Program, Recorded, Request, Scratch, Stdio};
use forkpoint_traces::{DigestOf, Excerpt, ExcerptModule, Header, TraceReader};
use std::path::Path;

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

/// A recording that is about to be run again, with its host log.
pub struct Rerun {
    /// Its module and calls.
    pub program: Program,
    /// How they are run: under the conditions of the recording, into `output` of a folder of its own.
    pub request: Request,
    /// The folder, which is removed with this.
    _folder: Scratch,
}

impl Rerun {
    /// Prepares a run of the trace in `file`, a trace or a pack, under an engine or else under the one that it names.
    pub fn new(trace: &mut TraceReader, file: &Path, engine: Option<&EngineSpec>) -> Result<Rerun> {
        let recording = || format!("the recording {}", file.display());
        if let Some(scope) = &trace.header().recorder.scope {
            bail!("{} holds {scope} only: record everything to run it again", file.display());
        }
        let engine = match engine {
            Some(engine) => engine.clone(),
            None => named_engine(&trace.header().engine.spec)?,
        };
        let program = Program::recorded(trace).with_context(recording)?;
        let base = recorded_request(trace.header()).with_context(recording)?;
        // Of events that the recording leaves out, it has digests to compare.
        let everything = Keep::Window { from: 0, to: u64::MAX };
        let keep = if trace.digests(DigestOf::Records).is_some() { everything } else { Keep::Full };
        let folder = Scratch::new().context("creating a temporary folder")?;
        // The engine's process opens the host log by the name of a trace.
        let log = match Pack::is_one(file) {
            true => {
                let (header, words) = (trace.header().clone(), trace.words().clone());
                let log = folder.path().join("log.fpt");
                let module = ExcerptModule::Same;
                let excerpt = Excerpt { held: &[], header: &header, words: &words, module, edit: None };
                trace.excerpt(excerpt, &log, &mut |_| true).with_context(recording)?;
                log
            }
            false => file.to_path_buf(),
        };
        let output = folder.path().join("again.fpt");
        let host = HostSource::Log(log);
        let request = Request { engine, output, host, output_streams: Stdio::Null, keep, ..base };
        Ok(Rerun { program, request, _folder: folder })
    }

    /// Runs it with the given changes, and records that.
    pub fn record(&self, file: &Path, request: Request) -> Result<Recorded> {
        let output_streams = if request.echo { Stdio::Inherit } else { Stdio::Null };
        let request = Request { output_streams, ..request };
        Terminal.run(Doing::Recording, &self.program, &request);
        let doing = || format!("running {} under {}", file.display(), request.engine);
        record(&self.program, &request, &[]).with_context(doing)
    }
}
