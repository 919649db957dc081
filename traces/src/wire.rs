//! The only place that knows bincode.
//!
//! Every structure of a trace file goes through [`encode`] and [`decode`]. The wire format (bincode 2.0.1,
//! `config::standard()`: little endian, variable-length integers) is described in `docs/trace-format.md` and
//! frozen by the golden bytes in the tests below, so that another reader needs no bincode and this crate can
//! be replaced in one file.

use crate::error::TraceError;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// No structure may claim more than this while it is decoded.
const LIMIT: usize = 256 << 20;

/// Most that one stored byte may claim: a u64 that takes one byte.
const CLAIM: usize = 8;

/// Encodes a structure. It cannot fail on the types of this crate: none has a fallible `Serialize`.
pub(crate) fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    bincode::serde::encode_to_vec(value, bincode::config::standard())
        .expect("encoding into memory fails only for types that refuse serialization, and none here does")
}

/// Decodes a structure that must fill `bytes` exactly. `at` and `what` name the place in errors.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8], at: u64, what: &str) -> Result<T, TraceError> {
    let (value, rest) = decode_prefix(bytes, at, what)?;
    if rest.is_empty() {
        Ok(value)
    } else {
        Err(TraceError::corrupt(at, format!("{} bytes left over after the {what}", rest.len())))
    }
}

/// Decodes a structure from the front of `bytes` and returns what follows it.
pub(crate) fn decode_prefix<'a, T: DeserializeOwned>(
    bytes: &'a [u8],
    at: u64,
    what: &str,
) -> Result<(T, &'a [u8]), TraceError> {
    // A string of a hostile length is allocated before it is read, and a limit is part of a type.
    const SMALL: usize = 4 << 10;
    const MEDIUM: usize = 256 << 10;
    const LARGE: usize = 8 << 20;
    let decoded = match bytes.len() {
        0..=SMALL => limited::<T, { CLAIM * SMALL }>(bytes),
        length if length <= MEDIUM => limited::<T, { CLAIM * MEDIUM }>(bytes),
        length if length <= LARGE => limited::<T, { CLAIM * LARGE }>(bytes),
        _ => limited::<T, LIMIT>(bytes),
    };
    match decoded {
        Ok((value, used)) => Ok((value, &bytes[used..])),
        Err(error) => Err(TraceError::corrupt(at, format!("the {what} does not decode: {error}"))),
    }
}

/// Decodes a structure that may claim this many bytes.
fn limited<T: DeserializeOwned, const CLAIMED: usize>(
    bytes: &[u8],
) -> Result<(T, usize), bincode::error::DecodeError> {
    bincode::serde::borrow_decode_from_slice(bytes, bincode::config::standard().with_limit::<CLAIMED>())
}

