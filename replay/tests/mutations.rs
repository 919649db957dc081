//! Traces that a stranger made: sound frames around contents that no recorder writes. Nothing that reads them panics, takes
//! memory without bound, or never ends.
//!
//! `FORKPOINT_MUTATIONS=0..10000000 cargo test --workspace --test mutations -- --nocapture` for these instead of a few.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

#[path = "../../traces/tests/support/mod.rs"]
mod support;

#[path = "mutations/reframe.rs"]
mod reframe;

use fastrand::Rng;
use forkpoint_replay::{NanBits, Report, Symbols, Timeline, describe_with_place, verify};
use forkpoint_traces::{EngineWords, MemoryIndex, Outcome, Position, TraceError, TraceReader};
use reframe::Parts;
use std::alloc::{GlobalAlloc, Layout, System};
use std::fs;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// What docs/trace-format.md promises of every reading command, for files as short as these.
const MOST_MEMORY: usize = 300 << 20;

/// Counts what is allocated.
struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator as it came; counting beside it allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = HELD.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK.fetch_max(held, Relaxed);
        // SAFETY: the caller's own promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's own promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Traces to start from: with every kind of event, in chunks of any size, with native code, and the committed samples.
fn seeds(folder: &Path) -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> = ["orbit-jit.fpt", "orbit-portable.fpt"]
        .map(|name| fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../traces/samples").join(name)).unwrap())
        .into();
    for (seed, chunk_events) in [(1, 4), (2, 64), (3, 1000)] {
        let path = folder.join("seed.fpt");
        let mut writer = support::create(&path, chunk_events);
        (0..3).for_each(|func| writer.native(&support::native(func)).unwrap());
        let (steps, _) = support::random_run(seed, 120);
        let calls =
            [support::invoke(), support::host_call(1), support::host_write(8, b"abc"), support::host_return(0)];
        for step in steps.iter().chain(&calls) {
            support::push(&mut writer, step).unwrap();
        }
        support::push(&mut writer, &support::end(Outcome::Finished)).unwrap();
        writer.finish(EngineWords::default()).unwrap();
        seeds.push(fs::read(&path).unwrap());
    }
    seeds
}

/// One with keyframes, which takes half a million events.
fn long_seed(folder: &Path) -> Vec<u8> {
    let path = folder.join("seed.fpt");
    let mut writer = support::create(&path, 1 << 17);
    support::memories([2, 1]).iter().for_each(|step| support::push(&mut writer, step).unwrap());
    for i in 0..600_000u64 {
        support::push(&mut writer, &support::store(i * 4 % 131_000, i as u32 / 1000)).unwrap();
    }
    support::push(&mut writer, &support::end(Outcome::Finished)).unwrap();
    writer.finish(EngineWords::default()).unwrap();
    let bytes = fs::read(&path).unwrap();
    assert!(TraceReader::open(&path).unwrap().keyframes() > 0);
    bytes
}

