//! What a rewritten module reports besides its events, if asked.

use crate::engines::engine;
use crate::lab::Recorded;
use forkpoint_tracer::instrument::{Ask, BUFFER_EXPORT, Float, MARK_AT, Marked, Options, Style, open_results};
use forkpoint_traces::{FuncIndex, Position, ValueType};
use std::collections::BTreeMap;
use wasmtime::{Val, WasmBacktrace};

const STYLES: [Style; 2] = [Style::Inline, Style::Hooks];

/// A function for each way to trap, and one that traps two calls away.
const TRAPS: &str = r#"(module
  (type $f (func (result i32)))
  (type $other (func))
  (type $array (array (mut i32)))
  (type $struct (struct (field (mut i32))))
  (memory 1 1)
  (data $data "abc")
  (table $t 2 funcref)
  (elem (i32.const 0) $other)
  (elem $elem funcref (ref.func $other))
  (tag $tag)
  (func $other)
  (func $fine (result i32) (i32.load (i32.const 0)))
  (func (export "unreachable") (drop (call $fine)) (unreachable))
  (func (export "load") (drop (i64.load offset=8 (i32.const 65529))))
  (func (export "store") (i32.store (i32.const 0) (i32.const 1)) (i32.store8 (i32.const 65536) (i32.const 1)))
  (func (export "lane") (v128.store32_lane 1 (i32.const 65533) (v128.const i32x4 1 2 3 4)))
  (func (export "splat") (drop (v128.load8_splat (i32.const 65536))))
  (func (export "atomic") (drop (i32.atomic.rmw.add (i32.const 2) (i32.const 1))))
  (func (export "notify") (drop (memory.atomic.notify (i32.const 65536) (i32.const 1))))
  (func (export "fill") (memory.fill (i32.const 65535) (i32.const 0) (i32.const 2)))
  (func (export "copy") (memory.copy (i32.const 65535) (i32.const 0) (i32.const 2)))
  (func (export "init") (memory.init $data (i32.const 0) (i32.const 2) (i32.const 2)))
  (func (export "div") (drop (i32.div_s (i32.const 1) (i32.const 0))))
  (func (export "overflow") (drop (i64.div_s (i64.const -9223372036854775808) (i64.const -1))))
  (func (export "rem") (drop (i64.rem_u (i64.const 1) (i64.const 0))))
  (func (export "trunc") (drop (i32.trunc_f64_s (f64.const nan))))
  (func (export "table-get") (drop (table.get $t (i32.const 2))))
  (func (export "table-init") (table.init $t $elem (i32.const 2) (i32.const 0) (i32.const 1)))
  (func (export "element") (drop (call_indirect $t (type $f) (i32.const 1))))
  (func (export "type") (drop (call_indirect $t (type $f) (i32.const 0))))
  (func (export "null") (drop (call_ref $f (ref.null $f))))
  (func (export "as-non-null") (drop (ref.as_non_null (ref.null $f))))
  (func (export "field") (drop (struct.get $struct 0 (ref.null $struct))))
  (func (export "array") (drop (array.get $array (array.new_default $array (i32.const 1)) (i32.const 1))))
  (func (export "cast") (drop (ref.cast (ref $struct) (array.new_default $array (i32.const 1)))))
  (func $inner (param i32) (drop (i32.div_u (i32.const 1) (local.get 0))))
  (func (export "deep") (drop (call $fine)) (i32.store (i32.const 8) (i32.const 2)) (call $inner (i32.const 0))
    (drop (call $fine))))"#;

