//! Many modules under many engines, one row each.
//!
//! Each module is surveyed, several at a time. Rows are written as they come, so an interrupted sweep continues where
//! it stopped. Divergences that look like one bug are counted as one.

mod attempt;
mod baseline;
mod calls;
mod content;
mod input;
mod merge;
mod row;
mod store;
mod summary;

pub use baseline::{Baseline, SweepChange, SweepChanges, read_baseline};
pub use calls::SweepCalls;
pub use input::{InputModule, Shard, modules};
pub use merge::merge;
pub use row::{Deviation, EngineAssertions, EngineCommands, ModuleAnswer, ModuleRow, ModuleSite};
pub use store::Store;
pub use summary::{AssertionCount, CommandSum, ReasonCount, SignatureCount, Summary};

use crate::error::{CompareError, in_one_line};
use crate::files::{is_script, open_recorded, read_module, read_script};
use crate::settings::{Reask, Settings};
use attempt::Tried;
use calls::{ModuleCalls, call_at};
use forkpoint_replay::{Assertions, Symbols};
use forkpoint_tracer::{EngineSpec, Imports, Request, Scratch};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::time::Instant;

/// Many modules under many engines.
pub struct Sweep<'a> {
    /// The engines.
    pub engines: Vec<EngineSpec>,
    /// How each module runs under each engine. The engine and the output of this request are not used; the guest's
    /// arguments are those after the module's name.
    pub base: Request,
    /// Who answers imports.
    pub imports: Imports<'a>,
    /// What is called.
    pub calls: SweepCalls,
    /// How the runs are compared.
    pub settings: Settings,
    /// Modules at a time.
    pub jobs: usize,
    /// Makes the command that shows a deviation, from a module's path and calls.
    pub command: &'a (dyn Fn(&Path, &[String]) -> String + Sync),
}

/// What a worker sends: a row, and traces to keep as examples.
struct Done {
    row: ModuleRow,
    examples: Vec<Example>,
    /// The folder with these traces, deleted when this is dropped.
    _folder: Option<Scratch>,
}

/// The traces of a divergence.
struct Example {
    signature: String,
    traces: [PathBuf; 2],
}

/// Most deviations of a module whose calls are tried one by one.
const MOST_CONFIRMED: usize = 4;