/// Everything that reads a trace, as far as it goes.
fn read_all(path: &Path, partner: &Path, random: &mut Rng) -> Result<(), Box<dyn std::error::Error>> {
    let mut trace = TraceReader::open(path)?;
    let _ = trace.outcome();
    let _ = trace.check_blocks();
    let functions: Vec<_> = trace.native_functions().take(50).collect();
    functions.iter().for_each(|func| drop(trace.native_code(*func)));
    if let Ok(mut log) = trace.host_log() {
        while let Ok(Some(_)) = log.next_event() {}
    }
    let symbols = Symbols::new(trace.module().to_vec());
    for chunk in 0..trace.chunks().len() {
        let mut raw = Vec::new();
        let read = trace.read_chunk(chunk, |event| {
            if raw.len() < 300 {
                raw.push((event.site, event.operands, event.blob.to_vec()));
            }
            Ok::<(), TraceError>(())
        });
        for (site, operands, blob) in &raw {
            if let Ok(event) = trace.event(&forkpoint_traces::RawEvent { site: *site, operands: *operands, blob }) {
                let line = describe_with_place(&event, trace.sites(), &symbols);
                assert!(!line.chars().any(forkpoint_replay::is_active), "{line:?}");
            }
        }
        if read.is_err() {
            break;
        }
    }
    let verified = verify(&mut trace);
    verified.findings.iter().for_each(|finding| drop(finding.to_string()));
    let mut timeline = Timeline::new(trace);
    for _ in 0..4 {
        let position = Position(random.u64(..=timeline.len()));
        let _ = timeline.seek(position);
        let address = random.u64(..1 << 17);
        let _ = timeline.last_writer(MemoryIndex(0), address..address + random.u64(..20), position);
        let _ = timeline.next_writer(MemoryIndex(1), address..address + 1, position);
    }
    let mut other = Timeline::open(partner)?;
    for nan_bits in [NanBits::Report, NanBits::Ignore] {
        let (lhs, rhs) = if random.bool() { (&mut timeline, &mut other) } else { (&mut other, &mut timeline) };
        if let Ok(report) = Report::new(lhs, rhs, 3, nan_bits) {
            let text = report.to_string();
            assert!(!text.chars().any(|c| c != '\n' && forkpoint_replay::is_active(c)), "{text:?}");
        }
    }
    Ok(())
}

/// The numbers of mutations to run.
fn range() -> Range<u64> {
    let Ok(text) = std::env::var("FORKPOINT_MUTATIONS") else { return 0..1500 };
    let (start, end) = text.split_once("..").unwrap_or(("0", &text));
    start.parse().unwrap()..end.parse().unwrap()
}

#[test]
fn traces_with_sound_frames_and_wrong_contents() {
    let folder = tempfile::tempdir().unwrap();
    let sound: Vec<Vec<u8>> = seeds(folder.path());
    let mut parts: Vec<Parts> = sound.iter().map(|trace| Parts::of(trace)).collect();
    let partners: Vec<_> =
        (0..sound.len()).map(|number| folder.path().join(format!("partner-{number}.fpt"))).collect();
    sound.iter().zip(&partners).for_each(|(trace, path)| fs::write(path, trace).unwrap());
    let long = long_seed(folder.path());
    let long_partner = folder.path().join("long.fpt");
    fs::write(&long_partner, &long).unwrap();
    parts.push(Parts::of(&long));
    let path = folder.path().join("m.fpt");
    let range = range();
    let (mut opened, mut whole_peak) = (0u64, 0);
    for number in range.clone() {
        let mut random = Rng::with_seed(number);
        // The long one takes a hundred times as long.
        let seed = if number % 1000 == 999 { sound.len() } else { random.usize(..sound.len()) };
        let bytes = parts[seed].mutated(&mut random);
        fs::write(&path, &bytes).unwrap();
        let before = HELD.load(Relaxed);
        PEAK.store(before, Relaxed);
        let partner = partners.get(seed).unwrap_or(&long_partner);
        let read = catch_unwind(AssertUnwindSafe(|| read_all(&path, partner, &mut random).is_ok()));
        let peak = PEAK.load(Relaxed) - before;
        let keep = || {
            let kept = std::env::temp_dir().join(format!("forkpoint-mutation-{number}.fpt"));
            fs::write(&kept, &bytes).unwrap();
            kept.display().to_string()
        };
        let Ok(read) = read else { panic!("mutation {number} panics: {}", keep()) };
        assert!(peak < MOST_MEMORY, "mutation {number} takes {} MiB: {}", peak >> 20, keep());
        opened += u64::from(read);
        whole_peak = whole_peak.max(peak);
    }
    let count = range.end - range.start;
    println!("{count} mutations, {opened} opened, at most {} MiB held by one", whole_peak >> 20);
    assert!(count < 1000 || opened > count / 10, "the mutations are refused too early to try anything");
}
