//! The header of a trace: everything that decides whether a bug shows.

use super::{HostSource, Keep, Program, Request, environment};
use crate::instrument::{Scope, Style};
use forkpoint_traces::{
    ADDRESS_SPACE, EngineInfo, Features, FuncIndex, Header, HostInfo, Limits, ModuleInfo, RecorderInfo, Specification,
};

/// The setting by which a runner says whether the last events before a sudden end reach the recorder: `kept`, `kept but in
/// a crash`, anything else for what may be missing. forkpoint's own processes keep them always and say nothing.
pub(super) const LAST_EVENTS: &str = "last events";

/// The value with which a runner offers to keep them in a crash, too, when it is asked for care.
pub(super) const KEPT_WITH_CARE: &str = "kept but in a crash";

/// The setting in which an engine names its own WASI host, and the one in which it says why it has none.
pub(super) const HOST: &str = "host";
pub(super) const NO_HOST: &str = "no host";

/// The host that an engine says it has; or why it says it has none, where it does.
pub(super) fn own_host(engine: &EngineInfo) -> Result<String, Option<String>> {
    let value =
        |name: &str| engine.settings.iter().find(|(setting, _)| setting == name).map(|(_, value)| value.clone());
    value(HOST).ok_or_else(|| value(NO_HOST))
}

/// The header of a recording of `program` under `engine`.
pub(super) fn of(program: &Program, request: &Request, mut engine: EngineInfo, chunk_events: u32) -> Header {
    // What did not answer decides nothing.
    let live = request.host == HostSource::Live && program.needs_host();
    engine.settings.retain(|(name, _)| name != NO_HOST && (name != HOST || live));
    if program.runs_without_threads() {
        engine.settings.push(("wasi.thread-spawn".to_string(), "refused (--allow-unordered)".to_string()));
    }
    if let Some(most) = environment::address_space() {
        engine.settings.push((ADDRESS_SPACE.to_string(), most.to_string()));
    }
    if let Some(most) = request.max_memory {
        engine.settings.push(("most bytes of the process".to_string(), most.to_string()));
    }
    let kept = engine.settings.iter().any(|(name, _)| name == LAST_EVENTS);
    if !request.engine.is_of_this_program() && !kept {
        engine.settings.push((LAST_EVENTS.to_string(), "may be missing".to_string()));
    }
    let wasi = &request.wasi;
    let scripts = program.scripts.iter().map(|script| format!("--host-script {}", script.file.display()));
    let preloads = program.preloads.iter().map(|preload| format!("{}={}", preload.name, preload.file.display()));
    let directories = wasi.directories.iter().map(|(host, guest)| format!("{}::{guest}", host.display()));
    Header {
        forkpoint: env!("CARGO_PKG_VERSION").to_string(),
        engine,
        module: ModuleInfo::of(&program.name, &program.original),
        host: HostInfo {
            arguments: wasi.arguments.clone(),
            environment: wasi.environment.clone(),
            directories: directories.collect(),
            deterministic: wasi.deterministic,
            replayed: request.host != HostSource::Live,
            stubs: program.stubs.iter().map(ToString::to_string).chain(scripts).collect(),
            preloads: preloads.collect(),
        },
        steps: if program.javascript.is_some() { Vec::new() } else { program.steps.list.clone() },
        limits: Limits {
            timeout_ms: request.timeout.map(|timeout| timeout.as_millis() as u64),
            memory_pages: request.memory_page_limit,
        },
        features: Features { compile: request.features.words(), run: request.run_features().words() },
        specification: match program.parts() {
            Some(_) => Specification::default(),
            None => request.run_features().specification(&program.validity),
        },
        recorder: RecorderInfo {
            hooks: program.options(request).style == Style::Hooks,
            read_back: request.options.read_back,
            checkpoint: request.checkpoint.to_string(),
            scope: scope(request, program),
            probes: request.options.probes(),
        },
        command: request.command.clone(),
        chunk_events,
        program: program.parts().cloned(),
        javascript: program.javascript.as_ref().map(|javascript| javascript.info.clone()),
    }
}

/// What the trace holds, where that is not everything.
fn scope(request: &Request, program: &Program) -> Option<String> {
    match request.keep {
        Keep::Digests => Some("host calls and sizes of memories".to_string()),
        Keep::Full | Keep::Window { .. } | Keep::Windows(_) => {
            (!request.options.scope.is_everything()).then(|| words(&request.options.scope, program))
        }
    }
}

/// A scope in words.
fn words(scope: &Scope, program: &Program) -> String {
    let mut parts = Vec::new();
    match &scope.functions {
        Some(functions) if functions.is_empty() => parts.push("sizes of memories".to_string()),
        Some(functions) => {
            let name = |func: &FuncIndex| match program.functions.get(&func.0) {
                Some(name) => super::trap::shown(name),
                None => func.0.to_string(),
            };
            let list: Vec<String> = functions.iter().take(8).map(name).collect();
            let more = if functions.len() > list.len() { " and others" } else { "" };
            parts.push(format!("stores of function {}{more}", list.join(", ")));
        }
        None => {}
    }
    if let Some((memory, bytes)) = &scope.bytes {
        parts.push(format!("stores to memory {} at {:#x}..{:#x}", memory.0, bytes.start, bytes.end));
    }
    parts.join(", ")
}
