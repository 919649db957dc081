//! `forkpoint export`: the same table in three formats, with what the trace holds.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod common;

use common::{folder_with, repository, run};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use serde_json::{Map, Value, json};
use std::fs::{self, File};
use std::path::Path;

/// Stores of several widths, bulk instructions, growth and a host call, in a function with a name that needs care.
const MODULE: &[u8] = br#"(module
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (func $"a,b \"c\"" (export "run") (param $n i32)
      (i64.store offset=8 (i32.const 0) (i64.const -1))
      (f32.store offset=16 (i32.const 0) (f32.const 0.5))
      (v128.store offset=32 (i32.const 0) (v128.const i64x2 1 2))
      (memory.fill (i32.const 1024) (i32.const 7) (i32.const 100))
      (drop (memory.grow (i32.const 1)))
      (drop (call $write (i32.const 1) (i32.const 2048) (i32.const 1) (i32.const 2056)))
      (loop $next
        (i32.store8 (i32.const 5) (local.get $n))
        (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))))"#;

fn recorded(turns: u32) -> tempfile::TempDir {
    let folder = folder_with(&[("m.wat", MODULE)]);
    let ran = run(folder.path(), &["record", "m.wat", "--invoke", &format!("run {turns}"), "-o", "m.fpt"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    folder
}

fn export(folder: &Path, arguments: &[&str]) -> String {
    let ran = run(folder, &[&["export", "m.fpt"], arguments].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.stdout
}

fn of_jsonl(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The rows of comma-separated values as objects without what is empty.
fn of_csv(text: &str) -> Vec<Value> {
    let mut records = vec![vec![String::new()]];
    let (mut quoted, mut characters) = (false, text.chars().peekable());
    while let Some(character) = characters.next() {
        let record = records.last_mut().unwrap();
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => record.last_mut().unwrap().extend(characters.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => record.push(String::new()),
            '\n' if !quoted => records.push(vec![String::new()]),
            other => record.last_mut().unwrap().push(other),
        }
    }
    assert_eq!(records.pop().unwrap(), [""], "the last line ends");
    let head = records.remove(0);
    let row = |record: Vec<String>| {
        assert_eq!(record.len(), head.len(), "{record:?}");
        let fields = head.iter().zip(record).filter(|(_, field)| !field.is_empty());
        let typed = |(name, field): (&String, String)| {
            let text = ["kind", "name", "instruction", "bytes", "text"].contains(&name.as_str());
            (name.clone(), if text { json!(field) } else { json!(field.parse::<u64>().unwrap()) })
        };
        Value::Object(fields.map(typed).collect())
    };
    records.into_iter().map(row).collect()
}

fn of_parquet(path: &Path) -> Vec<Value> {
    let reader = SerializedFileReader::new(File::open(path).unwrap()).unwrap();
    let rows = reader.get_row_iter(None).unwrap().map(|row| {
        let mut object = Map::new();
        for (name, field) in row.unwrap().get_column_iter() {
            let value = match field {
                Field::Null => continue,
                Field::ULong(number) => json!(number),
                Field::UInt(number) => json!(number),
                Field::Str(text) => json!(text),
                other => panic!("{name} is {other:?}"),
            };
            object.insert(name.clone(), value);
        }
        Value::Object(object)
    });
    rows.collect()
}

#[test]
fn all_formats_have_the_rows_of_the_trace() {
    let folder = recorded(200_000);
    let rows = of_jsonl(&export(folder.path(), &["--format", "jsonl", "-o", "-"]));
    let dumped = run(folder.path(), &["dump", "m.fpt", "--json"]).stdout;
    let dumped: Vec<Value> = dumped.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), dumped.len());
    for (row, event) in rows.iter().zip(&dumped) {
        assert_eq!((&row["position"], &row["kind"]), (&event["position"], &event["kind"]), "{row} {event}");
        assert_eq!(row["address"], event["address"], "{row} {event}");
        // An event's instruction is that of the text format, with its immediates.
        let [short, full] = [row, event].map(|row| row["instruction"].as_str().unwrap_or_default());
        assert!(short.is_empty() || full.split(' ').next() == Some(short), "{row} {event}");
    }
    let find = |instruction: &str| rows.iter().find(|row| row["instruction"] == instruction).unwrap();
    let wide = find("i64.store");
    assert_eq!((&wide["value"], &wide["address"], &wide["length"]), (&json!(u64::MAX), &json!(8), &json!(8)));
    assert_eq!(wide["name"], "a,b \"c\"");
    assert_eq!(find("v128.store")["bytes"], "01000000000000000200000000000000");
    assert_eq!(find("memory.fill")["length"], 100);
    assert!(rows.iter().any(|row| row["kind"] == "host-call" && row["text"].as_str().unwrap().contains("fd_write")));

    assert_eq!(of_csv(&export(folder.path(), &["--format", "csv", "-o", "-"])), rows);
    export(folder.path(), &["-o", "m.parquet"]);
    assert_eq!(of_parquet(&folder.path().join("m.parquet")), rows);
    // By the name of the file.
    export(folder.path(), &["-o", "m.csv"]);
    assert_eq!(of_csv(&fs::read_to_string(folder.path().join("m.csv")).unwrap()), rows);
}

#[test]
fn parts_are_the_whole() {
    let folder = recorded(300_000);
    export(folder.path(), &["-o", "m.parquet"]);
    let whole = of_parquet(&folder.path().join("m.parquet"));
    for partition in ["70000", "131072", "1000000"] {
        let parts = folder.path().join(partition);
        export(folder.path(), &["-o", partition, "--partition", partition]);
        let mut names: Vec<_> = fs::read_dir(&parts).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        let events: u64 = partition.parse().unwrap();
        assert_eq!(names.len() as u64, (whole.len() as u64).div_ceil(events), "{names:?}");
        let read: Vec<Value> = names.iter().flat_map(|name| of_parquet(&parts.join(name))).collect();
        assert_eq!(read.len(), whole.len());
        assert!(read == whole, "{partition}");
    }
}

#[test]
fn an_export_is_never_over_its_trace_and_says_what_is_missing() {
    let folder = recorded(5);
    let over = run(folder.path(), &["export", "m.fpt", "-o", "m.fpt"]);
    assert!(over.code == 2 && over.stderr.contains("is the input"), "{over:?}");
    let parts = run(folder.path(), &["export", "m.fpt", "-o", "-", "--partition", "5"]);
    assert!(parts.code == 2 && parts.stderr.contains("name a folder"), "{parts:?}");
    let sample = |name: &str| repository(&format!("traces/samples/{name}.fpt")).display().to_string();
    let [lhs, rhs] = ["orbit-jit", "orbit-portable"].map(sample);
    assert_eq!(run(folder.path(), &["pack", &lhs, &rhs, "-o", "bug.zip"]).code, 0);
    let side = run(folder.path(), &["export", "bug.zip", "--side", "rhs", "--format", "jsonl", "-o", "-"]);
    assert_eq!(of_jsonl(&side.stdout).len(), 308, "{side:?}");
}
