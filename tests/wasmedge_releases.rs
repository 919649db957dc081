//! Real releases of WasmEdge. No registry has them: they are looked for as `libwasmedge-0.13.5.so` and so on in the
//! folder FORKPOINT_LIBS or in target/engines/libs. Each test runs once for each release it is about.

mod common;

use common::external::{Need, Tests, libraries};
use common::{cases, folder_with, repository_text, run};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;

/// Releases that the tests were written with; others that are present are tested as well.
const KNOWN: &[(u32, u32, u32)] = &[(0, 13, 5), (0, 14, 1), (0, 17, 1)];

fn main() -> ExitCode {
    let mut tests = Tests::default();
    let mut releases: BTreeSet<(u32, u32, u32)> = KNOWN.iter().copied().collect();
    releases.extend(there());
    for release in releases {
        let real = Real::of(release);
        let mut add = |name: &str, test: fn(&Real)| {
            let (name, real) = (format!("{name}::{}", real.number()), real.clone());
            tests.add(name, &[Need::Library(real.file())], move || test(&real));
        };
        add("agrees_with_wasmtime", agrees_with_wasmtime);
        add("keeps_a_page_limit_below_the_buffer", keeps_a_page_limit_below_the_buffer);
        add("modes_part", modes_part);
        add("modules_are_linked", modules_are_linked);
        add("its_own_host_is_recorded", its_own_host_is_recorded);
        if release == (0, 13, 5) {
            add("modes_of_an_old_one_part", modes_of_an_old_one_part);
        }
        if release >= (0, 17, 0) {
            add("a_jit_that_would_interpret_is_found_out", a_jit_that_would_interpret_is_found_out);
        }
    }
    tests.run()
}

/// Releases in the folder of libraries.
fn there() -> Vec<(u32, u32, u32)> {
    let entries = std::fs::read_dir(libraries()).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names
        .filter_map(|name| {
            let number = name.strip_prefix("libwasmedge-")?.strip_suffix(".so")?;
            let numbers: Vec<u32> = number.split('.').map(str::parse).collect::<Result<_, _>>().ok()?;
            let [major, minor, patch] = numbers[..] else { return None };
            Some((major, minor, patch))
        })
        .collect()
}

/// A real library.
#[derive(Clone)]
struct Real {
    release: (u32, u32, u32),
    library: String,
}

impl Real {
    fn of(release: (u32, u32, u32)) -> Real {
        let mut real = Real { release, library: String::new() };
        real.library = libraries().join(real.file()).display().to_string();
        real
    }

    fn number(&self) -> String {
        let (major, minor, patch) = self.release;
        format!("{major}.{minor}.{patch}")
    }

    fn file(&self) -> String {
        format!("libwasmedge-{}.so", self.number())
    }

    fn modes(&self) -> &'static [&'static str] {
        if self.release >= (0, 17, 0) { &["interpreter", "aot", "jit"] } else { &["interpreter", "aot"] }
    }

    /// An engine: a mode, and settings after a comma.
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

