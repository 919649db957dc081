//! A trace changed with correct checksums: opened, described, verified, sought in.

#![no_main]

use forkpoint_fuzz::{mutate, open, random, read};
use libfuzzer_sys::{fuzz_mutator, fuzz_target};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(trace) = open(bytes) {
        read::read(trace, &mut random(bytes));
    }
});

fuzz_mutator!(|data: &mut [u8], size: usize, most: usize, seed: u32| { mutate(data, size, most, seed) });
