use super::super::digest::Digester;
use super::super::raw::host_records;
use super::*;
use forkpoint_traces::{CodeOffset, FuncIndex, HostEvent, MemoryIndex, MemoryOp};

fn site(op: MemoryOp, memory: u32, static_offset: u64, source: u32) -> Site {
    Site { func: FuncIndex(0), offset: CodeOffset(0), op, memory: MemoryIndex(memory), static_offset, source }
}

fn memory(memory64: bool) -> MemoryDecl {
    MemoryDecl {
        minimum: 1,
        maximum: None,
        page_size: 65536,
        memory64,
        shared: false,
        imported: false,
        export: String::new(),
    }
}

/// A decoder with one segment of all `sites`; memory 0 has 32 bits, memory 1 has 64.
fn decoder(sites: &[Site]) -> RecordDecoder {
    let segments = [Segment { first: 0, count: sites.len() as u32 }];
    RecordDecoder::new(sites, &segments, &[memory(false), memory(true)])
}

struct Events(Vec<(u32, [u64; 3])>);

impl RecordSink for Events {
    fn event(&mut self, site: SiteId, operands: [u64; 3]) {
        self.0.push((site.0 - SiteId::FIRST.0, operands));
    }

    fn read_back(&mut self, site: SiteId, address: u64, found: [u64; 2]) {
        self.0.push((u32::MAX - site.0, [address, found[0], found[1]]));
    }
}

fn decode(decoder: &RecordDecoder, bytes: &[u8]) -> Result<Vec<(u32, [u64; 3])>, RawRecordError> {
    let mut sink = Events(Vec::new());
    decoder.decode_block(bytes, &mut sink)?;
    Ok(sink.0)
}

/// Takes runs of stores as such, and notes how long the longest was.
#[derive(Default)]
struct Runs(Vec<(u32, [u64; 3])>, u64);

impl RecordSink for Runs {
    fn event(&mut self, site: SiteId, operands: [u64; 3]) {
        self.0.push((site.0 - SiteId::FIRST.0, operands));
    }

    fn stores(&mut self, site: SiteId, address: u64, stride: u64, value: u64, count: u64) {
        self.1 = self.1.max(count);
        (0..count).for_each(|number| self.store(site, address.wrapping_add(stride.wrapping_mul(number)), value));
    }

    fn read_back(&mut self, _: SiteId, _: u64, _: [u64; 2]) {}
}

#[test]
fn runs_of_a_store_are_read_as_one_by_one() {
    let sites = [MemoryOp::I32Store8, MemoryOp::I32Store, MemoryOp::I64Store].map(|op| site(op, 0, 0x10, 0));
    let segments: Vec<Segment> = (0..3).map(|first| Segment { first, count: 1 }).collect();
    let decoder = RecordDecoder::new(&sites, &segments, &[memory(false)]);
    let mut random = 1_u64;
    let mut next = |below: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % below
    };
    let mut longest = 0;
    for _ in 0..300 {
        let (mut bytes, mut events) = (Vec::new(), Vec::new());
        for _ in 0..next(6) {
            let (which, count) = (next(3), 1 + next(40));
            let (width, mask) = [(1, 0xff), (4, 0xffff_ffff), (8, u64::MAX)][which as usize];
            let stride = [0, 1, 7, 4096, 1 << 20, u64::MAX - 4, 1 << 31][next(7) as usize];
            let (mut base, mut value) = (next(1 << 33) as u32, next(3) * 0x0101_0101_0101_0101);
            for _ in 0..count {
                bytes.extend((FIRST_SEGMENT + which as u32).to_le_bytes());
                bytes.extend(base.to_le_bytes());
                bytes.extend(&value.to_le_bytes()[..width]);
                events.push((which as u32, [u64::from(base) + 0x10, value & mask, 0]));
                base = base.wrapping_add(stride as u32);
                value = if next(20) == 0 { value + 1 } else { value };
            }
        }
        let mut runs = Runs::default();
        decoder.decode_block(&bytes, &mut runs).expect("whole records");
        assert_eq!(runs.0, events);
        longest = longest.max(runs.1);
        if !bytes.is_empty() {
            bytes.pop();
            decoder.decode_block(&bytes, &mut Runs::default()).expect_err("a record that is cut off");
        }
    }
    assert!(longest > 20, "{longest}");
}

