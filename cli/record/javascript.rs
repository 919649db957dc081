//! `forkpoint record --node` and `--browser`: record a program where it lives.

use super::{RecordedJson, default_output, findings, summary};
use crate::answer::Answer;
use crate::args::{GuestArgs, PageArgs, RecordArgs};
use crate::output::{print_json, tell};
use crate::request::run_request;
use anyhow::{Context, Result, bail};
use forkpoint_compare::record_app;
use forkpoint_replay::printable;
use forkpoint_tracer::{App, AppRecorded, BundledRunner, BundledSpec, EngineSpec, Page, Request, Stdio, WasiSetup};
use std::path::{Path, PathBuf};

/// Runs the command.
pub fn run(args: &RecordArgs) -> Result<Answer> {
    let app = app(&args.guest)?;
    let request = request(&args.guest, &args.engine)?;
    let output = args.output.clone().unwrap_or_else(|| default_output(Path::new(script(&app))));
    let request = Request { output: output.clone(), output_streams: Stdio::Inherit, ..request };
    let AppRecorded { program, recorded, code, in_worker, others, again } = record_app(&app, &request)?;
    let failed = args.fail_on.iter().any(|end| end.is(&recorded.outcome));
    let answer = if failed || recorded.mismatches.count > 0 { Answer::Diverge } else { Answer::Yes };
    if args.json {
        print_json(&RecordedJson::of(&recorded, &output))?;
        return Ok(answer);
    }
    if !args.quiet {
        summary(&recorded, &output);
        for line in recorded.message.iter().flat_map(|message| message.lines()) {
            tell(&format!("  {}", printable(line)));
        }
        if let Some(code) = code.filter(|code| *code != 0) {
            tell(&format!("  the program exited with code {code}"));
        }
        if in_worker {
            tell("  a worker of the program ran the recorded module");
        }
        if again > 0 {
            tell(&format!(
                "  it instantiated this module {again} more time(s): the first instance is the recorded one"
            ));
        }
        if !others.is_empty() {
            tell("  it instantiated other modules, too; --module-of records one of them:");
            others.iter().for_each(|other| tell(&format!("    {}", printable(other))));
        }
    }
    findings(&recorded, &program);
    Ok(answer)
}

/// The program on the command line.
pub fn app(guest: &GuestArgs) -> Result<App> {
    let with = if guest.program.page.browser.is_some() { "--browser" } else { "--node" };
    if with == "--browser" && !guest.run.arguments.is_empty() {
        bail!("--browser takes no arguments after --: what a page is told is in its address");
    }
    if with == "--node" && guest.run.arguments.is_empty() {
        bail!("--node needs a program: forkpoint record --node -o app.fpt -- app.mjs ARGUMENTS");
    }
    let given = [
        ("--invoke", !guest.run.invoke.is_empty()),
        ("--alloc", guest.run.alloc.is_some()),
        ("--env", !guest.run.env.is_empty()),
        ("--dir", !guest.run.dir.is_empty()),
        ("--import", !guest.run.import.is_empty()),
        ("--preload", !guest.run.preload.is_empty()),
        ("--host-script", !guest.run.host_script.is_empty()),
        ("--memory-page-limit", guest.run.memory_page_limit.is_some()),
        ("--features", guest.run.features.is_some()),
        ("--run-features", guest.run.run_features.is_some()),
    ];
    if let Some((option, _)) = given.iter().find(|(_, given)| *given) {
        bail!("{option} has no meaning with {with}: the program itself calls its module and answers its imports");
    }
    let module = guest.program.module_of.clone();
    match &guest.program.page.browser {
        Some(shown) => {
            Ok(App { command: vec![shown.clone()], page: Some(page(&guest.program.page, shown)?), module })
        }
        None => Ok(App { command: guest.run.arguments.clone(), page: None, module }),
    }
}

/// The page of --browser, at an address or in a file.
fn page(args: &PageArgs, shown: &str) -> Result<Page> {
    let mut page = Page {
        url: None,
        file: None,
        folder: None,
        origins: args.allow_origin.clone(),
        until: args.until.clone(),
        seconds: args.seconds.unwrap_or(if args.until.is_some() { 60 } else { 10 }),
        chromium: args.chromium.clone(),
        screenshot: args.screenshot.clone().map(std::path::absolute).transpose().context("the picture's file")?,
    };
    if shown.starts_with("http://") || shown.starts_with("https://") {
        page.url = Some(shown.to_string());
        page.origins.push(shown.to_string());
        return Ok(page);
    }
    let file = PathBuf::from(shown).canonicalize().with_context(|| format!("--browser {shown}"))?;
    let (Some(folder), Some(name), true) = (file.parent(), file.file_name(), file.is_file()) else {
        bail!("--browser {shown}: it is not a file; name the page itself, or an address with http:// or https://");
    };
    let Some(name) = name.to_str() else { bail!("--browser {shown}: its name is not UTF-8") };
    page.folder = Some(folder.to_path_buf());
    page.file = Some(name.to_string());
    Ok(page)
}

/// How it is recorded. `engine` is the one of --engine, which may name one of V8's compilers.
pub fn request(guest: &GuestArgs, engine: &EngineSpec) -> Result<Request> {
    if guest.program.page.browser.is_some() && *engine != EngineSpec::default() && engine.to_string() != "node" {
        bail!("--browser records under the browser's own engine, not under {engine}: leave out --engine");
    }
    let path = guest.program.node.as_deref().unwrap_or("node");
    let engine = match engine {
        EngineSpec::Bundled(spec @ BundledSpec { runner: BundledRunner::Node(_), program, .. }) => {
            let program = program.clone().or_else(|| (path != "node").then(|| path.to_string()));
            EngineSpec::Bundled(BundledSpec { program, ..spec.clone() })
        }
        engine if *engine == EngineSpec::default() => match path {
            "node" => "node".parse()?,
            path => format!("node,program={path}").parse()?,
        },
        engine => bail!(
            "--node records under Node, not under {engine}: leave out --engine, or name node:liftoff or node:turbofan"
        ),
    };
    // What follows -- is the program's own.
    let wasi = WasiSetup::default();
    Ok(Request { engine, wasi, stdin: Stdio::Inherit, ..run_request(&guest.run)? })
}

/// The file of the program, for a name.
fn script(app: &App) -> &str {
    let file = app.command.iter().find(|word| !word.starts_with('-'));
    file.map_or("app", String::as_str)
}
