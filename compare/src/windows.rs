//! More of a recording's events than it holds: its run once more, under the conditions of the recording, which keeps windows of it.
//! Nothing is believed of a run that was another one.

use crate::error::CompareError;
use crate::files::open_recorded;
use crate::record::record;
use forkpoint_replay::{NanBits, ReplayError, Timeline, first_divergence};
use forkpoint_tracer::{Keep, Program, Recorded, Request, Sought, Stdio};
use forkpoint_traces::{Outcome, Position};
use std::ops::Range;
use std::sync::Arc;

/// Runs a recording again and returns the new one, which holds the events of these `windows`, and all if the recording has no digests
/// of what it leaves out. `request` asks for the run of the recording's `program`, with its host log; the new trace goes to its
/// `output`. The request's `interrupt` ends it.
///
/// # Errors
/// When the run cannot be made; [`CompareError::NoWindow`] when it was not the recorded one.
pub fn with_windows(
    recording: &mut Timeline,
    program: &Program,
    request: &Request,
    windows: &[Range<Position>],
) -> Result<Timeline, CompareError> {
    // What the recording shows, the new one must show, too.
    let native_limit = if recording.trace().native_target().is_some() { u64::MAX } else { 0 };
    let request = Request { keep: kept(request, windows), native_limit, ..request.clone() };
    again(recording, program, &request).map(|(_, again)| again)
}

/// Runs a recording again to find the last writer of some bytes, of all its events; `None` if there is none.
///
/// # Errors
/// As [`with_windows`].
pub fn last_writer(
    recording: &mut Timeline,
    program: &Program,
    request: &Request,
    sought: Sought,
) -> Result<Option<Position>, CompareError> {
    let request = Request { keep: kept(request, &[]), sought: Some(sought), ..request.clone() };
    let (recorded, _) = again(recording, program, &request)?;
    Ok(recorded.writer.map(|writer| writer.position))
}

/// What a rerun keeps, which `request` would keep in full.
fn kept(request: &Request, windows: &[Range<Position>]) -> Keep {
    match &request.keep {
        Keep::Window { .. } => Keep::Windows(Arc::from(windows)),
        other => other.clone(),
    }
}

/// Runs a recording again.
fn again(
    recording: &mut Timeline,
    program: &Program,
    request: &Request,
) -> Result<(Recorded, Timeline), CompareError> {
    let none = |why: String| CompareError::NoWindow { why };
    let engine = forkpoint_replay::printable(&request.engine.to_string());
    if request.engine.needs_reference() {
        return Err(none(format!("{engine} can only be asked for events, one question a run")));
    }
    if recording.trace_mut().outcome()?.is_none_or(|outcome| outcome.is_cut_short()) {
        return Err(none("the recording was cut short, and another run ends elsewhere".to_string()));
    }
    let request = Request { echo: false, output_streams: Stdio::Null, ..request.clone() };
    let recorded = record(program, &request, &[])?;
    if recorded.outcome == Outcome::Interrupted {
        return Err(CompareError::Interrupted { engine: request.engine.to_string() });
    }
    let mut again = open_recorded(&request.output)?;
    let elsewhere = match first_divergence(recording, &mut again, NanBits::Stop) {
        Ok(found) => found.divergence.map(|divergence| format!("from {} on", divergence.position)),
        Err(ReplayError::PartLeftOut { stretch, .. }) => Some(format!("from {} or a later event on", stretch.start)),
        Err(error) => return Err(error.into()),
    };
    if let Some(elsewhere) = elsewhere {
        let ended = match &recorded.outcome {
            Outcome::Finished => String::new(),
            other => format!("; it ended: {other}"),
        };
        return Err(none(format!("run again under {engine}, it does something else {elsewhere}{ended}")));
    }
    Ok((recorded, again))
}
