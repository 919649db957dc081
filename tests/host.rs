//! Host calls, recorded once and replayed in other runs.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod common;

use common::{folder_with, run};
use serde_json::Value;
use std::path::Path;

/// Engines that a recording is replayed under.
const ENGINES: &[&str] = &["wasmtime:jit", "wasmtime:aot,opt=none", "wasmi"];

const IMPORTS: &str = r#"
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_close" (func $fd_close (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get" (func $args (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
"#;

/// Records a guest with a checkpoint around every host call, moves the recording to an empty folder, and replays it
/// there under every engine. Returns all its events, as `dump` prints them.
fn record_and_replay(body: &str, options: &[&str]) -> String {
    let guest = format!("(module {IMPORTS} {body})");
    let folder = folder_with(&[("guest.wat", guest.as_bytes()), ("file", b"twelve bytes")]);
    let mut arguments = vec!["record", "guest.wat", "--dir", "."];
    if !options.contains(&"--checkpoint") {
        arguments.extend(["--checkpoint", "calls"]);
    }
    arguments.extend(options);
    let recorded = run(folder.path(), &arguments);
    // Code 1 would mean a byte that changed without an event.
    assert_eq!(recorded.code, 0, "{}{}", recorded.stdout, recorded.stderr);
    let empty = folder_with(&[]);
    std::fs::rename(folder.path().join("guest.fpt"), empty.path().join("g.fpt")).unwrap();
    drop(folder);
    let verified = run(empty.path(), &["info", "--verify", "g.fpt"]);
    assert_eq!(verified.code, 0, "{}{}", verified.stdout, verified.stderr);
    for engine in ENGINES {
        let replayed = run(empty.path(), &["replay", "g.fpt", "--engine", engine]);
        assert_eq!(replayed.code, 0, "{engine}: {}{}", replayed.stdout, replayed.stderr);
    }
    run(empty.path(), &["dump", "g.fpt"]).stdout
}

/// Guests whose memory has "file" at 16, and at 64 the buffers (at 256, 3 bytes) and (at 512, 100 bytes).
const FILE: &str = r#"(memory (export "memory") 1)
  (data (i32.const 16) "file")
  (data (i32.const 64) "\00\01\00\00\03\00\00\00\00\02\00\00\64\00\00\00")
  (func $open (result i32)
    (drop (call $path_open (i32.const 3) (i32.const 0) (i32.const 16) (i32.const 4) (i32.const 0) (i64.const 2)
      (i64.const 0) (i32.const 0) (i32.const 32)))
    (i32.load (i32.const 32)))"#;

#[test]
fn a_read_writes_buffer_and_count() {
    let dump = record_and_replay(
        &format!(
            r#"{FILE} (func (export "_start")
              (drop (call $fd_read (call $open) (i32.const 64) (i32.const 2) (i32.const 40)))
              (drop (call $fd_read (i32.load (i32.const 32)) (i32.const 72) (i32.const 1) (i32.const 40)))
              (drop (call $fd_close (i32.load (i32.const 32)))))"#
        ),
        &[],
    );
    assert!(dump.contains(r#"path_open(fd=3, dirflags=0, path="file", oflags=0"#), "{dump}");
    assert!(dump.contains("host write [0x00000100; 3] <- 74 77 65\n"), "{dump}");
    assert!(dump.contains("host write [0x00000200; 9] <- 6c 76 65 20 62 79 74 65 73\n"), "{dump}");
    assert!(dump.contains("host write [0x00000028; 4] <- 09 00 00 00\n"), "{dump}");
}

#[test]
fn more_than_one_range_is_written() {
    let dump = record_and_replay(
        r#"(memory (export "memory") 1) (func (export "_start")
          (drop (call $args_sizes (i32.const 0) (i32.const 4)))
          (drop (call $args (i32.const 16) (i32.const 64))))"#,
        &["--", "one", "two"],
    );
    assert!(dump.contains("host write [0x00000000; 4] <- 03 00 00 00\n"), "{dump}");
    assert!(dump.contains("host write [0x00000010; 12] <- 40 00 00 00 4a 00 00 00 4e 00 00 00\n"), "{dump}");
    assert!(dump.contains("host write [0x00000040; 18] <- 67 75 65 73 74"), "{dump}");
}

#[test]
fn a_call_that_fails_and_one_that_writes_nothing() {
    let dump = record_and_replay(
        r#"(memory (export "memory") 1) (func (export "_start")
          (i32.store (i32.const 8) (call $fd_close (i32.const 99)))
          (i32.store (i32.const 12) (call $fd_read (i32.const 99) (i32.const 0) (i32.const 0) (i32.const 16)))
          (i32.store (i32.const 12) (call $random (i32.const 0) (i32.const 0))))"#,
        &[],
    );
    assert!(dump.contains("fd_close -> badf") && dump.contains("fd_read -> badf"), "{dump}");
    assert!(dump.contains("random_get(buf_len=0)") && !dump.contains("host write"), "{dump}");
}

#[test]
fn a_guest_that_exits_in_the_middle() {
    let dump = record_and_replay(
        r#"(memory (export "memory") 1) (func (export "_start")
          (i32.store (i32.const 8) (i32.const 1)) (call $exit (i32.const 7)) (i32.store (i32.const 8) (i32.const 2)))"#,
        &[],
    );
    assert!(dump.contains("proc_exit(rval=7)") && dump.contains("exit with code 7"), "{dump}");
    assert_eq!(dump.matches("i32.store").count(), 1, "{dump}");
}

