//! WasmEdge behind its C interface: the three variants of it by a library that plays one module
//! (tests/fakes/wasmedge.c), and each real one that the folder FORKPOINT_LIBS has under a name like `libwasmedge-0.13.5.so`.

mod common;

use common::{cases, folder_with, has_program, repository_text, run};
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
    assert_eq!(report["rhs"]["outcome"], "rejected at instantiate", "{report:#}");
    assert!(report.to_string().contains("no native code"), "{report:#}");
}

/// Stores before a trap, of which compiled code forgets the recorder's: both sides trap, and no event is missing for it.
#[test]
fn records_that_a_trap_takes_along_are_had_by_hooks() {
    let module = br#"(module (memory (export "memory") 1)
      (func (export "lost") (param f32 i64) (result f32 i64)
        (i32.store (i32.const 0) (i32.const 1)) (drop (i32.load (i32.const -1))) unreachable))"#;
    let folder = folder_with(&[("t.wat", &module[..])]);
    // The records alone are lost: recorded by hooks, the runs agree.
    let Some(library) = fake(folder.path(), "14", &["-DFORGETS_RECORDS"]) else { return };
    let engine = format!("wasmedge:aot,lib={}", library.display());
    let (code, report, stderr) = compare(folder.path(), "lost 1 2", &engine);
    assert_eq!((code, &report["agree"]), (0, &true.into()), "{report:#}{stderr}");
    let note = report["reruns"]["notes"][0].as_str().unwrap_or_default();
    assert!(note.contains("inline records of 1 events before its trap were lost in rhs"), "{report:#}");
    // The store is lost, too: that shows only without recording.
    let Some(library) = fake(folder.path(), "13", &[]) else { return };
    let engine = format!("wasmedge:aot,lib={}", library.display());
    let (code, report, stderr) = compare(folder.path(), "lost 1 2", &engine);
    assert_eq!((code, &report["verdict"]), (1, &"observer-effect".into()), "{report:#}{stderr}");
    assert_eq!(report["guard"]["plain_differences"][0], "memory 0 at 0x0: lhs 01, rhs 00", "{report:#}");
    assert!(report["guard"]["vanished_in"].to_string().contains("hooks"), "{report:#}");
    // The interpreter has hooks anyway, and says no place: a rerun cannot tell one either, since nothing runs.
    let (_, report, _) = compare(folder.path(), "lost 1 2", &engine.replace(":aot", ":interpreter"));
    assert_eq!(report["reruns"]["notes"], Value::Array(Vec::new()), "{report:#}");
}

/// The place of a crash: of a process that is dead, as its code left it where the recorder finds it.
#[test]
fn a_crash_has_the_place_that_the_code_came_to_last() {
    let module = br#"(module (memory (export "memory") 1)
      (func $work (export "crash") (param f32 i64) (result f32 i64)
        (drop (i32.load offset=4 (i32.const 0))) (local.get 0) (local.get 1)))"#;
    let folder = folder_with(&[("t.wat", &module[..])]);
    let Some(library) = fake(folder.path(), "14", &[]) else { return };
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

/// A real library, by its name `libwasmedge-0.13.5.so` in the folder FORKPOINT_LIBS.
struct Real {
    release: (u32, u32, u32),
    library: String,
}

impl Real {
    fn all() -> Vec<Real> {
        let folder = PathBuf::from(std::env::var_os("FORKPOINT_LIBS").unwrap_or_default());
        let paths = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
        let mut found: Vec<Real> = paths
            .filter_map(|path| {
                let name = path.file_name()?.to_str()?.strip_prefix("libwasmedge-")?.strip_suffix(".so")?;
                let numbers: Vec<u32> = name.split('.').map(str::parse).collect::<Result<_, _>>().ok()?;
                let [major, minor, patch] = numbers[..] else { return None };
                Some(Real { release: (major, minor, patch), library: path.display().to_string() })
            })
            .collect();
        found.sort_by_key(|real| real.release);
        if found.is_empty() {
            println!("SKIP: no library like libwasmedge-0.13.5.so in the folder FORKPOINT_LIBS");
        }
        found
    }

    /// That of one release.
    fn only(release: (u32, u32, u32)) -> Option<Real> {
        let found = Real::all().into_iter().find(|real| real.release == release);
        if found.is_none() {
            println!("SKIP: no library of release {release:?} in the folder FORKPOINT_LIBS");
        }
        found
    }

    fn modes(&self) -> &'static [&'static str] {
        if self.release >= (0, 17, 0) { &["interpreter", "aot", "jit"] } else { &["interpreter", "aot"] }
    }

    /// An engine: a mode, and settings behind a comma.
    fn engine(&self, mode: &str) -> String {
        let (mode, settings) = mode.split_once(',').unwrap_or((mode, ""));
        format!("wasmedge:{mode},lib={},{settings}", self.library).trim_end_matches(',').to_string()
    }

    /// Compares two engines on a known bug.
    fn compare(&self, module: &str, options: &[&str], lhs: &str, rhs: &str) -> (i32, Value) {
        let module = repository_text(&format!("tests/cases/known-bugs/{module}.wat"));
        let engine = |mode: &str| if mode.starts_with("wasmtime") { mode.to_string() } else { self.engine(mode) };
        let (lhs, rhs) = (engine(lhs), engine(rhs));
        let command = ["compare", &module, "--json", "--lhs", &lhs, "--rhs", &rhs];
        let ran = run(&std::env::temp_dir(), &[&command[..], options].concat());
        let report = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.stderr));
        (ran.code, report)
    }
}

