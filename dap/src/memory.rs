//! Memory: how places in it are named, and reading it.

use crate::place::Place;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use forkpoint_replay::{Side, TypedValue};
use forkpoint_traces::{MemoryIndex, ValueType};
use serde_json::{Value, json};
use std::fmt;

/// Most bytes of one answer.
const MOST: u64 = 1 << 20;

/// A byte of a run's memory, as editors name it: `lhs:0:0x10`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Byte {
    pub(crate) side: Side,
    pub(crate) memory: MemoryIndex,
    pub(crate) address: u64,
}

impl Byte {
    /// The byte of this name.
    pub(crate) fn parse(name: &str) -> Option<Byte> {
        let mut parts = name.split(':');
        let side = parts.next().and_then(|word| Side::BOTH.into_iter().find(|side| side.word() == word))?;
        let memory = MemoryIndex(parts.next()?.parse().ok()?);
        let address = number(parts.next()?)?;
        parts.next().is_none().then_some(Byte { side, memory, address })
    }
}

impl fmt::Display for Byte {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{:#x}", self.side, self.memory.0, self.address)
    }
}

/// A number as a user writes it, in hexadecimal or not.
pub(crate) fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// Up to `count` bytes from there on, as far as memory goes.
pub(crate) fn bytes(place: &mut Place, byte: Byte, count: u64) -> Vec<u8> {
    let memory = place.timeline(byte.side).memory();
    let size = memory.size(byte.memory).map_or(0, |size| size.bytes());
    let mut bytes = vec![0; count.min(MOST).min(size.saturating_sub(byte.address)) as usize];
    let inside = memory.read(byte.memory, byte.address, &mut bytes);
    bytes.truncate(inside);
    bytes
}

/// Answers `readMemory`.
pub(crate) fn read(place: &mut Place, arguments: &Value) -> Result<Value, String> {
    let name = arguments["memoryReference"].as_str().unwrap_or_default();
    let byte = Byte::parse(name).filter(|byte| place.sides().any(|side| side == byte.side));
    let byte = byte.ok_or_else(|| format!("`{}` names no memory: lhs:0:0x10 does", name.escape_debug()))?;
    let offset = arguments["offset"].as_i64().unwrap_or(0);
    let count = arguments["count"].as_u64().unwrap_or(0);
    let Some(address) = byte.address.checked_add_signed(offset) else {
        return Ok(json!({ "address": byte.to_string(), "unreadableBytes": count }));
    };
    let byte = Byte { address, ..byte };
    let bytes = bytes(place, byte, count);
    let unreadable = count.min(MOST) - bytes.len() as u64;
    Ok(json!({ "address": format!("{address:#x}"), "unreadableBytes": unreadable, "data": STANDARD.encode(&bytes) }))
}

/// The bytes that a value of the type with this name has, and what they are: `i8`, `f32`, `v128`.
fn kind(name: &str) -> Option<(u64, ValueType)> {
    Some(match name {
        "i8" | "u8" => (1, ValueType::I64),
        "i16" | "u16" => (2, ValueType::I64),
        "i32" | "u32" => (4, ValueType::I64),
        "i64" | "u64" => (8, ValueType::I64),
        "f32" => (4, ValueType::F32),
        "f64" => (8, ValueType::F64),
        "v128" => (16, ValueType::V128),
        _ => return None,
    })
}

/// What bytes are as a value of such a type.
pub(crate) fn typed(name: &str, bytes: &[u8]) -> Option<TypedValue> {
    let (width, ty) = kind(name)?;
    TypedValue::of_type(ty, bytes.get(..width as usize)?)
}

/// The bytes that a value of such a type has.
pub(crate) fn width(name: &str) -> Option<u64> {
    kind(name).map(|(width, _)| width)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_bytes_are_read_as_they_are_written() {
        let byte = Byte { side: Side::Rhs, memory: MemoryIndex(3), address: u64::MAX };
        assert_eq!(Byte::parse(&byte.to_string()), Some(byte));
        for wrong in ["", "lhs", "lhs:0", "mid:0:1", "lhs:0:1:2", "lhs:-1:0", "lhs:0:0xg"] {
            assert_eq!(Byte::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn types_have_widths_and_values() {
        let bytes: Vec<u8> = (1..=16).collect();
        for (name, expected) in [("i8", 1), ("u16", 2), ("i32", 4), ("u64", 8), ("f32", 4), ("f64", 8), ("v128", 16)]
        {
            assert_eq!(width(name), Some(expected), "{name}");
            assert!(
                typed(name, &bytes).is_some() && typed(name, &bytes[..expected as usize - 1]).is_none(),
                "{name}"
            );
        }
        assert!(width("i128").is_none() && typed("", &bytes).is_none());
    }
}
