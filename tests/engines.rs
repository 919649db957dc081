//! Engines besides Wasmtime that are always there, compared with it on all file tests.

mod common;

use common::{cases, compare};
use serde_json::Value;

/// Features that wasmi 2 lacks.
const WITHOUT_THREADS: &[&str] = &["atomics", "shared-memory"];

#[test]
fn wasmi_agrees_with_wasmtime() {
    let mut seen = 0;
    for (name, module, calls) in cases() {
        let (code, report, stderr) = compare(&module, &calls, "wasmi");
        if name.starts_with("threads") {
            // Refused before any engine sees it.
            assert_eq!(code, 2, "{name}: {report:#}{stderr}");
            continue;
        }
        if WITHOUT_THREADS.contains(&name.as_str()) {
            assert_eq!((code, &report["verdict"]), (1, &"validation".into()), "{name}: {report:#}{stderr}");
            assert_eq!(report["rhs"]["outcome"], "rejected at validate", "{name}");
            continue;
        }
        assert_eq!((code, &report["agree"]), (0, &true.into()), "{name}: {report:#}{stderr}");
        seen += 1;
    }
    assert!(seen > 10, "only {seen} cases were compared");
}

#[test]
fn checkpoints_and_read_back_work_under_wasmi() {
    let folder = common::folder_with(&[]);
    let module = common::repository_text("examples/orbit.wat");
    for options in [["--checkpoint", "every=10"], ["--checkpoint", "calls"], ["--read-back", "--hooks"]] {
        let mut command =
            vec!["compare", &module, "--invoke", "run 30", "--lhs", "wasmi", "--rhs", "wasmi", "--json"];
        command.extend(options);
        let ran = common::run(folder.path(), &command);
        assert_eq!(ran.code, 0, "{options:?}: {}{}", ran.stdout, ran.stderr);
    }
}

/// Settings of Wasmtime that change neither results nor stores.
#[test]
fn tunings_of_wasmtime_agree_and_are_told() {
    let folder = common::folder_with(&[]);
    for (setting, told) in [
        ("regalloc=single-pass", "cranelift_regalloc_algorithm=single_pass"),
        ("pooling=on", "allocation_strategy=pooling"),
        ("memory-reservation=0,memory-guard=0", "memory_guard_size=0"),
        ("signals=off", "signals_based_traps=false"),
        ("nan-canonicalization=on", "cranelift_nan_canonicalization=true"),
    ] {
        for (case, call) in [("bulk", "f"), ("trap", "f"), ("multi-memory", "f"), ("grow", "f")] {
            let module = common::repository(&format!("tests/cases/{case}.wat"));
            let calls = ["--invoke".to_string(), call.to_string()];
            let (code, report, stderr) = compare(&module, &calls, &format!("wasmtime:jit,{setting}"));
            assert_eq!((code, &report["agree"]), (0, &true.into()), "{case} {setting}: {report:#}{stderr}");
        }
        let (module, engine) = (common::repository_text("tests/cases/bulk.wat"), format!("wasmtime:jit,{setting}"));
        let record = ["record", &module, "--invoke", "f", "--engine", &engine, "-o", "t.fpt"];
        assert_eq!(common::run(folder.path(), &record).code, 0);
        let info = common::run(folder.path(), &["info", "t.fpt"]).stdout;
        assert!(info.contains(told), "{setting}: {info}");
    }
}

/// Each engine limits memory in its own way, and all must respect the limit: a module that asks for more is not
/// instantiated, and `memory.grow` fails.
#[test]
fn a_page_limit_is_kept_by_every_engine() {
    let grows = br#"(module (memory (export "memory") 2) (func (export "run") (result i32)
      (i32.store (i32.const 0) (memory.grow (i32.const 2)))
      (i32.store (i32.const 4) (memory.grow (i32.const 1)))
      (memory.size)))"#;
    let asks = br#"(module (memory (export "memory") 5) (func (export "run")))"#;
    let folder = common::folder_with(&[("grows.wat", grows), ("asks.wat", asks)]);
    for engine in ["wasmtime:jit", "wasmtime:aot", "wasmtime:winch-jit", "wasmtime:pulley", "wasmi"] {
        let record = |module: &str, limit: &str| {
            let trace = format!("{module}.fpt");
            let command =
                ["record", module, "--invoke", "run", "--engine", engine, "--memory-page-limit", limit, "-o"];
            common::run(folder.path(), &[&command[..], &[&trace]].concat())
        };
        assert_eq!(record("grows.wat", "4").stdout, "4\n", "{engine}");
        assert_eq!(record("grows.wat", "5").stdout, "5\n", "{engine}");
        assert_eq!(record("grows.wat", "3").stdout, "3\n", "{engine}");
        let asks = record("asks.wat", "4");
        assert!(asks.stderr.contains("rejected at instantiate"), "{engine}: {}", asks.stderr);
    }
    let one_sided =
        ["compare", "grows.wat", "--invoke", "run", "--lhs-memory-page-limit", "3", "--rhs", "wasmi", "--json"];
    let ran = common::run(folder.path(), &one_sided);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_default();
    assert_eq!((ran.code, &report["verdict"]), (1, &"grow".into()), "{report:#}");
    let asked = &report["asked_for"][0];
    assert_eq!(asked, "the sides have different limits on memory pages: lhs 3 pages, rhs none");
}

#[test]
fn engines_are_listed_with_what_they_run() {
    let folder = common::folder_with(&[]);
    let ran = common::run(folder.path(), &["engines", "--json", "capi:jit,lib=/nowhere/libnone.so"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let rows: Vec<Value> = serde_json::from_str(&ran.stdout).expect("an array");
    let row = |name: &str| rows.iter().find(|row| row["engine"] == name).unwrap_or_else(|| panic!("no row {name}"));
    let knows = |name: &str, feature: &str| {
        row(name)["features"].as_array().is_some_and(|all| all.iter().any(|known| known == feature))
    };
    assert!(row("wasmtime:jit")["lacks"] == serde_json::json!([]), "{:#}", row("wasmtime:jit"));
    assert!(knows("wasmi", "memory64") && !knows("wasmi", "threads"), "{:#}", row("wasmi"));
    assert!(knows("wasmtime:winch-jit", "simd") && !knows("wasmtime:winch-jit", "gc"));
    // Runners that are part of the program are tried, and the output says why one cannot be used.
    for (name, program) in [("node", "node"), ("python", "python3")] {
        let row = row(name);
        match row["usable"] == true {
            true => assert!(knows(name, "bulk-memory") && row["version"].is_string(), "{row:#}"),
            false => assert!(row["reason"].as_str().is_some_and(|why| why.contains(program)), "{row:#}"),
        }
    }
    let missing = row("capi:jit,lib=/nowhere/libnone.so");
    assert!(missing["usable"] == false && missing["reason"].as_str().is_some_and(|why| why.contains("/nowhere/")));
    assert!(row("wasmedge")["reason"].as_str().is_some_and(|why| why.contains("lib=PATH")));
}