fn agrees_with_wasmtime(real: &Real) {
    for (name, module, calls) in cases().into_iter().filter(|(name, ..)| !name.starts_with("threads")) {
        // 64-bit sizes are for 0.17 and later, tail calls for 0.14. Compiled code of 0.13 loses the stores before a trap, including
        // those of inline records.
        let forgets = real.release < (0, 14, 0);
        let unknown = name == "memory64" && real.release < (0, 17, 0) || name == "calls-stack" && forgets;
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

fn keeps_a_page_limit_below_the_buffer(real: &Real) {
    const GROWS: &[u8] = br#"(module (memory $m (import "env" "m") 1) (memory $own (export "memory") 1)
      (func (export "f") (param i32) (result i32 i32) (memory.grow $own (local.get 0)) (memory.grow $m (local.get 0))))"#;
    let folder = folder_with(&[("t.wat", GROWS)]);
    for engine in real.modes().iter().map(|mode| real.engine(mode)) {
        for limit in ["1", "5", "16", "17"] {
            let command = ["compare", "t.wat", "--invoke", "f 4", "--invoke", "f 1", "--rhs", &engine];
            let ran = run(folder.path(), &[&command[..], &["--memory-page-limit", limit]].concat());
            assert_eq!(ran.code, 0, "{engine} {limit}: {}{}", ran.stdout, ran.stderr);
        }
    }
}

/// What one mode of 0.13.5 does and the other does not.
fn modes_of_an_old_one_part(real: &Real) {
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
    // The bits of a NaN, and an address computed from them.
    let report = bug("wasmedge-nan-bits", &["--invoke", "f32_const", "--nan-bits", "stop"], "interpreter", "aot");
    assert_eq!((&report["verdict"], &report["site"]["instruction"]), (&"nan-bits".into(), &"f32.store".into()));
    let report = bug("wasmedge-nan-bits", &["--invoke", "store_addr_from_nan"], "interpreter", "aot");
    assert_eq!((&report["verdict"], &report["site"]["instruction"]), (&"address".into(), &"i32.store8".into()));
}

/// True of every release.
fn modes_part(real: &Real) {
    let parts = |module: &str, options: &[&str], lhs: &str, rhs: &str, verdict: &str| {
        let (code, report) = real.compare(module, options, lhs, rhs);
        assert_eq!((code, &report["verdict"]), (1, &verdict.into()), "{:?} {lhs} {rhs}: {report:#}", real.release);
        report
    };
    // A compiled file is not validated again; all other modes reject the module.
    let compiled = "aot,wasm=-tail_call,compile-wasm=+tail_call";
    for mode in real.modes().iter().filter(|mode| **mode != "aot") {
        let without = format!("{mode},wasm=-tail_call");
        let report = parts("wasmedge-validation", &["--invoke", "main 5"], &without, compiled, "validation");
        assert_eq!(report["rhs"]["outcome"], "finished", "{report:#}");
        assert_eq!(report["lhs"]["outcome"], "rejected at validate", "{report:#}");
    }
    let payload = ["--invoke", "nan_payload 0x7fc00001 0xffc00002", "--nan-bits", "stop"];
    for mode in real.modes() {
        if *mode != "interpreter" {
            parts("wasmedge-nan-bits", &payload, "interpreter", mode, "nan-bits");
        }
        // The limit is the run's.
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

/// Scripts of linked modules, in every mode. Native code that is called through a table from another instance runs with the
/// caller's memory and imports, the recorder's hook among them.
fn modules_are_linked(real: &Real) {
    for mode in real.modes() {
        for (script, events) in [("linked", 58), ("callbacks", 62)] {
            let path = repository_text(&format!("tests/scripts/{script}.wast"));
            let engine = real.engine(mode);
            let ran = run(&std::env::temp_dir(), &["compare", &path, "--rhs", &engine, "--json"]);
            let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_default();
            let label = format!("{script} {mode} {:?}: {report:#}{}", real.release, ran.stderr);
            if script == "callbacks" && *mode != "interpreter" && real.release <= (0, 17, 1) {
                assert_eq!(ran.code, 1, "{label}");
                let failed = report["rhs"]["assertions"]["failures"][0].as_str().unwrap_or_default();
                assert_eq!(failed, "line 28: assert_return b.get(320)", "{label}");
                let plain = report["guard"]["plain_differences"].to_string();
                assert!(plain.contains("memory b.mem at 0x140: lhs 07, rhs 00"), "{label}");
                continue;
            }
            assert_eq!((ran.code, &report["agree"]), (0, &true.into()), "{label}");
            assert_eq!(
                (&report["rhs"]["events"], &report["rhs"]["assertions"]["passed"]),
                (&events.into(), &8.into()),
                "{label}"
            );
        }
    }
    // References of the host's and of no one, and the first module that imports the hook is not the first one.
    const REFERENCES: &[u8] = br#"(module (table (export "t") 2 externref) (table $f 2 funcref)
        (func (export "put") (param i32 externref) (table.set 0 (local.get 0) (local.get 1)))
        (func (export "get") (param i32) (result externref) (table.get 0 (local.get 0)))
        (func (export "function") (param funcref) (result funcref) (table.set $f (i32.const 0) (local.get 0)) (table.get $f (i32.const 0))))
      (invoke "put" (i32.const 1) (ref.extern 0))
      (assert_return (invoke "get" (i32.const 1)) (ref.extern 0))
      (assert_return (invoke "get" (i32.const 0)) (ref.null extern))
      (invoke "put" (i32.const 1) (ref.null extern))
      (assert_return (invoke "get" (i32.const 1)) (ref.null extern))
      (assert_return (invoke "function" (ref.null func)) (ref.null func))
      (module (memory 1) (func $g (export "g") (result funcref) (i32.store (i32.const 0) (i32.const 1)) (ref.func $g)))
      (assert_return (invoke "g") (ref.func))"#;
    let folder = folder_with(&[("s.wast", REFERENCES)]);
    for mode in real.modes() {
        let ran = run(folder.path(), &["compare", "s.wast", "--rhs", &real.engine(mode), "--json"]);
        let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_default();
        assert_eq!(
            (ran.code, &report["rhs"]["assertions"]["failed"]),
            (0, &0.into()),
            "{mode}: {report:#}{}",
            ran.stderr
        );
    }
}

/// Its compiler does not support exceptions, and its JIT would silently interpret them.
fn a_jit_that_would_interpret_is_found_out(real: &Real) {
    const THROWS: &[u8] =
        br#"(module (tag $t (param i32)) (memory (export "memory") 1) (func (export "run") (result i32)
      (block $caught (result i32)
        (try_table (catch $t $caught) (throw $t (i32.const 5)))
        (i32.const 1))))"#;
    let folder = folder_with(&[("t.wat", THROWS)]);
    let (code, report, stderr) = throws(folder.path(), &real.engine("interpreter"));
    assert_eq!((code, &report["agree"]), (0, &true.into()), "{report:#}{stderr}");
    let (code, report, stderr) = throws(folder.path(), &real.engine("jit"));
    assert_eq!((code, &report["verdict"]), (1, &"instantiation".into()), "{report:#}{stderr}");
    assert!(report.to_string().contains("no native code"), "{report:#}");
}