#[test]
fn a_read_into_the_very_end_of_memory() {
    let dump = record_and_replay(
        r#"(memory (export "memory") 1) (func (export "_start")
          (drop (call $random (i32.const 65530) (i32.const 6)))
          (drop (call $clock (i32.const 0) (i64.const 1) (i32.const 65528))))"#,
        &[],
    );
    assert!(dump.contains("host write [0x0000fffa; 6]") && dump.contains("host write [0x0000fff8; 8]"), "{dump}");
}

#[test]
fn empty_and_overlapping_buffers() {
    let dump = record_and_replay(
        &format!(
            r#"{FILE} (func (export "_start")
              ;; Of no bytes, then two that overlap.
              (i64.store (i32.const 128) (i64.const 300))
              (i64.store (i32.const 136) (i64.const 0x0000_0008_0000_012c))
              (i64.store (i32.const 144) (i64.const 0x0000_0008_0000_0130))
              (drop (call $fd_read (call $open) (i32.const 128) (i32.const 3) (i32.const 40)))
              (drop (call $fd_write (i32.const 1) (i32.const 128) (i32.const 3) (i32.const 40))))"#
        ),
        &[],
    );
    assert!(dump.contains("host write [0x0000012c; 8] <- 74 77 65 6c 76 65 20 62\n"), "{dump}");
    assert!(dump.contains("fd_write(fd=1, iovs="), "{dump}");
}

#[test]
fn a_call_in_the_start_function_and_growth_between_calls() {
    let dump = record_and_replay(
        r#"(memory (export "memory") 1) (start $first)
          (func $first (drop (call $random (i32.const 0) (i32.const 4))))
          (func (export "_start")
            (drop (call $random (i32.const 65532) (i32.const 4)))
            (drop (memory.grow (i32.const 1)))
            (drop (call $random (i32.const 131068) (i32.const 4))))"#,
        &[],
    );
    assert!(dump.contains("call (start)()") && dump.contains("host write [0x0001fffc; 4]"), "{dump}");
}

#[test]
fn a_poll_writes_its_events() {
    let dump = record_and_replay(
        r#"(memory (export "memory") 1) (func (export "_start")
          ;; One subscription to the monotonic clock, which comes at once.
          (i64.store (i32.const 0) (i64.const 5)) (i32.store (i32.const 16) (i32.const 1))
          (drop (call $poll (i32.const 0) (i32.const 128) (i32.const 1) (i32.const 96))))"#,
        &[],
    );
    assert!(
        dump.contains("host write [0x00000080; 32] <- 05 00") && dump.contains("[0x00000060; 4] <- 01"),
        "{dump}"
    );
}

#[test]
fn hooks_and_read_back_are_replayed_alike() {
    for options in [&["--hooks"][..], &["--read-back"], &["--checkpoint", "every=10"]] {
        record_and_replay(
            r#"(memory (export "memory") 1) (func (export "_start") (local $i i32)
              (loop $again
                (drop (call $random (i32.const 0) (i32.const 4)))
                (i32.store (local.get $i) (i32.load (i32.const 0)))
                (br_if $again (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 4))) (i32.const 400)))))"#,
            options,
        );
    }
}