#[test]
fn real_ones_agree_with_wasmtime() {
    for real in Real::all() {
        for (name, module, calls) in cases().into_iter().filter(|(name, ..)| !name.starts_with("threads")) {
            // Sizes of 64 bits are for 0.17 and later. Compiled code of 0.13 forgets stores before one that traps,
            // those of inline records as well.
            let (unknown, forgets) = (name == "memory64" && real.release < (0, 17, 0), real.release < (0, 14, 0));
            for mode in real.modes() {
                let mut options = calls.clone();
                options.extend(["--features", "+threads"].map(str::to_string));
                options.extend((forgets && name == "trap").then(|| "--hooks".to_string()));
                let (code, report, stderr) = common::compare(&module, &options, &real.engine(mode));
                if unknown && report["rhs"]["outcome"] == "rejected at validate" {
                    continue;
                }
                let label = format!("{name} {mode} {:?}", real.release);
                assert_eq!((code, &report["agree"]), (0, &true.into()), "{label}: {report:#}{stderr}");
            }
        }
    }
}

#[test]
fn real_ones_keep_a_page_limit_below_the_buffer() {
    const GROWS: &[u8] = br#"(module (memory $m (import "env" "m") 1) (memory $own (export "memory") 1)
      (func (export "f") (param i32) (result i32 i32) (memory.grow $own (local.get 0)) (memory.grow $m (local.get 0))))"#;
    let folder = folder_with(&[("t.wat", GROWS)]);
    for real in Real::all() {
        for engine in real.modes().iter().map(|mode| real.engine(mode)) {
            for limit in ["1", "5", "16", "17"] {
                let command = ["compare", "t.wat", "--invoke", "f 4", "--invoke", "f 1", "--rhs", &engine];
                let ran = run(folder.path(), &[&command[..], &["--memory-page-limit", limit]].concat());
                assert_eq!(ran.code, 0, "{engine} {limit}: {}{}", ran.stdout, ran.stderr);
            }
        }
    }
}

/// What one mode of 0.13.5 does and the other does not.
#[test]
fn modes_of_an_old_one_part() {
    let Some(real) = Real::only((0, 13, 5)) else { return };
    let bug = |module: &str, options: &[&str], lhs: &str, rhs: &str| {
        let (code, report) = real.compare(module, options, lhs, rhs);
        assert_eq!(code, 1, "{report:#}");
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
    // The bits of a NaN, and an address made of them.
    let report = bug("wasmedge-nan-bits", &["--invoke", "f32_const"], "interpreter", "aot");
    assert_eq!((&report["verdict"], &report["site"]["instruction"]), (&"nan-bits".into(), &"f32.store".into()));
    let report = bug("wasmedge-nan-bits", &["--invoke", "store_addr_from_nan"], "interpreter", "aot");
    assert_eq!((&report["verdict"], &report["site"]["instruction"]), (&"address".into(), &"i32.store8".into()));
}

/// What is so in every release.
#[test]
fn modes_of_every_real_one_part() {
    for real in Real::all() {
        let parts = |module: &str, options: &[&str], lhs: &str, rhs: &str, verdict: &str| {
            let (code, report) = real.compare(module, options, lhs, rhs);
            assert_eq!(
                (code, &report["verdict"]),
                (1, &verdict.into()),
                "{:?} {lhs} {rhs}: {report:#}",
                real.release
            );
            report
        };
        // A compiled file is not validated again: the rest agrees that the module is not valid.
        let compiled = "aot,wasm=-tail_call,compile-wasm=+tail_call";
        for mode in real.modes().iter().filter(|mode| **mode != "aot") {
            let without = format!("{mode},wasm=-tail_call");
            let report = parts("wasmedge-validation", &["--invoke", "main 5"], &without, compiled, "validation");
            assert_eq!(report["rhs"]["outcome"], "finished", "{report:#}");
            assert_eq!(report["lhs"]["outcome"], "rejected at validate", "{report:#}");
        }
        let payload = ["--invoke", "nan_payload 0x7fc00001 0xffc00002"];
        for mode in real.modes() {
            if *mode != "interpreter" {
                parts("wasmedge-nan-bits", &payload, "interpreter", mode, "nan-bits");
            }
            // The limit is that of the run.
            let limited = ["--invoke", "grow 99", "--lhs-memory-page-limit", "99"];
            let report = parts("page-limit-grow", &limited, mode, mode, "grow");
            assert_eq!(report["rhs"]["event"], "memory.grow by 99 -> 1 (now 100 pages)", "{report:#}");
        }
        if real.release >= (0, 14, 0) {
            let limit = ["--invoke", "storelow", "--invoke", "size", "--memory-page-limit", "32766"];
            for mode in real.modes() {
                let report = parts("wasmedge-page-limit", &limit, "wasmtime:jit", mode, "page-limit");
                assert_eq!(report["rhs"]["outcome"], "finished", "{report:#}");
            }
        }
    }
}

/// Exceptions are beyond its compiler, and its JIT would interpret them without a word.
#[test]
fn a_real_jit_that_would_interpret_is_found_out() {
    const THROWS: &[u8] =
        br#"(module (tag $t (param i32)) (memory (export "memory") 1) (func (export "run") (result i32)
      (block $caught (result i32)
        (try_table (catch $t $caught) (throw $t (i32.const 5)))
        (i32.const 1))))"#;
    let folder = folder_with(&[("t.wat", THROWS)]);
    let Some(real) = Real::only((0, 17, 1)) else { return };
    let (code, report, stderr) = compare(folder.path(), "run", &real.engine("interpreter"));
    assert_eq!((code, &report["agree"]), (0, &true.into()), "{report:#}{stderr}");
    let (code, report, stderr) = compare(folder.path(), "run", &real.engine("jit"));
    assert_eq!((code, &report["verdict"]), (1, &"instantiation".into()), "{report:#}{stderr}");
    assert!(report.to_string().contains("no native code"), "{report:#}");
}
