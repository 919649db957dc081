//! Parsing what people type: positions, addresses, search texts.

use crate::traces::Query;
use forkpoint_replay::{EventFilter, looks_like_filter};
use forkpoint_traces::Position;

/// A position as typed: `#1234`, `1234`, `1_234`, `0x4d2`, `+10` and `-10` relative to the row shown, `50%` or `12.5%` of the
/// trace; what begins otherwise is a function. `here` and `count` are the row shown and the number of rows.
pub(crate) fn position(text: &str, here: u64, count: u64) -> Result<GoTo, String> {
    let text = text.trim();
    let wrong = || format!("`{text}` is not a position: expected #1234, 1234, 0x4d2, +10, -10, 50% or a function");
    if let Some(percent) = text.strip_suffix('%') {
        let millionths = millionths(percent.trim()).ok_or_else(wrong)?.min(100_000_000);
        let row = u128::from(count.saturating_sub(1)) * u128::from(millionths) / 100_000_000;
        return Ok(GoTo::Row(row as u64));
    }
    if let Some(on) = text.strip_prefix('+') {
        return Ok(GoTo::Row(here.saturating_add(number(on).ok_or_else(wrong)?)));
    }
    if let Some(back) = text.strip_prefix('-') {
        return Ok(GoTo::Row(here.saturating_sub(number(back).ok_or_else(wrong)?)));
    }
    // Names of functions may hold all but blanks, and a wrong number is more likely than a name like one.
    if text.starts_with(|c: char| !c.is_ascii_digit() && c != '#') && !text.contains(char::is_whitespace) {
        return Ok(GoTo::Function(text.to_string()));
    }
    number(text.strip_prefix('#').unwrap_or(text)).map(|number| GoTo::Position(Position(number))).ok_or_else(wrong)
}

/// A number with up to six decimals, in millionths.
fn millionths(text: &str) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(part) || part.len() > 6 {
        return None;
    }
    let part: u64 = format!("{part:0<6}").parse().ok()?;
    whole.parse::<u64>().ok()?.checked_mul(1_000_000)?.checked_add(part)
}

/// Where to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum GoTo {
    /// A row of the screen.
    Row(u64),
    /// A position of the side with the focus.
    Position(Position),
    /// The first event of a function.
    Function(String),
}

/// A decimal number, or a hexadecimal one after `0x`; underscores and commas are grouping.
fn number(text: &str) -> Option<u64> {
    let digits: String = text.chars().filter(|c| !matches!(c, '_' | ',')).collect();
    match digits.strip_prefix("0x") {
        Some(hex) => from_hex(hex),
        None if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok(),
        None => None,
    }
}

fn from_hex(digits: &str) -> Option<u64> {
    // `from_str_radix` would take a sign.
    if digits.bytes().all(|byte| byte.is_ascii_hexdigit()) { u64::from_str_radix(digits, 16).ok() } else { None }
}

/// An address: hexadecimal, as the screen shows it, with or without `0x`.
pub(crate) fn address(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let digits: String = text.chars().filter(|c| *c != '_').collect();
    from_hex(digits.strip_prefix("0x").unwrap_or(&digits)).ok_or_else(|| {
        format!("`{text}` is not an address: expected hexadecimal digits such as a4f0 or 0xa4f0, or a variable")
    })
}

/// An expression over events.
pub(crate) fn filter(text: &str) -> Result<EventFilter, String> {
    EventFilter::parse(text).map_err(|error| error.to_string())
}

