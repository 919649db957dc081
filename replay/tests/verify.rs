//! Verification finds what checksums cannot: traces whose parts are whole but do not fit together.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

#[path = "../../traces/tests/support/mod.rs"]
mod support;

use forkpoint_replay::{Fault, Verified, verify};
use forkpoint_traces::{
    EngineWords, MemoryOp, Milestone, ModuleInfo, Outcome, Position, SiteId, TraceReader, TraceWriter,
};
use std::fs;
use std::path::Path;
use support::{Step, create, end, header, memories, native, push, random_run, step, store};

fn verified(path: &Path) -> Verified {
    verify(&mut TraceReader::open(path).unwrap())
}

#[test]
fn sound_traces_have_no_findings_and_their_events_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.fpt");
    for seed in 500..530 {
        let (steps, _) = random_run(seed, 300);
        let mut writer = create(&path, 40);
        writer.native(&native(1)).unwrap();
        steps.iter().for_each(|step| push(&mut writer, step).unwrap());
        writer.finish(EngineWords::default()).unwrap();
        let verified = verified(&path);
        assert!(verified.faults.is_empty(), "seed {seed}: {:?}", verified.faults);
        assert_eq!(verified.kinds.values().sum::<u64>(), steps.len() as u64);
        let host = |step: &&Step| matches!(step, Step::Raw { site: SiteId::HOST, .. });
        let expected = steps.iter().filter(host).count() as u64;
        let kinds = ["host-call", "host-write", "host-grow", "host-return"];
        assert_eq!(kinds.iter().filter_map(|kind| verified.kinds.get(kind)).sum::<u64>(), expected);
        assert_eq!((verified.kinds["end"], verified.kinds["memory"], verified.native), (1, 2, 1));
    }
}

/// Writes a trace of these events and returns the only thing that is wrong with it.
fn finding(steps: &[Step]) -> Fault {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.fpt");
    support::write(&path, 4, steps);
    let mut findings = verified(&path).faults;
    assert_eq!(findings.len(), 1, "{findings:?}");
    findings.remove(0)
}

#[test]
fn an_end_that_is_not_the_replayed_one_is_found() {
    let (mut steps, plain) = random_run(9, 60);
    let last = steps.len() - 1;
    let mut states = plain.states();
    states[1].digest ^= 1;
    steps[last] = Step::Milestone(Milestone::End {
        outcome: Outcome::Finished,
        memories: states.clone(),
        globals: Vec::new(),
        tables: Vec::new(),
    });
    assert!(matches!(finding(&steps), Fault::EndMemory { memory, .. } if memory.0 == 1));
    states[1].digest ^= 1;
    states[0].pages += 1;
    steps[last] = Step::Milestone(Milestone::End {
        outcome: Outcome::Finished,
        memories: states.clone(),
        globals: Vec::new(),
        tables: Vec::new(),
    });
    assert!(matches!(finding(&steps), Fault::EndMemory { memory, .. } if memory.0 == 0));
    states.truncate(1);
    states[0].pages -= 1;
    steps[last] = Step::Milestone(Milestone::End {
        outcome: Outcome::Finished,
        memories: states,
        globals: Vec::new(),
        tables: Vec::new(),
    });
    assert!(matches!(finding(&steps), Fault::EndMemory { memory, .. } if memory.0 == 1));
    steps[last] = store(0, 1);
    assert!(matches!(finding(&steps), Fault::NoEnd));
    steps[last] = end(Outcome::TimedOut);
    steps.push(store(0, 1));
    assert!(matches!(finding(&steps), Fault::AfterEnd { position } if position.0 == last as u64 + 1));
}

/// What a header says about a module, its hash above all, is about the module in the trace.
#[test]
fn a_module_other_than_the_headers_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut module = support::module();
    *module.last_mut().unwrap() ^= 1;
    let (sites, data) = (support::sites, || support::DATA.to_vec());
    let path = folder.path().join("t.fpt");
    let refused = TraceWriter::create(&path, &header(4), module.clone().into(), sites(), data());
    assert!(refused.err().unwrap().to_string().contains("BLAKE3"));
    // The header of one trace before the module of another.
    let mut other = header(4);
    other.module = ModuleInfo::of("test.wasm", &module);
    let [one, two] = [(header(4), support::module()), (other, module)].map(|(header, module)| {
        let mut writer = TraceWriter::create(&path, &header, module.into(), sites(), data()).unwrap();
        push(&mut writer, &end(Outcome::Finished)).unwrap();
        writer.finish(EngineWords::default()).unwrap();
        assert!(verified(&path).faults.is_empty());
        fs::read(&path).unwrap()
    });
    let length = u32::from_le_bytes(one[13..17].try_into().unwrap()) as usize;
    let head = 12 + 13 + length;
    fs::write(&path, [&one[..head], &two[head..]].concat()).unwrap();
    let error = TraceReader::open(&path).err().unwrap().to_string();
    assert!(error.contains("BLAKE3") && error.contains("the header names"), "{error}");
}

