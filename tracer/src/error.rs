//! Errors of recording. A fault of the *guest* or the *engine under test* is not an error: it is recorded.

use crate::instrument::{InstrumentError, RawRecordError};
use crate::script::ScriptError;
use forkpoint_traces::TraceError;
use std::path::PathBuf;

/// Why a run could not be recorded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The module is invalid or does something that cannot be recorded.
    #[error(transparent)]
    Instrument(#[from] InstrumentError),
    /// The script cannot be run.
    #[error(transparent)]
    Script(#[from] ScriptError),
    /// The module needs imports that nobody provides.
    #[error(
        "the module needs imports that are not provided:\n{list}\nprovided are WASI preview 1 (`wasi_snapshot_preview1`) and memories, each once; answer a function by a \
         stub (--import MODULE.NAME=RESULT or =trap), by a module (--preload MODULE=FILE) or by a script in JavaScript \
         or Python (--host-script FILE)"
    )]
    UnresolvedImports {
        /// One line each, with type.
        list: String,
    },
    /// A second thread would write memory in an order that no trace can hold.
    #[error(
        "the module makes threads: it imports `wasi.thread-spawn`. Between threads the writes to a shared memory have no \
         order, so they cannot be recorded as one sequence; --allow-unordered runs the module anyway and answers each `thread-spawn` with an error (-1), so that only its first thread runs"
    )]
    Threads,
    /// There is nothing to call.
    #[error("the module exports no `_start`; name what to call with --invoke 'FUNC ARG...'{exports}")]
    NothingToCall {
        /// What it exports, as a sentence, or nothing.
        exports: String,
    },
    /// A called export does not exist or is not a function.
    #[error("the module exports no function `{name}`{exports}")]
    NoSuchExport {
        /// The name asked for.
        name: String,
        /// What it exports, as a sentence, or nothing.
        exports: String,
    },
    /// The wrong number of arguments.
    #[error("`{function}` takes {expected} argument(s) ({types}), but {found} were given")]
    ArgumentCount {
        /// The function.
        function: String,
        /// The number of parameters.
        expected: usize,
        /// Their types.
        types: String,
        /// The number of arguments given.
        found: usize,
    },
    /// An argument that does not fit its type.
    #[error("argument {number} of `{function}`: {source}")]
    Argument {
        /// The function.
        function: String,
        /// Which argument, from 1.
        number: usize,
        /// What is wrong with it.
        source: crate::values::ValueError,
    },
    /// Bytes for a call cannot be put into memory.
    #[error("{what}: {why}")]
    Bytes {
        /// The purpose of the bytes.
        what: String,
        /// What is wrong.
        why: String,
    },
    /// A directory for the guest cannot be opened.
    #[error("cannot open the directory {} for the guest: {source}", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The trace cannot be written.
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// The file system or the operating system refused.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: String,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The child process ended before it could report which engine it is.
    #[error("the engine's process ended before its first message: {0}")]
    NoEngine(String),
    /// The program that is the engine's process cannot be started.
    #[error("the engine {engine}: the program {program} cannot be started: {source}")]
    NoProgram {
        /// The engine.
        engine: String,
        /// The program.
        program: String,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The engine cannot be set up as asked (an unknown target or CPU feature).
    #[error("the engine cannot be set up as `{spec}`: {message}")]
    Setup {
        /// The engine.
        spec: String,
        /// Its own message.
        message: String,
    },
    /// The engine's runner failed, not the engine: a runner's own exception, an exit with a status.
    #[error("the program that runs the engine {engine} failed, which is not a finding about the engine: {words}")]
    Failed {
        /// The engine.
        engine: String,
        /// How the process ended, or its own message.
        words: String,
    },
    /// The machine did not give the engine what it needs.
    #[error(
        "this machine lacks what the engine {engine} needs, which is not a finding about the engine: {words}; {what}"
    )]
    Environment {
        /// The engine.
        engine: String,
        /// Its own message.
        words: String,
        /// What to do about it.
        what: String,
    },
    /// The child process broke the protocol.
    #[error("the engine's process broke the protocol: {0}")]
    Protocol(String),
    /// The runner speaks another version of the protocol.
    #[error(
        "the runner speaks version {theirs} of the runner protocol, this forkpoint speaks version {ours}: \
         docs/runner-protocol.md lists under *Versions* what changed"
    )]
    OtherProtocol {
        /// The runner's version.
        theirs: u32,
        /// This program's.
        ours: u32,
    },
    /// The host log cannot be replayed.
    #[error("{what}")]
    HostLog {
        /// What is wrong with it.
        what: String,
    },
    /// An engine was asked to answer host calls by itself, but cannot.
    #[error(
        "{engine} cannot answer the module's host calls by itself{}: replay a recording made under wasmtime \
         (`forkpoint compare` does that automatically)",
        .why.as_ref().map_or_else(|| ", it does not have its own host".to_string(), |why| format!(": {why}"))
    )]
    NoHost {
        /// The engine.
        engine: String,
        /// The reason, if it is more than that it has no host.
        why: Option<String>,
    },
    /// A preloaded module cannot answer the guest's imports.
    #[error("the preloaded module {}: {why}", file.display())]
    Preload {
        /// The module.
        file: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A host script cannot be started, or has a forbidden function.
    #[error("the host script {}: {why}", file.display())]
    HostScript {
        /// The script.
        file: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A stub's results do not fit the import's type.
    #[error("the stub `{stub}` does not fit {import}: {ty}; {why}")]
    Stub {
        /// The stub as written.
        stub: String,
        /// What it would answer.
        import: String,
        /// The import's type in words.
        ty: String,
        /// What is wrong.
        why: String,
    },
    /// A program that lives in JavaScript, or its module, has something that cannot be recorded.
    #[error("the program cannot be recorded where it lives: {why} (docs/javascript.md)")]
    Unreachable {
        /// What it has.
        why: String,
    },
    /// Such a program was not recorded.
    #[error("{0}")]
    JavaScript(String),
    /// The raw records are malformed.
    #[error("the raw records of the run make no sense: {0}")]
    RawRecord(#[from] RawRecordError),
    /// The central invariant does not hold.
    #[error(
        "replayed memory is not the engine's memory: memory {memory} holds {engine:#04x} at address {address:#x}, \
         the {events} recorded events make it {replayed:#04x}; either something changed memory without an event or \
         an event lies"
    )]
    Mismatch {
        /// Which memory.
        memory: u32,
        /// The first byte that differs.
        address: u64,
        /// What the engine holds there.
        engine: u8,
        /// What replay holds there.
        replayed: u8,
        /// Events recorded.
        events: u64,
    },
}

impl RecordError {
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> RecordError {
        let what = what.into();
        move |source| RecordError::Io { what, source }
    }
}