#[test]
fn a_trap_leaves_the_mark_of_its_instruction() {
    for style in STYLES {
        // The events before each trap, so that hooks leave the marks after them.
        let events = |name: &str| u64::from(matches!(name, "store" | "deep"));
        let names: Vec<String> =
            TRAPS.split("(export \"").skip(1).map(|rest| rest[..rest.find('"').expect("closed")].into()).collect();
        assert_eq!(names.len(), 24);
        for name in names {
            let options = Options { style, ask: Ask::Places { events: events(&name) }, ..Options::default() };
            let mut recorded = Recorded::with(TRAPS, &options);
            let (outcome, seen) = recorded.call(&name, &[]);
            let error = outcome.expect_err("it traps");
            assert_eq!(seen.len() as u64, events(&name), "{name}: marks are no events");
            let mark = match style {
                Style::Hooks => recorded.store.data().seen.mark,
                Style::Inline => {
                    let buffer = recorded.instance.get_memory(&mut recorded.store, BUFFER_EXPORT).expect("exported");
                    let bytes = buffer.data(&recorded.store)[MARK_AT..][..4].try_into().expect("4 bytes");
                    u32::from_le_bytes(bytes)
                }
            };
            let mark = *recorded.rewritten.mark(mark).unwrap_or_else(|| panic!("{name}: no mark"));
            let frames = error.downcast_ref::<WasmBacktrace>().expect("a trap").frames();
            let offset = frames[0].module_offset().expect("it is known") as u32;
            let place = recorded.rewritten.offsets.original(offset).expect("the module's own");
            assert_eq!(mark.offset, Some(place.offset), "{name}, {style:?}: {error:#}");
            assert_eq!(Some(mark.func), recorded.rewritten.offsets.function(frames[0].func_index()), "{name}");
        }
    }
}

#[test]
fn hooks_tell_marks_only_once_there_were_so_many_events() {
    let text = r#"(module (memory 1) (func (export "f") (param i32)
      (i32.store (i32.const 0) (i32.const 1)) (drop (i32.load (i32.const 4)))
      (i32.store (i32.const 0) (i32.const 2)) (drop (i32.load (i32.const 8)))))"#;
    for (events, told) in [(0, true), (2, true), (3, false)] {
        let options = Options { style: Style::Hooks, ask: Ask::Places { events }, ..Options::default() };
        let mut recorded = Recorded::with(text, &options);
        assert_eq!(recorded.call("f", &[Val::I32(0)]).1.len(), 2);
        assert_eq!(recorded.store.data().seen.mark != 0, told, "{events}");
    }
}

#[test]
fn calls_and_returns_are_noted_whichever_way_a_function_ends() {
    let text = r#"(module
      (memory 1)
      (func $pair (param i32 f64) (result i64 f32)
        (block
          (br_if 0 (i32.eq (local.get 0) (i32.const 1)))
          (br_if 1 (i64.const 7) (f32.const 1.5) (i32.eqz (local.get 0)))
          (drop) (drop)
          (return (i64.const 8) (f32.const 2.5)))
        (i64.const 9) (f32.const 3.5))
      (func $refs (param externref funcref v128) (result v128) (i32.store (i32.const 0) (i32.const 5)) (local.get 2))
      (func $none)
      (elem declare func $none)
      (func (export "f") (param i32) (result i64)
        (call $pair (local.get 0) (f64.const -0))
        (drop)
        (drop (call $refs (ref.null extern) (ref.func $none) (v128.const i64x2 3 4)))
        (call $none)))"#;
    for style in STYLES {
        let options = Options { style, ask: Ask::Calls { window: 0..9 }, ..Options::default() };
        for (argument, result, half) in [(0, 7, 1.5f32), (1, 9, 3.5), (2, 8, 2.5)] {
            let mut recorded = Recorded::with(text, &options);
            let (outcome, events) = recorded.call("f", &[Val::I32(argument)]);
            assert!(matches!(outcome.expect("it returns")[..], [Val::I64(value)] if value == result));
            assert_eq!(events.len(), 1);
            let notes = recorded.store.data().seen.notes.iter().map(|(mark, words)| {
                let mark = recorded.rewritten.mark(*mark).expect("a mark");
                (mark.func.0, mark.what, *words)
            });
            let result = result as u64;
            let (argument, enter) = (argument as u64, [0, 0]);
            assert_eq!(
                notes.collect::<Vec<_>>(),
                [
                    (3, Marked::Enter, enter),
                    (3, Marked::Argument(0, Some(ValueType::I32)), [argument, 0]),
                    (0, Marked::Enter, enter),
                    (0, Marked::Argument(0, Some(ValueType::I32)), [argument, 0]),
                    (0, Marked::Argument(1, Some(ValueType::F64)), [(-0.0f64).to_bits(), 0]),
                    (0, Marked::Result(0, Some(ValueType::I64)), [result, 0]),
                    (0, Marked::Result(1, Some(ValueType::F32)), [half.to_bits().into(), 0]),
                    (1, Marked::Enter, enter),
                    (1, Marked::Argument(0, None), [0, 0]),
                    (1, Marked::Argument(1, None), [1, 0]),
                    (1, Marked::Argument(2, Some(ValueType::V128)), [3, 4]),
                    (1, Marked::Result(0, Some(ValueType::V128)), [3, 4]),
                    (2, Marked::Enter, enter),
                    (3, Marked::Result(0, Some(ValueType::I64)), [result, 0]),
                ],
                "{style:?}"
            );
        }
    }
}

