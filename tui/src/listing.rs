//! The lines of lists that have to be read: divergences, host calls, and why bytes differ.

use crate::calls::LoadService;
use crate::errand::{Ending, Errand, of_side};
use crate::headway::Headway;
use crate::panel::{Panel, PanelKind, PanelLine};
use crate::traces::{Outline, Traces, moment};
use forkpoint_replay::{ChainEnd, ReplayError, Side, WhyReport};
use forkpoint_traces::{Loads, Position};

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
            let what = (errand.side, errand.memory, errand.address);
            let Some(report) = traces.why(what, moments, &mut |_, _| None)? else { return Ok(Ending::Nothing) };
            (about(errand, outline), why(errand, &report, outline))
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

/// Why the value under the cursor differs, by what both runs loaded: they are run again for it. Where that is not known, the list goes
/// by what the traces hold, and says so.
pub(crate) fn why_by_loads(
    errand: &Errand,
    service: &LoadService,
    outline: &dyn Outline,
    traces: &mut dyn Traces,
    headway: &Headway,
) -> Result<Ending, ReplayError> {
    let (mut stopped, mut notes) = (false, Vec::new());
    let moments = Side::BOTH.map(|side| moment(outline, side, errand.row));
    let mut loads = |side: Side, before: Position| -> Option<Loads> {
        if stopped {
            return None;
        }
        let what = format!("loads before {before}{}, by running it again", of_side(outline, side));
        headway.begin(what, before, true);
        let told = service.0.loads(side, before, &|reached| headway.at(reached));
        errand.announce(outline, headway);
        match told {
            Ok(Some(loads)) => return Some(loads),
            Ok(None) => stopped = true,
            Err(why) => notes.push(PanelLine::new(None, &format!("{side}: {why}"))),
        }
        None
    };
    let what = (errand.side, errand.memory, errand.address);
    let report = match traces.why(what, moments, &mut loads) {
        Err(ReplayError::Cancelled) => return Ok(Ending::Stopped),
        _ if stopped => return Ok(Ending::Stopped),
        report => report?,
    };
    let Some(report) = report else { return Ok(Ending::Nothing) };
    let known = notes.is_empty();
    notes.extend(why(errand, &report, outline));
    let by = if known { ", by what was loaded" } else { ", by stores alone" };
    let about = format!("{}{by}", about(errand, outline));
    Ok(Ending::Listed(Box::new(Panel::new(PanelKind::Why, about, notes))))
}

/// The place that is asked about.
fn about(errand: &Errand, outline: &dyn Outline) -> String {
    format!("{} @{:#x}", outline.memory_name(errand.memory), errand.address)
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

fn why(errand: &Errand, report: &WhyReport, outline: &dyn Outline) -> Vec<PanelLine> {
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
        if chain.end == ChainEnd::LeftOut && errand.source.is_some() {
            let place = chain.steps.last().map_or(String::new(), |step| format!("@{:x}, then ", step.address));
            lines.push(PanelLine::new(None, &format!("{place}w runs it again for the writer")));
        }
    }
    if report.cut_short {
        lines.push(PanelLine::new(None, "there were more links than are looked at"));
    }
    lines
}
