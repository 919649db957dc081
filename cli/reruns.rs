//! Calls, loads and events for the viewer and for editors: runs a recording again when they ask, on their thread.

use crate::args::TraceArg;
use crate::files::reader;
use crate::rerun::Rerun;
use anyhow::{Context, Result};
use forkpoint_compare::{CompareError, calls_around, far_step, in_one_line, last_writer, loads_before, with_windows};
use forkpoint_replay::{CallSource, CallWindow, EventSource, LoadSource, Side, Timeline};
use forkpoint_tracer::{EngineSpec, Program, Request, Sought};
use forkpoint_traces::{FarStep, Loads, MemoryIndex, Position};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often whoever asks hears how far a run is, and may stop it.
const LOOK: Duration = Duration::from_millis(30);

/// What runs recordings again.
pub struct Rerunner {
    /// Their files by side; `None` where there is none.
    pub files: [Option<TraceArg>; 2],
    /// Engines to take instead of those that they name.
    pub engines: [Option<EngineSpec>; 2],
}

/// What is asked of a run: of the recording, its program, and under these conditions.
type Question<'q, T> = &'q (dyn Fn(&mut Timeline, &Program, &Request) -> Result<T, CompareError> + Sync);

impl Rerunner {
    /// Runs a side again to answer a question, up to an event; `None` if it was stopped.
    fn ask<T: Send>(
        &self,
        side: Side,
        to: Position,
        reached: &dyn Fn(Position) -> bool,
        question: Question<T>,
    ) -> Result<Option<T>> {
        let file = self.files[side.index()].as_ref().context("the recording is in no file")?;
        let mut recording = Timeline::new(reader(file)?);
        let rerun = Rerun::new(recording.trace_mut(), &file.file, self.engines[side.index()].as_ref())?;
        // Not the one of Ctrl-C, which is a key in the viewer.
        let interrupt = Arc::new(AtomicBool::new(false));
        let request = Request { interrupt: Arc::clone(&interrupt), ..rerun.request.clone() };
        let gauge = Arc::clone(&request.gauge);
        let answer = std::thread::scope(|scope| {
            let run = scope.spawn(|| question(&mut recording, &rerun.program, &request));
            while !run.is_finished() {
                if reached(Position(gauge.events().min(to.0))) {
                    interrupt.store(true, Ordering::Relaxed);
                }
                std::thread::sleep(LOOK);
            }
            run.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        match answer {
            Ok(answer) => Ok(Some(answer)),
            // However a run ends that the user has stopped, that is why.
            Err(CompareError::Interrupted { .. }) => Ok(None),
            Err(_) if interrupt.load(Ordering::Relaxed) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

impl CallSource for Rerunner {
    fn calls(
        &self,
        side: Side,
        around: Position,
        reached: &dyn Fn(Position) -> bool,
    ) -> Result<Option<CallWindow>, String> {
        self.ask(side, around, reached, &|recording, program, request| {
            calls_around(recording, program, request, around)
        })
        .map_err(|error| in_one_line(error.as_ref()))
    }

    fn far_step(
        &self,
        side: Side,
        from: Position,
        step: FarStep,
        reached: &dyn Fn(Position) -> bool,
    ) -> Result<Option<Option<Position>>, String> {
        // Only a step back ends where it begins.
        let to = if step == FarStep::OverBack { from } else { Position(u64::MAX) };
        self.ask(side, to, reached, &|recording, program, request| far_step(recording, program, request, from, step))
            .map_err(|error| in_one_line(error.as_ref()))
    }
}

impl LoadSource for Rerunner {
    fn loads(
        &self,
        side: Side,
        before: Position,
        reached: &dyn Fn(Position) -> bool,
    ) -> Result<Option<Loads>, String> {
        self.ask(side, before, reached, &|recording, program, request| {
            loads_before(recording, program, request, before)
        })
        .map_err(|error| in_one_line(error.as_ref()))
    }
}

impl EventSource for Rerunner {
    fn with_windows(
        &self,
        side: Side,
        windows: &[Range<Position>],
        reached: &dyn Fn(Position) -> bool,
    ) -> Result<Option<Timeline>, String> {
        // To its end, as only that shows whether it was the recorded run.
        self.ask(side, Position(u64::MAX), reached, &|recording, program, request| {
            with_windows(recording, program, request, windows)
        })
        .map_err(why_not)
    }

    fn last_writer(
        &self,
        side: Side,
        (memory, bytes): (MemoryIndex, Range<u64>),
        before: Position,
        reached: &dyn Fn(Position) -> bool,
    ) -> Result<Option<Option<Position>>, String> {
        let sought = Sought { memory, bytes, before };
        self.ask(side, Position(u64::MAX), reached, &|recording, program, request| {
            last_writer(recording, program, request, sought.clone())
        })
        .map_err(why_not)
    }
}

/// Why there are no more events, short enough for a line of the screen.
fn why_not(error: anyhow::Error) -> String {
    match error.downcast_ref() {
        Some(CompareError::NoWindow { why }) => why.clone(),
        _ => in_one_line(error.as_ref()),
    }
}
