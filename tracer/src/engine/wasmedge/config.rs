//! Settings of WasmEdge. Proposals are numbers that differ between releases.

use super::abi::{Api, Object, Release, Status, Version};
use crate::engine::drive::Rejected;
use crate::features::FeatureSwitches;
use crate::spec::{LEVELS, WasmEdgeMode, WasmEdgeSpec};
use crate::switch::Switch;
use forkpoint_traces::Stage;
use std::ffi::{CStr, c_char, c_void};

/// The settings, for the trace's header.
pub(super) type Settings = Vec<(String, String)>;

/// Proposals up to tail calls have the same numbers in every release.
const FIRST: &[&str] = &[
    "import_export_mut_globals",
    "non_trap_float_to_int_conversions",
    "sign_extension_operators",
    "multi_value",
    "bulk_memory_operations",
    "reference_types",
    "simd",
    "tail_call",
];

/// Later proposals, with the first release in which they follow.
#[rustfmt::skip]
const LATER: &[(Version, &[&str])] = &[
    ((0, 16, 0), &["extended_const", "function_references", "gc", "multi_memories", "relaxed_simd", "annotations",
                   "exception_handling", "memory64", "threads"]),
    ((0, 15, 0), &["extended_const", "function_references", "gc", "multi_memories", "relaxed_simd", "annotations",
                   "threads", "exception_handling", "memory64"]),
    ((0, 14, 0), &["extended_const", "function_references", "gc", "multi_memories", "threads", "relaxed_simd",
                   "annotations", "memory64", "exception_handling"]),
    ((0, 0, 0), &["multi_memories", "annotations", "memory64", "exception_handling", "extended_const", "threads",
                  "function_references"]),
];

/// WasmEdge's names where they differ from those of [`crate::features`].
const NAMES: &[(&str, &str)] = &[
    ("bulk-memory", "bulk_memory_operations"),
    ("exceptions", "exception_handling"),
    ("multi-memory", "multi_memories"),
    ("mutable-global", "import_export_mut_globals"),
    ("saturating-float-to-int", "non_trap_float_to_int_conversions"),
    ("sign-extension", "sign_extension_operators"),
];

/// Switches by WasmEdge's names.
pub(super) fn named(features: &FeatureSwitches) -> impl Iterator<Item = Switch> {
    features.switches().map(|switch| {
        let name = NAMES.iter().find(|(name, _)| *name == switch.name);
        let name = name.map_or_else(|| switch.name.replace('-', "_"), |(_, own)| own.to_string());
        Switch { name, enabled: switch.enabled }
    })
}

/// The number of a proposal in a release.
///
/// # Errors
/// Names what the release has instead.
fn proposal(release: &Release, name: &str) -> Result<u32, String> {
    let later = LATER.iter().find(|(since, _)| release.interface >= *since).map_or(&[][..], |(_, names)| names);
    let known = || FIRST.iter().chain(later);
    let number = known().position(|known| *known == name).map(|number| number as u32);
    number.ok_or_else(|| {
        let known: Vec<&str> = known().copied().collect();
        format!("this release of WasmEdge does not have the proposal `{name}`; it has {}", known.join(", "))
    })
}

