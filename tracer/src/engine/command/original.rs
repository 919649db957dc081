//! The original module, run as the command runs it: nothing is added, and nothing but its end is seen.

use super::ending::Ending;
use super::failure::Failure;
use super::runs::Runs;
use super::template::Template;
use crate::job::{Job, Run};
use crate::link::Out;
use crate::protocol::Message;
use crate::spec::CommandSpec;
use forkpoint_traces::Stage;

/// Names that engines run where they are not told any.
const USUAL: [&str; 2] = ["_start", "main"];

/// The original module of a run.
pub(super) struct Original<'a> {
    pub(super) spec: &'a CommandSpec,
    pub(super) job: &'a Job,
    pub(super) run: &'a Run,
    pub(super) template: &'a Template,
    /// Whether it imports functions, which the command does not answer as the host log does.
    pub(super) imports: bool,
}

impl Original<'_> {
    /// Runs it, where the command gives it all that it needs: how it ends, if that is by a trap or a crash.
    pub(super) fn ending(&self, runs: &Runs) -> Result<Option<Ending>, Failure> {
        let [call] = self.run.calls.as_slice() else { return Ok(None) };
        let runs_it = self.template.names_function()
            || USUAL.contains(&call.function.as_str())
            || self.spec.function.as_ref() == Some(&call.function);
        if !runs_it || !call.arguments.is_empty() || self.imports {
            return Ok(None);
        }
        let original = std::fs::read(&self.job.original)?;
        let ran = runs.plain(&original, &call.function, &[])?;
        if runs.stops() {
            return Err(Failure::Stopped);
        }
        Ok(Some(ran.ending(None)).filter(|ending| *ending != Ending::Other))
    }
}

/// Tells of a run that ended by a trap or a crash, and of which nothing else can be seen.
pub(super) fn ended_unseen(ending: Ending, out: &mut Out) -> Result<(), Failure> {
    for message in [
        Message::Accepted(Stage::Validate),
        Message::Accepted(Stage::Compile),
        Message::Instantiated,
        Message::Call(Some(0)),
    ] {
        out.message(&message)?;
    }
    ends_so(ending, out)
}

/// Tells how a run ended.
pub(super) fn ends_so(ending: Ending, out: &mut Out) -> Result<(), Failure> {
    match ending {
        Ending::Crashed(signal) => Err(Failure::Crashed(signal)),
        Ending::Trapped { trap, message } => {
            Ok(out.message(&Message::Trapped { trap, message, frames: Vec::new() })?)
        }
        Ending::Other => Ok(()),
    }
}
