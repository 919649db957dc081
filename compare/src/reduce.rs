//! Reduces a module to the smallest that still diverges in the same way.
//!
//! First by time: the activation of the function in which the runs part is made a program of its own, with the arguments, globals
//! and memory that it had (`slice.rs`); if that does not diverge, its caller's activation, and so on. Then by values and by chance:
//! functions, statements, expressions, blocks, data (`shrink.rs`). Every step is checked by both engines (`judge.rs`), so whatever
//! a step assumes, the result diverges like the original.

mod activation;
mod answers;
mod body;
mod constants;
mod error;
mod inline;
mod judge;
mod locals;
mod parts;
mod probe;
mod prune;
mod sections;
mod shrink;
mod slice;
#[cfg(test)]
mod tests;
mod text;

use crate::compared::Compared;
use crate::error::CompareError;
use crate::settings::Settings;
use forkpoint_replay::Likeness;
use forkpoint_tracer::{Imports, Invocation, Request};
use judge::{Candidate, Halt, Judge};
use serde::Serialize;
use std::time::{Duration, Instant};

/// Most activations, from the innermost out, that are tried as programs of their own.
const MOST_LEVELS: usize = 12;

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
    /// What a comparison of the reduced module found.
    pub compared: Compared,
    /// Whether one activation of a function became a program of its own, and how many callers out: 0 for the innermost one.
    pub sliced: Option<usize>,
    /// How many candidates were run.
    pub tries: u64,
    /// How long it took.
    pub elapsed: Duration,
    /// Why it ended.
    pub end: ReductionEnd,
}

impl<'a> Reduction<'a> {
    /// Reduces: the top-level entry point.
    ///
    /// # Errors
    /// When the module cannot be compared, and [`CompareError::NothingToReduce`] when it does not diverge.
    pub fn run(&'a self) -> Result<Reduced, CompareError> {
        let (mut judge, compared) = Judge::new(self)?;
        let mut best = self.original();
        let mut sliced = None;
        let mut steps = || -> Result<(), Halt> {
            sliced = slice_by_time(&mut judge, &mut best, &compared)?;
            shrink::unreferenced(&mut judge, &mut best)?;
            shrink::shrink(&mut judge, &mut best)
        };
        let end = match steps() {
            Ok(()) => ReductionEnd::Minimal,
            Err(Halt::Time) => ReductionEnd::Time,
            Err(Halt::Interrupted) => ReductionEnd::Interrupted,
        };
        let compared = judge.last(&best).unwrap_or(compared);
        Ok(Reduced {
            module: best.module,
            calls: best.calls,
            likeness: judge.target().clone(),
            compared,
            sliced,
            tries: judge.tries,
            elapsed: judge.elapsed(),
            end,
        })
    }

    fn original(&self) -> Candidate {
        Candidate { module: self.module.clone(), calls: self.calls.clone() }
    }
}

/// Makes the activation in which the runs part a program of its own, or that of a caller. Says how many callers out.
fn slice_by_time(judge: &mut Judge<'_>, best: &mut Candidate, compared: &Compared) -> Result<Option<usize>, Halt> {
    judge.phase = "finding the call";
    judge.report();
    let original = best.clone();
    let mut next = activation::of_divergence(judge, &original, &compared.report);
    for level in 0..MOST_LEVELS {
        let Some(activation) = next else { break };
        judge.phase = "slicing";
        judge.report();
        let Some(entry) = activation::entry(judge, &original, activation, "entry.fpt") else { break };
        next = entry.caller;
        let Ok(candidate) = slice::slice(judge, &original, activation, &entry) else { continue };
        // What the call does not enter goes at once: that is nearly all of a large program, and compiling it takes longest.
        let unneeded = slice::not_entered(judge, &candidate);
        let mut small = shrink::with_traps(&candidate, &unneeded).unwrap_or_else(|| candidate.clone());
        if let Ok(module) = prune::pruned(&small.module, &prune::Stubs::new(), prune::Memories::Stay) {
            small = small.with(module);
        }
        for candidate in [small, candidate] {
            let begun = Instant::now();
            if judge.accept_slice(best, candidate)? {
                judge.limit(begun.elapsed());
                shrink::data(judge, best, &[4096])?;
                return Ok(Some(level));
            }
        }
    }
    Ok(None)
}
