//! What is to be run: a module, rewritten, and the calls to make.

use super::Checkpoint;
use super::calls;
use super::files::SharedFiles;
use super::interface::Interface;
use super::invocation::Invocation;
use super::linked;
use super::providers::{Imports, provide};
use super::rewritings::{Rewritings, Rewritten};
use super::steps::Steps;
use crate::error::RecordError;
use crate::host::answer::HostSpec;
use crate::host::function::{HostFunction, Provider};
use crate::host::preload::Preload;
use crate::host::script::HostScript;
use crate::host::stub::Stub;
use crate::instrument::{
    Commit, HOOK_SIZE, InstrumentError, Instrumented, MemoryDecl, Options, Original, Style, untouched,
};
use crate::job::{Checkpoints, Run};
use crate::record::javascript::{self, JavaScript};
use crate::record::{HostSource, Keep, Request, script};
use crate::script::Script;
use crate::validity::Validity;
use forkpoint_traces::{Import, ProgramInfo, TraceReader};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// A module ready to be recorded under any engine, any number of times.
pub struct Program {
    pub(super) name: String,
    pub(super) original: Arc<[u8]>,
    pub(super) validity: Arc<Validity>,
    source: Source,
    rewritings: Rewritings,
    /// Files of the original module.
    pub(super) files: SharedFiles,
    hash: OnceLock<String>,
    pub(super) steps: Steps,
    /// What functions are called, by index: in the name section, or by their first export.
    pub(super) functions: BTreeMap<u32, String>,
    pub(super) wasi_memory: Option<u32>,
    /// All imported functions, in order.
    pub(super) host_functions: Vec<HostFunction>,
    /// The stubs, as they were asked for.
    pub(super) stubs: Vec<Stub>,
    pub(super) preloads: Vec<Preload>,
    pub(super) scripts: Vec<HostScript>,
    /// What there is instead of a single module and its steps.
    pub(super) script: Option<Arc<Script>>,
    /// What JavaScript can reach of the module, if it is where the program lives.
    pub(super) javascript: Option<Arc<JavaScript>>,
}

/// What engines run.
enum Source {
    /// The module, ready to be rewritten.
    Valid(Box<Original>),
    /// Several modules.
    Several(Arc<Script>),
    /// An invalid module, unchanged: engines are asked whether they accept it, and nothing of it runs.
    Invalid { why: InstrumentError, module: Arc<Rewritten> },
}

/// What a program has cost besides its runs: for a large module each of these takes seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Work {
    /// How often the module was validated, each time with other proposals.
    pub validations: usize,
    /// How often it was rewritten, each time in another way as long as there is room to keep the results.
    pub rewrites: usize,
}

impl Program {
    /// Prepares the binary `module`, read from a file called `name`, for these calls. Without calls it must be a
    /// WASI command: its `_start` is called. With calls, `_initialize` is called first where it exists.
    ///
    /// # Errors
    /// When the module does what cannot be recorded, needs an import that is not provided, or the
    /// calls do not fit it. One that is not valid is not an error: engines are asked whether they accept it
    /// ([`Program::invalid`]). A module that can make threads is refused unless `imports` allow it; then it gets none.
    pub fn new(name: &str, module: Vec<u8>, calls: &[Invocation], imports: &Imports) -> Result<Program, RecordError> {
        Program::allocating(name, module, calls, None, imports)
    }

    /// The same with texts and files among the arguments, for which `allocator` makes room in memory: it is called with the
    /// number of bytes, or with the arguments it has, where `len` stands for that number.
    ///
    /// # Errors
    /// Those of [`Program::new`], and when bytes cannot be had or have no room.
    pub fn allocating(
        name: &str,
        module: Vec<u8>,
        calls: &[Invocation],
        allocator: Option<&Invocation>,
        imports: &Imports,
    ) -> Result<Program, RecordError> {
        Program::with(name, module.into(), imports, |interface, memories| {
            calls::resolve(interface, calls, allocator, memories)
        })
    }

    /// Prepares a module of which nothing is called: it is instantiated, and its start function runs.
    ///
    /// # Errors
    /// Those of [`Program::new`].
    pub fn uncalled(name: &str, module: Vec<u8>, imports: &Imports) -> Result<Program, RecordError> {
        Program::with(name, module.into(), imports, |_, _| Ok(Steps::default()))
    }

