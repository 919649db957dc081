//! Traces that were cut, zeroed, changed or made up. Nothing that was recorded whole may be lost, and nothing
//! may panic or give other events than were recorded.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod support;

use forkpoint_traces::{EngineWords, NativeFunction, TraceError, TraceReader};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use support::{Step, create, native, push, random_run, read};
use tempfile::TempDir;

/// A small trace with several chunks and native code, and how long its file was after each chunk.
struct Sample {
    folder: TempDir,
    steps: Vec<Step>,
    bytes: Vec<u8>,
    /// Length of the file before the first event.
    start: usize,
    /// Length of the file and number of events after each chunk.
    chunks: Vec<(usize, usize)>,
}

impl Sample {
    fn new() -> Sample {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("whole.fpt");
        let (steps, _) = random_run(11, 300);
        let mut writer = create(&path, 64);
        let start = writer.written() as usize;
        writer.native(&native(3)).unwrap();
        let mut chunks: Vec<(usize, usize)> = Vec::new();
        let mut written = writer.written();
        for (i, step) in steps.iter().enumerate() {
            push(&mut writer, step).unwrap();
            if writer.written() != written {
                written = writer.written();
                chunks.push((written as usize, i + 1));
            }
        }
        writer
            .finish(EngineWords { message: Some("the engine's words".to_string()), ..EngineWords::default() })
            .unwrap();
        let mut whole = TraceReader::open(&path).unwrap();
        assert!(whole.is_complete() && whole.chunks().len() >= 4);
        assert_eq!(read(&mut whole).0, steps);
        let bytes = fs::read(&path).unwrap();
        Sample { folder, steps, bytes, start, chunks }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("damaged.fpt")
    }

    /// Events in chunks that lie before `offset`.
    fn events_before(&self, offset: usize) -> usize {
        self.chunks.iter().filter(|(end, _)| *end <= offset).map(|(_, events)| *events).max().unwrap_or(0)
    }

    /// A trace of which everything from `good` on is lost: it must keep every whole chunk, all its events must
    /// read and be those that were recorded, and it must say that it is incomplete.
    fn check_rescue(&self, what: &str, good: usize) {
        match TraceReader::open(&self.path()) {
            Ok(mut trace) => {
                assert!(good >= self.start, "{what}: it opens without a header");
                assert!(!trace.is_complete(), "{what}: it claims to be complete");
                assert!(trace.incomplete().is_some_and(|why| why.len() > 10), "{what}: no reason");
                assert!(trace.events() >= self.events_before(good) as u64, "{what}: {} events", trace.events());
                let (steps, result) = read(&mut trace);
                assert!(result.is_ok(), "{what}: {result:?}");
                assert_eq!(steps, self.steps[..steps.len()], "{what}");
                assert_eq!(steps.len() as u64, trace.events(), "{what}");
                native_code(&trace).unwrap();
            }
            Err(error) => {
                assert!(good < self.start, "{what}: {error}");
                assert!(error.to_string().len() > 10, "{what}: {error:?}");
            }
        }
    }
}

#[test]
fn a_trace_cut_anywhere_keeps_its_whole_chunks() {
    let sample = Sample::new();
    for length in 0..sample.bytes.len() {
        fs::write(sample.path(), &sample.bytes[..length]).unwrap();
        sample.check_rescue(&format!("cut at {length} of {}", sample.bytes.len()), length);
    }
}

#[test]
fn a_trace_cut_inside_its_trailer_has_everything() {
    let sample = Sample::new();
    for missing in 1..=16 {
        fs::write(sample.path(), &sample.bytes[..sample.bytes.len() - missing]).unwrap();
        let trace = TraceReader::open(&sample.path()).unwrap();
        assert!(!trace.is_complete());
        assert_eq!(trace.events(), sample.steps.len() as u64);
        assert_eq!(trace.message(), Some("the engine's words"));
    }
}

#[test]
fn a_trace_with_a_tail_of_zeros_keeps_its_whole_chunks() {
    let sample = Sample::new();
    for offset in (0..sample.bytes.len()).step_by(7) {
        // In the first case the file has its length, in the second its system had made room for more.
        for longer in [0, 5000] {
            let mut bytes = sample.bytes[..offset].to_vec();
            bytes.resize(sample.bytes.len() + longer, 0);
            if bytes == sample.bytes {
                continue;
            }
            fs::write(sample.path(), bytes).unwrap();
            // What was zero already is not lost.
            let good = offset + sample.bytes[offset..].iter().take_while(|byte| **byte == 0).count();
            sample.check_rescue(&format!("zeros from {offset} of {}", sample.bytes.len()), good);
        }
    }
}

