//! `forkpoint reduce`: make a module that diverges as small as possible.

use crate::answer::Answer;
use crate::args::ReduceArgs;
use crate::output::{bytes, grouped, print, print_json, quoted, tell};
use crate::progress;
use crate::request::{calls, guest_request, imports, inputs};
use anyhow::{Context, Result, bail};
use forkpoint_compare::{
    CompareError, Reduced, Reduction, ReductionEnd, Settings, is_script, read_module, refuse_same,
};
use forkpoint_replay::printable;
use forkpoint_tracer::{Imports, Request, Stdio};
use serde::Serialize;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

/// Runs the command. The answer is the one that the reduced module gives: it diverges.
pub fn run(args: &ReduceArgs) -> Result<Answer> {
    let guest = &args.guest;
    if !guest.program.modules.is_empty() {
        bail!("reduce takes one module, not a program of several: name the one in which the runs part");
    }
    let file = guest.file();
    if is_script(file) {
        bail!("{} is a script, and reduce takes a module: name the one in which the runs part", file.display());
    }
    let inputs = inputs(guest.files(), &guest.run);
    refuse_same(&args.output, &inputs)?;
    let module = read_module(file)?;
    let before = module.len();
    let name = file.file_name().map_or("module".into(), |name| name.to_string_lossy());
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
        reduced => reduced.with_context(|| file.display().to_string())?,
    };
    drop(shown);
    let command = command(args, &reduced);
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
        write(script, predicate(&command, &args.output, &reduced).as_bytes())?;
        let executable = fs::Permissions::from_mode(0o755);
        fs::set_permissions(script, executable).with_context(|| format!("making {} a program", script.display()))?;
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
    format!(
        "{}: {} of module reduced to {} in {:.1} s, {} candidates tried; {how}.\nIt diverges as before: {}\n{from}\n\nsee it: {command}\n",
        args.output.display(),
        bytes(before as u64),
        bytes(reduced.module.len() as u64),
        reduced.elapsed.as_secs_f64(),
        grouped(reduced.tries),
        reduced.likeness,
    )
}

/// Options of `reduce` that `compare` does not have, each with a value.
const OWN: &[&str] = &["-o", "--output", "--time", "--report", "--script", "--predicate"];

/// Options for calls and hosts, which a call that became a program of its own needs no more, each with a value.
const OF_PROGRAM: &[&str] = &[
    "--invoke",
    "--alloc",
    "--env",
    "--dir",
    "--import",
    "--preload",
    "--host-script",
    "--host-script-timeout",
    "--host",
];

/// The words of the command that compares the reduced module, quoted for a shell: those that the user wrote, as far as they apply.
fn command(args: &ReduceArgs, reduced: &Reduced) -> Vec<String> {
    let sliced = reduced.sliced.is_some();
    let mut written = std::env::args_os().skip(1);
    let mut words = vec!["forkpoint".to_string(), "compare".to_string(), quoted(args.output.as_os_str())];
    for call in reduced.calls.iter().filter(|_| sliced) {
        words.extend(["--invoke".to_string(), quoted(call.to_string().as_ref())]);
    }
    let (mut is_command, mut is_module) = (false, false);
    while let Some(word) = written.next() {
        let text = word.to_string_lossy();
        let name = text.split_once('=').map_or(&*text, |(name, _)| name);
        if sliced && text == "--" {
            break;
        }
        if OWN.contains(&name) || sliced && OF_PROGRAM.contains(&name) {
            // A value of its own, unless it follows an equals sign.
            if !text.starts_with("--") || !text.contains('=') {
                written.next();
            }
        } else if text == "reduce" && !is_command {
            is_command = true;
        } else if word == args.guest.file().as_os_str() && !is_module {
            is_module = true;
        } else if text != "--json" {
            words.push(quoted(&word));
        }
    }
    words
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
    comparison: Option<&'a forkpoint_compare::Compared>,
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
            comparison: reduced.compared.as_ref(),
        }
    }
}
