//! What the rewriter adds, keeps, renumbers and refuses.

use crate::support::rewrite_text;
use forkpoint_tracer::instrument::{
    BUFFER_EXPORT, BUFFER_PAGES, DataKind, InstrumentError, Options, START_EXPORT, Segment, instrument,
};
use forkpoint_traces::{FuncIndex, GlobalIndex, MemoryIndex, MemoryOp, ValueType};
use wasmparser::{Export, ExternalKind, KnownCustom, Name, Parser, Payload};

fn refusal(text: &str) -> InstrumentError {
    let module = wat::parse_str(text).expect("the test's text is well formed");
    instrument(&module, &Options::default()).expect_err("it must be refused")
}

fn exports(module: &[u8]) -> Vec<Export<'_>> {
    let mut exports = Vec::new();
    for payload in Parser::new(0).parse_all(module) {
        if let Payload::ExportSection(section) = payload.expect("valid") {
            exports.extend(section.into_iter().map(|export| export.expect("valid")));
        }
    }
    exports
}

/// Contents of all sections by id.
fn sections(module: &[u8]) -> Vec<(u8, &[u8])> {
    Parser::new(0)
        .parse_all(module)
        .filter_map(|payload| payload.expect("valid").as_section())
        .map(|(id, range)| (id, &module[range]))
        .collect()
}

fn section(module: &[u8], wanted: u8) -> Option<&[u8]> {
    sections(module).into_iter().find(|(id, _)| *id == wanted).map(|(_, contents)| contents)
}

#[test]
fn machinery_is_appended_behind_everything() {
    let (_, rewritten) = rewrite_text(
        r#"(module
            (import "env" "f" (func $f (param i32)))
            (import "env" "g" (global $g i32))
            (memory (export "memory") 2 5)
            (global $mutable (mut i64) (i64.const 0))
            (func $start (call $f (i32.const 0)))
            (start $start)
            (export "g" (func $start)))"#,
    );
    let exports: Vec<(&str, ExternalKind, u32)> =
        exports(&rewritten.module).into_iter().map(|e| (e.name, e.kind, e.index)).collect();
    assert_eq!(
        exports,
        [
            ("memory", ExternalKind::Memory, 0),
            ("g", ExternalKind::Func, 2),
            ("forkpoint:memory.0", ExternalKind::Memory, 0),
            ("forkpoint:global.1", ExternalKind::Global, 1),
            (START_EXPORT, ExternalKind::Func, 2),
            (BUFFER_EXPORT, ExternalKind::Memory, 1),
        ]
    );
    assert!(rewritten.has_start && rewritten.records);
    assert_eq!((rewritten.memories[0].minimum, rewritten.memories[0].maximum), (2, Some(5)));
    assert_eq!((rewritten.globals[0].index, rewritten.globals[0].ty), (GlobalIndex(1), ValueType::I64));
    assert!(section(&rewritten.module, 8).is_none(), "the start section is gone");
    let memories = section(&rewritten.module, 5).expect("has memories");
    assert_eq!(memories[0], 2);
    assert_eq!(&memories[memories.len() - 3..], [1, BUFFER_PAGES as u8, BUFFER_PAGES as u8]);
    assert_eq!(rewritten.offsets.function(0), Some(FuncIndex(0)));
    assert_eq!(rewritten.offsets.function(1), None);
    assert_eq!(rewritten.offsets.function(2), Some(FuncIndex(1)));
    assert_eq!(rewritten.offsets.function(3), None);
}

#[test]
fn a_module_without_memory_keeps_its_code() {
    let (original, rewritten) = rewrite_text("(module (func $f nop) (func (call $f)) (start $f))");
    assert_eq!(section(&original, 10), section(&rewritten.module, 10));
    assert!(!rewritten.records && rewritten.has_start);
    assert_eq!(exports(&rewritten.module).iter().map(|e| e.name).collect::<Vec<_>>(), [START_EXPORT]);
}

#[test]
fn a_module_without_code_or_with_nothing_at_all() {
    let (_, rewritten) = rewrite_text("(module (memory 1))");
    assert!(rewritten.records && rewritten.sites.is_empty());
    let (original, rewritten) = rewrite_text("(module)");
    assert_eq!(original, rewritten.module);
}

