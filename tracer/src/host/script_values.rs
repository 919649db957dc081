//! Values between the engine's process and a host script: type and text, since JSON has no 64-bit integers and no NaNs.

use crate::host::function::ResultType;
use crate::values::WasmValue;
use forkpoint_traces::Hex;

/// Type, and integer in decimal, bits of a float in decimal, bytes of a vector in hexadecimal, or `null`.
pub(crate) type Typed = (String, String);

/// The driver's name of a type.
pub(crate) fn kind(ty: ResultType) -> &'static str {
    match ty {
        ResultType::I32 => "i32",
        ResultType::I64 => "i64",
        ResultType::F32 => "f32",
        ResultType::F64 => "f64",
        ResultType::V128 => "v128",
        ResultType::Nullable | ResultType::Extern | ResultType::Reference => "ref",
    }
}

/// A value for the driver.
pub(crate) fn write_value(value: &WasmValue) -> Typed {
    let (ty, text) = match value {
        WasmValue::I32(value) => ("i32", value.to_string()),
        WasmValue::I64(value) => ("i64", value.to_string()),
        WasmValue::F32(bits) => ("f32", bits.to_string()),
        WasmValue::F64(bits) => ("f64", bits.to_string()),
        WasmValue::V128(bytes) => ("v128", Hex(bytes).to_string()),
        WasmValue::Reference(word) => ("ref", word.clone()),
    };
    (ty.to_string(), text)
}

/// The driver's value, if it has this type.
pub(crate) fn read_value((ty, text): &Typed, expected: ResultType) -> Option<WasmValue> {
    if ty != kind(expected) {
        return None;
    }
    Some(match expected {
        ResultType::I32 => WasmValue::I32(text.parse().ok()?),
        ResultType::I64 => WasmValue::I64(text.parse().ok()?),
        ResultType::F32 => WasmValue::F32(text.parse().ok()?),
        ResultType::F64 => WasmValue::F64(text.parse().ok()?),
        ResultType::V128 => {
            let number = u128::from_str_radix(text, 16).ok().filter(|_| text.len() == 32)?;
            WasmValue::V128(number.to_be_bytes())
        }
        ResultType::Nullable | ResultType::Extern => WasmValue::Reference((text == "null").then(|| text.clone())?),
        ResultType::Reference => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_as_they_went() {
        let values = [
            (WasmValue::I32(-1), ResultType::I32),
            (WasmValue::I64(i64::MIN), ResultType::I64),
            (WasmValue::F32(0x7fa0_0001), ResultType::F32),
            (WasmValue::F64(0xfff8_0000_0000_0001), ResultType::F64),
            (WasmValue::V128([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 255]), ResultType::V128),
            (WasmValue::Reference("null".to_string()), ResultType::Nullable),
        ];
        for (value, ty) in &values {
            assert_eq!(read_value(&write_value(value), *ty).as_ref(), Some(value));
            assert_eq!(read_value(&("i16".to_string(), "1".to_string()), *ty), None);
            assert_eq!(read_value(&(kind(*ty).to_string(), "x".to_string()), *ty), None);
        }
    }
}
