//! Two builds of one program: what they do alike wherever each keeps its data, and where they part.

mod common;
#[path = "two_builds/plant.rs"]
mod plant;
#[path = "two_builds/side_by_side.rs"]
mod side_by_side;

use common::external::{Need, Tests, node, wasm_opt, workload};
use common::{FORKPOINT, Ran, folder_with, repository_text, run};
use forkpoint_replay::BuildVerdict;
use plant::plant;
use serde_json::Value;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

/// The release of binaryen whose optimizer drops a sign extension, and a current one.
const OLD: &str = "98.0.0";
const NEW: &str = "132.0.0";

fn main() -> ExitCode {
    let mut tests = Tests::default();
    let here: [(&str, fn()); 26] = [
        (
            "stores_that_are_merged_moved_or_dropped_do_not_count",
            stores_that_are_merged_moved_or_dropped_do_not_count,
        ),
        ("another_stack_layout_is_told_and_is_no_divergence", another_stack_layout_is_told_and_is_no_divergence),
        ("static_data_that_moved_is_told_and_output_compared", static_data_that_moved_is_told_and_output_compared),
        ("a_wrong_result_is_placed_in_both_builds", a_wrong_result_is_placed_in_both_builds),
        ("wrong_bytes_for_the_host_are_placed_in_both_builds", wrong_bytes_for_the_host_are_placed_in_both_builds),
        ("moved_data_does_not_hide_wrong_output", moved_data_does_not_hide_wrong_output),
        ("a_trap_of_one_build_is_a_divergence", a_trap_of_one_build_is_a_divergence),
        ("another_exit_code_is_a_divergence", another_exit_code_is_a_divergence),
        ("memory_that_grows_otherwise_is_a_divergence", memory_that_grows_otherwise_is_a_divergence),
        ("an_exported_global_counts", an_exported_global_counts),
        ("a_value_that_never_reached_memory_has_a_function", a_value_that_never_reached_memory_has_a_function),
        ("stores_into_memory_that_grew_are_followed", stores_into_memory_that_grew_are_followed),
        ("a_memory_of_another_number_is_the_hosts", a_memory_of_another_number_is_the_hosts),
        ("answers_go_where_each_build_wants_them", answers_go_where_each_build_wants_them),
        ("a_buffer_of_another_length_is_another_question", a_buffer_of_another_length_is_another_question),
        ("arguments_of_unknown_functions_must_be_equal", arguments_of_unknown_functions_must_be_equal),
        ("results_that_later_calls_take_over_may_be_addresses", results_that_later_calls_take_over_may_be_addresses),
        ("functions_without_names_are_found_by_their_shape", functions_without_names_are_found_by_their_shape),
        ("each_build_has_an_engine_of_its_own", each_build_has_an_engine_of_its_own),
        ("traces_of_two_builds_are_compared_alike", traces_of_two_builds_are_compared_alike),
        ("runs_that_were_ended_give_no_answer", runs_that_were_ended_give_no_answer),
        ("questions_without_sense_are_refused", questions_without_sense_are_refused),
        ("stores_that_do_the_same_share_a_row", side_by_side::stores_that_do_the_same_share_a_row),
        ("stores_to_moved_data_share_a_row", side_by_side::stores_to_moved_data_share_a_row),
        ("a_pack_holds_both_builds", side_by_side::a_pack_holds_both_builds),
        ("every_verdict_is_documented", every_verdict_is_documented),
    ];
    for (name, test) in here {
        tests.add(name, &[], test);
    }
    tests.add("a_miscompilation_of_an_old_wasm_opt_is_placed", &[Need::Node, Need::Binaryen(OLD)], || {
        let ran = optimized(OLD, "-O3", "sign-twice.wat", SIGN_TWICE.as_bytes(), &["--invoke", "run 6"]);
        let report = json(&ran, 1);
        assert_eq!(report["verdict"], "result", "{report:#}");
        let place = &report["places"][0];
        assert_eq!(sites(place), ["run", "run"], "{report:#}");
        assert_eq!(place["same_function"], "export");
    });
    tests.add("a_current_wasm_opt_agrees", &[Need::Node, Need::Binaryen(NEW)], || {
        for level in ["-O0", "-O1", "-O2", "-O3", "-O4"] {
            let ran = optimized(NEW, level, "sign-twice.wat", SIGN_TWICE.as_bytes(), &["--invoke", "run 6"]);
            assert_eq!(json(&ran, 0)["memory"]["all"], 0, "{level}: {}", ran.stdout);
        }
    });
    for level in ["-O2", "-O4"] {
        let needs = [Need::Node, Need::Binaryen(NEW), Need::Workload("flite.wasm")];
        tests.add(format!("flite_speaks_alike_before_and_after_wasm_opt::{level}"), &needs, move || {
            let module = fs::read(workload("flite.wasm")).expect("a fetched program");
            let ran = optimized(NEW, level, "flite.wasm", &module, SPEAK);
            let report = json(&ran, 0);
            assert!(report["compared"]["host_calls"].as_u64() > Some(10), "{report:#}");
        });
    }
    tests.add("a_constant_changed_in_flite_is_found", &[Need::Workload("flite.wasm")], || {
        let (module, changed) = changed_flite();
        let folder = folder_with(&[("flite.wasm", &module), ("changed.wasm", &changed)]);
        fs::create_dir(folder.path().join("data")).expect("a folder");
        let mut command = vec!["compare", "flite.wasm", "changed.wasm", "--json", "--no-guard"];
        command.extend(SPEAK);
        let report = json(&run(folder.path(), &command), 1);
        let place = &report["followed"]["one_function"];
        assert_eq!(sites(place), [CHANGED, CHANGED], "{report:#}");
        assert_eq!((&report["verdict"], &place["same_function"]), (&"host-call".into(), &"name".into()));
    });
    let needs = [Need::Node, Need::Binaryen(NEW), Need::Workload("flite.wasm")];
    tests.add("a_constant_changed_in_flite_is_found_behind_an_optimizer", &needs, || {
        let (module, changed) = changed_flite();
        let report = json(&after_wasm_opt(NEW, "-O3", ("flite.wasm", &module), &changed, SPEAK), 1);
        let place = &report["followed"]["one_function"];
        assert_eq!(sites(place)[0], CHANGED, "{report:#}");
        // The optimizer has dropped all names.
        assert_eq!(place["same_function"], "shape", "{report:#}");
    });
    tests.run()
}

