//! `forkpoint reduce`: make a module that diverges as small as possible.

mod command;
mod recording;

use crate::answer::Answer;
use crate::args::{GuestArgs, ReduceArgs};
use crate::output::{bytes, grouped, print, print_json, quoted, tell};
use crate::progress;
use crate::render::InWords;
use crate::request::{calls, guest_request, imports, inputs};
use anyhow::{Context, Result, bail};
use forkpoint_compare::{
    CompareError, OwnCheck, OwnSide, Reduced, Reduction, ReductionEnd, Settings, is_script, open_recorded,
    read_module, refuse_same,
};
use forkpoint_replay::{PackSettings, Packing, printable};
use forkpoint_tracer::{EngineSpec, Imports, Invocation, Mode, Request, Stdio, WasmtimeSpec};
use recording::RecordedHost;
use serde::Serialize;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

/// Runs the command. The answer is the one that the reduced module gives: it diverges.
pub fn run(args: &ReduceArgs) -> Result<Answer> {
    let guest = args.guest();
    let file = guest.file().to_path_buf();
    let scripts = guest.run.host_scripts();
    let source = if recording::is_recording(&file) { recording::read(args)? } else { of_module(args, &guest)? };
    let read = inputs(guest.files().chain(args.other.clone()), &guest.run);
    for output in
        [Some(&args.output), args.pack.as_ref(), args.state.as_ref(), args.reproduce.as_ref()].into_iter().flatten()
    {
        refuse_same(output, &read)?;
    }
    let Source { name, module, calls, sides, recorded } = source;
    let before = module.len();
    let answered = match &recorded {
        Some(_) => Imports { logged: true, allow_unordered: true, ..Imports::default() },
        None => Imports { scripts: &scripts, ..imports(&guest.run) },
    };
    let log = recorded.as_ref().map(|recorded| recorded.log.clone());
    let shown = progress::show(false);
    let reduction = Reduction {
        name: &name,
        module,
        calls,
        allocator: guest.run.alloc.as_ref(),
        imports: answered,
        sides,
        settings: Settings { host: args.host, log, ..Settings::default() },
        time: args.time.0.unwrap_or(Duration::MAX),
        state: args.state.clone(),
        own_commands: args.report.is_some() || args.reproduce.is_some(),
        javascript: recorded.as_ref().is_some_and(|recorded| recorded.javascript),
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
        reduced => reduced.with_context(|| file.display().to_string())?,
    };
    drop(shown);
    let command = match &recorded {
        Some(_) => command::of_recording(args, &reduction.sides, &reduced),
        None => command::of_module(args, &file, &reduced),
    };
    let is_binary = args.output.extension().is_some_and(|extension| extension == "wasm");
    let text = |command: &[String]| reduced.wat(&command.join(" ")).context("printing the reduced module as text");
    write(&args.output, &if is_binary { reduced.module.clone() } else { text(&command)?.into_bytes() })?;
    if let Some(page) = &args.report {
        write(page, reduced.markdown(&command.join(" ")).context("printing the reduced module as text")?.as_bytes())?;
    }
    match (&args.script, &reduced.script) {
        (Some(file), Some(script)) => write(file, script.as_bytes())?,
        (Some(file), None) => tell(&format!(
            "note: {} is not written: no assertion on results, traps or memory at the end shows the difference",
            file.display()
        )),
        (None, _) => {}
    }
    if let Some(script) = &args.predicate {
        executable(script, &predicate(&command, &args.output, &reduced))?;
    }
    match (&args.reproduce, &reduced.reproduction) {
        (Some(file), Ok(reproduction)) => {
            executable(file, &reproduction.script(&reduced.likeness.to_string()))?;
        }
        (Some(file), Err(why)) => tell(&format!("note: {} is not written: {why}", file.display())),
        (None, _) => {}
    }
    if let Some(file) = &args.pack {
        packed(&reduced, file, args.json)?;
    }
    if args.json {
        print_json(&ReducedJson::new(&reduced, before))?;
    } else {
        print(&summary(args, &reduced, before, &command.join(" ")))?;
    }
    Ok(Answer::Diverge)
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).with_context(|| format!("writing {}", path.display()))
}

/// Writes a program for a shell.
fn executable(path: &Path, script: &str) -> Result<()> {
    write(path, script.as_bytes())?;
    let mode = fs::Permissions::from_mode(0o755);
    fs::set_permissions(path, mode).with_context(|| format!("making {} a program", path.display()))
}

