//! Programs that live in JavaScript: recorded where they live, and run again under other engines.

mod common;

use common::apps::{BYTES, app, changed_logs, dump, engine, plain, record, replays, replays_under};
use common::external::{Need, engines, external_tests, javascript, node};
use common::{folder_with, repository, run};
use forkpoint_traces::{RawEvent, SiteId, TraceError, TraceReader};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;
use wasmparser::{Operator, Parser, Payload};

external_tests! {
    [Need::Node] => a_program_sees_nothing_and_its_recording_runs_everywhere,
        an_exit_inside_of_a_host_call_ends_the_run,
        memory_that_javascript_brings_along_is_its_writing,
        one_of_several_modules_is_recorded,
        what_cannot_be_recorded_is_refused_by_name,
        a_fault_of_an_engine_is_found_where_it_happens,
        a_fault_that_recording_alone_shows_is_an_observer_effect,
        the_left_engine_is_asked_only_if_it_runs_the_recording,
        engines_that_do_the_same_with_a_recording_are_one_group,
        one_call_is_reduced_without_javascript,
        a_changed_log_is_an_error_or_a_divergence,
        a_module_compiled_by_node_itself_is_not_the_programs,
        programs_that_end_early_are_recorded_as_far_as_they_come,
        what_the_guest_grows_is_the_guests,
        bytes_in_fresh_pages_are_found_at_each_crossing,
        deep_nesting_is_replayed,
        workers_and_other_processes_run_as_ever,
        a_program_that_signals_itself_goes_on,
        a_worker_is_recorded_up_to_its_end,
        one_of_many_workers_is_recorded;
    [Need::Node, Need::Packages] => sqlite_runs_everywhere,
        sqlite_calls_functions_of_the_program,
        a_miscompiled_constant_is_found_in_sqlite,
        quickjs_runs_everywhere,
        resvg_runs_everywhere,
        graphviz_runs_where_there_are_exceptions,
        binaryen_runs_everywhere_within_a_compiler,
        a_module_in_assemblyscript_runs_everywhere,
        a_source_map_names_files_and_lines;
    [Need::Node, Need::Npm("esbuild-wasm")] => a_program_in_go_runs_everywhere;
    [Need::Node, Need::Program("go", "version")] => a_program_that_go_compiles_here_runs_everywhere;
    [Need::Node, Need::Fetched(BUN.to_string())] => bun_runs_what_node_recorded;
    [Need::Fetched(BUN.to_string()), Need::Fetched(NEWER_BUN.to_string())] => a_program_is_recorded_in_bun;
}

/// A release of Bun that is fetched.
const BUN: &str = "bun-1.2.2/bin/bun";

/// One that can run the preload.
const NEWER_BUN: &str = "bun-1.4.5/bin/bun";

fn demo() -> TempDir {
    let read = |name: &str| fs::read_to_string(repository("tests/javascript").join(name)).expect("it is there");
    app(&read("app.wat"), &read("app.mjs"))
}

fn a_program_sees_nothing_and_its_recording_runs_everywhere() {
    let folder = demo();
    let recorded = record(&folder, &[], &[]);
    assert_eq!(recorded.code, 0, "{recorded:?}");
    assert_eq!(recorded.stdout, plain(folder.path(), &[]), "the program prints what it prints without");
    let dumped = dump(folder.path());
    for step in [
        // Through an array that was made before.
        "host write [0x000003e8; 50] <- 01 08 0f 16",
        "host grows by 2 -> 1 (now 3 pages)",
        "host write [0x00011170; 1] <- 09",
        "env.fail traps: no 2",
        "risky is left by error in a host function",
        // Caught by an import, three calls deep.
        "trap is left by unreachable",
        "host calls nest(0)",
        "host sets global counter <- 40",
        "host sets table 0[2] <- double",
        "host sets table 0[1] <- null",
        "host grows table 0 by 3 -> 7 elements",
        "host calls triple(6)",
        "call triple(6)",
        // After the last call.
        "host write [0x00000005; 1] <- 05",
    ] {
        assert!(dumped.contains(step), "no {step:?} in\n{dumped}");
    }
    replays(folder.path());
}

fn an_exit_inside_of_a_host_call_ends_the_run() {
    let folder = demo();
    let recorded = record(&folder, &[], &["stop"]);
    assert_eq!(recorded.stdout, plain(folder.path(), &["stop"]));
    assert!(recorded.stderr.contains("exited with code 3"), "{recorded:?}");
    replays(folder.path());
    let dumped = dump(folder.path());
    assert!(dumped.contains("env.fail ends the guest with code 3"), "{dumped}");
    assert_eq!(record(&folder, &["--fail-on", "exit"], &["stop"]).code, 1);
}

fn memory_that_javascript_brings_along_is_its_writing() {
    let folder = app(
        r#"(module
          (import "env" "memory" (memory 1 8))
          (import "env" "seen" (func $seen (param i32)))
          (data (i32.const 8) "data")
          (func $start (call $seen (i32.load (i32.const 100000))) (i32.store (i32.const 16) (i32.const 7)))
          (start $start)
          (func (export "f") (result i32) (i32.load (i32.const 200000))))"#,
        &format!(
            r#"{BYTES}
            const memory = new WebAssembly.Memory({{ initial: 4, maximum: 8 }});
            const words = new Uint32Array(memory.buffer);
            words[100000 / 4] = 41; words[3] = 5; words[200000 / 4] = 6;
            const seen = (value) => {{ console.log("seen", value); words[200000 / 4] += value; }};
            const {{ exports }} = new WebAssembly.Instance(new WebAssembly.Module(bytes), {{ env: {{ memory, seen }} }});
            console.log(exports.f(), words[4], Object.keys(exports).join());"#
        ),
    );
    let recorded = record(&folder, &[], &[]);
    assert_eq!(recorded.stdout, "seen 41\n47 7 f\n", "{recorded:?}");
    let dumped = dump(folder.path());
    assert!(
        dumped.contains("host grows memory env.memory by 3 -> 1 (now 4 pages)") || dumped.contains("host grows by 3"),
        "{dumped}"
    );
    assert!(!dumped.contains("stray"), "{dumped}");
    replays(folder.path());
}