/// The function in which a constant is changed: what it keeps of a frame depends on it.
const CHANGED: &str = "mlsa_resynthesis";

/// flite, and flite with another constant.
fn changed_flite() -> (Vec<u8>, Vec<u8>) {
    let module = fs::read(workload("flite.wasm")).expect("a fetched program");
    let changed = plant(&module, CHANGED, 1);
    (module, changed)
}

/// What flite is asked to do.
const SPEAK: &[&str] = &["--dir", "data", "--", "-voice", "slt", "-t", "Hello", "data/o.wav"];

/// A byte is sign-extended twice: an old optimizer drops one of the steps.
const SIGN_TWICE: &str = r#"(module
  (memory (export "memory") 1)
  (func $quantise (param $x i32) (result i32)
    (i32.shr_s (i32.shl (i32.shr_s (i32.shl (local.get $x) (i32.const 24)) (i32.const 24)) (i32.const 30)) (i32.const 24)))
  (func (export "run") (param $n i32) (result i32)
    (local $i i32)
    (loop $next
      (i32.store (i32.shl (local.get $i) (i32.const 2)) (call $quantise (i32.add (local.get $i) (i32.const 65419))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $i) (local.get $n))))
    (i32.load (i32.const 0))))"#;

/// Compares a module with what wasm-opt makes of it.
fn optimized(release: &str, level: &str, name: &str, module: &[u8], options: &[&str]) -> Ran {
    after_wasm_opt(release, level, (name, module), module, options)
}

/// Compares a module with what wasm-opt makes of another.
fn after_wasm_opt(release: &str, level: &str, (name, module): (&str, &[u8]), other: &[u8], options: &[&str]) -> Ran {
    let before = Path::new("before").with_extension(Path::new(name).extension().unwrap_or_default());
    let before = before.display().to_string();
    let folder = folder_with(&[(name, module), (&before, other)]);
    fs::create_dir(folder.path().join("data")).expect("a folder");
    let features = [
        "--enable-bulk-memory",
        "--enable-sign-ext",
        "--enable-nontrapping-float-to-int",
        "--enable-mutable-globals",
    ];
    let made = Command::new(node())
        .arg(wasm_opt(release))
        .args([&before, level, "-o", "after.wasm"])
        .args(if release == NEW { &features[..] } else { &[] })
        .current_dir(folder.path())
        .stderr(Stdio::null())
        .status()
        .expect("node starts");
    assert!(made.success(), "wasm-opt {level} of {release}");
    let mut command = vec!["compare", name, "after.wasm", "--json"];
    command.extend(options);
    run(folder.path(), &command)
}