#[test]
fn existing_types_are_used_again() {
    let (original, rewritten) = rewrite_text(
        "(module (rec (type (func (param i32))) (type (func (param i32) (result i32))))
            (type (func (param i32) (result i32))) (type (func (param i32))) (memory 1))",
    );
    assert_eq!(section(&original, 1), section(&rewritten.module, 1));
    let (original, rewritten) =
        rewrite_text("(module (rec (type (func (param i32))) (type (func (param i32) (result i32)))) (memory 1))");
    let (before, after) = (section(&original, 1).expect("types"), section(&rewritten.module, 1).expect("types"));
    assert_eq!(before[0] + 2, after[0]);
    assert_eq!(before[1..], after[1..before.len()]);
}

#[test]
fn segments_end_at_control_and_not_at_blocks() {
    let (_, rewritten) = rewrite_text(
        "(module (memory 1) (data \"x\") (func $f (param $a i32)
            (i32.store (local.get $a) (i32.const 1))
            (block
                (i32.store8 (local.get $a) (i32.const 2))
                (br_if 0 (local.get $a))
                (i32.store8 (local.get $a) (i32.const 3))
                (br 0)
                (i32.store8 (local.get $a) (i32.const 4)))
            (i32.store8 (local.get $a) (i32.const 5))
            (data.drop 0)
            (i32.store8 (local.get $a) (i32.const 6))
            (call $f (i32.const 0))
            (i32.store8 (local.get $a) (i32.const 7))))",
    );
    let counts: Vec<u32> = rewritten.segments.iter().map(|segment| segment.count).collect();
    assert_eq!(counts, [2, 1, 1, 1, 1, 1]);
    assert_eq!(rewritten.segments[1], Segment { first: 2, count: 1 });
}

#[test]
fn segments_fit_the_slack_of_the_buffer() {
    let stores = "(v128.store (i32.const 0) (v128.const i64x2 0 0))".repeat(4000);
    let (_, rewritten) = rewrite_text(&format!("(module (memory 1) (func {stores}))"));
    let counts: Vec<u32> = rewritten.segments.iter().map(|segment| segment.count).collect();
    assert_eq!(counts, [1638, 1638, 724]);
}

#[test]
fn unreachable_code_has_no_sites() {
    let (_, rewritten) = rewrite_text(
        "(module (memory 1) (func $f (result i32)
            (block (unreachable) (i32.store)
                (block (i32.store (i32.const 0) (i32.const 0)) (call $f) (drop)) (i32.store))
            (if (result i32) (i32.const 1)
                (then (return (i32.const 0)) (memory.grow) (i32.store))
                (else (i32.store (i32.const 0) (i32.const 0)) (i32.const 1)))
            (i32.store (i32.const 0) (i32.const 0))))",
    );
    assert_eq!(rewritten.sites.len(), 2);
}

#[test]
fn sites_carry_their_immediates() {
    let (_, rewritten) = rewrite_text(
        "(module (import \"m\" \"f\" (func)) (memory 1) (memory i64 1) (data $d \"x\") (func
            (i32.store8 offset=7 (i32.const 0) (i32.const 0))
            (f64.store 1 offset=0x100000000 (i64.const 0) (f64.const 0))
            (memory.copy 1 0 (i64.const 0) (i32.const 0) (i32.const 0))
            (memory.init $d (i32.const 0) (i32.const 0) (i32.const 0))))",
    );
    let sites: Vec<_> =
        rewritten.sites.iter().map(|s| (s.func.0, s.op, s.memory.0, s.static_offset, s.source)).collect();
    assert_eq!(
        sites,
        [
            (1, MemoryOp::I32Store8, 0, 7, 0),
            (1, MemoryOp::F64Store, 1, 1 << 32, 0),
            (1, MemoryOp::MemoryCopy, 1, 0, 0),
            (1, MemoryOp::MemoryInit, 0, 0, 0),
        ]
    );
}

#[test]
fn data_segments_are_evaluated() {
    let (original, rewritten) = rewrite_text(
        r#"(module (memory 1) (memory i64 1)
            (global $base i32 (i32.add (i32.const 0x10) (i32.const -1)))
            (data (i32.const -1) "")
            (data (i32.mul (global.get $base) (i32.const 2)) "abc")
            (data (memory 1) (i64.sub (i64.const 5) (i64.const 2)) "de")
            (data "passive"))"#,
    );
    let data: Vec<_> = rewritten
        .data
        .iter()
        .map(|data| {
            let place = match &data.kind {
                DataKind::Active { memory, address } => (*memory, address.constant()),
                DataKind::Passive => (MemoryIndex(u32::MAX), None),
            };
            (place, &original[data.bytes.clone()])
        })
        .collect();
    let active = |memory, address| (MemoryIndex(memory), Some(address));
    assert_eq!(
        data,
        [
            (active(0, 0xffff_ffff), &b""[..]),
            (active(0, 30), b"abc"),
            (active(1, 3), b"de"),
            ((MemoryIndex(u32::MAX), None), b"passive"),
        ]
    );
    let (_, rewritten) = rewrite_text(
        "(module (import \"env\" \"base\" (global $b i32)) (memory 1) (global $c i32 (global.get $b))
            (data (i32.add (global.get $c) (i32.const 1)) \"x\"))",
    );
    let DataKind::Active { address, .. } = &rewritten.data[0].kind else { panic!("active") };
    assert_eq!((address.constant(), address.import()), (None, Some(0)));
    assert_eq!(address.value(|_| Some(0xffff_ffff)), Some(0), "it wraps like an i32");
}

