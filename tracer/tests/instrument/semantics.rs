//! Under Wasmtime: the rewritten module does what the original does, and its records are true.
//!
//! The oracle is replay: memories as they are after instantiation, changed only by the decoded events, must equal the
//! engine's memories at the end, byte for byte.

use crate::engines::{Mode, engine, modes};
use crate::lab::{Recorded, short};
use crate::support;
use forkpoint_tracer::instrument::{BUFFER_LIMIT, Options, START_EXPORT, Scope, Style};
use forkpoint_traces::{MemoryIndex, MemoryOp, Shape, ValueType};
use std::collections::HashSet;
use wasmtime::Val;

#[test]
fn every_memory_operator_but_atomics_is_recorded_and_replays() {
    for Mode { name, options } in modes() {
        println!("{name}");
        every_memory_operator(&options);
    }
}

fn every_memory_operator(options: &Options) {
    for (address, memory) in [("i32", "1 3"), ("i64", "i64 1 3")] {
        let bulk = if address == "i32" { "i32" } else { "i64" };
        let v = "(v128.const i8x16 0x80 1 2 3 4 5 6 7 8 9 10 11 12 13 14 0xff)";
        let text = format!(
            r#"(module (memory {memory}) (data $d "segment")
                (func (export "run") (result {address})
                    (i32.store offset=1 ({address}.const 16) (i32.const -2))
                    (i64.store ({address}.const 24) (i64.const -3))
                    (f32.store ({address}.const 32) (f32.const nan:0x200001))
                    (f64.store ({address}.const 40) (f64.const -nan:0x4000000000001))
                    (i32.store8 ({address}.const 48) (i32.const -2))
                    (i32.store16 ({address}.const 50) (i32.const -2))
                    (i64.store8 ({address}.const 52) (i64.const -2))
                    (i64.store16 ({address}.const 54) (i64.const -2))
                    (i64.store32 ({address}.const 56) (i64.const -2))
                    (v128.store ({address}.const 64) {v})
                    (v128.store8_lane 0 ({address}.const 80) {v})
                    (v128.store16_lane 7 ({address}.const 82) {v})
                    (v128.store32_lane 3 ({address}.const 84) {v})
                    (v128.store64_lane 1 ({address}.const 88) {v})
                    (drop (memory.grow ({address}.const 1)))
                    (memory.fill ({address}.const 100) (i32.const 0x1ab) ({bulk}.const 5))
                    (memory.copy ({address}.const 200) ({address}.const 16) ({bulk}.const 64))
                    (memory.init $d ({address}.const 300) (i32.const 2) (i32.const 3))
                    (data.drop $d)
                    (memory.grow ({address}.const 2))))"#
        );
        let mut recorded = Recorded::with(&text, options);
        let (results, events) = recorded.call("run", &[]);
        let results = results.expect("no trap");
        match address {
            "i32" => assert_eq!(results[0].unwrap_i32(), -1),
            _ => assert_eq!(results[0].unwrap_i64(), -1),
        }
        let (low, high) = (0x0706_0504_0302_0180, 0xff0e_0d0c_0b0a_0908);
        assert_eq!(
            short(&events),
            [
                (MemoryOp::I32Store, [17, 0xffff_fffe, 0]),
                (MemoryOp::I64Store, [24, u64::MAX - 2, 0]),
                (MemoryOp::F32Store, [32, 0x7fa0_0001, 0]),
                (MemoryOp::F64Store, [40, 0xfff4_0000_0000_0001, 0]),
                (MemoryOp::I32Store8, [48, 0xfe, 0]),
                (MemoryOp::I32Store16, [50, 0xfffe, 0]),
                (MemoryOp::I64Store8, [52, 0xfe, 0]),
                (MemoryOp::I64Store16, [54, 0xfffe, 0]),
                (MemoryOp::I64Store32, [56, 0xffff_fffe, 0]),
                (MemoryOp::V128Store, [64, low, high]),
                (MemoryOp::V128Store8Lane, [80, 0x80, 0]),
                (MemoryOp::V128Store16Lane, [82, 0xff0e, 0]),
                (MemoryOp::V128Store32Lane, [84, 0xff0e_0d0c, 0]),
                (MemoryOp::V128Store64Lane, [88, high, 0]),
                (MemoryOp::MemoryGrow, [1, 1, 0]),
                (MemoryOp::MemoryFill, [100, 0xab, 5]),
                (MemoryOp::MemoryCopy, [200, 16, 64]),
                (MemoryOp::MemoryInit, [300, 2, 3]),
                (MemoryOp::DataDrop, [0, 0, 0]),
                (MemoryOp::MemoryGrow, [2, u64::MAX, 0]),
            ]
        );
        let seen: HashSet<MemoryOp> = events.iter().map(|(site, _)| site.op).collect();
        let atomics = MemoryOp::ALL.iter().filter(|op| op.mnemonic().contains("atomic")).count();
        assert_eq!(seen.len(), MemoryOp::ALL.len() - atomics, "every operator but the atomic ones is in this test");
    }
}

