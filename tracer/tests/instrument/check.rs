//! What must hold for every module that the rewriter accepts.

use forkpoint_tracer::instrument::Instrumented;
use forkpoint_traces::{CodeOffset, Site};
use wasmparser::{BinaryReader, Operator, OperatorsReader, Parser, Payload, Validator, WasmFeatures};

/// The instruction at a file-relative offset. Parsed alone it lacks the frames around it, which only `else` and `end`
/// need.
fn operator_at(module: &[u8], offset: usize) -> Operator<'_> {
    OperatorsReader::new(BinaryReader::new(&module[offset..], offset)).read().expect("an instruction starts here")
}

/// The operator's name in `MemoryOp`.
fn operator_name(op: &Operator) -> String {
    let debug = format!("{op:?}");
    debug.split([' ', '{']).next().expect("split gives one part at least").to_string()
}

/// Checks every invariant of a rewritten module that needs no engine.
pub fn check(original: &[u8], rewritten: &Instrumented) {
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

/// Every instruction of the rewritten module that is not the recorder's equals the original's at the mapped offset,
/// with the same immediates except function indices, and none of the original's is missing.
fn check_offsets(original: &[u8], rewritten: &Instrumented) {
    let mut expected = operators(original).into_iter();
    for (offset, op) in operators(&rewritten.module) {
        let Some(mapped) = rewritten.offsets.original(offset as u32).filter(|mapped| !mapped.recorder) else {
            continue;
        };
        assert_eq!(rewritten.offsets.rewritten(mapped.offset), Some(offset as u32));
        let theirs = expected.next().expect("no instruction is copied twice");
        assert_eq!((mapped.offset.0 as usize, renumbered(rewritten, op)), theirs);
    }
    assert_eq!(expected.next(), None, "the first instruction that is missing");
}

/// The instruction with the original's function index.
fn renumbered<'a>(rewritten: &Instrumented, op: Operator<'a>) -> Operator<'a> {
    let function = |index| rewritten.offsets.function(index).expect("the original knows the function").0;
    match op {
        Operator::Call { function_index } => Operator::Call { function_index: function(function_index) },
        Operator::ReturnCall { function_index } => Operator::ReturnCall { function_index: function(function_index) },
        Operator::RefFunc { function_index } => Operator::RefFunc { function_index: function(function_index) },
        other => other,
    }
}

/// Every instruction with its offset.
fn operators(module: &[u8]) -> Vec<(usize, Operator<'_>)> {
    let mut all = Vec::new();
    for payload in Parser::new(0).parse_all(module) {
        if let Payload::CodeSectionEntry(body) = payload.expect("valid") {
            let mut reader = body.get_operators_reader().expect("valid");
            while !reader.eof() {
                let (op, offset) = reader.read_with_offset().expect("valid");
                all.push((offset, op));
            }
        }
    }
    all
}