/// Compares two builds that are written as text.
fn builds(lhs: &str, rhs: &str, options: &[&str]) -> Ran {
    let folder = folder_with(&[("lhs.wat", lhs.as_bytes()), ("rhs.wat", rhs.as_bytes())]);
    let mut command = vec!["compare", "lhs.wat", "rhs.wat"];
    command.extend(options);
    run(folder.path(), &command)
}

/// The same, called by their export `run` and reported as JSON.
fn report(lhs: &str, rhs: &str, code: i32) -> Value {
    json(&builds(lhs, rhs, &["--invoke", "run", "--json"]), code)
}

fn json(ran: &Ran, code: i32) -> Value {
    assert_eq!(ran.code, code, "{}{}", ran.stdout, ran.stderr);
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}{}", ran.stdout, ran.stderr))
}

/// The functions whose instructions wrote the bytes of a place last.
fn sites(place: &Value) -> [&str; 2] {
    ["lhs", "rhs"].map(|side| place[side]["writer"]["site"]["name"].as_str().unwrap_or_default())
}

/// A module with a memory and a function `run`.
fn module(body: &str) -> String {
    format!(r#"(module (memory (export "memory") 1) (func $run (export "run") {body}))"#)
}

fn stores_that_are_merged_moved_or_dropped_do_not_count() {
    let lhs = module(
        "(i32.store (i32.const 8) (i32.const 9))
         (i32.store (i32.const 0) (i32.const 1)) (i32.store (i32.const 4) (i32.const 2)) (i32.store (i32.const 8) (i32.const 3))",
    );
    let rhs =
        module("(i32.store (i32.const 8) (i32.const 3)) (i64.store (i32.const 0) (i64.const 0x0000000200000001))");
    let report = report(&lhs, &rhs, 0);
    assert_eq!((&report["agree"], &report["memory"]["all"]), (&true.into(), &0.into()), "{report:#}");
    assert_eq!(report["compared"]["calls"], 1);
    let text = builds(&lhs, &rhs, &["--invoke", "run"]).stdout;
    assert!(text.starts_with("The builds agree in all that an observer sees: 1 call of an export,"), "{text}");
    assert!(text.contains("Memory is the same at each of these moments."), "{text}");
}

fn another_stack_layout_is_told_and_is_no_divergence() {
    let spill = |at: u32| {
        module(&format!("(result i32) (i32.store (i32.const {at}) (i32.const 7)) (i32.load (i32.const {at}))"))
    };
    let report = report(&spill(64), &spill(80), 0);
    assert_eq!(report["memory"]["all"], 2, "{report:#}");
    assert_eq!((&report["memory"]["only_lhs"], &report["memory"]["only_rhs"]), (&1.into(), &1.into()));
    let text = builds(&spill(64), &spill(80), &["--invoke", "run"]).stdout;
    assert!(
        text.contains("which no host call, result or trap showed: moved, added or removed without effect"),
        "{text}"
    );
}

/// A command that prints `text`, whose static data begin at `at`.
fn prints(at: u32, text: &str) -> String {
    format!(
        r#"(module
          (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
          (memory (export "memory") 1)
          (data (i32.const {at}) "{text}")
          (func $print (param $from i32) (param $length i32)
            (i32.store (i32.const {pairs}) (local.get $from))
            (i32.store offset=4 (i32.const {pairs}) (local.get $length))
            (drop (call $write (i32.const 1) (i32.const {pairs}) (i32.const 1) (i32.const {written}))))
          (func (export "_start") (call $print (i32.const {at}) (i32.const {length}))))"#,
        pairs = at + 64,
        written = at + 80,
        length = text.len()
    )
}

fn static_data_that_moved_is_told_and_output_compared() {
    let ran = builds(&prints(16, "hello, world"), &prints(1024, "hello, world"), &[]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("1 host call;") || ran.stdout.contains("1 host call"), "{}", ran.stdout);
    assert!(
        ran.stdout.contains("Addresses do not mean the same in both builds: after instantiation"),
        "{}",
        ran.stdout
    );
}

fn moved_data_does_not_hide_wrong_output() {
    let (lhs, rhs) = (prints(16, "hello, world"), prints(1024, "hello, worle"));
    let report = json(&builds(&lhs, &rhs, &["--json"]), 1);
    assert_eq!((&report["verdict"], &report["layout"]["same"]), (&"host-call".into(), &false.into()), "{report:#}");
    let place = &report["places"][0];
    assert_eq!(place["read_by_host"], true);
    assert_eq!((&place["lhs"]["address"], &place["rhs"]["address"]), (&27.into(), &1035.into()), "{report:#}");
    assert!(place["lhs"]["writer"]["event"].as_str().is_some_and(|event| event.starts_with("data 0")), "{place:#}");
}

fn a_wrong_result_is_placed_in_both_builds() {
    let body = |value: u32| {
        format!(
            r#"(module (memory (export "memory") 1)
              (func $fill (i32.store (i32.const 4) (i32.const 5)) (i32.store (i32.const 8) (i32.const {value})))
              (func (export "run") (result i32) (call $fill)
                (i32.store (i32.const 12) (i32.load (i32.const 8))) (i32.load (i32.const 12))))"#
        )
    };
    let report = report(&body(6), &body(7), 1);
    assert_eq!(report["verdict"], "result", "{report:#}");
    assert_eq!(report["lhs"]["event"]["event"], "return 6");
    assert_eq!(report["rhs"]["event"]["event"], "return 7");
    let places = report["places"].as_array().expect("places");
    assert_eq!(places.len(), 2, "{report:#}");
    assert_eq!((sites(&places[0]), sites(&places[1])), (["fill", "fill"], ["run", "run"]));
    assert_eq!((&places[0]["lhs"]["address"], &places[0]["same_function"]), (&8.into(), &"name".into()));
    assert_eq!(report["memory"]["both"], 2);
    let text = builds(&body(6), &body(7), &["--invoke", "run"]).stdout;
    assert!(text.starts_with("The builds diverge (result): `run` returned another result.\n"), "{text}");
}