/// Every atomic write of the table: what it leaves in memory, computed here from its name.
#[test]
fn atomics_record_what_memory_holds_afterwards() {
    for Mode { options, .. } in modes() {
        for (address, memory) in [("i32", "1"), ("i64", "i64 1")] {
            for op in MemoryOp::ALL.iter().filter(|op| op.mnemonic().contains("atomic")) {
                atomic(*op, address, memory, &options);
            }
        }
    }
}

fn atomic(op: MemoryOp, address: &str, memory: &str, options: &Options) {
    const OLD: u64 = 0x8182_8384_8586_8788;
    const OPERAND: u64 = 0x0f1e_2d3c_4b5a_6978;
    let (ty, width, extra) = match op.shape() {
        Shape::Store { ty, width } => (ty, width, ""),
        Shape::Rmw { ty, width, operands: 1 } => (ty, width, ""),
        Shape::Rmw { ty, width, .. } => (ty, width, "expected"),
        other => panic!("{other:?}"),
    };
    let ty = if ty == ValueType::I64 { "i64" } else { "i32" };
    let mask = u64::MAX >> (64 - 8 * u32::from(width));
    let constant = |value: u64| match ty {
        "i64" => format!("(i64.const {})", value as i64),
        _ => format!("(i32.const {})", value as u32 as i32),
    };
    // A compare-exchange of a narrow width compares zero-extended.
    let expected = if extra.is_empty() { String::new() } else { constant(OLD & mask) };
    let name = op.mnemonic();
    let call = format!("({name} offset=8 ({address}.const 8) {expected} {})", constant(OPERAND));
    let (result, body) = match op.shape() {
        Shape::Rmw { .. } => (format!("(result {ty})"), call),
        _ => (String::new(), call),
    };
    let text = format!(
        "(module (memory {memory}) (func (export \"run\") {result}
            (i64.store ({address}.const 16) (i64.const {})) {body}))",
        OLD as i64
    );
    let mut recorded = Recorded::with(&text, options);
    let (results, events) = recorded.call("run", &[]);
    let results = results.expect("no trap");
    if let [value] = &results[..] {
        let value = value.i64().map_or_else(|| u64::from(value.unwrap_i32() as u32), |value| value as u64);
        assert_eq!(value, OLD & mask, "{name} gives the old value");
    }
    let after = match name.rsplit('.').next().expect("a name").trim_end_matches("_u") {
        "add" => OLD.wrapping_add(OPERAND),
        "sub" => OLD.wrapping_sub(OPERAND),
        "and" => OLD & OPERAND,
        "or" => OLD | OPERAND,
        "xor" => OLD ^ OPERAND,
        _ => OPERAND,
    };
    assert_eq!(short(&events)[1..], [(op, [16, after & mask, 0])], "{name}");
}

