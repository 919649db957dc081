//! What is to be run: a module, rewritten, and the calls to make.

use super::Checkpoint;
use crate::child::{Call, Checkpoints, Run};
use crate::error::RecordError;
use crate::host::answer::{HostFunction, HostSpec, Provider, ResultType};
use crate::host::ask::HostEnd;
use crate::host::preload::Preload;
use crate::host::stub::{Stub, StubAnswer};
use crate::host::{THREADS_MODULE, THREADS_NAME};
use crate::instrument::{EXPORT_PREFIX, Instrumented, Options, Style, instrument};
use crate::protocol::HOOK_SIZE;
use crate::record::types::{self, signature};
use crate::record::{HostSource, Request};
use crate::values::{WasmValue, parse_value};
use forkpoint_traces::{Import, TraceReader, wasi};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use wasmparser::{CompositeInnerType, ExternalKind, FuncType, Parser, Payload, TypeRef, ValType};

/// A call of an export, as the user wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// Name of the export.
    pub function: String,
    /// Arguments in the notation of [`parse_value`].
    pub arguments: Vec<String>,
}

/// A module ready to be recorded under any engine, any number of times.
pub struct Program {
    pub(super) name: String,
    pub(super) original: Arc<[u8]>,
    pub(super) instrumented: Instrumented,
    pub(super) calls: Vec<Call>,
    /// Names of exported functions, by index.
    pub(super) exported: BTreeMap<u32, String>,
    pub(super) wasi_memory: Option<u32>,
    /// All imported functions, in order.
    pub(super) host_functions: Vec<HostFunction>,
    /// The stubs, as they were asked for.
    pub(super) stubs: Vec<Stub>,
    pub(super) preloads: Vec<Preload>,
}

/// Who answers a module's imports.
#[derive(Debug, Default)]
pub struct Imports<'a> {
    /// Stubs for functions that are not WASI's; the first that fits counts.
    pub stubs: &'a [Stub],
    /// Whether a host log answers everything: then no function needs anybody.
    pub logged: bool,
    /// Whether a module that can make threads is let run without them.
    pub allow_unordered: bool,
    /// Functions that the child process answers by itself: see [`crate::child::main_with`].
    pub hosted: &'a [Import],
    /// Modules whose exports answer imports.
    pub preloads: &'a [Preload],
}

impl Program {
    /// Prepares the binary `module`, read from a file called `name`, for these calls. Without calls it must be a
    /// WASI command: its `_start` is called. With calls, `_initialize` is called first where it exists.
    ///
    /// # Errors
    /// When the module is not valid or does what cannot be recorded, needs an import that nobody provides, or the
    /// calls do not fit it. A module that can make threads is refused unless `imports` allow it; then it gets none.
    pub fn new(name: &str, module: Vec<u8>, calls: &[Invocation], imports: &Imports) -> Result<Program, RecordError> {
        // Validates, too: an invalid module has no interface to speak of.
        let instrumented = instrument(&module, &Options::default())?;
        let interface = Interface::of(&module);
        let host_functions = interface.provide(imports)?;
        let calls = interface.resolve(calls)?;
        Ok(Program {
            name: name.to_string(),
            original: module.into(),
            instrumented,
            calls,
            exported: interface.exported,
            wasi_memory: interface.wasi_memory,
            host_functions,
            stubs: imports.stubs.to_vec(),
            preloads: imports.preloads.to_vec(),
        })
    }

    /// Prepares the program of a recording, to be run again with its host log.
    ///
    /// # Errors
    /// When the recording's module is not valid or its calls do not fit it.
    pub fn recorded(trace: &TraceReader) -> Result<Program, RecordError> {
        let header = trace.header();
        let module = trace.module();
        let instrumented = instrument(module, &Options::default())?;
        let interface = Interface::of(module);
        let host_functions =
            interface.provide(&Imports { logged: true, allow_unordered: true, ..Imports::default() })?;
        let calls = header.calls.iter().map(|call| interface.recorded_call(call)).collect::<Result<_, _>>()?;
        Ok(Program {
            name: header.module.name.clone(),
            original: Arc::clone(module),
            instrumented,
            calls,
            exported: interface.exported,
            wasi_memory: interface.wasi_memory,
            host_functions,
            stubs: Vec::new(),
            preloads: Vec::new(),
        })
    }

