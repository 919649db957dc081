//! One comparison of two builds of a program, each under an engine: from the first run to the result.
//!
//! The host answers the first build, and its log the second one, by what the calls mean. Digests cannot compare what has
//! different sites, so both runs are recorded in full.

use crate::build_calls::{BuildCalls, returned, were_never_in_memory};
use crate::error::{CompareError, in_one_line};
use crate::files::open_recorded;
use crate::host::HostMode;
use crate::progress::{Doing, Progress, Silent};
use crate::record::record;
use crate::runs::{at_once, with_way};
use crate::settings::{Reask, Settings};
use forkpoint_replay::{BuildVerdict, BuildsReport, Side, UnlikeReturn, printable};
use forkpoint_tracer::{CallResult, EndState, HostSource, Program, Recorded, Request, Scratch, Stdio};
use forkpoint_traces::Outcome;
use serde::Serialize;
use std::path::Path;
use std::sync::atomic::Ordering;

/// Two builds of a program, each under an engine.
pub struct BuildComparison<'a> {
    /// The builds, prepared for the same calls.
    pub programs: [&'a Program; 2],
    /// Their runs: each names its engine and the trace to write. The guest's output goes where the left request says; the
    /// right run prints nothing.
    pub sides: [Request; 2],
    /// How they are compared. What concerns digests and windows does not apply.
    pub settings: Settings,
    /// Follows its progress.
    pub progress: &'a dyn Progress,
}

/// What a comparison of two builds found. Its JSON form is documented in `docs/json.md`.
#[derive(Debug, Serialize)]
pub struct ComparedBuilds {
    /// What the two traces show.
    #[serde(flatten)]
    pub report: BuildsReport,
    /// Where what differs was never in memory, the first function of both that returned another value for the same
    /// arguments; `None` if there is none, and where only traces were compared.
    pub returned: Option<UnlikeReturn>,
    /// What runs without recording show; `None` if there were none or one was cut short.
    pub guard: Option<BuildGuard>,
    /// Who answered host calls; `None` where neither build has any.
    pub host: Option<HostMode>,
}

/// Whether recording changes what the builds do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BuildGuard {
    /// Builds that ended otherwise without recording.
    pub changed_by_recording: Vec<Side>,
    /// Whether both end in the same way without recording: outcome and results.
    pub same_without_recording: bool,
}

impl From<BuildsReport> for ComparedBuilds {
    /// The result of a comparison of two traces alone.
    fn from(report: BuildsReport) -> ComparedBuilds {
        ComparedBuilds { report, returned: None, guard: None, host: None }
    }
}