fn wrong_bytes_for_the_host_are_placed_in_both_builds() {
    let body = |letter: u32| {
        format!(
            r#"(module
              (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
              (memory (export "memory") 1)
              (data (i32.const 0) "\10\00\00\00\04\00\00\00")
              (func $letters (i32.store8 (i32.const 16) (i32.const 97)) (i32.store8 (i32.const 18) (i32.const {letter})))
              (func (export "_start") (call $letters)
                (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 32)))))"#
        )
    };
    let report = json(&builds(&body(98), &body(99), &["--json"]), 1);
    assert_eq!(
        (&report["verdict"], &report["difference"]),
        (&"host-call".into(), &"the host is given other bytes".into())
    );
    let place = &report["places"][0];
    assert_eq!((&place["read_by_host"], sites(place)), (&true.into(), ["letters", "letters"]), "{report:#}");
    assert_eq!((&place["lhs"]["address"], &place["rhs"]["bytes"]), (&18.into(), &"6300".into()));
    assert!(
        report["rhs"]["event"]["event"].as_str().is_some_and(|event| event.starts_with("fd_write(fd=1")),
        "{report:#}"
    );
    // The second build gets no answer to a question that the host was not asked.
    assert_eq!(report["rhs"]["run"]["outcome"], "ended at a host call that is missing from the recording");
}

fn a_trap_of_one_build_is_a_divergence() {
    let lhs = module("(result i32) (i32.store (i32.const 0) (i32.const 1)) (i32.const 5)");
    let rhs = module("(result i32) (i32.store (i32.const 0) (i32.const 1)) unreachable");
    let report = report(&lhs, &rhs, 1);
    assert_eq!(report["verdict"], "trap", "{report:#}");
    assert_eq!(report["rhs"]["event"]["site"]["instruction"], "unreachable");
    let both = module("(result i32) (i32.store (i32.const 0) (i32.const 2)) unreachable");
    assert_eq!(self::report(&rhs, &both, 0)["memory"]["all"], 1, "both trap, and what memory holds is only told");
}

