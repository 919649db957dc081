//! Recording: a program, an engine, a trace.
//!
//! 1. [`Program::new`] validates the module and resolves what is to be called: everything that is wrong with the
//!    *question* is an error here, before a file is written or a process started.
//! 2. [`Program::record`] starts the child process (for AOT first one that compiles), and
//! 3. `pump` turns its frames into events until it ends, whatever way it does.

mod bundled;
mod calls;
mod checkpoints;
mod conduct;
mod course;
mod end;
mod environment;
mod every;
mod files;
#[doc(hidden)]
pub mod fuzzing;
mod gauge;
mod header;
mod images;
mod interface;
mod invocation;
mod javascript;
mod launch;
mod linked;
mod loads;
mod marks;
mod mismatches;
mod native;
mod own_host;
mod plain;
mod process;
mod program;
mod providers;
mod pump;
mod recorded;
mod request;
mod rewritings;
mod script;
mod sink;
mod sought;
mod stack;
mod stack_step;
mod stepping;
mod steps;
mod trap;
mod types;
mod watch;
mod ways;
mod workers;

pub use checkpoints::Checkpoint;
pub use end::{EndDifference, EndMemory, EndPage, EndState};
pub use every::{MadeUp, every_call};
pub use gauge::{Gauge, Phase};
pub use invocation::{CallError, Invocation};
pub use javascript::{App, AppRecorded, Page};
pub use marks::{NOTES_IN_A_DIGEST, Note, Notes};
pub use mismatches::{Differs, Mismatch, Mismatches};
pub use own_host::own_host;
pub use plain::Plain;
pub use program::{Program, Work};
pub use providers::Imports;
pub use recorded::{CallResult, Recorded};
pub use request::{HostSource, Keep, Request, Stdio};
#[doc(hidden)]
pub use sink::write_block;
pub use sought::{FoundWriter, Sought};
pub use ways::CommandWays;
pub use workers::Workers;

use crate::error::RecordError;
use crate::job::Run;
use forkpoint_traces::Outcome;
use launch::launch;
use std::path::Path;
use std::time::Instant;

/// Told now and then how a recording goes on.
pub type Progress<'a> = &'a mut dyn FnMut(u64, u64);

impl Program {
    /// Records one run. `progress` gets the number of events and the bytes written so far.
    ///
    /// # Errors
    /// When the run could not be recorded. What the guest or the engine does, crashes included, is an [`Outcome`]
    /// or one of the [`Mismatches`] and no error.
    pub fn record(&self, request: &Request, progress: Progress) -> Result<Recorded, RecordError> {
        request.gauge.enter(Phase::Rewriting);
        self.check_host(request)?;
        let (recorded, offers_care) = self.record_once(request, &request.output, false, progress)?;
        if !offers_care || !matches!(recorded.outcome, Outcome::Crashed { .. }) {
            return Ok(recorded);
        }
        // Its last events may have died with it: once more, with each of them sent at once.
        let folder = request.output.parent().filter(|folder| !folder.as_os_str().is_empty());
        let again = tempfile::Builder::new()
            .prefix(".forkpoint-")
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666))
            .tempfile_in(folder.unwrap_or(Path::new(".")))
            .map_err(RecordError::io("creating a second trace beside the first"))?
            .into_temp_path();
        match self.record_once(request, &again, true, progress) {
            // An engine need not do the same twice: the crash is what counts.
            Ok((careful, _)) if careful.outcome == recorded.outcome => {
                again
                    .persist(&request.output)
                    .map_err(|error| RecordError::io("replacing a trace by one without loss")(error.error))?;
                let command_runs = recorded.command_runs.saturating_add(careful.command_runs);
                Ok(Recorded { elapsed: recorded.elapsed + careful.elapsed, command_runs, ..careful })
            }
            _ => Ok(recorded),
        }
    }

    /// Records one run to `output`, with care or without. Says also whether the engine's runner loses events in a crash, and
    /// would not if it took care.
    fn record_once(
        &self,
        request: &Request,
        output: &Path,
        careful: bool,
        progress: Progress,
    ) -> Result<(Recorded, bool), RecordError> {
        let started = Instant::now();
        let rewritten = self.rewritten_as(&self.options(request))?;
        let mut pump = pump::Pump::new(self, &rewritten, request, output, progress)?;
        let run = Run { careful, ..self.run(request, &rewritten) };
        let launched = launch(self, request, &rewritten, run, |frame, socket| pump.frame(frame, socket))?;
        pump.conclude(&launched)?;
        let offers_care = pump.offers_care();
        Ok((pump.finish(started.elapsed())?, offers_care))
    }
}
