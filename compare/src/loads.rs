//! What a recording loaded before an event: its run once more, with code that tells of loads. Nothing is believed of a run that
//! was another one.

use crate::calls;
use crate::error::CompareError;
use forkpoint_replay::Timeline;
use forkpoint_tracer::instrument::Ask;
use forkpoint_tracer::{Program, Request};
use forkpoint_traces::{Loads, Outcome, Position};

/// Runs a recording again, up to an event, and returns the last loads before that. `request` asks for the run of the recording's
/// `program`, with its host log; the new trace goes to its `output`. The request's `interrupt` ends it.
///
/// # Errors
/// When the run cannot be made; [`CompareError::NoLoads`] when it cannot tell, or was not the recorded one.
pub fn loads_before(
    recording: &mut Timeline,
    program: &Program,
    request: &Request,
    before: Position,
) -> Result<Loads, CompareError> {
    told(recording, program, request, before).map_err(|error| match error {
        CompareError::NoCalls { why } => CompareError::NoLoads { why },
        error => error,
    })
}

fn told(
    recording: &mut Timeline,
    program: &Program,
    request: &Request,
    before: Position,
) -> Result<Loads, CompareError> {
    let recorded = calls::run(recording, program, request, Ask::Loads { before })?;
    if recorded.outcome == Outcome::Interrupted && recorded.events <= before.0 {
        return Err(CompareError::Interrupted { engine: request.engine.to_string() });
    }
    calls::refuse_another(recording, request, recorded.outcome, before)?;
    Ok(recorded.loads.unwrap_or_default())
}
