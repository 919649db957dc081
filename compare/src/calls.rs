//! Which functions were active around an event of a recording: its run once more, with code that tells of calls and returns.
//! Nothing is believed of a run that was another one.

use crate::error::CompareError;
use crate::files::open_recorded;
use crate::record::record;
use forkpoint_replay::{CallWindow, Timeline, first_unequal_held};
use forkpoint_tracer::instrument::{Ask, Options};
use forkpoint_tracer::{Keep, Program, Request, Stdio};
use forkpoint_traces::{Outcome, Position};

/// Runs a recording again, up to an event and somewhat beyond, and returns the calls and returns around that event. `request`
/// asks for the run of the recording's `program`, with its host log; the new trace goes to its `output`. The request's
/// `interrupt` ends it.
///
/// # Errors
/// When the run cannot be made; [`CompareError::NoCalls`] when it cannot tell, or was not the recorded one.
pub fn calls_around(
    recording: &mut Timeline,
    program: &Program,
    request: &Request,
    around: Position,
) -> Result<CallWindow, CompareError> {
    let none = |why: &str| Err(CompareError::NoCalls { why: why.to_string() });
    if recording.trace().header().program.is_some() {
        return none("it is a program of several modules, whose calls of each other are not followed");
    }
    if recording.trace().header().javascript.is_some() {
        return none("its module is called by JavaScript, whose calls are put together anew in a rerun");
    }
    if program.invalid().is_some() {
        return none("its module is not valid, so nothing runs");
    }
    if program.switches_stacks() {
        return none("its module switches stacks, so what is active is more than one stack");
    }
    if request.engine.needs_reference() {
        return none("this engine can only be asked for events, one question a run");
    }
    let ask = Ask::Stack { around, frame_bases: recording.symbols().frame_bases() };
    let request = Request {
        options: Options { ask, ..request.options.clone() },
        keep: Keep::Full,
        echo: false,
        output_streams: Stdio::Null,
        ..request.clone()
    };
    let recorded = record(program, &request, &[])?;
    let told = recorded.stack.unwrap_or_default();
    if recorded.outcome == Outcome::Interrupted && told.whole {
        return Err(CompareError::Interrupted { engine: request.engine.to_string() });
    }
    let mut again = open_recorded(&request.output)?;
    if let Some(unequal) = first_unequal_held(recording, &mut again)?.filter(|unequal| *unequal <= around) {
        let ended = match recorded.outcome {
            Outcome::Finished => String::new(),
            other => format!("; it ended there: {other}"),
        };
        let ended = if unequal.0.saturating_add(1) >= again.len() { ended } else { String::new() };
        let why = format!(
            "run again under {}, it does something else from {unequal} on{ended}",
            forkpoint_replay::printable(&request.engine.to_string())
        );
        return Err(CompareError::NoCalls { why });
    }
    let window = CallWindow::new(told);
    if !window.covers().contains(&around) {
        return none("the run ended before it came there");
    }
    Ok(window)
}