#[test]
fn a_failed_compare_exchange_shows_the_old_bytes() {
    let mut recorded = Recorded::from_text(
        r#"(module (memory 1) (func (export "run") (result i32)
            (i32.store (i32.const 4) (i32.const 7))
            (i32.atomic.rmw.cmpxchg (i32.const 4) (i32.const 8) (i32.const 9))))"#,
    );
    let (results, events) = recorded.call("run", &[]);
    assert_eq!(results.expect("no trap")[0].unwrap_i32(), 7);
    assert_eq!(short(&events)[1], (MemoryOp::I32AtomicRmwCmpxchg, [4, 7, 0]));
}

/// An unaligned atomic traps before it changes anything, and leaves no event.
#[test]
fn an_unaligned_atomic_is_no_event() {
    let mut recorded = Recorded::from_text(
        r#"(module (memory 1) (func (export "run")
            (i32.atomic.store (i32.const 4) (i32.const 7))
            (drop (i32.atomic.rmw.add (i32.const 6) (i32.const 8)))))"#,
    );
    let (results, events) = recorded.call("run", &[]);
    assert!(results.is_err());
    assert_eq!(short(&events), [(MemoryOp::I32AtomicStore, [4, 7, 0])]);
}

#[test]
fn memories_with_pages_of_one_byte_replay() {
    for Mode { options, .. } in modes() {
        let mut recorded = Recorded::with(
            r#"(module (memory 3 100 (pagesize 1)) (func (export "run") (result i32)
                (i32.store8 (i32.const 2) (i32.const 7))
                (drop (memory.grow (i32.const 4)))
                (i32.store (i32.const 3) (i32.const -1))
                (memory.size)))"#,
            &options,
        );
        let (results, events) = recorded.call("run", &[]);
        assert_eq!(results.expect("no trap")[0].unwrap_i32(), 7);
        assert_eq!(short(&events)[1], (MemoryOp::MemoryGrow, [4, 3, 0]));
    }
}

/// Two stacks append records in turn.
#[test]
fn records_of_two_stacks_stay_in_order() {
    for Mode { options, .. } in modes() {
        let mut recorded = Recorded::with(
            r#"(module (memory 1) (type $f (func)) (type $c (cont $f)) (tag $yield)
                (func $worker (i32.store (i32.const 0) (i32.const 1)) (suspend $yield)
                    (i32.store (i32.const 4) (i32.const 3)))
                (elem declare func $worker)
                (func (export "run") (local $k (ref null $c))
                    (local.set $k (cont.new $c (ref.func $worker)))
                    (i32.store (i32.const 8) (i32.const 0))
                    (block $on (result (ref $c))
                        (resume $c (on $yield $on) (local.get $k)) (return))
                    (local.set $k)
                    (i32.store (i32.const 12) (i32.const 2))
                    (resume $c (local.get $k))
                    (i32.store (i32.const 16) (i32.const 4))))"#,
            &options,
        );
        let (results, events) = recorded.call("run", &[]);
        results.expect("no trap");
        let values: Vec<u64> = events.iter().map(|(_, operands)| operands[1]).collect();
        assert_eq!(values, [0, 1, 2, 3, 4]);
    }
}

#[test]
fn a_scope_of_bytes_records_what_touches_them_and_every_grow() {
    for style in [Style::Inline, Style::Hooks] {
        let scope = Scope { bytes: Some((MemoryIndex(0), 100..108)), ..Scope::default() };
        let options = Options { style, scope, ..Options::default() };
        let text = r#"(module (memory 1 3) (memory 1) (func (export "run") (param $base i32)
            (i32.store offset=96 (local.get $base) (i32.const 1))
            (i32.store offset=97 (local.get $base) (i32.const 2))
            (i64.store offset=107 (local.get $base) (i64.const 3))
            (i64.store offset=108 (local.get $base) (i64.const 4))
            (i32.store8 offset=0xffff (local.get $base) (i32.const 5))
            (i32.store8 1 offset=100 (local.get $base) (i32.const 6))
            (drop (memory.grow (i32.const 1)))
            (i32.store8 offset=100 (local.get $base) (i32.const 7))))"#;
        let original = wat::parse_str(text).expect("well formed");
        let rewritten = support::rewrite(&original, &options);
        let mut recorded = Recorded::new(&engine(), original, rewritten).expect("it instantiates");
        let (results, events) = recorded.call_unchecked("run", &[Val::I32(0)]);
        results.expect("no trap");
        let addresses: Vec<u64> = events.iter().map(|(_, operands)| operands[0]).collect();
        assert_eq!(addresses, [97, 107, 1, 100], "{style:?}");
    }
}

