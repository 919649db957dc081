//! Any bytes as what an engine's process sends to the recorder, and as the recorder's orders.

#![no_main]

use forkpoint_tracer::fuzzing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    fuzzing::frames(bytes);
    fuzzing::orders(bytes);
});
