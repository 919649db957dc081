//! Whether a smaller module still diverges in the same way.

use super::{Reduction, ReductionStatus};
use crate::compared::Compared;
use crate::comparison::Comparison;
use crate::error::CompareError;
use crate::progress::Silent;
use crate::settings::{Kept, Reask, Settings};
use forkpoint_replay::{Likeness, Symbols};
use forkpoint_tracer::{HostSource, Invocation, Program, Recorded, Request, Scratch, Stdio};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// A module, and the calls that make it diverge.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub module: Vec<u8>,
    pub calls: Vec<Invocation>,
}

impl Candidate {
    /// The same calls of another module.
    pub fn with(&self, module: Vec<u8>) -> Candidate {
        Candidate { module, calls: self.calls.clone() }
    }
}

/// Why no further candidates are tried.
#[derive(Debug)]
pub(super) enum Halt {
    /// The time is up.
    Time,
    /// The user ended it.
    Interrupted,
}

/// Runs candidates.
pub(super) struct Judge<'a> {
    reduction: &'a Reduction<'a>,
    settings: Settings,
    sides: [Request; 2],
    folder: Scratch,
    target: Likeness,
    begun: Instant,
    tried: HashSet<blake3::Hash>,
    /// Number of candidates that were run.
    pub tries: u64,
    /// What is being done, in words.
    pub phase: &'static str,
    /// Bytes of the smallest module so far.
    pub smallest: usize,
}

impl<'a> Judge<'a> {
    /// A judge for what the module of `reduction` does now.
    ///
    /// # Errors
    /// When it cannot be run, or its runs agree.
    pub fn new(reduction: &'a Reduction<'a>) -> Result<(Judge<'a>, Compared), CompareError> {
        let folder = Scratch::new().map_err(CompareError::io("creating a temporary folder"))?;
        let silent = |side: &Request, name: &str| Request {
            output: folder.path().join(name),
            output_streams: Stdio::Null,
            native_limit: 0,
            ..side.clone()
        };
        let sides = [silent(&reduction.sides[0], "lhs.fpt"), silent(&reduction.sides[1], "rhs.fpt")];
        let fast = Settings {
            guard: false,
            reruns: Reask::Never,
            keep: Kept::Full,
            inputs: Vec::new(),
            ..reduction.settings.clone()
        };
        let mut judge = Judge {
            reduction,
            settings: fast,
            sides,
            folder,
            target: Likeness::default(),
            begun: Instant::now(),
            tried: HashSet::new(),
            tries: 0,
            phase: "comparing",
            smallest: reduction.module.len(),
        };
        let original = reduction.original();
        judge.report();
        let mut found = judge.compare(&original)?;
        if found.as_ref().is_none_or(|(_, compared)| compared.report.agree != Some(false)) {
            // What only a guard or a rerun shows.
            judge.settings = Settings { guard: true, reruns: Reask::Always, ..judge.settings };
            found = judge.compare(&original)?;
        }
        let Some((likeness, compared)) = found else { return Err(CompareError::NothingToReduce) };
        judge.target = likeness;
        // No candidate comes twice.
        judge.sides.iter_mut().for_each(|side| side.cache = None);
        Ok((judge, compared))
    }

    /// What all candidates have to do.
    pub fn target(&self) -> &Likeness {
        &self.target
    }

    /// The left side's trace of the original's comparison, until the first candidate is tried.
    pub fn reference_trace(&self) -> &Path {
        &self.sides[0].output
    }

    /// A file of the judge's folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Compares the two sides on a candidate; `None` if it cannot be run or they agree.
    fn compare(&self, candidate: &Candidate) -> Result<Option<(Likeness, Compared)>, CompareError> {
        let program = self.program(candidate)?;
        let settings = self.settings.clone();
        let comparison = Comparison { program: &program, sides: self.sides.clone(), settings, progress: &Silent };
        let compared = comparison.run()?;
        let symbols = Symbols::new(Arc::clone(program.original()));
        Ok(Likeness::of(&compared.report, &symbols).map(|likeness| (likeness, compared)))
    }

    fn program(&self, candidate: &Candidate) -> Result<Program, CompareError> {
        let Reduction { name, allocator, imports, .. } = self.reduction;
        let module = candidate.module.clone();
        Ok(Program::allocating(name, module, &candidate.calls, *allocator, imports)?)
    }

    /// Whether a candidate diverges like the original. One that was tried before does not.
    ///
    /// # Errors
    /// When there is no time left, or the user ended it.
    pub fn same(&mut self, candidate: &Candidate) -> Result<bool, Halt> {
        if self.sides[0].interrupt.load(Ordering::Relaxed) {
            return Err(Halt::Interrupted);
        }
        if self.begun.elapsed() > self.reduction.time {
            return Err(Halt::Time);
        }
        if !self.tried.insert(blake3::hash(&candidate.module)) || !is_valid(&candidate.module) && self.wants_valid() {
            return Ok(false);
        }
        self.tries += 1;
        self.report();
        // What cannot be run does not diverge.
        let found = self.compare(candidate).ok().flatten();
        Ok(found.is_some_and(|(likeness, _)| likeness == self.target))
    }

    /// The same, for a candidate that is to become the smallest one.
    pub fn accept(&mut self, best: &mut Candidate, candidate: Candidate) -> Result<bool, Halt> {
        let same = self.same(&candidate)?;
        if same {
            self.smallest = candidate.module.len();
            *best = candidate;
        }
        Ok(same)
    }

    fn wants_valid(&self) -> bool {
        is_valid(&self.reduction.module)
    }

    /// Compares a candidate once more, for the report. `None` if it cannot be run any more.
    pub fn last(&self, candidate: &Candidate) -> Option<Compared> {
        Some(self.compare(candidate).ok()??.1)
    }

    /// Lets no run of a candidate take much longer than it has to. Short runs are cheapest recorded at once.
    pub fn limit(&mut self, needed: Duration) {
        let limit = Duration::from_millis(500).max(needed * 20);
        for side in &mut self.sides {
            side.timeout = Some(side.timeout.map_or(limit, |timeout| timeout.min(limit)));
        }
    }

    /// Records a module under the left engine, with the host's answers from `log`. The trace is at [`Judge::file`] of `name`.
    pub fn record(&self, candidate: &Candidate, log: Option<&Path>, name: &str) -> Result<Recorded, CompareError> {
        let program = self.program(candidate)?;
        let host = match log {
            Some(log) if program.needs_host() => HostSource::Log(log.to_path_buf()),
            _ => HostSource::Live,
        };
        let request = Request { output: self.file(name), host, ..self.sides[0].clone() };
        Ok(program.record(&request, &mut |_, _| {})?)
    }

    /// Tells how far the reduction is.
    pub fn report(&self) {
        (self.reduction.progress)(ReductionStatus {
            phase: self.phase,
            bytes: self.smallest,
            tries: self.tries,
            elapsed: self.begun.elapsed(),
        });
    }

    /// Time since the start.
    pub fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }
}

/// Whether a module is valid with everything switched on: most that is not is not worth starting engines for.
fn is_valid(module: &[u8]) -> bool {
    wasmparser::Validator::new_with_features(wasmparser::WasmFeatures::all()).validate_all(module).is_ok()
}
