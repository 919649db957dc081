//! Any text as an engine, a feature switch, a checkpoint setting, a stub, and the argument of a call.

#![no_main]

use forkpoint_tracer::fuzzing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| fuzzing::notations(text));
