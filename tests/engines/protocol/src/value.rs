//! WebAssembly values in the protocol's notation.

use serde_json::json;

/// A value, floats as their bits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    I32(i32),
    I64(i64),
    F32(u32),
    F64(u64),
    /// Little endian.
    V128([u8; 16]),
    /// A null reference, or with `false` a non-null one.
    Reference {
        null: bool,
    },
}

impl Value {
    /// Parses `{"I32": -1}` and the like.
    pub fn from_json(json: &serde_json::Value) -> Option<Value> {
        let (kind, value) = json.as_object()?.iter().next()?;
        Some(match kind.as_str() {
            "I32" => Value::I32(value.as_i64()?.try_into().ok()?),
            "I64" => Value::I64(value.as_i64()?),
            "F32" => Value::F32(value.as_u64()?.try_into().ok()?),
            "F64" => Value::F64(value.as_u64()?),
            "V128" => {
                let bytes = value.as_array()?.iter().map(|byte| u8::try_from(byte.as_u64()?).ok());
                Value::V128(bytes.collect::<Option<Vec<u8>>>()?.try_into().ok()?)
            }
            "Reference" => Value::Reference { null: value == "null" },
            _ => return None,
        })
    }

    /// Writes what [`Value::from_json`] reads.
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Value::I32(value) => json!({ "I32": value }),
            Value::I64(value) => json!({ "I64": value }),
            Value::F32(bits) => json!({ "F32": bits }),
            Value::F64(bits) => json!({ "F64": bits }),
            Value::V128(bytes) => json!({ "V128": bytes }),
            Value::Reference { null } => json!({ "Reference": if *null { "null" } else { "reference" } }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_read_back_as_they_are_written() {
        for value in [
            Value::I32(i32::MIN),
            Value::I64(-1),
            Value::F32(u32::MAX),
            Value::F64(u64::MAX),
            Value::V128([0xff; 16]),
            Value::Reference { null: true },
        ] {
            assert_eq!(Value::from_json(&value.to_json()), Some(value));
        }
        for bad in [json!({}), json!({ "I32": 1u64 << 32 }), json!({ "V128": [1, 2] }), json!("I32")] {
            assert_eq!(Value::from_json(&bad), None, "{bad}");
        }
    }
}
