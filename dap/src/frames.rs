//! The innermost frames of a thread: the event's function and what was inlined into it.

use crate::place::{Place, thread_of};
use crate::sources;
use forkpoint_replay::{ReplayError, Side, Symbols, describe, place_of};
use forkpoint_traces::{CodeOffset, FuncIndex};
use serde_json::{Value, json};
use std::sync::Arc;

/// Frames of one thread are numbered from its number times this.
pub(crate) const FRAMES: i64 = 1000;

/// Most frames: functions inlined into each other.
const MOST: usize = 64;

/// The side that a frame is of.
pub(crate) fn side_of(place: &Place, frame: i64) -> Option<Side> {
    place.side(frame / FRAMES)
}

/// The function and the instruction of a side's event, if it is one of an instruction.
pub(crate) fn instruction(place: &mut Place, side: Side) -> Result<Option<(FuncIndex, CodeOffset)>, ReplayError> {
    let Some((_, event)) = place.event(side)? else { return Ok(None) };
    Ok(place_of(&event, place.timeline(side).trace().sites()))
}

/// The frames of a side, innermost first.
pub(crate) fn stack(place: &mut Place, side: Side) -> Result<Vec<Value>, ReplayError> {
    let first = thread_of(side) * FRAMES;
    let Some((_, event)) = place.event(side)? else {
        let name = match place.position_in(side, place.row()) {
            Some(_) => "(events that the trace leaves out)",
            None => "(no event beside the other run's)",
        };
        return Ok(labelled(name, first));
    };
    let timeline = place.timeline(side);
    let symbols = Arc::clone(timeline.symbols());
    let Some((func, offset)) = place_of(&event, timeline.trace().sites()) else {
        let name = describe(&event, timeline.trace().sites(), &symbols);
        return Ok(labelled(&name, first));
    };
    let mut frames = in_sources(place, &symbols, func, offset);
    // The instruction itself, whatever the source is.
    frames.push(in_text(&symbols, func, offset, &symbols.function_name(func)));
    number(&mut frames, first);
    Ok(frames)
}

/// Numbers frames from `first` on.
pub(crate) fn number(frames: &mut [Value], first: i64) {
    for (id, frame) in (first..).zip(frames) {
        frame["id"] = id.into();
    }
}

/// The frames at an instruction by lines of files that may be named, innermost first: a function and what was inlined into it.
pub(crate) fn in_sources(place: &Place, symbols: &Symbols, func: FuncIndex, offset: CodeOffset) -> Vec<Value> {
    let mut frames = Vec::new();
    for frame in symbols.source(offset).iter().take(MOST) {
        let name = frame.function.clone().unwrap_or_else(|| symbols.function_name(func));
        let path = frame.file.as_deref().and_then(|file| place.files.locate(file).ok());
        let (Some(path), Some(line)) = (path, frame.line) else { continue };
        frames.push(json!({
            "name": name,
            "line": line,
            "column": frame.column.unwrap_or(0),
            "source": { "name": path.file_name().unwrap_or_default().to_string_lossy(), "path": path },
            "instructionPointerReference": format!("{:#x}", offset.0),
        }));
    }
    frames
}

/// The frame at an instruction in the text of its function.
pub(crate) fn in_text(symbols: &Symbols, func: FuncIndex, offset: CodeOffset, name: &str) -> Value {
    json!({
        "name": name,
        "line": sources::line_of(symbols, func, offset).unwrap_or(0),
        "column": 0,
        "source": sources::of_function(symbols, func),
        "instructionPointerReference": format!("{:#x}", offset.0),
    })
}

fn labelled(name: &str, id: i64) -> Vec<Value> {
    let mut frames = vec![label(name)];
    number(&mut frames, id);
    frames
}

/// A frame that only says something.
pub(crate) fn label(name: &str) -> Value {
    json!({ "name": name, "line": 0, "column": 0, "presentationHint": "label" })
}
