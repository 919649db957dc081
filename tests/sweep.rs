//! Many modules under many engines: rows, signatures, continuing, shards and baselines.

mod common;

use common::{folder_with, run};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const STORES: &[u8] = br#"(module (memory 1)
    (func (export "a") (param i32) (i32.store (i32.and (local.get 0) (i32.const 0xfff8)) (local.get 0)))
    (func (export "b") (result i32) (i32.store8 (i32.const 9) (i32.const 7)) (memory.grow (i32.const 1))))"#;
const TRAPS: &[u8] =
    br#"(module (memory 1) (func (export "f") (i32.store (i32.const 0) (i32.const 1)) unreachable))"#;
const INVALID: &[u8] = br#"(module (func (export "f") (result i32) (i64.const 1)))"#;
/// Its first call returns, but the run does not end there.
const HANGS: &[u8] = br#"(module (memory 1)
    (func (export "a") (result i32) (i32.const 1)) (func (export "f") (loop $l (br $l))))"#;
/// wasmi has no threads: two modules with the same divergence.
const SHARED: &[u8] = br#"(module (memory 1 1 shared) (func (export "f")))"#;
const LARGER: &[u8] = br#"(module (memory 1 2 shared)
    (func (export "f") (i32.store (i32.const 0) (i32.const 5))) (func (export "g")))"#;

const ENGINES: &str = "wasmtime:jit;wasmi";

fn modules() -> tempfile::TempDir {
    let folder = folder_with(&[("list", b"# two\nin/stores.wat :: a 5 :: b\nin/stores.wat :: a 6\n")]);
    fs::create_dir_all(folder.path().join("in/deep")).expect("the file system");
    for (name, text) in [
        ("stores.wat", STORES),
        ("traps.wat", TRAPS),
        ("invalid.wat", INVALID),
        ("shared.wat", SHARED),
        ("deep/larger.wat", LARGER),
        ("junk.wasm", b"junk"),
        ("notes.txt", b"no module"),
    ] {
        fs::write(folder.path().join("in").join(name), text).expect("the file system");
    }
    folder
}

fn sweep(folder: &Path, arguments: &[&str]) -> (i32, Value, String) {
    let ran = run(folder, &[&["sweep"], arguments, &["--json"]].concat());
    let summary = serde_json::from_str(&ran.stdout).unwrap_or_default();
    (ran.code, summary, ran.stderr)
}

fn rows(out: &Path) -> Vec<Value> {
    let text = fs::read_to_string(out.join("rows.jsonl")).expect("rows");
    let mut rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("a row")).collect();
    rows.sort_by_key(|row| row["module"].as_str().map(str::to_string));
    rows
}

/// The parts that do not depend on the machine's speed.
fn lasting(out: &Path) -> Vec<Value> {
    let lasting = |mut row: Value| {
        row.as_object_mut().expect("an object").remove("ms");
        row
    };
    rows(out).into_iter().map(lasting).collect()
}

