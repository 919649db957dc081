//! WebAssembly values on the command line: arguments in, results out.

use forkpoint_traces::ValueType;
use wasmparser::ValType;

pub use forkpoint_traces::WasmValue;

/// The number in the words of a reference that a host gives: `extern 5`.
pub(crate) fn host_value(text: &str, kind: &str) -> Option<u32> {
    text.strip_prefix(kind)?.strip_prefix(' ')?.parse().ok()
}

/// Most parameters or results of a function of the host's that an engine is given.
const MOST_TYPES: usize = 255;

/// A function of the host's that an engine is given as a value: its number among what the guest can call, and its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostFunctionValue {
    pub(crate) number: u32,
    pub(crate) parameters: Vec<ValueType>,
    pub(crate) results: Vec<ValueType>,
}

impl HostFunctionValue {
    /// As a reference in words: `function 7 i32,f64:i32`.
    pub(crate) fn word(&self) -> WasmValue {
        let types = |types: &[ValueType]| types.iter().map(ValueType::to_string).collect::<Vec<_>>().join(",");
        WasmValue::Reference(format!("function {} {}:{}", self.number, types(&self.parameters), types(&self.results)))
    }

    /// The inverse; `None` for other words.
    pub(crate) fn read(text: &str) -> Option<HostFunctionValue> {
        let (number, types) = text.strip_prefix("function ")?.split_once(' ')?;
        let (parameters, results) = types.split_once(':')?;
        let read = |types: &str| match types {
            "" => Some(Vec::new()),
            types => types.split(',').take(MOST_TYPES + 1).map(number_type).collect(),
        };
        let (parameters, results): (Vec<_>, Vec<_>) = (read(parameters)?, read(results)?);
        let fits = parameters.len() <= MOST_TYPES && results.len() <= MOST_TYPES;
        fits.then_some(HostFunctionValue { number: number.parse().ok()?, parameters, results })
    }
}

fn number_type(word: &str) -> Option<ValueType> {
    [ValueType::I32, ValueType::I64, ValueType::F32, ValueType::F64].into_iter().find(|ty| ty.to_string() == word)
}

/// Why an argument is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a value of type {ty}: {hint}")]
pub struct ValueError {
    text: String,
    ty: String,
    hint: &'static str,
}

const INTEGER: &str = "write it in decimal or as 0x..., signed or unsigned";
const FLOAT: &str = "write a decimal number, inf, -inf, nan or nan:0x... with the payload";
const VECTOR: &str = "write i8x16:, i16x8:, i32x4:, i64x2:, f32x4: or f64x2: and that many lanes with commas between";

/// Parses `text` as a value of type `ty`.
///
/// # Errors
/// When it is not one, with what is expected.
pub fn parse_value(text: &str, ty: ValType) -> Result<WasmValue, ValueError> {
    let fail = |hint| ValueError { text: text.to_string(), ty: ty.to_string(), hint };
    match ty {
        ValType::I32 => integer(text, 32).map(|value| WasmValue::I32(value as i32)).ok_or(fail(INTEGER)),
        ValType::I64 => integer(text, 64).map(|value| WasmValue::I64(value as i64)).ok_or(fail(INTEGER)),
        ValType::F32 => f32_bits(text).map(WasmValue::F32).ok_or(fail(FLOAT)),
        ValType::F64 => f64_bits(text).map(WasmValue::F64).ok_or(fail(FLOAT)),
        ValType::V128 => vector(text).map(WasmValue::V128).ok_or(fail(VECTOR)),
        ValType::Ref(_) if text == "null" => Ok(WasmValue::Reference("null".to_string())),
        ValType::Ref(_) => Err(fail("only `null` can be given for a reference")),
    }
}

/// An integer of this many bits, signed or unsigned, as its low bits.
fn integer(text: &str, bits: u32) -> Option<u64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let digits = digits.replace('_', "");
    let magnitude = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(hex) if hex.starts_with(['+', '-']) => return None,
        Some(hex) => u64::from_str_radix(hex, 16).ok()?,
        None if digits.starts_with(['+', '-']) => return None,
        None => digits.parse().ok()?,
    };
    let (most, least) = (u64::MAX >> (64 - bits), 1u64 << (bits - 1));
    match negative {
        false if magnitude <= most => Some(magnitude),
        true if magnitude <= least => Some(magnitude.wrapping_neg() & most),
        _ => None,
    }
}

