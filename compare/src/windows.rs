//! More of a recording's events than it holds: its run once more, under the conditions of the recording, which keeps windows of it.
//! Nothing is believed of a run that was another one.

use crate::error::CompareError;
use crate::files::open_recorded;
use crate::record::record;
use forkpoint_replay::{NanBits, Timeline, first_divergence};
use forkpoint_tracer::{Keep, Program, Request, Stdio};
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
    let none = |why: String| CompareError::NoWindow { why };
    let engine = forkpoint_replay::printable(&request.engine.to_string());
    if request.engine.needs_reference() {
        return Err(none(format!("{engine} can only be asked for events, one question a run")));
    }
    if recording.trace_mut().outcome()?.is_none_or(|outcome| outcome.is_cut_short()) {
        return Err(none("the recording was cut short, and another run ends elsewhere".to_string()));
    }
    let keep = match &request.keep {
        Keep::Window { .. } => Keep::Windows(Arc::from(windows)),
        other => other.clone(),
    };
    // What the recording shows, the new one must show, too.
    let native_limit = if recording.trace().native_target().is_some() { u64::MAX } else { 0 };
    let request = Request { keep, native_limit, echo: false, output_streams: Stdio::Null, ..request.clone() };
    let recorded = record(program, &request, &[])?;
    if recorded.outcome == Outcome::Interrupted {
        return Err(CompareError::Interrupted { engine: request.engine.to_string() });
    }
    let mut again = open_recorded(&request.output)?;
    if let Some(divergence) = first_divergence(recording, &mut again, NanBits::Stop)?.divergence {
        let ended = match recorded.outcome {
            Outcome::Finished => String::new(),
            other => format!("; it ended: {other}"),
        };
        let at = divergence.position;
        return Err(none(format!("run again under {engine}, it does something else from about {at} on{ended}")));
    }
    Ok(again)
}
