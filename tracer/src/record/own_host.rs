//! Which engine has a host, and whether the one that a request asks for can be had.

use super::{HostSource, Imports, Invocation, Program, Request, header};
use crate::error::RecordError;
use forkpoint_traces::{EngineInfo, Outcome};

/// The engine's own WASI host, in the engine's words; or why it has none, where it says. Asks the engine with a small
/// module.
///
/// # Errors
/// When the engine cannot be started.
pub fn own_host(request: &Request) -> Result<Result<String, Option<String>>, RecordError> {
    let call = Invocation { function: "run".to_string(), arguments: Vec::new() };
    let program = Program::new("host.wasm", probe(), &[call], &Imports::default())?;
    let ran = match program.run_plain(request) {
        Ok(ran) => ran,
        Err(RecordError::NoHost { why, .. }) => return Ok(Err(why)),
        Err(error) => return Err(error),
    };
    if ran.end.outcome != Outcome::Finished {
        let words = ran.end.message.unwrap_or_default();
        return Ok(Err(Some(format!("a call of its host did not end in a return: {} {words}", ran.end.outcome))));
    }
    Ok(ran.engine.as_ref().map_or(Err(None), header::own_host))
}

/// A module that makes one call of WASI's.
fn probe() -> Vec<u8> {
    use wasm_encoder::{
        CodeSection, EntityType, ExportKind, ExportSection, Function, FunctionSection, ImportSection, MemorySection,
        MemoryType, Module, TypeSection, ValType,
    };
    let mut types = TypeSection::new();
    types.ty().function([], [ValType::I32]);
    let mut imports = ImportSection::new();
    imports.import(forkpoint_traces::wasi::MODULE, "sched_yield", EntityType::Function(0));
    let mut functions = FunctionSection::new();
    functions.function(0);
    let mut memories = MemorySection::new();
    memories.memory(MemoryType { minimum: 1, maximum: None, memory64: false, shared: false, page_size_log2: None });
    let mut exports = ExportSection::new();
    exports.export("memory", ExportKind::Memory, 0).export("run", ExportKind::Func, 1);
    let mut run = Function::new([]);
    run.instructions().call(0).end();
    let mut code = CodeSection::new();
    code.function(&run);
    let mut module = Module::new();
    module.section(&types).section(&imports).section(&functions).section(&memories).section(&exports).section(&code);
    module.finish()
}

impl Program {
    /// Whether the host that the request asks for, and what calls are given, can be had.
    pub(super) fn check_host(&self, request: &Request) -> Result<(), RecordError> {
        let without_segments =
            [&request.features, &request.run_features()].iter().any(|set| set.switch_off("bulk-memory"));
        if without_segments && self.steps.puts() {
            return Err(RecordError::Bytes {
                what: "texts and files for memory".to_string(),
                why: "they come with the module as passive data segments, which need the proposal bulk-memory: leave out \
                      -bulk-memory"
                    .to_string(),
            });
        }
        if matches!(request.host, HostSource::LogOfOtherBuild(_)) && request.engine.is_command() && self.needs_host()
        {
            return Err(RecordError::HostLog {
                what: format!(
                    "{} is answered inside the module, from a log of this very module, so not from another build's:                      name another engine for this build",
                    request.engine
                ),
            });
        }
        if request.host != HostSource::Live {
            return Ok(());
        }
        for (path, _) in &request.wasi.directories {
            std::fs::read_dir(path).map_err(|source| RecordError::Directory { path: path.clone(), source })?;
        }
        if request.engine.has_linked_host() || !self.needs_host() {
            return Ok(());
        }
        let why = match self.beyond_wasi() {
            Some(import) => Some(format!("{import} is answered beside the linked Wasmtime only")),
            None if request.wasi.deterministic => {
                Some("only the host of the linked Wasmtime has fixed clocks and random numbers".to_string())
            }
            None => return Ok(()),
        };
        Err(RecordError::NoHost { engine: request.engine.to_string(), why })
    }

    /// Whether the host that the request asks for is one that the engine says it has.
    pub(super) fn check_own_host(&self, request: &Request, engine: &EngineInfo) -> Result<(), RecordError> {
        if request.host != HostSource::Live || !self.needs_host() {
            return Ok(());
        }
        match header::own_host(engine) {
            Ok(_) => Ok(()),
            Err(why) => Err(RecordError::NoHost { engine: request.engine.to_string(), why }),
        }
    }
}