/// bincode encodes `Vec<u8>` through serde one element at a time; as bytes it is one copy.
pub(crate) mod bytes {
    use serde::de::{Deserializer, Visitor};
    use serde::ser::Serializer;

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = Vec<u8>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }
            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
                Ok(bytes.to_vec())
            }
        }
        // Taken from the input, so that the bytes must be there before any are allocated.
        deserializer.deserialize_bytes(Bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::{Argument, Call, JavaScriptInfo, Put, Step, StepResult};
    use crate::host::{GuestOutcome, HostCall, HostEvent, Import};
    use crate::ids::{CodeOffset, DataIndex, FuncIndex, GlobalIndex, MemoryIndex, TableIndex};
    use crate::index::Place;
    use crate::milestone::{GlobalState, Milestone};
    use crate::op::{MemoryOp, ValueType};
    use crate::outcome::{Outcome, Stage, TrapKind};
    use crate::program::{Action, Directive, Expected, InstanceInfo, Link, ModulePart, Pattern, ProgramInfo};
    use crate::site::Site;
    use crate::value::WasmValue;

    #[test]
    fn the_form_of_programs_is_frozen() {
        let instance = InstanceInfo {
            name: "a".to_string(),
            module: 0,
            imports: vec![None, Some(Link { instance: 0, export: "m".to_string() })],
            memories: vec![MemoryIndex(3)],
            tables: vec![5],
            first_global: GlobalIndex(6),
        };
        let module =
            ModulePart { start: CodeOffset(0), length: 8, first_function: FuncIndex(1), first_data: DataIndex(2) };
        let one = Pattern { value: WasmValue::I32(1), mask: [0xff; 16] };
        let call = Call { function: "f".to_string(), arguments: vec![Argument::Value(WasmValue::I32(-1))] };
        let directives = vec![
            Directive { line: 1, action: Action::Instantiate { instance: 0 }, expected: Expected::Success },
            Directive {
                line: 2,
                action: Action::Call { instance: 0, call },
                expected: Expected::Results(vec![vec![one]]),
            },
        ];
        let program = ProgramInfo { modules: vec![module], instances: vec![instance], directives, texts: 4 };
        let mut expected = vec![1, 0, 8, 1, 2, 1, 1, b'a', 0, 2, 0, 1, 0, 1, b'm', 1, 3, 1, 5, 6];
        expected.extend([2, 1, 0, 0, 0, 2, 2, 0, 1, b'f', 1, 0, 0, 1, 1, 1, 1, 0, 2]);
        expected.extend([0xff; 16]);
        expected.push(4);
        assert_eq!(encode(&program), expected);
        assert_eq!(encode(&Milestone::Directive { number: 3 }), [8, 3]);
        assert_eq!(encode(&Milestone::Refused { stage: Stage::Compile }), [9, 1]);
        assert_eq!(encode(&Milestone::Judged { passed: true }), [10, 1]);
    }

    /// Frozen bytes: if this test fails, the format has changed and its version must too.
    #[test]
    fn wire_format_is_frozen() {
        assert_eq!(encode(&250u64), [250]);
        assert_eq!(encode(&251u64), [251, 251, 0]);
        assert_eq!(encode(&0x1_0000u32), [252, 0, 0, 1, 0]);
        assert_eq!(encode(&u64::MAX), [253, 255, 255, 255, 255, 255, 255, 255, 255]);
        assert_eq!(encode(&-1i32), [1]);
        assert_eq!(encode(&Some("ab")), [1, 2, b'a', b'b']);
        let site = Site {
            func: FuncIndex(3),
            offset: CodeOffset(0x1234),
            op: MemoryOp::I32Store8,
            memory: MemoryIndex(0),
            static_offset: 300,
            source: 0,
        };
        assert_eq!(encode(&site), [3, 251, 0x34, 0x12, 4, 0, 251, 44, 1, 0]);
        let trap = Milestone::Trapped { trap: TrapKind::MemoryOutOfBounds, func: Some(FuncIndex(1)), offset: None };
        assert_eq!(encode(&trap), [4, 1, 1, 1, 0]);
        assert_eq!(encode(&Outcome::Exited { code: 1 }), [1, 2]);
        let call = HostEvent::Call(HostCall {
            function: FuncIndex(2),
            import: Import { module: "m".to_string(), name: "f".to_string() },
            arguments: vec![WasmValue::I32(-1)],
            reads: Vec::new(),
            caller: Some(Place { func: FuncIndex(5), offset: Some(CodeOffset(0x40)) }),
        });
        assert_eq!(encode(&call), [0, 2, 1, b'm', 1, b'f', 1, 0, 1, 0, 1, 5, 1, 0x40]);
        let enter = HostEvent::Enter { function: FuncIndex(7), arguments: vec![WasmValue::I32(2)] };
        assert_eq!(encode(&enter), [4, 7, 1, 0, 4]);
        let left = |outcome| encode(&HostEvent::Leave { function: FuncIndex(7), outcome });
        assert_eq!(left(GuestOutcome::Returned(vec![WasmValue::I32(-1)])), [5, 7, 0, 1, 0, 1]);
        assert_eq!(left(GuestOutcome::Trapped(TrapKind::HostError)), [5, 7, 1, 15]);
        let set = HostEvent::SetGlobal { global: GlobalIndex(1), value: WasmValue::I64(1) };
        assert_eq!(encode(&set), [6, 1, 1, 2]);
        let element = HostEvent::SetElement { table: TableIndex(0), index: 3, function: Some(FuncIndex(9)) };
        assert_eq!(encode(&element), [7, 0, 3, 1, 9]);
        let grow = HostEvent::GrowTable { table: TableIndex(0), delta: 2, before: 4 };
        assert_eq!(encode(&grow), [8, 0, 2, 4]);
        let value = WasmValue::Reference("extern 5".to_string());
        let reference = HostEvent::SetReference { table: TableIndex(1), index: 3, value };
        assert_eq!(encode(&reference), [&[9, 1, 3, 5, 8][..], b"extern 5"].concat());
        let (parameters, results) = (vec![ValueType::I32, ValueType::F64], vec![ValueType::I64]);
        let (table, function) = (TableIndex(1), FuncIndex(7));
        let own = HostEvent::SetFunction { table, index: 3, function, parameters, results };
        assert_eq!(encode(&own), [10, 1, 3, 7, 2, 0, 3, 1, 1]);
        let javascript = JavaScriptInfo { command: vec!["a".to_string()], changes: "c".to_string() };
        assert_eq!(encode(&javascript), [1, 1, b'a', 1, b'c']);
        let room = StepResult { step: 3, result: 0 };
        let steps = [
            Step::Call(Call {
                function: "f".to_string(),
                arguments: vec![Argument::Value(WasmValue::I32(1)), Argument::Result(room)],
            }),
            Step::Put(Put { room, memory: MemoryIndex(0), bytes: vec![7, 0] }),
        ];
        assert_eq!(encode(&steps), [0, 1, b'f', 2, 0, 0, 2, 1, 3, 0, 1, 3, 0, 0, 2, 7, 0]);
        assert_eq!(encode(&Outcome::NoRoom), [10]);
        let returned = Milestone::Returned { results: vec![WasmValue::F32(0x7fc0_0000), WasmValue::I64(-1)] };
        assert_eq!(encode(&returned), [3, 2, 2, 252, 0, 0, 0xc0, 0x7f, 1, 1]);
        let end = Milestone::End {
            outcome: Outcome::Finished,
            memories: Vec::new(),
            globals: vec![GlobalState { index: GlobalIndex(4), value: WasmValue::I32(2) }],
            tables: vec![6],
        };
        assert_eq!(encode(&end), [6, 0, 0, 1, 4, 0, 4, 1, 6]);
    }

    #[test]
    fn leftovers_and_hostile_lengths_are_errors() {
        assert!(decode::<u8>(&[1, 2], 0, "byte").is_err());
        // A string that claims 2^63 bytes.
        assert!(decode::<String>(&[253, 0, 0, 0, 0, 0, 0, 0, 0x80], 0, "text").is_err());
        // One of a megabyte in six bytes is refused for its length, before it is allocated.
        let refused = decode::<String>(&[252, 0, 0, 0x10, 0, b'a'], 0, "text").expect_err("too long").to_string();
        assert!(refused.contains("LimitExceeded"), "{refused}");
        // Bytes that are there may be of any length.
        for length in [4 << 10, 256 << 10, 9 << 20] {
            let numbers = vec![3u64; length];
            assert_eq!(decode::<Vec<u64>>(&encode(&numbers), 0, "numbers").expect("it is there"), numbers);
        }
    }
}
