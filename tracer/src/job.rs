//! What the recorder asks an engine's process to do: only data, which both sides read.

use crate::cache::ModuleCache;
use crate::features::FeatureSwitches;
use crate::host::WasiSetup;
use crate::host::answer::HostSpec;
use crate::host::preload::Preload;
use crate::host::script::HostScript;
use crate::spec::EngineSpec;
use crate::values::WasmValue;
use forkpoint_traces::MemoryIndex;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// First argument of a child process; the job's file, the number of its socket and that of the memory to put
/// under the guest's buffer follow.
pub const ARGUMENT: &str = "__run-engine";

/// What a child process is to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Job {
    /// [`VERSION`](crate::protocol::VERSION), for runners; forkpoint's own child is always from the same build.
    pub(crate) protocol: u32,
    pub(crate) engine: EngineSpec,
    /// The original module, which the engine validates.
    pub(crate) original: PathBuf,
    /// The rewritten module, or the file that an engine compiled from it.
    pub(crate) module: PathBuf,
    /// Whether the module needs the stack switching proposal.
    pub(crate) stack_switching: bool,
    /// Whether host and guest may call each other to a great depth, which takes a larger stack than others need; for engines
    /// that are part of this program.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) deep_calls: bool,
    /// Most pages of 64 KiB that a memory may have.
    pub(crate) memory_page_limit: Option<u64>,
    /// Proposals to switch on and off.
    pub(crate) features: FeatureSwitches,
    /// Where the module's code is kept; for engines that are part of this program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cache: Option<ModuleCache>,
    pub(crate) task: Task,
}

/// The two tasks of a child.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Task {
    /// Compile the module to a file for another process.
    Compile { output: PathBuf },
    /// Run it.
    Run(Box<Run>),
}

/// A run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Run {
    /// Whether `module` is compiled already.
    pub(crate) precompiled: bool,
    /// Whether the run ends once the module is compiled: it is invalid, so nothing in it may run.
    pub(crate) stages_only: bool,
    /// Export names of the original module's memories.
    pub(crate) memories: Vec<String>,
    /// Whether JavaScript made the calls, in a recording that answers everything: it did other things in between.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) javascript: bool,
    /// Which of them is exported as `memory`: the one that WASI writes to.
    pub(crate) wasi_memory: Option<u32>,
    /// Export names of the original module's mutable numeric globals.
    pub(crate) globals: Vec<String>,
    /// Export names of the original module's tables.
    pub(crate) tables: Vec<String>,
    /// Whether there is a start function to call.
    pub(crate) has_start: bool,
    pub(crate) calls: Vec<ExportCall>,
    pub(crate) wasi: WasiSetup,
    /// Whether the engine's process answers WASI itself; otherwise the recorder answers every host call.
    pub(crate) live_host: bool,
    /// Modules that answer other imports there.
    pub(crate) preloads: Vec<Preload>,
    /// Scripts that answer imports there.
    #[serde(default)]
    pub(crate) scripts: Vec<HostScript>,
    /// What else answers host calls there; without it the recorder is asked.
    pub(crate) answers: Option<HostSpec>,
    /// Whether to send native code, and at most how many bytes.
    pub(crate) native_limit: u64,
    /// When to show all memories, besides at the end.
    pub(crate) checkpoints: Checkpoints,
    /// Bytes to watch after every event.
    pub(crate) watch: Option<Watch>,
    /// Whether a runner that keeps records back must send each at once, since the run crashed before.
    pub(crate) careful: bool,
    /// What is run instead of a single module and its calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) script: Option<ScriptJob>,
    /// Where the engine's process digests the records: the file, beside the job's module, of the decoder that reads them.
    /// For engines that are part of this program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) digests: Option<String>,
    /// How many sites the module has; for commands.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) sites: u32,
    /// The trace that answers are compared with; for commands that give one answer a run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reference: Option<PathBuf>,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// A program of several modules, and what is done with it. Files are beside the job's module.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ScriptJob {
    pub(crate) instances: Vec<InstanceJob>,
    pub(crate) directives: Vec<DirectiveJob>,
}

/// An instance to be made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct InstanceJob {
    /// The original module, which the engine validates, and the one that runs.
    pub(crate) original: String,
    pub(crate) module: String,
    /// Whether it is only validated and compiled, as it is.
    pub(crate) stages_only: bool,
    /// What its imports are, where there is something of that name.
    pub(crate) imports: Vec<ImportJob>,
    /// Export names of its own memories, in the order of the program, and of its other state.
    pub(crate) memories: Vec<String>,
    pub(crate) globals: Vec<String>,
    pub(crate) tables: Vec<String>,
    pub(crate) has_start: bool,
}

/// An import, and the export of an earlier instance that it is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ImportJob {
    pub(crate) module: String,
    pub(crate) name: String,
    pub(crate) instance: u32,
    pub(crate) export: String,
}

impl InstanceJob {
    /// The import of these names.
    pub(crate) fn import(&self, module: &str, name: &str) -> Option<&ImportJob> {
        self.imports.iter().find(|import| import.module == module && import.name == name)
    }
}

/// What is done.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum DirectiveJob {
    /// An instance is made, and its start function called.
    Instantiate { instance: u32 },
    /// A module is validated and compiled.
    Check { module: String },
    /// An export is called.
    Call { instance: u32, call: ExportCall },
    /// An exported global is read.
    Get { instance: u32, global: String },
}

/// When a child shows all memories, besides after instantiation and at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Checkpoints {
    /// Never.
    None,
    /// Around every host call.
    Calls,
    /// When this many bytes of records have been sent since the last time.
    Bytes(u64),
}

/// A call of an export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ExportCall {
    pub(crate) function: String,
    pub(crate) arguments: Vec<WasmValue>,
    /// Whether its type has vectors, which not every interface to an engine can pass.
    pub(crate) vectors: bool,
}

/// Bytes to watch after every event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    /// The memory that holds them.
    pub memory: MemoryIndex,
    /// The places, each with a different address.
    pub ranges: Vec<WatchedRange>,
}

/// One place in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchedRange {
    /// First byte.
    pub address: u64,
    /// Number of bytes.
    pub length: u64,
}
