//! Traces that a stranger made: sound frames around contents that no recorder writes. Nothing that reads them panics,
//! takes memory without bound, or runs forever.
//!
//! `FORKPOINT_MUTATIONS=0..10000000 cargo test --workspace --test mutations -- --nocapture` for these instead of a few.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

#[path = "../../traces/tests/support/mod.rs"]
mod support;

#[path = "mutations/counting.rs"]
mod counting;
#[path = "mutations/inputs.rs"]
mod inputs;
#[path = "mutations/read.rs"]
mod read;
#[path = "mutations/reframe.rs"]
mod reframe;
#[path = "mutations/seeds.rs"]
mod seeds;

use counting::{Counting, MOST_MEMORY};
use fastrand::Rng;
use forkpoint_replay::{ReplayError, Timeline, verify};
use forkpoint_traces::TraceReader;
use reframe::Parts;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn read_both(path: &Path, partner: &Path, random: &mut Rng) -> Result<(), ReplayError> {
    let mut timeline = read::read(TraceReader::open(path)?, random);
    read::compare(&mut timeline, &mut Timeline::open(partner)?, random);
    Ok(())
}

#[test]
fn traces_with_sound_frames_and_wrong_contents() {
    let folder = inputs::folder();
    let sound = seeds::short(folder.path());
    let mut parts: Vec<Parts> = sound.iter().map(|trace| Parts::of(trace).unwrap()).collect();
    let partners: Vec<_> =
        (0..sound.len()).map(|number| folder.path().join(format!("partner-{number}.fpt"))).collect();
    sound.iter().zip(&partners).for_each(|(trace, path)| fs::write(path, trace).unwrap());
    for path in &partners {
        let verified = verify(&mut TraceReader::open(path).unwrap());
        assert!(verified.faults.is_empty(), "{}: {:?}", path.display(), verified.faults);
    }
    let long = seeds::long(folder.path());
    let long_partner = folder.path().join("long.fpt");
    fs::write(&long_partner, &long).unwrap();
    parts.push(Parts::of(&long).unwrap());
    let [path, strange_partner] = ["m.fpt", "strange.fpt"].map(|name| folder.path().join(name));
    let range = inputs::numbers(1500);
    let (mut opened, mut largest, mut slowest) = (0u64, (0, 0), (Duration::ZERO, 0));
    for number in range.clone() {
        let mut random = Rng::with_seed(number);
        // The long one takes five hundred times as long.
        let seed = if number % 5000 == 999 { sound.len() } else { random.usize(..sound.len()) };
        let mut bytes = parts[seed].mutated(&mut random);
        // Changes of what is changed already.
        while random.u8(..4) == 0
            && let Some(parts) = Parts::of(&bytes)
        {
            bytes = parts.mutated(&mut random);
        }
        fs::write(&path, &bytes).unwrap();
        // Both may be a stranger's.
        let strange = random.u8(..8) == 0;
        if strange {
            fs::write(&strange_partner, parts[seed].mutated(&mut random)).unwrap();
        }
        let before = counting::begin();
        let partner = if strange { &strange_partner } else { partners.get(seed).unwrap_or(&long_partner) };
        let started = Instant::now();
        let read = catch_unwind(AssertUnwindSafe(|| read_both(&path, partner, &mut random).is_ok()));
        let peak = counting::peak() - before;
        let keep = || {
            let kept = std::env::temp_dir().join(format!("forkpoint-mutation-{number}.fpt"));
            fs::write(&kept, &bytes).unwrap();
            kept.display().to_string()
        };
        let Ok(read) = read else { panic!("mutation {number} panics: {}", keep()) };
        assert!(peak < MOST_MEMORY, "mutation {number} takes {} MiB: {}", peak >> 20, keep());
        opened += u64::from(read);
        largest = largest.max((peak, number));
        slowest = slowest.max((started.elapsed(), number));
    }
    let count = range.end - range.start;
    let ((peak, largest), (time, slowest)) = (largest, slowest);
    println!(
        "{count} mutations, {opened} opened, at most {} MiB held (by number {largest}) and {} ms taken (by number {slowest})",
        peak >> 20,
        time.as_millis()
    );
    assert!(count < 1000 || opened > count / 10, "the mutations are refused too early to try anything");
}
