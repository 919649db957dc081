//! The steps of a reduction.

use super::judge::{Candidate, Halt, Judge};
use super::reduction::{Reduced, Reduction, ReductionEnd};
use super::{activation, data, prune, script, shrink, slice};
use crate::compared::Compared;
use crate::error::CompareError;
use std::time::Instant;

/// Most activations, from the innermost out, that are tried as programs of their own.
const MOST_LEVELS: usize = 12;

impl<'a> Reduction<'a> {
    /// Reduces: the top-level entry point.
    ///
    /// # Errors
    /// When the module cannot be compared, and [`CompareError::NothingToReduce`] when it does not diverge.
    pub fn run(&'a self) -> Result<Reduced, CompareError> {
        let (mut judge, compared) = Judge::new(self)?;
        let mut best = Candidate::original(self);
        let mut sliced = None;
        let mut steps = || -> Result<(), Halt> {
            sliced = slice_by_time(&mut judge, &mut best, &compared)?;
            if sliced.is_some() {
                shrink::unreferenced(&mut judge, &mut best)?;
            }
            shrink::shrink(&mut judge, &mut best)
        };
        let end = match steps() {
            Ok(()) => ReductionEnd::Minimal,
            Err(Halt::Time) => ReductionEnd::Time,
            Err(Halt::Interrupted) => ReductionEnd::Interrupted,
        };
        let compared = judge.last(&best);
        let script = compared
            .as_ref()
            .and_then(|_| script::script(&best.module, &judge.file("lhs.fpt"), &judge.file("rhs.fpt")));
        Ok(Reduced {
            module: best.module,
            calls: best.calls,
            likeness: judge.target().clone(),
            compared,
            sliced,
            script,
            tries: judge.tries,
            elapsed: judge.elapsed(),
            end,
        })
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
                data::data(judge, best, &[4096])?;
                return Ok(Some(level));
            }
        }
    }
    Ok(None)
}
