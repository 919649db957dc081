//! Comparisons that begin with digests: they give the answers of full recordings.

mod common;

use common::{Ran, folder_with, run};
use serde_json::Value;

/// Stores of every width, bulk instructions, growth, two memories and a host call, for more events than a digest covers.
/// What it stores in the middle shows whether memory could grow.
const BUSY: &[u8] = br#"(module
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1) (memory $second 1)
    (data $text "half way\n")
    (func $store (param $at i32) (param $value i64)
      (i32.store8 (local.get $at) (i32.wrap_i64 (local.get $value)))
      (i64.store offset=8 (local.get $at) (local.get $value))
      (f32.store offset=16 (local.get $at) (f32.convert_i64_u (local.get $value)))
      (v128.store offset=32 (local.get $at) (i64x2.splat (local.get $value)))
      (i32.store16 $second (local.get $at) (i32.const 7)))
    (func $half_way
      (memory.init $text (i32.const 1024) (i32.const 0) (i32.const 9))
      (data.drop $text)
      (i32.store (i32.const 2048) (i32.const 1024))
      (i32.store (i32.const 2052) (i32.const 9))
      (drop (call $write (i32.const 1) (i32.const 2048) (i32.const 1) (i32.const 2056)))
      (i32.store (i32.const 4096) (memory.grow (i32.const 1)))
      (memory.fill (i32.const 8192) (i32.const 3) (i32.const 5000))
      (memory.copy $second 0 (i32.const 0) (i32.const 8192) (i32.const 100)))
    (func (export "run") (param $turns i32) (result i64) (local $turn i32)
      (loop $again
        (call $store (i32.rem_u (i32.mul (local.get $turn) (i32.const 48)) (i32.const 1000)) (i64.extend_i32_u (local.get $turn)))
        (if (i32.eq (i32.shl (local.get $turn) (i32.const 1)) (local.get $turns)) (then (call $half_way)))
        (br_if $again (i32.lt_u (local.tee $turn (i32.add (local.get $turn) (i32.const 1))) (local.get $turns))))
      (i64.load (i32.const 8))))"#;

/// The report of a comparison, and whether digests gave it.
fn compare(folder: &std::path::Path, arguments: &[&str]) -> (Ran, Value, bool) {
    let ran = run(folder, &[&["compare", "m.wat", "--json"], arguments].concat());
    let mut report: Value = serde_json::from_str(&ran.stdout).unwrap_or_default();
    let by_digests = report["by_digests"].take();
    // After digests the left side is answered from a recording, too: its own.
    report["not_asked"].take();
    (ran, report, by_digests == true)
}

#[test]
fn runs_that_agree_need_no_recording() {
    let folder = folder_with(&[("m.wat", BUSY)]);
    for engine in ["wasmtime:aot", "wasmtime:winch-jit", "wasmi"] {
        let asked = ["--invoke", "run 220000", "--rhs", engine];
        let (ran, report, by_digests) = compare(folder.path(), &asked);
        assert!(ran.code == 0 && by_digests, "{engine}: {ran:?}");
        let (_, full, by_digests) = compare(folder.path(), &[&asked[..], &["--keep", "full"]].concat());
        assert!(!by_digests);
        assert_eq!(report, full, "{engine}");
        assert!(report["rhs"]["events"].as_u64() > Some(1_100_000), "{report:#}");
    }
}

#[test]
fn runs_that_diverge_are_recorded_in_full() {
    let folder = folder_with(&[("m.wat", BUSY)]);
    // Memory cannot grow on the right, which shows half way.
    let asked = ["--invoke", "run 220000", "--rhs-memory-page-limit", "1"];
    let (ran, report, by_digests) = compare(folder.path(), &asked);
    assert!(ran.code == 1 && !by_digests, "{ran:?}");
    let (_, full, _) = compare(folder.path(), &[&asked[..], &["--keep", "full"]].concat());
    assert_eq!(report, full);
    assert!(report["position"].as_u64() > Some(550_000), "{report:#}");
}

/// Where memory cannot grow on the right shows half way, behind more events than a stretch of digests has.
const PARTS: [&str; 4] = ["--invoke", "run 600000", "--rhs-memory-page-limit", "1"];

