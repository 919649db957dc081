//! What must hold for every module that the rewriter accepts.

use forkpoint_tracer::instrument::{Instrumented, Options, instrument};
use forkpoint_traces::{CodeOffset, Site};
use wasmparser::{BinaryReader, Operator, OperatorsReader, Parser, Payload, Validator, WasmFeatures};

/// The instruction at a file-relative offset. Reading it alone loses the frames around it, which only
/// `else` and `end` need.
fn operator_at(module: &[u8], offset: usize) -> Operator<'_> {
    OperatorsReader::new(BinaryReader::new(&module[offset..], offset)).read().expect("an instruction starts here")
}

/// Name of the operator as `MemoryOp` has it.
fn operator_name(op: &Operator) -> String {
    let debug = format!("{op:?}");
    debug.split([' ', '{']).next().expect("split gives one part at least").to_string()
}

/// Rewrites a valid module and checks every invariant that needs no engine.
pub fn rewrite(original: &[u8], options: &Options) -> Instrumented {
    let rewritten = instrument(original, options).unwrap_or_else(|error| panic!("{error}"));
    check(original, &rewritten);
    rewritten
}

/// Rewrites a module in text format.
pub fn rewrite_text(text: &str) -> (Vec<u8>, Instrumented) {
    let original = wat::parse_str(text).expect("the test's text is well formed");
    let rewritten = rewrite(&original, &Options::default());
    (original, rewritten)
}

fn check(original: &[u8], rewritten: &Instrumented) {
    Validator::new_with_features(WasmFeatures::all())
        .validate_all(&rewritten.module)
        .unwrap_or_else(|error| panic!("the rewritten module is not valid: {error}"));

    let mut last = CodeOffset(0);
    for site in &rewritten.sites {
        assert!(site.offset > last, "sites are in the order of the code");
        last = site.offset;
        check_site(original, rewritten, site);
    }

    let mut next = 0;
    for segment in &rewritten.segments {
        assert_eq!(segment.first, next, "segments hold consecutive sites");
        assert!(segment.count > 0);
        next += segment.count;
    }
    assert!(rewritten.segments.is_empty() || next as usize == rewritten.sites.len());

    check_offsets(original, rewritten);
}

fn check_site(original: &[u8], rewritten: &Instrumented, site: &Site) {
    let offset = site.offset.0 as usize;
    assert_eq!(operator_name(&operator_at(original, offset)), format!("{:?}", site.op));
    let there = rewritten.offsets.rewritten(site.offset).expect("a site is copied");
    assert_eq!(operator_at(original, offset), operator_at(&rewritten.module, there as usize));
}

/// Every instruction of the rewritten module that is not the recorder's is the original's at the mapped offset,
/// and none of the original's is missing.
fn check_offsets(original: &[u8], rewritten: &Instrumented) {
    let mut back = Vec::new();
    for (offset, name) in operators(&rewritten.module) {
        match rewritten.offsets.original(offset as u32) {
            Some(mapped) if !mapped.recorder => {
                assert_eq!(rewritten.offsets.rewritten(mapped.offset), Some(offset as u32));
                back.push((mapped.offset.0 as usize, name));
            }
            _ => {}
        }
    }
    assert_eq!(back, operators(original));
}

/// Every instruction with its offset.
fn operators(module: &[u8]) -> Vec<(usize, String)> {
    let mut all = Vec::new();
    for payload in Parser::new(0).parse_all(module) {
        if let Payload::CodeSectionEntry(body) = payload.expect("valid") {
            let mut reader = body.get_operators_reader().expect("valid");
            while !reader.eof() {
                let (op, offset) = reader.read_with_offset().expect("valid");
                all.push((offset, operator_name(&op)));
            }
        }
    }
    all
}