fn one_of_several_modules_is_recorded() {
    let folder = app(
        r#"(module (memory 1) (func (export "second") (param i32) (i32.store (i32.const 0) (local.get 0))))"#,
        &format!(
            r#"{BYTES}
            const first = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 7, 9, 1, 5, 102, 105, 114, 115, 116, 0, 0, 10, 4, 1, 2, 0, 11]);
            const one = await WebAssembly.instantiate(first);
            one.instance.exports.first();
            const module = await WebAssembly.compile(bytes);
            for (const value of [1, 2]) (await WebAssembly.instantiate(module)).exports.second(value);"#
        ),
    );
    let first = record(&folder, &[], &[]);
    assert_eq!(first.code, 0, "{first:?}");
    assert!(first.stderr.contains("--module-of") && first.stderr.contains("which exports second"), "{first:?}");
    assert!(dump(folder.path()).contains("call first()"));
    let second = record(&folder, &["--module-of", "second"], &[]);
    assert!(second.code == 0 && second.stderr.contains("which exports first"), "{second:?}");
    assert!(second.stderr.contains("this module 1 more time(s)"), "{second:?}");
    let dumped = dump(folder.path());
    assert!(
        dumped.contains("call second(1)") && !dumped.contains("call second(2)"),
        "only the first instance: {dumped}"
    );
    replays(folder.path());
    let hash = blake3::hash(&fs::read(folder.path().join("app.wasm")).expect("a module")).to_hex();
    assert_eq!(record(&folder, &["--module-of", &hash[..8]], &[]).code, 0);
    assert_eq!(dump(folder.path()), dumped);
    let none = record(&folder, &["--module-of", "third"], &[]);
    assert!(none.code == 2 && none.stderr.contains("which exports first"), "{none:?}");
}

fn what_cannot_be_recorded_is_refused_by_name() {
    let refused = |module: &str, script: &str, why: &str| {
        let folder = app(module, &format!("{BYTES}\n{script}"));
        let ran = record(&folder, &[], &[]);
        assert!(ran.code == 2 && ran.stderr.contains(why), "{why:?}: {ran:?}");
        // What was recorded before is named.
        assert_eq!(
            folder.path().join("app.fpt").exists(),
            ran.stderr.contains("the recording so far is in"),
            "{ran:?}"
        );
    };
    let plain = "(module (memory 1) (func (export \"f\")))";
    refused(plain, "console.log('none')", "no WebAssembly module of app.mjs was seen");
    refused(
        "(module (import \"env\" \"memory\" (memory 1 1 shared)))",
        "await WebAssembly.instantiate(bytes, { env: { memory: new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true }) } })",
        "it imports the shared memory env.memory",
    );
    refused(
        "(module (import \"env\" \"g\" (global externref)))",
        "await WebAssembly.instantiate(bytes, { env: { g: null } })",
        "it imports the global env.g, which is not a plain number",
    );
    refused(
        "(module (import \"env\" \"t\" (table 1 externref)))",
        "await WebAssembly.instantiate(bytes, { env: { t: new WebAssembly.Table({ initial: 1, element: 'externref' }) } })",
        "it imports the table env.t, whose elements are not plain functions",
    );
    refused(
        "(module (func (export \"f\") (param funcref)))",
        "await WebAssembly.instantiate(bytes)",
        "has funcref among its parameters or results",
    );
    refused(
        "(module (memory 1) (table (export \"t\") 1 funcref) (func (export \"f\") (i32.store (i32.const 0) (i32.const 1))))",
        "const { instance } = await WebAssembly.instantiate(bytes);
         const other = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 1, 111, 0, 3, 2, 1, 0, 7, 5, 1, 1, 102, 0, 0, 10, 4, 1, 2, 0, 11]);
         instance.exports.t.set(0, (await WebAssembly.instantiate(other)).instance.exports.f)",
        "whose type is not known or has more than numbers",
    );
    refused(
        "(module (memory 1) (table (export \"t\") 1 funcref) (func (export \"f\") (i32.store (i32.const 0) (i32.const 1))))",
        "const { instance } = await WebAssembly.instantiate(bytes);
         const other = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 2, 9, 1, 1, 101, 1, 116, 1, 112, 0, 1]);
         await WebAssembly.instantiate(other, { e: { t: instance.exports.t } })",
        "another module imports the recorded one's table as e.t",
    );
    let folder = app(plain, "");
    for (option, value) in [("--invoke", "f"), ("--import", "a.b=1"), ("--dir", ".")] {
        let ran = record(&folder, &[option, value], &[]);
        assert!(ran.code == 2 && ran.stderr.contains("has no meaning with --node"), "{ran:?}");
    }
    let ran = run(folder.path(), &["record", "--node"]);
    assert!(ran.code == 2 && ran.stderr.contains("--node needs a program"), "{ran:?}");
    let ran = run(folder.path(), &["record", "--node=/nowhere/node", "--", "app.mjs"]);
    assert!(ran.code == 2 && ran.stderr.contains("/nowhere/node"), "{ran:?}");
}

/// The runner of Node, which reports another value for the store in `double`.
fn lying(folder: &Path) -> String {
    let honest = "view.setBigUint64(used + 12, second, true);";
    changed_runner(folder, "protocol.mjs", honest, &honest.replace("second", "second === 8n ? 9n : second"))
}

fn a_fault_of_an_engine_is_found_where_it_happens() {
    let folder = demo();
    assert_eq!(record(&folder, &[], &[]).code, 0);
    let faulty = lying(folder.path());
    let replayed = run(folder.path(), &["replay", "app.fpt", "--engine", &faulty]);
    assert_eq!(replayed.code, 1, "{replayed:?}");
    assert!(
        replayed.stdout.contains("i32.store [0x00000190]") && replayed.stdout.contains("in double"),
        "{replayed:?}"
    );
}

