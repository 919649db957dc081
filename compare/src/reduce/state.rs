//! What a reduction that was ended leaves for the next one to go on from: where it began to take pieces, and what became of each.

use super::candidate::Candidate;
use super::log::Log;
use super::reduction::Reduction;
use crate::error::CompareError;
use forkpoint_replay::Likeness;
use forkpoint_traces::Hex;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::time::Duration;

/// The state of a reduction, as its file has it.
#[derive(Serialize, Deserialize)]
pub(super) struct State {
    /// What is being reduced: a hash of module, calls and engines.
    of: String,
    likeness: String,
    /// The module from which pieces are taken, in hexadecimal.
    module: String,
    calls: Vec<String>,
    pub sliced: Option<usize>,
    /// Whether guard and reruns are needed to see the divergence.
    pub guard: bool,
    /// Whether the specification leaves it open, once that is known.
    pub open: Option<bool>,
    pub parting: u64,
    /// Whether the ends of the runs show it.
    pub shows: bool,
    pub event_limit: Option<u64>,
    pub timeout: Option<Duration>,
    /// What became of the candidates since.
    log: Vec<String>,
}

impl State {
    /// The state of a reduction in which pieces are taken from this candidate.
    pub fn of(reduction: &Reduction<'_>, likeness: &Likeness, start: &Candidate) -> State {
        State {
            of: identity(reduction),
            likeness: likeness.0.clone(),
            module: Hex(&start.module).to_string(),
            calls: start.calls.iter().map(ToString::to_string).collect(),
            sliced: None,
            guard: false,
            open: None,
            parting: 0,
            shows: false,
            event_limit: None,
            timeout: None,
            log: Vec::new(),
        }
    }

    /// Reads the state of this reduction; `None` if there is none yet.
    ///
    /// # Errors
    /// When the file is of another reduction, or damaged.
    pub fn read(reduction: &Reduction<'_>, path: &Path) -> Result<Option<State>, CompareError> {
        if !path.exists() {
            return Ok(None);
        }
        let reading = || format!("reading the state {}", path.display());
        let bytes = std::fs::read(path).map_err(CompareError::io(reading()))?;
        let state: State =
            serde_json::from_slice(&bytes).map_err(|error| CompareError::io(reading())(error.into()))?;
        match state.of == identity(reduction) {
            true => Ok(Some(state)),
            false => Err(CompareError::OtherState { path: path.to_path_buf() }),
        }
    }

    /// Writes it, whole or not at all.
    ///
    /// # Errors
    /// When that fails.
    pub fn write(&self, path: &Path) -> Result<(), CompareError> {
        let failed = || CompareError::io(format!("writing the state {}", path.display()));
        let bytes = serde_json::to_vec(self).map_err(|error| failed()(error.into()))?;
        let beside = path.with_added_extension("new");
        std::fs::write(&beside, bytes).map_err(failed())?;
        std::fs::rename(&beside, path).map_err(failed())
    }

    /// How it diverges.
    pub fn likeness(&self) -> Likeness {
        Likeness(self.likeness.clone())
    }

    /// The candidate from which pieces are taken; `None` if the file is damaged.
    pub fn start(&self) -> Option<Candidate> {
        let digits = self.module.as_bytes().as_chunks::<2>();
        let byte = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        let module = digits.0.iter().map(byte).collect::<Option<Vec<u8>>>()?;
        let calls = self.calls.iter().map(|call| call.parse().ok()).collect::<Option<Vec<_>>>()?;
        digits.1.is_empty().then_some(Candidate { module, calls, in_javascript: false })
    }

    /// What became of the candidates since; `None` if the file is damaged.
    pub fn log(&self) -> Option<Log> {
        Log::read(&self.log)
    }

    /// Takes over what became of the candidates.
    pub fn set_log(&mut self, log: &Log) {
        self.log = log.lines();
    }
}

fn identity(reduction: &Reduction<'_>) -> String {
    let mut hash = blake3::Hasher::new();
    hash.update(&reduction.module);
    for call in &reduction.calls {
        hash.update(call.to_string().as_bytes());
        hash.update(b"\0");
    }
    for side in &reduction.sides {
        let limits = (side.memory_page_limit, &side.features, &side.run_features, &side.wasi.arguments);
        hash.update(format!("{} {limits:?}\0", side.engine).as_bytes());
    }
    hash.finalize().to_hex().to_string()
}