#[test]
fn a_window_around_the_divergence_shows_what_whole_traces_show() {
    let folder = folder_with(&[("m.wat", BUSY)]);
    for rhs in ["wasmtime:aot", "wasmi"] {
        let asked = [&PARTS[..], &["--rhs", rhs]].concat();
        let (_, full, _) = compare(folder.path(), &[&asked[..], &["--keep", "full", "-o", "full"]].concat());
        let (ran, report, _) = compare(folder.path(), &[&asked[..], &["--keep", "window", "-o", "window"]].concat());
        assert_eq!((ran.code, &report), (1, &full), "{rhs}");
        let size = |file: &str| std::fs::metadata(folder.path().join(file)).expect("a trace").len();
        assert!(size("window/rhs.fpt") < size("full/rhs.fpt"), "{rhs}");
    }

    // Two windows are enough to show it once more.
    let window = ["window/lhs.fpt", "window/rhs.fpt"];
    let ran = run(folder.path(), &["diff", window[0], window[1], "--json"]);
    let report: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert!(ran.code == 1 && report["position"].as_u64() > Some(1_500_000), "{ran:?}");
    // A whole trace has no digests of what a window leaves out.
    let ran = run(folder.path(), &["diff", window[0], "full/rhs.fpt"]);
    assert!(ran.code == 2 && ran.stderr.contains("record both sides with `--keep full`"), "{ran:?}");

    let ran = run(folder.path(), &["info", "--verify", "--json", window[0]]);
    let info: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(info["left_out"].as_array().map(Vec::len), Some(2), "{info:#}");
    let from = |gap: usize| info["left_out"][gap][0].to_string();
    let ran = run(folder.path(), &["dump", window[0], "--from", &from(0), "--to", &from(1)]);
    assert!(ran.code == 0 && ran.stderr.contains("this trace leaves out the events from #"), "{:?}", ran.stderr);
    assert!(ran.stdout.contains("memory.grow by 1"), "{:?}", ran.stdout);
    // The host's answer comes from a call half way, and a run is repeated from the file alone.
    let ran = run(folder.path(), &["replay", window[0], "--echo"]);
    assert!(ran.code == 0 && ran.stdout.contains("half way\nThe runs agree"), "{ran:?}");
    let ran = run(folder.path(), &["replay", window[0], "--engine", "wasmi"]);
    assert_eq!(ran.code, 0, "{ran:?}");
}

/// The host is asked before the first store, and the runs part in the first stretch of events.
#[test]
fn a_window_at_the_beginning_holds_what_comes_before_the_first_store() {
    let module = br#"(module
        (import "wasi_snapshot_preview1" "args_sizes_get" (func $sizes (param i32 i32) (result i32)))
        (memory (export "memory") 1)
        (func (export "run") (param $turns i32)
          (drop (call $sizes (i32.const 0) (i32.const 4)))
          (i32.store (i32.const 8) (i32.const 1))
          (drop (call $sizes (i32.const 0) (i32.const 4)))
          (f32.store (i32.const 12) (f32.div (f32.load (i32.const 1024)) (f32.load (i32.const 1024))))
          (loop $again
            (i32.store (i32.const 16) (local.get $turns))
            (br_if $again (local.tee $turns (i32.sub (local.get $turns) (i32.const 1)))))))"#;
    let folder = folder_with(&[("m.wat", module)]);
    let rhs = "wasmtime:jit,nan-canonicalization=on";
    let asked = ["--invoke", "run 1500000", "--rhs", rhs, "--nan-bits", "stop", "--keep", "window", "-o", "kept"];
    let (ran, report, _) = compare(folder.path(), &asked);
    assert_eq!(ran.code, 1, "{ran:?}");
    let info = run(folder.path(), &["info", "kept/lhs.fpt", "--json"]);
    let info: Value = serde_json::from_str(&info.stdout).unwrap_or_default();
    let gaps = info["left_out"].as_array().map(Vec::as_slice).unwrap_or_default();
    let first = gaps.first().and_then(|gap| gap["from"].as_u64().or_else(|| gap[0].as_u64()));
    assert!(first > report["position"].as_u64(), "the only events left out come later: {info:#}");
}