fn another_exit_code_is_a_divergence() {
    let exit = |code: u32| {
        format!(
            r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
              (memory (export "memory") 1) (func (export "_start") (call $exit (i32.const {code}))))"#
        )
    };
    let report = json(&builds(&exit(0), &exit(3), &["--json"]), 1);
    assert_eq!((&report["verdict"], &report["difference"]), (&"exit".into(), &"the argument `rval` differs".into()));
    json(&builds(&exit(3), &exit(3), &["--json"]), 0);
}

fn memory_that_grows_otherwise_is_a_divergence() {
    let grow =
        |pages: u32| module(&format!("(drop (memory.grow (i32.const 0))) (drop (memory.grow (i32.const {pages})))"));
    assert_eq!(report(&grow(1), &grow(2), 1)["verdict"], "growth");
    assert_eq!(report(&grow(1), &module(""), 1)["verdict"], "growth");
    // Nothing grows by nothing.
    assert_eq!(report(&grow(0), &module(""), 0)["compared"]["growths"], 0);
}

fn a_value_that_never_reached_memory_has_a_function() {
    // Both add and scale; one scales by another number, and calls a function more that returns nothing.
    let build = |by: u32, more: &str| {
        format!(
            r#"(module (memory 1)
              (func $note (param i32))
              (func $add (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
              (func $scale (param i32) (result i32) {more} (i32.mul (call $add (local.get 0) (i32.const 1)) (i32.const {by})))
              (func (export "run") (param i32) (result i32)
                (i32.store (i32.const 8) (local.get 0))
                (i32.sub (call $scale (i32.load (i32.const 8))) (call $add (local.get 0) (i32.const 2)))))"#
        )
    };
    let (lhs, rhs) = (build(10, ""), build(11, "(call $note (i32.const 4))"));
    for engine in ["wasmtime:jit", "wasmi"] {
        let ran = builds(&lhs, &rhs, &["--invoke", "run 6", "--json", "--lhs", engine]);
        let found = &json(&ran, 1)["returned"];
        assert_eq!((&found["name"], &found["counterpart"]["name"]), (&"scale".into(), &"scale".into()), "{found:#}");
        assert_eq!((&found["lhs"][0]["I32"], &found["rhs"][0]["I32"]), (&70.into(), &77.into()), "{found:#}");
    }
    let text = builds(&lhs, &rhs, &["--invoke", "run 6"]).stdout;
    assert!(text.contains("lhs scale(6) returned 70\n") && text.contains("rhs scale(6) returned 77 ("), "{text}");
    let quiet = json(&builds(&lhs, &rhs, &["--invoke", "run 6", "--json", "--no-reruns"]), 1);
    assert_eq!(quiet["returned"], Value::Null);
}

fn stores_into_memory_that_grew_are_followed() {
    // Each keeps something elsewhere before memory grows, so memory is not the same again until the end.
    let grows = |value: u32| {
        module(&format!(
            "(result i32) (i32.store8 (i32.const {value}) (i32.const 1)) (drop (memory.grow (i32.const 1)))
             (i32.store (i32.const 65536) (i32.const 1)) (i32.store (i32.const 65540) (i32.const {value}))
             (i32.load (i32.const 65540))"
        ))
    };
    let report = report(&grows(1), &grows(2), 1);
    assert_eq!(report["verdict"], "result", "{report:#}");
    let place = &report["followed"]["one_function"];
    assert_eq!((&place["lhs"]["address"], sites(place)), (&65540.into(), ["run", "run"]), "{report:#}");
}

fn an_exported_global_counts() {
    let global = |name: &str, before: &str, value: u32| {
        format!(
            r#"(module (memory 1) {before} (global $g (export "{name}") (mut i32) (i32.const 0))
              (func (export "run") (global.set $g (i32.const {value}))))"#
        )
    };
    // It has another number in the other build.
    let other = "(global (mut i32) (i32.const 9))";
    report(&global("count", "", 5), &global("count", other, 5), 0);
    let report = report(&global("count", "", 5), &global("count", other, 6), 1);
    assert_eq!(report["verdict"], "global", "{report:#}");
    assert!(
        report["difference"]
            .as_str()
            .is_some_and(|words| words.contains("`count` is 5 at the end in lhs and 6 in rhs"))
    );
}

