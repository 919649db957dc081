//! The report on two traces that use all that a short file may: its memory stays below what docs/trace-format.md
//! says.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

#[path = "../../traces/tests/support/mod.rs"]
mod support;

#[path = "mutations/counting.rs"]
mod counting;

use counting::{Counting, MOST_MEMORY};
use forkpoint_replay::{NanBits, Report, Timeline};
use forkpoint_traces::{EngineWords, Header, MemoryOp, ModuleInfo, Outcome, TraceWriter};
use std::fs;
use std::path::Path;
use std::sync::Arc;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Bytes that one event fills: as many as are kept to take it back.
const PIECE: u64 = 1 << 16;

/// A run that fills `filled` bytes twice and then stores `last`, of a module with a custom section of this many
/// zeros.
fn trace(path: &Path, section: u32, filled: u64, last: u32) {
    let mut module = b"\0asm\x01\0\0\0\0".to_vec();
    // A length of five bytes, and an empty name.
    module.extend((0..5).map(|i| ((section + 1) >> (7 * i)) as u8 & 0x7f | if i < 4 { 0x80 } else { 0 }));
    module.resize(module.len() + section as usize + 1, 0);
    let header = Header { module: ModuleInfo::of("test.wasm", &module), ..support::header(1 << 17) };
    let module: Arc<[u8]> = module.into();
    let mut writer = TraceWriter::create(path, &header, module, support::sites(), Vec::new()).unwrap();
    let mut steps = support::memories([2000, 1]);
    for byte in [1, 2] {
        let pieces = (0..filled / PIECE).map(|i| support::step(MemoryOp::MemoryFill, [i * PIECE, byte, PIECE]));
        steps.extend(pieces);
    }
    steps.extend([support::store(0, last), support::end(Outcome::Finished)]);
    steps.iter().for_each(|step| support::push(&mut writer, step).unwrap());
    writer.finish(EngineWords::default()).unwrap();
}

#[test]
fn two_greedy_traces_are_reported_in_bounded_memory() {
    let folder = tempfile::tempdir().unwrap();
    let [lhs, rhs] = ["l.fpt", "r.fpt"].map(|name| folder.path().join(name));
    for (section, filled, answered) in
        [(100, 62 << 20, true), (30 << 20, 32 << 20, true), (60 << 20, 62 << 20, false)]
    {
        trace(&lhs, section, filled, 1);
        trace(&rhs, section, filled, 2);
        assert!(fs::metadata(&lhs).unwrap().len() < 1 << 16);
        let before = counting::begin();
        let report = Timeline::open(&lhs)
            .and_then(|mut lhs| Report::new(&mut lhs, &mut Timeline::open(&rhs)?, 3, NanBits::Report));
        let peak = counting::peak() - before;
        assert!(peak < MOST_MEMORY, "{} MiB for a module of {section} bytes", peak >> 20);
        // A module takes its bytes from what memory may have.
        assert_eq!(report.is_ok(), answered, "{:?}", report.err());
    }
}
