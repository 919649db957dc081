//! Runs of one module by a command, each of which lets the module tell something else.

use super::ending::Ending;
use super::process::{self, Ended, Go, Status};
use super::scanner::Scanner;
use super::tale::{Tale, tale};
use super::template::{Filling, Template};
use crate::instrument::InstrumentError;
use crate::instrument::standalone::{self, Answers, Plan, Stop, Types};
use crate::job::Run;
use crate::link::Stop as Stopped;
use std::cell::Cell;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Bytes of what a command prints that are kept, where that is no frame.
const KEPT: usize = 64 << 10;

/// How one run went.
pub(super) struct Ran {
    pub(super) ended: Ended,
    /// What was printed that is no frame.
    pub(super) noise: Vec<u8>,
    /// The number of the command that ended the run, and how many there are.
    pub(super) step: usize,
    pub(super) steps: usize,
    /// Where files of the run are, which is no part of what it says.
    pub(super) folder: String,
}

impl Ran {
    /// How the guest ended; `odd` is the site that the hook was called for and that the module does not have, if there was one:
    /// then the run is over for us, whatever the engine made of it.
    pub(super) fn ending(&self, odd: Option<u32>) -> Ending {
        odd.map_or_else(|| Ending::of(self.ended.status, &self.said()), Ending::lost)
    }

    /// What the command said, in words.
    pub(super) fn said(&self) -> String {
        super::ending::said(&self.noise, &self.ended.stderr).replace(&self.folder, "")
    }

    /// The same, with how it ended.
    pub(super) fn words(&self) -> String {
        let step =
            if self.steps > 1 { format!("command {} of {}: ", self.step + 1, self.steps) } else { String::new() };
        match self.said().as_str() {
            "" => format!("{step}{}, and it printed nothing else", self.ended.status),
            said => format!("{step}{}; it wrote: {said}", self.ended.status),
        }
    }
}

/// What all runs of a module have in common.
pub(super) struct Runs<'a> {
    pub(super) template: &'a Template,
    /// Where files are put.
    pub(super) folder: &'a Path,
    /// Files of the modules before the one that is run, with their names.
    pub(super) modules: Vec<(String, PathBuf)>,
    pub(super) stop: &'a Stopped,
    /// Time for each of the commands, if they have a limit of their own.
    pub(super) limit: Option<Duration>,
    /// Counts runs.
    pub(super) count: &'a Cell<u32>,
}