    /// Prepares a `.wast` script, read from a file called `name`: all its directives are run in order.
    ///
    /// # Errors
    /// When the text is not a script, or needs more than is supported.
    pub fn script(name: &str, text: &str) -> Result<Program, RecordError> {
        Ok(Program::several(name, Script::read(text)?))
    }

    /// Prepares a program of several binary modules, each with the name under which others import from it. A call names the
    /// module, `a.run`; else it is one of the last module's. Without calls that must have a `_start`.
    ///
    /// # Errors
    /// When a module is not valid, the modules cannot be linked, or the calls do not fit them.
    pub fn linked(name: &str, modules: &[(String, Vec<u8>)], calls: &[Invocation]) -> Result<Program, RecordError> {
        for (_, module) in modules {
            Original::read(module.as_slice().into())?;
        }
        Ok(Program::several(name, Script::linked(modules, linked::calls(modules, calls)?)?))
    }

    fn several(name: &str, script: Script) -> Program {
        let script = Arc::new(script);
        let original = Arc::clone(&script.modules);
        Program {
            name: name.to_string(),
            validity: Arc::new(Validity::new(Arc::clone(&original))),
            original,
            source: Source::Several(Arc::clone(&script)),
            rewritings: Rewritings::default(),
            files: SharedFiles::default(),
            hash: OnceLock::new(),
            steps: Steps::default(),
            functions: BTreeMap::new(),
            wasi_memory: None,
            host_functions: Vec::new(),
            stubs: Vec::new(),
            preloads: Vec::new(),
            scripts: Vec::new(),
            script: Some(script),
            javascript: None,
        }
    }

    /// What it consists of, if it is of several modules.
    pub fn parts(&self) -> Option<&ProgramInfo> {
        self.script.as_ref().map(|script| &script.info)
    }

    /// Prepares the program of a recording, to be run again with its host log.
    ///
    /// # Errors
    /// When the recording's module does what cannot be recorded or its calls do not fit it.
    pub fn recorded(trace: &TraceReader) -> Result<Program, RecordError> {
        let header = trace.header();
        if let Some(info) = &header.program {
            return Ok(Program::several(&header.module.name, Script::recorded(info, trace.module())?));
        }
        let imports = Imports { logged: true, allow_unordered: true, ..Imports::default() };
        if let Some(info) = &header.javascript {
            return javascript::recorded(trace, Arc::clone(trace.module()), info.clone());
        }
        Program::with(&header.module.name, Arc::clone(trace.module()), &imports, |interface, memories| {
            Steps::recorded(interface, memories, &header.steps)
        })
    }

    /// Prepares another module with what JavaScript did to that of a recording: it must have the same functions, imports, tables
    /// and globals in the same places.
    ///
    /// # Errors
    /// When nothing of the recording's lives in JavaScript, and those of [`Program::recorded`].
    pub fn recorded_as(trace: &TraceReader, module: Vec<u8>) -> Result<Program, RecordError> {
        let info = trace.header().javascript.clone();
        let info = info.ok_or_else(|| RecordError::JavaScript("the recording has no JavaScript".to_string()))?;
        javascript::recorded(trace, module.into(), info)
    }

    /// Prepares a module; `steps` are found out only where it is valid.
    pub(super) fn with(
        name: &str,
        module: Arc<[u8]>,
        imports: &Imports,
        steps: impl FnOnce(&Interface, &[MemoryDecl]) -> Result<Steps, RecordError>,
    ) -> Result<Program, RecordError> {
        let validity = Arc::new(Validity::new(Arc::clone(&module)));
        let original = match Original::of(Arc::clone(&validity)) {
            // An invalid module has no interface to speak of.
            Err(error @ InstrumentError::Invalid { .. }) => return Ok(Program::of_invalid(name, validity, error)),
            result => result?,
        };
        let interface = Interface::of(&module);
        let host_functions = provide(&interface, imports)?;
        let steps = steps(&interface, original.memories())?;
        Ok(Program {
            name: name.to_string(),
            original: module,
            validity,
            source: Source::Valid(Box::new(original)),
            rewritings: Rewritings::default(),
            files: SharedFiles::default(),
            hash: OnceLock::new(),
            steps,
            functions: interface.functions,
            wasi_memory: interface.wasi_memory,
            host_functions,
            stubs: imports.stubs.to_vec(),
            preloads: imports.preloads.to_vec(),
            scripts: imports.scripts.to_vec(),
            script: None,
            javascript: None,
        })
    }

