//! What a reduction is given, and what comes out of it.

use super::reproduction::Reproduction;
use crate::compared::Compared;
use crate::settings::Settings;
use forkpoint_replay::Likeness;
use forkpoint_tracer::{Imports, Invocation, Request, Scratch};
use serde::Serialize;
use std::path::PathBuf;
use std::time::Duration;

/// A module to reduce, and the two engines that it diverges under.
pub struct Reduction<'a> {
    /// What the module is called.
    pub name: &'a str,
    /// The binary module.
    pub module: Vec<u8>,
    /// The calls that make it diverge; none for a WASI command.
    pub calls: Vec<Invocation>,
    /// Makes room for texts and files among the arguments.
    pub allocator: Option<&'a Invocation>,
    /// Who answers its imports.
    pub imports: Imports<'a>,
    /// The two runs, the reference first, as for a [`Comparison`](crate::Comparison); traces that they name are not written.
    pub sides: [Request; 2],
    /// How they are compared. What is kept, and whether there are reruns and a guard, is decided by what it takes to see the
    /// divergence.
    pub settings: Settings,
    /// After this time the smallest module so far is the result.
    pub time: Duration,
    /// The file in which the reduction keeps how far it is. If it is there, the reduction goes on from it.
    pub state: Option<PathBuf>,
    /// Whether the module lives in JavaScript, whose part is in the log of the settings. Then the result is one call of its
    /// functions, without JavaScript.
    pub javascript: bool,
    /// Whether the engines' own commands are run, if their programs are there.
    pub own_commands: bool,
    /// Follows the reduction.
    pub progress: &'a dyn Fn(ReductionStatus),
}

/// How far a reduction is.
#[derive(Debug, Clone, Copy)]
pub struct ReductionStatus {
    /// What is being done, in a word.
    pub phase: &'static str,
    /// Bytes of the smallest module so far.
    pub bytes: usize,
    /// How many candidates were run.
    pub tries: u64,
    /// Time since the start.
    pub elapsed: Duration,
}

/// Why a reduction ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReductionEnd {
    /// No single step makes the module smaller.
    Minimal,
    /// The time was up.
    Time,
    /// The user ended it.
    Interrupted,
}

/// A reduced module.
#[derive(Debug)]
pub struct Reduced {
    /// The binary module.
    pub module: Vec<u8>,
    /// The calls that make it diverge.
    pub calls: Vec<Invocation>,
    /// In which way it and the original diverge.
    pub likeness: Likeness,
    /// What a last comparison of the reduced module found; `None` if there was none, because the user ended it.
    pub compared: Option<Compared>,
    /// Whether one activation of a function became a program of its own, and how many callers out: 0 for the innermost one.
    pub sliced: Option<usize>,
    /// A script in the form of the specification's tests that the left side passes and the right side fails, if there is one.
    pub script: Option<String>,
    /// How the divergence is seen without forkpoint, or in words why it is not.
    pub reproduction: Result<Reproduction, String>,
    /// Holds the traces of that comparison, `lhs.fpt` and `rhs.fpt`.
    pub traces: Scratch,
    /// How many candidates were run.
    pub tries: u64,
    /// How long it took.
    pub elapsed: Duration,
    /// Why it ended.
    pub end: ReductionEnd,
}