impl Runs<'_> {
    /// Whether the recorder wants the run to end.
    pub(super) fn stops(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// The folder, as it stands in messages before the name of a file.
    pub(super) fn shown_folder(&self) -> String {
        format!("{}/", self.folder.display())
    }

    /// Runs the commands on a module that tells nothing.
    ///
    /// # Errors
    /// When a command cannot be started.
    pub(super) fn plain(&self, module: &[u8], function: &str, arguments: &[String]) -> io::Result<Ran> {
        let mut noise = Vec::new();
        let (ended, step, steps) = self.run(module, function, arguments, &mut |printed| {
            noise.extend_from_slice(&printed[..printed.len().min(KEPT - noise.len())]);
            Ok(Go::On)
        })?;
        Ok(Ran { ended, noise, step, steps, folder: self.shown_folder() })
    }

    /// Runs them on a module that tells by frames what it does, behind these bytes.
    ///
    /// # Errors
    /// As [`Runs::run`], and when a frame makes no sense.
    pub(super) fn tell(
        &self,
        module: &[u8],
        entry: &str,
        types: &Types,
        magic: [u64; 2],
        sink: &mut dyn FnMut(Tale) -> io::Result<Go>,
    ) -> io::Result<Ran> {
        let mut scanner = Scanner::new(magic);
        let (ended, step, steps) = self.run(module, entry, &[], &mut |printed| {
            let mut go = Go::On;
            scanner.feed(printed, &mut |kind, payload| {
                if go == Go::On {
                    go = sink(tale(kind, payload, types)?)?;
                }
                Ok(())
            })?;
            Ok(go)
        })?;
        Ok(Ran { ended, noise: scanner.noise(), step, steps, folder: self.shown_folder() })
    }

    /// Runs the commands on a module. `sink` gets what the last of them prints.
    ///
    /// # Errors
    /// When a command cannot be started, and those of `sink`.
    pub(super) fn run(
        &self,
        module: &[u8],
        function: &str,
        arguments: &[String],
        sink: &mut dyn FnMut(&[u8]) -> io::Result<Go>,
    ) -> io::Result<(Ended, usize, usize)> {
        let (path, compiled) = (self.folder.join("standalone.wasm"), self.folder.join("standalone.compiled"));
        std::fs::write(&path, module)?;
        match std::fs::remove_file(&compiled) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let filling = Filling { module: &path, compiled: &compiled, function, arguments, modules: &self.modules };
        let commands = self.template.fill(&filling);
        self.count.set(self.count.get().saturating_add(1));
        let stop = || self.stops();
        let mut other = Vec::new();
        for (number, words) in commands.iter().enumerate() {
            let last = number + 1 == commands.len();
            let mut aside = |printed: &[u8]| {
                other.extend_from_slice(&printed[..printed.len().min(KEPT - other.len().min(KEPT))]);
                Ok(Go::On)
            };
            let sink: &mut dyn FnMut(&[u8]) -> io::Result<Go> = if last { sink } else { &mut aside };
            let ended = process::run(words, self.limit, &stop, sink).map_err(|error| {
                if !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) {
                    return error;
                }
                let program = words.first().map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
                io::Error::new(error.kind(), format!("starting {program}: {error}"))
            })?;
            if last || ended.status != Status::Code(0) {
                if !last {
                    other.extend_from_slice(&ended.stderr);
                    return Ok((Ended { stderr: other, ..ended }, number, commands.len()));
                }
                return Ok((ended, number, commands.len()));
            }
        }
        Err(io::ErrorKind::InvalidInput.into())
    }
}

/// What a run is for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Look {
    /// All of it.
    All,
    /// Each record after so many bytes of them, one by one.
    Tail(u64),
    /// The same, and globals whenever they change.
    State(u64),
    /// Memories at one place.
    Moment(Stop),
}

/// The module whose events are streamed.
pub(super) struct Streamed<'a> {
    pub(super) runs: Runs<'a>,
    pub(super) module: &'a [u8],
    pub(super) run: &'a Run,
    pub(super) answers: &'a Answers,
    pub(super) types: &'a Types,
    pub(super) entry: &'a str,
}

impl Streamed<'_> {
    /// Runs it once. `sink` gets what it tells.
    ///
    /// # Errors
    /// When the module cannot be made, and as [`Runs::run`].
    pub(super) fn once(&self, what: Look, sink: &mut dyn FnMut(Tale) -> io::Result<Go>) -> io::Result<Ran> {
        let magic = [fastrand::u64(1..), fastrand::u64(1..)];
        let module = self.made(magic, what).map_err(|error| super::scanner::wrong(error.to_string()))?;
        self.runs.tell(&module, self.entry, self.types, magic, sink)
    }

    fn made(&self, magic: [u64; 2], what: Look) -> Result<Vec<u8>, InstrumentError> {
        standalone::stream(
            self.module,
            &Plan {
                magic,
                entry: self.entry,
                has_start: self.run.has_start,
                calls: &self.run.calls,
                globals: &self.run.globals,
                tables: &self.run.tables,
                memories: self.run.memories.len() as u32,
                answers: self.answers,
                careful: match what {
                    Look::Tail(from) | Look::State(from) => Some(from),
                    Look::All | Look::Moment(_) => None,
                },
                shows_state: matches!(what, Look::State(_)),
                stop: match what {
                    Look::Moment(stop) => stop,
                    _ => Stop::Never,
                },
            },
        )
    }
}