/// Bytes to look for in memory: a text in quotes, a number with its type, or bytes in hexadecimal.
pub(crate) fn bytes(text: &str) -> Result<Vec<u8>, String> {
    let text = text.trim();
    let wrong =
        || format!("`{text}` is not bytes: expected \"text\", 2a 00 ff, or a number such as i32 42 or f64 0.25");
    if let Some(quoted) = text.strip_prefix('"') {
        let quoted = quoted.strip_suffix('"').unwrap_or(quoted);
        return if quoted.is_empty() { Err(wrong()) } else { Ok(quoted.as_bytes().to_vec()) };
    }
    if let Some((ty, number)) = text.split_once(' ') {
        let number = number.trim();
        let integer = || -> Option<i128> {
            let (digits, sign) = number.strip_prefix('-').map_or((number, 1), |digits| (digits, -1));
            Some(sign * i128::from(self::number(digits)?))
        };
        let low = |width: usize| {
            let limit = 1i128 << (8 * width);
            let value = integer().filter(|value| *value < limit && *value >= -(limit / 2))?;
            Some(value.to_le_bytes()[..width].to_vec())
        };
        let typed = match ty {
            "i8" | "u8" => Some(low(1)),
            "i16" | "u16" => Some(low(2)),
            "i32" | "u32" => Some(low(4)),
            "i64" | "u64" => Some(low(8)),
            "f32" => Some(number.parse::<f32>().ok().map(|value| value.to_le_bytes().to_vec())),
            "f64" => Some(number.parse::<f64>().ok().map(|value| value.to_le_bytes().to_vec())),
            _ => None,
        };
        if let Some(typed) = typed {
            return typed.ok_or_else(wrong);
        }
    }
    let digits: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let even = !digits.is_empty() && digits.len().is_multiple_of(2) && digits.len() <= 2 * 4096;
    if !even || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(wrong());
    }
    let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).ok();
    (0..digits.len()).step_by(2).map(byte).collect::<Option<Vec<u8>>>().ok_or_else(wrong)
}

/// A search text.
pub(crate) fn search(text: &str) -> Result<Query, String> {
    let text = text.trim();
    match text.strip_prefix('@') {
        Some(digits) => address(digits).map(Query::Address),
        None if text.is_empty() => Err("nothing to search for".to_string()),
        None if looks_like_filter(text) => filter(text).map(Query::Filter),
        None => Ok(Query::Text(text.to_lowercase())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions() {
        assert_eq!(position("#1_234", 0, 10), Ok(GoTo::Position(Position(1234))));
        assert_eq!(position(" 0x4d2 ", 0, 10), Ok(GoTo::Position(Position(1234))));
        assert_eq!(position("+5", 7, 10), Ok(GoTo::Row(12)));
        assert_eq!(position("-50", 7, 10), Ok(GoTo::Row(0)));
        assert_eq!(position("50%", 0, 101), Ok(GoTo::Row(50)));
        assert_eq!(position("100%", 0, u64::MAX), Ok(GoTo::Row(u64::MAX - 1)));
        assert_eq!(position("12.5%", 0, 1001), Ok(GoTo::Row(125)));
        assert_eq!(position("99.999999%", 0, 100_000_001), Ok(GoTo::Row(99_999_999)));
        assert_eq!(position("0%", 7, 0), Ok(GoTo::Row(0)));
        assert_eq!(position("$main", 0, 10), Ok(GoTo::Function("$main".to_string())));
        assert_eq!(position("std::fmt", 0, 10), Ok(GoTo::Function("std::fmt".to_string())));
        for wrong in ["x%", ".5%", "5.%", "1.1234567%", "99999999999999999999%"] {
            assert!(position(wrong, 0, 10).is_err(), "{wrong:?}");
        }
        for wrong in ["", "#", "12x", "a b", "0x", "0x+1", "1.5", "--1", "99999999999999999999"] {
            assert!(position(wrong, 0, 10).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn addresses_are_hexadecimal() {
        assert_eq!(address("a4f0"), Ok(0xa4f0));
        assert_eq!(address("0x1000"), Ok(0x1000));
        assert_eq!(address("1000"), Ok(0x1000));
        for wrong in ["", "0x", "+1", "g", "11111111111111111"] {
            assert!(address(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn bytes_are_texts_numbers_or_digits() {
        assert_eq!(bytes("\"ab\""), Ok(b"ab".to_vec()));
        assert_eq!(bytes("2a 00 FF"), Ok(vec![0x2a, 0, 0xff]));
        assert_eq!(bytes("i32 -2"), Ok(vec![0xfe, 0xff, 0xff, 0xff]));
        assert_eq!(bytes("u16 0x1234"), Ok(vec![0x34, 0x12]));
        assert_eq!(bytes("f64 0.25"), Ok(0.25f64.to_le_bytes().to_vec()));
        for wrong in ["", "\"", "2", "i8 300", "i32 x", "f32 y", "zz", "i8 -129"] {
            assert!(bytes(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn searches() {
        assert!(matches!(search("kind == store"), Ok(Query::Filter(_))));
        assert!(search("kind == nothing").is_err());
        assert_eq!(search("@10"), Ok(Query::Address(16)));
        assert_eq!(search("I32.Store "), Ok(Query::Text("i32.store".to_string())));
        assert!(search(" ").is_err());
    }
}
