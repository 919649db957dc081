//! Engines that are shared libraries with the interface `wasm.h`: releases of Wasmtime that `tests/engines/fetch.sh`
//! brings, and others in the folder FORKPOINT_LIBS.

mod common;

use common::external::{Need, Tests, WASMTIMES, libraries};
use common::{repository_text, run};
use serde_json::Value;
use std::collections::BTreeSet;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut tests = Tests::default();
    tests.add("what_is_wrong_with_a_library_is_said", &[], what_is_wrong_with_a_library_is_said);
    let old = Need::library("libwasmtime-17.0.0.so");
    tests.add("a_setting_that_a_library_lacks_is_said", &[old], a_setting_that_a_library_lacks_is_said);
    for mode in ["jit", "aot"] {
        let needs = [Need::library("libwasmtime-17.0.0.so")];
        tests.add(format!("a_store_to_a_wrong_address_is_found::{mode}"), &needs, move || wrong_address(mode));
    }
    for release in ["17.0.0", "31.0.0", "40.0.0", "48.0.0"] {
        let name = format!("libwasmtime-{release}.so");
        let needs = [Need::library(&name)];
        tests.add(format!("winch_is_winch_or_refused::{release}"), &needs, move || winch_is_winch_or_refused(&name));
    }
    for release in ["31.0.0", "38.0.0", "48.0.0"] {
        let name = format!("libwasmtime-{release}.so");
        let (needs, test) =
            ([Need::library(&name)], format!("targets_and_processor_features_can_be_asked_for::{release}"));
        tests.add(test, &needs, move || targets_and_processor_features_can_be_asked_for(&name));
    }
    for name in releases() {
        let needs = [Need::Library(name.clone())];
        let of_script = name.clone();
        tests.add(format!("a_script_agrees::{name}"), &needs, move || a_script_agrees(&of_script));
        tests.add(format!("agrees_where_nothing_is_wrong::{name}"), &needs, move || {
            agrees_where_nothing_is_wrong(&name)
        });
    }
    for release in WASMTIMES {
        let name = format!("libwasmtime-{release}.so");
        tests.add(format!("it_is_named_to_the_patch_level::{release}"), &[Need::library(&name)], move || {
            let engine = described(&name, "").expect("an engine");
            // Some packages contain another library than they say.
            let others = [("8.0.1", "8.0.0"), ("18.0.0", "18.0.1"), ("38.0.0", "38.0.1")];
            let library =
                others.iter().find(|(package, _)| package == release).map_or(*release, |(_, library)| library);
            assert_eq!(engine["version"], library, "{engine:#}");
        });
    }
    tests.run()
}

/// Libraries of Wasmtime: those that can be fetched, and any others that are there.
fn releases() -> BTreeSet<String> {
    let known = WASMTIMES.iter().map(|release| format!("libwasmtime-{release}.so"));
    let there = std::fs::read_dir(libraries()).into_iter().flatten();
    let there = there.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    known.chain(there.filter(|name| name.starts_with("libwasmtime-"))).collect()
}

/// Compares this program's Wasmtime with a library; `settings` are appended to its name.
fn against(module: &str, call: &str, mode: &str, name: &str, settings: &str) -> (i32, Value) {
    let engine = format!("capi:{mode},lib={}{settings}", libraries().join(name).display());
    let command = ["compare", &repository_text(module), "--invoke", call, "--rhs", &engine, "--json"];
    let ran = run(&std::env::temp_dir(), &command);
    let report = serde_json::from_str(&ran.stdout).unwrap_or(Value::String(ran.stderr));
    (ran.code, report)
}

/// Instances that are linked with each other, compiled at once and ahead of time.
fn a_script_agrees(name: &str) {
    for mode in ["jit", "aot"] {
        let engine = format!("capi:{mode},lib={}", libraries().join(name).display());
        let script = repository_text("tests/scripts/callbacks.wast");
        let ran = run(&std::env::temp_dir(), &["compare", &script, "--rhs", &engine, "--json"]);
        let report = serde_json::from_str(&ran.stdout).unwrap_or(Value::String(ran.stderr));
        assert_eq!((ran.code, &report["agree"]), (0, &true.into()), "{mode}: {report:#}");
        assert_eq!(report["rhs"]["assertions"]["passed"], 8, "{mode}: {report:#}");
    }
}

