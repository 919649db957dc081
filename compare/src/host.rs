//! Who answers host calls: pinned, one run for real and its recording in all others; or each engine's own host.

use crate::error::CompareError;
use crate::record::record;
use crate::settings::Settings;
use forkpoint_tracer::instrument::Options;
use forkpoint_tracer::{Checkpoint, EngineSpec, HostSource, Program, Request};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Who answers host calls in a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HostMode {
    /// The linked Wasmtime's host answers one run for real, and its recording answers all others.
    Pinned,
    /// The same with the own host of the engine that runs for real.
    Own,
    /// Every run is answered for real.
    Live,
}

impl HostMode {
    /// All modes.
    pub const ALL: [HostMode; 3] = [HostMode::Pinned, HostMode::Own, HostMode::Live];

    /// Whether one run answers all others.
    pub fn pins(self) -> bool {
        self != HostMode::Live
    }
}

impl fmt::Display for HostMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            HostMode::Pinned => "pinned",
            HostMode::Own => "own",
            HostMode::Live => "live",
        })
    }
}

impl FromStr for HostMode {
    type Err = String;

    fn from_str(text: &str) -> Result<HostMode, String> {
        let found = HostMode::ALL.into_iter().find(|mode| mode.to_string() == text);
        found.ok_or_else(|| format!("`{text}` is not pinned, own or live"))
    }
}

/// An engine's own host as it names it; or the reason for having none, if it gives one.
pub type OwnHost = Result<String, Option<String>>;

/// Time limit for an engine to say whether it has a host.
const PATIENCE: Duration = Duration::from_secs(20);

/// What engines said about their own hosts, by the engines' names. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct OwnHosts(Arc<Mutex<BTreeMap<String, OwnHost>>>);

impl OwnHosts {
    /// What an engine said, if it was asked.
    pub fn known(&self, engine: &str) -> Option<OwnHost> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(engine).cloned()
    }

    /// The own host with which the engine of `side` answers the program's calls. Asks the engine once.
    ///
    /// # Errors
    /// When the engine cannot be started.
    pub fn ask(&self, program: &Program, side: &Request) -> Result<OwnHost, CompareError> {
        let engine = &side.engine;
        if let Some(import) = program.beyond_wasi().filter(|_| !engine.has_linked_host()) {
            return Ok(Err(Some(format!("{import} is answered beside the linked Wasmtime only"))));
        }
        let name = engine.to_string();
        if let Some(known) = self.known(&name) {
            return Ok(known);
        }
        let asking = Request::new(engine.clone(), PathBuf::new())
            .map_err(CompareError::io("finding this program to start it again"))?;
        let asking = Request {
            timeout: Some(side.timeout.unwrap_or(PATIENCE)),
            interrupt: Arc::clone(&side.interrupt),
            executable: side.executable.clone(),
            ..asking
        };
        let found = forkpoint_tracer::own_host(&asking)
            .map_err(|error| CompareError::from(error).during(format!("asking {engine} whether it has a host")))?;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name, found.clone());
        Ok(found)
    }
}

impl Settings {
    /// Whether the engine of `side` answers host calls by itself.
    pub(crate) fn answers_itself(&self, program: &Program, side: &Request) -> Result<bool, CompareError> {
        if side.engine.has_linked_host() || !program.needs_host() {
            return Ok(true);
        }
        Ok(self.host != HostMode::Pinned && self.own_hosts.ask(program, side)?.is_ok())
    }

    /// Where the host calls of `side` are answered: by its own host; or, if that is not wanted or missing and the
    /// guest needs one, from the host log of a recording under Wasmtime, made here in the folder `aside`.
    ///
    /// # Errors
    /// When the engine's own host is wanted and missing, and when Wasmtime's run cannot be recorded.
    pub fn host_for(&self, program: &Program, side: &Request, aside: &Path) -> Result<HostSource, CompareError> {
        if self.answers_itself(program, side)? {
            return Ok(HostSource::Live);
        }
        if self.host == HostMode::Own {
            let why = self.own_hosts.ask(program, side)?.err().flatten();
            return Err(CompareError::NoHost { engine: side.engine.to_string(), why });
        }
        let log = aside.join("host.fpt");
        let reference = EngineSpec::default();
        let request = Request {
            engine: reference.clone(),
            output: log.clone(),
            host: HostSource::Live,
            options: Options::default(),
            checkpoint: Checkpoint::default(),
            watch: None,
            native_limit: 0,
            ..side.clone()
        };
        record(program, &request, &self.inputs)
            .map_err(|error| error.during(format!("recording the host calls under {reference}")))?;
        Ok(HostSource::Log(log))
    }
}
