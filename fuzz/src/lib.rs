//! Code that the fuzz targets share with each other and with the workspace's tests.

#![allow(clippy::unwrap_used, reason = "a failed step ends a fuzzer")]

#[path = "../../replay/tests/mutations/read.rs"]
pub mod read;
#[path = "../../replay/tests/mutations/reframe.rs"]
pub mod reframe;
#[path = "../../replay/tests/mutations/seeds.rs"]
pub mod seeds;
#[path = "../../traces/tests/support/mod.rs"]
mod support;

use fastrand::Rng;
use forkpoint_traces::{TraceError, TraceReader};
use reframe::Parts;
use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::OnceLock;

/// Sound traces to start from.
pub fn sound() -> &'static [Vec<u8>] {
    static SOUND: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    SOUND.get_or_init(|| seeds::short(tempfile::tempdir().unwrap().path()))
}

/// A custom mutator: takes the trace in the first `size` bytes apart, changes it and corrects its checksums. Bytes
/// that are not a trace are replaced by a sound one.
pub fn mutate(data: &mut [u8], size: usize, most: usize, seed: u32) -> usize {
    let mut random = Rng::with_seed(seed.into());
    let parts = Parts::of(&data[..size]);
    let parts = parts.unwrap_or_else(|| Parts::of(random.choice(sound()).unwrap()).unwrap());
    // Changes make it longer, or shorter, or too long.
    for _ in 0..10 {
        let bytes = parts.mutated(&mut random);
        if bytes.len() <= most {
            data[..bytes.len()].copy_from_slice(&bytes);
            return bytes.len();
        }
    }
    size
}

/// Random numbers derived from the bytes, so an input always does the same.
pub fn random(bytes: &[u8]) -> Rng {
    Rng::with_seed(crc32fast::hash(bytes).into())
}

/// Opens the bytes as a trace, in a nameless file: a fuzzer that is ended leaves nothing.
pub fn open(bytes: &[u8]) -> Result<TraceReader, TraceError> {
    let memory = Path::new("/dev/shm");
    let file = if memory.is_dir() { tempfile::tempfile_in(memory) } else { tempfile::tempfile() };
    let mut file: File = file.unwrap();
    file.write_all(bytes).unwrap();
    TraceReader::open(Path::new(&format!("/proc/self/fd/{}", file.as_raw_fd())))
}