    /// Whether the module wants to make threads and gets none.
    pub fn runs_without_threads(&self) -> bool {
        self.host_functions.iter().any(|function| matches!(function.provider, Provider::NoThreads))
    }

    /// Number of memory-changing instructions.
    pub fn sites(&self) -> usize {
        self.instrumented.sites.len()
    }

    /// The rewritten module.
    pub fn rewritten(&self) -> &[u8] {
        &self.instrumented.module
    }

    /// Whether it calls anything of its host's.
    pub fn needs_host(&self) -> bool {
        self.host_functions.iter().any(|function| matches!(function.provider, Provider::Engine))
    }

    /// The original module.
    pub fn original(&self) -> &Arc<[u8]> {
        &self.original
    }

    /// The module rewritten as `options` say.
    ///
    /// # Errors
    /// When its code grows beyond what engines accept.
    pub(super) fn rewritten_as(&self, options: &Options) -> Result<Cow<'_, Instrumented>, RecordError> {
        if *options == Options::default() {
            return Ok(Cow::Borrowed(&self.instrumented));
        }
        Ok(Cow::Owned(instrument(&self.original, options)?))
    }

    /// What answers the host calls of a run.
    pub(super) fn host_spec(&self, request: &Request) -> HostSpec {
        HostSpec {
            functions: self.host_functions.clone(),
            memory: self.wasi_memory.unwrap_or(0),
            log: request.host.log().map(Path::to_path_buf),
            echo: request.echo,
        }
    }

    pub(super) fn run(&self, request: &Request, module: &Instrumented) -> Run {
        let names = |names: &[String]| names.to_vec();
        Run {
            precompiled: request.engine.compiles_ahead(),
            memories: module.memories.iter().map(|memory| memory.export.clone()).collect(),
            wasi_memory: self.wasi_memory,
            globals: module.globals.iter().map(|global| global.export.clone()).collect(),
            tables: names(&module.tables),
            has_start: module.has_start,
            calls: self.calls.clone(),
            wasi: request.wasi.clone(),
            live_host: matches!(request.host, HostSource::Live),
            preloads: self.preloads.clone(),
            // A runner asks the recorder.
            answers: request.engine.is_of_this_program().then(|| self.host_spec(request)),
            native_limit: request.native_limit,
            checkpoints: match request.checkpoint {
                _ if !module.records || !request.options.scope.is_everything() => Checkpoints::None,
                Checkpoint::End => Checkpoints::None,
                Checkpoint::Calls => Checkpoints::Calls,
                Checkpoint::Every(events) => {
                    Checkpoints::Bytes(events.saturating_mul(match request.effective_options().style {
                        Style::Inline => BYTES_PER_EVENT,
                        Style::Hooks => HOOK_SIZE as u64,
                    }))
                }
            },
            watch: request.watch.clone(),
        }
    }
}

/// What a raw record has on average: from this the engine's process, which decodes none, knows about how many
/// events it sent.
const BYTES_PER_EVENT: u64 = 10;

/// What a module imports and exports. Means nothing for a module that turns out not to be valid.
struct Interface {
    imports: Vec<Needed>,
    exports: BTreeMap<String, Option<FuncType>>,
    /// Exported functions by index; of several names the first.
    exported: BTreeMap<u32, String>,
    wasi_memory: Option<u32>,
}

/// Module, name and type of the import that makes a thread.
const THREAD_SPAWN: (&str, &str, &str) = (THREADS_MODULE, THREADS_NAME, "func (i32) -> (i32)");

/// What a module needs from outside.
struct Needed {
    import: Import,
    /// Its type in words.
    ty: String,
    kind: NeededKind,
}

