//! What programs that live in JavaScript share with their module besides functions and memories: globals, tables, tags,
//! references.

mod common;

use common::apps::{BYTES, app, changed_logs, dump, engine, plain, record, replays, replays_under};
use common::external::{Need, external_tests};
use common::run;

external_tests! {
    [Need::Node] => globals_and_tables_that_javascript_brings_along_are_there_in_a_replay,
        exceptions_of_an_imported_tag_reach_javascript,
        values_of_javascripts_own_go_through_the_module,
        functions_of_javascripts_own_are_called_through_tables,
        a_changed_log_of_references_is_an_error_or_a_divergence,
        a_recording_that_does_not_say_what_it_was_given_is_refused;
}

/// A module as dynamic linking makes it: where its data and functions lie is JavaScript's choice.
const LINKED: &str = r#"(module
  (import "env" "__memory_base" (global $base i32))
  (import "env" "seen" (func $seen (param i64)))
  (import "env" "__table_base" (global $first i32))
  (import "env" "__stack_pointer" (global $sp (mut i32)))
  (import "GOT" "big" (global $big (mut i64)))
  (import "env" "memory" (memory 1))
  (import "env" "table" (table $t 2 funcref))
  (import "env" "pi" (global $pi f64))
  (type $ii (func (param i32) (result i32)))
  (global $copy i32 (global.get $base))
  (data (global.get $base) "dynamic")
  (elem (global.get $first) func $twice $thrice)
  (func $twice (type $ii) (i32.store (global.get $copy) (local.get 0)) (i32.mul (local.get 0) (i32.const 2)))
  (func $thrice (export "thrice") (type $ii) (i32.mul (local.get 0) (i32.const 3)))
  (func (export "push") (param i32) (result i32)
    (global.set $sp (i32.sub (global.get $sp) (i32.const 16)))
    (i32.store (global.get $sp) (local.get 0))
    (call $seen (global.get $big))
    (i64.store offset=8 (global.get $sp) (global.get $big))
    (global.get $sp))
  (func (export "at") (param i32 i32) (result i32) (call_indirect $t (type $ii) (local.get 1) (local.get 0)))
  (func (export "area") (param f64) (result f64)
    (f64.store offset=40 (global.get $base) (global.get $pi)) (f64.mul (global.get $pi) (local.get 0))))"#;

const LINKING: &str = r#"
  const memory = new WebAssembly.Memory({ initial: 2 });
  new Uint8Array(memory.buffer).fill(5, 100, 110);
  const table = new WebAssembly.Table({ initial: 6, element: "anyfunc" });
  const sp = new WebAssembly.Global({ value: "i32", mutable: true }, 4096);
  const big = new WebAssembly.Global({ value: "i64", mutable: true }, -7n);
  const seen = (value) => { big.value = value * 2n; };
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), {
    env: { memory, table, seen, __memory_base: 1024, __table_base: new WebAssembly.Global({ value: "i32" }, 3), __stack_pointer: sp, pi: 3.5 },
    GOT: { big },
  });
  console.log(table.get(3)(21), table.get(4) === exports.thrice, table.length);
  sp.value -= 64;
  console.log(exports.push(9), sp.value, big.value, exports.area(2));
  console.log(table.grow(2), exports.at(4, 5));
  table.set(7, exports.thrice);
  console.log(exports.at(7, 6), Buffer.from(memory.buffer, 1024, 8).toString("latin1"));
"#;

fn globals_and_tables_that_javascript_brings_along_are_there_in_a_replay() {
    let folder = app(LINKED, &format!("{BYTES}\n{LINKING}"));
    let recorded = record(&folder, &[], &[]);
    assert_eq!(recorded.code, 0, "{recorded:?}");
    assert_eq!(recorded.stdout, plain(folder.path(), &[]), "{recorded:?}");
    let dumped = dump(folder.path());
    for step in [
        "host sets global base <- 1024",
        "host sets global pi <- 3.5",
        "host grows table t by 4 -> 6 elements",
        "host sets global sp <- 4032",
        "host sets global big <- -14",
        "host sets table t[7] <- thrice",
    ] {
        assert!(dumped.contains(step), "no {step:?} in\n{dumped}");
    }
    replays(folder.path());
    let engines = format!("wasmi;{}", engine("node"));
    let compared = run(folder.path(), &["compare", "--recording", "app.fpt", "--engines", &engines]);
    assert_eq!(compared.code, 0, "{compared:?}");
}