#[test]
fn payloads_of_every_shape() {
    let decoder = decoder(&[
        site(MemoryOp::I32Store8, 0, 0x10, 0),
        site(MemoryOp::I64Store, 1, 1, 0),
        site(MemoryOp::V128Store, 0, 2, 0),
        site(MemoryOp::MemoryGrow, 0, 0, 0),
        site(MemoryOp::MemoryGrow, 1, 0, 0),
        site(MemoryOp::MemoryFill, 0, 0, 0),
        site(MemoryOp::MemoryCopy, 1, 0, 0),
        site(MemoryOp::MemoryInit, 1, 0, 3),
    ]);
    let mut bytes = FIRST_SEGMENT.to_le_bytes().to_vec();
    bytes.extend(u32::MAX.to_le_bytes());
    bytes.push(0xab);
    bytes.extend(u64::MAX.to_le_bytes());
    bytes.extend(7u64.to_le_bytes());
    bytes.extend(6u32.to_le_bytes());
    bytes.extend((1u128 << 64 | 5).to_le_bytes());
    bytes.extend([1u32, u32::MAX].iter().flat_map(|v| v.to_le_bytes()));
    bytes.extend([1u64, 0xffff_ffff].iter().flat_map(|v| v.to_le_bytes()));
    bytes.extend(8u32.to_le_bytes());
    bytes.push(9);
    bytes.extend(10u32.to_le_bytes());
    bytes.extend(11u64.to_le_bytes());
    bytes.extend([12u32, 13].iter().flat_map(|v| v.to_le_bytes()));
    bytes.extend(14u64.to_le_bytes());
    bytes.extend([15u32, 16].iter().flat_map(|v| v.to_le_bytes()));
    let events: Vec<[u64; 3]> = decode(&decoder, &bytes).expect("legal").into_iter().map(|(_, o)| o).collect();
    assert_eq!(
        events,
        [
            [0x1_0000_000f, 0xab, 0],
            [0, 7, 0],
            [8, 5, 1],
            [1, u64::MAX, 0],
            [1, 0xffff_ffff, 0],
            [8, 9, 10],
            [11, 12, 13],
            [14, 15, 16],
        ]
    );
    // A block may end after any record and nowhere else.
    let mut border = 0;
    let borders: Vec<usize> = [4 + 5, 16, 20, 8, 16, 9, 16, 16]
        .iter()
        .map(|size| {
            border += size;
            border
        })
        .collect();
    for length in 1..=bytes.len() {
        assert_eq!(decode(&decoder, &bytes[..length]).is_ok(), borders.contains(&length), "{length}");
    }
}

#[test]
fn a_drop_is_its_segment_number() {
    let decoder = decoder(&[site(MemoryOp::DataDrop, 0, 0, 2)]);
    let head = FIRST_SEGMENT.to_le_bytes();
    assert_eq!(decode(&decoder, &[head, head].concat()), Ok(vec![(0, [0; 3]), (0, [0; 3])]));
}

#[test]
fn unknown_segments_are_errors() {
    let decoder = decoder(&[]);
    for number in [0, FIRST_SEGMENT - 1, FIRST_SEGMENT + 1, u32::MAX] {
        let error = decode(&decoder, &number.to_le_bytes()).expect_err("unknown");
        assert!(matches!(error, RawRecordError::UnknownSegment { segment, .. } if segment == number), "{error}");
    }
}

/// What a digest takes and hands on, in order.
#[derive(Debug, Default, PartialEq)]
struct Digested(Vec<(u32, [u64; 3])>, Vec<Vec<u8>>, Vec<Stretch>);

impl RecordSink for Digested {
    fn event(&mut self, site: SiteId, operands: [u64; 3]) {
        self.0.push((site.0, operands));
    }

    fn read_back(&mut self, _: SiteId, _: u64, _: [u64; 2]) {}

    fn host(&mut self, event: &[u8]) {
        self.1.push(event.to_vec());
    }

    fn stretch(&mut self, stretch: &Stretch) {
        self.2.push(*stretch);
    }
}

