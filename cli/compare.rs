//! `forkpoint compare`: record a module under two or more engines, or two builds of a program, and report where they diverge.

mod recording;

use crate::answer::Answer;
use crate::args::{CompareArgs, Format, GuestArgs, ProgramArgs};
use crate::ci::{of_compared, of_surveyed, print_cases};
use crate::output::{print_json, quoted, tell};
use crate::progress::{self, Terminal};
use crate::render::{print_builds, print_compared, print_surveyed};
use crate::request::{guest_request, inputs, program};
use crate::view::{self, OfComparison};
use crate::{last, source_maps};
use anyhow::{Context, Result, bail};
use forkpoint_compare::{
    BuildComparison, CompareError, Comparison, Kept, Reask, Settings, Survey, is_script, refuse_invalid_build,
};
use forkpoint_replay::Likeness;
use forkpoint_tracer::{Program, Request, Scratch, Stdio};
use forkpoint_tui::Keymap;
use std::fs::{self, File};
use std::io::{self, IsTerminal};
use std::path::Path;
use std::sync::Arc;

/// Runs the command.
pub fn run(args: &CompareArgs) -> Result<Answer> {
    if args.recording.is_some() || args.program.is_javascript() {
        return recording::run(args);
    }
    if args.lhs.is_some() && !args.engines.is_empty() {
        bail!("--engines names all engines, and the first of them is the reference: leave out --lhs");
    }
    // A comparison may take long, and its result could not be shown.
    let keys = match args.view {
        true => Some(forkpoint_tui::need_terminal().map_err(anyhow::Error::from).and_then(|()| view::keys(None))?),
        false => None,
    };
    let shown = progress::show(args.echo);
    progress::phase("rewriting");
    let guest = args.guest();
    let program = program(&guest)?;
    if let Some(error) = program.invalid() {
        tell(&format!("note: {error}; engines only validate and compile the module, and nothing runs"));
    }
    let base = Request {
        stdin: shared_stdin()?,
        output_streams: if args.echo { Stdio::Stderr } else { Stdio::Null },
        ..guest_request(&guest, false)?
    };
    let keep = match (args.keep, &args.output) {
        (Some(Kept::Nothing), Some(_)) => {
            bail!("-o keeps traces, and --keep none makes none to keep: leave out one of them")
        }
        (Some(keep), _) => keep,
        (None, Some(_)) => Kept::Full,
        (None, None) => Kept::Nothing,
    };
    let settings = Settings {
        host: args.host,
        keep,
        guard: !args.no_guard,
        reruns: if args.no_reruns { Reask::Never } else { Reask::Always },
        context: args.report.context,
        nan_bits: args.report.nan_bits,
        source_map: source_maps::named(&args.source_map)?,
        inputs: inputs(guest.files().chain(args.other.clone()), &guest.run),
        ..Settings::default()
    };
    if settings.source_map.is_some() && (args.other.is_some() || program.parts().is_some()) {
        bail!("--source-map names the map of one module, and these are several: leave it out");
    }
    let answer = match (&args.other, args.engines.is_empty()) {
        (Some(other), _) => {
            builds(args, [(guest.file(), &program), (other, &self::other(args, other)?)], base, settings, shown)
        }
        (None, true) => two(args, &program, base, settings, (shown, keys)),
        (None, false) => many(args, &program, base, settings, shown),
    };
    match answer {
        Err(error) if error.downcast_ref().is_some_and(CompareError::is_interrupt) => {
            tell(&error.to_string());
            Ok(Answer::None)
        }
        answer => answer,
    }
}

fn two(
    args: &CompareArgs,
    program: &Program,
    base: Request,
    settings: Settings,
    (shown, keys): (progress::Shown, Option<Keymap>),
) -> Result<Answer> {
    let temporary = Scratch::new().context("creating a temporary folder")?;
    let folder = args.output.as_deref().unwrap_or(temporary.path());
    fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    let comparison =
        Comparison { settings, progress: &Terminal, ..Comparison::new(program, sides(args, folder, &base)) };
    let compared = comparison.run()?;
    let traces = comparison.sides.each_ref().map(|side| side.output.as_path());
    let map = comparison.settings.source_map.as_ref();
    let viewer = keys.filter(|_| compared.report.position.is_some());
    let viewer = viewer.map(|keys| OfComparison::open(traces, map, keys)).transpose()?;
    drop(shown);
    let kept = keep(args, traces);
    if let Some(viewer) = viewer {
        // Those that are kept for `view` were moved.
        let [lhs, rhs] = if kept { last::files() } else { [None, None] };
        let files = [lhs.unwrap_or_else(|| traces[0].into()), rhs.unwrap_or_else(|| traces[1].into())];
        viewer.show(files, comparison.sides.each_ref().map(|side| side.engine.clone()))?;
        return Ok(Answer::of(compared.report.agree));
    }
    let hint = hint(args, traces, kept);
    let json = args.report.json || args.format == Format::Json;
    let answer = if json || args.format == Format::Text {
        print_compared(&compared, &comparison.settings.own_hosts, json, &hint)?
    } else {
        print_cases(args.format, &of_compared(&name(args), &compared))?;
        Answer::of(compared.report.agree)
    };
    Ok(match &args.same_as {
        Some(wanted) => same(wanted, compared.likeness.as_ref()),
        None => answer,
    })
}

