//! A reduction that begins with recordings: all that it needs is in them.

use crate::args::{ReduceArgs, TraceArg};
use crate::files::reader;
use crate::rerun::{named_engine, recorded_request};
use anyhow::{Context, Result, bail};
use forkpoint_replay::{Pack, Side, printable};
use forkpoint_tracer::instrument::Options;
use forkpoint_tracer::{EngineSpec, Invocation, Request, Scratch, Stdio};
use forkpoint_traces::{Argument, EngineWords, Excerpt, ExcerptModule, Header, Step, TraceReader};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// What a trace begins with.
const MAGIC: &[u8] = b"\x89FPTRACE";

/// What recordings say of the runs.
pub struct Recordings {
    pub name: String,
    pub module: Vec<u8>,
    /// Without those that JavaScript makes.
    pub calls: Vec<Invocation>,
    /// Whether the program lives in JavaScript.
    pub javascript: bool,
    /// The trace whose host log answers.
    pub log: PathBuf,
    pub sides: [Request; 2],
    /// Holds the log of a pack.
    _folder: Scratch,
}

/// Whether a file is a recording or a pack of two, and no module.
pub fn is_recording(file: &Path) -> bool {
    let mut begins = [0; MAGIC.len()];
    let trace = File::open(file).and_then(|mut file| file.read_exact(&mut begins)).is_ok() && begins == MAGIC;
    trace || Pack::is_one(file)
}

/// Reads the recordings that `args` names.
pub fn read(args: &ReduceArgs) -> Result<Recordings> {
    let file = args.program.module.clone().unwrap_or_default();
    let run = &args.run;
    if !run.invoke.is_empty() || !run.arguments.is_empty() || !run.dir.is_empty() || !run.env.is_empty() {
        bail!("{} is a recording, which has its calls and what it was given: leave them out", file.display());
    }
    let open = |file: &Path, side| reader(&TraceArg { file: file.to_path_buf(), side });
    let is_pack = Pack::is_one(&file);
    let lhs = open(&file, is_pack.then_some(Side::Lhs))?;
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
    let log = match is_pack {
        true => unpacked(lhs, &folder).with_context(|| format!("reading {shown}"))?,
        false => file,
    };
    Ok(Recordings { name, module, calls, javascript, log, sides, _folder: folder })
}

/// The engine's process opens a host log by the name of a trace.
fn unpacked(mut trace: TraceReader, folder: &Scratch) -> Result<PathBuf> {
    let (header, words) = (trace.header().clone(), EngineWords::default());
    let log = folder.path().join("log.fpt");
    let excerpt = Excerpt { held: &[], header: &header, words: &words, module: ExcerptModule::Same, edit: None };
    trace.excerpt(excerpt, &log, &mut |_| true)?;
    Ok(log)
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
