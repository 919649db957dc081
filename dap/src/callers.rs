//! The outer frames of a thread: the functions that were active around the event's. A rerun tells them, if the user wants that.

use crate::frames::{FRAMES, in_sources, in_text, instruction, label, number};
use crate::place::{Place, thread_of};
use forkpoint_replay::{CallFrame, ReplayError, Side, printable};
use forkpoint_traces as traces;
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The number of the first caller among a thread's frames.
const FIRST: i64 = 500;

/// Most frames of callers, with what was inlined into them.
const MOST: usize = 400;

/// Whether a frame is that of a caller, of which only its place and its arguments are known.
pub(crate) fn is_one(frame: i64) -> bool {
    frame % FRAMES >= FIRST
}

/// The callers of the function of a side's event, innermost first; none if nobody is to tell them, or the event is no instruction's.
/// `pause` ends a rerun.
pub(crate) fn of_event(place: &mut Place, side: Side, pause: &Arc<AtomicBool>) -> Result<Vec<Value>, ReplayError> {
    let Some(source) = place.caller_source(side) else { return Ok(Vec::new()) };
    let (Some(at), Some((func, offset))) = (place.position_in(side, place.row()), instruction(place, side)?) else {
        return Ok(Vec::new());
    };
    if place.calls.window(side, at).is_none() && place.calls.why_not(side, at).is_none() {
        match source.calls(side, at, &|_| pause.load(Ordering::Relaxed)) {
            Ok(Some(window)) => place.calls.keep(side, window),
            Ok(None) => place.calls.refuse(side, at, "the run that tells them was ended".to_string()),
            Err(why) => place.calls.refuse(side, at, why),
        }
    }
    let symbols = Arc::clone(place.timeline(side).symbols());
    let event = traces::Place { func, offset: Some(offset) };
    let told = place.calls.window(side, at).and_then(|window| CallFrame::stack(window, &symbols, at, Some(event)));
    let Some((stack, _)) = told else {
        let why = place.calls.why_not(side, at).unwrap_or("the run ended before it came there");
        let mut frames = vec![label(&format!("(no callers: {})", printable(why)))];
        number(&mut frames, thread_of(side) * FRAMES + FIRST);
        return Ok(frames);
    };
    let mut frames = Vec::new();
    for (count, outer) in CallFrame::with_gaps(&stack).skip(1) {
        if count > 0 {
            frames.push(label(&format!("({count} more)")));
        }
        let Some(site) = &outer.at else {
            frames.push(label(&outer.call()));
            continue;
        };
        let lines = in_sources(place, &symbols, site.place.0, site.place.1);
        match lines.is_empty() {
            true => frames.push(in_text(&symbols, site.place.0, site.place.1, &outer.call())),
            false => frames.extend(lines),
        }
    }
    frames.truncate(MOST);
    number(&mut frames, thread_of(side) * FRAMES + FIRST);
    Ok(frames)
}
