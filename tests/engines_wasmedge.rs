//! WasmEdge behind its C interface: the three variants of it by a library that plays one module
//! (tests/fakes/wasmedge.c), and the real one where the folder FORKPOINT_LIBS has it as `libwasmedge-0.13.5.so`.

mod common;

use common::{folder_with, has_program, repository_text, run};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

const MODULE: &[u8] = br#"(module (memory (export "memory") 1)
  (func $f (export "run") (param f32 i64) (result f32 i64)
    (i32.store (i32.const 0) (i32.const 1))
    (i32.store (i32.const 4) (i32.const 2))
    (local.get 0) (local.get 1))
  (func (export "oops") (param f32 i64) (result f32 i64) (i32.store (i32.const -1) (i32.const 0)) unreachable))"#;

/// Compiles the fake library as one release; `None` where there is no compiler.
fn fake(folder: &Path, release: &str, define: &[&str]) -> Option<PathBuf> {
    if !has_program("cc", "--version") {
        println!("SKIP: no C compiler");
        return None;
    }
    let library = folder.join(format!("libwasmedge-{release}.so"));
    let mut compile = Command::new("cc");
    compile.args(["-shared", "-fPIC", "-D_GNU_SOURCE", &format!("-DRELEASE={release}")]).args(define);
    compile.arg("-o").arg(&library);
    let compiled = compile.arg(repository_text("tests/fakes/wasmedge.c")).status().expect("cc was there");
    assert!(compiled.success(), "the fake library does not compile");
    Some(library)
}

fn compare(folder: &Path, call: &str, engine: &str) -> (i32, Value, String) {
    let ran = run(folder, &["compare", "t.wat", "--invoke", call, "--rhs", engine, "--json"]);
    (ran.code, serde_json::from_str(&ran.stdout).unwrap_or_default(), ran.stderr)
}

#[test]
fn every_variant_of_the_interface_is_understood() {
    let folder = folder_with(&[("t.wat", MODULE)]);
    for release in ["13", "14", "17"] {
        let Some(library) = fake(folder.path(), release, &[]) else { return };
        for mode in ["interpreter", "aot", "jit"] {
            let engine = format!("wasmedge:{mode},lib={}", library.display());
            // A signalling NaN: passed as a number it would come back as another.
            let (code, report, stderr) = compare(folder.path(), "run nan:0x1 -7", &engine);
            if mode == "jit" && release != "17" {
                assert_eq!(code, 2, "{report:#}");
                assert!(stderr.contains("no JIT"), "{stderr}");
                continue;
            }
            assert_eq!((code, &report["agree"]), (0, &true.into()), "{release} {mode}: {report:#}{stderr}");
            let version = report["rhs"]["version"].as_str().unwrap_or_default();
            assert!(version.starts_with(&format!("wasmedge 0.{release}.5,")), "{version}");
            let (code, report, stderr) = compare(folder.path(), "oops 1 2", &engine);
            assert_eq!((code, &report["agree"]), (0, &true.into()), "{release} {mode}: {report:#}{stderr}");
        }
    }
}

#[test]
fn a_proposal_that_a_release_lacks_is_named() {
    let folder = folder_with(&[("t.wat", MODULE)]);
    let Some(library) = fake(folder.path(), "13", &[]) else { return };
    let (code, _, stderr) =
        compare(folder.path(), "run 1 2", &format!("wasmedge:interpreter,lib={},wasm=+gc", library.display()));
    assert_eq!(code, 2, "{stderr}");
    assert!(stderr.contains("`gc`") && stderr.contains("extended_const"), "{stderr}");
    // The interface is there, and multi-memory, which recording needs, is not.
    let (code, report, stderr) = compare(
        folder.path(),
        "run 1 2",
        &format!("wasmedge:interpreter,lib={},wasm=-multi_memories", library.display()),
    );
    assert_eq!((code, &report["verdict"]), (1, &"validation".into()), "{report:#}{stderr}");
    assert_eq!(report["rhs"]["outcome"], "rejected at validate", "{report:#}");
}