#[test]
fn native_code_with_points_out_of_order_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.fpt");
    let mut writer = create(&path, 4);
    let mut after = native(1);
    after.points[0].offset = 2;
    let mut unordered = native(2);
    unordered.points = [1, 0].map(|offset| forkpoint_traces::NativePoint { offset, ..after.points[0] }).to_vec();
    writer.native(&after).unwrap();
    writer.native(&unordered).unwrap();
    push(&mut writer, &end(Outcome::Finished)).unwrap();
    writer.finish(EngineWords::default()).unwrap();
    let findings = verified(&path).faults;
    let functions: Vec<u32> = findings
        .iter()
        .map(|finding| match finding {
            Fault::Native { func, .. } => func.0,
            other => panic!("{other}"),
        })
        .collect();
    assert_eq!(functions, [1, 2]);
}

/// A stretch of a file with its blocks: tag, first byte, one past the last.
fn blocks(bytes: &[u8]) -> Vec<(u8, usize, usize)> {
    let mut at = 12;
    let mut blocks = Vec::new();
    while at + 16 < bytes.len() {
        let stored = u32::from_le_bytes(bytes[at + 1..at + 5].try_into().unwrap()) as usize;
        blocks.push((bytes[at], at, at + 13 + stored));
        at += 13 + stored;
    }
    blocks
}

/// Puts another checksum on the block at `at`, as a stranger can.
fn reseal(bytes: &mut [u8], at: usize, end: usize) {
    let mut crc = 0xffff_ffff_u32;
    for byte in bytes[at..at + 9].iter().chain(&bytes[at + 13..end]) {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = crc >> 1 ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
        }
    }
    bytes[at + 9..at + 13].copy_from_slice(&(!crc).to_le_bytes());
}

const CHUNK: u8 = 4;
const PAGES: u8 = 5;
const KEYFRAME: u8 = 6;

/// A trace with two keyframes.
fn with_keyframes(path: &Path) {
    let mut writer = create(path, 1 << 16);
    memories([2, 1]).iter().for_each(|step| push(&mut writer, step).unwrap());
    for i in 0..3_100_000u64 {
        push(&mut writer, &store(i * 68 % 131_000, (i * i) as u32)).unwrap();
    }
    push(&mut writer, &end(Outcome::TimedOut)).unwrap();
    writer.finish(EngineWords::default()).unwrap();
    assert_eq!(TraceReader::open(path).unwrap().keyframes(), 2);
}

#[test]
fn keyframes_that_are_not_the_replayed_memory_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.fpt");
    with_keyframes(&path);
    assert_eq!(verified(&path).keyframes, 2);
    let good = fs::read(&path).unwrap();
    let blocks = blocks(&good);
    let of = |tag: u8| blocks.iter().filter(|block| block.0 == tag).copied().collect::<Vec<_>>();
    // The pages of the first keyframe instead of those of the second: each is whole, and none is right.
    let [first, second] = of(PAGES)[..] else { panic!("a block of pages for each keyframe") };
    assert_ne!(good[first.1..first.2], good[second.1..second.2]);
    let mut bytes = good.clone();
    let keyframe = of(KEYFRAME)[1];
    let index = blocks.last().unwrap();
    assert_eq!(index.0, 8);
    // The trailer is cut off, so that the keyframe block counts and not the index.
    bytes.truncate(index.1);
    let place = (second.1 as u32).to_le_bytes();
    let at = bytes[keyframe.1..keyframe.2].windows(4).rposition(|bytes| bytes == place).unwrap() + keyframe.1;
    bytes[at..at + 4].copy_from_slice(&(first.1 as u32).to_le_bytes());
    reseal(&mut bytes, keyframe.1, keyframe.2);
    fs::write(&path, &bytes).unwrap();
    // Pages that an earlier keyframe already named: each is read once, however often a stranger names it.
    let cut = TraceReader::open(&path).unwrap();
    assert!(cut.keyframes() == 1 && cut.incomplete().unwrap().contains("out of order"), "{:?}", cut.incomplete());
    // Another size: two pages become three.
    let mut bytes = good.clone();
    bytes.truncate(index.1);
    let at = keyframe.1 + 13 + 7;
    assert_eq!(bytes[at..at + 2], [2, 2], "after the position and the base: two memories, two pages");
    bytes[at + 1] = 3;
    reseal(&mut bytes, keyframe.1, keyframe.2);
    fs::write(&path, &bytes).unwrap();
    let found = verified(&path).faults;
    assert!(matches!(found[..], [Fault::KeyframeSize { keyframe: 2, memory, .. }] if memory.0 == 0), "{found:?}");
    // An earlier position, which is none between two chunks.
    let mut bytes = good.clone();
    bytes.truncate(index.1);
    bytes[keyframe.1 + 14] += 1;
    bytes[keyframe.1 + 16] -= 1;
    reseal(&mut bytes, keyframe.1, keyframe.2);
    fs::write(&path, &bytes).unwrap();
    let found = verified(&path).faults;
    assert!(matches!(found[..], [Fault::KeyframePosition { keyframe: 2, .. }]), "{found:?}");
    // A later position.
    let mut bytes = good.clone();
    bytes.truncate(index.1);
    bytes[keyframe.1 + 14] ^= 1;
    reseal(&mut bytes, keyframe.1, keyframe.2);
    fs::write(&path, &bytes).unwrap();
    // It reads as memory after one event that is left out, and the chunk that follows contradicts that.
    let cut = TraceReader::open(&path).unwrap();
    assert_eq!(cut.keyframes(), 1);
    assert!(cut.incomplete().unwrap().contains("expected #"), "{:?}", cut.incomplete());
    // In a closed trace the index contradicts it.
    let mut bytes = good.clone();
    bytes[keyframe.1 + 14] ^= 1;
    reseal(&mut bytes, keyframe.1, keyframe.2);
    fs::write(&path, &bytes).unwrap();
    let found = verified(&path).faults;
    assert!(matches!(found[..], [Fault::Blocks(_)]), "{found:?}");
    // A page that is damaged.
    let mut bytes = good;
    bytes[second.1 + 40] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let found = verified(&path).faults;
    assert!(matches!(found[..], [Fault::Blocks(_), Fault::Keyframe { keyframe: 2, .. }]), "{found:?}");
}