#[test]
fn nans_are_noted_with_their_bits_and_nothing_else_is() {
    let text = r#"(module
      (memory 1)
      (func (export "f") (param f32)
        (f32.store (i32.const 0) (f32.add (local.get 0) (f32.const 1)))
        (f32.store (i32.const 4) (f32.neg (local.get 0)))
        (drop (f64.promote_f32 (local.get 0)))
        (v128.store (i32.const 16) (f32x4.mul (f32x4.splat (local.get 0)) (v128.const f32x4 1 2 3 4)))))"#;
    for style in STYLES {
        let options = Options { style, ask: Ask::Nans { window: 0..9 }, ..Options::default() };
        let mut recorded = Recorded::with(text, &options);
        let (outcome, events) = recorded.call("f", &[Val::F32(1.0f32.to_bits())]);
        outcome.expect("it returns");
        assert_eq!((events.len(), recorded.store.data().seen.notes.len()), (3, 0));
        recorded.call("f", &[Val::F32(0x7fc0_0001)]).0.expect("it returns");
        let notes = recorded.store.data().seen.notes.iter();
        let notes: Vec<_> =
            notes.map(|(mark, words)| (recorded.rewritten.mark(*mark).expect("a mark").what, *words)).collect();
        let lanes = 0x7fc0_0001_7fc0_0001;
        assert_eq!(
            notes,
            [
                (Marked::Nan(Float::F32), [0x7fc0_0001, 0]),
                (Marked::Nan(Float::F64), [0x7ff8_0000_2000_0000, 0]),
                (Marked::Nan(Float::F32x4), [lanes, lanes])
            ]
        );
    }
}

#[test]
fn canonical_nans_have_the_same_bits_and_other_floats_stay() {
    let text = r#"(module
      (memory 1)
      (func (export "f32") (param f32 f32) (result f32) (f32.sub (local.get 0) (local.get 1)))
      (func (export "f64") (param f64 f64) (result f64) (f64.max (local.get 0) (local.get 1)))
      (func (export "copy") (param f32) (result f32) (f32.copysign (f32.abs (local.get 0)) (f32.const -1)))
      (func (export "f32x4") (param f32) (result i64)
        (i64x2.extract_lane 0 (f32x4.add (f32x4.replace_lane 1 (v128.const f32x4 1 2 3 4) (local.get 0)) (v128.const f32x4 1 1 1 1))))
      (func (export "f64x2") (param f64) (result i64)
        (i64x2.extract_lane 1 (f64x2.sqrt (f64x2.splat (local.get 0))))))"#;
    let (nan32, nan64) = (0xffc0_1234u32, 0xfff8_0000_0000_0001u64);
    for style in STYLES {
        let options = Options { style, canonical_nans: true, ..Options::default() };
        let mut recorded = Recorded::with(text, &options);
        let mut call = |name: &str, arguments: &[Val]| match recorded.call(name, arguments).0.expect("it returns")[..]
        {
            [Val::F32(bits)] => u64::from(bits),
            [Val::F64(bits)] => bits,
            [Val::I64(value)] => value as u64,
            _ => panic!("another type"),
        };
        let one = Val::F32(1.0f32.to_bits());
        assert_eq!(call("f32", &[Val::F32(nan32), one]), 0x7fc0_0000);
        assert_eq!(call("f32", &[one, one]), 0);
        assert_eq!(call("f64", &[Val::F64(nan64), Val::F64(0)]), 0x7ff8_0000_0000_0000);
        assert_eq!(call("copy", &[Val::F32(nan32)]), u64::from(nan32), "no NaN is made here");
        assert_eq!(call("f32x4", &[Val::F32(nan32)]), 0x7fc0_0000 << 32 | u64::from(2.0f32.to_bits()));
        assert_eq!(call("f64x2", &[Val::F64((-1.0f64).to_bits())]), 0x7ff8_0000_0000_0000);
        assert_eq!(call("f64x2", &[Val::F64(4.0f64.to_bits())]), 2.0f64.to_bits());
    }
}