/// The runs of both sides, with their traces in `folder`.
fn sides(args: &CompareArgs, folder: &Path, base: &Request) -> [Request; 2] {
    let [lhs, rhs] = args.engines_of_sides();
    let side = |engine, name, limit: Option<u64>| Request {
        engine,
        output: folder.join(name),
        memory_page_limit: limit.or(base.memory_page_limit),
        ..base.clone()
    };
    [side(lhs, "lhs.fpt", args.lhs_memory_page_limit), side(rhs, "rhs.fpt", args.rhs_memory_page_limit)]
}

/// Keeps the traces for `view`, unless they have a folder or the user wants nothing kept. Returns whether it did.
fn keep(args: &CompareArgs, traces: [&Path; 2]) -> bool {
    // Runs that agree by digests leave none, and who asks for an exit code only, as a reducer does, looks at none.
    args.output.is_none()
        && !args.run.no_cache
        && args.same_as.is_none()
        && traces.iter().all(|trace| trace.exists())
        && last::keep(traces).unwrap_or_else(|error| {
            tell(&format!("note: the traces are not kept for `forkpoint view`: {error}"));
            false
        })
}

/// How to look at the traces, which may be kept for `view`.
fn hint(args: &CompareArgs, traces: [&Path; 2], kept: bool) -> String {
    if args.output.is_some() {
        let [lhs, rhs] = traces.map(|trace| quoted(trace.as_os_str()));
        return format!("\nlook at it: forkpoint view {lhs} {rhs}\n");
    }
    match kept {
        true => "\nlook at it: forkpoint view\n".to_string(),
        false => {
            "\nlook at it: add -o DIR to keep both traces, then forkpoint view DIR/lhs.fpt DIR/rhs.fpt\n".to_string()
        }
    }
}

/// The other build, prepared for the same calls.
fn other(args: &CompareArgs, file: &Path) -> Result<Program> {
    let guest = args.guest();
    if [guest.file(), file].into_iter().any(is_script) {
        bail!("two builds are compared as modules, and a .wast file is a script: name two .wasm or .wat files");
    }
    let program = ProgramArgs { module: Some(file.to_path_buf()), ..ProgramArgs::default() };
    self::program(&GuestArgs { program, ..guest })
        .context("the other build must take the same calls and imports as the first")
}

fn builds(
    args: &CompareArgs,
    builds: [(&Path, &Program); 2],
    base: Request,
    settings: Settings,
    shown: progress::Shown,
) -> Result<Answer> {
    for (file, program) in builds {
        refuse_invalid_build(file, program)?;
    }
    if !matches!(args.format, Format::Text | Format::Json) {
        bail!("two builds are reported as text or as JSON: leave out --format, or use --json");
    }
    let temporary = Scratch::new().context("creating a temporary folder")?;
    let folder = args.output.as_deref().unwrap_or(temporary.path());
    fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    let sides = sides(args, folder, &base);
    let programs = builds.map(|(_, program)| program);
    let comparison = BuildComparison { programs, sides, settings, progress: &Terminal };
    let compared = comparison.run()?;
    drop(shown);
    let traces = comparison.sides.each_ref().map(|side| side.output.as_path());
    let hint = hint(args, traces, keep(args, traces));
    print_builds(&compared, args.report.json || args.format == Format::Json, &hint)
}

/// The answer to whether runs diverge in the way that is wanted.
fn same(wanted: &str, found: Option<&Likeness>) -> Answer {
    let found = found.map_or("they agree, or nothing says in which way they diverge", |found| &found.0);
    if found == wanted {
        return Answer::Yes;
    }
    tell(&format!("not the same: wanted {wanted}, found {found}"));
    Answer::Diverge
}

fn many(
    args: &CompareArgs,
    program: &Program,
    base: Request,
    settings: Settings,
    shown: progress::Shown,
) -> Result<Answer> {
    let engines = args.listed();
    if engines.len() < 2 {
        bail!("--engines names one engine: name at least two, as in --engines 'wasmtime:jit;wasmi', or use record");
    }
    let survey = Survey { program, base, engines, folder: args.output.clone(), settings, progress: &Terminal };
    let surveyed = survey.run()?;
    drop(shown);
    if args.report.json || args.format == Format::Json {
        print_json(&surveyed)?;
    } else if args.format != Format::Text {
        print_cases(args.format, &of_surveyed(&name(args), &surveyed))?;
    } else {
        print_surveyed(&surveyed, &survey.settings.own_hosts)?;
    }
    Ok(Answer::of(surveyed.agree))
}

/// What the guest is called in results: its file or files, as they were named.
fn name(args: &CompareArgs) -> String {
    let files: Vec<String> = args.guest().files().map(|file| file.display().to_string()).collect();
    files.join(" ")
}

/// Both runs read the same input, from a copy. A terminal cannot be read twice, so runs get no input from one.
fn shared_stdin() -> Result<Stdio> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        return Ok(Stdio::Null);
    }
    let mut copy: File = tempfile::tempfile().context("creating a temporary file")?;
    io::copy(&mut stdin.lock(), &mut copy).context("reading standard input for both runs")?;
    Ok(Stdio::File(Arc::new(copy)))
}