/// wasmi has no exceptions.
fn exceptions_of_an_imported_tag_reach_javascript() {
    let folder = app(
        r#"(module (import "env" "tag" (tag $tag (param i32))) (memory 1) (tag $own)
          (func (export "f") (param i32) (i32.store (i32.const 8) (local.get 0)) (throw $tag (local.get 0))))"#,
        &format!(
            r#"{BYTES}
            const tag = new WebAssembly.Tag({{ parameters: ["i32"] }});
            const {{ exports }} = new WebAssembly.Instance(new WebAssembly.Module(bytes), {{ env: {{ tag }} }});
            try {{ exports.f(5); }} catch (thrown) {{ console.log(thrown.getArg(tag, 0)); }}"#
        ),
    );
    let recorded = record(&folder, &[], &[]);
    assert_eq!((recorded.code, recorded.stdout.as_str()), (0, "5\n"), "{recorded:?}");
    replays_under(folder.path(), &["wasmtime:jit", "node"]);
}

fn a_recording_that_does_not_say_what_it_was_given_is_refused() {}

/// A module that keeps and passes on what it cannot look into.
const KEEPER: &str = r#"(module
  (import "env" "show" (func $show (param externref i32) (result externref)))
  (memory 1)
  (table $refs (export "refs") 2 20 externref)
  (table $own 4 externref)
  (func (export "keep") (param i32 externref)
    (table.set $own (local.get 0) (local.get 1))
    (i32.store (i32.const 8) (ref.is_null (local.get 1))))
  (func (export "kept") (param i32) (result externref) (table.get $own (local.get 0)))
  (func (export "pass") (param i32) (result externref)
    (i32.store (i32.const 12) (ref.is_null (table.get $refs (local.get 0))))
    (call $show (table.get $refs (local.get 0)) (local.get 0)))
  (func (export "both") (param externref) (result externref i32)
    (i32.store (i32.const 16) (i32.const 3)) (local.get 0) (i32.const 7)))"#;

const KEEPING: &str = r#"
  const thing = { name: "thing" };
  // Called like an index of a function.
  const named = { 1: () => 5 }[1];
  const show = (value, number) => { console.log(number, typeof value); return number === 3 ? exports.kept(1) : value; };
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { show } });
  for (const [place, value] of [thing, null, undefined, "text"].entries()) exports.keep(place, value);
  console.log(exports.kept(0) === thing, exports.kept(1), exports.kept(2), exports.kept(3));
  exports.refs.set(0, thing);
  exports.refs.set(1, named);
  console.log(exports.refs.grow(2, Symbol.iterator), exports.refs.grow(1));
  exports.refs.set(3);
  console.log(exports.pass(0) === thing, exports.pass(1) === named, exports.pass(2), exports.pass(3), exports.refs.get(1) === named);
  console.log(exports.both(thing)[0] === thing, exports.both(7n));
"#;

fn values_of_javascripts_own_go_through_the_module() {
    let folder = app(KEEPER, &format!("{BYTES}\n{KEEPING}"));
    let recorded = record(&folder, &[], &[]);
    assert_eq!(recorded.code, 0, "{recorded:?}");
    assert_eq!(recorded.stdout, plain(folder.path(), &[]), "{recorded:?}");
    let dumped = dump(folder.path());
    for step in [
        "host calls keep(0, extern 0)",
        "host calls keep(1, null)",
        "host calls keep(2, extern 1)",
        "kept -> extern 0 to the host",
        "host sets table refs[0] <- extern 0",
        "host grows table refs by 2 -> 4 elements",
        "env.show(extern 0, 0)",
        "env.show -> null",
        "both -> extern 0, 7 to the host",
    ] {
        assert!(dumped.contains(step), "no {step:?} in\n{dumped}");
    }
    // Winch has no externref.
    replays_under(folder.path(), &["wasmtime:jit", "wasmi", "node"]);
    let engines = format!("wasmi;{}", engine("node"));
    let compared = run(folder.path(), &["compare", "--recording", "app.fpt", "--engines", &engines]);
    assert_eq!(compared.code, 0, "{compared:?}");
}

