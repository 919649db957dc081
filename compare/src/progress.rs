//! How a comparison reports what it is doing, to any kind of display.

use forkpoint_replay::Timeline;
use forkpoint_tracer::{Program, Request};

/// What is being done with an engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// Digests of its run are made.
    Digesting,
    /// Its run is recorded.
    Recording,
    /// A part of its run is recorded: what happens around the place where it parts from another.
    RecordingWindow,
    /// It runs once more, to find the event that wrote some bytes last.
    SeekingWriter,
    /// Its run is recorded once more, to find the event that caused a difference.
    Narrowing,
    /// It runs once more, to find out which functions were active.
    Calls,
    /// It runs once more, to find out what was loaded.
    Loads,
    /// It runs without recording.
    RunningPlain,
}

/// Follows a comparison. Runs report to the gauge of their [`Request`], and end when its `interrupt` is set.
pub trait Progress: Sync {
    /// A run begins.
    fn run(&self, doing: Doing, program: &Program, request: &Request);

    /// Two traces are about to be compared: [`Timeline::set_progress`] on the left one follows that.
    fn comparing(&self, lhs: &mut Timeline);
}

/// Shows nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn run(&self, _: Doing, _: &Program, _: &Request) {}

    fn comparing(&self, _: &mut Timeline) {}
}