fn a_fault_that_recording_alone_shows_is_an_observer_effect() {
    let folder = demo();
    assert_eq!(record(&folder, &[], &[]).code, 0);
    // Another value for the second store of `risky`, where the module has the recorder's hook.
    let plant = r#"const bent = Buffer.from(bytes), at = bent.indexOf(Buffer.from([0x41, 20, 0x41, 2]));
        const imports = WebAssembly.Module.imports(new WebAssembly.Module(bytes));
        if (imports.some(({ module }) => module !== "env")) bent[at + 3] = 3;
        module = new WebAssembly.Module(bent);"#;
    let faulty = changed_runner(folder.path(), "runner.mjs", "module = new WebAssembly.Module(bytes);", plant);
    let sides = ["compare", "--recording", "app.fpt", "--lhs", "wasmtime:jit", "--rhs", &faulty];
    let compared = run(folder.path(), &sides);
    assert_eq!(compared.code, 1, "{compared:?}");
    for words in [
        "observer-effect",
        "i32.store [0x00000014] <- 03 00 00 00 = i32 3",
        "Without recording, both runs end the same way.\nRecording changes how rhs ends.\n",
    ] {
        assert!(compared.stdout.contains(words), "no {words:?} in\n{}", compared.stdout);
    }
}

/// What stands in for JavaScript in a call that is a program of its own is what it answered; where that is not all it did, or the
/// module is not whole without it, the recording is refused.
fn one_call_is_reduced_without_javascript() {
    let plant = r#"const bent = Buffer.from(bytes), at = bent.indexOf(Buffer.from([0x41, 20, 0x41, 2]));
        if (at >= 0) bent[at + 3] = 3;
        module = new WebAssembly.Module(bent);"#;
    let reduce = |folder: &Path| {
        let faulty = changed_runner(folder, "runner.mjs", "module = new WebAssembly.Module(bytes);", plant);
        run(folder, &["reduce", "app.fpt", "--lhs", "wasmtime:jit", "--rhs", &faulty, "-o", "small.wat"])
    };
    let folder = demo();
    assert_eq!(record(&folder, &[], &[]).code, 0);
    let reduced = reduce(folder.path());
    assert_eq!(reduced.code, 1, "{reduced:?}");
    assert!(reduced.stdout.contains("The call in which the runs part is a program of its own."), "{reduced:?}");
    let text = fs::read_to_string(folder.path().join("small.wat")).expect("a module");
    assert!(text.contains("i32.const 20\n    i32.const 2\n    i32.store"), "{text}");
    assert!(!text.contains("import") && text.len() < 500, "{text}");

    let refused = |module: &str, script: &str, why: &str| {
        let folder = app(module, &format!("{BYTES}\n{script}"));
        assert_eq!(record(&folder, &[], &[]).code, 0);
        let ran = reduce(folder.path());
        assert!(ran.code == 2 && ran.stderr.contains(why), "{why:?}: {ran:?}");
    };
    refused(
        r#"(module (import "env" "memory" (memory 1)) (func (export "f") (i32.store (i32.const 20) (i32.const 2))))"#,
        r#"const memory = new WebAssembly.Memory({ initial: 1 });
        (await WebAssembly.instantiate(bytes, { env: { memory } })).instance.exports.f();"#,
        "that cannot be done here: the module imports more than functions",
    );
    refused(
        r#"(module (import "env" "back" (func $back)) (memory 1) (global $on (mut i32) (i32.const 0))
          (func (export "set") (global.set $on (i32.const 1)))
          (func (export "f") (call $back) (if (global.get $on) (then (i32.store (i32.const 20) (i32.const 2))))))"#,
        r#"const back = () => instance.exports.set();
        const { instance } = await WebAssembly.instantiate(bytes, { env: { back } });
        instance.exports.f();"#,
        "no call around that one diverges in the same way by itself",
    );
    let ran = run(folder.path(), &["reduce", "-o", "small.wat", "--node", "--", "app.mjs"]);
    assert!(ran.code == 2 && ran.stderr.contains("reduce takes its recording"), "{ran:?}");
}

fn the_left_engine_is_asked_only_if_it_runs_the_recording() {
    let folder = demo();
    assert_eq!(record(&folder, &[], &[]).code, 0);
    let compare = |more: &[&str]| {
        let mut command = vec!["compare", "--recording", "app.fpt"];
        command.extend(more);
        let ran = run(folder.path(), &command);
        assert_eq!(ran.code, 0, "{ran:?}");
        ran.stdout
    };
    let why = "the runs were not repeated, with recording or without: ";
    assert!(compare(&["--rhs", "wasmi"]).contains(&format!("{why}the recording was made under node")));
    let faulty = lying(folder.path());
    let other = compare(&["--lhs", &faulty, "--rhs", "wasmi"]);
    assert!(other.contains(why) && other.contains("runs it differently: other events from #"), "{other}");
    for silent in [&["--lhs", "wasmi", "--rhs", "wasmtime:jit"][..], &["--no-guard", "--rhs", "wasmi"]] {
        assert!(!compare(silent).contains(why), "{silent:?}");
    }
    let engines = format!("wasmi;{}", engine("node"));
    let both = compare(&["--engines", &engines]);
    assert_eq!(both.matches("The runs agree on all").count(), 1, "{both}");
    assert!(both.contains(&format!("Group A ({})", engines.replace(';', "; "))), "{both}");
    assert!(!both.contains(why), "the engine that made the recording is named: {both}");
}

/// Engines with equal runs have one report.
fn engines_that_do_the_same_with_a_recording_are_one_group() {
    let folder = demo();
    assert_eq!(record(&folder, &[], &[]).code, 0);
    let faulty = lying(folder.path());
    let again = faulty.replace("start.cjs", "./start.cjs");
    let engines = format!("{faulty};wasmi;{again};wasmtime:jit");
    let command = ["compare", "--recording", "app.fpt", "--engines", &engines, "--no-guard", "--no-reruns"];
    let compared = run(folder.path(), &command);
    assert_eq!(compared.code, 1, "{compared:?}");
    let text = &compared.stdout;
    for words in [format!("Group A ({faulty}; {again}), its first"), "Group B (wasmi; wasmtime:jit)".to_string()] {
        assert!(text.contains(&words), "no {words:?} in\n{text}");
    }
    assert_eq!(text.matches("The runs diverge").count(), 1, "{text}");
    let json = run(folder.path(), &[&command[..], &["--json"]].concat());
    let rows: serde_json::Value = serde_json::from_str(&json.stdout).expect("JSON");
    let groups: Vec<_> = rows.as_array().expect("a list").iter().map(|row| row["group"].as_u64()).collect();
    assert_eq!(groups, [0, 1, 0, 1].map(Some), "{rows:#}");
}