impl<'a> BuildComparison<'a> {
    /// A comparison with the default settings and without progress.
    pub fn new(programs: [&'a Program; 2], sides: [Request; 2]) -> BuildComparison<'a> {
        BuildComparison { programs, sides, settings: Settings::default(), progress: &Silent }
    }

    /// Runs it: the top-level entry point for comparing two builds.
    ///
    /// # Errors
    /// When a run is not possible, and [`CompareError::Interrupted`] when the user ended it. What a build or an engine does
    /// is not an error.
    pub fn run(&self) -> Result<ComparedBuilds, CompareError> {
        let sides = [with_way(&self.sides[0])?, with_way(&self.sides[1])?];
        if let Some(side) = sides.iter().find(|side| side.engine.needs_reference()) {
            return Err(CompareError::BuildByQuestions { engine: side.engine.to_string() });
        }
        if self.settings.host == HostMode::Live {
            return Err(CompareError::LiveBuilds);
        }
        let aside = Scratch::new().map_err(CompareError::io("creating a temporary folder"))?;
        let [left, right] = sides;
        let left = Request { host: self.settings.host_for(self.programs[0], &left, aside.path())?, ..left };
        let right = Request {
            host: match self.programs[1].needs_host() {
                true => HostSource::LogOfOtherBuild(left.output.clone()),
                false => HostSource::Live,
            },
            ..silent(right)
        };
        let recorded = [self.record(Side::Lhs, &left)?, self.record(Side::Rhs, &right)?];
        // From here on the log answers the left build, too.
        let left = match self.programs[0].needs_host() {
            true => Request { host: HostSource::Log(left.output.clone()), ..silent(left) },
            false => silent(left),
        };
        let plain = self.settings.guard.then(|| self.plain([&left, &right])).transpose()?;
        let report = self.report([&left.output, &right.output])?;
        let host = self.programs.iter().any(|program| program.needs_host()).then_some(self.settings.host);
        let mut compared = ComparedBuilds { host, ..ComparedBuilds::from(report) };
        if were_never_in_memory(&compared.report) && self.settings.reruns != Reask::Never {
            self.progress.run(Doing::Recording, self.programs[0], &left);
            match returned(self.programs, [&left, &right], &recorded, aside.path(), &self.settings.inputs) {
                Ok(BuildCalls::Unlike(found)) => compared.returned = Some(found),
                Ok(BuildCalls::Unknown(why)) => compared.report.notes.push(why),
                Err(error) if error.is_interrupt() => return Err(error),
                Err(error) => {
                    let why = printable(&in_one_line(&error));
                    compared.report.notes.push(format!("which function returned another value is not known: {why}"));
                }
            }
        }
        if let Some(plain) = plain.filter(|plain| plain.iter().all(|end| !end.outcome.is_cut_short())) {
            compared.judge(&plain, &recorded);
        }
        Ok(compared)
    }

    fn record(&self, side: Side, request: &Request) -> Result<Recorded, CompareError> {
        let program = self.programs[side.index()];
        self.progress.run(Doing::Recording, program, request);
        let recorded = record(program, request, &self.settings.inputs)
            .map_err(|error| error.during(format!("recording {side} under {}", request.engine)))?;
        if recorded.outcome == Outcome::Interrupted || request.interrupt.load(Ordering::Relaxed) {
            return Err(CompareError::Interrupted { engine: request.engine.to_string() });
        }
        Ok(recorded)
    }

    /// Runs both builds without recording.
    fn plain(&self, sides: [&Request; 2]) -> Result<[EndState; 2], CompareError> {
        let run = |side: Side| {
            let (program, request) = (self.programs[side.index()], sides[side.index()]);
            self.progress.run(Doing::RunningPlain, program, request);
            let plain = program.run_plain(request).map_err(CompareError::from);
            plain
                .map(|plain| plain.end)
                .map_err(|error| error.during(format!("running {side} under {} without recording", request.engine)))
        };
        let (lhs, rhs) = at_once(|| run(Side::Lhs), || run(Side::Rhs));
        Ok([lhs?, rhs?])
    }

    fn report(&self, traces: [&Path; 2]) -> Result<BuildsReport, CompareError> {
        let [mut lhs, mut rhs] = [open_recorded(traces[0])?, open_recorded(traces[1])?];
        self.progress.comparing(&mut lhs);
        Ok(BuildsReport::new(&mut lhs, &mut rhs, self.settings.context, self.settings.nan_bits)?)
    }
}

impl ComparedBuilds {
    /// Lets the runs without recording count: an agreement that is only there with recording is none.
    fn judge(&mut self, plain: &[EndState; 2], recorded: &[Recorded; 2]) {
        let changed = |side: &Side| !plain[side.index()].is_that_of(&recorded[side.index()]);
        let guard = BuildGuard {
            changed_by_recording: Side::BOTH.into_iter().filter(changed).collect(),
            same_without_recording: plain[0].outcome.may_be(&plain[1].outcome)
                && exports(&plain[0]).eq(exports(&plain[1])),
        };
        if !guard.changed_by_recording.is_empty() && self.report.agree == Some(true) && !guard.same_without_recording
        {
            self.report.agree = Some(false);
            self.report.verdict = Some(BuildVerdict::ObserverEffect);
            self.report.meaning = Some(BuildVerdict::ObserverEffect.meaning());
            self.report.difference = Some("without recording the builds end differently".to_string());
        }
        self.guard = Some(guard);
    }
}

/// What became of the calls of exports: the start function is a build's own.
fn exports(end: &EndState) -> impl Iterator<Item = &CallResult> {
    end.calls.iter().filter(|call| call.function != "(start)")
}

/// What a build needs of its host: nothing that the guest prints is shown twice.
fn silent(side: Request) -> Request {
    Request { stdin: Stdio::Null, output_streams: Stdio::Null, ..side }
}

/// Refuses a build that is not valid.
///
/// # Errors
/// When it is not: what of it runs is unknown.
pub fn refuse_invalid_build(path: &Path, program: &Program) -> Result<(), CompareError> {
    match program.invalid() {
        Some(why) => Err(CompareError::InvalidBuild { path: path.to_path_buf(), why: printable(&why.to_string()) }),
        None => Ok(()),
    }
}
