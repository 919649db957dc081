//! `forkpoint info`: what a trace holds.

use crate::answer::Answer;
use crate::args::InfoArgs;
use crate::files;
use crate::progress;
use crate::render::print_info;
use anyhow::{Context, Result, bail};
use forkpoint_replay::{Fault, Timeline, Verified, verify_with};
use std::sync::atomic::Ordering;

/// Runs the command.
pub fn run(args: &InfoArgs) -> Result<Answer> {
    let mut timeline = Timeline::new(files::reader(&args.trace)?);
    let shown = progress::show(false);
    let verified = if args.verify { Some(verify(&mut timeline).context("verifying the trace")?) } else { None };
    drop(shown);
    print_info(&args.trace.file, timeline.trace_mut(), verified.as_ref(), args.json)?;
    Ok(Answer::Yes)
}

/// Verifies everything in a trace; a fault is an error.
fn verify(timeline: &mut Timeline) -> Result<Verified> {
    let done = progress::events("verifying", timeline.len());
    let verified = verify_with(timeline.trace_mut(), &mut |position| done.store(position.0, Ordering::Relaxed));
    if verified.faults.is_empty() {
        return Ok(verified);
    }
    let findings: Vec<String> = verified.faults.iter().map(|finding| finding.in_words(timeline.symbols())).collect();
    let limits = verified.faults.iter().all(|finding| matches!(finding, Fault::Limit { .. }));
    let what = if limits { "the trace is sound as far as it was replayed" } else { "the trace is not sound" };
    bail!("{what}:\n  {}", findings.join("\n  "))
}