#[test]
fn a_page_filter_that_denies_a_written_page_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.fpt");
    let mut steps = memories([2, 1]);
    steps.extend([store(4096 * 3 + 8, 1), step(MemoryOp::MemoryFill, [4096 * 9, 0, 10])]);
    support::write(&path, 100, &steps);
    let good = fs::read(&path).unwrap();
    let blocks = blocks(&good);
    let index = blocks.last().unwrap();
    let chunk = blocks.iter().find(|block| block.0 == CHUNK).unwrap();
    let mut bytes = good[..index.1].to_vec();
    // The filter: first, count, digest, observed, its length (251, 0, 1), 256 bytes.
    let filter = chunk.1 + 13 + 1 + 1 + 16 + 1 + 3;
    assert_eq!(bytes[filter - 3..filter], [251, 0, 1]);
    let set: Vec<usize> = (filter..filter + 256).filter(|at| bytes[*at] != 0).collect();
    assert_eq!(set.len(), 2);
    bytes[filter..filter + 256].fill(0);
    reseal(&mut bytes, chunk.1, chunk.2);
    fs::write(&path, &bytes).unwrap();
    let positions: Vec<u64> = verified(&path)
        .faults
        .iter()
        .map(|finding| match finding {
            Fault::PageFilter { position: Position(position), .. } => *position,
            other => panic!("{other}"),
        })
        .collect();
    assert_eq!(positions, [2, 3]);
}

/// Whatever byte of a trace changes: it does not open, it opens as incomplete, or verification finds it.
#[test]
fn a_changed_byte_is_refused_or_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.fpt");
    let (steps, _) = random_run(21, 200);
    let mut writer = create(&path, 64);
    writer.native(&native(3)).unwrap();
    steps.iter().for_each(|step| push(&mut writer, step).unwrap());
    writer.finish(EngineWords { message: Some("done".to_string()), ..EngineWords::default() }).unwrap();
    let good = fs::read(&path).unwrap();
    let mut random = fastrand::Rng::with_seed(2);
    let mut found = 0;
    for at in 0..good.len() {
        let mut bytes = good.clone();
        bytes[at] ^= 1 << random.u32(..8);
        fs::write(&path, &bytes).unwrap();
        let Ok(mut trace) = TraceReader::open(&path) else { continue };
        if !trace.is_complete() {
            continue;
        }
        assert!(!verify(&mut trace).faults.is_empty(), "byte {at} of {} changed unnoticed", good.len());
        found += 1;
    }
    assert!(found > 500, "verification was asked {found} times only");
}

#[test]
fn a_host_writes_within_its_own_call_or_between_calls_of_the_guest() {
    let write = support::host_write(8, b"abc");
    let returned = Step::Milestone(Milestone::Returned { results: Vec::new() });
    let mut steps = memories([1, 1]);
    steps.extend([write.clone(), support::invoke(), write.clone(), returned.clone(), write, returned]);
    steps.push(end(Outcome::Interrupted));
    assert!(matches!(finding(&steps), Fault::HostLog { position: Position(4) }));
}
