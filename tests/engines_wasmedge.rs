//! WasmEdge's C interface in its three variants, tested with a library that plays one module
//! (tests/fakes/wasmedge.c). Tests of real libraries are in wasmedge_releases.rs.

mod common;

use common::{folder_with, repository_text, run};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const MODULE: &[u8] = br#"(module (memory (export "memory") 1)
  (func $f (export "run") (param f32 i64) (result f32 i64)
    (i32.store (i32.const 0) (i32.const 1))
    (i32.store (i32.const 4) (i32.const 2))
    (local.get 0) (local.get 1))
  (func (export "oops") (param f32 i64) (result f32 i64) (i32.store (i32.const -1) (i32.const 0)) unreachable))"#;

/// Compiles the fake library as one release, with the compiler that built forkpoint.
fn fake(folder: &Path, release: &str, define: &[&str]) -> PathBuf {
    let library = folder.join(format!("libwasmedge-{release}.so"));
    let mut compile = Command::new("cc");
    compile.args(["-shared", "-fPIC", "-D_GNU_SOURCE", &format!("-DRELEASE={release}")]).args(define);
    compile.arg("-o").arg(&library);
    let compiled = compile
        .arg(repository_text("tests/fakes/wasmedge.c"))
        .status()
        .expect("a C compiler, as CONTRIBUTING.md asks for");
    assert!(compiled.success(), "the fake library does not compile");
    library
}

fn compare(folder: &Path, call: &str, engine: &str) -> (i32, Value, String) {
    let ran = run(folder, &["compare", "t.wat", "--invoke", call, "--rhs", engine, "--json"]);
    (ran.code, serde_json::from_str(&ran.stdout).unwrap_or_default(), ran.stderr)
}

