//! Whether a smaller module still diverges in the same way.

use super::reduction::{Reduction, ReductionStatus};
use crate::compared::Compared;
use crate::comparison::Comparison;
use crate::error::CompareError;
use crate::runs::with_way;
use crate::settings::{Kept, Reask, Settings};
use forkpoint_replay::Likeness;
use forkpoint_tracer::{HostSource, Invocation, Program, Recorded, Request, Scratch, Stdio};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// A module, and the calls that make it diverge.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub module: Vec<u8>,
    pub calls: Vec<Invocation>,
}

impl Candidate {
    /// The module of a reduction as it is.
    pub fn original(reduction: &Reduction<'_>) -> Candidate {
        Candidate { module: reduction.module.clone(), calls: reduction.calls.clone() }
    }

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
    /// Whether the specification leaves open what the runs differ in, once that is known.
    open: Option<bool>,
    /// Whether the original is valid: candidates have to be, too.
    wants_valid: bool,
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
        // A command is asked once what it can do, and not for each candidate.
        let [lhs, rhs] = [with_way(&reduction.sides[0])?, with_way(&reduction.sides[1])?];
        let sides = [silent(&lhs, "lhs.fpt"), silent(&rhs, "rhs.fpt")];
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
            open: None,
            wants_valid: is_valid(&reduction.module),
            begun: Instant::now(),
            tried: HashSet::new(),
            tries: 0,
            phase: "comparing",
            smallest: reduction.module.len(),
        };
        let original = Candidate::original(reduction);
        judge.report();
        let mut found = judge.compare(&original, Reask::Never)?;
        if found.as_ref().is_none_or(|(_, compared)| compared.report.agree != Some(false)) {
            // What only a guard or a rerun shows.
            judge.settings = Settings { guard: true, reruns: Reask::Always, ..judge.settings };
            found = judge.compare(&original, Reask::Always)?;
        }
        let Some((likeness, compared)) = found else { return Err(CompareError::NothingToReduce) };
        judge.target = likeness;
        // Candidates' traces take its place.
        std::fs::rename(&judge.sides[0].output, judge.reference_trace())
            .map_err(CompareError::io("keeping the reference's trace"))?;
        // No candidate comes twice.
        judge.sides.iter_mut().for_each(|side| side.cache = None);
        Ok((judge, compared))
    }

    /// What all candidates have to do.
    pub fn target(&self) -> &Likeness {
        &self.target
    }

    /// The left side's trace of the original's comparison.
    pub fn reference_trace(&self) -> PathBuf {
        self.file("reference.fpt")
    }

    /// A file of the judge's folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Compares the two sides on a candidate; `None` if it cannot be run or they agree.
    fn compare(&self, candidate: &Candidate, reruns: Reask) -> Result<Option<(Likeness, Compared)>, CompareError> {
        let program = self.program(candidate)?;
        let settings = Settings { reruns, ..self.settings.clone() };
        let comparison = Comparison { settings, ..Comparison::new(&program, self.sides.clone()) };
        let compared = comparison.run()?;
        Ok(compared.likeness.clone().map(|likeness| (likeness, compared)))
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
        if !self.tried.insert(blake3::hash(&candidate.module)) || !is_valid(&candidate.module) && self.wants_valid {
            return Ok(false);
        }
        self.tries += 1;
        self.report();
        // What cannot be run does not diverge.
        let found = self.compare(candidate, self.settings.reruns).ok().flatten();
        Ok(found.is_some_and(|(likeness, _)| likeness == self.target))
    }

    /// Whether the specification leaves open, in a candidate as in the original, what the runs differ in. Without this, a wrong
    /// value would soon become one that depends on the bits of a NaN: there are many ways to that.
    fn as_open(&mut self, candidate: &Candidate) -> bool {
        if !has_open_results(&candidate.module) {
            return self.open != Some(true);
        }
        let open = match self.open {
            Some(open) => open,
            None => self.is_open(&Candidate::original(self.reduction)),
        };
        self.open = Some(open);
        self.is_open(candidate) == open
    }

    fn is_open(&self, candidate: &Candidate) -> bool {
        let found = self.compare(candidate, Reask::Always).ok().flatten();
        found.is_some_and(|(_, compared)| compared.report.allowed.is_some_and(|allowed| allowed.certain))
    }

    /// Takes a part of the original's run for the smallest candidate if it diverges like the whole.
    pub fn accept_slice(&mut self, best: &mut Candidate, slice: Candidate) -> Result<bool, Halt> {
        let same = self.same(&slice)?;
        if same {
            // The same instructions with the same operands: asking of the slice is cheaper.
            self.open = Some(self.is_open(&slice));
            self.smallest = slice.module.len();
            *best = slice;
        }
        Ok(same)
    }

    /// The same, for a candidate that is to become the smallest one.
    pub fn accept(&mut self, best: &mut Candidate, candidate: Candidate) -> Result<bool, Halt> {
        let same = self.same(&candidate)? && self.as_open(&candidate);
        if same {
            self.smallest = candidate.module.len();
            *best = candidate;
        }
        Ok(same)
    }

    /// Compares a candidate once more, with all that a report needs. `None` if it cannot be run any more.
    pub fn last(&mut self, candidate: &Candidate) -> Option<Compared> {
        self.settings.guard = true;
        for (side, of_user) in self.sides.iter_mut().zip(&self.reduction.sides) {
            side.native_limit = of_user.native_limit;
        }
        Some(self.compare(candidate, Reask::Always).ok()??.1)
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

/// What instructions do with floats, by the beginnings of their names, that never makes a NaN or keeps its bits.
const MAKES_NO_NAN: &[&str] = &[
    "Abs",
    "Const",
    "Convert",
    "Copysign",
    "Eq",
    "Extract",
    "Ge",
    "Gt",
    "Le",
    "Load",
    "Lt",
    "Reinterpret",
    "Replace",
    "Splat",
    "Store",
];

/// Whether a module has instructions whose results the specification leaves open: those that make NaNs, and relaxed ones.
fn has_open_results(module: &[u8]) -> bool {
    let is_open = |operator: &wasmparser::Operator<'_>| {
        let name = format!("{operator:?}");
        let name = name.split([' ', '{']).next().unwrap_or_default();
        let float = ["F32x4", "F64x2", "F32", "F64"].iter().find_map(|ty| name.strip_prefix(ty));
        name.contains("Relaxed")
            || float.is_some_and(|what| !MAKES_NO_NAN.iter().any(|start| what.starts_with(start)))
    };
    let bodies = super::sections::bodies(module).unwrap_or_default();
    bodies
        .iter()
        .filter_map(|body| body.get_operators_reader().ok())
        .any(|reader| reader.into_iter().any(|operator| operator.is_ok_and(|operator| is_open(&operator))))
}