#[test]
fn names_follow_their_functions() {
    let (_, rewritten) = rewrite_text(
        "(module $m (import \"e\" \"i\" (func $imported)) (memory $mem 1)
            (func $first (param $p i32) (block $label)) (func $second (local $l i32)))",
    );
    let mut functions = Vec::new();
    let mut locals = Vec::new();
    for payload in Parser::new(0).parse_all(&rewritten.module) {
        let Payload::CustomSection(section) = payload.expect("valid") else { continue };
        let KnownCustom::Name(names) = section.as_known() else { continue };
        for name in names {
            match name.expect("well formed") {
                Name::Function(map) => {
                    functions.extend(map.into_iter().map(|n| n.expect("well formed")).map(|n| (n.index, n.name)))
                }
                Name::Local(map) => locals.extend(map.into_iter().map(|n| n.expect("well formed").index)),
                Name::Label(_) => panic!("label numbers are wrong after rewriting"),
                _ => {}
            }
        }
    }
    assert_eq!(
        functions,
        [(0, "imported"), (1, "forkpoint:flush"), (2, "first"), (3, "second"), (4, "forkpoint:make-room")]
    );
    assert_eq!(locals, [2, 3]);
}

#[test]
fn custom_sections_stay_except_those_that_would_lie() {
    let (original, rewritten) = rewrite_text(
        r#"(module (memory 1)
            (@custom ".debug_info" "dwarf") (@custom "metadata.code.branch_hint" "\00")
            (@custom "linking" "\02") (@custom "reloc.CODE" "\00\00") (@custom "target_features" "\00"))"#,
    );
    let customs = |module: &[u8]| -> Vec<Vec<u8>> {
        sections(module).into_iter().filter(|(id, _)| *id == 0).map(|(_, contents)| contents.to_vec()).collect()
    };
    let (before, after) = (customs(&original), customs(&rewritten.module));
    assert_eq!(before.len(), 5);
    assert_eq!(after, [before[0].clone(), before[4].clone()]);
}

#[test]
fn what_cannot_be_recorded_is_refused_by_name() {
    let error = refusal("(module (memory 1) (func nop) (func (memory.discard (i32.const 0) (i32.const 0))))");
    assert!(matches!(&error, InstrumentError::Proposal { .. }), "{error}");
    let error = refusal("(module (import \"forkpoint\" \"x\" (func)))");
    assert!(matches!(error, InstrumentError::ReservedImport { .. }), "{error}");
    let error = refusal("(module (func (export \"forkpoint:start\")))");
    assert!(matches!(error, InstrumentError::ReservedExport { .. }), "{error}");
    assert_eq!(refusal("(component)"), InstrumentError::Component);
    let error = refusal("(module (func (i32.const 1)))");
    assert!(matches!(error, InstrumentError::Invalid { .. }), "{error}");
    assert!(matches!(instrument(b"(module)", &Options::default()), Err(InstrumentError::Invalid { .. })));
    let memories = "(memory 0)".repeat(100);
    let error = refusal(&format!("(module {memories})"));
    assert!(matches!(error, InstrumentError::Limit { found: 101, .. }), "{error}");
}

#[test]
fn a_rewritten_module_is_not_rewritten_again() {
    let (_, rewritten) = rewrite_text("(module (memory 1))");
    assert!(matches!(
        instrument(&rewritten.module, &Options::default()),
        Err(InstrumentError::ReservedImport { .. })
    ));
}

#[test]
fn atomic_loads_and_fences_pass() {
    let (_, rewritten) = rewrite_text(
        "(module (memory 1) (func atomic.fence (drop (i32.atomic.load (i32.const 0)))
            (drop (memory.atomic.notify (i32.const 0) (i32.const 1)))))",
    );
    assert!(rewritten.sites.is_empty());
}