enum NeededKind {
    Function(Option<FuncType>),
    Memory,
    Other,
}

impl Interface {
    fn of(module: &[u8]) -> Interface {
        let mut types: Vec<Option<FuncType>> = Vec::new();
        let mut functions: Vec<u32> = Vec::new();
        let mut interface =
            Interface { imports: Vec::new(), exports: BTreeMap::new(), exported: BTreeMap::new(), wasi_memory: None };
        // In a valid module every section reads without error; for others the validator's answer is what counts.
        for payload in Parser::new(0).parse_all(module).filter_map(Result::ok) {
            match payload {
                Payload::TypeSection(section) => {
                    for group in section.into_iter().filter_map(Result::ok) {
                        types.extend(group.into_types().map(|ty| match ty.composite_type.inner {
                            CompositeInnerType::Func(ty) => Some(ty),
                            _ => None,
                        }));
                    }
                }
                Payload::ImportSection(section) => {
                    for import in section.into_imports().filter_map(Result::ok) {
                        if let TypeRef::Func(ty) | TypeRef::FuncExact(ty) = import.ty {
                            functions.push(ty);
                        }
                        let ty = types::import(import.ty, |ty| types.get(ty as usize)?.as_ref());
                        let kind = match import.ty {
                            TypeRef::Func(ty) | TypeRef::FuncExact(ty) => {
                                NeededKind::Function(types.get(ty as usize).cloned().flatten())
                            }
                            TypeRef::Memory(_) => NeededKind::Memory,
                            _ => NeededKind::Other,
                        };
                        let import = Import { module: import.module.to_string(), name: import.name.to_string() };
                        interface.imports.push(Needed { import, ty, kind });
                    }
                }
                Payload::FunctionSection(section) => {
                    functions.extend(section.into_iter().filter_map(Result::ok));
                }
                Payload::ExportSection(section) => {
                    for export in section.into_iter().filter_map(Result::ok) {
                        if export.kind == ExternalKind::Memory && export.name == "memory" {
                            interface.wasi_memory = Some(export.index);
                        }
                        if export.kind == ExternalKind::Func {
                            interface.exported.entry(export.index).or_insert_with(|| export.name.to_string());
                        }
                        let ty = (export.kind == ExternalKind::Func)
                            .then(|| functions.get(export.index as usize))
                            .flatten()
                            .and_then(|ty| types.get(*ty as usize).cloned().flatten());
                        interface.exports.insert(export.name.to_string(), ty);
                    }
                }
                _ => {}
            }
        }
        interface
    }

    /// Finds out who answers each imported function, and whether all else can be had.
    fn provide(&self, imports: &Imports) -> Result<Vec<HostFunction>, RecordError> {
        let mut memories = BTreeSet::new();
        let mut functions = Vec::new();
        let mut missing = Vec::new();
        let preloads = imports.preloads.iter().map(exports_of).collect::<Result<Vec<_>, _>>()?;
        for needed in &self.imports {
            let Needed { import, ty, kind } = needed;
            let provided = match kind {
                // A memory is provided, fresh and of its own. Imported twice it would be one under two numbers.
                NeededKind::Memory => memories.insert(import),
                NeededKind::Other => false,
                NeededKind::Function(signature) => {
                    let results = signature.as_ref().map_or(&[][..], FuncType::results);
                    let provider = match preloaded(import, signature.as_ref(), imports.preloads, &preloads)? {
                        true => Provider::Engine,
                        false => provider(import, ty, results, imports)?,
                    };
                    let provided = imports.logged || !matches!(provider, Provider::Nobody);
                    let results = results.iter().map(|ty| result_type(*ty)).collect();
                    functions.push(HostFunction { import: import.clone(), results, provider });
                    provided
                }
            };
            if !provided {
                missing.push(format!("  {}: {ty}", import.to_string().escape_debug()));
            }
        }
        if missing.is_empty() {
            let threads = functions.iter().any(|function| matches!(function.provider, Provider::NoThreads));
            return if threads && !imports.allow_unordered { Err(RecordError::Threads) } else { Ok(functions) };
        }
        Err(RecordError::UnresolvedImports { list: missing.join("\n") })
    }

