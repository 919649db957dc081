//! Scripts over what Node.js and Wasmtime's Python package offer.

use super::parts::{AFTERWARDS, OwnCommand, OwnModule, Shows, VALUE, quoted, string};
use crate::features::FeatureSwitches;
use crate::spec::{BundledRunner, BundledSpec, OptLevel, PythonCompiler, V8Compiler, cranelift_flag};
use std::fmt::Write;

pub(super) fn command(
    spec: &BundledSpec,
    features: &FeatureSwitches,
    own: OwnModule<'_>,
) -> Result<OwnCommand, String> {
    let lines = match spec.runner {
        BundledRunner::Node(_) if features.switches().next().is_some() => {
            return Err("proposals that are switched for V8".to_string());
        }
        BundledRunner::Node(compiler) => node(spec, compiler, own),
        BundledRunner::Python { compiler, opt } => python(spec, compiler, opt, features, own),
    };
    Ok(OwnCommand { lines, shows: Shows::Value })
}

fn node(spec: &BundledSpec, compiler: Option<V8Compiler>, own: OwnModule<'_>) -> String {
    let program = quoted(spec.program.as_deref().unwrap_or("node"));
    let flags = match compiler {
        None => "",
        Some(V8Compiler::Liftoff) => " --liftoff --no-wasm-tier-up",
        Some(V8Compiler::Turbofan) => " --no-liftoff",
    };
    let call = match own.afterwards {
        false => format!("console.log(exports.{VALUE}());"),
        true => format!(
            "try {{ exports.{VALUE}(); }} catch (trap) {{ console.log(String(trap)); }}\n  console.log(exports.{AFTERWARDS}());"
        ),
    };
    format!(
        "{program}{flags} -e '\n  const bytes = require(\"fs\").readFileSync(process.argv[process.argv.length - 1]);\n  const {{ exports }} = new WebAssembly.Instance(new WebAssembly.Module(bytes));\n  {call}\n' \"$module\""
    )
}

/// Proposals that the runner switches on where the package has the switch.
const WANTED: &str = "\"memory64\", \"multi_memory\", \"simd\", \"relaxed_simd\", \"tail_call\"";

fn python(
    spec: &BundledSpec,
    compiler: Option<PythonCompiler>,
    opt: Option<OptLevel>,
    features: &FeatureSwitches,
    own: OwnModule<'_>,
) -> String {
    let program = quoted(spec.program.as_deref().unwrap_or("python3"));
    let mut script = "import sys\nfrom wasmtime import *\nconfig = Config()\n".to_string();
    if compiler != Some(PythonCompiler::Winch) {
        let _ = writeln!(
            script,
            "for name in [{WANTED}]:\n    if hasattr(Config, \"wasm_\" + name):\n        setattr(config, \"wasm_\" + name, True)"
        );
    }
    match compiler {
        None => {}
        Some(PythonCompiler::Cranelift) => script.push_str("config.strategy = \"cranelift\"\n"),
        Some(PythonCompiler::Winch) => {
            script.push_str("import wasmtime._ffi as c\nc.wasmtime_config_strategy_set(config.ptr(), 2)  # Winch\n");
        }
    }
    for switch in features.switches() {
        let (name, value) = (switch.name.replace('-', "_"), if switch.enabled { "True" } else { "False" });
        let _ = writeln!(script, "config.wasm_{name} = {value}");
    }
    if let Some(opt) = opt {
        let _ = writeln!(script, "config.cranelift_opt_level = \"{}\"", opt.to_string().replace('-', "_"));
    }
    if let Some(triple) = spec.target.triple() {
        let _ = writeln!(
            script,
            "import wasmtime._ffi as c\nc.dll[\"wasmtime_config_target_set\"](config.ptr(), {}.encode())",
            string(&triple)
        );
    }
    for cpu in &spec.cpu {
        let _ = writeln!(
            script,
            "import wasmtime._ffi as c\nc.dll[\"wasmtime_config_cranelift_flag_set\"](config.ptr(), b\"{}\", b\"{}\")",
            cranelift_flag(cpu),
            cpu.enabled
        );
    }
    script.push_str(
        "engine = Engine(config)\nstore = Store(engine)\nmodule = Module(engine, open(sys.argv[1], \"rb\").read())\nexports = Instance(store, module, []).exports(store)\n",
    );
    match own.afterwards {
        false => {
            let _ = writeln!(script, "print(exports[\"{VALUE}\"](store))");
        }
        true => {
            let _ = writeln!(
                script,
                "try:\n    exports[\"{VALUE}\"](store)\nexcept Exception as trap:\n    print(trap)\nprint(exports[\"{AFTERWARDS}\"](store))"
            );
        }
    }
    format!("{program} - \"$module\" <<'END'\n{script}END")
}
