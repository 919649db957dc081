//! A script over nothing but the C interface `wasm.h` of a library, and the functions that make its settings: libraries have no
//! command line.

use super::parts::{AFTERWARDS, OwnCommand, OwnModule, Shows, VALUE, string};
use crate::engine::{PROPOSALS, WASMER_COMPILERS, WASMTIME_ALLOCATORS, WASMTIME_COMPILERS};
use crate::features::FeatureSwitches;
use crate::spec::{CapiSpec, Mode, OptLevel, cranelift_flag};
use std::fmt::Write;

/// What all these scripts begin with.
const HEAD: &str = r#"
P = ctypes.c_void_p
class Vector(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("data", P)]
class Value(ctypes.Structure):
    _fields_ = [("kind", ctypes.c_uint8), ("of", ctypes.c_int64)]
def c(name, *arguments):
    function = getattr(lib, name)
    function.restype = P
    return P(function(*arguments))
def trapped(trap):
    words = Vector()
    c("wasm_trap_message", trap, ctypes.byref(words))
    print("trap:", ctypes.string_at(words.data, words.size).decode(errors="replace").rstrip("\0"))
def call(number):
    result = Value()
    function = c("wasm_extern_as_func", P.from_address(exports.data + 8 * number))
    trap = c("wasm_func_call", function, ctypes.byref(Vector()), ctypes.byref(Vector(1, ctypes.addressof(result))))
    trapped(trap) if trap else print(ctypes.c_int32(result.of).value)
"#;

pub(super) fn command(spec: &CapiSpec, features: &FeatureSwitches, own: OwnModule<'_>) -> Result<OwnCommand, String> {
    let library = spec.library.to_str().ok_or("the library's path is not UTF-8")?;
    let mut script = format!("import ctypes, sys\nlib = ctypes.CDLL({}){HEAD}", string(library));
    script.push_str(&settings(spec, features)?);
    script.push_str("store = c(\"wasm_store_new\", engine)\nbytes = open(sys.argv[1], \"rb\").read()\n");
    script.push_str("binary = Vector(len(bytes), ctypes.cast(ctypes.c_char_p(bytes), P))\n");
    script.push_str("module = c(\"wasm_module_new\", store, ctypes.byref(binary))\nif not module: sys.exit(\"the module is rejected\")\n");
    if spec.mode == Mode::Aot {
        script.push_str(
            "code = Vector()\nc(\"wasm_module_serialize\", module, ctypes.byref(code))\nmodule = c(\"wasm_module_deserialize\", store, ctypes.byref(code))\n",
        );
    }
    script.push_str("trap, exports = P(), Vector()\ninstance = c(\"wasm_instance_new\", store, module, ctypes.byref(Vector()), ctypes.byref(trap))\n");
    script.push_str("if trap: trapped(trap)\nif not instance: sys.exit(\"the module is not instantiated\")\nc(\"wasm_instance_exports\", instance, ctypes.byref(exports))\n");
    let _ = writeln!(script, "call(0)  # {VALUE}");
    if own.afterwards {
        let _ = writeln!(script, "call(1)  # {AFTERWARDS}");
    }
    Ok(OwnCommand { lines: format!("python3 - \"$module\" <<'END'\n{script}END"), shows: Shows::Value })
}

/// Lines that make the engine.
fn settings(spec: &CapiSpec, features: &FeatureSwitches) -> Result<String, String> {
    let mut lines = String::new();
    let winch = spec.compiler.as_deref() == Some("winch");
    let named = |name: &str| {
        spec.wasm.iter().any(|switch| switch.name == name)
            || features.switches().any(|switch| switch.name.replace('-', "_") == name)
    };
    if !winch {
        let names: Vec<String> = PROPOSALS.iter().filter(|name| !named(name)).map(|name| string(name)).collect();
        let _ = writeln!(
            lines,
            "for name in [{}]:\n    name = f\"wasmtime_config_wasm_{{name}}_set\"\n    if hasattr(lib, name): c(name, config, True)",
            names.join(", ")
        );
    }
    let general = features.switches().map(|switch| (switch.name.replace('-', "_"), switch.enabled));
    for (name, enabled) in general.chain(spec.wasm.iter().map(|switch| (switch.name.clone(), switch.enabled))) {
        let enabled = if enabled { "True" } else { "False" };
        let _ = writeln!(lines, "c(\"wasmtime_config_wasm_{name}_set\", config, {enabled})");
    }
    let number = |known: &[(&str, u8)], name: &str| {
        known.iter().find(|(known, _)| *known == name).map(|(_, number)| *number).ok_or(format!("`{name}`"))
    };
    if let Some(compiler) = &spec.compiler {
        let wasmer = WASMER_COMPILERS.iter().find(|(known, _)| known == compiler).map_or(0, |(_, number)| *number);
        let _ = writeln!(
            lines,
            "if hasattr(lib, \"wasm_config_set_compiler\"): c(\"wasm_config_set_compiler\", config, {wasmer})"
        );
        if let Ok(number) = number(WASMTIME_COMPILERS, compiler) {
            let _ = writeln!(lines, "else: c(\"wasmtime_config_strategy_set\", config, {number})  # {compiler}");
        }
    }
    if let Some(triple) = spec.target.triple() {
        let _ = writeln!(lines, "c(\"wasmtime_config_target_set\", config, {}.encode())", string(&triple));
    }
    for cpu in &spec.cpu {
        let (flag, value) = (cranelift_flag(cpu), cpu.enabled);
        let _ = writeln!(lines, "c(\"wasmtime_config_cranelift_flag_set\", config, b\"{flag}\", b\"{value}\")");
    }
    if let Some(level) = spec.opt {
        let number = match level {
            OptLevel::None => 0,
            OptLevel::Speed => 1,
            OptLevel::SpeedAndSize => 2,
        };
        let _ = writeln!(lines, "c(\"wasmtime_config_cranelift_opt_level_set\", config, {number})  # {level}");
    }
    if let Some(name) = &spec.regalloc {
        let number = number(WASMTIME_ALLOCATORS, name)?;
        let _ =
            writeln!(lines, "c(\"wasmtime_config_cranelift_regalloc_algorithm_set\", config, {number})  # {name}");
    }
    // Some libraries have no configuration, and then there is nothing to set.
    let asked = spec.compiler.is_some() || spec.opt.is_some() || spec.regalloc.is_some() || !spec.cpu.is_empty();
    let plain =
        !asked && spec.wasm.is_empty() && features.switches().next().is_none() && spec.target.triple().is_none();
    let configured =
        format!("config = c(\"wasm_config_new\")\n{lines}engine = c(\"wasm_engine_new_with_config\", config)\n");
    Ok(match plain {
        false => configured,
        true => {
            let inner: String = configured.lines().map(|line| format!("    {line}\n")).collect();
            format!("if hasattr(lib, \"wasm_config_new\"):\n{inner}else:\n    engine = c(\"wasm_engine_new\")\n")
        }
    })
}
