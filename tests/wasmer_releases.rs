//! Real releases of Wasmer, with their own host. No registry has them ready-made: they are looked for as
//! `libwasmer-3.1.1.so` and so on in the folder FORKPOINT_LIBS or in target/engines/libs. Each test runs once for
//! each.

mod common;

use common::external::{CC, Need, Tests, libraries};
use common::{Ran, folder_with, run};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, ExitCode};

/// Releases that the tests were written with; others that are present are tested as well.
const KNOWN: &[&str] = &["3.1.1"];

fn main() -> ExitCode {
    let mut tests = Tests::default();
    let there = std::fs::read_dir(libraries()).into_iter().flatten();
    let there = there.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let there = there.filter_map(|name| Some(name.strip_prefix("libwasmer-")?.strip_suffix(".so")?.to_string()));
    let releases: BTreeSet<String> = KNOWN.iter().map(|release| release.to_string()).chain(there).collect();
    for release in releases {
        let file = format!("libwasmer-{release}.so");
        let library = libraries().join(&file).display().to_string();
        let real = Real { engine: format!("capi:jit,lib={library}"), library, release: release.clone() };
        let mut add = |name: &str, test: fn(&Real)| {
            let real = real.clone();
            tests.add(format!("{name}::{release}"), &[Need::library(&file), CC], move || test(&real));
        };
        add("its_own_host_is_recorded", its_own_host_is_recorded);
        add("each_exit_code_is_understood", each_exit_code_is_understood);
        add("memory_that_has_grown_is_the_guests", memory_that_has_grown_is_the_guests);
        add("what_its_host_cannot_do_is_refused", what_its_host_cannot_do_is_refused);
        add("words_that_are_not_understood_are_no_finding", words_that_are_not_understood_are_no_finding);
        add("a_function_that_it_lacks_is_its_answer", a_function_that_it_lacks_is_its_answer);
    }
    tests.run()
}

/// A real library.
#[derive(Clone)]
struct Real {
    release: String,
    library: String,
    engine: String,
}

impl Real {
    /// Records `t.wat` into `t.fpt` with the library's own host.
    fn record(&self, folder: &Path, more: &[&str]) -> Ran {
        let command = ["record", "t.wat", "-e", &self.engine, "--host", "own", "-o", "t.fpt"];
        run(folder, &[&command[..], more].concat())
    }
}

/// The library with some functions replaced, written in C.
fn altered(real: &Real, folder: &Path, functions: &str) -> Real {
    let (source, library) = (folder.join("altered.c"), folder.join("libaltered.so"));
    std::fs::write(&source, functions).expect("a file");
    let mut compile = Command::new("cc");
    compile.args(["-shared", "-fPIC", "-Wl,--no-as-needed", "-o"]).arg(&library).arg(&source).arg(&real.library);
    let folder_of_real = Path::new(&real.library).parent().expect("a folder");
    compile.arg(format!("-Wl,-rpath,{}", folder_of_real.display()));
    assert!(compile.status().expect("a C compiler").success(), "the altered library does not compile");
    Real { engine: format!("capi:jit,lib={}", library.display()), ..real.clone() }
}

/// Whether the recording replays under engines with another host or none.
fn replays(folder: &Path) {
    for engine in ["wasmtime:jit", "wasmi"] {
        let replayed = run(folder, &["replay", "t.fpt", "-e", engine]);
        assert_eq!(replayed.code, 0, "{engine}: {replayed:?}");
    }
}

