//! Debug information of a real compiler: what symbols find in it, and a divergence that is shown with its C file and
//! line.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod common;

use common::external::{Need, external_tests, rustc_for_wasm, workload};
use forkpoint_replay::Symbols;
use forkpoint_traces::{CodeOffset, FuncIndex, MemoryIndex};
use serde_json::Value;
use std::fs;
use std::process::Command;
use wasmparser::{Parser, Payload};

external_tests! {
    [Need::Clang, Need::Fma] => a_divergence_is_shown_with_file_and_line;
    [Need::Clang] => source_lines_come_from_dwarf_4_and_5_with_inlined_functions,
        without_a_name_section_subprograms_name_functions, damaged_debug_information_is_survived,
        stores_are_named_by_their_variables, stores_to_locals_are_named_by_a_rerun,
        stores_by_pointers_are_named, stores_of_classes_are_named;
    [Need::RustForWasm] => stores_of_rust_are_named;
    [DWARFDUMP, Need::Workload("flite.wasm")] => lines_of_flite_are_those_that_llvm_reads;
    [DWARFDUMP, Need::Workload("resvg.wasm")] => lines_of_resvg_are_those_that_llvm_reads;
}

const DWARFDUMP: Need = Need::Program("llvm-dwarfdump", "--version");

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
    for address in (1000..1100).chain(2000..2020).chain([0, u64::MAX - 1]) {
        let _ = symbols.variable(MemoryIndex(0), &(address..address + 1));
        let _ = symbols.region_label(MemoryIndex(0), address);
    }
}