/// Makes a configuration: for compiling ahead, or for running.
///
/// # Errors
/// Names what this release cannot do.
pub(super) fn make(
    api: &Api,
    release: &Release,
    spec: &WasmEdgeSpec,
    page_limit: Option<u64>,
    compiling: bool,
) -> Result<(Object, Settings), String> {
    type SetNumber = unsafe extern "C" fn(Object, u32);
    // SAFETY: takes nothing.
    let config = unsafe { (api.WasmEdge_ConfigureCreate)() };
    if config.is_null() {
        return Err("the library makes no configuration".to_string());
    }
    let mut settings = Settings::new();
    // The buffer of modules that record inline is a second memory.
    let mut switches = vec![Switch { name: "multi_memories".to_string(), enabled: true }];
    switches.extend(spec.wasm.iter().chain(spec.compile_wasm.iter().filter(|_| compiling)).cloned());
    for Switch { name, enabled } in &switches {
        let number = proposal(release, name)?;
        // SAFETY: the configuration is ours, and the number is one of this release.
        unsafe {
            match enabled {
                true => (api.WasmEdge_ConfigureAddProposal)(config, number),
                false => (api.WasmEdge_ConfigureRemoveProposal)(config, number),
            }
        }
        settings.push((name.clone(), enabled.to_string()));
    }
    // SAFETY: WasmEdge's functions of these names take the configuration and a number of an enumeration.
    let (run_mode, level) = unsafe {
        (
            api.extra::<SetNumber>("WasmEdge_ConfigureSetRunMode"),
            api.extra::<SetNumber>("WasmEdge_ConfigureCompilerSetOptimizationLevel"),
        )
    };
    // SAFETY: the same.
    let format = unsafe { api.extra::<SetNumber>("WasmEdge_ConfigureCompilerSetOutputFormat") };
    if let Some(set) = format.filter(|_| compiling) {
        // SAFETY: the configuration is ours; 0 is native code, which runs as native code or not at all.
        unsafe { set(config, 0) };
    }
    let number = match spec.mode {
        WasmEdgeMode::Interpreter => 0,
        WasmEdgeMode::Jit => 1,
        WasmEdgeMode::Aot => 2,
    };
    // SAFETY: the configuration is ours.
    unsafe {
        match run_mode {
            Some(set) => set(config, number),
            None if spec.mode == WasmEdgeMode::Jit => {
                return Err(
                    "this release of WasmEdge offers no JIT in its C interface; 0.17 and later do".to_string()
                );
            }
            None => {
                let interpret = spec.mode == WasmEdgeMode::Interpreter;
                (api.WasmEdge_ConfigureSetForceInterpreter)(config, interpret);
            }
        }
    }
    if let Some(pages) = page_limit {
        // Older releases take 32 bits, and cannot have more pages than that.
        // SAFETY: the configuration is ours.
        unsafe { (api.WasmEdge_ConfigureSetMaxMemoryPage)(config, pages.min(u64::from(u32::MAX))) };
    }
    if let Some(name) = &spec.opt {
        let Some(set) = level else { return Err("this library has no compiler, so `opt` means nothing".to_string()) };
        let number = LEVELS.iter().position(|level| level == name).unwrap_or_default() as u32;
        // SAFETY: the configuration is ours, and the number is one of the enumeration.
        unsafe { set(config, number) };
    }
    Ok((config, settings))
}

/// Compiles the module in one file to another.
///
/// # Errors
/// The engine's message, or that it has no compiler.
pub(super) fn compile(api: &Api, config: Object, module: &CStr, output: &CStr) -> Result<(), Rejected> {
    type Create = unsafe extern "C" fn(*const c_void) -> Object;
    type Compile = unsafe extern "C" fn(Object, *const c_char, *const c_char) -> Status;
    // SAFETY: WasmEdge's functions of these names have these signatures.
    let functions =
        unsafe { (api.extra::<Create>("WasmEdge_CompilerCreate"), api.extra::<Compile>("WasmEdge_CompilerCompile")) };
    let (Some(create), Some(compile)) = functions else {
        return Err(Rejected::compile("this library has no compiler: it was built without LLVM"));
    };
    // SAFETY: the configuration is ours; both paths end with a NUL.
    unsafe {
        let compiler = create(config);
        if compiler.is_null() {
            return Err(Rejected::compile("this library makes no compiler: it was built without LLVM"));
        }
        api.accept(Stage::Compile, compile(compiler, module.as_ptr(), output.as_ptr()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::wasmedge::abi;

    #[test]
    fn proposals_have_the_numbers_of_their_release() {
        let number = |version, name| proposal(&abi::Release::test(version), name).ok();
        assert_eq!(number((0, 13, 5), "multi_memories"), Some(8));
        assert_eq!(number((0, 13, 5), "threads"), Some(13));
        assert_eq!(number((0, 14, 1), "multi_memories"), Some(11));
        assert_eq!(number((0, 14, 1), "threads"), Some(12));
        assert_eq!(number((0, 15, 0), "threads"), Some(14));
        assert_eq!(number((0, 17, 1), "threads"), Some(16));
        assert_eq!(number((0, 17, 1), "tail_call"), Some(7));
        assert_eq!(number((0, 13, 5), "gc"), None);
    }
}
