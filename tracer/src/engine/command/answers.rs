//! What answers host calls, in the form in which a module carries it.

use super::failure::Failure;
use crate::host::NO_THREAD;
use crate::host::answer::HostSpec;
use crate::host::function::Provider;
use crate::instrument::InstrumentError;
use crate::instrument::standalone::Answers;
use crate::protocol::HostEnd;
use crate::values::WasmValue;
use forkpoint_traces::{HostLog, HostOutcome};

impl From<InstrumentError> for Failure {
    fn from(error: InstrumentError) -> Failure {
        Failure::Setup(error.to_string())
    }
}

/// The host log that a run is given, or its stubs.
pub(super) fn of(spec: &HostSpec) -> Result<Answers, Failure> {
    let failed = |error: forkpoint_traces::TraceError| Failure::Failed(format!("the host log: {error}"));
    if let Some(log) = &spec.log {
        let mut log = HostLog::open(log).map_err(failed)?;
        return Answers::logged(|| log.next_event().map_err(failed));
    }
    let outcomes: Vec<(u32, HostOutcome)> = (0..)
        .zip(&spec.functions)
        .filter_map(|(number, function)| match &function.provider {
            Provider::Stub(end) => Some((number, end.outcome())),
            Provider::NoThreads => Some((number, HostEnd::Returned(vec![WasmValue::I32(NO_THREAD)]).outcome())),
            Provider::Engine | Provider::Nobody => None,
        })
        .collect();
    Ok(Answers::fixed(outcomes.iter().map(|(number, outcome)| (*number, outcome))))
}