/// Segments of one store, of two, of many, of a growing memory and of a store to another memory; blocks of loops, of records in
/// random order, with steps of host calls and with ends in the middle of a record.
#[test]
fn blocks_read_at_once_have_the_digest_of_blocks_read_in_turn() {
    let ops = [
        &[MemoryOp::I32Store8][..],
        &[MemoryOp::V128Store, MemoryOp::I64Store],
        &[MemoryOp::I32Store; 40],
        &[MemoryOp::MemoryGrow],
        &[MemoryOp::I64Store, MemoryOp::I32Store16, MemoryOp::F32Store],
    ];
    let (mut sites, mut segments) = (Vec::new(), Vec::new());
    for memory in [0, 1] {
        for ops in ops {
            segments.push(Segment { first: sites.len() as u32, count: ops.len() as u32 });
            let offset = 8 * sites.len() as u64;
            sites.extend(ops.iter().map(|op| site(*op, memory, offset, 0)));
        }
    }
    let decoder = RecordDecoder::new(&sites, &segments, &[memory(false), memory(true)]);
    let carried = RecordDecoder::carried(&decoder.carry()).expect("a decoder");
    let mut random = fastrand::Rng::with_seed(7);
    let (mut outside, mut inside) = (0, 0);
    for round in 0..400 {
        let highest = if round % 8 == 0 { 70_000 } else { 60_000 };
        let block = |random: &mut fastrand::Rng| {
            let mut bytes = Vec::new();
            let only = random.usize(..30);
            for _ in 0..random.usize(..400) {
                if random.u32(..200) == 0 {
                    let event = HostEvent::Grow { memory: MemoryIndex(0), delta: 0, before: 1 };
                    bytes.extend(host_records(&event).concat());
                }
                let segment = if only < segments.len() { only } else { random.usize(..segments.len()) };
                bytes.extend((FIRST_SEGMENT + segment as u32).to_le_bytes());
                let (first, end) = decoder.segments[segment];
                for step in &decoder.steps[first as usize..end as usize] {
                    let start = random.u64(..highest);
                    let number = if step.kind == Kind::Grow { 0 } else { start };
                    bytes.extend(&number.to_le_bytes()[..usize::from(step.fields[0])]);
                    bytes.extend((0..step.fields[1]).map(|_| random.u8(..)));
                }
            }
            if random.u32(..20) == 0 {
                // A trap ended a segment of many stores before its last ones.
                bytes.extend((FIRST_SEGMENT + 2).to_le_bytes());
                bytes.extend([1; 8 * 3]);
            }
            bytes
        };
        let blocks = [0; LANES].map(|_| if random.bool() { block(&mut random) } else { Vec::new() });
        let new = || {
            let mut digester = Digester::every(random.clone().u64(1..500));
            digester.set_sizes([1 << 16, 1 << 16]);
            (digester, Digested::default())
        };
        let (mut in_turn, mut sink) = new();
        for block in &blocks {
            decoder.digest_block(block, &mut in_turn, &mut sink).expect("records");
        }
        let (mut at_once, mut other) = new();
        let lanes = blocks.each_ref().map(Vec::as_slice);
        carried.digest_blocks(lanes, &mut at_once, &mut other).expect("records");
        assert_eq!(other, sink, "round {round}");
        let digest = in_turn.finish();
        assert_eq!(at_once.finish(), digest, "round {round}");
        *(if digest.outside { &mut outside } else { &mut inside }) += 1;
    }
    assert!(outside > 20 && inside > 100, "{outside} {inside}");
}

#[test]
fn a_carried_decoder_that_is_damaged_is_none() {
    let bytes = decoder(&[site(MemoryOp::I32Store, 0, 1, 0), site(MemoryOp::MemoryGrow, 1, 0, 0)]).carry();
    assert_eq!(RecordDecoder::carried(&bytes).expect("a decoder").carry(), bytes);
    for length in 0..bytes.len() {
        assert!(RecordDecoder::carried(&bytes[..length]).is_none(), "cut at {length}");
    }
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0xff;
        let _ = RecordDecoder::carried(&damaged);
    }
}