fn summary(args: &ReduceArgs, reduced: &Reduced, before: usize, command: &str) -> String {
    let how = match reduced.end {
        ReductionEnd::Minimal => "no single step makes it smaller",
        ReductionEnd::Time => "the time was up, and --time gives it more",
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
    let own = match (&args.reproduce, &reduced.reproduction) {
        (Some(file), Ok(own)) => format!("without forkpoint: sh {} ({})\n", quoted(file.as_os_str()), own.in_words()),
        (None, Ok(own)) if args.report.is_some() => format!("without forkpoint: {}\n", own.in_words()),
        _ => String::new(),
    };
    format!(
        "{}: {} of module reduced to {} in {:.1} s, {} candidates tried; {how}.\nIt diverges as before: {}\n{from}\n\nsee it: {command}\n{own}",
        args.output.display(),
        bytes(before as u64),
        bytes(reduced.module.len() as u64),
        reduced.elapsed.as_secs_f64(),
        grouped(reduced.tries),
        reduced.likeness,
    )
}

/// What is reduced, and how it runs.
struct Source {
    name: String,
    module: Vec<u8>,
    calls: Vec<Invocation>,
    sides: [Request; 2],
    recorded: Option<RecordedHost>,
}

fn of_module(args: &ReduceArgs, guest: &GuestArgs) -> Result<Source> {
    if guest.program.is_javascript() {
        bail!(
            "record the program first, with record --node or --browser: reduce takes its recording, with --lhs and --rhs"
        );
    }
    if !guest.program.modules.is_empty() {
        bail!("reduce takes one module, not a program of several: name the one in which the runs part");
    }
    let file = guest.file();
    if is_script(file) {
        bail!("{} is a script, and reduce takes a module: name the one in which the runs part", file.display());
    }
    if let Some(other) = &args.other {
        bail!(
            "{} is a module, so {} is one too many: reduce takes one module, or the recordings of two runs",
            file.display(),
            other.display()
        );
    }
    let base = Request { stdin: Stdio::Null, ..guest_request(guest, true)? };
    let side = |engine: Option<&EngineSpec>, default: EngineSpec, limit: Option<u64>| Request {
        engine: engine.cloned().unwrap_or(default),
        memory_page_limit: limit.or(base.memory_page_limit),
        ..base.clone()
    };
    let ahead = EngineSpec::Wasmtime(WasmtimeSpec { mode: Mode::Aot, ..WasmtimeSpec::default() });
    Ok(Source {
        name: file.file_name().map_or("module".into(), |name| name.to_string_lossy()).into_owned(),
        module: read_module(file)?,
        calls: calls(&guest.run)?,
        sides: [
            side(args.lhs.as_ref(), EngineSpec::default(), args.lhs_memory_page_limit),
            side(args.rhs.as_ref(), ahead, args.rhs_memory_page_limit),
        ],
        recorded: None,
    })
}

/// Packs the reduced module's traces, and says before what of the user's is in them.
fn packed(reduced: &Reduced, file: &Path, as_json: bool) -> Result<()> {
    let open = |name: &str| open_recorded(&reduced.traces.path().join(name));
    let mut sides = [open("lhs.fpt")?, open("rhs.fpt")?];
    let packing =
        Packing::prepare(&mut sides, &PackSettings::default()).context("packing the reduced module's traces")?;
    if !as_json {
        print(&format!("{} holds of yours:\n{}\n", file.display(), InWords(&packing.contents)))?;
    }
    packing.write(file).with_context(|| format!("packing to {}", file.display()))?;
    Ok(())
}

/// A script that ends with 0 if a module diverges in the same way.
fn predicate(command: &[String], output: &Path, reduced: &Reduced) -> String {
    let likeness = quoted(reduced.likeness.to_string().as_ref());
    let module = quoted(output.as_os_str());
    // The program and its subcommand, then the module.
    let options = command.get(3..).unwrap_or_default().join(" ");
    format!(
        "#!/bin/sh\n# Ends with 0 if a module diverges like the one that was reduced: {}\nmodule=${{1:-{module}}}\nexec forkpoint compare \"$module\" {options} --same-as {likeness}\n",
        printable(&reduced.likeness.0)
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
    own_commands: Option<[OwnJson<'a>; 2]>,
    comparison: Option<&'a forkpoint_compare::Compared>,
}

/// An engine's own command.
#[derive(Serialize)]
struct OwnJson<'a> {
    engine: &'a str,
    command: Option<&'a str>,
    why_none: Option<&'a str>,
    expected: &'a str,
    as_expected: Option<bool>,
    did: Option<&'a str>,
}

impl<'a> OwnJson<'a> {
    fn new(side: &'a OwnSide) -> OwnJson<'a> {
        let (as_expected, did) = match &side.check {
            OwnCheck::Ran { as_expected, did } => (Some(*as_expected), Some(did.as_str())),
            OwnCheck::NotRun | OwnCheck::Unavailable => (None, None),
        };
        OwnJson {
            engine: &side.engine,
            command: side.command.as_deref().ok(),
            why_none: side.command.as_ref().err().map(String::as_str),
            expected: &side.expected,
            as_expected,
            did,
        }
    }
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
            own_commands: reduced.reproduction.as_ref().ok().map(|own| own.sides.each_ref().map(OwnJson::new)),
            comparison: reduced.compared.as_ref(),
        }
    }
}
