//! Settings that `wasm.h` leaves to each engine, made if the library has the functions for them.

use super::abi::{Api, Object, Vector};
use crate::engine::words::one_line;
use crate::features::FeatureSwitches;
use crate::spec::CapiSpec;
use crate::spec::{OptLevel, Target, cranelift_flag};
use crate::switch::Switch;
use std::ffi::{CString, c_char, c_void};

/// Proposals that are switched on by default, if the library has the switch: those that do no harm to modules without
/// them. Others, which not every build of an engine supports, are up to the user.
///
/// Not for Winch, which lacks some of them and then refuses to start.
pub(crate) const PROPOSALS: &[&str] = &["memory64", "multi_memory", "relaxed_simd", "simd", "tail_call"];

/// Wasmtime's baseline compiler.
pub(super) const WINCH: &str = "winch";

/// Wasmtime's numbers for its compilers and register allocators.
pub(crate) const WASMTIME_COMPILERS: &[(&str, u8)] = &[("cranelift", 1), ("winch", 2)];
pub(crate) const WASMTIME_ALLOCATORS: &[(&str, u8)] = &[("backtracking", 0), ("single-pass", 1)];
/// Wasmer's numbers for its compilers.
pub(crate) const WASMER_COMPILERS: &[(&str, u8)] = &[("cranelift", 0), ("llvm", 1), ("singlepass", 2)];

/// The settings, for the trace's header.
pub(super) type Settings = Vec<(String, String)>;

/// Makes an engine as the spec says.
///
/// # Errors
/// Names the setting that this library lacks.
pub(super) fn engine(api: &Api, spec: &CapiSpec, features: &FeatureSwitches) -> Result<(Object, Settings), String> {
    // Wasmtime uses the names of the proposals; what the engine's own settings name comes last.
    let general =
        features.switches().map(|switch| Switch { name: switch.name.replace('-', "_"), enabled: switch.enabled });
    let spec = &CapiSpec { wasm: general.chain(spec.wasm.iter().cloned()).collect(), ..spec.clone() };
    type New = unsafe extern "C" fn() -> Object;
    type NewWith = unsafe extern "C" fn(Object) -> Object;
    // SAFETY: both are functions of `wasm.h`, with these signatures.
    let (new, new_with) =
        unsafe { (api.extra::<New>("wasm_config_new"), api.extra::<NewWith>("wasm_engine_new_with_config")) };
    let mut settings = Settings::new();
    let engine = match (new, new_with) {
        (Some(new), Some(new_with)) => {
            // SAFETY: takes nothing.
            let config = unsafe { new() };
            if config.is_null() {
                return Err("the library makes no configuration".to_string());
            }
            configure(api, spec, config, &mut settings)?;
            // SAFETY: the configuration is ours and given away.
            unsafe { new_with(config) }
        }
        // SAFETY: takes nothing.
        _ if is_plain(spec) => unsafe { (api.wasm_engine_new)() },
        _ => return Err("the library has no configuration, so nothing can be set".to_string()),
    };
    if engine.is_null() {
        return Err("the library makes no engine with these settings and gives no reason".to_string());
    }
    Ok((engine, settings))
}

fn is_plain(spec: &CapiSpec) -> bool {
    let target = spec.target == Target::Host && spec.cpu.is_empty();
    target && spec.compiler.is_none() && spec.opt.is_none() && spec.regalloc.is_none() && spec.wasm.is_empty()
}

fn configure(api: &Api, spec: &CapiSpec, config: Object, settings: &mut Settings) -> Result<(), String> {
    let mut set = Setter { api, config, settings };
    let winch = spec.compiler.as_deref() == Some(WINCH);
    for name in PROPOSALS.iter().filter(|_| !winch) {
        if !spec.wasm.iter().any(|switch| switch.name == *name) {
            // A library without the switch may have the proposal or not: its answer to a module shows it.
            let _ = set.flag(&format!("wasmtime_config_wasm_{name}_set"), true);
        }
    }
    // `wasm.h` has no shared memory. If that cannot be switched off alone, threads are.
    if !api.has("wasmtime_config_shared_memory_set") && !spec.wasm.iter().any(|switch| switch.name == "threads") {
        let _ = set.flag("wasmtime_config_wasm_threads_set", false);
    }
    for switch in &spec.wasm {
        set.flag(&format!("wasmtime_config_wasm_{}_set", switch.name), switch.enabled)?;
    }
    if let Some(compiler) = &spec.compiler {
        match api.has("wasm_config_set_compiler") {
            true if !set.wasmer_has(compiler) => {
                return Err(format!("this build of Wasmer has no compiler `{compiler}`"));
            }
            true => set.number("wasm_config_set_compiler", compiler, WASMER_COMPILERS)?,
            false => set.number("wasmtime_config_strategy_set", compiler, WASMTIME_COMPILERS)?,
        }
    }
    if let Some(triple) = spec.target.triple() {
        set.target(&triple)?;
    }
    for cpu in &spec.cpu {
        set.cranelift_flag(&cranelift_flag(cpu), if cpu.enabled { "true" } else { "false" })?;
    }
    if let Some(level) = spec.opt {
        let number = match level {
            OptLevel::None => 0,
            OptLevel::Speed => 1,
            OptLevel::SpeedAndSize => 2,
        };
        let level = level.to_string();
        set.number("wasmtime_config_cranelift_opt_level_set", &level, &[(&level, number)])?;
    }
    if let Some(regalloc) = &spec.regalloc {
        set.number("wasmtime_config_cranelift_regalloc_algorithm_set", regalloc, WASMTIME_ALLOCATORS)?;
    }
    Ok(())
}