#[test]
fn every_module_is_a_row_and_alike_divergences_are_one() {
    let folder = modules();
    fs::write(folder.path().join("in/hangs.wat"), HANGS).expect("the file system");
    // Long enough for everything that does not hang, even on a busy machine.
    let all = ["in", "--engines", ENGINES, "--timeout", "4s", "--out", "out", "--jobs", "2"];
    let (code, summary, stderr) = sweep(folder.path(), &all);
    assert_eq!(code, 1, "{summary:#}{stderr}");
    let counts = ["modules", "agree", "diverge", "unanswered"].map(|name| summary[name].as_u64());
    assert_eq!(counts, [Some(7), Some(3), Some(2), Some(2)], "{summary:#}");
    let signatures = summary["signatures"].as_array().expect("a list");
    assert_eq!(signatures.len(), 1, "{summary:#}");
    assert_eq!((&signatures[0]["count"], &signatures[0]["verdict"]), (&2.into(), &"validation".into()));
    assert_eq!(signatures[0]["example"], "shared.wat", "the smallest: {summary:#}");

    let out = folder.path().join("out");
    let rows = rows(&out);
    let row = |name: &str| rows.iter().find(|row| row["module"] == name).unwrap_or_else(|| panic!("no row {name}"));
    // A module without given calls gets generated ones, the same each time.
    assert_eq!(row("stores.wat")["calls"].as_array().map(Vec::len), Some(9), "{rows:#?}");
    assert_eq!(row("stores.wat")["calls"][0], "a 0", "{rows:#?}");
    assert_eq!(row("traps.wat")["answer"], "agree");
    assert_eq!(row("invalid.wat")["calls"], json!([]), "nothing of it runs");
    assert_eq!(row("invalid.wat")["groups"], json!([["wasmtime:jit", "wasmi"]]));
    assert_eq!(row("hangs.wat")["reason"], "timed out after 4 s under every engine", "{rows:#?}");
    assert!(row("junk.wasm")["reason"].as_str().is_some_and(|why| why.contains("not a WebAssembly module")));
    let kept =
        format!("out/examples/{}", row("shared.wat")["findings"][0]["signature"].as_str().expect("a signature"));
    let diff = run(folder.path(), &["diff", &format!("{kept}/lhs.fpt"), &format!("{kept}/rhs.fpt")]);
    assert!(diff.code == 1 && diff.stdout.contains("(validation)"), "{diff:?}");

    // The text for people.
    let table = run(folder.path(), &[&["sweep"], &all[..]].concat());
    assert!(table.stdout.starts_with("7 modules: 3 agree, 2 diverge, 2 without an answer\n"), "{table:?}");
}

#[test]
fn a_sweep_that_was_ended_goes_on() {
    let folder = modules();
    let all = ["in", "--engines", ENGINES, "--out", "out"];
    assert_eq!(sweep(folder.path(), &all).0, 1);
    let out = folder.path().join("out");
    let whole = lasting(&out);
    // What a killed sweep leaves: some rows, and half a line.
    let text = fs::read_to_string(out.join("rows.jsonl")).expect("the file system");
    let kept: String = text.lines().take(3).map(|line| format!("{line}\n")).collect();
    fs::write(out.join("rows.jsonl"), format!("{kept}{{\"module\":\"st")).expect("the file system");
    let (code, summary, stderr) = sweep(folder.path(), &all);
    assert_eq!((code, &summary["modules"]), (1, &6.into()), "{summary:#}{stderr}");
    assert_eq!(lasting(&out), whole);
    assert!(
        fs::read_to_string(out.join("rows.jsonl")).expect("the file system").starts_with(&kept),
        "rows that were there stay"
    );
    // With other options the rows would mean something else.
    let (code, _, stderr) = sweep(folder.path(), &[&all[..], &["--hooks"]].concat());
    assert!(code == 2 && stderr.contains("other options"), "{stderr}");
}