/// A command that adds up all that its host gives it, with its buffers from `at` on, and exits with the sum.
fn sums(at: u32, room: u32) -> String {
    format!(
        r#"(module
          (import "wasi_snapshot_preview1" "args_sizes_get" (func $sizes (param i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "args_get" (func $args (param i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "clock_time_get" (func $time (param i32 i64 i32) (result i32)))
          (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
          (memory (export "memory") 1)
          (global $sum (mut i32) (i32.const 0))
          (func $add (param $from i32) (param $length i32)
            (local $to i32)
            (local.set $to (i32.add (local.get $from) (local.get $length)))
            (block $done (loop $next
              (br_if $done (i32.ge_u (local.get $from) (local.get $to)))
              (global.set $sum (i32.add (i32.mul (global.get $sum) (i32.const 31)) (i32.load8_u (local.get $from))))
              (local.set $from (i32.add (local.get $from) (i32.const 1)))
              (br $next))))
          (func (export "_start")
            (drop (call $sizes (i32.const {sizes}) (i32.const {lengths})))
            (call $add (i32.const {sizes}) (i32.const 4))
            (drop (call $args (i32.const {pointers}) (i32.const {strings})))
            ;; The second argument, by its pointer.
            (call $add (i32.load offset=4 (i32.const {pointers})) (i32.const 5))
            (drop (call $random (i32.const {random}) (i32.const 16)))
            (call $add (i32.const {random}) (i32.const 16))
            (drop (call $time (i32.const 0) (i64.const 1) (i32.const {time})))
            (call $add (i32.const {time}) (i32.const 8))
            (i32.store (i32.const {pairs}) (i32.const {first}))
            (i32.store offset=4 (i32.const {pairs}) (i32.const 3))
            (i32.store offset=8 (i32.const {pairs}) (i32.const {second}))
            (i32.store offset=12 (i32.const {pairs}) (i32.const {room}))
            (drop (call $read (i32.const 0) (i32.const {pairs}) (i32.const 2) (i32.const {sizes})))
            (call $add (i32.const {first}) (i32.const 3))
            (call $add (i32.const {second}) (i32.const 5))
            (call $add (i32.const {sizes}) (i32.const 4))
            (call $exit (i32.and (global.get $sum) (i32.const 127)))))"#,
        sizes = at,
        lengths = at + 16,
        pointers = at + 32,
        strings = at + 64,
        random = at + 256,
        time = at + 288,
        pairs = at + 304,
        first = at + 320,
        second = at + 336,
    )
}

/// Compares two builds that read an input.
fn with_input(folder: &Path, options: &[&str]) -> Ran {
    let mut child = Command::new(FORKPOINT)
        .current_dir(folder)
        .args(["compare", "lhs.wat", "rhs.wat", "--json"])
        .args(options)
        .args(["--", "word"])
        .env("FORKPOINT_CACHE", "off")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("forkpoint starts");
    child.stdin.take().expect("a pipe").write_all(b"01234567").expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

fn answers_go_where_each_build_wants_them() {
    let (lhs, rhs) = (sums(0, 5), sums(4096, 5));
    let folder = folder_with(&[("lhs.wat", lhs.as_bytes()), ("rhs.wat", rhs.as_bytes())]);
    for options in [&[][..], &["--rhs", "wasmi"], &["--lhs", "wasmi", "--rhs", "wasmtime:aot"], &["--host", "own"]] {
        let report = json(&with_input(folder.path(), options), 0);
        assert_eq!(report["compared"]["host_calls"], 6, "{report:#}");
        assert_eq!(report["lhs"]["run"]["outcome"], report["rhs"]["run"]["outcome"]);
    }
}

fn a_memory_of_another_number_is_the_hosts() {
    let (lhs, mut rhs) = (sums(0, 5), sums(4096, 5));
    for access in ["i32.load8_u", "i32.load", "i32.store"] {
        for after in [" (", " offset"] {
            rhs = rhs.replace(&format!("{access}{after}"), &format!("{access} $main{after}"));
        }
    }
    let memory = r#"(memory (export "memory") 1)"#;
    let rhs = rhs.replace(memory, r#"(memory $other 1) (memory $main (export "memory") 1)"#);
    let folder = folder_with(&[("lhs.wat", lhs.as_bytes()), ("rhs.wat", rhs.as_bytes())]);
    for options in [&[][..], &["--rhs", "wasmi"]] {
        let report = json(&with_input(folder.path(), options), 0);
        assert_eq!(report["compared"]["host_calls"], 6, "{report:#}");
        assert_eq!(report["lhs"]["run"]["outcome"], report["rhs"]["run"]["outcome"]);
    }
}

fn a_buffer_of_another_length_is_another_question() {
    let (lhs, rhs) = (sums(0, 5), sums(4096, 50));
    let folder = folder_with(&[("lhs.wat", lhs.as_bytes()), ("rhs.wat", rhs.as_bytes())]);
    let report = json(&with_input(folder.path(), &[]), 1);
    assert_eq!(report["difference"], "the host is asked to fill buffers of other lengths", "{report:#}");
    let less = sums(4096, 4);
    fs::write(folder.path().join("rhs.wat"), less).expect("writing a test file");
    assert_eq!(json(&with_input(folder.path(), &[]), 1)["verdict"], "host-call");
}

fn arguments_of_unknown_functions_must_be_equal() {
    let put = |at: u32| {
        format!(
            r#"(module (import "env" "put" (func $put (param i32 i32))) (memory (export "memory") 1)
              (data (i32.const {at}) "hello, world") (func (export "run") (call $put (i32.const {at}) (i32.const 12))))"#
        )
    };
    let options = ["--invoke", "run", "--import", "env.put=", "--json"];
    let report = json(&builds(&put(16), &put(16), &options), 0);
    assert!(
        report["notes"][0].as_str().is_some_and(|note| note.contains("which arguments of env.put are addresses"))
    );
    let report = json(&builds(&put(16), &put(64), &options), 1);
    assert_eq!(report["difference"], "argument 1 differs", "{report:#}");
}

fn results_that_later_calls_take_over_may_be_addresses() {
    let heap = |at: u32| {
        format!(
            r#"(module (memory (export "memory") 1) (data (i32.const {at}) "static data")
              (func (export "malloc") (param i32) (result i32) (i32.const {heap}))
              (func (export "first") (param i32) (result i32) (i32.load8_u (local.get 0))))"#,
            heap = at + 64
        )
    };
    let options = ["--alloc", "malloc", "--invoke", "first \"z\"", "--json"];
    let report = json(&builds(&heap(16), &heap(512), &options), 0);
    assert_eq!(report["layout"]["same"], false, "{report:#}");
}

fn functions_without_names_are_found_by_their_shape() {
    let helper = |value: u32| {
        format!(
            "(func (param i32) (i32.store offset=12 (local.get 0) (i32.const 1000)) (i32.store offset=16 (local.get 0) (i32.const 2000))
             (i32.store offset=20 (local.get 0) (i32.const {value})) (i32.store offset=24 (local.get 0) (i32.const 4000)))"
        )
    };
    let lhs = format!(
        r#"(module (memory 1) {} (func (export "run") (result i32) (call 0 (i32.const 0)) (i32.load (i32.const 20))))"#,
        helper(3000)
    );
    let rhs = format!(
        r#"(module (memory 1) (func) (func (export "run") (result i32) (call 2 (i32.const 0)) (i32.load (i32.const 20))) {})"#,
        helper(3001)
    );
    let report = report(&lhs, &rhs, 1);
    let place = &report["places"][0];
    assert_eq!(place["same_function"], "shape", "{report:#}");
    assert_eq!(place["lhs"]["counterpart"]["function"], 2);
    assert_eq!(sites(place), ["func[0]", "func[2]"]);
}

fn each_build_has_an_engine_of_its_own() {
    let folder = folder_with(&[("lhs.wat", SIGN_TWICE.as_bytes()), ("rhs.wat", SIGN_TWICE.as_bytes())]);
    let engines = |options: &[&str]| {
        let mut command = vec!["compare", "lhs.wat", "rhs.wat", "--invoke", "run 6", "--json"];
        command.extend(options);
        let report = json(&run(folder.path(), &command), 0);
        ["lhs", "rhs"].map(|side| report[side]["run"]["engine"].as_str().unwrap_or_default().to_string())
    };
    assert_eq!(engines(&[]), ["wasmtime:jit", "wasmtime:jit"]);
    assert_eq!(engines(&["--lhs", "wasmi"]), ["wasmi", "wasmi"]);
    assert_eq!(engines(&["--rhs", "wasmi"]), ["wasmtime:jit", "wasmi"]);
    // Of one module, as before.
    let report = json(&run(folder.path(), &["compare", "lhs.wat", "--invoke", "run 6", "--json"]), 0);
    assert_eq!(report["rhs"]["engine"], "wasmtime:aot");
}

fn traces_of_two_builds_are_compared_alike() {
    let changed = SIGN_TWICE.replace("65419", "65420");
    let folder = folder_with(&[("lhs.wat", SIGN_TWICE.as_bytes()), ("rhs.wat", changed.as_bytes())]);
    let compare = ["compare", "lhs.wat", "rhs.wat", "--invoke", "run 6", "-o", ".", "--json"];
    let mut compared = json(&run(folder.path(), &compare), 1);
    let mut diffed = json(&run(folder.path(), &["diff", "lhs.fpt", "rhs.fpt", "--json"]), 1);
    for report in [&mut compared, &mut diffed] {
        report["guard"].take();
    }
    assert_eq!(compared, diffed);
    // Traces that leave out events cannot tell what happened in between.
    let window = ["record", "lhs.wat", "--invoke", "run 6", "-q", "-o", "other.fpt"];
    assert_eq!(run(folder.path(), &window).code, 0);
    let report = json(&run(folder.path(), &["diff", "other.fpt", "rhs.fpt", "--json"]), 1);
    assert_eq!(report["verdict"], "result");
}

fn runs_that_were_ended_give_no_answer() {
    let endless = module("(loop $l (i32.store (i32.const 0) (i32.const 1)) (br $l))");
    let ran = builds(&module(""), &endless, &["--invoke", "run", "--timeout", "300ms"]);
    assert_eq!(ran.code, 2, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.starts_with("No answer: one side was ended from outside"), "{}", ran.stdout);
    let deep = r#"(module (memory 1) (func $f (export "run") (i32.store (i32.const 0) (i32.const 1)) (call $f)))"#;
    let ran = builds(&module(""), deep, &["--invoke", "run"]);
    assert!(ran.code == 2 && ran.stdout.contains("ran out of memory or stack"), "{}{}", ran.stdout, ran.stderr);
}

fn questions_without_sense_are_refused() {
    let refused = |lhs: &str, rhs: &str, options: &[&str], words: &str| {
        let ran = builds(lhs, rhs, options);
        assert!(ran.code == 2 && ran.stderr.contains(words), "{words}: {} {}{}", ran.code, ran.stdout, ran.stderr);
    };
    let one = module("");
    let call = ["--invoke", "run"];
    refused(&one, "(module)", &call, "the module exports no function `run`");
    refused(&one, &module("(param i32)"), &call, "the other build must take the same calls");
    refused(&one, &module("(i32.const 1)"), &call, "rhs.wat is not a valid module, so nothing of it runs");
    let with = |option: &[&'static str]| [&call[..], option].concat();
    refused(&one, &one, &with(&["--host", "live"]), "leave out --host live");
    refused(&one, &one, &with(&["--format", "junit"]), "leave out --format");
    refused(&one, &one, &with(&["--engines", "wasmtime:jit;wasmi"]), "cannot be used with");
    refused(&one, &one, &with(&["--keep", "window"]), "cannot be used with");
    let folder = folder_with(&[("a.wat", one.as_bytes()), ("b.wast", b"(module)")]);
    let ran = run(folder.path(), &["compare", "a.wat", "b.wast", "--invoke", "run"]);
    assert!(ran.code == 2 && ran.stderr.contains("a .wast file is a script"), "{}", ran.stderr);
    // The output is never an input.
    let ran = run(folder.path(), &["compare", "a.wat", &repository_text("no/such.wat"), "--invoke", "run"]);
    assert!(ran.code == 2 && ran.stderr.contains("reading the module"), "{}", ran.stderr);
}

fn every_verdict_is_documented() {
    let document = fs::read_to_string(common::repository("docs/json.md")).expect("the document");
    for verdict in BuildVerdict::ALL {
        let row = format!("| `{verdict}` | {} |\n", verdict.meaning());
        assert!(document.contains(&row), "docs/json.md lacks {row}");
    }
}
