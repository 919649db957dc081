//! Which functions were active around an event of a recording: its run once more, with code that tells of calls and returns.
//! Nothing is believed of a run that was another one.

use crate::error::CompareError;
use crate::files::open_recorded;
use crate::record::record;
use forkpoint_replay::{CallWindow, Timeline, first_unequal_held};
use forkpoint_tracer::instrument::{Ask, Options};
use forkpoint_tracer::{Keep, Program, Recorded, Request, Stdio};
use forkpoint_traces::{FarStep, Outcome, Position};

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
    refuse_several_stacks(program)?;
    let recorded = run(recording, program, request, stack(recording, around, None))?;
    let told = recorded.stack.unwrap_or_default();
    if recorded.outcome == Outcome::Interrupted && told.whole {
        return Err(CompareError::Interrupted { engine: request.engine.to_string() });
    }
    refuse_another(recording, request, recorded.outcome, around)?;
    let window = CallWindow::new(told);
    if !window.covers().contains(&around) {
        return none("the run ended before it came there");
    }
    Ok(window)
}

/// Runs a recording again to find where a step from an event leads, however far that is; `None` if it leads nowhere. Otherwise as
/// [`calls_around`].
///
/// # Errors
/// As there.
pub fn far_step(
    recording: &mut Timeline,
    program: &Program,
    request: &Request,
    from: Position,
    step: FarStep,
) -> Result<Option<Position>, CompareError> {
    refuse_several_stacks(program)?;
    let recorded = run(recording, program, request, stack(recording, from, Some(step)))?;
    if recorded.outcome == Outcome::Interrupted && recorded.step.is_none() {
        return Err(CompareError::Interrupted { engine: request.engine.to_string() });
    }
    let found = recorded.step.flatten();
    // Where it leads nowhere, all of the run says so.
    let last = if step == FarStep::OverBack { from } else { found.unwrap_or(Position(u64::MAX)) };
    refuse_another(recording, request, recorded.outcome, last)?;
    Ok(found)
}

fn none<T>(why: &str) -> Result<T, CompareError> {
    Err(CompareError::NoCalls { why: why.to_string() })
}

fn refuse_several_stacks(program: &Program) -> Result<(), CompareError> {
    if program.switches_stacks() {
        return none("its module switches stacks, so what is active is more than one stack");
    }
    Ok(())
}

/// Asks for the calls around an event, or for where a step from it leads.
fn stack(recording: &Timeline, around: Position, step: Option<FarStep>) -> Ask {
    Ask::Stack { around, step, frame_bases: recording.symbols().frame_bases() }
}

/// Runs a recording again and asks for what it does not hold.
pub(crate) fn run(
    recording: &Timeline,
    program: &Program,
    request: &Request,
    ask: Ask,
) -> Result<Recorded, CompareError> {
    if recording.trace().header().program.is_some() {
        return none("it is a program of several modules, whose calls of each other are not followed");
    }
    if recording.trace().header().javascript.is_some() {
        return none("its module is called by JavaScript, whose calls are put together anew in a rerun");
    }
    if program.invalid().is_some() {
        return none("its module is not valid, so nothing runs");
    }
    if request.engine.needs_reference() {
        return none("this engine can only be asked for events, one question a run");
    }
    let request = Request {
        options: Options { ask, ..request.options.clone() },
        keep: Keep::Full,
        echo: false,
        output_streams: Stdio::Null,
        ..request.clone()
    };
    record(program, &request, &[]).map_err(|error| match error {
        // Nobody keeps what was recorded so far.
        CompareError::CutOff { source, .. } => (*source).into(),
        error => error,
    })
}

/// Refuses what a rerun tells of events up to `last` if it did something else than the recording before.
pub(crate) fn refuse_another(
    recording: &mut Timeline,
    request: &Request,
    outcome: Outcome,
    last: Position,
) -> Result<(), CompareError> {
    let mut again = open_recorded(&request.output)?;
    let Some(unequal) = first_unequal_held(recording, &mut again)?.filter(|unequal| *unequal <= last) else {
        return Ok(());
    };
    let ended = match outcome {
        Outcome::Finished => String::new(),
        other => format!("; it ended there: {other}"),
    };
    let ended = if unequal.0.saturating_add(1) >= again.len() { ended } else { String::new() };
    let engine = forkpoint_replay::printable(&request.engine.to_string());
    none(&format!("run again under {engine}, it does something else from {unequal} on{ended}"))
}
