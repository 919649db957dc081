//! `forkpoint reduce`: make a module that diverges as small as possible.

use crate::answer::Answer;
use crate::args::ReduceArgs;
use crate::output::{bytes, grouped, print, print_json, quoted, tell};
use crate::progress;
use crate::request::{calls, guest_request, imports, inputs};
use anyhow::{Context, Result};
use forkpoint_compare::{CompareError, Reduced, Reduction, ReductionEnd, Settings, read_module, refuse_same};
use forkpoint_tracer::{Imports, Request, Stdio};
use serde::Serialize;
use std::fs;
use std::time::Duration;

/// Runs the command. The answer is the one that the reduced module gives: it diverges.
pub fn run(args: &ReduceArgs) -> Result<Answer> {
    let guest = &args.guest;
    let inputs = inputs(&guest.module, &guest.run);
    refuse_same(&args.output, &inputs)?;
    let module = read_module(&guest.module)?;
    let before = module.len();
    let name = guest.module.file_name().map_or("module".into(), |name| name.to_string_lossy());
    let scripts = guest.run.host_scripts();
    let base = Request { stdin: Stdio::Null, ..guest_request(guest, true)? };
    let side = |engine: &forkpoint_tracer::EngineSpec, limit: Option<u64>| Request {
        engine: engine.clone(),
        memory_page_limit: limit.or(base.memory_page_limit),
        ..base.clone()
    };
    let shown = progress::show(false);
    let reduction = Reduction {
        name: &name,
        module,
        calls: calls(&guest.run)?,
        allocator: guest.run.alloc.as_ref(),
        imports: Imports { scripts: &scripts, ..imports(&guest.run) },
        sides: [side(&args.lhs, args.lhs_memory_page_limit), side(&args.rhs, args.rhs_memory_page_limit)],
        settings: Settings { host: args.host, ..Settings::default() },
        time: args.time.0.unwrap_or(Duration::MAX),
        progress: &|status| {
            progress::phase(&format!(
                "{}, {} so far, {} candidates tried",
                status.phase,
                bytes(status.bytes as u64),
                grouped(status.tries)
            ));
        },
    };
    let reduced = match reduction.run() {
        Err(error) if CompareError::is_interrupt(&error) => {
            tell(&error.to_string());
            return Ok(Answer::None);
        }
        reduced => reduced.with_context(|| guest.module.display().to_string())?,
    };
    drop(shown);
    let engines = [&args.lhs, &args.rhs].map(ToString::to_string);
    let engines = engines.each_ref().map(String::as_str);
    if args.output.extension().is_some_and(|extension| extension == "wasm") {
        fs::write(&args.output, &reduced.module)
    } else {
        fs::write(&args.output, reduced.wat(engines).context("printing the reduced module as text")?)
    }
    .with_context(|| format!("writing {}", args.output.display()))?;
    if args.json {
        print_json(&ReducedJson::new(&reduced, before))?;
    } else {
        print(&summary(args, &reduced, before, engines))?;
    }
    Ok(Answer::Diverge)
}

fn summary(args: &ReduceArgs, reduced: &Reduced, before: usize, [lhs, rhs]: [&str; 2]) -> String {
    let how = match reduced.end {
        ReductionEnd::Minimal => "no single step makes it smaller",
        ReductionEnd::Time => "the time was up; --time gives it more",
        ReductionEnd::Interrupted => "interrupted",
    };
    let from = match reduced.sliced {
        Some(0) => "The call in which the runs part is a program of its own.".to_string(),
        Some(1) => "The call around the one in which the runs part is a program of its own.".to_string(),
        Some(level) => {
            format!("The call {level} callers out of the one in which the runs part is a program of its own.")
        }
        None => "The program begins where it began.".to_string(),
    };
    let calls: String =
        reduced.calls.iter().map(|call| format!(" --invoke {}", quoted(call.to_string().as_ref()))).collect();
    let [lhs, rhs] = [lhs, rhs].map(|engine| quoted(engine.as_ref()));
    format!(
        "{}: {} of module to {} in {:.1} s, {} candidates tried: {how}\ndiverges as before: {}\n{from}\n\nsee it: forkpoint compare {}{calls} --lhs {lhs} --rhs {rhs}\n",
        args.output.display(),
        bytes(before as u64),
        bytes(reduced.module.len() as u64),
        reduced.elapsed.as_secs_f64(),
        grouped(reduced.tries),
        reduced.likeness,
        quoted(args.output.as_os_str()),
    )
}

/// What `--json` prints.
#[derive(Serialize)]
struct ReducedJson<'a> {
    likeness: String,
    bytes_before: usize,
    bytes: usize,
    calls: Vec<String>,
    sliced: Option<usize>,
    tries: u64,
    seconds: f64,
    end: ReductionEnd,
    comparison: &'a forkpoint_compare::Compared,
}

impl<'a> ReducedJson<'a> {
    fn new(reduced: &'a Reduced, before: usize) -> ReducedJson<'a> {
        ReducedJson {
            likeness: reduced.likeness.to_string(),
            bytes_before: before,
            bytes: reduced.module.len(),
            calls: reduced.calls.iter().map(ToString::to_string).collect(),
            sliced: reduced.sliced,
            tries: reduced.tries,
            seconds: reduced.elapsed.as_secs_f64(),
            end: reduced.end,
            comparison: &reduced.compared,
        }
    }
}