#[test]
fn every_variant_of_the_interface_is_understood() {
    let folder = folder_with(&[("t.wat", MODULE)]);
    for release in ["13", "14", "17"] {
        let library = fake(folder.path(), release, &[]);
        for mode in ["interpreter", "aot", "jit"] {
            let engine = format!("wasmedge:{mode},lib={}", library.display());
            // A signalling NaN: passed as a number, it would come back changed.
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
fn a_library_that_does_not_know_its_version_is_used_as_the_release_that_is_named() {
    let folder = folder_with(&[("t.wat", MODULE)]);
    for (release, abi, wrong, has) in [
        ("13", "0.13", "0.14", "lacks the function WasmEdge_ValTypeIsEqual"),
        ("14", "0.14", "0.13", "has the function WasmEdge_ValTypeIsEqual"),
        ("14", "0.16", "0.17", "lacks the function WasmEdge_LimitIs64Bit"),
        ("17", "0.17", "0.15", "has the function WasmEdge_LimitIs64Bit"),
    ] {
        let library = fake(folder.path(), release, &["-DARCHIVE"]);
        let engine = format!("wasmedge:interpreter,lib={}", library.display());
        let (code, _, stderr) = compare(folder.path(), "run 1 2", &engine);
        assert!(
            code == 2 && stderr.contains("0.0.0") && stderr.contains("abi=0.14; forkpoint knows 0.13,"),
            "{stderr}"
        );
        let (code, _, stderr) = compare(folder.path(), "run 1 2", &format!("{engine},abi={wrong}"));
        assert!(code == 2 && stderr.contains(has), "{stderr}");
        let (code, report, stderr) = compare(folder.path(), "run nan:0x1 -7", &format!("{engine},abi={abi}"));
        let version = report["rhs"]["version"].as_str().unwrap_or_default();
        assert!(version.starts_with(&format!("wasmedge 0.0.0, used as {abi},")), "{version}{stderr}");
        assert_eq!((code, &report["agree"]), (0, &true.into()), "{abi}: {report:#}{stderr}");
        let (code, _, stderr) = compare(folder.path(), "run 1 2", &format!("{engine},abi=0.18"));
        assert!(code == 2 && stderr.contains("0.13, 0.14, 0.15, 0.16, 0.17"), "{stderr}");
    }
    // A library that knows its release needs no setting, and refuses one that contradicts it.
    let engine = format!("wasmedge:interpreter,lib={}", fake(folder.path(), "14", &[]).display());
    let (code, _, stderr) = compare(folder.path(), "run 1 2", &format!("{engine},abi=0.17"));
    assert!(code == 2 && stderr.contains("this is WasmEdge 0.14.5"), "{stderr}");
    assert_eq!(compare(folder.path(), "run 1 2", &format!("{engine},abi=0.14")).0, 0);
}

#[test]
fn a_proposal_that_a_release_lacks_is_named() {
    let folder = folder_with(&[("t.wat", MODULE)]);
    let library = fake(folder.path(), "13", &[]);
    let (code, _, stderr) =
        compare(folder.path(), "run 1 2", &format!("wasmedge:interpreter,lib={},wasm=+gc", library.display()));
    assert_eq!(code, 2, "{stderr}");
    assert!(stderr.contains("`gc`") && stderr.contains("extended_const"), "{stderr}");
    // The interface is there, but multi-memory, which recording needs, is not.
    let (code, report, stderr) = compare(
        folder.path(),
        "run 1 2",
        &format!("wasmedge:interpreter,lib={},wasm=-multi_memories", library.display()),
    );
    assert_eq!((code, &report["verdict"]), (1, &"validation".into()), "{report:#}{stderr}");
    assert_eq!(report["rhs"]["outcome"], "rejected at validate", "{report:#}");
}

#[test]
fn a_library_that_cannot_link_modules_says_so() {
    let folder = folder_with(&[("s.wast", br#"(module (func (export "f"))) (invoke "f")"#)]);
    let engine = format!("wasmedge:interpreter,lib={}", fake(folder.path(), "14", &[]).display());
    let ran = run(folder.path(), &["compare", "s.wast", "--rhs", &engine]);
    assert!(ran.code == 2 && ran.stderr.contains("lacks functions to link modules"), "{}{}", ran.stdout, ran.stderr);
}

#[test]
fn a_page_limit_reaches_imported_memories() {
    let module = String::from_utf8_lossy(MODULE)
        .replace(r#"(export "memory") 1"#, r#"(export "memory") (import "env" "m") 1 10"#);
    let folder = folder_with(&[("t.wat", module.as_bytes())]);
    for release in ["13", "14", "17"] {
        let library = fake(folder.path(), release, &[]);
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
fn what_a_failed_instantiation_left_in_an_imported_memory_is_shown() {
    let folder =
        folder_with(&[("t.wat", &fs::read(repository_text("tests/cases/field/half-way.wat")).expect("a file"))]);
    for release in ["13", "14", "17"] {
        let library = fake(folder.path(), release, &["-DHALF_WAY"]);
        let engine = format!("wasmedge:interpreter,lib={}", library.display());
        let (code, report, stderr) = compare(folder.path(), "run", &engine);
        assert_eq!((code, &report["nothing_ran"]), (2, &true.into()), "{release}: {report:#}{stderr}");
        let message = report["rhs"]["message"].as_str().unwrap_or_default();
        assert!(message.ends_with("left in imported memory env.m at 0x10: 66 69 72 73 74"), "{release}: {message}");
    }
}

#[test]
fn a_jit_that_would_interpret_is_found_out() {
    let folder = folder_with(&[("t.wat", MODULE)]);
    let library = fake(folder.path(), "17", &["-DNO_CODE"]);
    let (code, report, stderr) =
        compare(folder.path(), "run 1 2", &format!("wasmedge:jit,lib={}", library.display()));
    assert_eq!(code, 1, "{report:#}{stderr}");
    assert_eq!(report["rhs"]["outcome"], "rejected at instantiate", "{report:#}");
    assert!(report.to_string().contains("no native code"), "{report:#}");
}

/// Stores before a trap for which compiled code loses the records: both sides trap, and no event is missing.
#[test]
fn records_that_a_trap_takes_along_are_had_by_hooks() {
    let module = br#"(module (memory (export "memory") 1)
      (func (export "lost") (param f32 i64) (result f32 i64)
        (i32.store (i32.const 0) (i32.const 1)) (drop (i32.load (i32.const -1))) unreachable))"#;
    let folder = folder_with(&[("t.wat", &module[..])]);
    // Only the records are lost: recorded by hooks, the runs agree.
    let library = fake(folder.path(), "14", &["-DFORGETS_RECORDS"]);
    let engine = format!("wasmedge:aot,lib={}", library.display());
    let (code, report, stderr) = compare(folder.path(), "lost 1 2", &engine);
    assert_eq!((code, &report["agree"]), (0, &true.into()), "{report:#}{stderr}");
    let note = report["reruns"]["notes"][0].as_str().unwrap_or_default();
    assert!(note.contains("inline records of 1 events before its trap were lost in rhs"), "{report:#}");
    // The store is lost, too, which shows only without recording.
    let library = fake(folder.path(), "13", &[]);
    let engine = format!("wasmedge:aot,lib={}", library.display());
    let (code, report, stderr) = compare(folder.path(), "lost 1 2", &engine);
    assert_eq!((code, &report["verdict"]), (1, &"observer-effect".into()), "{report:#}{stderr}");
    assert_eq!(report["guard"]["plain_differences"][0], "memory 0 at 0x0: lhs 01, rhs 00", "{report:#}");
    assert!(report["guard"]["vanished_in"].to_string().contains("hooks"), "{report:#}");
    // The interpreter has hooks anyway and names no place; a rerun cannot either, since nothing runs.
    let (_, report, _) = compare(folder.path(), "lost 1 2", &engine.replace(":aot", ":interpreter"));
    assert_eq!(report["reruns"]["notes"], Value::Array(Vec::new()), "{report:#}");
}

/// The place of a crash: the process is dead, but its code left the place where the recorder finds it.
#[test]
fn a_crash_has_the_place_that_the_code_came_to_last() {
    let module = br#"(module (memory (export "memory") 1)
      (func $work (export "crash") (param f32 i64) (result f32 i64)
        (drop (i32.load offset=4 (i32.const 0))) (local.get 0) (local.get 1)))"#;
    let folder = folder_with(&[("t.wat", &module[..])]);
    let library = fake(folder.path(), "14", &[]);
    for mode in ["aot", "interpreter"] {
        let engine = format!("wasmedge:{mode},lib={}", library.display());
        let (code, report, stderr) = compare(folder.path(), "crash 1 2", &engine);
        assert_eq!((code, &report["verdict"]), (1, &"crash".into()), "{report:#}{stderr}");
        let place = &report["reruns"]["places"][0];
        assert_eq!(
            (&place["side"], &place["name"], &place["trapped"]),
            (&"rhs".into(), &"work".into(), &false.into())
        );
        assert_eq!(place["site"]["instruction"], "i32.load offset=4", "{mode}: {report:#}");
    }
}

/// The library's own WASI gets the guest's settings, is called with the guest's memory available, and is recorded.
#[test]
fn its_own_host_is_recorded() {
    let module = br#"(module
      (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
      (memory (export "memory") 1)
      (func (export "host") (param f32 i64) (result f32 i64)
        (local.get 0) (i64.extend_i32_s (call $random (i32.wrap_i64 (local.get 1)) (i32.const 8)))))"#;
    let folder = folder_with(&[("t.wat", &module[..])]);
    let record = |library: &Path, call: &str, more: &[&str]| {
        let engine = format!("wasmedge:interpreter,lib={}", library.display());
        let command = ["record", "t.wat", "--invoke", call, "-e", &engine, "--host", "own", "--json"];
        run(folder.path(), &[&command[..], more, &["--env", "NAME=value", "--", "argument"]].concat())
    };
    for release in ["13", "14", "17"] {
        let library = fake(folder.path(), release, &[]);
        let ran = record(&library, "host 1 128", &["--dir", ".::guest"]);
        let summary: Value = serde_json::from_str(&ran.stdout).unwrap_or_default();
        assert_eq!((ran.code, &summary["calls"][0]["results"][1]), (0, &"0".into()), "{release}: {ran:?}");
        let dump = run(folder.path(), &["dump", "t.fpt"]).stdout;
        assert!(dump.contains("host write [0x00000080; 8] <- ab ab ab ab ab ab ab ab"), "{release}: {dump}");
        let info = run(folder.path(), &["info", "t.fpt"]).stdout;
        assert!(info.contains(&format!("host=WASI of WasmEdge 0.{release}.5")), "{info}");
        let replayed = run(folder.path(), &["replay", "t.fpt", "-e", "wasmtime:jit"]);
        assert_eq!(replayed.code, 0, "{release}: {replayed:?}");
        let exits = record(&library, "host 1 0", &["--dir", ".::guest"]);
        assert!(exits.stdout.contains("exited with code 7"), "{release}: {exits:?}");
    }
    let library = fake(folder.path(), "14", &[]);
    let colon = record(&library, "host 1 128", &["--dir", ".::a:b"]);
    assert!(colon.code == 2 && colon.stderr.contains("another colon"), "{colon:?}");
    // A memory that does not fit the trampoline says nothing about the engine.
    let shared = String::from_utf8_lossy(module).replace("\"memory\") 1", "\"memory\") 1 2 shared");
    std::fs::write(folder.path().join("t.wat"), shared).expect("a file");
    let unfit = fake(folder.path(), "14", &["-DUNFIT"]);
    let failed = record(&unfit, "host 1 128", &["--dir", ".::guest"]);
    assert!(failed.code == 2 && failed.stderr.contains("own host: a trampoline: refused"), "{failed:?}");
    std::fs::write(folder.path().join("t.wat"), module).expect("a file");
    let none = fake(folder.path(), "14", &["-DNO_WASI"]);
    let without = record(&none, "host 1 128", &["--dir", ".::guest"]);
    assert!(without.code == 2 && without.stderr.contains("does not have its own host"), "{without:?}");
}
