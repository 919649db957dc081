//! `forkpoint calls`: which functions were active at an event.

use crate::answer::Answer;
use crate::args::CallsArgs;
use crate::files::{pair, timeline};
use crate::output::print;
use crate::progress::{self, Terminal};
use crate::rerun::Rerun;
use crate::source_maps;
use anyhow::{Result, bail};
use forkpoint_compare::{CompareError, Doing, Progress, calls_around, in_one_line, json_line};
use forkpoint_replay::{
    Alignment, CallStack, CallsReport, NanBits, Pack, SideCalls, Timeline, are_builds, first_divergence,
};
use forkpoint_tracer::{EngineSpec, Request};
use forkpoint_traces::{Event, Milestone, Position};
use std::path::Path;

/// How many events from the end of a trace one of the module is looked for.
const LAST_EVENTS: u64 = 10_000;

/// Runs the command.
pub fn run(args: &CallsArgs) -> Result<Answer> {
    let shown = progress::show(false);
    let report = match args.rhs.is_none() && !Pack::is_one(&args.lhs) {
        true => one(args)?,
        false => both(args)?,
    };
    drop(shown);
    print(&if args.json { format!("{}\n", json_line(&report)?) } else { report.to_string() })?;
    Ok(match report.alike {
        _ if !report.is_whole() => Answer::None,
        Some(false) => Answer::Diverge,
        _ => Answer::Yes,
    })
}

/// Of a single trace.
fn one(args: &CallsArgs) -> Result<CallsReport> {
    if args.rhs_engine.is_some() {
        bail!("--rhs-engine is for two traces: --engine names the engine of a single one");
    }
    let [mut recording] = source_maps::with([timeline(&args.lhs)?], &args.source_map)?;
    let at = match args.at {
        Some(at) => held(at, &recording)?,
        None => of_interest(&mut recording)?,
    };
    Ok(CallsReport::new(stack(&mut recording, &args.lhs, args.engine.as_ref(), at, args)?, None))
}

/// Of two traces, at the same place.
fn both(args: &CallsArgs) -> Result<CallsReport> {
    let [mut lhs, mut rhs] = source_maps::with(pair(&args.lhs, args.rhs.as_deref())?, &args.source_map)?;
    if are_builds(&lhs, &rhs) {
        bail!("these are traces of two modules, whose events have no common positions: ask for one trace at a time");
    }
    progress::follow("looking for the first divergence", &mut lhs);
    let divergence = first_divergence(&mut lhs, &mut rhs, NanBits::default())?.divergence;
    let moments = match (args.at, &divergence) {
        (Some(at), _) => {
            let at = held(at, &lhs)?;
            [at, Alignment::new(&lhs, &rhs, divergence.as_ref()).rhs_beside(at)]
        }
        (None, Some(divergence)) => [divergence.position; 2],
        (None, None) => bail!("the two traces agree: name the event by --at"),
    };
    // Where one trace is shorter, its last event is the nearest.
    let [left, right] = [(&lhs, moments[0]), (&rhs, moments[1])]
        .map(|(timeline, at)| Position(at.0.min(timeline.len().saturating_sub(1))));
    let file = args.rhs.as_deref().unwrap_or(&args.lhs);
    let left = stack(&mut lhs, &args.lhs, args.engine.as_ref(), left, args)?;
    let right = stack(&mut rhs, file, args.rhs_engine.as_ref(), right, args)?;
    Ok(CallsReport::new(left, Some(right)))
}

/// A position of an event that a trace holds.
fn held(at: Position, timeline: &Timeline) -> Result<Position> {
    if at.0 >= timeline.len() {
        bail!("--at {at} is past the end: the trace has {} events", timeline.len());
    }
    Ok(at)
}

/// Where a run trapped, or the last event of its module.
fn of_interest(timeline: &mut Timeline) -> Result<Position> {
    for at in (0..timeline.len()).rev().take(LAST_EVENTS as usize) {
        if timeline.trace().gap(Position(at)).is_some() {
            break;
        }
        match timeline.event(Position(at))? {
            Event::Milestone(Milestone::Trapped { .. }) => return Ok(Position(at)),
            Event::Milestone(_) => {}
            _ => return Ok(Position(at)),
        }
    }
    bail!("the trace ends with no event of the module: name one by --at");
}

/// The stack of a run at an event, or why it is not known. A run that was interrupted is an error.
fn stack(
    recording: &mut Timeline,
    file: &Path,
    engine: Option<&EngineSpec>,
    at: Position,
    args: &CallsArgs,
) -> Result<SideCalls> {
    let rerun = match Rerun::new(recording.trace_mut(), file, engine) {
        Ok(rerun) => rerun,
        Err(error) => return Ok(SideCalls::new(Err(in_one_line(error.as_ref())))),
    };
    let request = Request { timeout: args.timeout.0, ..rerun.request.clone() };
    Terminal.run(Doing::Calls, &rerun.program, &request);
    match calls_around(recording, &rerun.program, &request, at) {
        Ok(window) => {
            let stack = CallStack::new(&window, recording, at)?;
            Ok(SideCalls::new(stack.ok_or_else(|| "the run ended before it came there".to_string())))
        }
        Err(error @ CompareError::Interrupted { .. }) => Err(error.into()),
        Err(error) => Ok(SideCalls::new(Err(in_one_line(&error)))),
    }
}
