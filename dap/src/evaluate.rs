//! Expressions of the debug console and of watches.

use crate::memory::{self, Byte, number};
use crate::place::Place;
use crate::variables;
use forkpoint_replay::Side;
use forkpoint_traces::{Hex, MemoryIndex, Position};
use serde_json::{Value, json};

/// What can be written, for errors and for the console.
const HELP: &str = "i32(0x10) shows a value in memory (i8 to i64, u8 to u64, f32, f64, v128; a second memory as in i32(1:0x10)); \
bytes(0x10, 32) shows bytes; writer(0x10) says who wrote there last; #1234 goes to a position; divergence goes to the first one";

/// What an expression asks for.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    Value { ty: String, memory: MemoryIndex, address: u64 },
    Bytes { memory: MemoryIndex, address: u64, length: u64 },
    Writer { memory: MemoryIndex, address: u64 },
    Position(Position),
    Divergence,
}

fn parse(text: &str) -> Option<Asked> {
    let text = text.trim();
    if text == "divergence" {
        return Some(Asked::Divergence);
    }
    if let Some(position) = text.strip_prefix('#') {
        return position.parse().ok().map(|position| Asked::Position(Position(position)));
    }
    let (name, rest) = text.split_once('(')?;
    let rest = rest.strip_suffix(')')?;
    let (place, length) = match rest.split_once(',') {
        Some((place, length)) => (place, Some(number(length.trim())?)),
        None => (rest, None),
    };
    let (memory, address) = place.split_once(':').unwrap_or(("0", place));
    let (memory, address) = (MemoryIndex(memory.trim().parse().ok()?), number(address.trim())?);
    match (name.trim(), length) {
        ("bytes", length) => Some(Asked::Bytes { memory, address, length: length.unwrap_or(16) }),
        ("writer", None) => Some(Asked::Writer { memory, address }),
        (ty, None) if memory::width(ty).is_some() => Some(Asked::Value { ty: ty.to_string(), memory, address }),
        _ => None,
    }
}

/// An answer, and whether the place has changed.
pub(crate) struct Evaluated {
    pub(crate) body: Value,
    pub(crate) moved: bool,
}

/// Answers `evaluate` for a side.
pub(crate) fn evaluate(place: &mut Place, side: Side, text: &str) -> Result<Evaluated, String> {
    let asked = parse(text).ok_or_else(|| format!("`{}` is no expression: {HELP}", text.trim().escape_debug()))?;
    let failed = |error: forkpoint_replay::ReplayError| error.to_string();
    let stays = |result: String, ty: Option<&str>, at: Option<Byte>| {
        let mut body = json!({ "result": result, "variablesReference": 0 });
        if let Some(ty) = ty {
            body["type"] = ty.into();
        }
        if let Some(at) = at {
            body["memoryReference"] = at.to_string().into();
        }
        Ok(Evaluated { body, moved: false })
    };
    match asked {
        Asked::Value { ty, memory, address } => {
            let byte = checked(place, Byte { side, memory, address })?;
            let bytes = memory::bytes(place, byte, memory::width(&ty).unwrap_or(0));
            match memory::typed(&ty, &bytes) {
                Some(value) => stays(value.to_string(), Some(value.ty), Some(byte)),
                None => Err(format!("{address:#x} lies outside of memory {}", memory.0)),
            }
        }
        Asked::Bytes { memory, address, length } => {
            let byte = checked(place, Byte { side, memory, address })?;
            let bytes = memory::bytes(place, byte, length.min(4096));
            stays(format!("{:#}", Hex(&bytes)), None, Some(byte))
        }
        Asked::Writer { memory, address } => {
            let byte = checked(place, Byte { side, memory, address })?;
            let position = place.before(side, place.row());
            stays(variables::writer(place, byte, 1, position).map_err(failed)?, None, Some(byte))
        }
        Asked::Position(position) => {
            let events = place.timeline(side).len();
            if position.0 >= events {
                return Err(format!("position {position} is past the end: {side} has {events} events"));
            }
            moved(place, place.row_of(side, position))
        }
        Asked::Divergence => match &place.divergence {
            None => Err("the runs do not diverge".to_string()),
            Some(divergence) => {
                let row = place.row_of(Side::Lhs, divergence.position);
                moved(place, row)
            }
        },
    }
}

fn moved(place: &mut Place, row: u64) -> Result<Evaluated, String> {
    place.go(row).map_err(|error| error.to_string())?;
    let words = place.before(Side::Lhs, place.row()).to_string();
    Ok(Evaluated { body: json!({ "result": words, "variablesReference": 0 }), moved: true })
}

fn checked(place: &mut Place, byte: Byte) -> Result<Byte, String> {
    match variables::has_memory(place, byte.side, byte.memory) {
        true => Ok(byte),
        false => Err(format!("there is no memory {} here", byte.memory.0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_read() {
        let memory = MemoryIndex(0);
        assert_eq!(parse(" i32(0x10) "), Some(Asked::Value { ty: "i32".to_string(), memory, address: 16 }));
        let second = MemoryIndex(1);
        assert_eq!(parse("f64(1:8)"), Some(Asked::Value { ty: "f64".to_string(), memory: second, address: 8 }));
        assert_eq!(parse("bytes(0x10, 4)"), Some(Asked::Bytes { memory, address: 16, length: 4 }));
        assert_eq!(parse("writer(3)"), Some(Asked::Writer { memory, address: 3 }));
        assert_eq!(parse("#12"), Some(Asked::Position(Position(12))));
        assert_eq!(parse("divergence"), Some(Asked::Divergence));
        for wrong in ["", "i32", "i32(", "i32()", "i33(0)", "i32(0, 4)", "#", "x", "writer(0,1)", "i32(a:0)"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