/// Every call of a list leaves its result or its trap, and a trap does not prevent the calls after it.
#[test]
fn a_reactor_is_initialized_and_called_many_times() {
    let dump = record_and_replay(
        r#"(memory (export "memory") 1) (global $n (mut i32) (i32.const 0))
          (func (export "_initialize") (drop (call $random (i32.const 0) (i32.const 4))) (global.set $n (i32.const 40)))
          (func (export "next") (result i32)
            (global.set $n (i32.add (global.get $n) (i32.const 1))) (global.get $n))
          (func (export "fail") (i32.store (i32.const 8) (i32.const 1)) unreachable)"#,
        &["--invoke", "next", "--invoke", "fail", "--invoke", "next"],
    );
    let steps: Vec<&str> =
        ["call _initialize()", "call next()", "return 41", "call fail()", "trap: unreachable", "return 42"]
            .into_iter()
            .filter(|step| !dump.contains(step))
            .collect();
    assert!(steps.is_empty(), "{steps:?} are missing in\n{dump}");
}

const TICKS: &str = r#"(memory (export "memory") 1)
  (data (i32.const 64) "\80\00\00\00\05\00\00\00") (data (i32.const 128) "time\n")
  (func (export "_start")
    (drop (call $clock (i32.const 0) (i64.const 1) (i32.const 0)))
    (i64.store (i32.const 16) (i64.load (i32.const 0)))
    (drop (call $fd_write (i32.const 1) (i32.const 64) (i32.const 1) (i32.const 40))))"#;

fn guest(body: &str) -> Vec<u8> {
    format!("(module {IMPORTS} {body})").into_bytes()
}

#[test]
fn two_live_runs_part_where_the_world_does_and_pinned_ones_agree() {
    let folder = folder_with(&[("ticks.wat", &guest(TICKS))]);
    let live = run(folder.path(), &["compare", "ticks.wat", "--host", "live", "--json"]);
    let report: Value = serde_json::from_str(&live.stdout).unwrap();
    assert_eq!((live.code, &report["verdict"]), (1, &"host-write".into()), "{}", live.stdout);
    assert_eq!(report["host_call"], "clock_time_get(id=0, precision=1)", "{}", live.stdout);
    for engine in ENGINES {
        let pinned = run(folder.path(), &["compare", "ticks.wat", "--rhs", engine]);
        assert_eq!(pinned.code, 0, "{engine}: {}{}", pinned.stdout, pinned.stderr);
    }
    // Both sides are an engine without its own host.
    let both = run(folder.path(), &["compare", "ticks.wat", "--lhs", "wasmi", "--rhs", "wasmi"]);
    assert_eq!(both.code, 0, "{}{}", both.stdout, both.stderr);
}

/// The place of a host call is the calling instruction, in every way of recording.
#[test]
fn host_calls_have_places() {
    let folder = folder_with(&[("ticks.wat", &guest(TICKS))]);
    let mut places = Vec::new();
    for engine in ["wasmtime:jit", "wasmtime:pulley-aot", "wasmi"].into_iter().chain(has_node().then_some("node")) {
        let ran = run(folder.path(), &["record", "ticks.wat", "-q", "-e", engine, "-o", "t.fpt"]);
        assert_eq!(ran.code, 0, "{engine}: {}", ran.stderr);
        let dump = run(folder.path(), &["dump", "t.fpt", "--json"]);
        let lines = dump.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let calls = lines.filter(|line| line["event"].as_str().is_some_and(|event| event.starts_with("fd_write(")));
        places.push(calls.map(|call| (call["function"].as_u64(), call["offset"].as_u64())).collect::<Vec<_>>());
    }
    assert_eq!(places[0].len(), 1);
    let (function, offset) = places[0][0];
    let module = wat::parse_bytes(&guest(TICKS)).unwrap().into_owned();
    let offset = offset.expect("a place") as usize;
    assert_eq!(module[offset], 0x10, "a call");
    assert!(u64::from(module[offset + 1]) < function.expect("a function"), "of an import");
    assert!(places.iter().all(|there| *there == places[0]), "{places:?}");
}

fn has_node() -> bool {
    common::has_program("node", "--version")
}

#[test]
fn replay_prints_only_when_asked_to() {
    let folder = folder_with(&[("ticks.wat", &guest(TICKS))]);
    let recorded = run(folder.path(), &["record", "ticks.wat", "-q"]);
    assert_eq!((recorded.code, recorded.stdout.as_str()), (0, "time\n"));
    let quiet = run(folder.path(), &["replay", "ticks.fpt"]);
    assert!(quiet.code == 0 && !quiet.stdout.contains("time\n"), "{}", quiet.stdout);
    let echo = run(folder.path(), &["replay", "ticks.fpt", "--echo"]);
    assert!(echo.code == 0 && echo.stdout.starts_with("time\n"), "{}", echo.stdout);
}