    fn of_invalid(name: &str, validity: Arc<Validity>, why: InstrumentError) -> Program {
        let original = Arc::clone(validity.module());
        Program {
            name: name.to_string(),
            source: Source::Invalid { why, module: Arc::new(Rewritten::new(untouched(&original))) },
            original,
            validity,
            rewritings: Rewritings::default(),
            files: SharedFiles::default(),
            hash: OnceLock::new(),
            steps: Steps::default(),
            functions: BTreeMap::new(),
            wasi_memory: None,
            host_functions: Vec::new(),
            stubs: Vec::new(),
            preloads: Vec::new(),
            scripts: Vec::new(),
            script: None,
            javascript: None,
        }
    }

    /// Why the module is not valid, if it is not. Engines are asked to validate and to compile it all the same, and
    /// nothing of it is instantiated, whatever they say.
    pub fn invalid(&self) -> Option<&InstrumentError> {
        match &self.source {
            Source::Valid(_) | Source::Several(_) => None,
            Source::Invalid { why, .. } => Some(why),
        }
    }

    /// Whether the module has instructions that switch stacks.
    pub fn switches_stacks(&self) -> bool {
        matches!(&self.source, Source::Valid(original) if original.switches_stacks())
    }

    /// Whether the module wants to make threads and gets none.
    pub fn runs_without_threads(&self) -> bool {
        self.host_functions.iter().any(|function| matches!(function.provider, Provider::NoThreads))
    }

    /// The files whose bytes are put into memory for calls.
    pub fn files(&self) -> &[PathBuf] {
        &self.steps.files
    }

    /// How much work the module has been so far.
    pub fn work(&self) -> Work {
        Work { validations: self.validity.count(), rewrites: self.rewritings.made() }
    }

    /// Whether it calls anything of its host's.
    pub fn needs_host(&self) -> bool {
        self.host_functions.iter().any(HostFunction::needs_engine)
    }

    /// Whether it needs somebody outside: for functions that it does not have, or to be called by JavaScript.
    pub fn calls_out(&self) -> bool {
        !self.host_functions.is_empty() || self.javascript.is_some()
    }

    /// The first import that only the process of the linked Wasmtime can answer: a script's, a preloaded module's or an
    /// embedder's.
    pub fn beyond_wasi(&self) -> Option<&Import> {
        let first = self.host_functions.iter().find(|function| function.needs_engine() && !function.needs_wasi());
        first.map(|function| &function.import)
    }

    /// BLAKE3 of the original module in hexadecimal.
    pub(super) fn hash(&self) -> String {
        self.hash.get_or_init(|| blake3::hash(&self.original).to_hex().to_string()).clone()
    }

    /// The original module.
    pub fn original(&self) -> &Arc<[u8]> {
        &self.original
    }

    /// The module rewritten as `options` say.
    ///
    /// # Errors
    /// When its code grows beyond what engines accept.
    pub(super) fn rewritten_as(&self, options: &Options) -> Result<Arc<Rewritten>, RecordError> {
        self.made(Some(options), |original| original.instrument(options))
    }

    /// The module with nothing but exports added, and functions for those steps that need them.
    ///
    /// # Errors
    /// When it grows beyond what engines accept.
    pub(super) fn exposed(&self) -> Result<Arc<Rewritten>, RecordError> {
        self.made(None, Original::expose)
    }