impl Sweep<'_> {
    /// Runs these modules and passes each row to `take`, once the store has it. False if the user ended it.
    ///
    /// # Errors
    /// When there are fewer than two engines, and when the store cannot be written. What goes wrong with a module is
    /// in its row.
    pub fn run(
        &self,
        modules: &[InputModule],
        mut store: Option<&mut Store>,
        take: &mut dyn FnMut(&ModuleRow),
    ) -> Result<bool, CompareError> {
        if self.engines.len() < 2 {
            return Err(CompareError::TooFewEngines(self.engines.len()));
        }
        let interrupted = || self.base.interrupt.load(Ordering::Relaxed);
        let next = AtomicUsize::new(0);
        let (sender, receiver) = channel::<Done>();
        let work = |sender: Sender<Done>| {
            while !interrupted() {
                let Some(module) = modules.get(next.fetch_add(1, Ordering::Relaxed)) else { break };
                let Some(done) = self.one(module) else { break };
                if sender.send(done).is_err() {
                    break;
                }
            }
        };
        std::thread::scope(|scope| -> Result<(), CompareError> {
            for _ in 0..self.jobs.clamp(1, modules.len().max(1)) {
                let sender = sender.clone();
                scope.spawn(|| work(sender));
            }
            drop(sender);
            for done in &receiver {
                let written = store.as_deref_mut().map_or(Ok(()), |store| keep(&done, store));
                take(&done.row);
                if let Err(error) = written {
                    // Rows that are not kept do not pay for this.
                    next.store(modules.len(), Ordering::Relaxed);
                    return Err(error);
                }
            }
            Ok(())
        })?;
        Ok(!interrupted())
    }

    /// One module's row. `None` when the user ended it.
    fn one(&self, module: &InputModule) -> Option<Done> {
        let begun = Instant::now();
        let mut row = ModuleRow::unanswered(&module.name, String::new());
        let tried = self.try_one(module, &mut row);
        row.ms = begun.elapsed().as_millis() as u64;
        match tried {
            Ok((examples, folder)) => Some(Done { row, examples, _folder: Some(folder) }),
            Err(error) if error.is_interrupt() => None,
            Err(error) => {
                row.reason = Some(in_one_line(&error));
                row.answer = ModuleAnswer::Unanswered;
                Some(Done { row, examples: Vec::new(), _folder: None })
            }
        }
    }

    fn try_one(&self, input: &InputModule, row: &mut ModuleRow) -> Result<(Vec<Example>, Scratch), CompareError> {
        if is_script(&input.path) && input.calls.is_empty() && self.calls.asked.is_empty() {
            return self.try_script(input, row);
        }
        let module = read_module(&input.path)?;
        row.bytes = module.len() as u64;
        row.blake3 = blake3::hash(&module).to_hex().to_string();
        let folder = Scratch::new().map_err(CompareError::io("creating a temporary folder"))?;
        let tried = Tried { sweep: self, input, module: &module };
        let mut calls = ModuleCalls::of(&self.calls, input, &module)?;
        let mut attempt = tried.attempt(calls.list.as_deref(), &folder.path().join("1"))?;
        // Large arguments may keep every loop of the module busy too long: what it does with small numbers is still
        // worth a row.
        if attempt.timed_out()
            && let Some(fewer) = calls.tamed(&module).filter(|fewer| fewer.list != calls.list)
        {
            let again = tried.attempt(fewer.list.as_deref(), &folder.path().join("2"))?;
            if again.surveyed.agree.is_some() {
                row.calls_left_out = (calls.words().len() as u64).saturating_sub(fewer.words().len() as u64);
                (attempt, calls) = (again, fewer);
            }
        }
        if attempt.valid {
            row.calls = calls.words();
        }
        let symbols = Symbols::new(module.as_slice());
        row.fill(&attempt.surveyed, &symbols, self.base.timeout);
        let surveyed = &attempt.surveyed;
        let trace = |index: usize| surveyed.engines.get(index).and_then(|row| row.trace.clone());
        let mut examples = Vec::new();
        let diverged = surveyed.groups.iter().filter(|group| group.divergence.is_some());
        for (number, (group, deviation)) in diverged.zip(&mut row.findings).enumerate() {
            let first = group.engines.first().copied();
            let (Some(lhs), Some(rhs)) = (surveyed.reference.and_then(trace), first.and_then(trace)) else {
                continue;
            };
            let at = deviation.position.map(|position| call_at(&lhs, position)).transpose()?.flatten();
            deviation.calls = calls.until(at);
            let alone = self.settings.reruns != Reask::Never && deviation.calls.len() > 1 && calls.made_up.is_some();
            if alone && number < MOST_CONFIRMED {
                let only = calls.only(at);
                let again = tried.attempt(only.list.as_deref(), &folder.path().join(format!("alone-{number}")))?;
                let mut of_one = ModuleRow::unanswered(&row.module, String::new());
                of_one.fill(&again.surveyed, &symbols, self.base.timeout);
                if of_one.findings.iter().any(|other| other.signature == deviation.signature) {
                    (deviation.calls, deviation.confirmed) = (only.words(), true);
                }
            }
            examples.push(Example { signature: deviation.signature.clone(), traces: [lhs, rhs] });
        }
        for deviation in &mut row.findings {
            if deviation.calls.is_empty() {
                deviation.calls = calls.until(None);
            }
            // If nothing in the module can be called, there is no command.
            deviation.command = calls.list.as_ref().map(|_| (self.command)(&input.path, &deviation.calls));
        }
        Ok((examples, folder))
    }
}

impl Sweep<'_> {
    /// A script's row: all its directives are one run.
    fn try_script(&self, input: &InputModule, row: &mut ModuleRow) -> Result<(Vec<Example>, Scratch), CompareError> {
        let text = read_script(&input.path)?;
        row.bytes = text.len() as u64;
        row.blake3 = blake3::hash(text.as_bytes()).to_hex().to_string();
        let folder = Scratch::new().map_err(CompareError::io("creating a temporary folder"))?;
        let tried = Tried { sweep: self, input, module: &[] };
        let (attempt, symbols) = tried.script(&text, &folder.path().join("1"))?;
        let surveyed = &attempt.surveyed;
        row.fill(surveyed, &symbols, self.base.timeout);
        for engine in &surveyed.engines {
            let Some(trace) = &engine.trace else { continue };
            if let Some(found) = Assertions::of(&mut open_recorded(trace)?)? {
                row.assertions.push(EngineAssertions {
                    engine: engine.engine.clone(),
                    total: found.total,
                    passed: found.passed,
                    failed: found.failed,
                    failures: found.failures,
                });
            }
        }
        let trace = |index: usize| surveyed.engines.get(index).and_then(|row| row.trace.clone());
        let mut examples = Vec::new();
        let diverged = surveyed.groups.iter().filter(|group| group.divergence.is_some());
        for (group, deviation) in diverged.zip(&row.findings) {
            let first = group.engines.first().copied();
            if let (Some(lhs), Some(rhs)) = (surveyed.reference.and_then(trace), first.and_then(trace)) {
                examples.push(Example { signature: deviation.signature.clone(), traces: [lhs, rhs] });
            }
        }
        for deviation in &mut row.findings {
            deviation.command = Some((self.command)(&input.path, &[]));
        }
        Ok((examples, folder))
    }
}

fn keep(done: &Done, store: &mut Store) -> Result<(), CompareError> {
    for Example { signature, traces } in &done.examples {
        store.example(signature, traces.each_ref().map(PathBuf::as_path))?;
    }
    store.add(&done.row)
}