/// Records one guest, puts the module of another into the recording, and replays it.
#[test]
fn a_guest_that_asks_for_something_else_diverges_there() {
    let one = TICKS;
    let other_text = one.replace("time\\n", "TIME\\n");
    let other_call = one.replace("call $fd_write (i32.const 1)", "call $fd_write (i32.const 2)");
    let more = one.replace("(i32.const 40))))", "(i32.const 40))) (drop (call $fd_close (i32.const 9))))");
    for (body, words) in [
        (&other_text, r#"fd_write(fd=1, iovs="TIME\n")"#),
        (&other_call, r#"fd_write(fd=2, iovs="time\n")"#),
        (&more, "fd_close(fd=9)"),
    ] {
        let folder = folder_with(&[("a.wat", &guest(one)), ("b.wat", &guest(body))]);
        for name in ["a", "b"] {
            assert_eq!(run(folder.path(), &["record", &format!("{name}.wat"), "-q"]).code, 0);
        }
        transplant(&folder.path().join("a.fpt"), &folder.path().join("b.fpt"), &folder.path().join("mixed.fpt"));
        let replayed = run(folder.path(), &["replay", "mixed.fpt", "--json"]);
        let report: Value = serde_json::from_str(&replayed.stdout).unwrap();
        assert_eq!((replayed.code, &report["verdict"]), (1, &"host-call".into()), "{}", replayed.stdout);
        assert!(report["rhs"]["event"].as_str().unwrap().contains(words), "{}", replayed.stdout);
        assert_eq!(
            report["rhs"]["outcome"], "ended at a host call that is missing from the recording",
            "{}",
            replayed.stdout
        );
    }
}

/// Writes a trace with the events of one and the module of another.
fn transplant(events: &Path, module: &Path, mixed: &Path) {
    use forkpoint_traces::{ModuleInfo, TraceError, TraceReader, TraceWriter};
    let mut events = TraceReader::open(events).unwrap();
    let module = TraceReader::open(module).unwrap();
    let mut header = module.header().clone();
    header.module = ModuleInfo::of("mixed", module.module());
    let sites = module.sites().iter().map(|(_, site)| site.clone()).collect();
    let mut writer =
        TraceWriter::create(mixed, &header, module.module().clone(), sites, module.data().to_vec()).unwrap();
    for chunk in 0..events.chunks().len() {
        events.read_chunk(chunk, |event| writer.push(&event)).map_err(|error: TraceError| error).unwrap();
    }
    writer.finish(forkpoint_traces::EngineWords::default()).unwrap();
}

/// A damaged, cut or changed host log is refused or diverges: it never agrees, and nothing panics.
#[test]
fn a_tampered_host_log_never_agrees() {
    use forkpoint_traces::{HostEvent, RawEvent, SiteId, TraceError, TraceReader, TraceWriter};
    let folder = folder_with(&[("ticks.wat", &guest(TICKS))]);
    assert_eq!(run(folder.path(), &["record", "ticks.wat", "-q"]).code, 0);
    let original = folder.path().join("ticks.fpt");
    let mut trace = TraceReader::open(&original).unwrap();
    let mut events = Vec::new();
    for chunk in 0..trace.chunks().len() {
        let mut keep = |event: RawEvent| {
            events.push((event.site, event.operands, event.blob.to_vec()));
            Ok::<(), TraceError>(())
        };
        trace.read_chunk(chunk, &mut keep).unwrap();
    }
    let host: Vec<usize> = (0..events.len()).filter(|at| events[*at].0 == SiteId::HOST).collect();
    let mut variants = Vec::new();
    for &at in &host {
        // Left out, repeated, and swapped with the next step.
        let mut without = events.clone();
        without.remove(at);
        variants.push(without);
        let step = HostEvent::decode(&events[at].2).unwrap();
        // Writing the same bytes twice changes nothing.
        if !matches!(step, HostEvent::Write { .. }) {
            let mut twice = events.clone();
            twice.insert(at, events[at].clone());
            variants.push(twice);
        }
        if let Some(next) = host.iter().find(|next| **next > at) {
            let mut swapped = events.clone();
            swapped.swap(at, *next);
            variants.push(swapped);
        }
        // Other bytes, also far outside memory.
        if let HostEvent::Write { memory, address, bytes } = step {
            let other: Vec<u8> = bytes.iter().map(|byte| byte ^ 0x55).collect();
            let mut changed = events.clone();
            changed[at].2 = HostEvent::Write { memory, address, bytes: other }.encode();
            variants.push(changed);
        }
    }
    let path = folder.path().join("tampered.fpt");
    for (number, variant) in variants.iter().enumerate() {
        let sites = trace.sites().iter().map(|(_, site)| site.clone()).collect();
        let data = trace.data().to_vec();
        let mut writer = TraceWriter::create(&path, trace.header(), trace.module().clone(), sites, data).unwrap();
        for (site, operands, blob) in variant {
            writer.push(&RawEvent { site: *site, operands: *operands, blob }).unwrap();
        }
        writer.finish(forkpoint_traces::EngineWords::default()).unwrap();
        let replayed = run(folder.path(), &["replay", "tampered.fpt"]);
        assert!([1, 2].contains(&replayed.code), "variant {number}: {}{}", replayed.stdout, replayed.stderr);
        assert!(!replayed.stderr.contains("panicked"), "variant {number}: {}", replayed.stderr);
    }
}

#[test]
fn stubs_answer_imports_beyond_wasi() {
    let module = br#"(module
      (import "env" "now" (func $now (result i64))) (import "env" "log" (func $log (param i32)))
      (import "env" "two" (func $two (result i32 f32))) (memory 1)
      (func (export "run")
        (i64.store (i32.const 0) (call $now)) (call $log (i32.const 7))
        (f32.store (i32.const 8) (call $second)))
      (func $second (result f32) (local f32) (call $two) (local.set 0) drop (local.get 0)))"#;
    let folder = folder_with(&[("t.wat", module)]);
    let missing = run(folder.path(), &["record", "t.wat", "--invoke", "run", "--import", "env.now=1"]);
    assert_eq!(missing.code, 2);
    assert!(
        missing.stderr.contains("env.log: func (i32) -> ()") && missing.stderr.contains("--import"),
        "{}",
        missing.stderr
    );
    assert!(!missing.stderr.contains("env.now:"), "{}", missing.stderr);
    let all = ["--import", "env.now=-5", "--import", "env.two=1,2.5", "--import", "env.*="];
    let mut arguments = vec!["compare", "t.wat", "--invoke", "run", "--rhs", "wasmi", "-o", "."];
    arguments.extend(all);
    let compared = run(folder.path(), &arguments);
    assert_eq!(compared.code, 0, "{}{}", compared.stdout, compared.stderr);
    let dump = run(folder.path(), &["dump", "rhs.fpt"]).stdout;
    assert!(
        dump.contains("env.now -> -5") && dump.contains("env.two -> 1, 2.5") && dump.contains("env.log(7)"),
        "{dump}"
    );
    let wrong =
        run(folder.path(), &["record", "t.wat", "--invoke", "run", "--import", "env.now=x", "--import", "env.*="]);
    assert!(wrong.code == 2 && wrong.stderr.contains("env.now=x"), "{}", wrong.stderr);
    let trap = run(folder.path(), &["record", "t.wat", "--invoke", "run", "--import", "*=trap"]);
    assert!(trap.code == 0 && trap.stderr.contains("trapped: error in a host function"), "{}", trap.stderr);
}

#[test]
fn a_preloaded_module_answers_imports() {
    let helper = wat::parse_str(
        r#"(module (global $n (mut i32) (i32.const 40))
          (func (export "next") (result i32)
            (global.set $n (i32.add (global.get $n) (i32.const 1))) (global.get $n))
          (func (export "half") (param i64) (result i64) (i64.div_s (i64.const 84) (local.get 0))))"#,
    )
    .unwrap();
    let guest = br#"(module
      (import "env" "next" (func $next (result i32))) (import "env" "half" (func $half (param i64) (result i64)))
      (memory 1)
      (func (export "run") (param i64) (result i64)
        (i32.store (i32.const 0) (call $next)) (i32.store (i32.const 4) (call $next)) (call $half (local.get 0))))"#;
    let folder = folder_with(&[("t.wat", guest), ("helper.wasm", &helper)]);
    let record = ["record", "t.wat", "--preload", "env=helper.wasm", "--invoke", "run 2", "--invoke", "run 0"];
    let recorded = run(folder.path(), &record);
    assert!(recorded.code == 0 && recorded.stdout == "42\n", "{}{}", recorded.stdout, recorded.stderr);
    // The module itself differs from what these engines were asked to run.
    let compare = ["compare", "t.wat", "--preload", "env=helper.wasm", "--invoke", "run 2", "--rhs", "wasmi"];
    let compared = run(folder.path(), &compare);
    let first = compared.stdout.lines().next().unwrap_or_default();
    let not_asked = "; the modules of --preload (env) ran in wasmi, and not under these engines; host calls of rhs were \
                     answered from a recording.";
    assert!(compared.code == 0 && first.ends_with(not_asked), "{}{}", compared.stdout, compared.stderr);
    std::fs::remove_file(folder.path().join("helper.wasm")).unwrap();
    let dump = run(folder.path(), &["dump", "t.fpt"]).stdout;
    assert!(dump.contains("env.next -> 44") && dump.contains("trap: error in a host function"), "{dump}");
    for engine in ENGINES {
        let replayed = run(folder.path(), &["replay", "t.fpt", "--engine", engine]);
        assert_eq!(replayed.code, 0, "{engine}: {}{}", replayed.stdout, replayed.stderr);
    }
    let needy = wat::parse_str(r#"(module (import "a" "b" (func)) (func (export "next")))"#).unwrap();
    std::fs::write(folder.path().join("helper.wasm"), needy).unwrap();
    let refused = run(folder.path(), &record);
    assert!(
        refused.code == 2 && refused.stderr.contains("it imports a.b itself, and may import only"),
        "{}",
        refused.stderr
    );
    let other = wat::parse_str(r#"(module (func (export "next")))"#).unwrap();
    std::fs::write(folder.path().join("helper.wasm"), other).unwrap();
    let refused = run(folder.path(), &record);
    assert!(
        refused.code == 2 && refused.stderr.contains("the guest imports it as () -> (i32)"),
        "{}",
        refused.stderr
    );
}

/// The example for embedders: its own host functions, one of which writes to memory as it likes.
#[test]
fn an_embedder_records_its_own_host_functions() {
    let example = Path::new(common::FORKPOINT).with_file_name("examples").join("embedder");
    let output = std::process::Command::new(example).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("the guest reports: warm") && text.contains("The runs agree on all"), "{text}");
}

