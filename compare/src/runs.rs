//! The runs of one comparison, of two or more engines: what answers their host calls, and where the comparison keeps
//! its own files.

use crate::error::CompareError;
use crate::files::open_recorded;
use crate::host::HostMode;
use crate::progress::{Doing, Progress};
use crate::record::record;
use crate::settings::Settings;
use forkpoint_replay::{Report, Symbols};
use forkpoint_tracer::{EndState, HostSource, Keep, Program, Recorded, Request, Scratch, Stdio};
use forkpoint_traces::Outcome;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

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
    symbols: OnceLock<Symbols>,
}

impl<'a> Runs<'a> {
    pub fn new(
        program: &'a Program,
        settings: &'a Settings,
        progress: &'a dyn Progress,
    ) -> Result<Runs<'a>, CompareError> {
        let aside = Scratch::new().map_err(CompareError::io("creating a temporary folder"))?;
        Ok(Runs { program, settings, progress, aside, pinned: None, first_host: None, symbols: OnceLock::new() })
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

    /// Whether host calls are answered for real in every run. Then no run can be repeated, and runs differ by these
    /// answers.
    pub fn live(&self) -> bool {
        self.settings.host == HostMode::Live && self.program.needs_host()
    }

    /// The module's names.
    pub fn symbols(&self) -> &Symbols {
        self.symbols.get_or_init(|| {
            Symbols::with(std::sync::Arc::clone(self.program.original()), self.program.parts().cloned())
        })
    }

    /// Records a side for the first time. The guest's output goes where its request says.
    pub fn record_shown(&self, side: &Request) -> Result<Recorded, CompareError> {
        let recorded = self.record_as(side)?;
        if recorded.outcome == Outcome::Interrupted {
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
        self.record_as(&silent(side))
    }

    fn record_as(&self, side: &Request) -> Result<Recorded, CompareError> {
        let recorded = self.answered(side).and_then(|request| {
            let doing = match request.keep {
                _ if request.watch.is_some() => Doing::Narrowing,
                _ if request.sought.is_some() => Doing::SeekingWriter,
                Keep::Full => Doing::Recording,
                Keep::Digests => Doing::Digesting,
                Keep::Window { .. } => Doing::RecordingWindow,
            };
            self.progress.run(doing, self.program, &request);
            record(self.program, &request, &self.settings.inputs)
        });
        recorded.map_err(|error| error.during(format!("recording under {}", side.engine)))
    }

    /// Runs a side without recording, and returns how it ends.
    pub fn plain(&self, side: &Request) -> Result<EndState, CompareError> {
        let request = self.answered(&silent(side))?;
        self.progress.run(Doing::RunningPlain, self.program, &request);
        Ok(self.program.run_plain(&request)?.end)
    }

    /// Compares two traces.
    pub fn report(&self, traces: [&Path; 2]) -> Result<Report, CompareError> {
        let [mut lhs, mut rhs] = [open_recorded(traces[0])?, open_recorded(traces[1])?];
        self.progress.comparing(&mut lhs);
        let mut report = Report::new(&mut lhs, &mut rhs, self.settings.context, self.settings.nan_bits)?;
        report.lhs.host = report.lhs.host.or_else(|| self.first_host.clone());
        Ok(report)
    }

    /// The request with its host calls answered as the settings say.
    fn answered(&self, side: &Request) -> Result<Request, CompareError> {
        Ok(match &self.pinned {
            Some(log) => Request {
                host: HostSource::Log(log.clone()),
                stdin: Stdio::Null,
                output_streams: Stdio::Null,
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

fn silent(side: &Request) -> Request {
    Request { output_streams: Stdio::Null, ..side.clone() }
}