#[test]
fn a_sweep_that_was_killed_goes_on() {
    let folder = folder_with(&[]);
    fs::create_dir(folder.path().join("in")).expect("the file system");
    for number in 0..30 {
        // Entirely different modules; a duplicate counts once.
        let text = String::from_utf8_lossy(STORES).replace("i32.const 7", &format!("i32.const {number}"));
        fs::write(folder.path().join(format!("in/{number:02}.wat")), text).expect("the file system");
    }
    let all = ["in", "--engines", ENGINES, "--jobs", "1", "--out", "out"];
    let mut killed = std::process::Command::new(common::FORKPOINT)
        .current_dir(folder.path())
        .arg("sweep")
        .args(all)
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("forkpoint starts");
    let file = folder.path().join("out/rows.jsonl");
    let begun = std::time::Instant::now();
    while fs::metadata(&file).map_or(0, |file| file.len()) == 0 {
        assert!(begun.elapsed().as_secs() < 60, "no row in a minute");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    killed.kill().expect("a child of ours");
    killed.wait().expect("a child of ours");
    let kept = fs::read_to_string(&file).expect("the file system");
    let whole = kept.matches('\n').count();
    assert!((1..30).contains(&whole), "{whole} rows when it was killed");
    let (code, summary, stderr) = sweep(folder.path(), &all);
    assert_eq!((code, &summary["modules"], &summary["agree"]), (0, &30.into(), &30.into()), "{summary:#}{stderr}");
    let now = fs::read_to_string(&file).expect("the file system");
    assert!(now.starts_with(&kept[..=kept.rfind('\n').expect("a row")]), "rows that were there stay");
    assert_eq!(rows(&folder.path().join("out")).len(), 30);
}

#[test]
fn shards_together_are_the_whole() {
    let folder = modules();
    let all = ["in", "--engines", ENGINES, "--out"];
    assert_eq!(sweep(folder.path(), &[&all[..], &["whole"]].concat()).0, 1);
    let mut seen = BTreeSet::new();
    for (shard, out) in [("1/2", "one"), ("2/2", "two")] {
        sweep(folder.path(), &[&all[..], &[out, "--shard", shard]].concat());
        for row in rows(&folder.path().join(out)) {
            assert!(seen.insert(row["module"].to_string()), "{row} is in both shards");
        }
    }
    let (code, merged, stderr) = sweep(folder.path(), &["--merge", "one", "two", "--out", "both"]);
    assert_eq!((code, &merged["modules"]), (1, &6.into()), "{merged:#}{stderr}");
    assert_eq!(lasting(&folder.path().join("both")), lasting(&folder.path().join("whole")));
    let (_, whole, _) = sweep(folder.path(), &["--merge", "whole"]);
    assert_eq!(whole, merged);
    let examples = |out: &str| fs::read_dir(folder.path().join(out).join("examples")).expect("a folder").count();
    assert_eq!((examples("both"), examples("whole")), (1, 1));
    let (code, _, stderr) = sweep(folder.path(), &["--merge", "in"]);
    assert!(code == 2 && stderr.contains("holds no sweep"), "{stderr}");
}

#[test]
fn only_what_a_baseline_does_not_know_fails() {
    let folder = modules();
    let all = ["in", "--engines", ENGINES];
    assert_eq!(sweep(folder.path(), &[&all[..], &["--out", "known"]].concat()).0, 1);
    let again = [&all[..], &["--baseline", "known/rows.jsonl"]].concat();
    let (code, summary, stderr) = sweep(folder.path(), &again);
    assert_eq!((code, &summary["changes"]), (0, &json!({ "new": [], "gone": [] })), "{summary:#}{stderr}");
    // A new module with a known signature is not new, one that lost its answer is, and one has been fixed.
    let again_text = String::from_utf8_lossy(LARGER).replace("i32.const 5", "i32.const 6");
    fs::write(folder.path().join("in/again.wat"), again_text).expect("the file system");
    fs::write(folder.path().join("in/traps.wat"), b"junk").expect("the file system");
    fs::write(folder.path().join("in/shared.wat"), "(module (memory 3) (func (export \"f\")))")
        .expect("the file system");
    let (code, summary, stderr) = sweep(folder.path(), &again);
    let signature = &summary["signatures"][0]["signature"];
    let expected = json!({
        "new": [{ "module": "traps.wat", "signature": null }],
        "gone": [{ "module": "shared.wat", "signature": signature }],
    });
    assert_eq!((code, &summary["changes"]), (1, &expected), "{summary:#}{stderr}");
}

#[test]
fn a_list_says_what_to_call() {
    let folder = modules();
    let (code, summary, stderr) = sweep(folder.path(), &["list", "--engines", ENGINES, "--out", "out"]);
    assert_eq!((code, &summary["agree"]), (0, &2.into()), "{summary:#}{stderr}");
    let rows = rows(&folder.path().join("out"));
    let calls: Vec<&Value> = rows.iter().map(|row| &row["calls"]).collect();
    assert_eq!(calls, [&json!(["a 5", "b"]), &json!(["a 6"])]);
    for wrong in [&["list", "--engines", "wasmi"][..], &["nowhere", "--engines", ENGINES], &["in"]] {
        assert_eq!(sweep(folder.path(), wrong).0, 2, "{wrong:?}");
    }
}

/// Diverges for one argument only, for which it stores the NaN that this processor makes, or the canonical one.
#[cfg(target_arch = "x86_64")]
const ONE_ARGUMENT: &str = r#"(module (memory 1)
    (func (export "a") (param i32) (i32.store (i32.const 0) (local.get 0)))
    (func (export "b") (param i32 i32) (local $zero f32)
        (local.set $zero (f32.mul (f32.convert_i32_s (local.get 1)) (f32.const 0)))
        (if (i32.eq (local.get 0) (i32.const 0x7fffffff))
            (then (i32.store (i32.const 8) (i32.reinterpret_f32 (f32.div (local.get $zero) (local.get $zero))))))))"#;

