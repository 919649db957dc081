//! The left side of a comparison as a recording that is there already: its log answers all runs, and an engine runs it
//! again only for what it does not tell.

use crate::compared::Compared;
use crate::error::{CompareError, in_one_line};
use crate::files::{open_trace, replace};
use crate::reruns::{Reruns, differs};
use crate::runs::Runs;
use forkpoint_replay::{Report, Timeline, printable};
use forkpoint_tracer::{EndState, Program, Recorded, Request, Scratch};
use forkpoint_traces::{Position, TraceReader};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

/// A recording to compare other runs with, as often as wanted.
pub struct Recording {
    file: PathBuf,
    /// Bytes of memory that its events may fill, if that is more than a stranger's file may.
    memory: Option<u64>,
    /// Why no engine runs it again.
    no_engine: Option<String>,
    aside: Scratch,
    again: Mutex<Option<Again>>,
    plain: OnceLock<EndState>,
}

/// The run of a recording under the left engine; or why nothing can be asked of that engine.
type Again = Result<Recorded, String>;

impl Recording {
    /// The recording in a file, which may fill this much memory. `no_engine` says why its runs are not to be repeated.
    ///
    /// # Errors
    /// When there is no room for temporary files.
    pub fn new(file: &Path, memory: Option<u64>, no_engine: Option<String>) -> Result<Recording, CompareError> {
        let aside = Scratch::new().map_err(CompareError::io("creating a temporary folder"))?;
        let (again, plain) = (Mutex::default(), OnceLock::new());
        Ok(Recording { file: file.to_path_buf(), memory, no_engine, aside, again, plain })
    }

    /// Its file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Opens it.
    fn open(&self) -> Result<TraceReader, CompareError> {
        let mut trace = open_trace(&self.file)?;
        trace.allow_memory(self.memory.unwrap_or(0));
        Ok(trace)
    }

    /// Its program.
    ///
    /// # Errors
    /// When it cannot be run again.
    pub fn program(&self) -> Result<Program, CompareError> {
        Ok(Program::recorded(&self.open()?)?)
    }

    /// Compares it with a trace of the same program.
    pub(crate) fn report(&self, runs: &Runs, other: &Path) -> Result<Report, CompareError> {
        runs.report_on(Timeline::new(self.open()?), other)
    }

    /// Runs it again under the left engine, once for all comparisons, and puts the trace where `left` says. The inner error
    /// says why this run is not the recorded one.
    pub(crate) fn again(&self, runs: &Runs, left: &Request) -> Result<Again, CompareError> {
        let output = self.aside.path().join("again.fpt");
        let mut again = self.again.lock().unwrap_or_else(PoisonError::into_inner);
        let known = match &*again {
            Some(known) => known,
            None => {
                let found = self.run_again(runs, &Request { output: output.clone(), ..left.clone() })?;
                again.insert(found)
            }
        };
        if known.is_ok() {
            replace(&left.output, &output)?;
        }
        Ok(known.clone())
    }

    fn run_again(&self, runs: &Runs, left: &Request) -> Result<Again, CompareError> {
        if let Some(why) = &self.no_engine {
            return Ok(Err(why.clone()));
        }
        let name = printable(&left.engine.to_string());
        let recorded = match runs.record_again(left) {
            Ok(recorded) => recorded,
            Err(error) => return Ok(Err(format!("it cannot be run again: {}", printable(&in_one_line(&error))))),
        };
        let mut first = Timeline::new(self.open()?);
        let different = differs(&mut first, &left.output, Position(u64::MAX))?;
        Ok(match different {
            None => Ok(recorded),
            Some(how) => Err(format!("{name} runs it differently: {how}")),
        })
    }

    /// How it ends under the left engine without recording, found out once.
    pub(crate) fn plain(&self, runs: &Runs, left: &Request) -> Result<EndState, CompareError> {
        if let Some(plain) = self.plain.get() {
            return Ok(plain.clone());
        }
        let plain = runs.plain(left)?;
        Ok(self.plain.get_or_init(|| plain).clone())
    }

    /// The result of a comparison in which nothing could be asked of the left engine.
    pub(crate) fn unasked(&self, mut report: Report, why: &str) -> Compared {
        let sentence = format!("the runs were not repeated, with recording or without: {why}");
        let mut reruns = Reruns::default();
        match report.agree {
            Some(true) => report.not_asked.push(sentence),
            _ => reruns.notes.push(sentence),
        }
        Compared { reruns: Some(reruns), ..Compared::from(report) }
    }
}