#[test]
fn fixed_relaxed_instructions_have_one_of_their_results() {
    let vector = "(v128.const i8x16 1 2 3 -4 5 6 7 8 -128 -128 0 0 100 100 1 1)";
    let other = "(v128.const i8x16 2 2 2 2 2 2 2 2 127 127 0 0 100 100 1 1)";
    let binary =
        ["i8x16.relaxed_swizzle", "i16x8.relaxed_dot_i8x16_i7x16_s", "f32x4.relaxed_min", "i16x8.relaxed_q15mulr_s"];
    let ternary = [
        "f32x4.relaxed_madd",
        "f64x2.relaxed_nmadd",
        "i8x16.relaxed_laneselect",
        "i32x4.relaxed_dot_i8x16_i7x16_add_s",
    ];
    let mut functions = String::new();
    for (i, op) in binary.iter().enumerate() {
        // Lanes that exist: all others are open.
        let other = if i == 0 { "(v128.const i8x16 15 14 13 12 11 10 9 8 7 6 5 4 3 2 1 0)" } else { other };
        functions += &format!(
            "(func (export \"b{i}\") (result i64 i64) (local v128) (local.set 0 ({op} {vector} {other})) (i64x2.extract_lane 0 (local.get 0)) (i64x2.extract_lane 1 (local.get 0)))"
        );
    }
    for (i, op) in ternary.iter().enumerate() {
        functions += &format!(
            "(func (export \"t{i}\") (result i64 i64) (local v128) (local.set 0 ({op} {vector} {other} {other})) (i64x2.extract_lane 0 (local.get 0)) (i64x2.extract_lane 1 (local.get 0)))"
        );
    }
    let text = format!("(module (memory 1) {functions})");
    let original = wat::parse_str(&text).expect("well formed");
    assert!(open_results(&original).relaxed);
    let options = Options { fixed_relaxed: true, ..Options::default() };
    let rewritten = forkpoint_tracer::instrument::instrument(&original, &options).expect("it can be rewritten");
    assert!(!open_results(&rewritten.module).relaxed, "none is left");
    let mut fixed = Recorded::new(&engine(), original, rewritten).expect("it instantiates");
    let mut relaxed = Recorded::from_text(&text);
    let words = |recorded: &mut Recorded, name: &str| match recorded.call(name, &[]).0.expect("it returns")[..] {
        [Val::I64(low), Val::I64(high)] => [low, high],
        _ => panic!("another type"),
    };
    // Wasmtime's own choice is the same wherever nothing overflows and no NaN occurs; the dot product of -128 and 127
    // is in the range on which all agree.
    for (i, op) in binary.iter().enumerate() {
        let name = format!("b{i}");
        assert_eq!(words(&mut fixed, &name), words(&mut relaxed, &name), "{op}");
    }
    for i in [0, 1, 3] {
        let name = format!("t{i}");
        assert_eq!(words(&mut fixed, &name), words(&mut relaxed, &name), "{}", ternary[i]);
    }
    // Bit by bit: 1 where the mask has ones.
    let select = words(&mut fixed, "t2");
    let (left, right, mask) = (1u8, 2, 2);
    assert_eq!(select[0] as u8, left & mask | right & !mask);
}

