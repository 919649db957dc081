//! A sample, and another one with sound frames and contents that the bytes decide: what the report of both says.

#![no_main]

#[path = "../../replay/tests/mutations/reframe.rs"]
mod reframe;

use forkpoint_replay::{NanBits, Report, Timeline, is_active};
use libfuzzer_sys::fuzz_target;
use reframe::Parts;
use std::sync::OnceLock;

const SAMPLE: &[u8] = include_bytes!("../../traces/samples/orbit-jit.fpt");

fuzz_target!(|bytes: &[u8]| {
    static PARTS: OnceLock<Parts> = OnceLock::new();
    let parts = PARTS.get_or_init(|| Parts::of(SAMPLE));
    let seed = bytes.chunks(8).fold(0u64, |seed, chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        seed.rotate_left(7) ^ u64::from_le_bytes(word)
    });
    let mutated = parts.mutated(&mut fastrand::Rng::with_seed(seed));
    let open = |bytes: &[u8]| {
        let file = tempfile::NamedTempFile::new().ok()?;
        std::fs::write(file.path(), bytes).ok()?;
        Timeline::open(file.path()).ok()
    };
    let (Some(mut lhs), Some(mut rhs)) = (open(SAMPLE), open(&mutated)) else { return };
    if let Ok(report) = Report::new(&mut lhs, &mut rhs, 3, NanBits::Report) {
        assert!(!report.to_string().chars().any(|c| c != '\n' && is_active(c)));
    }
});
