//! `forkpoint pack`: both traces of a divergence in one file.

use crate::answer::Answer;
use crate::args::PackArgs;
use crate::files::pair;
use crate::output::{bytes, grouped, print, print_json, quoted, tell};
use crate::progress;
use crate::render::InWords;
use crate::rerun::{named_engine, recorded_request};
use anyhow::{Context, Result, bail};
use forkpoint_compare::{CompareError, Redacted, Redaction, Replacements, refuse_same};
use forkpoint_replay::{PackSettings, Packing, Timeline, are_builds};
use forkpoint_tracer::{EngineSpec, Request};
use serde::Serialize;

/// Runs the command.
pub fn run(args: &PackArgs) -> Result<Answer> {
    if let Some(output) = &args.output {
        refuse_same(output, [&args.lhs, &args.rhs])?;
    }
    let shown = progress::show(false);
    let mut sides = pair(&args.lhs, Some(&args.rhs))?;
    for (what, timeline) in ["packing the left trace", "packing the right trace"].into_iter().zip(&mut sides) {
        progress::follow(what, timeline);
    }
    let builds = are_builds(&sides[0], &sides[1]);
    if args.redact && builds {
        bail!("--redact takes the traces of one module, and these are of two builds");
    }
    let settings = PackSettings {
        whole: args.whole,
        limit: args.limit,
        context: args.report.context,
        nan_bits: args.report.nan_bits,
        edit: None,
    };
    let (packing, replacements) = if args.redact {
        match redact(args, &mut sides, &settings) {
            Err(error) if error.downcast_ref().is_some_and(CompareError::is_interrupt) => {
                tell(&error.to_string());
                return Ok(Answer::None);
            }
            redacted => redacted.map(|redacted| (redacted.packing, Some(redacted.replacements)))?,
        }
    } else {
        (Packing::prepare(&mut sides, &settings).context("packing the traces")?, None)
    };
    drop(shown);
    if packing.is_whole() && !args.whole {
        let why = if builds { "the traces are of two builds" } else { "a trace is incomplete" };
        tell(&format!("note: {why}, so the pack holds both as they are"));
    }
    let mut contents = format!("The pack holds of yours:\n{}", InWords(&packing.contents));
    if let Some(replacements) = &replacements {
        contents.push_str(&in_words(replacements));
    }
    let Some(output) = &args.output else {
        if args.report.json {
            print_json(&packing.contents)?;
        } else {
            print(&contents)?;
        }
        return Ok(Answer::Yes);
    };
    // Before it is there.
    if !args.report.json {
        print(&contents)?;
    }
    let size = packing.write(output).with_context(|| format!("packing to {}", output.display()))?;
    if args.report.json {
        let [lhs_events, rhs_events] = packing.held_events();
        let file = output.display().to_string();
        let replacements = replacements.as_ref();
        let contents = &packing.contents;
        print_json(&PackedJson { file, bytes: size, lhs_events, rhs_events, replacements, contents })?;
        return Ok(Answer::Yes);
    }
    let [lhs, rhs] = packing.held_events().map(grouped);
    let name = quoted(output.as_os_str());
    print(&format!(
        "\n{}: {}, {lhs} events of the left run and {rhs} of the right one\nlook at it: forkpoint view {name}\n",
        output.display(),
        bytes(size)
    ))?;
    Ok(Answer::Yes)
}

/// Runs both sides again with less of what the host gave.
fn redact(args: &PackArgs, [lhs, rhs]: &mut [Timeline; 2], settings: &PackSettings) -> Result<Redacted> {
    let request = |timeline: &Timeline, engine: &Option<EngineSpec>, option: &str| -> Result<Request> {
        let header = timeline.trace().header();
        let engine = match engine {
            Some(engine) => engine.clone(),
            None => named_engine(&header.engine.spec).with_context(|| format!("{option} ENGINE is needed"))?,
        };
        Ok(Request { engine, timeout: args.timeout.0, ..recorded_request(header)? })
    };
    let requests = [request(lhs, &args.lhs_engine, "--lhs-engine")?, request(rhs, &args.rhs_engine, "--rhs-engine")?];
    let redaction = Redaction { lhs, rhs, requests, settings: settings.clone(), progress: &progress::phase };
    Ok(redaction.run()?)
}

fn in_words(Replacements { replaced, kept, .. }: &Replacements) -> String {
    let lines = |items: &[String]| items.iter().map(|item| format!("  {item}\n")).collect::<String>();
    let mut text = String::new();
    if !replaced.is_empty() {
        text += &format!("Replaced, and the runs still diverge in the same way:\n{}", lines(replaced));
    }
    text += "  custom sections of the module: empty\n";
    match kept.is_empty() {
        true => text += "Of what the host gave the guest, times, sizes and states of files are kept.\n",
        false => text += &format!("Kept, since the divergence needs it:\n{}", lines(kept)),
    }
    text
}

/// A pack that was written.
#[derive(Serialize)]
struct PackedJson<'a> {
    file: String,
    bytes: u64,
    lhs_events: u64,
    rhs_events: u64,
    #[serde(flatten)]
    replacements: Option<&'a Replacements>,
    contents: &'a forkpoint_replay::Contents,
}
