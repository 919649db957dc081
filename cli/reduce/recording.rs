//! A reduction that begins with recordings: all that it needs is in them.

use crate::args::{ReduceArgs, TraceArg};
use crate::files::reader;
use crate::reduce::Source;
use crate::rerun::{host_log, named_engine, recorded_request};
use anyhow::{Context, Result, bail};
use forkpoint_replay::{Pack, Side, printable};
use forkpoint_tracer::instrument::Options;
use forkpoint_tracer::{EngineSpec, Invocation, Request, Scratch, Stdio};
use forkpoint_traces::{Argument, Header, Step, TraceReader, is_trace};
use std::path::{Path, PathBuf};

/// Who answers in place of the host of a program that was recorded.
pub struct RecordedHost {
    /// Whether the program lives in JavaScript, whose calls are not among those of the source.
    pub javascript: bool,
    /// The trace whose host log answers.
    pub log: PathBuf,
    /// Holds the log of a pack.
    _folder: Scratch,
}

/// Whether a file is a recording or a pack of two, and no module.
pub fn is_recording(file: &Path) -> bool {
    is_trace(file) || Pack::is_one(file)
}

/// Reads the recordings that `args` names.
pub fn read(args: &ReduceArgs) -> Result<Source> {
    let file = args.program.module.clone().unwrap_or_default();
    let run = &args.run;
    if !run.invoke.is_empty() || !run.arguments.is_empty() || !run.dir.is_empty() || !run.env.is_empty() {
        bail!("{} is a recording, which has its calls and what it was given: leave them out", file.display());
    }
    let open = |file: &Path, side| reader(&TraceArg { file: file.to_path_buf(), side });
    let is_pack = Pack::is_one(&file);
    let mut lhs = open(&file, is_pack.then_some(Side::Lhs))?;
    let rhs = match &args.other {
        Some(other) if is_pack => bail!("{} holds both runs: leave out {}", file.display(), other.display()),
        Some(other) => Some(open(other, None)?),
        None if is_pack => Some(open(&file, Some(Side::Rhs))?),
        None => None,
    };
    let shown = file.display();
    let header = lhs.header().clone();
    if header.program.is_some() {
        bail!(
            "{shown} is a recording of a program of several modules, and reduce takes one module: name it and its calls"
        );
    }
    let javascript = header.javascript.is_some();
    if rhs.as_ref().is_some_and(|rhs| rhs.header().module.hash != header.module.hash) {
        bail!("the recordings are of two modules: reduce takes two runs of one");
    }
    let steps = if javascript { &[][..] } else { &header.steps };
    let calls = steps.iter().map(call).collect::<Option<Vec<_>>>();
    let calls = calls.with_context(|| {
        format!("{shown} puts bytes into memory for its calls, or passes references: name the module, with --invoke")
    })?;
    let side =
        |named: &Option<EngineSpec>, header: Option<&Header>, limit: Option<u64>, option: &str| -> Result<Request> {
            let engine = match (named, header) {
                (Some(engine), _) => engine.clone(),
                (None, Some(header)) => {
                    named_engine(&header.engine.spec).with_context(|| format!("{option} ENGINE is needed"))?
                }
                (None, None) => bail!("{shown} is one run: name the other engine with {option}, or its recording"),
            };
            let mut base = recorded_request(header.unwrap_or(lhs.header()))?;
            if javascript {
                // It had to be recorded by hooks, and what is left of it does not.
                base.options = Options::default();
            }
            let timeout = run.timeout.or(base.timeout);
            let memory_page_limit = limit.or(run.memory_page_limit).or(base.memory_page_limit);
            let output_streams = Stdio::Null;
            Ok(Request { engine, stdin: Stdio::Null, output_streams, timeout, memory_page_limit, ..base })
        };
    let sides = [
        side(&args.lhs, Some(&header), args.lhs_memory_page_limit, "--lhs")?,
        side(&args.rhs, rhs.as_ref().map(TraceReader::header), args.rhs_memory_page_limit, "--rhs")?,
    ];
    let (name, module) = (printable(&header.module.name), lhs.module().to_vec());
    let folder = Scratch::new().context("creating a temporary folder")?;
    let log = host_log(&mut lhs, &file, &folder)?;
    Ok(Source { name, module, calls, sides, recorded: Some(RecordedHost { javascript, log, _folder: folder }) })
}

/// A recorded call as a user would write it.
fn call(step: &Step) -> Option<Invocation> {
    let Step::Call(call) = step else { return None };
    let arguments = call.arguments.iter().map(|argument| match argument {
        Argument::Value(forkpoint_traces::WasmValue::Reference(_)) | Argument::Result(_) => None,
        Argument::Value(value) => Some(value.to_string()),
    });
    Some(Invocation { function: call.function.clone(), arguments: arguments.collect::<Option<_>>()? })
}