#[test]
fn who_wrote_there_last_is_known_or_said_to_be_unknown() {
    // The bytes at 16 are written first, then comes a long run without them.
    let module = br#"(module (memory (export "memory") 1) (global $x v128 (v128.const f32x4 1.1 1.3 1.7 3.3))
        (func (export "run") (param $n i32) (local $i i32)
          (v128.store (i32.const 16) (global.get $x))
          (loop $l
            (i32.store offset=64 (i32.and (local.get $i) (i32.const 0x7ff0)) (local.get $i))
            (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
          (v128.store (i32.const 16) (f32x4.relaxed_madd (global.get $x) (global.get $x) (v128.load (i32.const 16))))))"#;
    let folder = folder_with(&[("m.wat", module)]);
    let asked = ["--invoke", "run 900000", "--rhs", "wasmtime:jit,target=portable", "--keep"];
    let report = |more: &[&str]| compare(folder.path(), &[&asked[..], more].concat()).1;
    let (full, window) = (report(&["full"]), report(&["window"]));
    assert_eq!((&full["verdict"], &full["last_writer"]["position"]), (&"value".into(), &5.into()), "{full:#}");
    assert_eq!(window, full);
    let unasked = report(&["window", "--no-reruns"]);
    assert!(unasked["last_writer"].is_null() && unasked["written_before"].as_u64() > Some(6), "{unasked:#}");
}

#[test]
fn a_trap_takes_no_difference_along() {
    let folder = folder_with(&[(
        "m.wat",
        br#"(module (memory 1)
            (func (export "run") (param i32)
              (i32.store (i32.const 0) (memory.grow (i32.const 1)))
              (drop (i32.div_u (i32.const 1) (local.get 0))))
            (func (export "rest") (drop (memory.grow (i32.const 0)))))"#,
    )]);
    let limit = ["--rhs-memory-page-limit", "1"];
    // The store that differs is lost with the trap in a module that commits at calls, whatever comes after it.
    for calls in [&["--invoke", "run 0"][..], &["--invoke", "run 0", "--invoke", "rest"]] {
        let (ran, report, by_digests) = compare(folder.path(), &[calls, &limit].concat());
        assert!(ran.code == 1 && !by_digests, "{ran:?}");
        assert_eq!(report["position"], 5, "{report:#}");
        let (ran, report, by_digests) = compare(folder.path(), calls);
        assert!(ran.code == 0 && !by_digests && report["agree"] == true, "{ran:?}");
    }
}

#[test]
fn many_engines_agree_by_digests_too() {
    let folder = folder_with(&[("m.wat", BUSY)]);
    let asked =
        ["compare", "m.wat", "--invoke", "run 1000", "--engines", "wasmtime:jit;wasmtime:aot;wasmi", "--json"];
    let report = |more: &[&str]| {
        let ran = run(folder.path(), &[&asked[..], more].concat());
        assert_eq!(ran.code, 0, "{ran:?}");
        serde_json::from_str::<Value>(&ran.stdout).expect("JSON")
    };
    assert_eq!(report(&[]), report(&["--keep", "full"]));
}

/// One engine of four parts from the others, behind a long beginning.
#[test]
fn windows_show_which_engine_parts() {
    let module = br#"(module (memory (export "memory") 1)
        (func (export "run") (param $turns i32) (local $turn i32)
          (loop $again
            (i32.store (i32.rem_u (i32.mul (local.get $turn) (i32.const 48)) (i32.const 60000)) (local.get $turn))
            (if (i32.eq (local.get $turn) (i32.const 900000))
              (then (f32.store (i32.const 8) (f32.div (f32.load (i32.const 65000)) (f32.load (i32.const 65004))))))
            (br_if $again (i32.lt_u (local.tee $turn (i32.add (local.get $turn) (i32.const 1))) (local.get $turns))))))"#;
    let folder = folder_with(&[("m.wat", module)]);
    let engines = "wasmtime:jit;wasmtime:jit,nan-canonicalization=on;wasmi;wasmtime:aot";
    let asked = ["compare", "m.wat", "--invoke", "run 3000000", "--nan-bits", "stop", "--json", "--engines", engines];
    let report = |more: &[&str]| {
        let ran = run(folder.path(), &[&asked[..], more].concat());
        serde_json::from_str::<Value>(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
    };
    let [full, window] = ["full", "window"].map(|keep| report(&["--keep", keep, "-o", "kept"]));
    assert_eq!(window, full);
    assert!(full["groups"].as_array().is_some_and(|groups| groups.len() > 1), "{full:#}");
    let traces: Vec<_> = std::fs::read_dir(folder.path().join("kept")).expect("traces").flatten().collect();
    assert_eq!(traces.len(), 4);
    for trace in traces {
        let info = run(folder.path(), &["info", "--json", &trace.path().to_string_lossy()]);
        let info: Value = serde_json::from_str(&info.stdout).expect("JSON");
        assert_eq!(info["left_out"].as_array().map(Vec::len), Some(2), "{info:#}");
    }
}

