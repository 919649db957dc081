//! `forkpoint why`: how a difference in memory came about.

use crate::answer::Answer;
use crate::args::WhyArgs;
use crate::files::pair;
use crate::output::print;
use crate::{progress, source_maps};
use anyhow::{Result, bail};
use forkpoint_compare::json_line;
use forkpoint_replay::{Alignment, NanBits, Timeline, WhyReport, first_divergence, printable, value_around, why};
use forkpoint_traces::{MemoryIndex, Position};
use std::ops::Range;

/// Runs the command.
pub fn run(args: &WhyArgs) -> Result<Answer> {
    let [mut lhs, mut rhs] = source_maps::with(pair(&args.lhs, args.rhs.as_deref())?, &args.source_map)?;
    let shown = progress::show(false);
    progress::follow("looking for what carried the difference", &mut lhs);
    let divergence = first_divergence(&mut lhs, &mut rhs, NanBits::default())?.divergence;
    let alignment = Alignment::new(&lhs, &rhs, divergence.as_ref());
    let moments = match args.at {
        Some(at) if at.0 > lhs.len() => bail!("--at {at} is past the end: the left trace has {} events", lhs.len()),
        Some(at) => [at, alignment.rhs_beside(at)],
        None => [Position(lhs.len()), Position(rhs.len())],
    };
    let (memory, bytes) = place(args, &mut lhs, moments[0])?;
    let answer = why(&mut lhs, &mut rhs, memory, bytes.clone(), moments)?;
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