#[cfg(target_arch = "x86_64")]
#[test]
fn the_argument_that_shows_a_divergence_is_found_and_its_command_shows_it() {
    let folder = folder_with(&[("m.wat", ONE_ARGUMENT.as_bytes())]);
    let all =
        [".", "--engines", "wasmtime:jit;wasmtime:jit,nan-canonicalization=on", "--calls", "40", "--out", "out"];
    let (code, summary, stderr) = sweep(folder.path(), &all);
    assert_eq!((code, &summary["diverge"]), (1, &1.into()), "{summary:#}{stderr}");
    let row = &rows(&folder.path().join("out"))[0];
    let calls: Vec<&str> = row["calls"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    assert_eq!(calls.len(), 80, "{calls:?}");
    assert!(
        calls.contains(&"a 65535") && calls.contains(&"a 65536") && calls.contains(&"a -2147483648"),
        "{calls:?}"
    );
    // One of all these is enough.
    let finding = &row["findings"][0];
    let shows = finding["calls"].as_array().expect("a list");
    assert!(shows.len() == 1 && finding["confirmed"] == true, "{finding:#}");
    assert!(shows[0].as_str().is_some_and(|call| call.starts_with("b 2147483647 ")), "{finding:#}");
    let command = summary["signatures"][0]["command"].as_str().expect("a command");
    let (name, arguments) = command.split_once(' ').expect("a command");
    assert_eq!(name, "forkpoint");
    let shell = std::process::Command::new("sh")
        .current_dir(folder.path())
        .args(["-c", &format!("'{}' {arguments}", common::FORKPOINT)])
        .output()
        .expect("a shell");
    assert_eq!(shell.status.code(), Some(1), "{command}: {shell:?}");
    let table = run(folder.path(), &[&["sweep"], &all[..5]].concat());
    assert!(table.stdout.contains("forkpoint compare ./m.wat --engines"), "{table:?}");
}

#[test]
fn a_module_that_large_arguments_keep_busy_is_asked_with_small_ones() {
    let long = r#"(module (memory 1) (func (export "f") (param i32)
        (i32.store (i32.const 0) (local.get 0))
        (loop (br_if 0 (i32.gt_u (local.get 0) (i32.const 1000))))))"#;
    let folder = folder_with(&[("m.wat", long.as_bytes())]);
    let all = [".", "--engines", ENGINES, "--timeout", "5s", "--calls", "20", "--out", "out"];
    let (code, summary, stderr) = sweep(folder.path(), &all);
    assert_eq!((code, &summary["agree"]), (0, &1.into()), "{summary:#}{stderr}");
    let row = &rows(&folder.path().join("out"))[0];
    assert_eq!((row["calls"].as_array().map(Vec::len), &row["calls_left_out"]), (Some(2), &18.into()), "{row:#}");
}

#[test]
fn a_module_under_several_names_counts_once() {
    let folder = folder_with(&[
        ("b.wat", STORES),
        ("a.wasm", &wat::parse_bytes(STORES).expect("a module")),
        ("list", b"b.wat\na.wasm\nb.wat :: b\na.wasm :: b\n"),
        ("c.wat", TRAPS),
    ]);
    let (code, summary, stderr) = sweep(folder.path(), &[".", "--engines", ENGINES]);
    assert_eq!((code, &summary["modules"], &summary["copies"]), (0, &2.into(), &1.into()), "{summary:#}{stderr}");
    let table = run(folder.path(), &["sweep", ".", "--engines", ENGINES]);
    assert!(table.stdout.starts_with("2 modules (one more file holds the same as another): 2 agree"), "{table:?}");
    let (_, summary, _) = sweep(folder.path(), &["list", "--engines", ENGINES]);
    assert_eq!((&summary["modules"], &summary["copies"]), (&2.into(), &2.into()), "{summary:#}");
}