    /// The functions that can be called, as the end of an error message.
    fn callable(&self) -> String {
        let names: Vec<String> = self
            .exports
            .iter()
            .filter(|(name, ty)| ty.is_some() && !name.starts_with(EXPORT_PREFIX))
            .map(|(name, _)| name.escape_debug().to_string())
            .take(20)
            .collect();
        match names.as_slice() {
            [] => "; it exports no function at all".to_string(),
            names => format!("; it exports {}", names.join(", ")),
        }
    }

    /// A call as a recording has it; nothing about it is taken on trust.
    fn recorded_call(&self, call: &forkpoint_traces::Call) -> Result<Call, RecordError> {
        let Some(ty) = self.exports.get(&call.function).and_then(Option::as_ref) else {
            return Err(RecordError::NoSuchExport {
                name: call.function.escape_debug().to_string(),
                exports: self.callable(),
            });
        };
        let fits = |(value, ty): (&WasmValue, &ValType)| value_fits(value, *ty);
        if ty.params().len() != call.arguments.len() || !call.arguments.iter().zip(ty.params()).all(fits) {
            return Err(RecordError::ArgumentCount {
                function: call.function.escape_debug().to_string(),
                expected: ty.params().len(),
                types: signature(ty),
                found: call.arguments.len(),
            });
        }
        Ok(Call { function: call.function.clone(), arguments: call.arguments.clone(), vectors: has_vectors(ty) })
    }

    fn resolve(&self, calls: &[Invocation]) -> Result<Vec<Call>, RecordError> {
        let exported = |name: &str| self.exports.get(name).and_then(Option::as_ref);
        let plain = |function: &str| Call { function: function.to_string(), arguments: Vec::new(), vectors: false };
        if calls.is_empty() {
            return match exported("_start") {
                Some(ty) if ty.params().is_empty() => Ok(vec![plain("_start")]),
                _ => Err(RecordError::NothingToCall { exports: self.callable() }),
            };
        }
        let mut resolved = Vec::new();
        if exported("_initialize").is_some_and(|ty| ty.params().is_empty()) {
            resolved.push(plain("_initialize"));
        }
        for call in calls {
            let Some(ty) = exported(&call.function) else {
                return Err(RecordError::NoSuchExport {
                    name: call.function.escape_debug().to_string(),
                    exports: self.callable(),
                });
            };
            if ty.params().len() != call.arguments.len() {
                return Err(RecordError::ArgumentCount {
                    function: call.function.clone(),
                    expected: ty.params().len(),
                    types: signature(ty),
                    found: call.arguments.len(),
                });
            }
            let arguments = call
                .arguments
                .iter()
                .zip(ty.params())
                .enumerate()
                .map(|(i, (text, ty))| {
                    parse_value(text, *ty).map_err(|source| RecordError::Argument {
                        function: call.function.clone(),
                        number: i + 1,
                        source,
                    })
                })
                .collect::<Result<Vec<WasmValue>, _>>()?;
            resolved.push(Call { function: call.function.clone(), arguments, vectors: has_vectors(ty) });
        }
        Ok(resolved)
    }
}

type Exports = BTreeMap<String, Option<FuncType>>;

/// The exported functions of a preloaded module.
fn exports_of(preload: &Preload) -> Result<Exports, RecordError> {
    let fail = |why: String| RecordError::Preload { file: preload.file.clone(), why };
    let bytes = std::fs::read(&preload.file).map_err(|error| fail(error.to_string()))?;
    wasmparser::validate(&bytes).map_err(|error| fail(error.to_string()))?;
    let interface = Interface::of(&bytes);
    match interface.imports.first() {
        Some(needed) => Err(fail(format!("it imports {} itself, and must import nothing", needed.import))),
        None => Ok(interface.exports),
    }
}

