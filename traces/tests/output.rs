//! The file of a trace: whole or what was there before, whoever else writes it.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod support;

use forkpoint_traces::{EngineWords, TraceError, TraceReader, TraceWriter, unfinished};
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use support::{Step, create, memories, push, read, store, write};

fn finish(writer: TraceWriter) -> Result<u64, TraceError> {
    writer.finish(EngineWords::default()).map(|finished| finished.length)
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.fpt");
    (folder, path)
}

#[test]
fn what_was_there_stays_until_the_trace_is_whole() {
    let (folder, path) = folder();
    fs::write(&path, "before").unwrap();
    let writer = create(&path, 10);
    assert_eq!(fs::read(&path).unwrap(), b"before");
    let partial = unfinished(&path);
    assert_eq!((partial.len(), partial[0].process), (1, std::process::id()));
    assert!(partial[0].path.to_string_lossy().ends_with(".partial"));
    assert!(!TraceReader::open(&partial[0].path).unwrap().is_complete());
    finish(writer).unwrap();
    assert!(TraceReader::open(&path).unwrap().is_complete());
    assert_eq!(names(folder.path()), ["t.fpt"]);
}

#[test]
fn a_writer_that_breaks_off_replaces_nothing() {
    let (folder, path) = folder();
    drop(create(&path, 10));
    assert!(!TraceReader::open(&path).unwrap().is_complete(), "an incomplete trace where nothing was");
    fs::write(&path, "before").unwrap();
    drop(create(&path, 10));
    assert_eq!(fs::read(&path).unwrap(), b"before");
    assert_eq!(unfinished(&path).len(), 1);
    assert_eq!(names(folder.path()).len(), 2);
}

/// Stores of values that nothing foresees: their chunks are compressed beside the recording.
fn noise(events: u32) -> Vec<Step> {
    let mut steps = memories([16, 1]);
    let random = |i: u32| i.wrapping_mul(0x9e37_79b1) ^ i.wrapping_mul(0x85eb_ca77).rotate_left(13);
    steps.extend((2..events).map(|i| store(u64::from(random(i) % 0xf_fff0), random(i).rotate_left(7))));
    steps
}

#[test]
fn a_long_trace_that_breaks_off_keeps_all_whole_chunks() {
    let (_folder, path) = folder();
    let (chunk, steps) = (20_000, noise(110_000));
    let mut writer = create(&path, chunk);
    steps.iter().for_each(|step| push(&mut writer, step).unwrap());
    drop(writer);
    let mut trace = TraceReader::open(&path).unwrap();
    assert_eq!((trace.is_complete(), trace.events()), (false, 100_000));
    assert!(read(&mut trace).0 == steps[..100_000]);
}

#[test]
fn a_long_trace_is_whole() {
    let (_folder, path) = folder();
    let steps = noise(1_200_000);
    write(&path, 100_000, &steps);
    let mut trace = TraceReader::open(&path).unwrap();
    assert!(trace.is_complete() && read(&mut trace).0 == steps);
    trace.check_blocks().unwrap();
}

#[test]
fn the_first_of_two_writers_wins_whole() {
    for there in [false, true] {
        let (_folder, path) = folder();
        if there {
            fs::write(&path, "before").unwrap();
        }
        let (first, second) = (create(&path, 10), create(&path, 20));
        finish(first).unwrap();
        let whole = fs::read(&path).unwrap();
        let Err(TraceError::Taken { target, kept }) = finish(second) else { panic!("the second says nothing") };
        assert_eq!(fs::read(&path).unwrap(), whole);
        assert_eq!(target.file_name(), path.file_name());
        assert!(TraceReader::open(&kept).unwrap().is_complete(), "its recording is not lost");
    }
}

#[test]
fn a_file_that_was_removed_meanwhile_is_no_hindrance() {
    let (folder, path) = folder();
    fs::write(&path, "before").unwrap();
    let writer = create(&path, 10);
    fs::remove_file(&path).unwrap();
    finish(writer).unwrap();
    assert_eq!(names(folder.path()), ["t.fpt"]);
}

#[test]
fn links_lead_to_the_file_that_is_replaced() {
    let (folder, path) = folder();
    fs::create_dir(folder.path().join("there")).unwrap();
    let real = folder.path().join("there/real.fpt");
    symlink(&real, &path).unwrap();
    let Err(error) = TraceWriter::create(&path, &support::header(10), support::module().into(), vec![], vec![])
    else {
        panic!("a link to nothing")
    };
    assert!(error.to_string().contains("symbolic link"), "{error}");
    fs::write(&real, "before").unwrap();
    finish(create(&path, 10)).unwrap();
    assert!(path.is_symlink());
    assert!(TraceReader::open(&real).unwrap().is_complete());
    assert_eq!(names(&folder.path().join("there")), ["real.fpt"]);
}

/// A link that waits at the next names: the file is made elsewhere.
#[test]
fn no_link_at_the_name_while_writing_is_followed() {
    let (folder, path) = folder();
    let victim = folder.path().join("victim");
    fs::write(&victim, "mine").unwrap();
    for number in 0..200 {
        symlink(&victim, folder.path().join(format!("t.fpt.{}-{number}.partial", std::process::id()))).unwrap();
    }
    finish(create(&path, 10)).unwrap();
    assert_eq!(fs::read(&victim).unwrap(), b"mine");
    assert!(path.metadata().unwrap().is_file() && !path.is_symlink());
}

#[test]
fn devices_are_written_to_and_stay() {
    let null = Path::new("/dev/null");
    let before = fs::metadata(null).unwrap();
    finish(create(null, 10)).unwrap();
    let after = fs::metadata(null).unwrap();
    assert_eq!((before.ino(), before.rdev()), (after.ino(), after.rdev()));
}

/// What a reader refuses is an error before there is a file.
#[test]
fn a_trace_that_no_reader_takes_is_not_begun() {
    let (folder, path) = folder();
    let mut header = support::header(10);
    header.command = vec!["x".repeat(37 << 20)];
    let made = TraceWriter::create(&path, &header, support::module().into(), support::sites(), vec![]);
    let Err(error) = made else { panic!("a header of 37 MiB") };
    assert!(error.to_string().contains("Header block"), "{error}");
    assert!(names(folder.path()).is_empty(), "{:?}", names(folder.path()));
}

#[test]
fn a_long_name_leaves_room_for_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(format!("{}.fpt", "n".repeat(251)));
    let writer = create(&path, 10);
    assert_eq!(unfinished(&path).len(), 1);
    finish(writer).unwrap();
    assert!(TraceReader::open(&path).unwrap().is_complete());
}
