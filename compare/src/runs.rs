//! The runs of one comparison, of two or more engines: what answers their host calls, and where the comparison keeps
//! its own files.

use crate::command_runs::CommandCount;
use crate::error::CompareError;
use crate::files::open_recorded_of;
use crate::host::HostMode;
use crate::progress::{Doing, Progress};
use crate::record::record;
use crate::settings::Settings;
use forkpoint_replay::{Report, Symbols, Timeline};
use forkpoint_tracer::{
    CommandSpec, EndState, EngineSpec, HostSource, Keep, Program, Recorded, Request, Scratch, Stdio, Way,
};
use forkpoint_traces::Outcome;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Time limit for each way that a command may have.
const PATIENCE: Duration = Duration::from_secs(20);

/// What all runs of one comparison share.
pub(crate) struct Runs<'a> {
    pub program: &'a Program,
    pub settings: &'a Settings,
    pub progress: &'a dyn Progress,
    /// Folder for traces that are not part of the result.
    aside: Scratch,
    /// The trace whose host log answers all further runs.
    pinned: Option<PathBuf>,
    /// The host that answered the left side's first run, where that was not the one whose trace is reported.
    pub first_host: Option<String>,
    /// The full trace that runs by questions are compared with.
    reference: Option<PathBuf>,
    symbols: OnceLock<Symbols>,
    /// How often commands were run.
    pub commands: CommandCount,
}

impl<'a> Runs<'a> {
    pub fn new(
        program: &'a Program,
        settings: &'a Settings,
        progress: &'a dyn Progress,
    ) -> Result<Runs<'a>, CompareError> {
        let aside = Scratch::new().map_err(CompareError::io("creating a temporary folder"))?;
        Ok(Runs {
            program,
            settings,
            progress,
            aside,
            pinned: settings.log.clone().filter(|_| program.calls_out()),
            first_host: None,
            reference: None,
            symbols: OnceLock::new(),
            commands: CommandCount::default(),
        })
    }

    /// A file for a trace that is not part of the result.
    pub fn aside(&self, name: &str) -> PathBuf {
        self.aside.path().join(name)
    }

    /// Answers the host calls of all further runs from a trace's host log, if the settings pin the host.
    pub fn pin(&mut self, trace: &Path) {
        if self.settings.host.pins() && self.program.needs_host() {
            self.pinned = Some(trace.to_path_buf());
        }
    }

    /// Answers the host calls of all further runs from this recording's host log.
    pub fn answer_by(&mut self, recording: &Path) {
        self.pinned = Some(recording.to_path_buf());
    }

    /// Holds the runs of engines that give one answer a run against this full trace from now on.
    pub fn refer(&mut self, trace: &Path) {
        self.reference = Some(trace.to_path_buf());
    }

    /// Whether host calls are answered for real in every run. Then no run can be repeated, and runs differ by these
    /// answers.
    pub fn live(&self) -> bool {
        self.settings.host == HostMode::Live && self.program.needs_host()
    }

    /// The module's names.
    pub fn symbols(&self) -> &Symbols {
        self.symbols.get_or_init(|| {
            let symbols = Symbols::with(Arc::clone(self.program.original()), self.program.parts().cloned());
            match &self.settings.source_map {
                Some(map) => symbols.with_source_map(map),
                None => symbols,
            }
        })
    }

    /// Records a side for the first time. The guest's output goes where its request says.
    pub fn record_shown(&self, side: &Request) -> Result<Recorded, CompareError> {
        let recorded = self.record_as(side)?;
        // A run by questions ends where nothing more is asked, which has the same name.
        let asked = side.interrupt.load(std::sync::atomic::Ordering::Relaxed) || !side.engine.needs_reference();
        if recorded.outcome == Outcome::Interrupted && asked {
            return Err(CompareError::Interrupted { engine: side.engine.to_string() });
        }
        Ok(recorded)
    }

    /// Records a side without showing the guest's output, which was shown before or belongs to another side.
    pub fn record(&self, side: &Request) -> Result<Recorded, CompareError> {
        self.record_shown(&silent(side))
    }

    /// Records a side once more, to see what it does. An interrupted recording is not an error: what is known counts.
    pub fn record_again(&self, side: &Request) -> Result<Recorded, CompareError> {
        if side.engine.needs_reference() {
            return Err(CompareError::EventsOnly { engine: side.engine.to_string() });
        }
        self.record_as(&silent(side))
    }

    fn record_as(&self, side: &Request) -> Result<Recorded, CompareError> {
        let recorded = self.answered(side).and_then(|request| {
            let doing = match request.keep {
                _ if request.watch.is_some() => Doing::Narrowing,
                _ if request.sought.is_some() => Doing::SeekingWriter,
                Keep::Full => Doing::Recording,
                Keep::Digests => Doing::Digesting,
                Keep::Window { .. } | Keep::Windows(_) => Doing::RecordingWindow,
            };
            self.progress.run(doing, self.program, &request);
            record(self.program, &request, &self.settings.inputs)
        });
        if let Ok(recorded) = &recorded {
            self.commands.add(&side.engine, recorded.command_runs, recorded.elapsed);
        }
        recorded.map_err(|error| error.during(format!("recording under {}", side.engine)))
    }

    /// Runs a side without recording, and returns how it ends.
    pub fn plain(&self, side: &Request) -> Result<EndState, CompareError> {
        let request = self.answered(&silent(side))?;
        self.progress.run(Doing::RunningPlain, self.program, &request);
        let plain = self.program.run_plain(&request)?;
        self.commands.add(&side.engine, plain.command_runs, plain.elapsed);
        Ok(plain.end)
    }

    /// Compares two traces.
    pub fn report(&self, traces: [&Path; 2]) -> Result<Report, CompareError> {
        self.report_on(self.open(traces[0])?, traces[1])
    }

    /// Opens a trace that was recorded here.
    pub fn open(&self, trace: &Path) -> Result<Timeline, CompareError> {
        let timeline = open_recorded_of(trace, self.program.original())?;
        Ok(timeline.with_source_map(self.settings.source_map.as_ref()))
    }

    /// Compares a trace with another of a recording made here.
    pub fn report_on(&self, lhs: Timeline, rhs: &Path) -> Result<Report, CompareError> {
        let (mut lhs, mut rhs) = (lhs.with_source_map(self.settings.source_map.as_ref()), self.open(rhs)?);
        self.progress.comparing(&mut lhs);
        let mut report = Report::new(&mut lhs, &mut rhs, self.settings.context, self.settings.nan_bits)?;
        report.lhs.host = report.lhs.host.or_else(|| self.first_host.clone());
        Ok(report)
    }

    /// The request with its host calls answered as the settings say.
    fn answered(&self, side: &Request) -> Result<Request, CompareError> {
        let side = &match side.engine.needs_reference() {
            true => Request { reference: self.reference.clone(), ..side.clone() },
            false => side.clone(),
        };
        Ok(match &self.pinned {
            Some(log) => Request {
                host: HostSource::Log(log.clone()),
                stdin: Stdio::Null,
                output_streams: if side.echo { side.output_streams.clone() } else { Stdio::Null },
                ..side.clone()
            },
            None => {
                let host = self.settings.host_for(self.program, side, self.aside.path())?;
                Request { host, ..side.clone() }
            }
        })
    }
}