#[test]
fn a_page_limit_reaches_imported_memories() {
    let module = String::from_utf8_lossy(MODULE)
        .replace(r#"(export "memory") 1"#, r#"(export "memory") (import "env" "m") 1 10"#);
    let folder = folder_with(&[("t.wat", module.as_bytes())]);
    for release in ["13", "14", "17"] {
        let Some(library) = fake(folder.path(), release, &[]) else { return };
        let engine = format!("wasmedge:interpreter,lib={}", library.display());
        for (limit, code) in [("5", 0), ("12", 0), ("0", 1)] {
            let command = ["compare", "t.wat", "--invoke", "run 1 2", "--rhs", &engine, "--json"];
            let ran = run(folder.path(), &[&command[..], &["--rhs-memory-page-limit", limit]].concat());
            assert_eq!(ran.code, code, "{release} {limit}: {}{}", ran.stdout, ran.stderr);
            assert!(code == 0 || ran.stdout.contains("a memory of 1 pages, and the limit is 0"), "{}", ran.stdout);
        }
    }
}

#[test]
fn a_jit_that_would_interpret_is_found_out() {
    let folder = folder_with(&[("t.wat", MODULE)]);
    let Some(library) = fake(folder.path(), "17", &["-DNO_CODE"]) else { return };
    let (code, report, stderr) =
        compare(folder.path(), "run 1 2", &format!("wasmedge:jit,lib={}", library.display()));
    assert_eq!(code, 1, "{report:#}{stderr}");
    assert_eq!(report["rhs"]["outcome"], "rejected at compile", "{report:#}");
    assert!(report.to_string().contains("no native code"), "{report:#}");
}

/// The real library, if it is there.
fn real() -> Option<PathBuf> {
    let folder = std::env::var_os("FORKPOINT_LIBS").unwrap_or_default();
    let library = Path::new(&folder).join("libwasmedge-0.13.5.so");
    if !library.exists() {
        println!("SKIP: no libwasmedge-0.13.5.so in the folder FORKPOINT_LIBS");
        return None;
    }
    Some(library)
}

#[test]
fn the_real_one_agrees() {
    let Some(library) = real() else { return };
    for mode in ["interpreter", "aot"] {
        for (module, call) in [
            ("tests/cases/bulk.wat", "f"),
            ("tests/cases/calls.wat", "oops"),
            ("tests/cases/imported-memory.wat", "f"),
            ("tests/cases/multi-memory.wat", "f"),
            ("tests/cases/start.wat", "f"),
            ("tests/cases/store-lanes.wat", "f"),
            ("tests/cases/trap.wat", "f"),
            ("tests/cases/vectors.wat", "add i32x4:1,2,3,4 f32x4:1,0,0,0"),
        ] {
            let engine = format!("wasmedge:{mode},lib={}", library.display());
            let module = repository_text(module);
            // This release forgets stores before one that traps, those of inline records as well.
            let command = ["compare", &module, "--invoke", call, "--rhs", &engine, "--hooks"];
            let command = if module.ends_with("trap.wat") { &command[..] } else { &command[..6] };
            let ran = run(&std::env::temp_dir(), command);
            assert_eq!(ran.code, 0, "{mode} {module}: {}{}", ran.stdout, ran.stderr);
        }
    }
}

/// What one mode of the real library does and the other does not.
#[test]
fn modes_of_the_real_one_part() {
    let Some(library) = real() else { return };
    let bug = |module: &str, options: &[&str], lhs: &str, rhs: &str| {
        let module = repository_text(&format!("tests/cases/known-bugs/{module}.wat"));
        let engine = |mode: &str| match mode.split_once(',') {
            _ if mode.starts_with("wasmtime") => mode.to_string(),
            Some((mode, settings)) => format!("wasmedge:{mode},lib={},{settings}", library.display()),
            None => format!("wasmedge:{mode},lib={}", library.display()),
        };
        let (lhs, rhs) = (engine(lhs), engine(rhs));
        let command = ["compare", &module, "--json", "--lhs", &lhs, "--rhs", &rhs];
        let ran = run(&std::env::temp_dir(), &[&command[..], options].concat());
        let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_default();
        assert_eq!(ran.code, 1, "{report:#}{}", ran.stderr);
        report
    };
    let report = bug("wasmedge-lost-store", &["--invoke", "f"], "interpreter", "aot");
    assert_eq!((&report["verdict"], &report["culprit"]["position"]), (&"uncommitted-store".into(), &5.into()));
    let limit = ["--invoke", "storelow", "--memory-page-limit", "32766"];
    let report = bug("wasmedge-page-limit", &limit, "wasmtime:jit", "interpreter");
    assert_eq!(report["verdict"], "page-limit", "{report:#}");
    assert_eq!(report["lhs"]["outcome"], "rejected at instantiate", "{report:#}");
    assert_eq!(report["rhs"]["outcome"], "crashed: SIGSEGV", "{report:#}");
    assert_eq!(report["rhs"]["page_limit"]["did"], "ignored", "{report:#}");
    let report = bug("wasmedge-page-limit", &limit, "wasmtime:jit", "aot");
    assert_eq!(report["rhs"]["outcome"], "trapped: out of bounds memory access", "{report:#}");
    let report = bug("wasmedge-validation", &["--invoke", "main 5"], "interpreter", "aot,compile-wasm=+tail_call");
    assert_eq!((&report["verdict"], &report["rhs"]["outcome"]), (&"validation".into(), &"finished".into()));
}
