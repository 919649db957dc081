//! The lines of lists that have to be read: divergences, host calls, and why bytes differ.

use crate::errand::{Ending, Errand};
use crate::panel::{Panel, PanelKind, PanelLine};
use crate::traces::{Outline, Traces, moment};
use forkpoint_replay::{ReplayError, Side, WhyReport};

/// Most stretches that are listed.
const MOST_STRETCHES: usize = 1000;

/// Most host calls that are listed.
const MOST_CALLS: usize = 10_000;

/// Makes a list.
pub(crate) fn list(
    errand: &Errand,
    kind: PanelKind,
    outline: &dyn Outline,
    traces: &mut dyn Traces,
) -> Result<Ending, ReplayError> {
    let (about, lines) = match kind {
        PanelKind::Divergences => divergences(errand, outline, traces)?,
        PanelKind::HostCalls => host_calls(errand, outline, traces)?,
        PanelKind::Why => {
            let moments = Side::BOTH.map(|side| moment(outline, side, errand.row));
            let Some(report) = traces.why(errand.side, errand.memory, errand.address, moments)? else {
                return Ok(Ending::Nothing);
            };
            (format!("{} @{:#x}", outline.memory_name(errand.memory), errand.address), why(&report, outline))
        }
        PanelKind::Marks | PanelKind::Watches | PanelKind::Source | PanelKind::Calls => (String::new(), Vec::new()),
    };
    let mut panel = Panel::new(kind, about, lines);
    // The list begins where the cursor is.
    panel.cursor = panel.lines.iter().rposition(|line| line.row.is_some_and(|row| row <= errand.row)).unwrap_or(0);
    if kind == PanelKind::Why {
        panel.cursor = 0;
    }
    Ok(Ending::Listed(Box::new(panel)))
}

fn divergences(
    errand: &Errand,
    outline: &dyn Outline,
    traces: &mut dyn Traces,
) -> Result<(String, Vec<PanelLine>), ReplayError> {
    let (stretches, more) = traces.differing(MOST_STRETCHES, errand.ignored.as_ref())?;
    let mut lines = Vec::new();
    for stretch in &stretches {
        let pair = outline.row(stretch.rows.start);
        let side = if pair.of(errand.side).is_some() { errand.side } else { errand.side.other() };
        let Some(position) = pair.of(side) else { continue };
        let event = traces.event(side, position)?;
        let place = event.place.map(|place| {
            format!("  {}@{}", outline.function_name(side, place.func), outline.own_offset(side, place.offset))
        });
        let rows = stretch.rows.end - stretch.rows.start;
        let count = if rows == 1 { String::new() } else { format!("  {} of {rows} unequal", stretch.count) };
        let text = format!("{position}{count}{}  {}", place.unwrap_or_default(), event.text);
        lines.push(PanelLine::new(Some(stretch.rows.start), &text));
    }
    let more = if more { " (there are more)" } else { "" };
    let besides = errand.ignored.as_ref().map_or(String::new(), |filter| format!("besides {filter}"));
    Ok((format!("{besides}{more}"), lines))
}

fn host_calls(
    errand: &Errand,
    outline: &dyn Outline,
    traces: &mut dyn Traces,
) -> Result<(String, Vec<PanelLine>), ReplayError> {
    let calls = traces.host_calls(errand.side, MOST_CALLS)?;
    let more = if calls.len() == MOST_CALLS { " (the first ones)" } else { "" };
    let line = |(position, text)| {
        PanelLine::new(Some(outline.row_of(errand.side, position)), &format!("{position}  {text}"))
    };
    let word = if outline.is_pair() { errand.side.word() } else { "" };
    Ok((format!("{word}{more}"), calls.into_iter().map(line).collect()))
}

fn why(report: &WhyReport, outline: &dyn Outline) -> Vec<PanelLine> {
    let mut lines = Vec::new();
    for (number, chain) in (1..).zip(&report.chains) {
        if report.chains.len() > 1 {
            lines.push(PanelLine::new(None, &format!("way {number} of {}", report.chains.len())));
        }
        for step in &chain.steps {
            lines.push(PanelLine::new(None, &step.bytes()));
            for side in Side::BOTH {
                let event = side.of([&step.lhs, &step.rhs]);
                let row = event.as_ref().map(|event| outline.row_of(side, event.position));
                lines.push(PanelLine::new(row, &format!("  {side} {}", step.writer(side))));
            }
        }
        lines.push(PanelLine::new(None, &chain.meaning));
    }
    if report.cut_short {
        lines.push(PanelLine::new(None, "there were more links than are looked at"));
    }
    lines
}
