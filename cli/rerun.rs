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
use std::path::{Path, PathBuf};

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

/// Refuses a recording that holds less than everything.
pub fn refuse_part(trace: &TraceReader, file: &Path) -> Result<()> {
    if let Some(scope) = &trace.header().recorder.scope {
        bail!("{} holds {scope} only: record everything to run it again", file.display());
    }
    Ok(())
}

/// What a rerun keeps, to be compared with the recording: of events that it leaves out, it has digests to compare.
pub fn kept_like(trace: &TraceReader) -> Keep {
    match trace.digests(DigestOf::Records) {
        Some(_) => Keep::Window { from: 0, to: u64::MAX },
        None => Keep::Full,
    }
}

/// The file whose host log answers a rerun of the trace in `file`, a trace or a pack: the engine's process opens it by the name of
/// a trace. What a pack holds goes to `folder`.
pub fn host_log(trace: &mut TraceReader, file: &Path, folder: &Scratch) -> Result<PathBuf> {
    if !Pack::is_one(file) {
        return Ok(file.to_path_buf());
    }
    let (header, words) = (trace.header().clone(), trace.words().clone());
    let log = folder.path().join("log.fpt");
    let excerpt = Excerpt { held: &[], header: &header, words: &words, module: ExcerptModule::Same, edit: None };
    trace.excerpt(excerpt, &log, &mut |_| true).with_context(|| format!("the recording {}", file.display()))?;
    Ok(log)
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
        refuse_part(trace, file)?;
        let engine = match engine {
            Some(engine) => engine.clone(),
            None => named_engine(&trace.header().engine.spec)?,
        };
        let program = Program::recorded(trace).with_context(recording)?;
        let base = recorded_request(trace.header()).with_context(recording)?;
        let keep = kept_like(trace);
        let folder = Scratch::new().context("creating a temporary folder")?;
        let host = HostSource::Log(host_log(trace, file, &folder)?);
        let output = folder.path().join("again.fpt");
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
