//! An engine's own command line: what shows a divergence to somebody who has the engine and not forkpoint.
//!
//! Where an engine is a library, its command is a small script over nothing but the library's own interface. What a command
//! cannot say (a runner's program, a setting that the engine's command lacks) is an error in words, never left out in silence.

mod bundled;
mod check;
mod library;
mod parts;
mod template;
mod wasmedge;
mod wasmtime;

use crate::features::FeatureSwitches;
use crate::record::Request;
use crate::spec::EngineSpec;
pub use check::{OwnRun, run_own_command};
pub use parts::{AFTERWARDS, CHECKED, OwnCommand, OwnModule, Shows, VALUE};

/// The command that runs a module under the engine of a request, with its settings.
///
/// # Errors
/// In words, when there is none, or when it cannot be told one of the settings.
pub fn own_command(request: &Request, own: OwnModule<'_>) -> Result<OwnCommand, String> {
    let limit = request.memory_page_limit;
    let features = &request.features;
    if request.run_features != FeatureSwitches::default() {
        return Err("proposals that are switched while running only".to_string());
    }
    if own.afterwards && !matches!(request.engine, EngineSpec::Capi(_) | EngineSpec::Bundled(_)) {
        return Err("its command makes one call, and what differs is seen after a trap".to_string());
    }
    let unlimited = |command: OwnCommand| match limit {
        None => Ok(command),
        Some(_) => Err("it has no setting for a limit of memory pages".to_string()),
    };
    match &request.engine {
        EngineSpec::Wasmtime(spec) => wasmtime::command(spec, limit, features, own),
        EngineSpec::Capi(spec) => unlimited(library::command(spec, features, own)?),
        EngineSpec::WasmEdge(spec) => wasmedge::command(spec, limit, features),
        EngineSpec::Wasmi => unlimited(OwnCommand {
            lines: format!(
                "wasmi \"$module\" --invoke {VALUE}  # cargo install wasmi_cli --version {}",
                wasmi_version()
            ),
            shows: Shows::Value,
        }),
        EngineSpec::Bundled(spec) => unlimited(bundled::command(spec, features, own)?),
        EngineSpec::Command(spec) => unlimited(template::command(spec)?),
        EngineSpec::Runner { .. } => {
            Err("its runner is a program for forkpoint, and the engine's own command is not known".to_string())
        }
    }
}

fn wasmi_version() -> &'static str {
    let engines = crate::engine::linked_engines();
    engines.into_iter().find(|(name, _)| *name == "wasmi").map_or("", |(_, version)| version)
}