#[test]
fn a_call_of_an_import_by_name_leaves_its_place() {
    let text = r#"(module
      (import "env" "id" (func $id (param i32) (result i32)))
      (memory 1)
      (table 1 funcref)
      (elem (i32.const 0) $id)
      (func (export "f") (result i32)
        (i32.store (i32.const 0) (i32.const 1))
        (call $id (i32.const 1))
        (call_indirect (param i32) (result i32) (i32.const 0))
        (i32.store (i32.const 4) (i32.const 1))))"#;
    for style in STYLES {
        let mut recorded = Recorded::with(text, &Options { style, ..Options::default() });
        let (outcome, events) = recorded.call("f", &[]);
        outcome.expect("it returns");
        assert_eq!(events.len(), 2);
        let callers: Vec<_> =
            recorded.store.data().seen.callers.iter().map(|mark| recorded.rewritten.mark(*mark)).collect();
        assert_eq!(callers.len(), 1, "by reference it is not known");
        let offset = callers[0].and_then(|mark| mark.offset).expect("an instruction").0 as usize;
        assert_eq!(recorded.original[offset..offset + 2], [0x10, 0], "the call");
    }
}

#[test]
fn a_module_without_memory_is_asked_too() {
    let text = r#"(module (func (export "f") (param i32) (result i32) (i32.div_u (i32.const 8) (local.get 0))))"#;
    for style in STYLES {
        let options = Options { style, ask: Ask::Calls { window: 0..9 }, ..Options::default() };
        let mut recorded = Recorded::with(text, &options);
        recorded.call("f", &[Val::I32(2)]).0.expect("it returns");
        assert_eq!(recorded.store.data().seen.notes.last().map(|note| note.1), Some([4, 0]));
        assert!(recorded.rewritten.sites.is_empty());
    }
}

/// What notes of active functions say: function, what, and the depth of the activation.
fn stack_notes(recorded: &Recorded) -> Vec<(u32, Marked, u64)> {
    let notes = recorded.store.data().seen.notes.iter().map(|(mark, words)| {
        let mark = recorded.rewritten.mark(*mark).expect("a mark");
        let depth = matches!(mark.what, Marked::Enter | Marked::Leave | Marked::Back);
        (mark.func.0, mark.what, if depth { words[0] >> 32 } else { words[0] })
    });
    notes.collect()
}

#[test]
fn active_functions_are_noted_with_their_depths() {
    let text = r#"(module
      (memory 1)
      (func $leaf (param i32) (result i32) (local $base i32)
        (local.set $base (i32.sub (i32.const 1024) (local.get 0)))
        (i32.store (local.get $base) (i32.const 1))
        (local.get 0))
      (func $tail (param i32) (result i32) (return_call $leaf (i32.add (local.get 0) (i32.const 1))))
      (func (export "f") (param i32) (result i32)
        (call $tail (local.get 0))
        (return (i32.add (call $leaf (i32.const 5))))))"#;
    let frame_bases = BTreeMap::from([(FuncIndex(0), 1)]);
    for style in STYLES {
        let ask = Ask::Stack { around: Position(0), step: None, frame_bases: frame_bases.clone() };
        let mut recorded = Recorded::with(text, &Options { style, ask, ..Options::default() });
        let (outcome, events) = recorded.call("f", &[Val::I32(7)]);
        assert!(matches!(outcome.expect("it returns")[..], [Val::I32(13)]), "{style:?}");
        assert_eq!(events.len(), 2);
        let (argument, result) = (Marked::Argument(0, Some(ValueType::I32)), Marked::Result(0, Some(ValueType::I32)));
        let leaf = |number: u64| {
            [
                (0, Marked::Enter, 1),
                (0, argument, number),
                (0, Marked::FrameBase, 1024 - number),
                (0, result, number),
                (0, Marked::Leave, 1),
            ]
        };
        let mut expected = vec![(2, Marked::Enter, 0), (2, argument, 7)];
        expected.extend([(1, Marked::Enter, 1), (1, argument, 7), (1, Marked::Leave, 1)]);
        expected.extend(leaf(8));
        expected.extend(leaf(5));
        expected.extend([(2, result, 13), (2, Marked::Leave, 0)]);
        assert_eq!(stack_notes(&recorded), expected, "{style:?}");
        // Again, although the first call has left its own depths behind.
        recorded.store.data_mut().seen.notes.clear();
        recorded.call("f", &[Val::I32(7)]).0.expect("it returns");
        assert_eq!(stack_notes(&recorded), expected, "{style:?}");
        // Each call is named by its instruction.
        let called = recorded.store.data().seen.notes.iter().filter_map(|(mark, words)| {
            let entered = recorded.rewritten.mark(*mark).is_some_and(|mark| mark.what == Marked::Enter);
            let call = recorded.rewritten.mark(words[0] as u32).filter(|_| entered)?;
            Some((call.func.0, recorded.original[call.offset.expect("an instruction").0 as usize]))
        });
        assert_eq!(called.collect::<Vec<_>>(), [(2, 0x10), (1, 0x12), (2, 0x10)], "{style:?}");
    }
}