#[test]
fn a_tail_of_garbage_is_left_out() {
    let sample = Sample::new();
    let mut random = fastrand::Rng::with_seed(5);
    for offset in (sample.start..sample.bytes.len() - 24).step_by(5) {
        let mut bytes = sample.bytes[..offset].to_vec();
        bytes.extend((0..random.usize(1..400)).map(|_| random.u8(..)));
        fs::write(sample.path(), bytes).unwrap();
        let trace = TraceReader::open(&sample.path());
        let trace = trace.unwrap_or_else(|error| panic!("garbage from {offset}: {error}"));
        assert!(!trace.is_complete());
        assert!(trace.events() >= sample.events_before(offset) as u64, "garbage from {offset}");
    }
}

/// All native code there is.
fn native_code(trace: &TraceReader) -> Result<Vec<Option<NativeFunction>>, TraceError> {
    trace.native_functions().map(|func| trace.native_code(func)).collect()
}

/// Reads everything there is. What comes back must be what was recorded, up to where it stops.
fn read_all(path: &Path, expected: &[Step]) -> Result<bool, TraceError> {
    let mut trace = TraceReader::open(path)?;
    let (steps, result) = read(&mut trace);
    assert_eq!(steps, expected[..steps.len()], "other events than were recorded");
    result?;
    native_code(&trace)?;
    assert!(!trace.is_complete() || steps.len() == expected.len(), "events are missing without a word");
    Ok(trace.is_complete())
}

#[test]
fn a_changed_byte_is_never_silent() {
    let sample = Sample::new();
    let mut random = fastrand::Rng::with_seed(8);
    for offset in 0..sample.bytes.len() {
        let mut bytes = sample.bytes.clone();
        bytes[offset] ^= 1 << random.u32(..8);
        fs::write(sample.path(), &bytes).unwrap();
        let read = catch_unwind(AssertUnwindSafe(|| read_all(&sample.path(), &sample.steps)));
        let Ok(read) = read else { panic!("byte {offset} of {} changed: see above", sample.bytes.len()) };
        assert!(!matches!(read, Ok(true)), "byte {offset} of {} changed unnoticed", sample.bytes.len());
    }
}

#[test]
fn arbitrary_bytes_never_panic() {
    let sample = Sample::new();
    let mut random = fastrand::Rng::with_seed(9);
    let mut opened = 0;
    for _ in 0..4000 {
        let mut bytes = match random.u8(..3) {
            // Noise after a good start, so that more than the first check is tried.
            0 => {
                let mut bytes = sample.bytes[..12].to_vec();
                bytes.extend((0..random.usize(..300)).map(|_| random.u8(..)));
                bytes
            }
            1 => (0..random.usize(..200)).map(|_| random.u8(..)).collect(),
            _ => sample.bytes.clone(),
        };
        // Pieces moved around: whole blocks in wrong places pass every checksum.
        for _ in 0..random.usize(..3) {
            if bytes.len() < 40 {
                break;
            }
            let (from, to) = (random.usize(..bytes.len()), random.usize(12..bytes.len()));
            let piece = bytes[from..(from + random.usize(..500)).min(bytes.len())].to_vec();
            let end = (to + random.usize(..500)).min(bytes.len());
            bytes.splice(to..end, piece);
        }
        for (end, _) in &sample.chunks {
            if random.u8(..12) == 0 && *end < bytes.len() {
                // A whole chunk taken out.
                let start = sample.chunks.iter().map(|(end, _)| *end).rfind(|start| start < end);
                bytes.drain(start.unwrap_or(*end)..*end);
                break;
            }
        }
        fs::write(sample.path(), bytes).unwrap();
        if let Ok(mut trace) = TraceReader::open(&sample.path()) {
            opened += 1;
            // Chunks before the damage are those of the sample; read() must end, whatever comes.
            let _ = read(&mut trace);
            let _ = native_code(&trace);
            let _ = trace.outcome();
        }
    }
    assert!(opened > 100, "only {opened} opened: the damage is too coarse to say anything");
}
