//! Packs: one file that shows what two traces show, whatever the length of the runs, and nothing that its user replaced.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod common;

use common::{folder_with, repository, run};
use forkpoint_replay::{Pack, Report, Timeline};
use forkpoint_traces::{Excerpt, ExcerptModule, JavaScriptInfo, Position, TraceReader};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// The engine whose runs part from others where a NaN is stored.
const CANONICAL: &str = "wasmtime:jit,nan-canonicalization=on";

/// Stores `n` numbers, reads what it was given, then stores a NaN.
const LONG: &[u8] = br#"(module
  (import "wasi_snapshot_preview1" "args_get" (func $args (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_get" (func $environ (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 40)
  (data (i32.const 1024) "some text in a data segment")
  (func $fill (param $n i32)
    (loop $next
      (i32.store (i32.and (i32.mul (local.get $n) (i32.const 2036)) (i32.const 0x1ffffc)) (local.get $n))
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
  (func $needs_text (result i32) (i32.eq (i32.load8_u (i32.const 2200000)) (i32.const 0x6b)))
  (func (export "_start")
    (drop (call $args (i32.const 2300000) (i32.const 2310000)))
    (drop (call $environ (i32.const 2320000) (i32.const 2330000)))
    (i32.store (i32.const 2100000) (i32.const 2200000))
    (i32.store (i32.const 2100004) (i32.const 64))
    (drop (call $read (i32.const 0) (i32.const 2100000) (i32.const 1) (i32.const 2100008)))
    (call $fill (i32.const NUMBER))
    (if (NEEDED)
      (then (f32.store (i32.const 8) (f32.div (f32.load (i32.const 2500000)) (f32.load (i32.const 2500000))))))
    (i32.store (i32.const 2100004) (i32.load (i32.const 2100008)))
    (drop (call $write (i32.const 1) (i32.const 2100000) (i32.const 1) (i32.const 2100008)))
    (call $fill (i32.const NUMBER))))"#;

fn long(number: u32, needed: &str) -> Vec<u8> {
    let text = String::from_utf8_lossy(LONG).replace("NUMBER", &number.to_string()).replace("NEEDED", needed);
    text.into_bytes()
}

/// Records both sides of the module `a.wat` in full to `out`.
fn compare(folder: &Path, more: &[&str]) {
    let arguments =
        ["compare", "a.wat", "--rhs", CANONICAL, "-o", "out", "--nan-bits", "stop", "--no-guard", "--no-reruns"];
    let ran = run(folder, &[&arguments[..], more].concat());
    assert_eq!(ran.code, 1, "{ran:?}");
}

const PACK: [&str; 7] = ["pack", "out/lhs.fpt", "out/rhs.fpt", "--nan-bits", "stop", "-o", "bug.zip"];

#[test]
fn a_pack_of_long_runs_is_small_and_shows_what_the_traces_show() {
    let folder = folder_with(&[("a.wat", &long(400_000, "i32.const 1"))]);
    compare(folder.path(), &[]);
    let packed = run(folder.path(), &[&PACK[..], &["--json"]].concat());
    assert_eq!(packed.code, 0, "{packed:?}");
    let packed: Value = serde_json::from_str(&packed.stdout).unwrap();
    let held = packed["lhs_events"].as_u64().unwrap();
    assert!(held < 200_000, "{held} events of 800,000 are held");
    let sizes = ["out/lhs.fpt", "bug.zip"].map(|name| fs::metadata(folder.path().join(name)).unwrap().len());
    assert_eq!(packed["bytes"], sizes[1]);

    // The same divergence, memory and last writer included.
    let mut sides = ["out/lhs.fpt", "out/rhs.fpt"].map(|name| Timeline::open(&folder.path().join(name)).unwrap());
    let [lhs, rhs] = &mut sides;
    let expected = Report::new(lhs, rhs, 3, "stop".parse().unwrap()).unwrap();
    let Pack { lhs, rhs, readme } = Pack::open(&folder.path().join("bug.zip")).unwrap();
    let [mut lhs, mut rhs] = [Timeline::new(lhs), Timeline::new(rhs)];
    let report = Report::new(&mut lhs, &mut rhs, 3, "stop".parse().unwrap()).unwrap();
    assert_eq!(report.position, expected.position);
    assert_eq!(report.site, expected.site);
    assert_eq!(report.before, expected.before);
    assert_eq!(report.resync, expected.resync);
    let rows = |report: &Report| report.context.iter().map(|row| row.lhs.clone()).collect::<Vec<_>>();
    assert_eq!(rows(&report), rows(&expected));
    assert!(readme.contains(&format!("at event {}", expected.position.unwrap())), "{readme}");

    // Each command opens it.
    let diff = run(folder.path(), &["diff", "bug.zip", "--nan-bits", "stop"]);
    assert!(diff.code == 1 && diff.stdout.contains("look at it: forkpoint view bug.zip"), "{diff:?}");
    for side in ["lhs", "rhs"] {
        let info = run(folder.path(), &["info", "bug.zip", "--side", side, "--verify"]);
        assert!(info.code == 0 && info.stdout.contains("left out"), "{info:?}");
        let [of_trace, of_pack] = [&["dump", &format!("out/{side}.fpt")][..], &["dump", "bug.zip", "--side", side]]
            .map(|command| {
                let at = expected.position.unwrap().0;
                let range = ["--from".to_string(), (at - 40).to_string(), "--to".to_string(), (at + 40).to_string()];
                let command: Vec<String> = command.iter().map(ToString::to_string).chain(range).collect();
                run(folder.path(), &command).stdout
            });
        assert_eq!(of_trace, of_pack);
        assert_eq!(of_pack.lines().count(), 80);
    }
    let again = run(folder.path(), &["replay", "bug.zip"]);
    assert_eq!(again.code, 0, "{again:?}");
    let other = run(folder.path(), &["replay", "bug.zip", "--engine", CANONICAL, "--nan-bits", "stop"]);
    assert_eq!(other.code, 1, "{other:?}");
}

#[test]
fn what_a_pack_holds_is_said_before_it_is_there() {
    let folder = folder_with(&[("a.wat", &long(100, "i32.const 1"))]);
    compare(folder.path(), &["--env", "NAME=value", "--", "an argument"]);
    let list = run(folder.path(), &["pack", "out/lhs.fpt", "out/rhs.fpt", "--list"]);
    for expected in ["an argument", "NAME=value", "args_get: 1 call", "fd_read: 1 call", "name (", "a.wat"] {
        assert!(list.stdout.contains(expected), "{expected}: {list:?}");
    }
    assert!(!folder.path().join("bug.zip").exists());
    let small = run(folder.path(), &[&PACK[..], &["--limit", "1K"]].concat());
    assert!(small.code == 2 && small.stderr.contains("and 1024 are allowed"), "{small:?}");
    assert!(!folder.path().join("bug.zip").exists(), "nothing is written that is too large");
    let whole = run(folder.path(), &[&PACK[..], &["--whole"]].concat());
    assert_eq!(whole.code, 0, "{whole:?}");
    let pack = Pack::open(&folder.path().join("bug.zip")).unwrap();
    assert_eq!(pack.lhs.gaps().count(), 0);
    let single = run(folder.path(), &["diff", "out/lhs.fpt"]);
    assert!(single.code == 2 && single.stderr.contains("name two, or a pack of both"), "{single:?}");
    let side = run(folder.path(), &["info", "out/lhs.fpt", "--side", "rhs"]);
    assert!(side.code == 2 && side.stderr.contains("leave out --side"), "{side:?}");
}

#[test]
fn damaged_and_strange_archives_are_errors() {
    let folder = folder_with(&[("a.wat", &long(100, "i32.const 1"))]);
    compare(folder.path(), &[]);
    assert_eq!(run(folder.path(), &PACK).code, 0);
    let bytes = fs::read(folder.path().join("bug.zip")).unwrap();
    let mut random = fastrand::Rng::with_seed(1);
    let (path, mut opened) = (folder.path().join("x.zip"), 0);
    for _ in 0..400 {
        let mut damaged = bytes.clone();
        match random.u8(..3) {
            0 => damaged.truncate(random.usize(..bytes.len())),
            // The directory at the end says where everything is.
            1 => (0..random.usize(1..4)).for_each(|_| {
                let at = bytes.len() - 1 - random.usize(..300);
                damaged[at] = random.u8(..);
            }),
            _ => (0..random.usize(1..9)).for_each(|_| damaged[random.usize(..bytes.len())] = random.u8(..)),
        }
        fs::write(&path, damaged).unwrap();
        let Ok(Pack { lhs, rhs, .. }) = Pack::open(&path) else { continue };
        opened += 1;
        // Whatever it says, it says without a panic.
        let _ = Report::new(&mut Timeline::new(lhs), &mut Timeline::new(rhs), 3, "stop".parse().unwrap());
    }
    assert!(opened > 20, "{opened} damaged packs could be opened");
    fs::write(&path, b"PK\x03\x04 and nothing else").unwrap();
    let ran = run(folder.path(), &["diff", "x.zip"]);
    assert!(ran.code == 2 && ran.stderr.contains("not a whole pack"), "{ran:?}");
}

/// Every byte of every member, and of every compressed stream in it that a trace has.
fn everything_in(pack: &Path) -> Vec<u8> {
    let mut all = fs::read(pack).unwrap();
    let Pack { lhs, rhs, readme } = Pack::open(pack).unwrap();
    all.extend_from_slice(readme.as_bytes());
    for mut trace in [lhs, rhs] {
        all.extend_from_slice(trace.module());
        all.extend_from_slice(format!("{:?}{:?}", trace.header(), trace.words()).as_bytes());
        let mut log = trace.host_log().unwrap();
        while let Some(event) = log.next_event().unwrap() {
            all.extend_from_slice(&event.encode());
        }
        for chunk in 0..trace.chunks().len() {
            let mut image = trace.empty_image();
            trace.restore(trace.chunks()[chunk].first, &mut image).unwrap();
            for memory in 0..image.memories() {
                image.pages_in(forkpoint_traces::MemoryIndex(memory), 0..u64::MAX).for_each(|(_, page)| {
                    all.extend_from_slice(page);
                });
            }
            trace
                .read_chunk(chunk, |event| {
                    event.operands.iter().for_each(|operand| all.extend_from_slice(&operand.to_le_bytes()));
                    all.extend_from_slice(event.blob);
                    Ok::<(), forkpoint_traces::TraceError>(())
                })
                .unwrap();
        }
    }
    all
}

fn has(bytes: &[u8], secret: &str) -> bool {
    bytes.windows(secret.len()).any(|window| window == secret.as_bytes())
}

const SECRETS: [&str; 4] = ["hunter2hunter2", "t0ken-of-mine", "MY_TOKEN", "kept?no-secret"];

/// Records with a secret in the arguments, the environment and the input.
fn with_secrets(needed: &str) -> tempfile::TempDir {
    let folder = folder_with(&[("a.wat", &long(5_000, needed)), ("input", b"kept?no-secret")]);
    let command = format!(
        "'{}' compare a.wat --rhs {CANONICAL} -o out --nan-bits stop --no-guard --no-reruns --env MY_TOKEN=t0ken-of-mine \
         -- hunter2hunter2 < input",
        common::FORKPOINT
    );
    let ran = std::process::Command::new("sh").args(["-c", &command]).current_dir(folder.path()).output().unwrap();
    assert_eq!(ran.status.code(), Some(1), "{ran:?}");
    folder
}

#[test]
fn nothing_that_was_replaced_is_in_a_redacted_pack() {
    let folder = with_secrets("i32.const 1");
    assert_eq!(run(folder.path(), &PACK).code, 0);
    let plain = everything_in(&folder.path().join("bug.zip"));
    for secret in SECRETS {
        assert!(has(&plain, secret), "{secret} is where this test looks");
    }
    let before = run(folder.path(), &["diff", "bug.zip", "--nan-bits", "stop", "--json"]);
    let redacted = run(folder.path(), &[&PACK[..], &["--redact"]].concat());
    assert_eq!(redacted.code, 0, "{redacted:?}");
    for expected in
        ["argument 1, 14 bytes", "variable 0 of the environment", "standard input, 14 bytes: every byte is `x`"]
    {
        assert!(redacted.stdout.contains(expected), "{expected}: {redacted:?}");
    }
    let bytes = everything_in(&folder.path().join("bug.zip"));
    for secret in SECRETS.iter().chain(&["needs_text", "a.wat"]) {
        assert!(!has(&bytes, secret), "{secret}: {redacted:?}");
    }
    let after = run(folder.path(), &["diff", "bug.zip", "--nan-bits", "stop", "--json"]);
    let [before, after]: [Value; 2] = [before, after].map(|ran| serde_json::from_str(&ran.stdout).unwrap());
    for field in ["verdict", "position", "address", "before"] {
        assert_eq!(before[field], after[field], "{field}");
    }
    // It can be run again: the host's other answers are in it.
    let again = run(folder.path(), &["replay", "bug.zip"]);
    assert_eq!(again.code, 0, "{again:?}");
}

#[test]
fn what_the_divergence_needs_is_kept_and_named() {
    // The first byte of the input must be a `k`.
    let folder = with_secrets("call $needs_text");
    let redacted = run(folder.path(), &[&PACK[..], &["--redact"]].concat());
    assert_eq!(redacted.code, 0, "{redacted:?}");
    let (replaced, kept) = redacted.stdout.split_once("Kept, since the divergence needs it:").unwrap();
    assert!(replaced.contains("argument 1, ") && replaced.contains("variable 0 of"), "{redacted:?}");
    assert!(kept.contains("standard input, 14 bytes"), "{redacted:?}");
    let bytes = everything_in(&folder.path().join("bug.zip"));
    assert!(SECRETS[..3].iter().all(|secret| !has(&bytes, secret)), "{redacted:?}");
    assert!(has(&bytes, SECRETS[3]));
}

#[test]
fn a_recording_starts_no_program_that_it_names() {
    let folder = folder_with(&[]);
    let sample = |name: &str| repository(name).display().to_string();
    let [lhs, rhs] = ["traces/samples/orbit-jit.fpt", "traces/samples/orbit-portable.fpt"].map(sample);
    let ran = run(folder.path(), &["pack", &lhs, &rhs, "-o", "bug.zip", "--redact"]);
    assert_eq!(ran.code, 0, "both are linked in: {ran:?}");
    assert!(ran.stdout.contains("times, sizes and states"), "{ran:?}");

    let mut trace = TraceReader::open(Path::new(&rhs)).unwrap();
    let (mut header, words) = (trace.header().clone(), trace.words().clone());
    header.engine.spec = "runner:touch started".to_string();
    let all = [Position(0)..Position(trace.events())];
    let excerpt = Excerpt { held: &all, header: &header, words: &words, module: ExcerptModule::Same, edit: None };
    let strange = folder.path().join("strange.fpt");
    trace.excerpt(excerpt, &strange, &mut |_| true).unwrap();
    let ran = run(folder.path(), &["pack", &lhs, "strange.fpt", "-o", "other.zip", "--redact"]);
    assert!(ran.code == 2 && ran.stderr.contains("--rhs-engine ENGINE is needed"), "{ran:?}");
    assert!(!folder.path().join("started").exists() && !folder.path().join("other.zip").exists());
    let named = ["--rhs-engine", "wasmtime:aot,target=portable"];
    let ran =
        run(folder.path(), &[&["pack", &lhs, "strange.fpt", "-o", "other.zip", "--redact"], &named[..]].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
}

#[test]
fn what_javascript_gave_is_not_redacted() {
    let folder = folder_with(&[]);
    for name in ["orbit-jit", "orbit-portable"] {
        let mut trace = TraceReader::open(&repository(&format!("traces/samples/{name}.fpt"))).unwrap();
        let (mut header, words) = (trace.header().clone(), trace.words().clone());
        header.javascript = Some(JavaScriptInfo::default());
        let all = [Position(0)..Position(trace.events())];
        let excerpt = Excerpt { held: &all, header: &header, words: &words, module: ExcerptModule::Same, edit: None };
        trace.excerpt(excerpt, &folder.path().join(format!("{name}.fpt")), &mut |_| true).unwrap();
    }
    let ran = run(folder.path(), &["pack", "orbit-jit.fpt", "orbit-portable.fpt", "-o", "bug.zip", "--redact"]);
    assert!(ran.code == 2 && ran.stderr.contains("cannot be redacted"), "{ran:?}");
    assert!(!folder.path().join("bug.zip").exists());
}