/// Sign and payload of `nan`, `-nan:0x1`; `Some(None)` is the canonical payload.
fn nan(text: &str) -> Option<(bool, Option<u64>)> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(text) => (true, text),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    match text.strip_prefix("nan")? {
        "" => Some((negative, None)),
        payload => Some((negative, Some(u64::from_str_radix(payload.strip_prefix(":0x")?, 16).ok()?))),
    }
}

fn f32_bits(text: &str) -> Option<u32> {
    if let Some((negative, payload)) = nan(text) {
        let payload = payload.unwrap_or(1 << 22);
        let bits = u32::try_from(payload).ok().filter(|bits| (1..1 << 23).contains(bits))?;
        return Some(u32::from(negative) << 31 | 0x7f80_0000 | bits);
    }
    text.parse::<f32>().ok().map(f32::to_bits)
}

fn f64_bits(text: &str) -> Option<u64> {
    if let Some((negative, payload)) = nan(text) {
        let bits = Some(payload.unwrap_or(1 << 51)).filter(|bits| (1..1 << 52).contains(bits))?;
        return Some(u64::from(negative) << 63 | 0x7ff0_0000_0000_0000 | bits);
    }
    text.parse::<f64>().ok().map(f64::to_bits)
}

fn vector(text: &str) -> Option<[u8; 16]> {
    let (shape, lanes) = text.split_once(':')?;
    let lane = |width: usize, parse: &dyn Fn(&str) -> Option<u64>| -> Option<[u8; 16]> {
        let mut bytes = [0; 16];
        let lanes: Vec<&str> = lanes.split(',').collect();
        if lanes.len() != 16 / width {
            return None;
        }
        for (out, lane) in bytes.chunks_exact_mut(width).zip(lanes) {
            out.copy_from_slice(&parse(lane.trim())?.to_le_bytes()[..width]);
        }
        Some(bytes)
    };
    match shape {
        "i8x16" => lane(1, &|text| integer(text, 8)),
        "i16x8" => lane(2, &|text| integer(text, 16)),
        "i32x4" => lane(4, &|text| integer(text, 32)),
        "i64x2" => lane(8, &|text| integer(text, 64)),
        "f32x4" => lane(4, &|text| f32_bits(text).map(u64::from)),
        "f64x2" => lane(8, &f64_bits),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_read_back_as_they_are_written() {
        for (text, ty) in [
            ("-1", ValType::I32),
            ("2147483647", ValType::I32),
            ("-9223372036854775808", ValType::I64),
            ("1.5", ValType::F32),
            ("inf", ValType::F64),
            ("-inf", ValType::F32),
            ("nan:0x1", ValType::F32),
            ("-nan:0x8000000000001", ValType::F64),
            ("i32x4:0x00000001,0x00000002,0x00000003,0xffffffff", ValType::V128),
        ] {
            assert_eq!(parse_value(text, ty).expect(text).to_string(), text);
        }
    }

    #[test]
    fn signed_unsigned_and_hexadecimal_mean_the_same_bits() {
        for text in ["-1", "4294967295", "0xffffffff", "0xFFFF_FFFF"] {
            assert_eq!(parse_value(text, ValType::I32), Ok(WasmValue::I32(-1)));
        }
        assert_eq!(
            parse_value("i8x16:-1,0,0,0,0,0,0,0,0,0,0,0,0,0,0,255", ValType::V128),
            Ok(WasmValue::V128([255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255]))
        );
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for (text, ty) in [
            ("4294967296", ValType::I32),
            ("-2147483649", ValType::I32),
            ("0x-1", ValType::I32),
            ("--1", ValType::I32),
            ("", ValType::I64),
            ("nan:0x0", ValType::F32),
            ("nan:0x800000", ValType::F32),
            ("i32x4:1,2,3", ValType::V128),
            ("i32x4:1,2,3,4,5", ValType::V128),
            ("i31x4:1,2,3,4", ValType::V128),
        ] {
            assert!(parse_value(text, ty).is_err(), "{text}");
        }
    }
}
