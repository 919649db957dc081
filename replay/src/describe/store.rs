//! Stores as text, many in a row: what all stores of a site have in common is looked up once.

use super::memory_name;
use crate::symbols::Symbols;
use crate::typed::{Number, NumberType};
use forkpoint_traces::{Shape, Site, ValueType};

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// The text of the stores of one site: that of [`describe`](crate::describe), written piece by piece.
#[derive(Debug, Clone)]
pub struct StoreText {
    front: String,
    ty: NumberType,
    width: u8,
}

impl StoreText {
    /// For the stores of a site that store a number; `None` for all other sites.
    pub fn new(site: &Site, symbols: &Symbols) -> Option<StoreText> {
        let (ty, width) = match site.op.shape() {
            Shape::Store { ty, width } | Shape::Rmw { ty, width, .. } if ty != ValueType::V128 => (ty, width),
            _ => return None,
        };
        let front = format!("{} {}[", site.op.mnemonic(), memory_name(site.memory, symbols));
        Some(StoreText { front, ty: NumberType::of(ty, width.into())?, width })
    }

    /// Bytes that each store writes.
    pub fn width(&self) -> u8 {
        self.width
    }

    /// The text before the address. It contains names, made safe to print.
    pub fn front(&self) -> &str {
        &self.front
    }

    /// The number that the operand of an event is.
    pub fn number(&self, value: u64) -> Number {
        self.ty.number(&value.to_le_bytes()[..usize::from(self.width.min(8))])
    }

    /// Appends the bytes of a number in memory order, in hexadecimal without spaces.
    pub fn write_hex(&self, number: Number, out: &mut Vec<u8>) {
        let mut text = [0; 16];
        let width = usize::from(self.width.min(8));
        for (digits, byte) in text.chunks_exact_mut(2).zip(number.bits.to_le_bytes()) {
            digits.copy_from_slice(&hex_byte(byte));
        }
        out.extend_from_slice(&text[..2 * width]);
    }

    /// Appends the text from the address on.
    pub fn write(&self, address: u64, number: Number, out: &mut Vec<u8>) {
        let mut text = [0; 18 + 5 + 24 + 2];
        let mut length = hex_address(address, &mut text);
        let mut put = |bytes: &[u8]| {
            text[length..length + bytes.len()].copy_from_slice(bytes);
            length += bytes.len();
        };
        put(b"] <-");
        for byte in &number.bits.to_le_bytes()[..usize::from(self.width.min(8))] {
            let [high, low] = hex_byte(*byte);
            put(&[b' ', high, low]);
        }
        put(b" = ");
        out.extend_from_slice(&text[..length]);
        out.extend_from_slice(number.ty.name().as_bytes());
        out.extend_from_slice(b" ");
        number.write(out);
        if let Some(unsigned) = number.unsigned() {
            out.extend_from_slice(b" (unsigned ");
            out.extend_from_slice(crate::typed::decimal(unsigned, &mut [0; 20]));
            out.extend_from_slice(b")");
        }
    }
}

fn hex_byte(byte: u8) -> [u8; 2] {
    [byte >> 4, byte & 15].map(|digit| DIGITS[usize::from(digit)])
}

/// Writes an address with at least eight digits; returns the length.
fn hex_address(address: u64, text: &mut [u8]) -> usize {
    let digits = if address >> 32 == 0 { 8 } else { 16 - address.leading_zeros() as usize / 4 };
    text[..2].copy_from_slice(b"0x");
    for (i, digit) in text[2..2 + digits].iter_mut().enumerate() {
        *digit = DIGITS[(address >> (4 * (digits - 1 - i))) as usize & 15];
    }
    2 + digits
}
