//! The observer guard for many engines: compares each, run without recording, with the reference.

use super::rows::EngineRun;
use crate::error::{CompareError, without_partial};
use crate::guard::{Guard, PlainRuns};
use crate::runs::Runs;
use forkpoint_replay::{Report, printable};
use forkpoint_tracer::{EndState, Recorded, Request};

/// Runs every engine without recording, and notes in its row where recording changes how it ends.
pub(super) fn guard(runs: &Runs, engines: &mut [EngineRun], reference: usize) -> Result<(), CompareError> {
    // Without a pinned host, runs without recording differ by their host's answers.
    let home = engines[reference].row.group.clone();
    if !runs.settings.guard || runs.live() || home.is_none() {
        return Ok(());
    }
    let base = match plain(runs, &engines[reference].side) {
        Ok(base) => base,
        Err(error) => {
            engines[reference].note(&error);
            return Ok(());
        }
    };
    let Some(base_recorded) = engines[reference].recorded.clone() else { return Ok(()) };
    let base_side = engines[reference].side.clone();
    for (index, engine) in engines.iter_mut().enumerate() {
        let Some(recorded) = engine.recorded.clone().filter(|_| engine.row.group.is_some()) else { continue };
        let end = if index == reference { Ok(base.clone()) } else { plain(runs, &engine.side) };
        let judged = end.and_then(|end| engine.judge(runs, PlainRuns { lhs: base.clone(), rhs: end }, &recorded));
        match judged {
            Ok(Some(both)) if index != reference => {
                let agree = engine.row.group == home;
                let pair = [base_recorded.clone(), recorded];
                engine.against(runs, &base_side, &both, &pair, agree);
            }
            Ok(_) => {}
            Err(error) => engine.note(&error),
        }
    }
    Ok(())
}

fn plain(runs: &Runs, side: &Request) -> Result<EndState, CompareError> {
    runs.plain(side).map_err(|error| error.during("running without recording, which the guard does"))
}

impl EngineRun {
    fn note(&mut self, error: &CompareError) {
        self.row.notes.push(printable(&without_partial(error)));
    }

    /// Whether recording changes how the engine's run, the right one of `both`, ends. `None` if these runs prove
    /// nothing.
    fn judge(
        &mut self,
        runs: &Runs,
        both: PlainRuns,
        recorded: &Recorded,
    ) -> Result<Option<PlainRuns>, CompareError> {
        if both.cut_short() {
            let note = "the run without recording was cut short, so the guard has no result";
            self.row.notes.push(note.to_string());
            return Ok(None);
        }
        let changed = !both.rhs.is_that_of(recorded);
        if changed {
            let trace = recorded.mismatches.first.is_empty().then_some(self.side.output.as_path());
            self.row.nondeterminism = runs.nondeterminism(&self.side, &both.rhs, trace)?;
            if self.row.nondeterminism.is_some() {
                return Ok(None);
            }
        }
        self.row.changed_by_recording = Some(changed);
        Ok(Some(both))
    }

    /// Compares the engine without recording with the reference. If recording hides a difference, tries ways to
    /// record that change less.
    fn against(&mut self, runs: &Runs, reference: &Request, both: &PlainRuns, recorded: &[Recorded; 2], agree: bool) {
        let mut judged = both.judge(recorded, agree, runs.symbols());
        self.row.observer_effect = judged.observer_effect;
        self.row.plain_differences.clone_from(&judged.plain_differences);
        if judged.observer_effect && agree && runs.program.parts().is_none() {
            match climb(runs, [reference, &self.side], both, &mut judged) {
                Ok(report) => self.row.divergence = report,
                Err(error) => self.note(&error),
            }
            self.row.guard = Some(judged);
        }
    }
}

/// Tries ways to record that change less, until one shows what the runs without recording show, and returns its
/// report.
fn climb(
    runs: &Runs,
    sides: [&Request; 2],
    plain: &PlainRuns,
    guard: &mut Guard,
) -> Result<Option<Report>, CompareError> {
    // The sides' own traces are still needed as they are.
    let mut copies = [sides[0].clone(), sides[1].clone()];
    for (copy, name) in copies.iter_mut().zip(["guard-lhs.fpt", "guard-rhs.fpt"]) {
        let trace = std::mem::replace(&mut copy.output, runs.aside(name));
        std::fs::copy(&trace, &copy.output).map_err(CompareError::io("copying a trace aside"))?;
    }
    let copies = copies.each_ref();
    let full = runs.report(copies.map(|copy| copy.output.as_path()))?;
    let report = guard.climb(runs, copies, plain, full)?;
    Ok(guard.survived_in.is_some().then_some(report))
}
