//! Whether a smaller module still diverges in the same way.

use super::candidate::Candidate;
use super::log::{Decision, Log};
use super::quick::Quick;
use super::reduction::{Reduction, ReductionStatus};
use super::state::State;
use super::witness::witness;
use crate::compared::Compared;
use crate::comparison::Comparison;
use crate::error::CompareError;
use crate::files::open_trace;
use crate::runs::with_way;
use crate::settings::{Kept, Reask, Settings};
use forkpoint_replay::Likeness;
use forkpoint_tracer::{EngineSpec, HostSource, Program, Recorded, Request, Scratch, Stdio, Workers};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Events that a candidate's runs may have beyond what is needed: a millisecond's.
const SPARE: u64 = 1 << 16;

/// Time between two states that are written.
const BETWEEN_STATES: Duration = Duration::from_secs(5);

/// Why no further candidates are tried.
#[derive(Debug)]
pub(super) enum Halt {
    /// The time is up.
    Time,
    /// The user ended it.
    Interrupted,
    /// The last candidates were taken by their plain runs alone, and a comparison shows that they should not have been.
    Astray,
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
    /// Whether the ends of the best candidate's runs show the divergence: then those of smaller ones have to, too, since a
    /// maintainer looks at nothing else.
    shows: bool,
    /// The same of the last candidate that was compared.
    last_shows: bool,
    /// Whether the original is valid: candidates have to be, too.
    wants_valid: bool,
    begun: Instant,
    tried: HashSet<blake3::Hash>,
    /// The position at which the runs of the last candidate that diverged part.
    parting: u64,
    /// The side that wasmi stands in for, until a candidate is about to be taken.
    deputy: Option<usize>,
    /// Looks at plain runs first, where that is much quicker.
    quick: Option<Quick>,
    /// When the state was written last.
    saved: Instant,
    /// Of which call the best candidate is a program of its own: how many callers out.
    pub sliced: Option<usize>,
    /// The state where it began to take pieces out. Before, there is nothing to go on from.
    start: Option<State>,
    /// What became of each candidate since.
    log: Log,
    /// Number of candidates that were run.
    pub tries: u64,
    /// What is being done, in words.
    pub phase: &'static str,
    /// Bytes of the smallest module so far.
    pub smallest: usize,
}