fn throws(folder: &Path, engine: &str) -> (i32, Value, String) {
    let ran = run(folder, &["compare", "t.wat", "--invoke", "run", "--rhs", engine, "--json"]);
    (ran.code, serde_json::from_str(&ran.stdout).unwrap_or_default(), ran.stderr)
}

/// Directories, arguments and exits with the library's own WASI, in a run that replays under other engines.
fn its_own_host_is_recorded(real: &Real) {
    let exits = br#"(module
      (import "wasi_snapshot_preview1" "args_get" (func $args (param i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
      (memory (export "memory") 1)
      (func (export "_start")
        (i32.store (i32.const 0) (call $args (i32.const 16) (i32.const 64)))
        (i32.store (i32.const 4) (call $random (i32.const 128) (i32.const 8)))
        (call $exit (i32.const 7))))"#;
    let list = std::fs::read(repository_text("tests/cases/field/list-dir.wat")).expect("a module");
    let folder = folder_with(&[("exits.wat", &exits[..]), ("list.wat", &list)]);
    std::fs::create_dir(folder.path().join("d")).expect("a folder");
    std::fs::write(folder.path().join("d/a-file"), "").expect("a file");
    let engine = format!("wasmedge:interpreter,lib={}", real.library);
    for (module, end) in [("exits", "exited with code 7"), ("list", "finished")] {
        let (file, trace) = (format!("{module}.wat"), format!("{module}.fpt"));
        let command = ["record", &file, "-e", &engine, "--host", "own", "--dir", "d", "-o", &trace, "--", "argument"];
        let ran = run(folder.path(), &command);
        assert!(ran.code == 0 && ran.stderr.contains(end), "{ran:?}");
        assert!(module == "exits" || ran.stdout.contains("a-file"), "{ran:?}");
        for engine in ["wasmtime:jit", "wasmi"] {
            let replayed = run(folder.path(), &["replay", &trace, "-e", engine]);
            assert_eq!(replayed.code, 0, "{engine}: {replayed:?}");
        }
    }
    let dump = run(folder.path(), &["dump", "exits.fpt"]).stdout;
    assert!(dump.contains("host write [0x00000040; 19] <- 65 78 69 74 73 2e 77 61 74 00 61 72 67"), "{dump}");
    assert!(dump.contains("args_get -> success") && dump.contains("host write [0x00000080; 8]"), "{dump}");
}
