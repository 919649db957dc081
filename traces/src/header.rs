//! The header: everything that decides whether a bug shows.

use crate::error::TraceError;
use crate::ids::MemoryIndex;
use crate::program::ProgramInfo;
use crate::value::WasmValue;
use crate::wire;
use serde::{Deserialize, Serialize};

/// First block of every trace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Version of forkpoint that recorded.
    pub forkpoint: String,
    /// The engine and how it was set up.
    pub engine: EngineInfo,
    /// The module.
    pub module: ModuleInfo,
    /// What the guest was given.
    pub host: HostInfo,
    /// What was asked for, in order, without the start function. Empty for a program of several modules.
    pub steps: Vec<Step>,
    /// What the run was limited to.
    pub limits: Limits,
    /// Proposals that were switched on and off in the engine.
    pub features: Features,
    /// What the specification says of the module with these proposals.
    pub specification: Specification,
    /// How the run was recorded.
    pub recorder: RecorderInfo,
    /// The command line of the recorder, without the program's own path.
    pub command: Vec<String>,
    /// Events in every chunk but the last.
    pub chunk_events: u32,
    /// What a program of several modules consists of; `None` for a single module.
    pub program: Option<ProgramInfo>,
    /// For a program that lives in JavaScript, which makes the calls and answers the imports; `None` for all others. Then
    /// `steps` is empty: calls are in the host log.
    pub javascript: Option<JavaScriptInfo>,
}

/// How a program that lives in JavaScript was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct JavaScriptInfo {
    /// The program and its arguments, as they were given.
    pub command: Vec<String>,
    /// How it was found out what JavaScript changed in memory, in words.
    pub changes: String,
}

/// The engine setting that holds the limit on its process's address space in bytes, where there was one.
pub const ADDRESS_SPACE: &str = "most bytes of address space";

/// The engine and how it was set up.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct EngineInfo {
    /// The name as given on the command line: `wasmtime:aot,target=portable`.
    pub spec: String,
    /// Engine name.
    pub name: String,
    /// Engine version.
    pub version: String,
    /// `jit` or `aot`.
    pub mode: String,
    /// Compiler back end.
    pub compiler: String,
    /// Optimization level.
    pub opt_level: String,
    /// Target triple of the generated code.
    pub target: String,
    /// CPU features available to the compiler, sorted; empty means the target's baseline.
    pub cpu_features: Vec<String>,
    /// WebAssembly features and further settings, as name and value.
    pub settings: Vec<(String, String)>,
}

/// The recorded module, or all modules of a program together; the bytes follow in the trace.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ModuleInfo {
    /// File name (without folders) it was read from.
    pub name: String,
    /// BLAKE3 of the original binary module.
    pub hash: [u8; 32],
    /// Length of the original binary module in bytes.
    pub length: u64,
}

impl ModuleInfo {
    /// Describes `module`, the original binary, read from a file called `name`.
    pub fn of(name: &str, module: &[u8]) -> ModuleInfo {
        ModuleInfo { name: name.to_string(), hash: *blake3::hash(module).as_bytes(), length: module.len() as u64 }
    }

    /// Refuses any module other than the one described; `at` is where its block ends.
    pub(crate) fn check(&self, module: &[u8], at: u64) -> Result<(), TraceError> {
        let found = ModuleInfo::of("", module);
        if (found.hash, found.length) == (self.hash, self.length) {
            return Ok(());
        }
        let (expected, length, hash) = (self.hash_hex(), self.length, found.hash_hex());
        Err(TraceError::corrupt(
            at,
            format!(
                "a module of {} bytes with BLAKE3 {hash}, and the header names one of {length} with {expected}",
                found.length
            ),
        ))
    }

    /// The hash in hexadecimal.
    pub fn hash_hex(&self) -> String {
        blake3::Hash::from_bytes(self.hash).to_hex().to_string()
    }
}

/// What the guest was given by its host.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HostInfo {
    /// WASI arguments, the program's name first.
    pub arguments: Vec<String>,
    /// WASI environment.
    pub environment: Vec<(String, String)>,
    /// Preopened directories as `host::guest`.
    pub directories: Vec<String>,
    /// Whether clocks and random numbers were fixed.
    pub deterministic: bool,
    /// Whether every host call was answered from the host log of another run.
    pub replayed: bool,
    /// Imports that were answered by a stub, as written on the command line.
    pub stubs: Vec<String>,
    /// Imports that a module of the user's answered, as written on the command line: `env=helper.wasm`.
    pub preloads: Vec<String>,
}

/// One thing that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// A call of an export.
    Call(Call),
    /// Bytes put into memory, where an allocator made room for them.
    Put(Put),
}

/// A call of an export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// The export's name.
    pub function: String,
    /// Its arguments.
    pub arguments: Vec<Argument>,
}

impl Step {
    /// The results of earlier steps that it needs.
    pub fn needs(&self) -> impl Iterator<Item = StepResult> {
        let (arguments, room) = match self {
            Step::Call(call) => (call.arguments.as_slice(), None),
            Step::Put(put) => (&[][..], Some(put.room)),
        };
        let results = arguments.iter().filter_map(|argument| match argument {
            Argument::Result(from) => Some(*from),
            Argument::Value(_) => None,
        });
        results.chain(room)
    }
}

/// An argument of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Argument {
    /// This value.
    Value(WasmValue),
    /// The result of an earlier step.
    Result(StepResult),
}

/// A result of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct StepResult {
    /// The step, from 0.
    pub step: u32,
    /// Which of a call's results, from 0. For a put it is always 0: the address of its first byte.
    pub result: u32,
}

/// Bytes for memory.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Put {
    /// Where they go: the address that the allocator's call returned.
    pub room: StepResult,
    /// Memory written.
    pub memory: MemoryIndex,
    /// The bytes.
    #[serde(with = "wire::bytes")]
    pub bytes: Vec<u8>,
}

/// They may be a whole file.
impl std::fmt::Debug for Put {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Put { room, memory, bytes } = self;
        f.debug_struct("Put").field("room", room).field("memory", memory).field("length", &bytes.len()).finish()
    }
}

/// How a run was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RecorderInfo {
    /// Whether every event was a call of the host instead of a record written by the module's own code.
    pub hooks: bool,
    /// Whether every store was read back.
    pub read_back: bool,
    /// How often the engine's memory was compared with the replayed one, as written on the command line.
    pub checkpoint: String,
    /// What was recorded if not everything, in words. Memory cannot be replayed from such a trace.
    pub scope: Option<String>,
    /// What the module's code did besides recording, in words: for reruns that ask for more.
    pub probes: Vec<String>,
}

/// Proposals that were switched on and off in the engine, in the form `+tail-call`. If a proposal is named twice, the
/// last one counts; the engine decides about proposals that are not named.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Features {
    /// While compiling ahead of time.
    pub compile: Vec<String>,
    /// While running.
    pub run: Vec<String>,
}

/// What the specification says of the module, according to a validator that is not part of the engine.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Specification {
    /// Why the module is not valid, and the byte offset where; `None` when it is valid.
    pub invalid: Option<(String, u64)>,
    /// Proposals beyond WebAssembly 3.0 that it needs to be valid.
    pub beyond: Vec<String>,
}

/// What the run was limited to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Limits {
    /// Time limit in milliseconds.
    pub timeout_ms: Option<u64>,
    /// Most pages that a memory could have, if limited.
    pub memory_pages: Option<u64>,
}
