//! Functions for steps, in modules of every shape.

use super::*;
use crate::instrument::{Instrumented, OffsetMap, Options, Original, Style, features};
use forkpoint_traces::{CodeOffset, MemoryIndex};

fn call(function: &str, arguments: Vec<Argument>) -> Step {
    Step::Call(Call { function: function.to_string(), arguments })
}

fn result(step: u32, result: u32) -> Argument {
    Argument::Result(StepResult { step, result })
}

/// Room, bytes, and two calls that use both.
fn steps(length: WasmValue, bytes: usize) -> Vec<Step> {
    let room = StepResult { step: 0, result: 0 };
    vec![
        call("alloc", vec![Argument::Value(length)]),
        Step::Put(Put { room, memory: MemoryIndex(0), bytes: vec![7; bytes] }),
        call("f", vec![result(1, 0)]),
        call("g", vec![result(2, 1), Argument::Value(WasmValue::F32(0x7fa0_0000)), result(2, 0)]),
    ]
}

const USES: &str = r#"(func (export "f") (param $p P) (result v128 i64) (v128.load (local.get $p)) (i64.const 1))
    (func (export "g") (param i64 f32 v128) (nop) (unreachable))"#;

/// All ways to rewrite a module, with the steps.
fn rewritten(module: &[u8], steps: &[Step]) -> Vec<Instrumented> {
    let options = |style| Options { style, ..Options::default() };
    let original = Original::read(module.into()).expect("a valid module");
    let ways = [
        original.expose(),
        original.instrument(&options(Style::Inline)),
        original.instrument(&options(Style::Hooks)),
    ];
    let added: BTreeSet<u32> = (0..steps.len() as u32).collect();
    ways.into_iter()
        .map(|way| way.and_then(|way| way.with_steps(steps, &added)).expect("it can be rewritten"))
        .collect()
}

/// The map finds the module's `nop`, `unreachable` and `end` again, in both directions.
fn is_where_it_was(module: &[u8], rewritten: &[u8], offsets: &OffsetMap) {
    const CODE: [u8; 3] = [0x01, 0x00, 0x0b];
    let at = CodeOffset(module.windows(3).rposition(|code| code == CODE).expect("an `unreachable`") as u32);
    let there = offsets.rewritten(at).expect("it is there");
    assert_eq!(rewritten[there as usize..][..3], CODE);
    assert_eq!(offsets.original(there).map(|mapped| mapped.offset), Some(at));
}

#[test]
fn what_is_added_is_valid_and_moves_nothing() {
    let small = r#"(memory 1) (func (export "alloc") (param i32) (result i32) (i32.const 64))"#;
    for (name, address, text, length) in [
        ("no data", "i32", small.to_string(), WasmValue::I32(4)),
        ("data", "i32", format!(r#"(data "abc") {small} (data (i32.const 0) "x")"#), WasmValue::I32(4)),
        (
            "counted data",
            "i32",
            format!(r#"(data $d "abc") {small} (func (data.drop $d)) (global i32 (i32.const 1))"#),
            WasmValue::I32(4),
        ),
        (
            "64 bits",
            "i64",
            r#"(memory i64 1) (func (export "alloc") (param i64) (result i64) (i64.const 64))"#.to_string(),
            WasmValue::I64(4),
        ),
        (
            "imported",
            "i32",
            r#"(import "env" "alloc" (func $a (param i32) (result i32))) (import "env" "g" (global i32))
               (export "alloc" (func $a)) (memory 1)"#
                .to_string(),
            WasmValue::I32(4),
        ),
    ] {
        let module = wat::parse_str(format!("(module {text} {})", USES.replace('P', address))).expect(name);
        for bytes in [0, 3, 100_000] {
            for Instrumented { module: rewritten, offsets, .. } in rewritten(&module, &steps(length.clone(), bytes)) {
                let valid = wasmparser::Validator::new_with_features(features()).validate_all(&rewritten);
                assert!(valid.is_ok(), "{name}: {:?}", valid.err());
                is_where_it_was(&module, &rewritten, &offsets);
            }
        }
    }
}

#[test]
fn many_steps_take_more_bytes_to_count() {
    let module = wat::parse_str(r#"(module (memory 1) (func (export "f") (result i32) (nop) (unreachable)))"#)
        .expect("a module");
    let steps: Vec<Step> = (0..200).map(|_| call("f", Vec::new())).collect();
    for Instrumented { module: rewritten, offsets, .. } in rewritten(&module, &steps) {
        wasmparser::validate(&rewritten).expect("a valid module");
        is_where_it_was(&module, &rewritten, &offsets);
    }
}
