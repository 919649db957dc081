//! Engines as written on the command line.

use super::*;

#[test]
fn specs_read_back_as_they_are_written() {
    for spec in [
        "wasmtime:jit",
        "wasmtime:aot",
        "wasmtime:aot,target=portable",
        "wasmtime:jit,target=x86_64-unknown-linux-gnu,cpu=+fma-avx2,opt=none",
        "wasmtime:jit,opt=speed-and-size",
        "wasmtime:winch-jit",
        "wasmtime:winch-aot,cpu=-avx2",
        "wasmtime:pulley",
        "wasmtime:pulley-aot,opt=none",
        "wasmtime:jit,regalloc=single-pass,pooling=on,memory-reservation=65536,memory-guard=0",
        "wasmtime:aot,signals=off,nan-canonicalization=on",
        "wasmi",
        "capi:jit,lib=/usr/lib/libwasmtime.so",
        "capi:jit,lib=lib/e.so,target=portable,cpu=+avx-fma,opt=none",
        "python,opt=none,target=x86_64-unknown-linux-gnu,cpu=-avx2,program=python3",
        "capi:aot,lib=lib/e.so,compiler=winch,opt=none,regalloc=single-pass,wasm=+gc-threads",
        "wasmedge:interpreter,lib=/usr/lib/libwasmedge.so",
        "wasmedge:aot,lib=w.so,opt=O0,wasm=-simd,compile-wasm=+tail_call",
        "wasmedge:jit,lib=w.so",
        "wasmedge:aot,lib=w.so,opt=O0,abi=0.14,wasm=-simd",
        "runner:python3 my runner.py",
        "node",
        "node:liftoff",
        "node:turbofan,program=/opt/node/bin/node",
        "python",
        "python:winch",
        "python:cranelift,opt=speed-and-size,program=venv/bin/python3",
    ] {
        assert_eq!(spec.parse::<EngineSpec>().expect(spec).to_string(), spec);
    }
    assert_eq!("wasmtime".parse(), Ok(EngineSpec::default()));
}

#[test]
fn commas_between_switches_do_not_end_a_setting() {
    for (written, shortest) in [
        ("wasmtime:aot,cpu=+fma,-avx2,opt=none", "wasmtime:aot,cpu=+fma-avx2,opt=none"),
        ("wasmtime:aot,opt=none,cpu=+fma, -avx2", "wasmtime:aot,cpu=+fma-avx2,opt=none"),
        (
            "wasmedge:aot,lib=w.so,compile-wasm=+tail-call,-simd,wasm=-gc,+threads",
            "wasmedge:aot,lib=w.so,wasm=-gc+threads,compile-wasm=+tail_call-simd",
        ),
        ("capi:jit,lib=e.so,wasm=+gc,+function-references", "capi:jit,lib=e.so,wasm=+gc+function_references"),
        ("python,cpu=-avx2,-fma,program=python3", "python,cpu=-avx2-fma,program=python3"),
    ] {
        assert_eq!(written.parse::<EngineSpec>().expect(written).to_string(), shortest);
    }
    for (spec, named) in [
        ("wasmtime:jit,-avx2", "`-avx2`"),
        ("wasmtime:jit,opt=none,+fma", "`+fma`"),
        ("capi:jit,lib=a,-b.so", "`-b.so`"),
        ("wasmtime:jit,cpu=+fma,avx2", "`avx2`"),
        ("wasmtime:jit,cpu=+fma,", "``"),
    ] {
        let error = spec.parse::<EngineSpec>().expect_err(spec).to_string();
        assert!(error.contains(named), "{error}");
    }
}

#[test]
fn what_is_not_understood_is_named() {
    for (spec, named) in [
        ("v8", "v8"),
        ("wasmi:jit", "jit"),
        ("capi:jit", "lib=PATH"),
        ("wasmedge:aot", "lib=PATH"),
        ("wasmedge:aot,lib=x,opt=9", "O0, O1"),
        ("wasmedge:interpreter,lib=x,opt=O1", "compiler"),
        ("wasmedge:jit,lib=x,compile-wasm=+tail_call", "aot"),
        ("wasmedge:winch,lib=x", "winch"),
        ("wasmedge:jit,lib=x,abi=0.12", "0.13, 0.14, 0.15, 0.16, 0.17"),
        ("capi:interpreter,lib=x", "interpreter"),
        ("capi:jit,lib=x,wasm=gc", "gc"),
        ("wasmi,opt=none", "opt=none"),
        ("wasmtime:jit,foo", "foo"),
        ("wasmtime:jit,opt=9", "9"),
        ("wasmtime:jit,pooling=yes", "on or off"),
        ("wasmtime:jit,memory-guard=big", "number of bytes"),
        ("wasmtime:jit,cpu=fma", "fma"),
        ("wasmtime:jit,cpu=+", "CPU"),
        ("wasmtime:jit,target=", "empty target"),
        ("wasmtime:pulley,target=portable", "pulley"),
        ("runner: ", "no command"),
        ("node:ignition", "ignition"),
        ("node,opt=none", "opt=none"),
        ("node,cpu=-avx", "cpu=-avx"),
        ("capi:jit,lib=x,cpu=avx", "avx"),
        ("python:llvm", "llvm"),
        ("python,program=", "empty program"),
    ] {
        let error = spec.parse::<EngineSpec>().expect_err(spec).to_string();
        assert!(error.contains(named) && error.contains("`forkpoint engines`") && error.len() < 300, "{error}");
    }
}

#[test]
fn a_slip_gets_the_nearest_name() {
    for (spec, meant) in [
        ("wasmtme", "wasmtime:jit"),
        ("wasmtime:jitt", "wasmtime:jit"),
        ("wasmtime:puley", "wasmtime:pulley"),
        ("wasmtime:winch-aott,opt=none", "wasmtime:winch-aot"),
        ("wasmy", "wasmi"),
        ("wasmedge:intepreter,lib=x", "wasmedge:interpreter"),
        ("noed", "node"),
        ("node:turbofn", "node:turbofan"),
        ("v8", "node"),
    ] {
        let error = spec.parse::<EngineSpec>().expect_err(spec).to_string();
        assert!(error.contains(&format!("did you mean `{meant}")), "{error}");
    }
    let error = "zzz".parse::<EngineSpec>().expect_err("no engine").to_string();
    assert!(!error.contains("did you mean"), "{error}");
}

#[test]
fn names_of_proposals_may_have_hyphens() {
    for (written, read) in [
        ("+function-references+gc", "+function_references+gc"),
        ("+function_references-tail-call", "+function_references-tail_call"),
        ("+gc-simd", "+gc-simd"),
        ("-simd-relaxed-simd+multi-memory", "-simd-relaxed_simd+multi_memory"),
    ] {
        let spec: EngineSpec = format!("capi:jit,lib=x.so,wasm={written}").parse().expect("an engine");
        assert_eq!(spec.to_string(), format!("capi:jit,lib=x.so,wasm={read}"));
    }
}
