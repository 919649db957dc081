//! What stored bytes mean: a value of the type that the storing instruction has.
//!
//! The one place that turns bytes into numbers: `dump`, reports and the screen all show its results.

use crate::symbols::{Lanes, Symbols};
use forkpoint_traces::{Event, MemoryOp, Shape, SiteTable, ValueType};
pub use number::{Number, NumberType, decimal};
use serde::Serialize;
use std::fmt;

mod number;

/// A value by its type. Its JSON form is documented in `docs/json.md`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TypedValue {
    /// `i8`, `i16`, `i32`, `i64`, `f32`, `f64`, or a vector's lanes: `i8x16`, `f32x4` and so on.
    #[serde(rename = "type")]
    pub ty: &'static str,
    /// The value as the text format spells it, an integer with its sign. For a vector of unknown lanes, four numbers
    /// in hexadecimal.
    pub text: String,
    /// For a negative integer: the same bits without a sign.
    pub unsigned: Option<String>,
}

impl TypedValue {
    /// What an event stored; `None` if it is not a store.
    pub fn of(event: &Event, sites: &SiteTable, symbols: &Symbols) -> Option<TypedValue> {
        let Event::Store { site, value, .. } = event else { return None };
        let site = sites.get(*site)?;
        let vector = matches!(site.op.shape(), Shape::Lane { .. } | Shape::Store { ty: ValueType::V128, .. });
        let lanes = if vector { symbols.lanes(site.offset) } else { None };
        TypedValue::stored_by(site.op, lanes, value.bytes())
    }

    /// What `bytes`, stored by an instruction, are; `None` if it stores another number of them. `lanes` are those of
    /// the vector that it stores or takes a lane of, if known.
    pub fn stored_by(op: MemoryOp, lanes: Option<Lanes>, bytes: &[u8]) -> Option<TypedValue> {
        if op.shape().width().map(usize::from) != Some(bytes.len()) {
            return None;
        }
        match (op.shape(), lanes) {
            (Shape::Store { ty: ValueType::V128, .. }, Some(lanes)) => vector(lanes, bytes),
            (Shape::Lane { width: 4 }, Some(Lanes::F32x4)) => TypedValue::of_type(ValueType::F32, bytes),
            (Shape::Lane { width: 8 }, Some(Lanes::F64x2)) => TypedValue::of_type(ValueType::F64, bytes),
            (Shape::Lane { .. }, _) => TypedValue::of_type(ValueType::I64, bytes),
            (Shape::Store { ty, .. } | Shape::Rmw { ty, .. }, _) => TypedValue::of_type(ty, bytes),
            _ => None,
        }
    }

    /// `bytes`, in memory order, as a value of a type; an integer may have fewer of them than its type.
    pub fn of_type(ty: ValueType, bytes: &[u8]) -> Option<TypedValue> {
        if ty != ValueType::V128 {
            return Some(NumberType::of(ty, bytes.len())?.number(bytes).into());
        }
        let (lanes, []) = bytes.as_chunks::<4>() else { return None };
        let lanes = lanes.iter().map(|lane| format!("{:#010x}", u32::from_le_bytes(*lane)));
        Some(TypedValue { ty: "i32x4", text: lanes.collect::<Vec<_>>().join(" "), unsigned: None })
    }
}

fn vector(lanes: Lanes, bytes: &[u8]) -> Option<TypedValue> {
    let (ty, width, lane) = match lanes {
        Lanes::I8x16 => ("i8x16", 1, ValueType::I32),
        Lanes::I16x8 => ("i16x8", 2, ValueType::I32),
        Lanes::I32x4 => ("i32x4", 4, ValueType::I32),
        Lanes::I64x2 => ("i64x2", 8, ValueType::I64),
        Lanes::F32x4 => ("f32x4", 4, ValueType::F32),
        Lanes::F64x2 => ("f64x2", 8, ValueType::F64),
    };
    let lanes = bytes.chunks(width).map(|bytes| Some(TypedValue::of_type(lane, bytes)?.text));
    Some(TypedValue { ty, text: lanes.collect::<Option<Vec<_>>>()?.join(" "), unsigned: None })
}

