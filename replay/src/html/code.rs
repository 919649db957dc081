//! The function in which the runs part: as text, and as each engine compiled it.

use crate::disassembly::disassemble;
use crate::report::{Report, SiteReport};
use crate::side::Side;
use crate::symbols::printable;
use crate::timeline::Timeline;
use serde::Serialize;
use std::sync::Arc;

/// Lines shown before and after the instruction.
const AROUND: usize = 14;

/// A listing.
#[derive(Serialize)]
pub(super) struct Code {
    title: String,
    /// Why there is none, instead of lines.
    note: Option<String>,
    lines: Vec<Line>,
}

#[derive(Serialize)]
struct Line {
    margin: String,
    text: String,
    /// Whether it is the instruction, or belongs to it.
    here: bool,
    /// Whether the recorder added it.
    recorder: bool,
}

/// The text of the function, and native code of both sides where the traces have it.
pub(super) fn of(lhs: &Timeline, rhs: &Timeline, report: &Report) -> Vec<Code> {
    let Some(site) = &report.site else { return Vec::new() };
    let mut code = vec![text(lhs, site)];
    for (side, timeline) in Side::BOTH.into_iter().zip([lhs, rhs]) {
        code.extend(native(timeline, site, side));
    }
    code
}

fn text(timeline: &Timeline, site: &SiteReport) -> Code {
    let symbols = Arc::clone(timeline.symbols());
    let (func, offset) = site.place;
    let lines = symbols.wat(func).map(|function| function.lines).unwrap_or_default();
    let lines: Vec<Line> = lines
        .into_iter()
        .map(|line| Line {
            margin: line.offset.map(|offset| symbols.own_offset(offset).to_string()).unwrap_or_default(),
            here: line.offset == Some(offset),
            text: line.text,
            recorder: false,
        })
        .collect();
    let frames = symbols.source(offset);
    let frames = frames.iter().filter_map(|frame| {
        let file = frame.file.as_deref()?;
        let line = frame.line.map(|line| format!(":{line}")).unwrap_or_default();
        Some(format!("{}{line}", printable(file)))
    });
    let source = frames.collect::<Vec<_>>().join(", inlined in ");
    let title = if source.is_empty() { site.name.clone() } else { format!("{} ({source})", site.name) };
    Code { title, note: None, lines: around(lines) }
}

fn native(timeline: &Timeline, site: &SiteReport, side: Side) -> Option<Code> {
    let trace = timeline.trace();
    let (func, offset) = site.place;
    let title = format!("native code of {side}: {}", printable(&trace.header().engine.spec));
    let note = |note: String| Some(Code { title: title.clone(), note: Some(printable(&note)), lines: Vec::new() });
    let function = match trace.native_code(func) {
        Ok(function) => function?,
        Err(error) => return note(error.to_string()),
    };
    match disassemble(trace.native_target()?, &function) {
        Err(error) => note(error.to_string()),
        Ok(lines) => {
            let line = |line: crate::disassembly::NativeLine| Line {
                margin: format!("{:x}", line.address),
                here: line.site == Some(offset) && !line.recorder,
                text: printable(&line.text),
                recorder: line.recorder,
            };
            Some(Code { title, note: None, lines: around(lines.into_iter().map(line).collect()) })
        }
    }
}

/// The lines around those that count.
fn around(mut lines: Vec<Line>) -> Vec<Line> {
    let here = lines.iter().position(|line| line.here).unwrap_or(0);
    let last = lines.iter().rposition(|line| line.here).unwrap_or(0);
    // A compiler may spread one instruction over the whole function.
    lines.truncate(last.min(here + 4 * AROUND).saturating_add(AROUND));
    lines.drain(..here.saturating_sub(AROUND).min(lines.len()));
    lines
}