/// Does two things at once, where there are two processors for them.
pub(crate) fn at_once<L: Send, R>(left: impl FnOnce() -> L + Send, right: impl FnOnce() -> R) -> (L, R) {
    if std::thread::available_parallelism().map_or(1, std::num::NonZero::get) < 2 {
        return (left(), right());
    }
    std::thread::scope(|scope| {
        let left = scope.spawn(left);
        let right = right();
        (left.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), right)
    })
}

/// The side with the way that its engine has, where that is a command and nothing is said about it.
///
/// # Errors
/// When none works.
pub(crate) fn with_way(side: &Request) -> Result<Request, CompareError> {
    let EngineSpec::Command(spec) = &side.engine else { return Ok(side.clone()) };
    if spec.way.is_some() {
        return Ok(side.clone());
    }
    let asking = Request::new(side.engine.clone(), PathBuf::new())
        .map_err(CompareError::io("finding this program to start it again"))?;
    let asking = Request {
        timeout: Some(side.timeout.map_or(PATIENCE, |limit| limit.min(PATIENCE))),
        interrupt: Arc::clone(&side.interrupt),
        executable: side.executable.clone(),
        ..asking
    };
    let found = side.engine.command_ways(&asking).map_err(CompareError::from);
    let found = found.map_err(|error| error.during(format!("trying {}", side.engine)))?;
    // Where none works, the run says why.
    let way = found.and_then(|found| found.way).filter(|way| *way != Way::Stream);
    Ok(Request { engine: EngineSpec::Command(CommandSpec { way, ..spec.clone() }), ..side.clone() })
}

fn silent(side: &Request) -> Request {
    Request { output_streams: Stdio::Null, ..side.clone() }
}