#[test]
fn a_trap_leaves_exactly_the_committed_stores() {
    let mut recorded = Recorded::from_text(
        r#"(module (memory 1)
            (func (export "run") (param i32)
                (i32.store (i32.const 0) (i32.const 1))
                (i32.store (i32.const 8) (i32.div_s (i32.const 10) (local.get 0)))
                (i32.store (i32.const 65533) (i32.const 3))
                (i32.store (i32.const 16) (i32.const 4)))
            (func (export "first") (i32.store (i32.const 65533) (i32.const 3))))"#,
    );
    let (outcome, events) = recorded.call("run", &[Val::I32(0)]);
    assert!(outcome.is_err());
    assert_eq!(short(&events), [(MemoryOp::I32Store, [0, 1, 0])]);
    let (outcome, events) = recorded.call("run", &[Val::I32(5)]);
    assert!(outcome.is_err());
    assert_eq!(short(&events), [(MemoryOp::I32Store, [0, 1, 0]), (MemoryOp::I32Store, [8, 2, 0])]);
    let (outcome, events) = recorded.call("first", &[]);
    assert!(outcome.is_err() && events.is_empty());
}

#[test]
fn full_buffers_are_flushed() {
    let mut recorded = Recorded::from_text(
        r#"(module (memory 2)
            (func (export "run") (param $n i32)
                (loop $l
                    (i32.store8 (i32.and (local.get $n) (i32.const 0xffff)) (local.get $n))
                    (i64.store (i32.const 0x10000) (i64.extend_i32_u (local.get $n)))
                    (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))))"#,
    );
    let (outcome, events) = recorded.call("run", &[Val::I32(300_000)]);
    outcome.expect("no trap");
    assert_eq!(events.len(), 600_000);
    // 4 bytes of segment number, 5 and 12 of payloads.
    assert_eq!(recorded.store.data().flushes, 300_000 * 21 / (BUFFER_LIMIT as usize + 21));
    for (pair, n) in events.chunks(2).zip((1..=300_000u64).rev()) {
        assert_eq!(pair[0].1, [n & 0xffff, n & 0xff, 0]);
        assert_eq!(pair[1].1, [0x10000, n, 0]);
    }
}

#[test]
fn memories_of_both_widths_copy_into_each_other() {
    let mut recorded = Recorded::from_text(
        r#"(module (memory $a 1) (memory $b i64 1) (memory $c i64 1) (data (memory $a) (i32.const 5) "hello")
            (func (export "run")
                (memory.copy $b $a (i64.const 1) (i32.const 5) (i32.const 5))
                (memory.copy $c $b (i64.const 2) (i64.const 1) (i64.const 5))
                (memory.copy $a $c (i32.const 100) (i64.const 2) (i32.const 5))
                (i32.store16 $c offset=3 (i64.const 4) (i32.const 7))))"#,
    );
    let (outcome, events) = recorded.call("run", &[]);
    outcome.expect("no trap");
    let memories: Vec<u32> = events.iter().map(|(site, _)| site.memory.0).collect();
    assert_eq!(memories, [1, 2, 0, 2]);
    assert_eq!(&recorded.memories()[0][100..105], b"hello");
}