#[test]
fn where_an_exception_is_caught_the_depth_is_noted() {
    let text = r#"(module
      (memory 1)
      (tag $thrown (param i32))
      (func $throws (param i32) (throw $thrown (local.get 0)))
      (func $between (param i32) (call $throws (local.get 0)))
      (func $catches (export "f") (param i32) (result i32)
        (block $caught (result i32)
          (try_table (catch $thrown $caught) (call $between (local.get 0)))
          (i32.const -1))
        (i32.store (i32.const 0) (i32.const 9))))"#;
    for style in STYLES {
        let ask = Ask::Stack { around: Position(0), step: None, frame_bases: BTreeMap::new() };
        let mut recorded = Recorded::with(text, &Options { style, ask, ..Options::default() });
        let (outcome, _) = recorded.call("f", &[Val::I32(3)]);
        assert!(matches!(outcome.expect("it returns")[..], [Val::I32(3)]), "{style:?}");
        let notes = stack_notes(&recorded);
        let thrown = notes.iter().position(|(_, what, depth)| (*what, *depth) == (Marked::Enter, 2)).expect("noted");
        // Its argument, and then the function that goes on.
        assert_eq!(notes.get(thrown + 2), Some(&(2, Marked::Back, 0)), "{style:?}: {notes:?}");
        assert_eq!(notes.last(), Some(&(2, Marked::Leave, 0)), "{style:?}");
    }
}

