//! The steps of a reduction.

use super::candidate::Candidate;
use super::judge::{Halt, Judge};
use super::reduction::{Reduced, Reduction, ReductionEnd};
use super::reproduction::Reproduction;
use super::state::State;
use super::{activation, prune, script, shrink, slice};
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
        let mut judge = Judge::new(self)?;
        let mut best = Candidate::original(self);
        let earlier = self.state.as_deref().map(|path| State::read(self, path)).transpose()?.flatten();
        let compared = match (earlier, &self.state) {
            (Some(state), Some(path)) => {
                let damaged = || CompareError::DamagedState { path: path.clone() };
                best = judge.go_on_from(state).ok_or_else(damaged)?;
                None
            }
            _ => Some(judge.find()?),
        };
        let (mut confirmed, mut not_sliced) = (best.clone(), None);
        let mut steps = || -> Result<(), Halt> {
            if let Some(compared) = &compared {
                not_sliced = slice_by_time(&mut judge, &mut best, compared)?;
                if best.in_javascript {
                    return Ok(());
                }
                judge.begin(&best);
            }
            if judge.sliced.is_some() {
                shrink::unreferenced(&mut judge, &mut best)?;
            }
            judge.find_deputy(&best);
            judge.be_quick(&best);
            loop {
                let smaller = match shrink::round(&mut judge, &mut best) {
                    Err(Halt::Astray) => {
                        judge.go_back(&mut best);
                        continue;
                    }
                    ended => ended?,
                };
                let shared = judge.shares_processes();
                if judge.confirm(&best)? {
                    confirmed.clone_from(&best);
                    if !smaller {
                        return Ok(());
                    }
                } else if judge.is_unsure() {
                    judge.go_back(&mut best);
                } else if shared {
                    judge.forget();
                    best.clone_from(&confirmed);
                } else {
                    return Ok(());
                }
            }
        };
        let end = match steps() {
            Ok(()) => ReductionEnd::Minimal,
            // Nothing but a round looks at plain runs.
            Err(Halt::Time | Halt::Astray) => ReductionEnd::Time,
            Err(Halt::Interrupted) => ReductionEnd::Interrupted,
        };
        if best.in_javascript && end == ReductionEnd::Interrupted {
            return Err(CompareError::Interrupted { engine: self.sides[0].engine.to_string() });
        }
        if best.in_javascript {
            let why = not_sliced.unwrap_or_else(|| "there was no time to try".to_string());
            return Err(CompareError::NeedsJavaScript { why });
        }
        judge.save()?;
        let unsure = judge.is_unsure();
        if unsure && (end == ReductionEnd::Interrupted || !judge.diverges_alone(&best)) {
            judge.go_back(&mut best);
        } else if !unsure && end == ReductionEnd::Time && !judge.diverges_alone(&best) {
            best = confirmed;
        }
        let compared = judge.last(&best);
        let script = compared
            .as_ref()
            .and_then(|_| script::script(&best.module, &judge.file("lhs.fpt"), &judge.file("rhs.fpt")));
        let reproduction = match &compared {
            None => Err("there was no last comparison".to_string()),
            Some(Compared { report, .. }) => {
                let engines = [&report.lhs, &report.rhs].map(|side| side.version.clone());
                let sides = self.sides.each_ref();
                Reproduction::of(|name| judge.file(name), &best.module, sides, engines, self.own_commands)
            }
        };
        Ok(Reduced {
            module: best.module,
            calls: best.calls,
            likeness: judge.target().clone(),
            compared,
            sliced: judge.sliced,
            script,
            reproduction,
            tries: judge.tries,
            elapsed: judge.elapsed(),
            end,
            traces: judge.into_folder(),
        })
    }
}

/// Makes the activation in which the runs part a program of its own, or that of a caller. The judge knows how many callers out.
/// Returns why there is none, if so.
fn slice_by_time(judge: &mut Judge<'_>, best: &mut Candidate, compared: &Compared) -> Result<Option<String>, Halt> {
    judge.phase = "finding the call";
    judge.report();
    let original = best.clone();
    let mut next = activation::of_divergence(judge, &original, &compared.report);
    let mut why = "no events show in which call of a function the runs part".to_string();
    for level in 0..MOST_LEVELS {
        let Some(activation) = next else { break };
        judge.phase = "slicing";
        judge.report();
        let Some(entry) = activation::entry(judge, &original, activation, "entry.fpt") else {
            why = "the state in which that call begins cannot be had again".to_string();
            break;
        };
        next = entry.caller;
        let candidate = match slice::slice(judge, &original, activation, &entry) {
            Ok(candidate) => candidate,
            Err(error) => {
                why = error.to_string();
                continue;
            }
        };
        why = "no call around that one diverges in the same way by itself".to_string();
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
                judge.sliced = Some(level);
                return Ok(None);
            }
        }
    }
    Ok(Some(why))
}
