//! Ending the reading of a chunk before its end.

use forkpoint_traces::TraceError;

/// Why a chunk is read no further.
pub(super) enum Stop {
    /// What was asked is answered.
    Here,
    Error(TraceError),
}

impl Stop {
    /// Nothing but a real error is one.
    pub(super) fn error(self) -> Result<(), TraceError> {
        match self {
            Stop::Here => Ok(()),
            Stop::Error(error) => Err(error),
        }
    }
}

impl From<TraceError> for Stop {
    fn from(error: TraceError) -> Stop {
        Stop::Error(error)
    }
}