/// Calls functions that make a setting.
struct Setter<'a> {
    api: &'a Api,
    config: Object,
    settings: &'a mut Settings,
}

impl Setter<'_> {
    fn flag(&mut self, function: &str, enabled: bool) -> Result<(), String> {
        // SAFETY: Wasmtime's functions of this form take the configuration and a `bool`.
        let set = unsafe { self.api.extra::<unsafe extern "C" fn(Object, bool)>(function) };
        let set = set.ok_or_else(|| missing(function))?;
        // SAFETY: the configuration is ours.
        unsafe { set(self.config, enabled) };
        self.settings.push((function.to_string(), enabled.to_string()));
        Ok(())
    }

    /// Whether this build of Wasmer has a compiler, as far as it says.
    fn wasmer_has(&self, compiler: &str) -> bool {
        type Has = unsafe extern "C" fn(u32) -> bool;
        // SAFETY: Wasmer's function of this name takes the number of one of its compilers.
        let has = unsafe { self.api.extra::<Has>("wasmer_is_compiler_available") };
        let number = WASMER_COMPILERS.iter().find(|(known, _)| *known == compiler);
        // SAFETY: the number is one that it knows.
        has.zip(number).is_none_or(|(has, (_, number))| unsafe { has(u32::from(*number)) })
    }

    /// Sets the target of the code.
    fn target(&mut self, triple: &str) -> Result<(), String> {
        let function = "wasmtime_config_target_set";
        type Set = unsafe extern "C" fn(Object, *const c_char) -> Object;
        type Message = unsafe extern "C" fn(*const c_void, *mut Vector<u8>);
        // SAFETY: Wasmtime's functions of these names have these signatures.
        let (set, message) =
            unsafe { (self.api.extra::<Set>(function), self.api.extra::<Message>("wasmtime_error_message")) };
        let set = set.ok_or_else(|| missing(function))?;
        let name = c_string(triple)?;
        // SAFETY: the configuration is ours, and the name is read only.
        let error = unsafe { set(self.config, name.as_ptr()) };
        if !error.is_null() {
            let mut text = Vector::empty();
            // SAFETY: the error is one, and the text is ours afterwards.
            let words = message.map(|message| unsafe {
                message(error, &mut text);
                one_line(&self.api.own_text(text))
            });
            return Err(words.unwrap_or_else(|| format!("the library does not know the target `{triple}`")));
        }
        self.settings.push((function.to_string(), triple.to_string()));
        Ok(())
    }

    fn cranelift_flag(&mut self, flag: &str, value: &str) -> Result<(), String> {
        let function = "wasmtime_config_cranelift_flag_set";
        type Set = unsafe extern "C" fn(Object, *const c_char, *const c_char);
        // SAFETY: Wasmtime's function of this name has this signature.
        let set = unsafe { self.api.extra::<Set>(function) }.ok_or_else(|| missing(function))?;
        let (name, to) = (c_string(flag)?, c_string(value)?);
        // SAFETY: the configuration is ours, and both texts are only read. With a flag that does not exist, or one
        // that this processor lacks, the library makes no engine.
        unsafe { set(self.config, name.as_ptr(), to.as_ptr()) };
        self.settings.push((format!("{function} {flag}"), value.to_string()));
        Ok(())
    }

    /// Makes a setting to a number of an enumeration, which all these libraries pass in a register.
    fn number(&mut self, function: &str, name: &str, known: &[(&str, u8)]) -> Result<(), String> {
        let Some((_, number)) = known.iter().find(|(known, _)| *known == name) else {
            let known: Vec<&str> = known.iter().map(|(known, _)| *known).collect();
            return Err(format!("`{name}` is not known to `{function}`; it takes {}", known.join(", ")));
        };
        // SAFETY: these functions take the configuration and a number of at most 32 bits.
        let set = unsafe { self.api.extra::<unsafe extern "C" fn(Object, u32)>(function) };
        let set = set.ok_or_else(|| missing(function))?;
        // SAFETY: the configuration is ours, and the number is one that the function knows.
        unsafe { set(self.config, u32::from(*number)) };
        self.settings.push((function.to_string(), name.to_string()));
        Ok(())
    }
}

fn c_string(text: &str) -> Result<CString, String> {
    CString::new(text).map_err(|_| format!("`{}` holds a NUL", text.escape_debug()))
}

fn missing(function: &str) -> String {
    format!("the library has no function `{function}`, so this cannot be set")
}
