//! A trace changed with correct checksums, and the sound ones of the same module: the report about both.

#![no_main]

use forkpoint_fuzz::{mutate, open, random, read, sound};
use forkpoint_replay::Timeline;
use libfuzzer_sys::{fuzz_mutator, fuzz_target};

fuzz_target!(|bytes: &[u8]| {
    let Ok(trace) = open(bytes) else { return };
    let module = trace.header().module.hash;
    let mut timeline = Timeline::new(trace);
    for other in sound() {
        let mut other = Timeline::new(open(other).expect("it is sound"));
        if other.trace().header().module.hash == module {
            read::compare(&mut timeline, &mut other, &mut random(bytes));
        }
    }
});

fuzz_mutator!(|data: &mut [u8], size: usize, most: usize, seed: u32| { mutate(data, size, most, seed) });
