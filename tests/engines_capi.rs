//! Engines that are shared libraries: the folder in FORKPOINT_LIBS has them, named `libwasmtime-17.0.0.so`. Without
//! it, or without the one that a test needs, a line says that the test is skipped.

mod common;

use common::{repository_text, run};
use serde_json::Value;
use std::path::{Path, PathBuf};

fn library(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("FORKPOINT_LIBS");
    let path = folder.map(|folder| Path::new(&folder).join(name)).filter(|path| path.exists());
    if path.is_none() {
        println!("SKIP: no {name} in the folder FORKPOINT_LIBS");
    }
    path
}

/// Compares this program's Wasmtime with a library; `settings` follow its name. `None` where it is not there.
fn against(module: &str, call: &str, mode: &str, name: &str, settings: &str) -> Option<(i32, Value)> {
    let engine = format!("capi:{mode},lib={}{settings}", library(name)?.display());
    let command = ["compare", &repository_text(module), "--invoke", call, "--rhs", &engine, "--json"];
    let ran = run(&std::env::temp_dir(), &command);
    let report = serde_json::from_str(&ran.stdout).unwrap_or(Value::String(ran.stderr));
    Some((ran.code, report))
}

#[test]
fn a_store_to_a_wrong_address_is_found() {
    let module = "tests/cases/known-bugs/wasmtime-7999-wrong-address.wat";
    for (mode, name) in [("jit", "libwasmtime-17.0.0.so"), ("aot", "libwasmtime-17.0.0.so")] {
        let Some((code, report)) = against(module, "run 64", mode, name, "") else { return };
        assert_eq!((code, &report["verdict"], &report["position"]), (1, &"address".into(), &5.into()), "{report:#}");
        assert_eq!(report["site"]["instruction"], "i32.store");
        let version = report["rhs"]["version"].as_str().unwrap_or_default();
        assert!(version.starts_with("wasmtime 17.0.0,"), "{version}");
    }
    let Some((code, report)) = against(module, "run 64", "jit", "libwasmtime-48.0.0.so", "") else { return };
    assert_eq!((code, &report["agree"]), (0, &true.into()), "{report:#}");
}

#[test]
fn a_rejected_instantiation_is_found() {
    let module = "tests/cases/known-bugs/wasmtime-7558-data-segment.wat";
    let Some((code, report)) = against(module, "run", "jit", "libwasmtime-15.0.0.so", "") else { return };
    assert_eq!((code, &report["verdict"]), (1, &"instantiation".into()), "{report:#}");
    assert_eq!(report["rhs"]["outcome"], "rejected at instantiate");
    let Some((code, report)) = against(module, "run", "jit", "libwasmtime-16.0.0.so", "") else { return };
    assert_eq!((code, &report["agree"]), (0, &true.into()), "{report:#}");
}

#[test]
fn a_wrong_value_shows_at_one_optimization_level_only() {
    let module = "tests/cases/known-bugs/wasmtime-12318-wrong-value.wat";
    for name in ["libwasmtime-36.0.0.so", "libwasmtime-40.0.0.so"] {
        let Some((code, report)) = against(module, "run 24 1", "jit", name, ",opt=none") else { continue };
        assert_eq!((code, &report["verdict"], &report["position"]), (1, &"value".into(), &5.into()), "{report:#}");
        let Some((code, report)) = against(module, "run 24 1", "jit", name, ",opt=speed") else { continue };
        assert_eq!((code, &report["agree"]), (0, &true.into()), "{report:#}");
    }
}

#[test]
fn every_release_agrees_where_nothing_is_wrong() {
    let Some(folder) = std::env::var_os("FORKPOINT_LIBS") else {
        return println!("SKIP: FORKPOINT_LIBS is not set");
    };
    let entries = std::fs::read_dir(folder).expect("the folder FORKPOINT_LIBS can be read");
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    for name in names.filter(|name| name.starts_with("libwasmtime-")) {
        for mode in ["jit", "aot"] {
            for (module, call) in [
                ("tests/cases/bulk.wat", "f"),
                ("tests/cases/calls.wat", "oops"),
                ("tests/cases/imported-memory.wat", "f"),
                ("tests/cases/memory64.wat", "f 0x100"),
                ("tests/cases/multi-memory.wat", "f"),
                ("tests/cases/start.wat", "f"),
                ("tests/cases/trap.wat", "f"),
            ] {
                let Some((code, report)) = against(module, call, mode, &name, "") else { continue };
                assert_eq!((code, &report["agree"]), (0, &true.into()), "{name} {mode} {module}: {report:#}");
            }
        }
    }
}