fn a_changed_log_of_references_is_an_error_or_a_divergence() {
    let folder = app(KEEPER, &format!("{BYTES}\n{KEEPING}"));
    assert_eq!(record(&folder, &[], &[]).code, 0);
    let refused = changed_logs(folder.path());
    assert!(refused > 10, "{refused}");
}

/// A module that calls whatever is in its table.
const CALLER: &str = r#"(module
  (type $t (func (param i32 f64) (result i64)))
  (import "env" "table" (table $t 4 funcref))
  (memory 1)
  (elem (i32.const 1) $own)
  (func $own (export "own") (type $t)
    (i32.store (i32.const 8) (local.get 0)) (i64.extend_i32_s (local.get 0)))
  (func (export "at") (param i32 i32) (result i64)
    (i32.store (i32.const 12) (local.get 0))
    (call_indirect $t (type $t) (local.get 1) (f64.const 1.5) (local.get 0))))"#;

const CALLING: &str = r#"
  // As emscripten's addFunction makes functions for tables: a module that imports a function and exports it.
  const made = (called) => {
    const module = new WebAssembly.Module(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 7, 1, 96, 2, 127, 124, 1, 126, 2, 7, 1, 1, 101, 1, 102, 0, 0, 7, 5, 1, 1, 102, 0, 0]));
    return new WebAssembly.Instance(module, { e: { f: called } }).exports.f;
  };
  const table = new WebAssembly.Table({ initial: 5, element: "anyfunc" });
  const early = made((a, b) => BigInt(Math.round(a * b * 100)));
  table.set(0, early);
  table.set(4, early);
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { table } });
  console.log(exports.at(0, 3), exports.at(1, 4), exports.at(4, 5), table.get(0) === early, table.get(1) === exports.own);
  // One that calls back, and one that throws.
  const back = made((a) => (a > 0 ? exports.at(2, a - 1) + exports.own(a, 0) : 100n));
  try { table.set(2, () => 1n); } catch (error) { console.log(error instanceof TypeError); }
  table.set(2, back);
  table.set(3, made(() => { throw new Error("no"); }));
  console.log(exports.at(2, 4), table.grow(1, back), exports.at(5, 1), table.get(2) === back, early(2, 3));
  try { exports.at(3, 1); } catch (error) { console.log(error.message); }
  table.set(2, exports.own);
  console.log(exports.at(2, 9));
"#;

fn functions_of_javascripts_own_are_called_through_tables() {
    let folder = app(CALLER, &format!("{BYTES}\n{CALLING}"));
    let recorded = record(&folder, &["--module-of", "at"], &[]);
    assert_eq!(recorded.code, 0, "{recorded:?}");
    assert_eq!(recorded.stdout, plain(folder.path(), &[]), "{recorded:?}");
    let dumped = dump(folder.path());
    for step in [
        "host sets table t[0] <- its function 0 (i32 f64) -> (i64)",
        "javascript.0(3, 1.5)",
        "host sets table t[2] <- its function 1 (i32 f64) -> (i64)",
        "javascript.2 traps: no",
        "host sets table t[2] <- own",
    ] {
        assert!(dumped.contains(step), "no {step:?} in\n{dumped}");
    }
    replays(folder.path());
    let engines = format!("wasmi;{}", engine("node"));
    let compared = run(folder.path(), &["compare", "--recording", "app.fpt", "--engines", &engines]);
    assert_eq!(compared.code, 0, "{compared:?}");
    let refused = changed_logs(folder.path());
    assert!(refused > 10, "{refused}");
}