/// A recording that was cut short is replayed as far as it goes, and reported as no answer.
#[test]
fn a_recording_that_was_cut_off_gives_no_answer() {
    let many = r#"(memory (export "memory") 1) (func (export "_start") (local $i i32)
      (loop $again
        (drop (call $random (i32.const 0) (i32.const 64)))
        (br_if $again (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 60000)))))"#;
    let folder = folder_with(&[("t.wat", &guest(many))]);
    assert_eq!(run(folder.path(), &["record", "t.wat", "-q"]).code, 0);
    let whole = std::fs::read(folder.path().join("t.fpt")).unwrap();
    for part in [1, 40, 70, 99] {
        std::fs::write(folder.path().join("cut.fpt"), &whole[..whole.len() * part / 100]).unwrap();
        let replayed = run(folder.path(), &["replay", "cut.fpt"]);
        assert_eq!(replayed.code, 2, "{part} %: {}{}", replayed.stdout, replayed.stderr);
        assert!(!replayed.stderr.contains("panicked"), "{part} %: {}", replayed.stderr);
        assert!(part < 70 || replayed.stdout.contains("incomplete: it is cut off"), "{part} %: {}", replayed.stdout);
    }
}

#[test]
fn a_side_without_a_host_is_not_called_live() {
    let module = br#"(module
      (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
      (memory (export "memory") 1)
      (func (export "_start") (i32.store (i32.const 0) (call $write (i32.const 9) (i32.const 8) (i32.const 0) (i32.const 32)))))"#;
    let folder = common::folder_with(&[("t.wat", module)]);
    let compare = |engines: &[&str]| {
        let ran = common::run(folder.path(), &[&["compare", "t.wat", "--host", "live"], engines].concat());
        assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
        ran.stdout
    };
    assert!(compare(&["--rhs", "wasmtime:aot"]).contains("Both hosts were live: wasmtime-wasi "));
    for engines in [&["--rhs", "wasmi"][..], &["--engines", "wasmtime:jit;wasmi"]] {
        let told = compare(engines);
        assert!(told.contains("Not all hosts were live: wasmtime-wasi "), "{told}");
        assert!(told.contains(" under wasmtime:jit. wasmi has no host that forkpoint can record"), "{told}");
    }
}
