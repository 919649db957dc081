//! WasmEdge's command line, of the release that the library is of.

use super::parts::{OwnCommand, Shows, VALUE};
use crate::features::FeatureSwitches;
use crate::spec::{WasmEdgeMode, WasmEdgeSpec};

/// Names of proposals that the command line knows, and ours.
const SWITCHES: &[(&str, &str)] = &[
    ("bulk_memory", "bulk-memory"),
    ("exceptions", "exception-handling"),
    ("extended_const", "extended-const"),
    ("function_references", "function-reference"),
    ("gc", "gc"),
    ("memory64", "memory64"),
    ("multi_memories", "multi-memory"),
    ("multi_memory", "multi-memory"),
    ("reference_types", "reference-types"),
    ("relaxed_simd", "relaxed-simd"),
    ("simd", "simd"),
    ("tail_call", "tail-call"),
    ("threads", "threads"),
];

pub(super) fn command(
    spec: &WasmEdgeSpec,
    limit: Option<u64>,
    features: &FeatureSwitches,
) -> Result<OwnCommand, String> {
    let mut general = Vec::new();
    for switch in features.switches().chain(&spec.wasm) {
        general.push(self::switch(&switch.name, switch.enabled)?);
    }
    let compiler = spec.compile_wasm.iter().map(|switch| self::switch(&switch.name, switch.enabled));
    let compiler = compiler.collect::<Result<Vec<_>, _>>()?;
    let words = |words: &[String]| words.iter().map(|word| format!(" {word}")).collect::<String>();
    let limit = limit.map_or(String::new(), |pages| format!(" --memory-page-limit {pages}"));
    let run = |mode: &str, file: &str| format!("wasmedge --reactor{mode}{limit}{} {file} {VALUE}", words(&general));
    let lines = match spec.mode {
        WasmEdgeMode::Interpreter => run("", "\"$module\""),
        WasmEdgeMode::Jit if spec.opt.is_some() => return Err("its JIT has no option for its level".to_string()),
        WasmEdgeMode::Jit => run(" --enable-jit", "\"$module\""),
        WasmEdgeMode::Aot => {
            let level = spec.opt.as_ref().map_or(String::new(), |level| format!(" --optimize {}", &level[1..]));
            format!(
                "wasmedge compile{level}{}{} \"$module\" \"$module.so\" &&\n  {}",
                words(&general),
                words(&compiler),
                run("", "\"$module.so\"")
            )
        }
    };
    Ok(OwnCommand { lines, shows: Shows::Value })
}

fn switch(name: &str, enabled: bool) -> Result<String, String> {
    let known = name.replace('-', "_");
    let found = SWITCHES.iter().find(|(ours, _)| *ours == known);
    let (_, option) = found.ok_or_else(|| format!("its command has no option for `{name}`"))?;
    Ok(format!("--{}-{option}", if enabled { "enable" } else { "disable" }))
}
