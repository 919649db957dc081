//! How runs are compared, whatever they run.

use crate::host::{HostMode, OwnHosts};
use forkpoint_replay::{NanBits, SourceMap};
use std::path::PathBuf;
use std::sync::Arc;

/// How runs are compared: the same for two engines, for many, and for many modules.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Who answers host calls.
    pub host: HostMode,
    /// Whether every engine also runs without recording, to see whether recording changes what it does.
    pub guard: bool,
    /// Whether engines run again to ask more about a divergence.
    pub reruns: Reask,
    /// What is kept of the runs.
    pub keep: Kept,
    /// Events shown before and after a divergence.
    pub context: u64,
    /// What to do about events that differ in NaN bits only.
    pub nan_bits: NanBits,
    /// Files that are read, such as the module: no trace is written over one of them.
    pub inputs: Vec<PathBuf>,
    /// Where source lines are taken from, if debug information has none.
    pub source_map: Option<Arc<SourceMap>>,
    /// A trace whose host log answers all host calls, instead of any host.
    pub log: Option<PathBuf>,
    /// What engines say about their own hosts. Clones share the answers, so that each engine is asked once.
    pub own_hosts: OwnHosts,
}

/// What a comparison keeps of the runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// Full traces: every run is recorded in full at once.
    Full,
    /// Of runs that part, what happens around where they do, if digests show where; else full traces. Runs that agree by
    /// their digests leave no traces.
    Window,
    /// Only what the comparison needs: digests; of long runs that part a window; else full traces.
    Nothing,
}

/// When engines run again to ask more about a divergence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reask {
    /// Never.
    Never,
    /// Unless a run that timed out would time out again.
    Quickly,
    /// Whenever there is something to ask.
    Always,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            host: HostMode::Pinned,
            guard: true,
            reruns: Reask::Always,
            keep: Kept::Full,
            context: 3,
            nan_bits: NanBits::default(),
            inputs: Vec::new(),
            source_map: None,
            log: None,
            own_hosts: OwnHosts::default(),
        }
    }
}
