//! Parsing what people type: positions, addresses, search texts.

use crate::traces::Query;
use forkpoint_traces::Position;

/// A position as typed: `#1234`, `1234`, `1_234`, `0x4d2`, `+10` and `-10` relative to the row shown, `50%` of the
/// trace. `here` and `count` are the row shown and the number of rows.
pub(crate) fn position(text: &str, here: u64, count: u64) -> Result<GoTo, String> {
    let text = text.trim();
    let wrong = || format!("`{text}` is not a position: expected #1234, 1234, 0x4d2, +10, -10 or 50%");
    if let Some(percent) = text.strip_suffix('%') {
        let percent: u64 = percent.trim().parse().map_err(|_| wrong())?;
        let row = u128::from(count.saturating_sub(1)) * u128::from(percent.min(100)) / 100;
        return Ok(GoTo::Row(row as u64));
    }
    if let Some(on) = text.strip_prefix('+') {
        return Ok(GoTo::Row(here.saturating_add(number(on).ok_or_else(wrong)?)));
    }
    if let Some(back) = text.strip_prefix('-') {
        return Ok(GoTo::Row(here.saturating_sub(number(back).ok_or_else(wrong)?)));
    }
    number(text.strip_prefix('#').unwrap_or(text)).map(|number| GoTo::Position(Position(number))).ok_or_else(wrong)
}

/// Where to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GoTo {
    /// A row of the screen.
    Row(u64),
    /// A position of the side with the focus.
    Position(Position),
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
    from_hex(digits.strip_prefix("0x").unwrap_or(&digits))
        .ok_or_else(|| format!("`{text}` is not an address: expected hexadecimal digits such as a4f0 or 0xa4f0"))
}

/// A search text.
pub(crate) fn search(text: &str) -> Result<Query, String> {
    let text = text.trim();
    match text.strip_prefix('@') {
        Some(digits) => address(digits).map(Query::Address),
        None if text.is_empty() => Err("nothing to search for".to_string()),
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
        for wrong in ["", "#", "x", "0x", "0x+1", "1.5", "--1", "99999999999999999999"] {
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
    fn searches() {
        assert_eq!(search("@10"), Ok(Query::Address(16)));
        assert_eq!(search("I32.Store "), Ok(Query::Text("i32.store".to_string())));
        assert!(search(" ").is_err());
    }
}