impl<'a> Judge<'a> {
    /// A judge that has not run anything yet.
    ///
    /// # Errors
    /// When there is no temporary folder, or no way to run a command.
    pub fn new(reduction: &'a Reduction<'a>) -> Result<Judge<'a>, CompareError> {
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
        Ok(Judge {
            reduction,
            settings: fast,
            sides,
            folder,
            target: Likeness::default(),
            open: None,
            shows: false,
            last_shows: false,
            wants_valid: is_valid(&reduction.module),
            begun: Instant::now(),
            tried: HashSet::new(),
            parting: 0,
            deputy: None,
            quick: None,
            saved: Instant::now(),
            sliced: None,
            start: None,
            log: Log::default(),
            tries: 0,
            phase: "comparing",
            smallest: reduction.module.len(),
        })
    }

    /// Compares the module as it is: in which way it diverges is what all candidates have to do.
    ///
    /// # Errors
    /// When it cannot be run, or its runs agree.
    pub fn find(&mut self) -> Result<Compared, CompareError> {
        let original = Candidate::original(self.reduction);
        self.report();
        let mut found = self.compare(&original, Reask::Never)?;
        if found.as_ref().is_none_or(|(_, compared)| compared.report.agree != Some(false)) {
            // What only a guard or a rerun shows.
            self.thorough();
            found = self.compare(&original, Reask::Always)?;
        }
        let Some((likeness, compared)) = found else { return Err(CompareError::NothingToReduce) };
        self.target = likeness;
        // Candidates' traces take its place.
        std::fs::rename(&self.sides[0].output, self.reference_trace())
            .map_err(CompareError::io("keeping the reference's trace"))?;
        self.share_processes();
        Ok(compared)
    }

    /// Goes on from an earlier reduction's state. Returns the candidate that it took pieces from, of which the same will be taken
    /// again; `None` if the state is damaged.
    pub fn go_on_from(&mut self, state: State) -> Option<Candidate> {
        let start = state.start()?;
        self.log = state.log()?;
        self.target = state.likeness();
        if state.guard {
            self.thorough();
        }
        (self.open, self.parting, self.shows, self.sliced) = (state.open, state.parting, state.shows, state.sliced);
        for side in &mut self.sides {
            (side.event_limit, side.timeout) = (state.event_limit, state.timeout);
        }
        self.share_processes();
        self.begin_to_take(&start);
        self.start = Some(state);
        Some(start)
    }

    /// Begins to take pieces from a candidate. A reduction that is ended can be gone on with from here on.
    pub fn begin(&mut self, start: &Candidate) {
        let mut state = State::of(self.reduction, &self.target, start);
        (state.open, state.parting, state.shows, state.sliced) = (self.open, self.parting, self.shows, self.sliced);
        state.guard = self.settings.guard;
        (state.event_limit, state.timeout) = (self.sides[0].event_limit, self.sides[0].timeout);
        self.start = Some(state);
        self.begin_to_take(start);
    }

    /// What was tried before is forgotten, so that a reduction that goes on tries the same.
    fn begin_to_take(&mut self, start: &Candidate) {
        self.tried = HashSet::from([blake3::hash(&start.module)]);
        (self.tries, self.smallest) = (0, start.module.len());
    }

    fn thorough(&mut self) {
        self.settings.guard = true;
        self.settings.reruns = Reask::Always;
    }

    /// No candidate comes twice, and to start a process takes longer than to run most of them.
    fn share_processes(&mut self) {
        let workers = Arc::new(Workers::default());
        for side in &mut self.sides {
            side.cache = None;
            side.gauge = Arc::default();
            side.workers = Some(Arc::clone(&workers));
        }
    }

    /// Keeps how far the reduction is, if the user wants that.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&mut self) -> Result<(), CompareError> {
        self.saved = Instant::now();
        let (Some(path), Some(state)) = (&self.reduction.state, &mut self.start) else { return Ok(()) };
        state.set_log(&self.log);
        state.write(path)
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
        self.compare_on(candidate, &self.sides, reruns)
    }

    fn compare_on(
        &self,
        candidate: &Candidate,
        sides: &[Request; 2],
        reruns: Reask,
    ) -> Result<Option<(Likeness, Compared)>, CompareError> {
        let program = self.program(candidate)?;
        let settings = Settings { reruns, ..self.settings.clone() };
        let comparison = Comparison { settings, ..Comparison::new(&program, sides.clone()) };
        let compared = comparison.run()?;
        Ok(compared.likeness.clone().map(|likeness| (likeness, compared)))
    }

    fn program(&self, candidate: &Candidate) -> Result<Program, CompareError> {
        let Reduction { name, allocator, imports, .. } = self.reduction;
        let module = candidate.module.clone();
        if let (true, Some(log)) = (candidate.in_javascript, &self.settings.log) {
            return Ok(Program::recorded_as(&open_trace(log)?, module)?);
        }
        Ok(Program::allocating(name, module, &candidate.calls, *allocator, imports)?)
    }

    /// Whether a candidate is one to run: it is valid, and was not tried before.
    ///
    /// # Errors
    /// When there is no time left, or the user ended it.
    fn is_new(&mut self, candidate: &Candidate) -> Result<bool, Halt> {
        self.go_on()?;
        // What is only taken again takes no time.
        if self.begun.elapsed() > self.reduction.time && !self.log.goes_on() {
            return Err(Halt::Time);
        }
        if !self.tried.insert(blake3::hash(&candidate.module)) || !is_valid(&candidate.module) && self.wants_valid {
            return Ok(false);
        }
        self.tries += 1;
        self.report();
        Ok(true)
    }

    fn go_on(&self) -> Result<(), Halt> {
        match self.sides[0].interrupt.load(Ordering::Relaxed) {
            true => Err(Halt::Interrupted),
            false => Ok(()),
        }
    }

    /// Runs a candidate.
    fn decide(&mut self, candidate: &Candidate) -> Decision {
        if self.deputy.is_some_and(|side| self.parting_of(candidate, &self.deputized(side)).is_none()) {
            return Decision::Refused;
        }
        match &self.quick {
            Some(quick) if !quick.passes(candidate) => return Decision::Refused,
            Some(quick) if quick.may_take() => return Decision::Presumed,
            _ => {}
        }
        if self.compares(candidate) && self.as_open(candidate) {
            return Decision::Taken { parting: self.parting, shows: self.last_shows };
        }
        if self.is_unsure() { Decision::Astray } else { Decision::Refused }
    }

    /// Whether a comparison shows that a candidate diverges like the original.
    fn compares(&mut self, candidate: &Candidate) -> bool {
        let Some(position) = self.parting_of(candidate, &self.sides) else { return false };
        let shows = witness(&candidate.module, &self.file("lhs.fpt"), &self.file("rhs.fpt")).is_ok();
        self.last_shows = shows;
        self.parting = position;
        shows || !self.shows
    }

    /// Looks at plain runs first from here on, if they show that this candidate's runs part.
    pub fn be_quick(&mut self, candidate: &Candidate) {
        if !self.settings.guard && self.open != Some(true) {
            self.quick = Quick::of(candidate, &self.sides, |name| self.file(name));
        }
    }

    /// Goes back to the last candidate that was compared, if some were taken since.
    pub fn go_back(&mut self, best: &mut Candidate) {
        let Some(quick) = &mut self.quick else { return };
        let (compared, since) = quick.go_back();
        for hash in since {
            self.tried.remove(&hash);
        }
        self.smallest = compared.module.len();
        *best = compared;
    }

    /// Whether the best candidate was taken by its plain runs alone.
    pub fn is_unsure(&self) -> bool {
        self.quick.as_ref().is_some_and(|quick| !quick.is_confirmed())
    }

    /// Where the runs of a candidate part, if they do so like the original's. What cannot be run does not.
    fn parting_of(&self, candidate: &Candidate, sides: &[Request; 2]) -> Option<u64> {
        let (likeness, compared) = self.compare_on(candidate, sides, self.settings.reruns).ok().flatten()?;
        let position = compared.report.position.map_or(0, |position| position.0);
        // How far beyond their limit two runs came is chance.
        let counts = sides[0].event_limit.is_none_or(|most| position <= most);
        (likeness == self.target && counts).then_some(position)
    }

    /// The sides with the deputy for one of them.
    fn deputized(&self, side: usize) -> [Request; 2] {
        let mut sides = self.sides.clone();
        sides[side].engine = EngineSpec::Wasmi;
        sides
    }

    /// Looks for a side that wasmi can stand in for: one that compiles, without which a candidate diverges in the same way. wasmi
    /// begins at once, so what it shows to be of no use is not compiled.
    pub fn find_deputy(&mut self, candidate: &Candidate) {
        let compiles = |side: &Request| !matches!(side.engine, EngineSpec::Wasmi | EngineSpec::Command(_));
        let stands_in = |side: &usize| {
            compiles(&self.sides[*side]) && self.parting_of(candidate, &self.deputized(*side)).is_some()
        };
        self.deputy = [0, 1].into_iter().filter(|_| !self.settings.guard).find(stands_in);
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
    ///
    /// # Errors
    /// When it is halted.
    pub fn accept_slice(&mut self, best: &mut Candidate, slice: Candidate) -> Result<bool, Halt> {
        let same = self.is_new(&slice)? && self.compares(&slice);
        if same {
            // The same instructions with the same operands: asking of the slice is cheaper.
            self.open = Some(self.is_open(&slice));
            self.take(best, slice);
        }
        Ok(same)
    }

    /// The same, for a smaller module that is to become the smallest one.
    ///
    /// # Errors
    /// When it is halted.
    pub fn accept(&mut self, best: &mut Candidate, candidate: Candidate) -> Result<bool, Halt> {
        if !self.is_new(&candidate)? {
            return Ok(false);
        }
        let known = self.log.next(&candidate);
        let has_quick = self.quick.is_some();
        let usable = known.filter(|known| has_quick || !matches!(known, Decision::Presumed | Decision::Astray));
        let decision = match usable {
            Some(decision) => decision,
            None => {
                let decision = self.decide(&candidate);
                // What was ended by the user decides nothing.
                self.go_on()?;
                self.log.note(&candidate, decision);
                decision
            }
        };
        match (decision, &mut self.quick) {
            (Decision::Refused | Decision::Confirmed(_), _) => return Ok(false),
            (Decision::Astray, _) => return Err(Halt::Astray),
            (Decision::Presumed, Some(quick)) => quick.took(&candidate),
            (Decision::Presumed, None) => return Ok(false),
            (Decision::Taken { parting, shows }, quick) => {
                (self.parting, self.last_shows) = (parting, shows);
                if let Some(quick) = quick {
                    quick.confirmed(&candidate);
                }
            }
        }
        self.take(best, candidate);
        Ok(true)
    }

    /// Candidates are smaller than the best, so where runs of them have not parted by twice its number of events, they are not
    /// waited for: without the call that traps a program may go on for millions. Only the guard has runs without events.
    fn take(&mut self, best: &mut Candidate, candidate: Candidate) {
        self.smallest = candidate.module.len();
        *best = candidate;
        if self.is_unsure() {
            return;
        }
        self.shows = self.last_shows;
        if self.saved.elapsed() > BETWEEN_STATES {
            // It is written again at the end, which says what does not work.
            let _ = self.save();
        }
        if !self.settings.guard {
            let most = Some(self.parting.saturating_mul(2).saturating_add(SPARE));
            self.sides.iter_mut().for_each(|side| side.event_limit = most);
        }
    }

    /// Whether the best candidate of a round diverges in processes of its own, too. If not, an earlier candidate has damaged the one
    /// that it ran in, and from now on each has its own.
    ///
    /// # Errors
    /// When it is halted.
    pub fn confirm(&mut self, best: &Candidate) -> Result<bool, Halt> {
        let same = match self.log.next(best) {
            Some(Decision::Confirmed(same)) => same,
            _ => {
                let same = self.diverges_alone(best);
                self.go_on()?;
                self.log.note(best, Decision::Confirmed(same));
                same
            }
        };
        if let (Some(quick), true) = (&mut self.quick, same) {
            quick.confirmed(best);
        }
        if !same && !self.is_unsure() {
            self.sides.iter_mut().for_each(|side| side.workers = None);
        }
        Ok(same)
    }

    /// Whether a candidate diverges in processes of its own.
    pub fn diverges_alone(&mut self, candidate: &Candidate) -> bool {
        let workers = self.sides.each_mut().map(|side| side.workers.take());
        let found = self.compare(candidate, self.settings.reruns).ok().flatten();
        let same = found.is_some_and(|(likeness, _)| likeness == self.target);
        let same = same && (!self.is_unsure() || self.as_open(candidate));
        self.sides.iter_mut().zip(workers).for_each(|(side, workers)| side.workers = workers);
        same
    }

    /// Whether candidates share processes.
    pub fn shares_processes(&self) -> bool {
        self.sides.iter().any(|side| side.workers.is_some())
    }

    /// Compares a candidate once more, with all that a report needs. `None` if it cannot be run any more.
    pub fn last(&mut self, candidate: &Candidate) -> Option<Compared> {
        self.settings.guard = true;
        for (side, of_user) in self.sides.iter_mut().zip(&self.reduction.sides) {
            // What earlier candidates left behind in a process is not to be believed.
            side.workers = None;
            side.event_limit = None;
            side.native_limit = of_user.native_limit;
        }
        let found = match self.compare(candidate, Reask::Always) {
            // A command whose end without recording is not understood.
            Err(_) => {
                self.settings.guard = false;
                self.compare(candidate, Reask::Always)
            }
            found => found,
        };
        Some(found.ok()??.1)
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
        let host = match log.or(self.settings.log.as_deref()) {
            Some(log) if program.calls_out() => HostSource::Log(log.to_path_buf()),
            _ => HostSource::Live,
        };
        // How far a run came that is ended is chance, and so is what it left.
        let request = Request { output: self.file(name), host, event_limit: None, ..self.sides[0].clone() };
        Ok(program.record(&request, &mut |_, _| {})?)
    }

    /// Forgets what was tried.
    pub fn forget(&mut self) {
        self.tried.clear();
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

    /// The folder with the traces of the last comparison.
    pub fn into_folder(self) -> Scratch {
        self.folder
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
