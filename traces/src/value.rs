//! WebAssembly values: arguments and results of calls.

use crate::op::ValueType;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A value, floats as their bits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum WasmValue {
    /// `i32`.
    I32(i32),
    /// `i64`.
    I64(i64),
    /// `f32` as bits.
    F32(u32),
    /// `f64` as bits.
    F64(u64),
    /// `v128`, little endian.
    V128([u8; 16]),
    /// A reference, in words: it has no value outside of its run.
    Reference(String),
}

impl WasmValue {
    /// A value by its type and its words, the low one first; without a type a reference, of which only null or not is told.
    pub fn of_words(ty: Option<ValueType>, [low, high]: [u64; 2]) -> WasmValue {
        match ty {
            Some(ValueType::I32) => WasmValue::I32(low as u32 as i32),
            Some(ValueType::I64) => WasmValue::I64(low as i64),
            Some(ValueType::F32) => WasmValue::F32(low as u32),
            Some(ValueType::F64) => WasmValue::F64(low),
            Some(ValueType::V128) => WasmValue::V128((u128::from(low) | u128::from(high) << 64).to_le_bytes()),
            None => WasmValue::Reference(if low == 0 { "null" } else { "a reference" }.to_string()),
        }
    }
}

/// In the notation of the command line; `{:#}` puts the type of a number in front: `i32:5`.
impl fmt::Display for WasmValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() {
            f.write_str(match self {
                WasmValue::I32(_) => "i32:",
                WasmValue::I64(_) => "i64:",
                WasmValue::F32(_) => "f32:",
                WasmValue::F64(_) => "f64:",
                // Their notation already has it.
                WasmValue::V128(_) | WasmValue::Reference(_) => "",
            })?;
        }
        match self {
            WasmValue::I32(value) => write!(f, "{value}"),
            WasmValue::I64(value) => write!(f, "{value}"),
            WasmValue::F32(bits) => {
                let sign = if bits >> 31 == 1 { "-" } else { "" };
                match f32::from_bits(*bits) {
                    value if value.is_nan() => write!(f, "{sign}nan:{:#x}", bits & 0x007f_ffff),
                    value => write!(f, "{value}"),
                }
            }
            WasmValue::F64(bits) => {
                let sign = if bits >> 63 == 1 { "-" } else { "" };
                match f64::from_bits(*bits) {
                    value if value.is_nan() => write!(f, "{sign}nan:{:#x}", bits & 0x000f_ffff_ffff_ffff),
                    value => write!(f, "{value}"),
                }
            }
            WasmValue::V128(bytes) => {
                f.write_str("i32x4:")?;
                for (i, lane) in bytes.chunks_exact(4).enumerate() {
                    let lane = u32::from_le_bytes([lane[0], lane[1], lane[2], lane[3]]);
                    write!(f, "{}{lane:#010x}", if i == 0 { "" } else { "," })?;
                }
                Ok(())
            }
            WasmValue::Reference(text) => f.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_with_and_without_their_type() {
        let both = |value: WasmValue| format!("{value} {value:#}");
        assert_eq!(both(WasmValue::I32(-5)), "-5 i32:-5");
        assert_eq!(both(WasmValue::F32(0xffc0_0000)), "-nan:0x400000 f32:-nan:0x400000");
        assert_eq!(both(WasmValue::F64(1.5f64.to_bits())), "1.5 f64:1.5");
        let vector = "i32x4:0x00000001,0x00000000,0x00000000,0x00000000";
        assert_eq!(both(WasmValue::V128(1u128.to_le_bytes())), format!("{vector} {vector}"));
        assert_eq!(both(WasmValue::Reference("null".to_string())), "null null");
    }
}