#[test]
fn the_start_function_is_the_hosts_to_call() {
    let mut recorded =
        Recorded::from_text(r#"(module (memory 1) (func $s (i32.store (i32.const 4) (i32.const 9))) (start $s))"#);
    assert!(recorded.images[0].iter().all(|byte| *byte == 0), "it has not run");
    let (outcome, events) = recorded.call(START_EXPORT, &[]);
    outcome.expect("no trap");
    assert_eq!(short(&events), [(MemoryOp::I32Store, [4, 9, 0])]);
}

#[test]
fn function_indices_are_renumbered_everywhere() {
    let mut recorded = Recorded::from_text(
        r#"(module
            (import "env" "id" (func $id (param i32) (result i32)))
            (type $t (func (param i32) (result i32)))
            (memory 1)
            (table $t0 4 funcref)
            (table $init 1 (ref null $t) (ref.func $three))
            (elem (table $t0) (i32.const 0) func $id $one)
            (elem (table $t0) (i32.const 2) funcref (ref.func $two) (ref.null func))
            (elem declare func $two)
            (global $g (ref $t) (ref.func $one))
            (func $one (type $t) (i32.add (local.get 0) (i32.const 1)))
            (func $two (type $t) (i32.add (local.get 0) (i32.const 20)))
            (func $three (type $t) (return_call $id (i32.add (local.get 0) (i32.const 300))))
            (func (export "run") (result i32)
                (i32.store (i32.const 0) (call $one (i32.const 0)))
                (i32.store (i32.const 4) (call_indirect $t0 (type $t) (i32.const 0) (i32.const 0)))
                (i32.store (i32.const 8) (call_indirect $t0 (type $t) (i32.const 0) (i32.const 1)))
                (i32.store (i32.const 12) (call_indirect $t0 (type $t) (i32.const 0) (i32.const 2)))
                (i32.store (i32.const 16) (call_ref $t (i32.const 0) (global.get $g)))
                (i32.store (i32.const 20) (call_ref $t (i32.const 0) (ref.func $two)))
                (i32.store (i32.const 24) (call_indirect $init (type $t) (i32.const 0) (i32.const 0)))
                (call $id (i32.const 77)))
            (export "one" (func $one)) (export "id" (func $id)))"#,
    );
    let (results, events) = recorded.call("run", &[]);
    assert_eq!(results.expect("no trap")[0].unwrap_i32(), 77);
    let values: Vec<u64> = events.iter().map(|(_, operands)| operands[1]).collect();
    assert_eq!(values, [1, 0, 1, 20, 1, 20, 300]);
    for (name, result) in [("one", 6), ("id", 5)] {
        let (results, _) = recorded.call(name, &[Val::I32(5)]);
        assert_eq!(results.expect("no trap")[0].unwrap_i32(), result);
    }
}

#[test]
fn exceptions_and_tail_calls_keep_records_in_order() {
    let mut recorded = Recorded::from_text(
        r#"(module (memory 1) (tag $e (param i32))
            (func $throws (param i32)
                (i32.store (i32.const 0) (local.get 0))
                (throw $e (local.get 0)))
            (func $catches (param i32) (result i32)
                (i32.store (i32.const 4) (i32.const 1))
                (block $h (result i32)
                    (try_table (catch $e $h)
                        (i32.store (i32.const 8) (i32.const 2))
                        (call $throws (local.get 0))
                        (i32.store (i32.const 12) (i32.const 3)))
                    (i32.const 0)))
            (func (export "run") (param i32) (result i32)
                (i32.store (i32.const 16) (i32.const 4))
                (return_call $catches (local.get 0))))"#,
    );
    let (results, events) = recorded.call("run", &[Val::I32(42)]);
    assert_eq!(results.expect("no trap")[0].unwrap_i32(), 42);
    let stores: Vec<(u64, u64)> = events.iter().map(|(_, operands)| (operands[0], operands[1])).collect();
    assert_eq!(stores, [(16, 4), (4, 1), (8, 2), (0, 42)]);
}