/// A function with one load of each kind, from addresses and with offsets that tell them apart, and what each reads.
fn all_loads() -> (String, Vec<(u64, u8, u64)>) {
    // Byte `n` of memory is `n`, for 64 bytes, with high bits for signs.
    let byte = |at: u64| (at as u8) | 0x80;
    let value =
        |at: u64, width: u8| (0..u64::from(width)).rev().fold(0, |value, n| value << 8 | u64::from(byte(at + n)));
    let (mut code, mut expected) = (String::new(), Vec::new());
    let scalars = [
        ("i32.load", 4),
        ("i64.load", 8),
        ("f32.load", 4),
        ("f64.load", 8),
        ("i32.load8_s", 1),
        ("i32.load8_u", 1),
        ("i32.load16_s", 2),
        ("i32.load16_u", 2),
        ("i64.load8_s", 1),
        ("i64.load8_u", 1),
        ("i64.load16_s", 2),
        ("i64.load16_u", 2),
        ("i64.load32_s", 4),
        ("i64.load32_u", 4),
        ("v128.load8x8_s", 8),
        ("v128.load8x8_u", 8),
        ("v128.load16x4_s", 8),
        ("v128.load16x4_u", 8),
        ("v128.load32x2_s", 8),
        ("v128.load32x2_u", 8),
        ("v128.load8_splat", 1),
        ("v128.load16_splat", 2),
        ("v128.load32_splat", 4),
        ("v128.load64_splat", 8),
        ("v128.load32_zero", 4),
        ("v128.load64_zero", 8),
        ("i32.atomic.load", 4),
        ("i64.atomic.load", 8),
        ("i32.atomic.load8_u", 1),
        ("i32.atomic.load16_u", 2),
        ("i64.atomic.load8_u", 1),
        ("i64.atomic.load16_u", 2),
        ("i64.atomic.load32_u", 4),
    ];
    for (number, (name, width)) in (0..).zip(scalars) {
        // Atomics need aligned addresses, and so does nothing else.
        let (base, offset) = if name.contains("atomic") { (8, 8) } else { (number % 7, number % 11) };
        code += &format!("(drop ({name} offset={offset} (i32.const {base})))\n");
        expected.push((base + offset, width, value(base + offset, width)));
    }
    for (name, width) in
        [("v128.load8_lane", 1), ("v128.load16_lane", 2), ("v128.load32_lane", 4), ("v128.load64_lane", 8)]
    {
        code += &format!("(drop ({name} offset=3 1 (i32.const 5) (v128.const i64x2 -1 -1)))\n");
        expected.push((8, width, value(8, width)));
    }
    code += "(drop (v128.load offset=1 (i32.const 2)))";
    expected.extend([(3, 8, value(3, 8)), (11, 8, value(11, 8))]);
    let data: String = (0..64).map(|at| format!("\\{:02x}", byte(at))).collect();
    // Between two stores: a note ends the segment of the first.
    let text = format!(
        r#"(module (memory 1 1) (data (i32.const 0) "{data}")
          (func (export "f") (result i64) (local $kept i64)
            (i32.store (i32.const 100) (i32.const 1))
            {code}
            (i32.store (i32.const 200) (i32.load (i32.const 100)))
            (i64.load (i32.const 16))))"#
    );
    expected.extend([(100, 4, 1), (16, 8, value(16, 8))]);
    (text, expected)
}

#[test]
fn every_load_is_noted_with_its_address_and_what_it_read() {
    let (text, expected) = all_loads();
    for style in STYLES {
        let ask = Ask::Loads { before: Position(0) };
        let mut recorded = Recorded::with(&text, &Options { style, ask, ..Options::default() });
        let (outcome, events) = recorded.call("f", &[]);
        let last = expected.last().expect("loads").2;
        assert!(matches!(outcome.expect("it returns")[..], [Val::I64(read)] if read as u64 == last), "{style:?}");
        assert_eq!(events.iter().map(|(_, operands)| operands[0]).collect::<Vec<_>>(), [100, 200], "{style:?}");
        let notes = recorded.store.data().seen.notes.iter().map(|(mark, [address, value])| {
            let mark = recorded.rewritten.mark(*mark).expect("a mark");
            let Marked::Load { static_offset, width, .. } = mark.what else { panic!("{mark:?}") };
            let mask = u64::MAX >> (64 - 8 * u32::from(width));
            (address + static_offset, width, value & mask)
        });
        assert_eq!(notes.collect::<Vec<_>>(), expected, "{style:?}");
    }
}

#[test]
fn loads_of_a_64_bit_memory_have_its_addresses() {
    let text = r#"(module (memory i64 1)
      (func (export "f") (param i64) (result i32)
        (i32.store (i64.const 8) (i32.const 7))
        (i32.load offset=4 (local.get 0))))"#;
    for style in STYLES {
        let ask = Ask::Loads { before: Position(0) };
        let mut recorded = Recorded::with(text, &Options { style, ask, ..Options::default() });
        let (outcome, _) = recorded.call("f", &[Val::I64(4)]);
        assert!(matches!(outcome.expect("it returns")[..], [Val::I32(7)]), "{style:?}");
        assert_eq!(recorded.store.data().seen.notes.iter().map(|note| note.1).collect::<Vec<_>>(), [[4, 7]]);
    }
}