    /// The result of `make` for a valid module, computed once.
    fn made(
        &self,
        options: Option<&Options>,
        make: impl FnOnce(&Original) -> Result<Instrumented, InstrumentError>,
    ) -> Result<Arc<Rewritten>, RecordError> {
        match &self.source {
            Source::Invalid { module, .. } => Ok(Arc::clone(module)),
            Source::Several(several) => self.rewritings.get(options, || script::rewritten(several, options)),
            Source::Valid(original) => self.rewritings.get(options, || {
                let module = with_steps(make(original)?, &self.steps)?;
                Ok(match &self.javascript {
                    Some(javascript) => match &javascript.given {
                        Some(given) => module.settled(given)?,
                        None => module,
                    }
                    .with_reach(&javascript.reach)?,
                    None => module,
                })
            }),
        }
    }

    /// What answers the host calls of a run.
    pub(super) fn host_spec(&self, request: &Request) -> HostSpec {
        HostSpec {
            functions: self.host_functions.clone(),
            memory: self.wasi_memory,
            wasi: request.wasi.clone(),
            log: request.host.log().map(Path::to_path_buf),
            other_build: matches!(request.host, HostSource::LogOfOtherBuild(_)),
            echo: request.echo,
            guests: self.javascript.as_ref().map(|javascript| javascript.guests()),
            settled: self.javascript.as_ref().map(|javascript| javascript.settled()).unwrap_or_default(),
        }
    }

    /// The options as far as engine and program can follow them: several modules record by hooks.
    pub(super) fn options(&self, request: &Request) -> Options {
        let options = request.effective_options();
        match (&self.script, &self.javascript) {
            (Some(_), _) => Options { style: Style::Hooks, commit: Commit::EachEvent, ..options },
            // Calls that trap may be caught: what their functions recorded must not be lost.
            (None, Some(_)) => Options { commit: Commit::EachEvent, ..options },
            (None, None) => options,
        }
    }

    /// Whether a run's records are digested in the engine's process. The recorder alone knows what puts write.
    pub(super) fn digests_there(&self, request: &Request) -> bool {
        request.keep == Keep::Digests
            && request.digests()
            && request.engine.is_of_this_program()
            && self.script.is_none()
            && self.steps.added().is_empty()
    }

    pub(super) fn run(&self, request: &Request, module: &Instrumented) -> Run {
        let names = |names: &[String]| names.to_vec();
        Run {
            precompiled: request.engine.compiles_ahead(),
            stages_only: self.invalid().is_some(),
            memories: module.memories.iter().map(|memory| memory.export.clone()).collect(),
            javascript: self.javascript.is_some(),
            wasi_memory: self.wasi_memory,
            globals: module.globals.iter().map(|global| global.export.clone()).collect(),
            tables: names(&module.tables),
            has_start: module.has_start,
            calls: self.steps.jobs(),
            wasi: request.wasi.clone(),
            live_host: matches!(request.host, HostSource::Live) && self.needs_host(),
            preloads: self.preloads.clone(),
            scripts: self.scripts.clone(),
            // A runner asks the recorder.
            answers: request.engine.is_of_this_program().then(|| self.host_spec(request)),
            native_limit: request.native_limit,
            checkpoints: match request.checkpoint {
                _ if !module.records || !request.options.scope.is_everything() => Checkpoints::None,
                Checkpoint::End => Checkpoints::None,
                Checkpoint::Calls => Checkpoints::Calls,
                Checkpoint::Every(events) => {
                    Checkpoints::Bytes(events.saturating_mul(match self.options(request).style {
                        Style::Inline => BYTES_PER_EVENT,
                        Style::Hooks => HOOK_SIZE as u64,
                    }))
                }
            },
            watch: request.watch.clone(),
            careful: false,
            script: None,
            digests: self.digests_there(request).then(|| DIGEST_DECODER.to_string()),
            reference: request.reference.clone().filter(|_| request.engine.is_command()),
            sites: if request.engine.is_command() { module.sites.len() as u32 } else { 0 },
        }
    }
}

/// The same module with functions for the steps that need them.
fn with_steps(module: Instrumented, steps: &Steps) -> Result<Instrumented, RecordError> {
    let added = steps.added();
    Ok(if added.is_empty() { module } else { module.with_steps(&steps.list, added)? })
}

/// The file for the decoder of records that the engine's process digests.
const DIGEST_DECODER: &str = "decoder";

/// What a raw record has on average: from this the engine's process, which decodes none, knows about how many
/// events it sent.
const BYTES_PER_EVENT: u64 = 10;