#[test]
fn traces_cannot_be_kept_that_are_not_made() {
    let folder = folder_with(&[("m.wat", BUSY)]);
    let ran = run(folder.path(), &["compare", "m.wat", "--invoke", "run 2", "-o", "out", "--keep", "none"]);
    assert!(ran.code == 2 && ran.stderr.contains("leave out one of them"), "{ran:?}");
    let ran = run(folder.path(), &["compare", "m.wat", "--invoke", "run 2", "-o", "out"]);
    assert!(ran.code == 0 && folder.path().join("out/lhs.fpt").exists(), "{ran:?}");
}

/// What differs lies far before the trap, or there is no difference: neither takes a full recording.
#[test]
fn long_runs_that_trap_are_compared_by_digests_and_windows() {
    let module = br#"(module (memory (export "memory") 1)
        (func (export "run") (param $turns i32) (local $turn i32)
          (loop $again
            (i32.store (i32.rem_u (i32.mul (local.get $turn) (i32.const 48)) (i32.const 60000)) (local.get $turn))
            (i32.store offset=4 (i32.const 16) (i32.div_s (i32.const 100) (i32.sub (local.get $turns) (local.get $turn))))
            (if (i32.eq (local.get $turn) (i32.const 400000))
              (then (i32.store (i32.const 8) (memory.grow (i32.const 1)))))
            (local.set $turn (i32.add (local.get $turn) (i32.const 1)))
            (br $again))))"#;
    let folder = folder_with(&[("m.wat", module)]);
    for rhs in ["wasmtime:aot", "wasmtime:winch-jit", "wasmi"] {
        let asked = ["--invoke", "run 1000000", "--rhs", rhs];
        let (_, full, _) = compare(folder.path(), &[&asked[..], &["--keep", "full"]].concat());
        let (ran, report, by_digests) = compare(folder.path(), &[&asked[..], &["--keep", "window"]].concat());
        assert!(ran.code == 0 && by_digests, "{rhs}: {ran:?}");
        assert_eq!(report, full, "{rhs}");
        let limited = [&asked[..], &["--rhs-memory-page-limit", "1"]].concat();
        let (_, full, _) = compare(folder.path(), &[&limited[..], &["--keep", "full"]].concat());
        let (ran, report, _) = compare(folder.path(), &[&limited[..], &["--keep", "window", "-o", rhs]].concat());
        assert_eq!((ran.code, &report), (1, &full), "{rhs}");
        let info = run(folder.path(), &["info", "--verify", "--json", &format!("{rhs}/lhs.fpt")]);
        let info: Value = serde_json::from_str(&info.stdout).expect("JSON");
        assert!(info["left_out"].as_array().is_some_and(|gaps| !gaps.is_empty()), "{info:#}");
    }
}

/// What the host answered before a run was cut off is known, so a second run of it needs no host.
#[test]
fn host_calls_before_the_end_of_a_run_that_is_cut_off_are_kept() {
    let module = br#"(module
        (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (data (i32.const 8) "hello\n") (data (i32.const 0) "\08\00\00\00\06\00\00\00")
        (func (export "run")
          (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 32)))
          (loop $again (br $again))))"#;
    let folder = folder_with(&[("m.wat", module)]);
    let asked = ["--invoke", "run", "--rhs", "wasmtime:aot", "--timeout", "1s", "--no-guard", "--no-reruns"];
    let (ran, report, _) = compare(folder.path(), &asked);
    assert_eq!(
        (ran.code, &report["lhs"]["outcome"], &report["rhs"]["outcome"]),
        (2, &"timed out".into(), &"timed out".into()),
        "{report:#}"
    );
}
