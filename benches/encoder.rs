//! The recorder's loop without an engine: canned blocks of records go through decoder, model and encoder into a file.
//!
//! `cargo bench --profile dev --bench encoder`. Shapes of programs, named by what their stores do: `sieve` (one
//! store in a loop, everything foreseen), `frames` (three stores to a stack frame that moves), `random` (four stores of
//! values that nothing foresees, two of them to random addresses in 4 MiB) and `calls` (300 functions in random order, of one to
//! three stores). Nanoseconds per event, and the fastest of five rounds: what else runs on the machine can only make it slower.
//! `digest` is what a comparison's first pass does with the same blocks.

use forkpoint_tracer::instrument::{
    Digester, FIRST_SEGMENT, Instrumented, LANES, Options, RecordDecoder, RecordSink, STRETCH, instrument,
};
use forkpoint_tracer::write_block;
use forkpoint_traces::{
    EngineInfo, EngineWords, Features, Header, HostInfo, Limits, MAX_CHUNK_EVENTS, MemoryIndex, Milestone,
    ModuleInfo, RecorderInfo, Specification, TraceWriter,
};
use std::path::Path;
use std::time::Instant;

/// Bytes of a block, as the guest's buffer has them.
const BLOCK: usize = 1 << 20;

/// Bytes of what a guest gathers for its digest.
const PIECE: usize = 64 << 10;

/// Blocks per round.
const BLOCKS: usize = 40;

/// Takes a module's stores, in the order of the code: appends one record's fields for turn `turn`, and says in which function.
type Fields = fn(turn: u64, bytes: &mut Vec<u8>) -> u32;

/// Functions of the shape `calls`.
const FUNCTIONS: u64 = 300;

const SHAPES: &[(&str, &str, u64, Fields)] = &[
    ("sieve", "(i32.store8 (local.get 0) (i32.const 1))", 1, |turn, bytes| {
        bytes.extend_from_slice(&((turn * 7 % (4 << 20)) as u32).to_le_bytes());
        bytes.push(1);
        0
    }),
    (
        "frames",
        "(i32.store (local.get 0) (local.get 0)) (i32.store offset=4 (local.get 0) (local.get 0)) (i64.store offset=8 (local.get 0) (i64.const 0))",
        3,
        |turn, bytes| {
            let depth = random(turn) % 32;
            let frame = ((1 << 20) - 16 * depth) as u32;
            bytes.extend_from_slice(&frame.to_le_bytes());
            bytes.extend_from_slice(&((turn / 3) as u32).to_le_bytes());
            bytes.extend_from_slice(&frame.to_le_bytes());
            bytes.extend_from_slice(&frame.to_le_bytes());
            bytes.extend_from_slice(&frame.to_le_bytes());
            bytes.extend_from_slice(&(turn % 5).to_le_bytes());
            0
        },
    ),
    (
        "random",
        "(i64.store (local.get 0) (i64.const 0)) (i32.store (local.get 0) (i32.const 0)) (i64.store (local.get 0) (i64.const 0)) (i32.store (local.get 0) (i32.const 0))",
        4,
        |turn, bytes| {
            let mut value = random(turn);
            for (field, width) in [(turn * 8, 8), (value, 4), (turn * 16, 8), (value >> 20, 4)] {
                bytes.extend_from_slice(&((field % (4 << 20)) as u32).to_le_bytes());
                value = random(value);
                bytes.extend_from_slice(&value.to_le_bytes()[..width]);
            }
            0
        },
    ),
    ("calls", "", 1, |turn, bytes| {
        let function = random(turn) % FUNCTIONS;
        for store in 0..=function % 3 {
            bytes.extend_from_slice(&((1 << 16) + (function * 64 + store * 8) as u32).to_le_bytes());
            bytes.extend_from_slice(&((turn / 100) as u32).to_le_bytes());
        }
        function as u32
    }),
];