/// The runner of Node in a folder, with one change of its files.
fn changed_runner(folder: &Path, file: &str, honest: &str, lying: &str) -> String {
    for file in fs::read_dir(repository("runners/node")).expect("the runner") {
        let file = file.expect("a file");
        fs::copy(file.path(), folder.join(file.file_name())).expect("a copy");
    }
    let path = folder.join(file);
    let text = fs::read_to_string(&path).expect("the runner");
    assert_eq!(text.matches(honest).count(), 1);
    fs::write(&path, text.replace(honest, lying)).expect("the runner");
    format!("runner:{} start.cjs", node())
}

fn a_changed_log_is_an_error_or_a_divergence() {
    let folder = demo();
    assert_eq!(record(&folder, &[], &[]).code, 0);
    let refused = changed_logs(folder.path());
    assert!(refused > 20, "{refused}");
}

fn a_module_compiled_by_node_itself_is_not_the_programs() {
    let folder = app(
        r#"(module (memory 1) (func (export "f") (i32.store (i32.const 0) (i32.const 1))))"#,
        &format!(
            r#"{BYTES}
            // Node's own client for HTTP is a module.
            await fetch("http://127.0.0.1:9/").catch(() => {{}});
            (await WebAssembly.instantiate(bytes)).instance.exports.f();"#
        ),
    );
    let recorded = record(&folder, &[], &[]);
    assert!(recorded.code == 0 && !recorded.stderr.contains("other modules"), "{recorded:?}");
    assert!(dump(folder.path()).contains("call f()"));
}

fn programs_that_end_early_are_recorded_as_far_as_they_come() {
    let folder = app(
        r#"(module (import "env" "f" (func $f (param i32))) (memory (export "memory") 1)
          (func (export "run") (param i32) (i32.store (i32.const 8) (local.get 0)) (call $f (local.get 0))))"#,
        &format!(
            r#"{BYTES}
            const how = {{
              abort: () => process.abort(),
              never: () => {{ for (;;); }},
              deep: (value) => instance.exports.run(value + 1),
              uncaught: () => {{ throw new Error("out"); }},
            }};
            const imports = {{ env: {{ f: how[process.argv[2]] }} }};
            const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), imports);
            instance.exports.run(1);"#
        ),
    );
    for (how, words) in [
        ("abort", "crashed: SIGABRT"),
        ("never", "timed out"),
        ("deep", "the recording ends before the program does"),
        ("uncaught", "finished"),
    ] {
        let recorded = record(&folder, &["--timeout", "3s"], &[how]);
        assert!(recorded.code == 0 && recorded.stderr.contains(words), "{how}: {recorded:?}");
        let dumped = dump(folder.path());
        assert!(how == "deep" || dumped.contains("i32.store [0x00000008] <- 01 00 00 00"), "{how}: {dumped}");
        for name in ["wasmtime:jit", "wasmi"] {
            let replayed = run(folder.path(), &["replay", "app.fpt", "--engine", name]);
            assert!((0..=2).contains(&replayed.code) && !replayed.stderr.contains("panicked"), "{how}: {replayed:?}");
            assert_eq!(replayed.code == 0, how == "uncaught", "{how}: {replayed:?}");
        }
    }
}

fn what_the_guest_grows_is_the_guests() {
    let folder = app(
        r#"(module (import "env" "f" (func $f)) (memory (export "memory") 1)
          (func (export "grow") (drop (memory.grow (i32.const 1))))
          (func (export "grown") (drop (memory.grow (i32.const 2))) (call $f) (i32.store (i32.const 250000) (i32.const 3))))"#,
        &format!(
            r#"{BYTES}
            const f = () => new Uint8Array(exports.memory.buffer).fill(7, 200000, 200010);
            const {{ exports }} = new WebAssembly.Instance(new WebAssembly.Module(bytes), {{ env: {{ f }} }});
            exports.grow(); exports.grow(); exports.memory.grow(1); exports.grown();
            console.log(exports.memory.buffer.byteLength / 65536, new Uint8Array(exports.memory.buffer)[250000]);"#
        ),
    );
    assert_eq!(record(&folder, &[], &[]).stdout, "6 3\n");
    let dumped = dump(folder.path());
    assert_eq!(dumped.matches("host grows").count(), 1, "{dumped}");
    assert_eq!(dumped.matches("memory.grow").count(), 3, "{dumped}");
    assert!(dumped.contains("host write [0x00030d40; 10] <- 07"), "{dumped}");
    replays(folder.path());
}

/// Pages that nobody had touched before, one at each crossing.
fn bytes_in_fresh_pages_are_found_at_each_crossing() {
    let folder = app(
        r#"(module (memory (export "memory") 400) (func (export "get") (param i32) (result i32) (i32.load8_u (local.get 0))))"#,
        &format!(
            r#"{BYTES}
            const {{ exports }} = new WebAssembly.Instance(new WebAssembly.Module(bytes));
            const memory = new Uint8Array(exports.memory.buffer);
            let sum = 0;
            for (let page = 1; page <= 1000; page++) {{
              const at = page * 24576 + (page % 4096);
              memory[at] = page;
              sum += exports.get(at) + exports.get(page % 7);
            }}
            console.log(sum);"#
        ),
    );
    let recorded = record(&folder, &[], &[]);
    assert_eq!((recorded.code, recorded.stdout), (0, plain(folder.path(), &[])), "{}", recorded.stderr);
    assert!(!recorded.stderr.contains("differ"), "{}", recorded.stderr);
    // A byte that is 0 is no change.
    assert_eq!(dump(folder.path()).matches("host write").count(), 997);
    replays_under(folder.path(), &["wasmtime:jit", "wasmi"]);
}

