//! Integers and floats as text. Millions of them are printed in a row, so nothing here allocates.

use super::TypedValue;
use forkpoint_traces::{ValueType, WasmValue};
use std::fmt;
use std::io::Write;

/// Magnitudes outside of these get an exponent, since long rows of zeros are unreadable.
const PLAIN: std::ops::Range<f64> = 1e-5..1e16;

/// What the bytes of a number mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumberType {
    /// An integer of 1, 2, 4 or 8 bytes.
    Integer(u8),
    /// `f32`.
    F32,
    /// `f64`.
    F64,
}

impl NumberType {
    /// That of `width` bytes which hold a value of this type; an integer may have fewer bytes than its type. `None` where
    /// no number has so many.
    pub fn of(ty: ValueType, width: usize) -> Option<NumberType> {
        match (ty, width) {
            (ValueType::I32 | ValueType::I64, 1 | 2 | 4 | 8) => Some(NumberType::Integer(width as u8)),
            (ValueType::F32, 4) => Some(NumberType::F32),
            (ValueType::F64, 8) => Some(NumberType::F64),
            _ => None,
        }
    }

    /// Its name: `i8`, `f32`.
    pub fn name(self) -> &'static str {
        match self {
            NumberType::Integer(1) => "i8",
            NumberType::Integer(2) => "i16",
            NumberType::Integer(4) => "i32",
            NumberType::Integer(_) => "i64",
            NumberType::F32 => "f32",
            NumberType::F64 => "f64",
        }
    }

    /// The number that `bytes`, as many as the type has, are in memory order.
    pub(crate) fn number(self, bytes: &[u8]) -> Number {
        let mut word = [0; 8];
        word.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        Number { ty: self, bits: u64::from_le_bytes(word) }
    }
}

/// A number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Number {
    /// What its bits mean.
    pub ty: NumberType,
    /// Its bits; those beyond its width are 0.
    pub bits: u64,
}

impl Number {
    /// An integer with its sign.
    fn signed(self, width: u8) -> i64 {
        let unused = 64 - 8 * u32::from(width.clamp(1, 8));
        (self.bits << unused) as i64 >> unused
    }

    /// For a negative integer: the same bits without a sign.
    pub fn unsigned(self) -> Option<u64> {
        match self.ty {
            NumberType::Integer(width) if self.signed(width) < 0 => Some(self.bits),
            _ => None,
        }
    }

    /// Appends it as the text format spells it, an integer with its sign.
    pub fn write(self, out: &mut Vec<u8>) {
        match self.ty {
            NumberType::Integer(width) => {
                let value = self.signed(width);
                out.extend_from_slice(if value < 0 { b"-" } else { b"" });
                out.extend_from_slice(decimal(value.unsigned_abs(), &mut [0; 20]));
            }
            _ => write!(out, "{self}").expect("a vector takes all"),
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ty {
            NumberType::Integer(width) => write!(f, "{}", self.signed(width)),
            NumberType::F32 => {
                let value = f32::from_bits(self.bits as u32);
                // Not as a double: 0.1 would get digits that the single does not have.
                if has_exponent(value.into()) {
                    write!(f, "{value:e}")
                } else {
                    WasmValue::F32(self.bits as u32).fmt(f)
                }
            }
            NumberType::F64 => {
                let value = f64::from_bits(self.bits);
                if has_exponent(value) { write!(f, "{value:e}") } else { WasmValue::F64(self.bits).fmt(f) }
            }
        }
    }
}

impl From<Number> for TypedValue {
    fn from(number: Number) -> TypedValue {
        let unsigned = number.unsigned().map(|value| value.to_string());
        TypedValue { ty: number.ty.name(), text: number.to_string(), unsigned }
    }
}

fn has_exponent(value: f64) -> bool {
    value.is_finite() && value != 0.0 && !PLAIN.contains(&value.abs())
}

/// A number in decimal digits.
pub fn decimal(mut number: u64, digits: &mut [u8; 20]) -> &[u8] {
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return &digits[start..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_those_of_the_library() {
        let powers = (0..64).flat_map(|shift| [1u64 << shift, (1 << shift) - 1, u64::MAX >> shift]);
        for number in powers.chain((0..20).map(|power| 10u64.pow(power))).chain([0, 9, 10, 99, 100]) {
            assert_eq!(decimal(number, &mut [0; 20]), number.to_string().as_bytes());
        }
    }

    #[test]
    fn what_is_appended_is_what_is_shown() {
        let types = [1, 2, 4, 8].map(NumberType::Integer).into_iter().chain([NumberType::F32, NumberType::F64]);
        for ty in types {
            let width = match ty {
                NumberType::Integer(width) => width,
                NumberType::F32 => 4,
                NumberType::F64 => 8,
            };
            for bits in (0..64).flat_map(|shift| [u64::MAX >> shift, 1 << shift, 0x9e37_79b9_7f4a_7c15 >> shift]) {
                let number = ty.number(&bits.to_le_bytes()[..width.into()]);
                let mut out = Vec::new();
                number.write(&mut out);
                assert_eq!(out, number.to_string().as_bytes());
            }
        }
    }
}
