use super::*;
use forkpoint_traces::{CodeOffset, FuncIndex, MemoryIndex, MemoryOp};

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