/// Only what one thread of the first process does is recorded: the one that instantiates the module first.
fn workers_and_other_processes_run_as_ever() {
    let folder = app(
        r#"(module (memory 1) (func (export "run") (param i32) (result i32)
            (i32.store (i32.const 8) (local.get 0)) (local.get 0)))"#,
        r#"import { createRequire } from "module"; createRequire(import.meta.url)("./main.cjs");"#,
    );
    let script = r#"const fs = require("fs"); const { Worker, isMainThread } = require("worker_threads");
        const bytes = fs.readFileSync(__dirname + "/app.wasm");
        const run = (value) => new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports.run(value);
        if (process.argv[2] === "child") {
          console.log("child", run(3), process.execArgv.length);
        } else if (isMainThread) {
          console.log(process.argv.length, process.execArgv.length, run(1));
          new Worker(__filename).on("exit", () => require("child_process").fork(__filename, ["child"]));
        } else {
          console.log("worker", run(2));
        }"#;
    fs::write(folder.path().join("main.cjs"), script).expect("a script");
    let recorded = record(&folder, &[], &[]);
    assert_eq!(recorded.code, 0, "{recorded:?}");
    assert_eq!(recorded.stdout, "2 0 1\nworker 2\nchild 3 0\n", "{recorded:?}");
    let dumped = dump(folder.path());
    assert_eq!(dumped.matches("call run(1)").count(), 1, "{dumped}");
    assert!(!dumped.contains("run(2)") && !dumped.contains("run(3)"), "{dumped}");
    assert!(recorded.stderr.contains("it instantiated this module 1 more time(s)"), "{recorded:?}");
    // Where there is none but the worker's.
    let alone = script.replace(", run(1)", "");
    fs::write(folder.path().join("main.cjs"), alone).expect("a script");
    let recorded = record(&folder, &[], &[]);
    assert!(recorded.code == 0 && recorded.stderr.contains("a worker of the program ran"), "{recorded:?}");
    let dumped = dump(folder.path());
    assert!(dumped.contains("call run(2)") && dumped.contains("end: finished"), "{dumped}");
    replays(folder.path());
}

/// Both threads ask for a signal that does nothing while one of them runs the module.
fn a_program_that_signals_itself_goes_on() {
    let folder = app(
        r#"(module (memory 1) (func (export "run") (param i32) (result i32)
            (i32.store (i32.const 8) (local.get 0)) (local.get 0)))"#,
        r#"import fs from "fs"; import { Worker, isMainThread } from "worker_threads"; import { fileURLToPath } from "url";
        const play = () => {
          const bytes = fs.readFileSync(new URL("./app.wasm", import.meta.url));
          const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes));
          for (let i = 0; i < 500; i++) {
            exports.run(i);
            process.kill(process.pid, 0);
          }
        };
        if (process.argv[2] === "alone" || !isMainThread) play();
        else {
          const worker = new Worker(fileURLToPath(import.meta.url));
          const timer = setInterval(() => process.kill(process.pid, 0), 0);
          worker.on("exit", () => clearInterval(timer));
        }"#,
    );
    for how in ["alone", "together"] {
        let recorded = record(&folder, &[], &[how]);
        assert_eq!(recorded.code, 0, "{how}: {recorded:?}");
        let dumped = dump(folder.path());
        assert_eq!(dumped.matches("call run(").count(), 500, "{how}");
        replays_under(folder.path(), &["wasmtime:jit", "wasmi"]);
    }
}

/// A worker's recording has all there is when its program ends it, if the worker still listens.
fn a_worker_is_recorded_up_to_its_end() {
    let folder = app(
        r#"(module (memory (export "memory") 1) (func (export "run") (param i32) (result i32)
            (i32.store (i32.const 8) (local.get 0)) (i32.add (local.get 0) (i32.load8_u (i32.const 100)))))"#,
        r#"import fs from "fs"; import { Worker, isMainThread, parentPort } from "worker_threads";
        import { fileURLToPath } from "url";
        const how = process.argv[2];
        if (isMainThread) {
          const worker = new Worker(fileURLToPath(import.meta.url), { argv: [how] });
          worker.postMessage(5);
          worker.on("message", (sum) => {
            console.log(sum);
            if (how.startsWith("exit")) setTimeout(() => process.exit(0), 100);
            else if (how.startsWith("terminate")) worker.terminate();
            else worker.postMessage(null);
          });
        } else {
          const bytes = fs.readFileSync(new URL("./app.wasm", import.meta.url));
          const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes));
          parentPort.on("message", (value) => {
            if (value === null) return parentPort.close();
            new Uint8Array(exports.memory.buffer)[100] = 7;
            parentPort.postMessage(exports.run(value));
            if (how.endsWith("busy")) for (;;) exports.run(1);
          });
        }"#,
    );
    for how in ["terminate", "exit", "close"] {
        let recorded = record(&folder, &[], &[how]);
        assert_eq!((recorded.code, recorded.stdout.as_str()), (0, "12\n"), "{how}: {recorded:?}");
        let dumped = dump(folder.path());
        let steps = ["host write [0x00000064; 1] <- 07", "call run(5)", "run -> 12 to the host", "end: finished"];
        assert!(steps.iter().all(|step| dumped.contains(step)), "{how}: {dumped}");
        replays_under(folder.path(), &["wasmtime:jit", "wasmi"]);
    }
    let ends = [("terminate-busy", "ended the thread that ran"), ("exit-busy", "ended while another thread")];
    for (how, why) in ends {
        let recorded = record(&folder, &[], &[how]);
        assert!(recorded.code == 0 && recorded.stderr.contains(why), "{how}: {recorded:?}");
        let dumped = dump(folder.path());
        assert!(dumped.contains("call run(5)") && dumped.contains("end: interrupted"), "{how}");
        let verified = run(folder.path(), &["info", "--verify", "app.fpt"]);
        assert_eq!(verified.code, 0, "{how}: {verified:?}");
    }
}