/// Whether a preloaded module answers an import.
fn preloaded(
    import: &Import,
    ty: Option<&FuncType>,
    preloads: &[Preload],
    exports: &[Exports],
) -> Result<bool, RecordError> {
    for (preload, exports) in preloads.iter().zip(exports).filter(|(preload, _)| preload.name == import.module) {
        match exports.get(&import.name) {
            Some(Some(found)) if Some(found) == ty => return Ok(true),
            Some(found) => {
                let words = |ty: Option<&FuncType>| ty.map_or("no function".to_string(), signature);
                let why = format!(
                    "it exports {} as {}, the guest imports it as {}",
                    import.name.escape_debug(),
                    words(found.as_ref()),
                    words(ty)
                );
                return Err(RecordError::Preload { file: preload.file.clone(), why });
            }
            None => {}
        }
    }
    Ok(false)
}

fn has_vectors(ty: &FuncType) -> bool {
    ty.params().iter().chain(ty.results()).any(|ty| *ty == ValType::V128)
}

/// Who answers an imported function of this type.
fn provider(import: &Import, ty: &str, results: &[ValType], imports: &Imports) -> Result<Provider, RecordError> {
    if let Some(stub) = imports.stubs.iter().find(|stub| stub.fits(import)) {
        let fail = |why: String| RecordError::Stub {
            stub: stub.to_string(),
            import: import.to_string(),
            ty: ty.to_string(),
            why,
        };
        let values = match &stub.answer {
            StubAnswer::Trap => return Ok(Provider::Stub(HostEnd::Trapped(format!("the stub {stub} says so")))),
            StubAnswer::Results(values) if values.is_empty() => results.iter().map(|ty| zero(*ty)).collect(),
            StubAnswer::Results(values) if values.len() == results.len() => values
                .iter()
                .zip(results)
                .map(|(text, ty)| parse_value(text, *ty).map_err(|error| fail(error.to_string())))
                .collect::<Result<_, _>>()?,
            StubAnswer::Results(values) => {
                return Err(fail(format!("{} result(s) expected, {} given", results.len(), values.len())));
            }
        };
        return Ok(Provider::Stub(HostEnd::Returned(values)));
    }
    if (&*import.module, &*import.name, ty) == THREAD_SPAWN {
        return Ok(Provider::NoThreads);
    }
    if imports.hosted.contains(import) {
        return Ok(Provider::Engine);
    }
    let is_wasi = import.module == wasi::MODULE && wasi::signature(&import.name).is_some();
    Ok(if is_wasi { Provider::Engine } else { Provider::Nobody })
}

fn value_fits(value: &WasmValue, ty: ValType) -> bool {
    match (value, ty) {
        (WasmValue::I32(_), ValType::I32)
        | (WasmValue::I64(_), ValType::I64)
        | (WasmValue::F32(_), ValType::F32)
        | (WasmValue::F64(_), ValType::F64)
        | (WasmValue::V128(_), ValType::V128) => true,
        (WasmValue::Reference(word), ValType::Ref(ty)) => word == "null" && ty.is_nullable(),
        _ => false,
    }
}

fn result_type(ty: ValType) -> ResultType {
    match ty {
        ValType::I32 => ResultType::I32,
        ValType::I64 => ResultType::I64,
        ValType::F32 => ResultType::F32,
        ValType::F64 => ResultType::F64,
        ValType::V128 => ResultType::V128,
        ValType::Ref(ty) if ty.is_nullable() => ResultType::Nullable,
        ValType::Ref(_) => ResultType::Reference,
    }
}

/// Zero, or a null reference.
fn zero(ty: ValType) -> WasmValue {
    match ty {
        ValType::I32 => WasmValue::I32(0),
        ValType::I64 => WasmValue::I64(0),
        ValType::F32 => WasmValue::F32(0),
        ValType::F64 => WasmValue::F64(0),
        ValType::V128 => WasmValue::V128([0; 16]),
        ValType::Ref(_) => WasmValue::Reference("null".to_string()),
    }
}
