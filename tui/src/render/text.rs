//! Texts in columns: their width, and how they are cut to fit. A character may take two columns, or none.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// How many columns a text takes.
pub(super) fn columns(text: &str) -> u16 {
    u16::try_from(text.width()).unwrap_or(u16::MAX)
}

/// A text padded with blanks to a width.
pub(super) fn pad(mut text: String, width: u16) -> String {
    let missing = width.saturating_sub(columns(&text));
    text.extend(std::iter::repeat_n(' ', missing.into()));
    text
}

/// A text cut to a width, with a mark where it was cut.
pub(super) fn fit(text: &str, width: u16) -> String {
    if fits(text, width) {
        return text.to_string();
    }
    let Some(room) = width.checked_sub(1) else { return String::new() };
    let mut taken = 0;
    let mut cut: String = text
        .chars()
        .take_while(|c| {
            taken += c.width().unwrap_or(0);
            taken <= room.into()
        })
        .collect();
    cut.push('…');
    cut
}

/// Whether a text fits into this many columns.
pub(super) fn fits(text: &str, room: u16) -> bool {
    columns(text) <= room
}

/// Removes what can be guessed, so that the value stays in view on 80 columns: leading zeros of addresses, then
/// blanks until the text fits.
pub(super) fn shorten(text: &str, room: u16) -> String {
    let mut short = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("[0x") {
        let (before, address) = rest.split_at(at + 1);
        short.push_str(before);
        let digits = address[2..].trim_start_matches('0');
        if !digits.starts_with(|c: char| c.is_ascii_hexdigit()) {
            short.push('0');
        }
        rest = digits;
    }
    short.push_str(rest);
    if fits(&short, room) {
        return short;
    }
    let Some((target, value)) = short.split_once(" <- ") else { return fit(&short, room) };
    let close = format!("{target}<-{value}");
    if !fits(&close, room) && value.bytes().all(|byte| byte == b' ' || byte.is_ascii_hexdigit()) {
        return fit(&format!("{target}<-{}", value.replace(' ', "")), room);
    }
    fit(&close, room)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_and_zero_width_characters_count_as_they_are_shown() {
        assert_eq!((columns("漢字"), columns("e\u{301}"), columns("\u{200b}"), columns("ab")), (4, 1, 0, 2));
        assert_eq!(fit("漢字漢字", 8), "漢字漢字");
        assert_eq!(fit("漢字漢字", 7), "漢字漢…");
        assert_eq!(fit("漢字漢字", 6), "漢字…", "half a character is not shown");
        assert_eq!(fit("e\u{301}e\u{301}e\u{301}", 2), "e\u{301}…");
        assert_eq!((fit("漢", 1), fit("漢", 0)), ("…".to_string(), String::new()));
        assert_eq!(pad("漢".to_string(), 4), "漢  ");
        assert_eq!(pad("漢字漢".to_string(), 4), "漢字漢");
    }

    #[test]
    fn values_outlive_padding() {
        let store = "i32.store [0x0000a4f0] <- 2a 00 00 00";
        assert!(fits(store, 37) && !fits(store, 36));
        assert_eq!(shorten(store, 32), "i32.store [a4f0] <- 2a 00 00 00");
        assert_eq!(shorten(store, 29), "i32.store [a4f0]<-2a 00 00 00");
        assert_eq!(shorten(store, 26), "i32.store [a4f0]<-2a000000");
        assert_eq!(shorten(store, 10), "i32.store…");
        assert_eq!(shorten("memory.copy [0x00000000; 4] <- [0x00000010]", 30), "memory.copy [0; 4] <- [10]");
        assert_eq!(shorten(store, 0), "");
    }
}