/// Eight workers instantiate one module at once, and another one whose memory they share.
fn one_of_many_workers_is_recorded() {
    let folder = app(
        r#"(module (memory 1) (func (export "run") (param i32) (result i32)
            (i32.store (i32.const 8) (local.get 0)) (local.get 0)))"#,
        r#"import fs from "fs"; import { Worker, isMainThread } from "worker_threads"; import { fileURLToPath } from "url";
        const read = (name) => new WebAssembly.Module(fs.readFileSync(new URL(name, import.meta.url)));
        if (isMainThread) {
          let left = 8;
          for (let i = 0; i < 8; i++) {
            new Worker(fileURLToPath(import.meta.url), { argv: process.argv.slice(2) }).on("exit", () => --left || console.log("all"));
          }
        } else {
          const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
          new WebAssembly.Instance(read("./shared.wasm"), { env: { memory } });
          const { exports } = process.argv[2] === "shared" ? { exports: { run() {} } } : new WebAssembly.Instance(read("./app.wasm"));
          for (let i = 0; i < 2000; i++) exports.run(i);
        }"#,
    );
    let shared = r#"(module (import "env" "memory" (memory 1 1 shared)) (func (export "together")))"#;
    fs::write(folder.path().join("shared.wasm"), wat::parse_str(shared).expect("a module")).expect("a file");
    let recorded = record(&folder, &[], &[]);
    assert_eq!((recorded.code, recorded.stdout.as_str()), (0, "all\n"), "{recorded:?}");
    let words =
        ["it instantiated this module 7 more time(s)", "exports together, in a worker, and shares its memory"];
    assert!(words.iter().all(|words| recorded.stderr.contains(words)), "{recorded:?}");
    assert_eq!(dump(folder.path()).matches("call run(").count(), 2000);
    replays_under(folder.path(), &["wasmtime:jit", "wasmi"]);
    let none = record(&folder, &[], &["shared"]);
    let words = "instantiated only modules that cannot be recorded, in workers with which they share memory:";
    assert!(none.code == 2 && none.stderr.contains(words), "{none:?}");
    let asked = record(&folder, &["--module-of", "together"], &[]);
    assert!(asked.code == 2 && asked.stderr.contains("it imports the shared memory env.memory"), "{asked:?}");
}

/// JavaScript and the guest call each other 5,000 times over: more than a stack of the usual size holds.
fn deep_nesting_is_replayed() {
    let folder = app(
        r#"(module (import "env" "f" (func $f (param i32) (result i32))) (memory 1)
          (func (export "run") (param i32) (result i32)
            (i32.store (i32.const 8) (local.get 0)) (i32.add (i32.const 1) (call $f (local.get 0)))))"#,
        &format!(
            r#"{BYTES}
            const f = (value) => (value === 0 ? 0 : exports.run(value - 1));
            const {{ exports }} = new WebAssembly.Instance(new WebAssembly.Module(bytes), {{ env: {{ f }} }});
            console.log(exports.run(5000));"#
        ),
    );
    let node = format!("--node={}", node());
    let recorded = run(folder.path(), &["record", &node, "-o", "app.fpt", "--", "--stack-size=30000", "app.mjs"]);
    assert_eq!((recorded.code, recorded.stdout.as_str()), (0, "5001\n"), "{recorded:?}");
    for name in ["wasmtime:jit", "wasmi"] {
        let replayed = run(folder.path(), &["replay", "app.fpt", "--engine", name]);
        assert!(replayed.code == 0 && replayed.stdout.starts_with("The runs agree on all"), "{name}: {replayed:?}");
    }
}

/// Records a program of tests/javascript/programs, which must print what it prints without, and runs the recording.
fn program(name: &str, module: &[&str], engines: &[&str]) {
    let script = fs::read(repository("tests/javascript/programs").join(format!("{name}.mjs"))).expect("a program");
    let folder = folder_with(&[("app.mjs", &script)]);
    std::os::unix::fs::symlink(javascript(), folder.path().join("node_modules")).expect("a link");
    let recorded = record(&folder, module, &[]);
    assert_eq!(recorded.code, 0, "{recorded:?}");
    assert_eq!(recorded.stdout, plain(folder.path(), &[]));
    let compared =
        run(folder.path(), &["compare", "--recording", "app.fpt", "--engines", &engines.join(";"), "--json"]);
    assert_eq!(compared.code, 0, "{compared:?}");
    let rows: serde_json::Value = serde_json::from_str(&compared.stdout).expect("JSON");
    let rows = rows.as_array().expect("a list");
    assert!(rows.len() == engines.len() && rows.iter().all(|row| row["agree"] == true), "{rows:#?}");
}

fn everywhere(name: &str, module: &[&str]) {
    program(name, module, &["wasmtime:jit", "wasmi", &engine("node")]);
}

fn sqlite_runs_everywhere() {
    everywhere("sql", &[]);
}

fn sqlite_calls_functions_of_the_program() {
    everywhere("functions", &[]);
}