/// Arguments, environment, a directory, input and output.
fn its_own_host_is_recorded(real: &Real) {
    let module = br#"(module
      (import "wasi_snapshot_preview1" "args_get" (func $args (param i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "environ_get" (func $environ (param i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "fd_prestat_dir_name" (func $name (param i32 i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "fd_readdir" (func $list (param i32 i32 i32 i64 i32) (result i32)))
      (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
      (memory (export "memory") 1)
      (data (i32.const 900) "no newline") (data (i32.const 800) "\84\03\00\00\0a\00\00\00\00\04\00\00\00\02\00\00")
      (func (export "_start")
        (i32.store (i32.const 0) (call $args (i32.const 16) (i32.const 64)))
        (i32.store (i32.const 4) (call $environ (i32.const 32) (i32.const 192)))
        (i32.store (i32.const 8) (call $name (i32.const 4) (i32.const 256) (i32.const 1)))
        (i32.store (i32.const 12) (call $list (i32.const 4) (i32.const 1024) (i32.const 512) (i64.const 0) (i32.const 24)))
        (i32.store (i32.const 12) (call $write (i32.const 1) (i32.const 800) (i32.const 2) (i32.const 816)))))"#;
    let folder = folder_with(&[("t.wat", &module[..])]);
    std::fs::create_dir(folder.path().join("d")).expect("a folder");
    std::fs::write(folder.path().join("d/a-file"), "").expect("a file");
    // Its host has its own directory before those that it is given.
    let ran = real.record(folder.path(), &["--dir", "d", "--env", "NAME=value", "--", "argument"]);
    assert!(ran.code == 0 && ran.stderr.contains("finished"), "{ran:?}");
    assert!(ran.stdout.contains("no newline") && ran.stdout.contains("a-file"), "{ran:?}");
    let dump = run(folder.path(), &["dump", "t.fpt"]).stdout;
    for said in [
        "host write [0x00000040; 15] <- 74 2e 77 61 74 00 61 72 67 75 6d 65 6e 74 00",
        "host write [0x000000c0; 11] <- 4e 41 4d 45 3d 76 61 6c 75 65 00",
        "host write [0x00000100; 1] <- 64",
    ] {
        assert!(dump.contains(said), "{said}: {dump}");
    }
    assert_eq!(dump.matches("-> success").count(), 5, "{dump}");
    let info = run(folder.path(), &["info", "t.fpt"]).stdout;
    assert!(info.contains(&format!("host=WASI of Wasmer {}", real.release)), "{info}");
    replays(folder.path());
}

/// Exits with a code.
const LEAVES: &[u8] = br#"(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (func (export "leave") (param i32) (i32.store (i32.const 0) (i32.const 1)) (call $exit (local.get 0))))"#;

/// An exit is recognised by its message only, and newer releases use other messages for codes that are also error
/// numbers.
fn each_exit_code_is_understood(real: &Real) {
    let folder = folder_with(&[("t.wat", LEAVES)]);
    for code in ["0", "3", "28", "100", "255"] {
        let ran = real.record(folder.path(), &["--invoke", &format!("leave {code}")]);
        assert!(ran.code == 0 && ran.stderr.contains(&format!("exited with code {code}")), "{code}: {ran:?}");
        replays(folder.path());
    }
}

/// The host still finds memory after it has moved.
fn memory_that_has_grown_is_the_guests(real: &Real) {
    let module =
        br#"(module (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
      (memory (export "memory") 1)
      (func (export "run") (result i32)
        (drop (memory.grow (i32.const 200)))
        (i32.or (call $random (i32.const 0xc00000) (i32.const 8)) (i64.eqz (i64.load (i32.const 0xc00000))))))"#;
    let folder = folder_with(&[("t.wat", &module[..])]);
    let ran = real.record(folder.path(), &["--invoke", "run", "--json"]);
    let summary: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap_or_default();
    assert_eq!(summary["calls"][0]["results"], serde_json::json!(["0"]), "{ran:?}");
    replays(folder.path());
}

fn what_its_host_cannot_do_is_refused(real: &Real) {
    let module = |memory: &str| {
        format!(
            r#"(module (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
              {memory} (func (export "_start") (drop (call $yield))))"#
        )
    };
    let folder = folder_with(&[("t.wat", module("(memory (export \"memory\") 1)").as_bytes())]);
    let renamed = real.record(folder.path(), &["--dir", ".::/guest"]);
    assert!(renamed.code == 2 && renamed.stderr.contains("takes the first / off the name /guest"), "{renamed:?}");
    let twice = real.record(folder.path(), &["--dir", ".::a", "--dir", ".::a"]);
    assert!(twice.code == 2 && twice.stderr.contains("Wasmer's own host: "), "{twice:?}");
    std::fs::write(folder.path().join("t.wat"), module("")).expect("a file");
    let without = real.record(folder.path(), &[]);
    assert!(without.code == 2 && without.stderr.contains("needs a memory"), "{without:?}");
}

fn words_that_are_not_understood_are_no_finding(real: &Real) {
    let folder = folder_with(&[("t.wat", LEAVES)]);
    let other_words = r#"
        #include <stdlib.h>
        #include <string.h>
        struct bytes { size_t size; char *data; };
        void wasm_trap_message(const void *trap, struct bytes *out) {
            out->size = 9;
            out->data = malloc(9);
            memcpy(out->data, "good bye", 9);
        }"#;
    let ran = altered(real, folder.path(), other_words).record(folder.path(), &["--invoke", "leave 3"]);
    assert!(ran.code == 2 && ran.stderr.contains("name no exit code: good bye"), "{ran:?}");
}

fn a_function_that_it_lacks_is_its_answer(real: &Real) {
    let folder = folder_with(&[("t.wat", LEAVES)]);
    let lacks = "int wasi_get_imports(void *s, void *e, const void *m, void *imports) { return 0; }";
    let ran = altered(real, folder.path(), lacks).record(folder.path(), &["--invoke", "leave 3"]);
    assert!(ran.stderr.contains("rejected at instantiate"), "{ran:?}");
}