fn wrong_address(mode: &str) {
    let module = "tests/cases/known-bugs/wasmtime-7999-wrong-address.wat";
    let (code, report) = against(module, "run 64", mode, "libwasmtime-17.0.0.so", "");
    assert_eq!((code, &report["verdict"], &report["position"]), (1, &"address".into(), &5.into()), "{report:#}");
    assert_eq!(report["site"]["instruction"], "i32.store");
    let version = report["rhs"]["version"].as_str().unwrap_or_default();
    assert!(version.starts_with("wasmtime 17.0.0,"), "{version}");
}

fn agrees_where_nothing_is_wrong(name: &str) {
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
            let (code, report) = against(module, call, mode, name, "");
            let label = format!("{name} {mode} {module}: {report:#}");
            if name == "libwasmtime-0.30.0.so" && module.contains("multi-memory") {
                // This release writes to the first memory what belongs in the second, a bug that forkpoint found.
                assert_eq!((code, &report["verdict"]), (1, &"uncommitted-store".into()), "{label}");
                assert_eq!(report["site"]["instruction"], "i32.store $b", "{label}");
                continue;
            }
            assert_eq!((code, &report["agree"]), (0, &true.into()), "{label}");
        }
    }
}

/// Files that are not a library of this kind, and settings that a library does not have.
fn complaint(engine: &str) -> String {
    let module = repository_text("tests/cases/bulk.wat");
    let ran = run(&std::env::temp_dir(), &["compare", &module, "--invoke", "f", "--rhs", engine]);
    assert_eq!(ran.code, 2, "{}", ran.stdout);
    ran.stderr
}

fn what_is_wrong_with_a_library_is_said() {
    assert!(complaint("capi:jit,lib=/nowhere/libnone.so").contains("/nowhere/libnone.so"));
    // Any library that exists and is not one of these: the C library.
    let other = complaint("capi:jit,lib=libc.so.6");
    assert!(other.contains("wasm.h") && other.contains("no function"), "{other}");
}

fn a_setting_that_a_library_lacks_is_said() {
    let path = libraries().join("libwasmtime-17.0.0.so");
    let stderr = complaint(&format!("capi:jit,lib={},regalloc=single-pass", path.display()));
    assert!(stderr.contains("wasmtime_config_cranelift_regalloc_algorithm_set"), "{stderr}");
    let stderr = complaint(&format!("capi:jit,lib={},compiler=turbofan", path.display()));
    assert!(stderr.contains("cranelift, winch"), "{stderr}");
}

/// The engine in the header of a recording under a library, or the error.
fn described(name: &str, settings: &str) -> Result<Value, String> {
    let folder = common::folder_with(&[(
        "t.wat",
        b"(module (memory 1) (func (export \"run\") (i32.store (i32.const 0) (i32.const 1))))",
    )]);
    let engine = format!("capi:aot,lib={}{settings}", libraries().join(name).display());
    let ran = common::run(folder.path(), &["record", "t.wat", "--invoke", "run", "--engine", &engine, "-o", "t.fpt"]);
    if ran.code != 0 {
        assert_eq!(ran.code, 2, "{name}{settings}: {}", ran.stderr);
        return Err(ran.stderr);
    }
    let info = common::run(folder.path(), &["info", "t.fpt", "--json"]);
    let info: Value = serde_json::from_str(&info.stdout).expect("JSON");
    Ok(info["engine"].clone())
}

fn winch_is_winch_or_refused(name: &str) {
    let told = described(name, ",compiler=winch");
    if name.contains("-48.") {
        assert_eq!(told.expect("an engine")["compiler"], "winch");
        return;
    }
    let error = told.expect_err("it has no Winch that its C interface reaches");
    // Refused by forkpoint, or by the library, which has the function but not the compiler.
    let refusals = ["but compiles with Cranelift", "no function", "winch support not compiled in"];
    assert!(refusals.iter().any(|refusal| error.contains(refusal)), "{error}");
}

fn targets_and_processor_features_can_be_asked_for(name: &str) {
    let engine = described(name, ",target=portable,cpu=+sse4.1").expect("an engine");
    assert_eq!(engine["cpu_features"], serde_json::json!(["sse4.1"]), "{name}: {engine:#}");
    // Exact to the patch level, unlike the file's name.
    let version = engine["version"].as_str().expect("a version");
    assert_eq!(version.split('.').count(), 3, "{name}: {version}");
    for (settings, words) in [(",cpu=+nonsense", "has_nonsense"), (",target=nonsense", "nonsense")] {
        let error = described(name, settings).expect_err("there is no such thing");
        assert!(error.contains(words) && !error.contains("backtrace:"), "{name}{settings}: {error}");
    }
}
