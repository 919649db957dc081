//! Debug information of a real compiler: the divergence is shown with the C file and line.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod common;

use serde_json::Value;
use std::fs;
use std::process::Command;

/// The line of `x = MADD` and so on must be known: no comment above, lines are counted from 1.
const GUEST: &str = "\
typedef float v4 __attribute__((vector_size(16)));
static volatile v4 x = {1.0f, 1.1f, 1.2f, 1.3f};
static volatile v4 v = {0.0f, 0.1f, 0.2f, 0.3f};
static const v4 dt = {0.01f, 0.01f, 0.01f, 0.01f};
#if __clang_major__ < 15
#define MADD __builtin_wasm_fma_f32x4
#else
#define MADD __builtin_wasm_relaxed_madd_f32x4
#endif
__attribute__((noinline)) static void step(void) {
  v = MADD(-x, dt, v);
  x = x + v * dt;
}
__attribute__((export_name(\"run\"))) void run(int n) {
  for (int i = 0; i < n; i++) step();
}
";

/// Line of the guest whose value depends on the engine.
const LINE: u64 = 11;

/// Up to version 14 clang wrote relaxed multiply-add with the number of an early draft. The final number has the
/// same length, so that no offset moves and the debug information stays right.
fn with_final_opcodes(mut module: Vec<u8>) -> Vec<u8> {
    const DRAFT: [u8; 3] = [0xfd, 0xaf, 0x01];
    const FINAL: [u8; 3] = [0xfd, 0x85, 0x02];
    for at in 0..module.len().saturating_sub(3) {
        if module[at..at + 3] == DRAFT {
            module[at..at + 3].copy_from_slice(&FINAL);
        }
    }
    module
}

#[test]
fn a_divergence_is_shown_with_file_and_line() {
    if !common::has_program("clang", "--version") || !common::has_program("wasm-ld", "--version") {
        println!("skip: no clang or wasm-ld to compile the guest");
        return;
    }
    if !common::host_has_fma() {
        println!("skip: this host has no FMA, so both sides round twice");
        return;
    }
    let folder = common::folder_with(&[("guest.c", GUEST.as_bytes())]);
    let compiled = Command::new("clang")
        .current_dir(folder.path())
        .args(["--target=wasm32-wasi", "-g", "-O1", "-msimd128", "-mrelaxed-simd", "-nostdlib", "-Wl,--no-entry"])
        .args(["guest.c", "-o", "guest.wasm"])
        .output()
        .unwrap();
    if !compiled.status.success() {
        println!("skip: this clang does not compile for wasm32: {}", String::from_utf8_lossy(&compiled.stderr));
        return;
    }
    let module = folder.path().join("guest.wasm");
    fs::write(&module, with_final_opcodes(fs::read(&module).unwrap())).unwrap();

    let compare = ["compare", "guest.wasm", "--invoke", "run 20", "--rhs", "wasmtime:aot,target=portable"];
    let ran = common::run(folder.path(), &[&compare[..], &["--json"]].concat());
    assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(report["verdict"], "value");
    let site = &report["site"];
    assert_eq!(site["name"], "step", "{site}");
    assert!(site["file"].as_str().is_some_and(|file| file.ends_with("guest.c")), "{site}");
    assert_eq!(site["line"], LINE, "{site}");
    assert_eq!(report["last_writer"]["site"]["line"], LINE, "the step before wrote it: {report}");

    let ran = common::run(folder.path(), &compare);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stdout.contains(&format!("guest.c:{LINE})")), "{}", ran.stdout);
}