/// `i32 42`, `i32 -1 (unsigned 4294967295)`, `f32 -0.03`.
impl fmt::Display for TypedValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.ty, self.text)?;
        match &self.unsigned {
            Some(unsigned) => write!(f, " (unsigned {unsigned})"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(op: &str, bytes: &[u8]) -> String {
        let op = MemoryOp::ALL.iter().find(|known| known.mnemonic() == op).expect("a store");
        TypedValue::stored_by(*op, None, bytes).map_or("nothing".to_string(), |value| value.to_string())
    }

    #[test]
    fn integers_show_both_signs_where_they_differ() {
        assert_eq!(stored("i32.store", &42u32.to_le_bytes()), "i32 42");
        assert_eq!(stored("i32.store", &[0xff; 4]), "i32 -1 (unsigned 4294967295)");
        assert_eq!(
            stored("i64.store", &[0xfe, 255, 255, 255, 255, 255, 255, 255]),
            "i64 -2 (unsigned 18446744073709551614)"
        );
        assert_eq!(stored("i64.store8", &[0x80]), "i8 -128 (unsigned 128)");
        assert_eq!(stored("i32.store16", &[0x34, 0x12]), "i16 4660");
        assert_eq!(stored("i64.atomic.rmw32.add_u", &[1, 0, 0, 0]), "i32 1");
    }

    #[test]
    fn floats_are_spelled_as_in_the_text_format() {
        let single = |value: f32| stored("f32.store", &value.to_le_bytes());
        let bits = |bits: u32| stored("f32.store", &bits.to_le_bytes());
        assert_eq!(
            [single(-0.03), single(-0.0), single(1e30), single(1e-40)],
            ["f32 -0.03", "f32 -0", "f32 1e30", "f32 1e-40"]
        );
        assert_eq!([single(0.1), single(f32::NEG_INFINITY)], ["f32 0.1", "f32 -inf"]);
        assert_eq!([bits(0x7fc0_0000), bits(0xffa0_0001)], ["f32 nan:0x400000", "f32 -nan:0x200001"]);
        let double = |value: f64| stored("f64.store", &value.to_le_bytes());
        assert_eq!([double(1.5), double(f64::MAX), double(0.0)], ["f64 1.5", "f64 1.7976931348623157e308", "f64 0"]);
        // What is printed this way reads back as the same value.
        for value in [-0.03f32, 1e30, 1e-40, 16777216.0, f32::MAX, f32::MIN_POSITIVE] {
            let text = format!("(module (global f32 (f32.const {})))", single(value).trim_start_matches("f32 "));
            let module = wat::parse_str(&text).expect("a module");
            assert!(module.windows(4).any(|window| window == value.to_le_bytes()), "{text}");
        }
    }

    #[test]
    fn vectors_and_lanes_go_by_the_operator() {
        let vector: Vec<u8> = (0..16).collect();
        assert_eq!(stored("v128.store", &vector), "i32x4 0x03020100 0x07060504 0x0b0a0908 0x0f0e0d0c");
        assert_eq!(stored("v128.store16_lane", &[0xff, 0xff]), "i16 -1 (unsigned 65535)");
        assert_eq!(stored("v128.store64_lane", &[1, 0, 0, 0, 0, 0, 0, 0]), "i64 1");
        let with = |lanes, op: &str, bytes: &[u8]| {
            let op = MemoryOp::ALL.iter().find(|known| known.mnemonic() == op).expect("a store");
            TypedValue::stored_by(*op, Some(lanes), bytes).map(|value| value.to_string()).unwrap_or_default()
        };
        let floats: Vec<u8> = [-0.03f32, 1.0, f32::NAN, 1e30].iter().flat_map(|lane| lane.to_le_bytes()).collect();
        assert_eq!(with(Lanes::F32x4, "v128.store", &floats), "f32x4 -0.03 1 nan:0x400000 1e30");
        assert_eq!(with(Lanes::I16x8, "v128.store", &[0xff; 16]), "i16x8 -1 -1 -1 -1 -1 -1 -1 -1");
        assert_eq!(with(Lanes::F32x4, "v128.store32_lane", &floats[..4]), "f32 -0.03");
        assert_eq!(with(Lanes::F32x4, "v128.store16_lane", &[1, 0]), "i16 1");
    }

    /// A trace may hold anything.
    #[test]
    fn every_store_has_a_value_of_its_width_and_none_of_another() {
        for op in MemoryOp::ALL {
            for length in 0..=17 {
                let width = op.shape().width().map(usize::from);
                for lanes in [None, Some(Lanes::I8x16), Some(Lanes::F32x4), Some(Lanes::F64x2)] {
                    let value = TypedValue::stored_by(*op, lanes, &vec![0xa5; length]);
                    assert_eq!(value.is_some(), width == Some(length), "{} of {length} bytes", op.mnemonic());
                }
            }
        }
    }
}