/// An engine that takes one constant of the module for another, in a function that says its place by its index only.
fn a_miscompiled_constant_is_found_in_sqlite() {
    let script = fs::read(repository("tests/javascript/programs/sql.mjs")).expect("a program");
    let folder = folder_with(&[("app.mjs", &script)]);
    std::os::unix::fs::symlink(javascript(), folder.path().join("node_modules")).expect("a link");
    assert_eq!(record(&folder, &[], &[]).code, 0);

    let module = fs::read(javascript().join("sql.js/dist/sql-wasm.wasm")).expect("sql.js");
    let first = first_events(&folder.path().join("app.fpt"));
    let planted = stored_constants(&module).into_iter().find(|(_, store)| first.contains_key(store));
    let (constant, store) = planted.expect("it stores a constant that occurs once");
    let (function, at) = first[&store];
    let plant = format!(
        "const bent = Buffer.from(bytes), at = bent.indexOf(Buffer.from({constant:?}));
         if (at < 0) throw new Error(\"nothing to plant at\");
         bent[at + 2] ^= 1;
         module = new WebAssembly.Module(bent);"
    );
    let faulty = changed_runner(folder.path(), "runner.mjs", "module = new WebAssembly.Module(bytes);", &plant);
    let sides = ["compare", "--recording", "app.fpt", "--lhs", "wasmtime:jit", "--rhs", &faulty];
    let compared = run(folder.path(), &[&sides[..], &["--json", "-o", "kept"]].concat());
    assert_eq!(compared.code, 1, "{compared:?}");
    let report: serde_json::Value = serde_json::from_str(&compared.stdout).expect("JSON");
    assert_eq!(report["verdict"], "value", "{report:#}");
    assert_eq!((&report["position"], &report["site"]["offset"]), (&at.into(), &store.into()), "{report:#}");
    assert_eq!(report["site"]["function"], function, "{report:#}");
    // The fault is the engine's, not recording's.
    assert_eq!(report["guard"]["observer_effect"], false, "{report:#}");
    assert_eq!(report["guard"]["changed_by_recording"], serde_json::json!([]), "{report:#}");

    // The call in which that happens, without SQLite and without JavaScript.
    let reduce = ["reduce", "app.fpt", "--lhs", "wasmtime:jit", "--rhs", &faulty, "-o", "reduced.wasm", "--json"];
    let reduced = run(folder.path(), &reduce);
    assert_eq!(reduced.code, 1, "{reduced:?}");
    let small = fs::read(folder.path().join("reduced.wasm")).expect("a module");
    assert!(small.len() < 200 && small.windows(constant.len()).any(|bytes| bytes == constant), "{small:02x?}");

    // Both runs in one file, which needs neither JavaScript nor the engines.
    let packed = run(folder.path(), &["pack", "app.fpt", "kept/rhs.fpt", "-o", "sql.fpk"]);
    assert_eq!(packed.code, 0, "{packed:?}");
    let text = run(folder.path(), &["diff", "sql.fpk"]).stdout;
    assert!(text.contains(&format!("at {store:#x}")), "{text}");
    let differ = run(folder.path(), &["diff", "sql.fpk", "--json"]);
    assert_eq!(differ.code, 1, "{differ:?}");
    let again: serde_json::Value = serde_json::from_str(&differ.stdout).expect("JSON");
    for same in ["verdict", "position", "site", "before"] {
        assert_eq!(again[same], report[same], "{same}: {again:#}");
    }
    let replayed = run(folder.path(), &["replay", "sql.fpk", "--engine", "wasmtime:jit"]);
    assert!(replayed.code == 0 && replayed.stdout.starts_with("The runs agree on all"), "{replayed:?}");
}

/// Of each instruction that a trace has events of, by its place: its function, and the position of its first event.
fn first_events(trace: &Path) -> BTreeMap<u64, (u32, u64)> {
    let mut trace = TraceReader::open(trace).expect("a trace");
    let sites: BTreeMap<SiteId, _> = trace.sites().iter().map(|(id, site)| (id, site.clone())).collect();
    let (mut first, mut position) = (BTreeMap::new(), 0);
    for chunk in 0..trace.chunks().len() {
        let mut see = |event: RawEvent| {
            if let Some(site) = sites.get(&event.site) {
                first.entry(u64::from(site.offset.0)).or_insert((site.func.0, position));
            }
            position += 1;
            Ok::<(), TraceError>(())
        };
        trace.read_chunk(chunk, &mut see).expect("a chunk");
    }
    first
}

/// Constants of four bytes and more that a module stores, and that occur once in it: the instruction's bytes, and the place of
/// the store.
fn stored_constants(module: &[u8]) -> Vec<(Vec<u8>, u64)> {
    let mut found = Vec::new();
    for payload in Parser::new(0).parse_all(module) {
        let Payload::CodeSectionEntry(body) = payload.expect("a valid module") else { continue };
        let operators = body.get_operators_reader().expect("a body").into_iter_with_offsets();
        let operators: Vec<_> = operators.map(|operator| operator.expect("an operator")).collect();
        for pair in operators.windows(2) {
            let [(Operator::I32Const { .. } | Operator::I64Const { .. }, start), (store, end)] = pair else {
                continue;
            };
            let stores = matches!(store, Operator::I32Store { .. } | Operator::I64Store { .. });
            let constant = module[*start..*end].to_vec();
            let once = || module.windows(constant.len()).filter(|bytes| *bytes == constant).count() == 1;
            if stores && constant.len() > 4 && once() {
                found.push((constant, *end as u64));
            }
        }
    }
    found
}

fn quickjs_runs_everywhere() {
    everywhere("quickjs", &[]);
}

fn resvg_runs_everywhere() {
    everywhere("resvg", &[]);
}

/// Its exceptions are those of WebAssembly, which wasmi lacks.
fn graphviz_runs_where_there_are_exceptions() {
    program("graphviz", &[], &["wasmtime:jit", &engine("node")]);
}

fn binaryen_runs_everywhere_within_a_compiler() {
    everywhere("asc", &["--module-of", "7de96de5"]);
}

/// A folder with a program in AssemblyScript, compiled with these options and recorded.
fn assemblyscript(options: &[&str]) -> TempDir {
    let read = |name: &str| fs::read(repository("tests/javascript/programs").join(name)).expect("a program");
    let folder = folder_with(&[("greet.ts", &read("greet.ts")), ("app.mjs", &read("greet.mjs"))]);
    let mut compiler = Command::new(node());
    compiler.arg(javascript().join("assemblyscript/bin/asc.js")).current_dir(folder.path());
    compiler.args(["greet.ts", "-O", "--bindings", "esm", "-o", "greet.wasm"]);
    let compiled = compiler.args(options).status();
    assert!(compiled.expect("node starts").success());
    let recorded = record(&folder, &[], &[]);
    assert_eq!((recorded.code, recorded.stdout.as_str()), (0, "Hello, wörld1999 7.5\n"), "{recorded:?}");
    folder
}

fn a_program_in_go_runs_everywhere() {
    everywhere("esbuild", &[]);
}

fn a_program_that_go_compiles_here_runs_everywhere() {
    let read = |name: &str| fs::read(repository("tests/javascript/programs").join(name)).expect("a program");
    let folder = folder_with(&[("words.go", &read("words.go")), ("app.mjs", &read("words.mjs"))]);
    let mut compiler = Command::new("go");
    compiler.args(["build", "-o", "main.wasm", "words.go"]).envs([("GOOS", "js"), ("GOARCH", "wasm")]);
    assert!(compiler.current_dir(folder.path()).status().expect("go starts").success());
    let root = Command::new("go").args(["env", "GOROOT"]).output().expect("go starts").stdout;
    let root = String::from_utf8(root).expect("text");
    // Releases of Go have it in one of two places.
    let host = ["lib/wasm", "misc/wasm"].map(|place| Path::new(root.trim()).join(place).join("wasm_exec.js"));
    let host = host.iter().find(|file| file.is_file()).expect("the host that Go brings along");
    fs::copy(host, folder.path().join("wasm_exec.js")).expect("a copy");
    let recorded = record(&folder, &[], &[]);
    assert_eq!((recorded.code, recorded.stdout.as_str()), (0, "runs 400\ntwo 400\nis 200\n13\n42\n"), "{recorded:?}");
    replays_under(folder.path(), &["wasmtime:jit", "wasmi", "node"]);
}

/// In Bun lives another engine, JavaScriptCore.
fn bun_runs_what_node_recorded() {
    let folder = demo();
    assert_eq!(record(&folder, &[], &[]).code, 0);
    let bun = format!("node,program={}", engines().join(BUN).display());
    replays_under(folder.path(), &[&bun]);
    let compared = run(folder.path(), &["compare", "--recording", "app.fpt", "--rhs", &bun]);
    assert!(compared.code == 0 && compared.stdout.contains("javascriptcore"), "{compared:?}");
}

fn a_module_in_assemblyscript_runs_everywhere() {
    replays(assemblyscript(&[]).path());
}

/// A map lies beside the module, which only names it: it is read if the user says so.
fn a_source_map_names_files_and_lines() {
    let folder = assemblyscript(&["--sourceMap"]);
    let info = run(folder.path(), &["info", "app.fpt"]).stdout;
    assert!(info.contains("source map  ./greet.wasm.map (--source-map takes its file)"), "{info}");
    let stores = |more: &[&str]| {
        let ran = run(folder.path(), &[&["dump", "app.fpt", "--kind", "store"], more].concat());
        assert_eq!(ran.code, 0, "{ran:?}");
        ran.stdout
    };
    assert!(!stores(&[]).contains(".ts"));
    let named = stores(&["--source-map", "greet.wasm.map"]);
    // An allocator's list, in the library that the compiler brings along.
    assert!(named.contains("/~lib/rt/tlsf.ts:"), "{}", named.lines().take(200).collect::<Vec<_>>().join("\n"));

    // The text is in the map, whose folder is allowed.
    let line = named.lines().find(|line| line.contains("/~lib/rt/tlsf.ts:")).expect("a store");
    let position = line.split_whitespace().next().expect("its position");
    fs::write(folder.path().join("steps.txt"), format!("{position}\nsource\nprint\n")).expect("a script");
    let view = |more: &[&str]| {
        let ran = run(folder.path(), &[&["view", "app.fpt", "--script", "steps.txt"], more].concat());
        assert_eq!(ran.code, 0, "{ran:?}");
        ran.stdout
    };
    for allowed in [["--source", "."], ["--source-map", "greet.wasm.map"]] {
        let screen = view(&allowed);
        assert!(screen.contains(" tlsf.ts:") && screen.contains("changetype<"), "{allowed:?}: {screen}");
    }
    assert!(view(&[]).contains("neither debug information nor a source map names a source line here"));

    // In reports, too: of a recording whose runs part at that store.
    let lie = "view.setBigUint64(used + 12, globalThis.planted === undefined && Number(first) === ADDRESS \
               ? (globalThis.planted = second ^ 1n) : second, true);";
    let address = line.split(['[', ']']).nth(1).expect("its address");
    let honest = "view.setBigUint64(used + 12, second, true);";
    let faulty = changed_runner(folder.path(), "protocol.mjs", honest, &lie.replace("ADDRESS", address));
    let compare =
        ["compare", "--recording", "app.fpt", "--lhs", "wasmtime:jit", "--rhs", &faulty, "--no-guard", "--json"];
    let compared = run(folder.path(), &[&compare[..], &["--source-map", "greet.wasm.map"]].concat());
    assert_eq!(compared.code, 1, "{compared:?}");
    let report: serde_json::Value = serde_json::from_str(&compared.stdout).expect("JSON");
    let file = report["lhs"]["site"]["file"].as_str().unwrap_or_default();
    assert!(file.ends_with(".ts") && report["lhs"]["site"]["line"].is_u64(), "{report:#}");

    for (wrong, why) in
        [("app.mjs", "not a source map of version 3"), ("nowhere.map", "reading the source map nowhere.map")]
    {
        let ran = run(folder.path(), &["dump", "app.fpt", "--source-map", wrong]);
        assert!(ran.code == 2 && ran.stderr.contains(why), "{ran:?}");
    }
}

/// The demo, as under Node. An older Bun says that it is too old.
fn a_program_is_recorded_in_bun() {
    let folder = demo();
    let under = |bun: &str| {
        let node = format!("--node={}", engines().join(bun).display());
        run(folder.path(), &["record", &node, "-o", "app.fpt", "--", "app.mjs"])
    };
    let recorded = under(NEWER_BUN);
    assert_eq!(recorded.code, 0, "{recorded:?}");
    let plain = Command::new(engines().join(NEWER_BUN))
        .arg("app.mjs")
        .current_dir(folder.path())
        .output()
        .expect("Bun starts");
    let plain = String::from_utf8(plain.stdout).expect("text");
    // Its errors quote the code that called the guest, which is the preload's.
    let unquoted = |text: &str| -> Vec<String> {
        text.lines().map(|line| line.split(" (evaluating").next().unwrap_or_default().to_string()).collect()
    };
    assert_eq!(unquoted(&recorded.stdout), unquoted(&plain), "the program prints what it prints without");
    let dumped = dump(folder.path());
    for step in ["host write [0x000003e8; 50] <- 01 08 0f 16", "host grows by 2 -> 1 (now 3 pages)", "end: finished"]
    {
        assert!(dumped.contains(step), "no {step:?} in\n{dumped}");
    }
    let info = run(folder.path(), &["info", "app.fpt"]);
    assert!(info.stdout.contains("javascriptcore of Bun 1.4.5"), "{info:?}");
    replays_under(folder.path(), &["wasmtime:jit", "wasmi"]);
    let old = under(BUN);
    assert!(old.code == 2 && old.stderr.contains("Bun 1.2.2 cannot run the preload"), "{old:?}");
}