/// A number that looks random: the finalizer of MurmurHash3.
fn random(mut number: u64) -> u64 {
    number = (number ^ (number >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    number = (number ^ (number >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    number ^ (number >> 33)
}

fn main() {
    println!("| stores | events | ns/event | bytes/event | digest, ns/event |\n| --- | --- | --- | --- | --- |");
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, stores, per_record, fields) in SHAPES {
        let text = match *name {
            "calls" => (0..FUNCTIONS)
                .map(|function| function_of("(i32.store (local.get 0) (local.get 0))", function % 3))
                .collect(),
            _ => function_of(stores, 0),
        };
        let text = format!("(module (memory 80) {text})");
        let module = wat::parse_str(text).expect("a module");
        let rewritten = instrument(&module, &Options::default()).expect("a module that can be rewritten");
        let blocks: Vec<Vec<u8>> = (0..BLOCKS as u64).map(|number| block(number, *fields)).collect();
        let path = folder.path().join("bench.fpt");
        let runs = (0..5).map(|_| run(&path, &module, &rewritten, &blocks));
        let (seconds, events, bytes) = runs.min_by(|a, b| a.0.total_cmp(&b.0)).expect("five rounds");
        assert!((events - 1).is_multiple_of(*per_record), "the milestone, and whole records");
        let digest = (0..5).map(|_| digest(&rewritten, &blocks)).min_by(f64::total_cmp).expect("five rounds");
        let per_event = |figure: f64| figure / events as f64;
        println!(
            "| {name} | {events} | {:.1} | {:.3} | {:.2} |",
            per_event(seconds * 1e9),
            per_event(bytes as f64),
            per_event(digest * 1e9)
        );
    }
}

/// A function with some stores, and the same again so many times.
fn function_of(stores: &str, more: u64) -> String {
    format!("(func (param i32) {})", stores.repeat(1 + more as usize))
}

/// Takes nothing.
struct Nowhere;

impl RecordSink for Nowhere {
    fn event(&mut self, _: forkpoint_traces::SiteId, _: [u64; 3]) {}
    fn read_back(&mut self, _: forkpoint_traces::SiteId, _: u64, _: [u64; 2]) {}
}

/// Seconds until all is digested.
fn digest(rewritten: &Instrumented, blocks: &[Vec<u8>]) -> f64 {
    let decoder = RecordDecoder::new(&rewritten.sites, &rewritten.segments, &rewritten.memories);
    let mut digester = Digester::every(STRETCH);
    digester.set_sizes([80 << 16]);
    // As the guest passes them on.
    let pieces: Vec<&[u8]> = blocks.iter().flat_map(|block| pieces(block, rewritten)).collect();
    let mut pieces = pieces.into_iter();
    let started = Instant::now();
    loop {
        let lanes = [0; LANES].map(|_| pieces.next().unwrap_or_default());
        if lanes.iter().all(|lane| lane.is_empty()) {
            break;
        }
        decoder.digest_blocks(lanes, &mut digester, &mut Nowhere).expect("records");
    }
    assert!(!digester.finish().outside, "memory is large enough");
    started.elapsed().as_secs_f64()
}

/// Parts of a block of about as many bytes as a guest gathers, each of whole records.
fn pieces<'b>(block: &'b [u8], rewritten: &Instrumented) -> Vec<&'b [u8]> {
    let (mut pieces, mut start, mut at) = (Vec::new(), 0, 0);
    while at < block.len() {
        let number = block[at..].first_chunk().map_or(0, |head| u32::from_le_bytes(*head)) - FIRST_SEGMENT;
        let segment = &rewritten.segments[number as usize];
        let sites = &rewritten.sites[segment.first as usize..][..segment.count as usize];
        at += 4 + sites.iter().map(|site| 4 + usize::from(site.op.shape().width().unwrap_or(0))).sum::<usize>();
        if at - start >= PIECE || at >= block.len() {
            pieces.push(&block[start..at.min(block.len())]);
            start = at;
        }
    }
    pieces
}

/// The records of one block.
fn block(number: u64, fields: Fields) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(BLOCK + 64);
    let mut turn = number << 20;
    while bytes.len() < BLOCK {
        let head = bytes.len();
        bytes.extend_from_slice(&[0; 4]);
        let segment = FIRST_SEGMENT + fields(turn, &mut bytes);
        bytes[head..head + 4].copy_from_slice(&segment.to_le_bytes());
        turn += 1;
    }
    bytes
}

/// Seconds until the trace is whole, events, bytes of the file.
fn run(path: &Path, module: &[u8], rewritten: &Instrumented, blocks: &[Vec<u8>]) -> (f64, u64, u64) {
    let header = Header {
        forkpoint: env!("CARGO_PKG_VERSION").to_string(),
        engine: EngineInfo::default(),
        module: ModuleInfo::of("bench.wasm", module),
        host: HostInfo::default(),
        steps: Vec::new(),
        limits: Limits::default(),
        features: Features::default(),
        specification: Specification::default(),
        recorder: RecorderInfo::default(),
        command: Vec::new(),
        chunk_events: MAX_CHUNK_EVENTS,
        program: None,
        javascript: None,
    };
    let mut writer =
        TraceWriter::create(path, &header, module.into(), rewritten.sites.clone(), Vec::new()).expect("a trace");
    writer.milestone(&Milestone::Memory { memory: MemoryIndex(0), pages: 80, page_size: 1 << 16 }).expect("a memory");
    let started = Instant::now();
    for block in blocks {
        write_block(rewritten, block, &mut writer).expect("records");
    }
    let events = writer.events();
    let finished = writer.finish(EngineWords::default()).expect("a trace");
    (started.elapsed().as_secs_f64(), events, finished.length)
}