/// A guest whose stores have names: members of arrays of structures, statics of functions, unions and bit fields.
const NAMES: &str = "\
struct vec { float x, y; };
struct body { struct vec at, v; int id; union { int word; char bytes[4]; } tag; unsigned low : 4, high : 12; };
static struct { int count; struct body bodies[4]; } world;
static int grid[3][5];
int *last;
__attribute__((noinline)) static void step(int n) {
  static int calls;
  calls += n;
  world.bodies[3].v.x = 0.25f * n;
  world.bodies[n & 3].tag.bytes[2] = n;
  world.bodies[1].high = n;
  grid[2][n & 3] = n;
  last = &grid[1][0];
}
__attribute__((export_name(\"run\"))) int run(int n) {
  step(n);
  step(*last + n + world.count);
  return world.bodies[1].high + grid[2][1];
}
";

fn stores_are_named_by_their_variables() {
    for version in [4, 5] {
        let folder = common::folder_with(&[("names.c", NAMES.as_bytes())]);
        let compiled = Command::new("clang")
            .current_dir(folder.path())
            .args(["--target=wasm32", "-nostdlib", "-O1", "-g", &format!("-gdwarf-{version}"), "-Wl,--no-entry"])
            .args(["-Wl,--export=__data_end", "names.c", "-o", "names.wasm"])
            .output()
            .unwrap();
        assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
        let record = ["record", "names.wasm", "--invoke", "run 1", "-o", "names.fpt"];
        let ran = common::run(folder.path(), &record);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let dump = common::run(folder.path(), &["dump", "names.fpt", "--kind", "store"]);
        for name in [
            "world.bodies[3].v.x",
            "world.bodies[1].tag.bytes[2]",
            "world.bodies[1].{low,high}",
            "grid[2][1]",
            "step::calls",
            " last ",
        ] {
            assert!(dump.stdout.contains(name), "DWARF {version}: {name} in\n{}", dump.stdout);
        }
        let dump = common::run(folder.path(), &["dump", "names.fpt", "--kind", "store", "--json"]);
        let lines: Vec<Value> = dump.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let float = lines.iter().find(|line| line["variable"]["path"] == "world.bodies[3].v.x").unwrap();
        assert_eq!(float["variable"]["type"], "float");
        assert_eq!((&float["variable"]["size"], &float["variable"]["offset"]), (&4.into(), &0.into()));
        assert_eq!(float["variable"]["address"], float["address"]);
        named_at_addresses(&fs::read(folder.path().join("names.wasm")).unwrap());
    }
}

/// What is known of addresses that no event writes.
fn named_at_addresses(module: &[u8]) {
    let symbols = Symbols::new(module);
    let (memory, grid) = symbols.variable_named("grid").unwrap();
    assert_eq!(grid.end - grid.start, 60);
    let name = |bytes: std::ops::Range<u64>| symbols.variable(memory, &bytes).map(|variable| variable.to_string());
    assert_eq!(name(grid.start + 20..grid.start + 24).as_deref(), Some("grid[1][0]"));
    assert_eq!(name(grid.start + 21..grid.start + 22).as_deref(), Some("grid[1][0]+0x1"));
    assert_eq!(name(grid.start..grid.start + 60).as_deref(), Some("grid"));
    assert_eq!(name(grid.start..grid.start + 61), None, "more than the variable");
    assert_eq!(name(1..2), None);
    let whole = symbols.variable(memory, &grid).unwrap();
    assert_eq!(whole.ty.as_deref(), Some("int[3][5]"));
    let (_, last) = symbols.variable_named("last").unwrap();
    assert_eq!(symbols.variable(memory, &last).unwrap().ty.as_deref(), Some("int *"));
    // Everything here begins as zeros, and the stack lies behind it.
    assert_eq!(symbols.region(memory, grid.start), Some(forkpoint_replay::Region::Zeroed));
    assert_eq!(symbols.region_label(memory, 66_000).as_deref(), Some("stack"));
    assert_eq!(symbols.region_label(memory, 0x20000).as_deref(), Some("heap"));
}

/// What [`LOCALS`] stores, and what these stores are called.
const LOCALS: &str = "\
struct pair { short low, high; };
__attribute__((noinline)) int add(int *out, int a, int b) { int sum = a + b; out[1] = sum; return sum; }
__attribute__((export_name(\"run\"))) int run(int n) {
  volatile int total = 0;
  int parts[4] = {0};
  struct pair both = {1, 2};
  for (int i = 0; i < n; i++) {
    int twice = i * 2;
    total += add(parts, i, twice);
    both.high = 7;
  }
  return total + parts[1] + both.high;
}
";

/// Without optimization everything is on the stack in memory; the frame base of each activation comes from the rerun.
fn stores_to_locals_are_named_by_a_rerun() {
    for (optimization, expected) in [
        (
            "-O0",
            &[
                "add: sum: int",
                "add: a: int",
                "run: total: volatile int",
                "run: parts[1]: int",
                "run: both.high: short",
                "run: i: int",
                "run: twice: int",
            ][..],
        ),
        ("-O1", &["run: total: volatile int", "run: parts[1]: int"][..]),
    ] {
        let folder = common::folder_with(&[("locals.c", LOCALS.as_bytes())]);
        let compiled = Command::new("clang")
            .current_dir(folder.path())
            .args([
                "--target=wasm32",
                "-nostdlib",
                optimization,
                "-g",
                "-Wl,--no-entry",
                "-o",
                "locals.wasm",
                "locals.c",
            ])
            .output()
            .unwrap();
        assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
        let arguments = ["record", "locals.wasm", "--invoke", "run 3", "-o", "t.fpt"];
        assert_eq!(common::run(folder.path(), &arguments).code, 0);
        let events = common::run(folder.path(), &["dump", "t.fpt", "--kind", "store", "--json"]).stdout;
        let mut named = std::collections::BTreeSet::new();
        for line in events.lines() {
            let event: Value = serde_json::from_str(line).unwrap();
            let at = event["position"].to_string();
            let ran = common::run(folder.path(), &["calls", "t.fpt", "--at", &at, "--json"]);
            let report: Value = serde_json::from_str(&ran.stdout).unwrap();
            let stack = &report["lhs"]["stack"];
            named.extend(stack["variable"].as_str().map(str::to_string));
            let outermost = stack["frames"].as_array().unwrap().last().unwrap();
            assert_eq!(outermost["arguments"][0]["name"], "n", "{optimization}: {}", ran.stdout);
        }
        for name in expected {
            assert!(named.contains(*name), "{optimization}: {name} in {named:?}");
        }
    }
}

/// Stores whose addresses come from pointers, and what they are called, with their types.
const POINTERS: &str = r#"
struct point { float x, y; };
struct node { int value; struct node *next; struct point at[2]; };
struct node *head;
__attribute__((noinline)) static void move(struct point *p, float by) { p->y = by; }
__attribute__((noinline)) static void fill(int *out, short *const *rows, int n) {
  out[2] = n;
  rows[1][3] = n;
  *out = n + 1;
}
__attribute__((noinline)) static void update(struct node *node, int n) {
  node->value = n;
  node->at[1].x = n * 0.5f;
  if (node->next) node->next->value = n + 1;
  move(&node->at[0], n);
}
__attribute__((export_name("run"))) int run(int n) {
  struct { int low; int parts[4]; } volatile local = {0};
  short row[4], *rows[2] = {row, row};
  int out[3];
  head = (struct node *)0x18000;
  head->next = (struct node *)0x18100;
  head->next->at[0].x = 1.0f;
  local.parts[3] = n;
  update(head, n);
  update(head->next, n);
  fill(out, rows, n);
  return out[2] + out[0] + row[3] + local.parts[3];
}
"#;

/// The names of all stores of a run, with their types.
fn named_stores(folder: &std::path::Path, module: &str) -> std::collections::BTreeSet<String> {
    let ran = common::run(folder, &["record", module, "--invoke", "run 3", "-o", "t.fpt"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let dump = common::run(folder, &["dump", "t.fpt", "--json"]).stdout;
    let name = |line: &str| {
        let event: Value = serde_json::from_str(line).unwrap();
        let variable = &event["variable"];
        // All of it, and not some of its bytes.
        let whole = (variable["address"] == event["address"] && variable["size"] == event["width"]).then_some("");
        let part = whole.unwrap_or(" in part");
        Some(format!("{}: {}{part}", variable["path"].as_str()?, variable["type"].as_str().unwrap_or("?")))
    };
    dump.lines().filter_map(name).collect()
}

fn expect_names(names: &std::collections::BTreeSet<String>, expected: &[&str], how: &str) {
    for name in expected {
        assert!(names.contains(*name), "{how}: {name} in {names:#?}");
    }
}

/// Compiles a guest without a library.
fn compile(compiler: &str, source: &str, text: &str, arguments: &[&str]) -> tempfile::TempDir {
    let folder = common::folder_with(&[(source, text.as_bytes())]);
    let compiled = Command::new(compiler)
        .current_dir(folder.path())
        .args(["--target=wasm32", "-nostdlib", "-g", "-Wl,--no-entry", source, "-o", "guest.wasm"])
        .args(arguments)
        .output()
        .unwrap();
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    folder
}

fn stores_by_pointers_are_named() {
    for version in ["-gdwarf-4", "-gdwarf-5"] {
        for optimization in ["-O0", "-O1"] {
            let folder = compile("clang", "pointers.c", POINTERS, &[version, optimization]);
            let names = named_stores(folder.path(), "guest.wasm");
            let how = format!("{version} {optimization}");
            let everywhere = [
                "head: node *",
                "node->value: int",
                "node->at[1].x: float",
                "node->next->value: int",
                "p->y: float",
                "out[2]: int",
                "rows[1][3]: short",
                "*out: int",
                "rows[1]: short *",
            ];
            expect_names(&names, &everywhere, &how);
            if optimization == "-O0" {
                let on_stack =
                    ["head->next: node *", "head->next->at[0].x: float", "local.parts[3]: int", "by: float"];
                expect_names(&names, &on_stack, &how);
            }
        }
    }
}

/// Classes with bases, references and templates.
const CLASSES: &str = r#"
namespace sim {
namespace { volatile int hidden; }
struct Nothing {};
struct Base { int id; };
struct Left { int value; };
struct Right { int value; };
class Body : public Base {
 public:
  Body(int &target) : target_(target) {}
  void update(int n);
  static int count;
 private:
  short tags_[3];
  int &target_;
};
int Body::count;
struct Both : Left, Right {};
struct Flag : Nothing { char set; };
template <class T, int N> struct Grid { T cells[N][N]; };
enum class Colour : unsigned char { Red, Green };
__attribute__((noinline)) void Body::update(int n) {
  id = n;
  tags_[2] = n;
  target_ = n + 1;
  count++;
}
int target;
Body body(target);
Both both;
Flag flag;
Grid<float, 4> grid;
Colour colour;
__attribute__((noinline)) static void paint(Grid<float, 4> &on, Flag *marks, Both &&pair) {
  on.cells[1][2] = 0.5f;
  marks->set = 1;
  pair.Right::value = 7;
}
}
extern "C" __attribute__((export_name("run"))) int run(int n) {
  using namespace sim;
  hidden = n;
  colour = Colour::Green;
  both.Left::value = n;
  both.Right::value = n + 1;
  flag.set = 2;
  body.update(n);
  int mine = 0;
  Body own(mine);
  own.update(n);
  Grid<float, 4> cells = {};
  Flag set = {};
  Both pair = {};
  paint(cells, &set, static_cast<Both &&>(pair));
  paint(grid, &flag, static_cast<Both &&>(both));
  return body.id + own.id + mine + cells.cells[1][2] + set.set + pair.Right::value;
}
"#;

fn stores_of_classes_are_named() {
    for version in ["-gdwarf-4", "-gdwarf-5"] {
        for optimization in ["-O0", "-O1"] {
            let arguments = ["-x", "c++", "-std=c++17", "-fno-exceptions", version, optimization];
            let folder = compile("clang", "classes.cpp", CLASSES, &arguments);
            let names = named_stores(folder.path(), "guest.wasm");
            let how = format!("{version} {optimization}");
            let everywhere = [
                "sim::(anonymous namespace)::hidden: volatile int",
                "sim::colour: Colour",
                "sim::both.Left::value: int",
                "sim::both.Right::value: int",
                "sim::flag.set: char",
                "sim::body.id: int",
                "sim::body.tags_[2]: short",
                "sim::target: int",
                "sim::Body::count: int",
                "sim::grid.cells[1][2]: float",
                "this->id: int",
                "this->tags_[2]: short",
                "this->target_: int",
                "on.cells[1][2]: float",
                "marks->set: char",
                "pair.Right::value: int",
            ];
            expect_names(&names, &everywhere, &how);
        }
    }
}

/// Enumerations with values, slices, generics and statics of Rust.
const RUST: &str = r#"
use std::sync::atomic::{AtomicU32, Ordering};
pub mod world {
    pub struct Body<T> { pub at: (f32, f32), pub extra: T }
    pub enum Shape { Empty, Circle { radius: f64 }, Square(u32, u16) }
    #[derive(Clone, Copy)]
    pub enum Plain { A = 1, B = 7 }
    pub struct Wrap(pub u32, pub Plain);
    pub static mut BODIES: [Body<u64>; 2] =
        [Body { at: (0.0, 0.0), extra: 0 }, Body { at: (0.0, 0.0), extra: 0 }];
    pub static mut SHAPE: Shape = Shape::Empty;
    pub static mut NAME: &str = "";
    pub static mut WRAP: Wrap = Wrap(0, Plain::A);
}
use world::*;
static COUNT: AtomicU32 = AtomicU32::new(0);
pub struct Machine { registers: [u32; 4], mode: Plain, next: Option<Box<Machine>> }
impl Machine {
    #[inline(never)]
    fn step(&mut self, n: u32) {
        self.registers[2] = n;
        self.mode = Plain::B;
        if let Some(next) = &mut self.next {
            next.registers[1] = n + 1;
        }
    }
}
#[inline(never)]
fn fill<T: Copy>(items: &mut [T; 3], slice: &mut [u16], by: T, to: &mut f64) {
    items[1] = by;
    if slice.len() > 2 {
        slice[2] = 5;
    }
    *to = 0.5;
}
#[inline(never)]
fn set(shape: &mut Shape, to: Shape) {
    *shape = to;
}
#[no_mangle]
pub extern "C" fn run(n: u32) -> u32 {
    unsafe {
        BODIES[1].at.1 = n as f32;
        BODIES[0].extra = 3;
        NAME = if n > 1 { "abc" } else { "de" };
        WRAP = Wrap(n, Plain::B);
        SHAPE = Shape::Circle { radius: n as f64 };
        set(&mut *std::ptr::addr_of_mut!(SHAPE), if n > 2 { Shape::Square(n, 4) } else { Shape::Empty });
    }
    COUNT.fetch_add(n, Ordering::SeqCst);
    let next = Some(Box::new(Machine { registers: [n; 4], mode: Plain::A, next: None }));
    let mut machine = Machine { registers: [0; 4], mode: Plain::A, next };
    machine.step(n);
    let (mut items, mut words, mut to) = ([n; 3], [0u16; 4], 0.0);
    fill(&mut items, &mut words, n, &mut to);
    machine.registers[2] + items[1] + u32::from(words[2]) + to as u32
}
"#;

fn stores_of_rust_are_named() {
    for optimization in ["0", "2"] {
        let folder = common::folder_with(&[("guest.rs", RUST.as_bytes())]);
        let compiled = Command::new(rustc_for_wasm().unwrap())
            .current_dir(folder.path())
            .args(["--edition=2021", "--target", "wasm32-unknown-unknown", "--crate-type", "cdylib", "-g"])
            .args(["-C", &format!("opt-level={optimization}"), "-C", "strip=none", "guest.rs", "-o", "guest.wasm"])
            .output()
            .unwrap();
        assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
        let names = named_stores(folder.path(), "guest.wasm");
        let how = format!("opt-level {optimization}");
        let everywhere = [
            "guest::world::BODIES[1].at.1: f32",
            "guest::world::BODIES[0].extra: u64",
            "guest::world::NAME.length: usize",
            "guest::world::WRAP.0: u32",
            "guest::world::SHAPE.Circle.radius: f64",
            "self.registers[2]: u32",
            "slice[2]: u16",
            "items[1]: u32",
            "*to: f64",
        ];
        expect_names(&names, &everywhere, &how);
    }
}

fn lines_of_flite_are_those_that_llvm_reads() {
    lines_are_those_that_llvm_reads("flite.wasm", 17_000);
}

fn lines_of_resvg_are_those_that_llvm_reads() {
    lines_are_those_that_llvm_reads("resvg.wasm", 5_000);
}

/// A row of a line table.
struct Row {
    address: u32,
    line: u32,
    file: String,
    ends: bool,
}

/// Every row of a real program's line tables, as LLVM prints them, against what symbols say of the code there.
fn lines_are_those_that_llvm_reads(name: &str, least: usize) {
    let module = fs::read(workload(name)).unwrap();
    let printed = Command::new("llvm-dwarfdump").arg("--debug-line").arg(workload(name)).output().unwrap();
    assert!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));
    let tables = rows(&String::from_utf8_lossy(&printed.stdout));
    // Addresses are counted from the beginning of the code section's contents.
    let code = Parser::new(0).parse_all(&module).find_map(|payload| match payload.unwrap() {
        Payload::CodeSectionStart { range, .. } => Some(range.start as u32),
        _ => None,
    });
    let (code, symbols) = (code.unwrap(), Symbols::new(module));
    let (mut checked, mut unlike) = (0, Vec::new());
    for pair in tables.windows(2) {
        let [row, next] = pair else { continue };
        if row.ends || row.line == 0 || next.address == row.address {
            continue;
        }
        let frames = symbols.source(CodeOffset(code + row.address));
        // A row of no function that is there: the linker has left it out.
        let Some(frame) = frames.first() else { continue };
        checked += 1;
        let same_file = frame.file.as_deref().is_some_and(|file| file.ends_with(&row.file));
        if frame.line != Some(row.line) || !same_file {
            unlike.push(format!(
                "{:#x}: {:?}:{:?}, and LLVM reads {}:{}",
                row.address, frame.file, frame.line, row.file, row.line
            ));
        }
    }
    assert!(checked >= least, "only {checked} rows of {} are of a function", tables.len());
    assert!(unlike.is_empty(), "{} of {checked} rows: {}", unlike.len(), unlike[..unlike.len().min(10)].join("\n"));
}

/// The rows in what llvm-dwarfdump prints.
fn rows(printed: &str) -> Vec<Row> {
    let (mut rows, mut files, mut number) = (Vec::new(), std::collections::HashMap::new(), 0);
    for line in printed.lines() {
        if line.starts_with("debug_line[") {
            files.clear();
        } else if let Some(rest) = line.strip_prefix("file_names[") {
            number = rest.split(']').next().and_then(|number| number.trim().parse::<u32>().ok()).unwrap();
        } else if let Some(name) = line.trim_start().strip_prefix("name: ") {
            files.insert(number, name.trim_matches('"').to_string());
        } else if line.starts_with("0x") {
            let words: Vec<&str> = line.split_whitespace().collect();
            let address = u32::from_str_radix(words[0].trim_start_matches("0x"), 16).unwrap();
            let (line, file) = (words[1].parse().unwrap(), words[3].parse::<u32>().unwrap());
            let file = files.get(&file).cloned().unwrap_or_default();
            rows.push(Row { address, line, file, ends: words.contains(&"end_sequence") });
        }
    }
    rows
}
