//! `forkpoint why`: how a difference in memory came about.

use crate::answer::Answer;
use crate::args::WhyArgs;
use crate::files::pair;
use crate::output::{print, tell};
use crate::progress::Terminal;
use crate::rerun::Rerun;
use crate::{progress, source_maps};
use anyhow::{Error, Result, bail};
use forkpoint_compare::{CompareError, Doing, Progress, in_one_line, json_line, loads_before};
use forkpoint_replay::{
    Alignment, Found, NanBits, Side, Timeline, Why, WhyReport, first_divergence, printable, value_around,
    why_by_loads,
};
use forkpoint_tracer::Request;
use forkpoint_traces::{Loads, MemoryIndex, Position};
use std::ops::Range;

/// Runs the command.
pub fn run(args: &WhyArgs) -> Result<Answer> {
    let [mut lhs, mut rhs] = source_maps::with(pair(&args.lhs, args.rhs.as_deref())?, &args.source_map)?;
    let shown = progress::show(false);
    progress::follow("looking for what carried the difference", &mut lhs);
    let parted = first_divergence(&mut lhs, &mut rhs, NanBits::default())?;
    let alignment = Alignment::new(&lhs, &rhs, parted.divergence.as_ref());
    let moments = match args.at {
        Some(at) if at.0 > lhs.len() => bail!("--at {at} is past the end: the left trace has {} events", lhs.len()),
        Some(at) => [at, alignment.rhs_beside(at)],
        None => [Position(lhs.len()), Position(rhs.len())],
    };
    let (memory, bytes) = place(args, &mut lhs, moments[0])?;
    let answer = match args.loads {
        false => why_by_loads(&mut lhs, &mut rhs, &parted, memory, bytes.clone(), moments, &mut |_, _, _| None)?,
        true => by_loads(args, [&mut lhs, &mut rhs], &parted, memory, bytes.clone(), moments)?,
    };
    let report = answer.map(|answer| WhyReport::new(&answer, &mut lhs, &mut rhs)).transpose()?;
    drop(shown);
    if args.json {
        print(&format!("{}\n", json_line(&report)?))?;
    } else {
        match &report {
            Some(report) => print(&report.to_string())?,
            None => print(&format!(
                "{:#x}..{:#x} hold the same on both sides before lhs {}, rhs {}.\n",
                bytes.start, bytes.end, moments[0], moments[1]
            ))?,
        }
    }
    Ok(if report.is_some() { Answer::Diverge } else { Answer::Yes })
}

/// The answer by what both recordings load when they are run again. Where that is not known, the answer goes by what the traces hold,
/// and a note says so.
fn by_loads(
    args: &WhyArgs,
    [lhs, rhs]: [&mut Timeline; 2],
    parted: &Found,
    memory: MemoryIndex,
    bytes: Range<u64>,
    moments: [Position; 2],
) -> Result<Option<Why>> {
    let mut reruns: [Option<Rerun>; 2] = [None, None];
    let mut failed: Option<Error> = None;
    let mut ask = |timeline: &mut Timeline, side: Side, at: Position| {
        let told = loads(args, timeline, &mut reruns[side.index()], side, at);
        told.map_err(|error| match error.downcast_ref() {
            Some(CompareError::Interrupted { .. }) => failed = Some(error),
            _ => tell(&format!("note: {side}: {}", in_one_line(error.as_ref()))),
        })
        .ok()
        .filter(|_| failed.is_none())
    };
    let answer = why_by_loads(lhs, rhs, parted, memory, bytes, moments, &mut ask)?;
    failed.map_or(Ok(answer), Err)
}

/// What one side loaded before an event.
fn loads(
    args: &WhyArgs,
    timeline: &mut Timeline,
    rerun: &mut Option<Rerun>,
    side: Side,
    at: Position,
) -> Result<Loads> {
    let (file, engine) = match side {
        Side::Lhs => (&args.lhs, args.engine.as_ref()),
        Side::Rhs => (args.rhs.as_ref().unwrap_or(&args.lhs), args.rhs_engine.as_ref()),
    };
    let rerun = match rerun {
        Some(rerun) => rerun,
        None => rerun.insert(Rerun::new(timeline.trace_mut(), file, engine)?),
    };
    let request = Request { timeout: args.timeout.0, ..rerun.request.clone() };
    Terminal.run(Doing::Loads, &rerun.program, &request);
    Ok(loads_before(timeline, &rerun.program, &request, at)?)
}

/// The bytes that are asked about: a range, a variable, or the value around an address.
fn place(args: &WhyArgs, lhs: &mut Timeline, moment: Position) -> Result<(MemoryIndex, Range<u64>)> {
    let memory = MemoryIndex(args.memory);
    if let Ok((start, end)) = crate::args::parse_range(&args.of) {
        if end != start.saturating_add(1) {
            return Ok((memory, start..end));
        }
        return Ok((memory, value_around(lhs, memory, start, moment)?));
    }
    match lhs.symbols().variable_named(&args.of) {
        Some(found) => Ok(found),
        None => bail!(
            "`{}` is neither an address, such as 0x400 or 0x400..0x410, nor a variable that debug information names",
            printable(&args.of)
        ),
    }
}