#[test]
fn what_is_wrong_with_a_library_is_said() {
    let module = repository_text("tests/cases/bulk.wat");
    let complaint = |engine: &str| {
        let ran = run(&std::env::temp_dir(), &["compare", &module, "--invoke", "f", "--rhs", engine]);
        assert_eq!(ran.code, 2, "{}", ran.stdout);
        ran.stderr
    };
    assert!(complaint("capi:jit,lib=/nowhere/libnone.so").contains("/nowhere/libnone.so"));
    // Any library that is there and is none of these: the C library.
    let other = complaint("capi:jit,lib=libc.so.6");
    assert!(other.contains("wasm.h") && other.contains("no function"), "{other}");
    if let Some(path) = library("libwasmtime-17.0.0.so") {
        let stderr = complaint(&format!("capi:jit,lib={},regalloc=single-pass", path.display()));
        assert!(stderr.contains("wasmtime_config_cranelift_regalloc_algorithm_set"), "{stderr}");
        let stderr = complaint(&format!("capi:jit,lib={},compiler=turbofan", path.display()));
        assert!(stderr.contains("cranelift, winch"), "{stderr}");
    }
}

/// The interpreter of another maker, whose operands are right and whose memory is wrong: only looking at memory
/// tells, and only looking at it after every event tells which store it was.
#[test]
fn an_uncommitted_store_is_found_by_watching_memory() {
    let module = "tests/cases/known-bugs/wasmi-1450-uncommitted-store.wat";
    let Some((code, report)) = against(module, "run 0", "jit", "libwasmi-0.43.1.so", "") else { return };
    assert_eq!((code, &report["verdict"]), (1, &"uncommitted-store".into()), "{report:#}");
    assert_eq!(report["site"]["instruction"], "v128.store32_lane offset=1000 2", "{report:#}");
    assert_eq!((&report["culprit"]["side"], &report["address"]), (&"rhs".into(), &0x3e8.into()), "{report:#}");
}

/// What a recording of a module under a library says of its engine, or the error.
fn described(name: &str, settings: &str) -> Option<Result<Value, String>> {
    let path = library(name)?;
    let folder = common::folder_with(&[(
        "t.wat",
        b"(module (memory 1) (func (export \"run\") (i32.store (i32.const 0) (i32.const 1))))",
    )]);
    let engine = format!("capi:aot,lib={}{settings}", path.display());
    let ran = common::run(folder.path(), &["record", "t.wat", "--invoke", "run", "--engine", &engine, "-o", "t.fpt"]);
    if ran.code != 0 {
        assert_eq!(ran.code, 2, "{name}{settings}: {}", ran.stderr);
        return Some(Err(ran.stderr));
    }
    let info = common::run(folder.path(), &["info", "t.fpt", "--json"]);
    let info: Value = serde_json::from_str(&info.stdout).expect("JSON");
    Some(Ok(info["engine"].clone()))
}

#[test]
fn winch_is_winch_or_refused() {
    for name in ["libwasmtime-17.0.0.so", "libwasmtime-31.0.0.so", "libwasmtime-40.0.0.so"] {
        let Some(told) = described(name, ",compiler=winch") else { continue };
        let error = told.expect_err("these have no Winch behind their C interface");
        assert!(error.contains("compiles with Cranelift all the same") || error.contains("no function"), "{error}");
    }
    let Some(told) = described("libwasmtime-48.0.0.so", ",compiler=winch") else { return };
    assert_eq!(told.expect("an engine")["compiler"], "winch");
}

#[test]
fn targets_and_processor_features_can_be_asked_for() {
    for name in ["libwasmtime-31.0.0.so", "libwasmtime-38.0.0.so", "libwasmtime-48.0.0.so"] {
        let Some(told) = described(name, ",target=portable,cpu=+sse4.1") else { continue };
        let engine = told.expect("an engine");
        assert_eq!(engine["cpu_features"], serde_json::json!(["sse4.1"]), "{name}: {engine:#}");
        // Exact to the patch level, which the file's name need not be.
        let version = engine["version"].as_str().expect("a version");
        assert_eq!(version.split('.').count(), 3, "{name}: {version}");
        for (settings, words) in [(",cpu=+nonsense", "has_nonsense"), (",target=nonsense", "nonsense")] {
            let error = described(name, settings).and_then(Result::err).expect("an error");
            assert!(error.contains(words) && !error.contains("backtrace:"), "{name}{settings}: {error}");
        }
    }
}
