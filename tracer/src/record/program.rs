//! What is to be run: a module, rewritten, and the calls to make.

use super::Checkpoint;
use crate::child::{Call, Checkpoints, Run};
use crate::error::RecordError;
use crate::host::outputs::WASI;
use crate::host::{THREADS_MODULE, THREADS_NAME};
use crate::instrument::{EXPORT_PREFIX, Instrumented, Options, Style, instrument};
use crate::protocol::HOOK_SIZE;
use crate::record::Request;
use crate::record::types::{self, signature};
use crate::values::{WasmValue, parse_value};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use wasmparser::{CompositeInnerType, ExternalKind, FuncType, Parser, Payload, TypeRef};

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
    wasi_memory: Option<u32>,
    /// Whether it wants to make threads, and is let run without them.
    without_threads: bool,
}

impl Program {
    /// Prepares the binary `module`, read from a file called `name`, for these calls. Without calls it must be a
    /// WASI command: its `_start` is called. With calls, `_initialize` is called first where it exists.
    ///
    /// # Errors
    /// When the module is not valid or does what cannot be recorded, needs an import that nobody provides, or the
    /// calls do not fit it. A module that can make threads is refused unless `allow_unordered`; then it gets none.
    pub fn new(
        name: &str,
        module: Vec<u8>,
        calls: &[Invocation],
        allow_unordered: bool,
    ) -> Result<Program, RecordError> {
        // Validates, too: an invalid module has no interface to speak of.
        let instrumented = instrument(&module, &Options::default())?;
        let interface = Interface::of(&module);
        interface.check_imports()?;
        let without_threads = interface.imports.iter().any(|import| import.is_thread_spawn);
        if without_threads && !allow_unordered {
            return Err(RecordError::Threads);
        }
        let calls = interface.resolve(calls)?;
        Ok(Program {
            name: name.to_string(),
            original: module.into(),
            instrumented,
            calls,
            exported: interface.exported,
            wasi_memory: interface.wasi_memory,
            without_threads,
        })
    }

    /// Whether the module wants to make threads and gets none.
    pub fn runs_without_threads(&self) -> bool {
        self.without_threads
    }

    /// Number of memory-changing instructions.
    pub fn sites(&self) -> usize {
        self.instrumented.sites.len()
    }

    /// The rewritten module.
    pub fn rewritten(&self) -> &[u8] {
        &self.instrumented.module
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
    imports: Vec<Import>,
    exports: BTreeMap<String, Option<FuncType>>,
    /// Exported functions by index; of several names the first.
    exported: BTreeMap<u32, String>,
    wasi_memory: Option<u32>,
}

/// Module, name and type of the import that makes a thread.
const THREAD_SPAWN: (&str, &str, &str) = (THREADS_MODULE, THREADS_NAME, "func (i32) -> (i32)");

/// What a module needs from outside.
struct Import {
    module: String,
    name: String,
    /// Its type in words.
    ty: String,
    is_memory: bool,
    is_thread_spawn: bool,
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
                        let (module, name) = (import.module.to_string(), import.name.to_string());
                        let is_memory = matches!(import.ty, TypeRef::Memory(_));
                        let is_thread_spawn = (&*module, &*name, &*ty) == THREAD_SPAWN;
                        interface.imports.push(Import { module, name, ty, is_memory, is_thread_spawn });
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

    fn check_imports(&self) -> Result<(), RecordError> {
        let mut memories = BTreeSet::new();
        // A memory is provided, fresh and of its own. Imported twice it would be one under two numbers.
        let mut provided = |import: &Import| match import.is_memory {
            true => memories.insert((import.module.clone(), import.name.clone())),
            false => import.is_thread_spawn || import.module == WASI && is_wasi(&import.name),
        };
        let missing: Vec<String> = self
            .imports
            .iter()
            .filter(|import| !provided(import))
            .map(|Import { module, name, ty, .. }| {
                format!("  {}.{}: {ty}", module.escape_debug(), name.escape_debug())
            })
            .collect();
        if missing.is_empty() {
            return Ok(());
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

    fn resolve(&self, calls: &[Invocation]) -> Result<Vec<Call>, RecordError> {
        let exported = |name: &str| self.exports.get(name).and_then(Option::as_ref);
        let plain = |function: &str| Call { function: function.to_string(), arguments: Vec::new() };
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
            resolved.push(Call { function: call.function.clone(), arguments });
        }
        Ok(resolved)
    }
}

/// Whether WASI preview 1 has a function of this name.
#[rustfmt::skip]
fn is_wasi(name: &str) -> bool {
    const FUNCTIONS: &[&str] = &[
        "args_get", "args_sizes_get", "clock_res_get", "clock_time_get", "environ_get", "environ_sizes_get",
        "fd_advise", "fd_allocate", "fd_close", "fd_datasync", "fd_fdstat_get", "fd_fdstat_set_flags",
        "fd_fdstat_set_rights", "fd_filestat_get", "fd_filestat_set_size", "fd_filestat_set_times", "fd_pread",
        "fd_prestat_dir_name", "fd_prestat_get", "fd_pwrite", "fd_read", "fd_readdir", "fd_renumber", "fd_seek",
        "fd_sync", "fd_tell", "fd_write", "path_create_directory", "path_filestat_get",
        "path_filestat_set_times", "path_link", "path_open", "path_readlink", "path_remove_directory",
        "path_rename", "path_symlink", "path_unlink_file", "poll_oneoff", "proc_exit", "proc_raise", "random_get",
        "sched_yield", "sock_accept", "sock_recv", "sock_send", "sock_shutdown",
    ];
    FUNCTIONS.contains(&name)
}
