//! Calls for the viewer and for editors: runs a recording again when they ask, on their thread.

use crate::args::TraceArg;
use crate::files::reader;
use crate::rerun::Rerun;
use anyhow::{Context, Result};
use forkpoint_compare::{CompareError, calls_around, in_one_line};
use forkpoint_replay::{CallSource, CallWindow, Side, Timeline};
use forkpoint_tracer::{EngineSpec, Request};
use forkpoint_traces::Position;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often whoever asks hears how far a run is, and may stop it.
const LOOK: Duration = Duration::from_millis(30);

/// What runs recordings again.
pub struct CallReruns {
    /// Their files by side; `None` where there is none.
    pub files: [Option<TraceArg>; 2],
    /// Engines to take instead of those that they name.
    pub engines: [Option<EngineSpec>; 2],
}

impl CallReruns {
    fn run(&self, side: Side, around: Position, reached: &dyn Fn(Position) -> bool) -> Result<Option<CallWindow>> {
        let file = self.files[side.index()].as_ref().context("the recording is in no file")?;
        let mut recording = Timeline::new(reader(file)?);
        let rerun = Rerun::new(recording.trace_mut(), &file.file, self.engines[side.index()].as_ref())?;
        // Not the one of Ctrl-C, which is a key in the viewer.
        let interrupt = Arc::new(AtomicBool::new(false));
        let request = Request { interrupt: Arc::clone(&interrupt), ..rerun.request.clone() };
        let gauge = Arc::clone(&request.gauge);
        let answer = std::thread::scope(|scope| {
            let run = scope.spawn(|| calls_around(&mut recording, &rerun.program, &request, around));
            while !run.is_finished() {
                if reached(Position(gauge.events().min(around.0))) {
                    interrupt.store(true, Ordering::Relaxed);
                }
                std::thread::sleep(LOOK);
            }
            run.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        match answer {
            Ok(window) => Ok(Some(window)),
            // However a run ends that the user has stopped, that is why.
            Err(CompareError::Interrupted { .. }) => Ok(None),
            Err(_) if interrupt.load(Ordering::Relaxed) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

impl CallSource for CallReruns {
    fn calls(
        &self,
        side: Side,
        around: Position,
        reached: &dyn Fn(Position) -> bool,
    ) -> Result<Option<CallWindow>, String> {
        self.run(side, around, reached).map_err(|error| in_one_line(error.as_ref()))
    }
}
