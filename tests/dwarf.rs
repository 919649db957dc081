//! Debug information of a real compiler: what symbols find in it, and a divergence that is shown with its C file and
//! line.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod common;

use common::external::{Need, external_tests};
use forkpoint_replay::Symbols;
use forkpoint_traces::{CodeOffset, FuncIndex};
use serde_json::Value;
use std::fs;
use std::process::Command;

external_tests! {
    [Need::Clang, Need::Fma] => a_divergence_is_shown_with_file_and_line;
    [Need::Clang] => source_lines_come_from_dwarf_4_and_5_with_inlined_functions,
        without_a_name_section_subprograms_name_functions, damaged_debug_information_is_survived;
}

/// The line of `x = MADD` and others must be known: no comment above, lines are counted from 1.
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

/// The line whose value depends on the engine.
const LINE: u64 = 11;

/// Up to version 14, clang encoded relaxed multiply-add with an opcode of an early draft. The final opcode has the
/// same length, so no offset moves and the debug information stays valid.
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

fn a_divergence_is_shown_with_file_and_line() {
    let folder = common::folder_with(&[("guest.c", GUEST.as_bytes())]);
    let compiled = Command::new("clang")
        .current_dir(folder.path())
        .args(["--target=wasm32-wasi", "-g", "-O1", "-msimd128", "-mrelaxed-simd", "-nostdlib", "-Wl,--no-entry"])
        .args(["guest.c", "-o", "guest.wasm"])
        .output()
        .unwrap();
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
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

const PROGRAM: &str = "\
extern int sink;
static inline __attribute__((always_inline)) void inner(int *p) {
  *p = sink;
}
__attribute__((noinline)) void outer(int *p) {
  inner(p + 1);
}
int sink;
int memory[4];
void _start(void) {
  outer(memory);
}
";

/// [`PROGRAM`], compiled by clang.
fn compiled(version: u32) -> Vec<u8> {
    let folder = common::folder_with(&[("program.c", PROGRAM.as_bytes())]);
    let compiled = Command::new("clang")
        .args(["--target=wasm32", "-nostdlib", "-O1", "-g", &format!("-gdwarf-{version}")])
        .args(["-Wl,--no-gc-sections", "program.c", "-o", "program.wasm"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    fs::read(folder.path().join("program.wasm")).unwrap()
}

fn store_in(symbols: &Symbols, func: FuncIndex) -> CodeOffset {
    let lines = symbols.wat(func).expect("defined").lines;
    let store = lines.iter().find(|line| line.text.trim().starts_with("i32.store"));
    store.and_then(|line| line.offset).expect("a store")
}

fn source_lines_come_from_dwarf_4_and_5_with_inlined_functions() {
    for version in [4, 5] {
        let module = compiled(version);
        let symbols = Symbols::new(module);
        assert!(symbols.has_debug_info());
        let outer = (0..symbols.functions()).map(FuncIndex).find(|&func| symbols.function_name(func) == "outer");
        let frames = symbols.source(store_in(&symbols, outer.expect("outer is named")));
        assert_eq!(frames.len(), 2, "{frames:?}");
        assert_eq!(frames[0].function.as_deref(), Some("inner"));
        assert_eq!((frames[0].line, frames[0].column), (Some(3), Some(6)));
        assert_eq!(frames[1].function.as_deref(), Some("outer"));
        assert_eq!(frames[1].line, Some(6));
        assert!(frames.iter().all(|f| f.file.as_deref().is_some_and(|file| file.ends_with("program.c"))));
    }
}

fn without_a_name_section_subprograms_name_functions() {
    for version in [4, 5] {
        let mut module = compiled(version);
        let name = module.windows(5).rposition(|w| w == b"\x04name").expect("clang writes a name section");
        module[name + 1..name + 5].copy_from_slice(b"none");
        let symbols = Symbols::new(module);
        let names: Vec<String> = (0..symbols.functions()).map(|i| symbols.function_name(FuncIndex(i))).collect();
        assert!(names.iter().any(|name| name == "outer"), "{names:?}");
    }
}

fn damaged_debug_information_is_survived() {
    for version in [4, 5] {
        let module = compiled(version);
        let start = module.windows(10).position(|w| w == b".debug_inf").map_or(0, |at| at - 20);
        let mut random = 7u64;
        for _ in 0..3_000 {
            let mut damaged = module.clone();
            for _ in 0..4 {
                random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                let at = start + (random >> 33) as usize % (damaged.len() - start);
                damaged[at] = (random >> 20) as u8;
            }
            interrogate(Symbols::new(damaged), &module);
        }
    }
}

/// Queries everything that debug information answers.
fn interrogate(symbols: Symbols, module: &[u8]) {
    for func in (0..symbols.functions().min(20)).map(FuncIndex) {
        assert!(!symbols.function_name(func).is_empty());
    }
    for offset in (0..module.len() as u32).take(400) {
        let _ = symbols.source(CodeOffset(offset));
    }
}
