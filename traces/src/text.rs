//! Strangers' text made safe to show: no control character, no text that runs backwards, no endless name.

use std::borrow::Cow;
use std::fmt::Write;

/// Most characters of a name that are shown.
pub const MAX_NAME: usize = 200;

/// `text` with everything that would act on a terminal instead of being seen (control characters, directional
/// overrides, invisible format characters, unusual line ends) written as `\u{..}`.
pub fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_active(c) {
            write!(out, "\\u{{{:x}}}", u32::from(c)).expect("writing to a String cannot fail");
        } else {
            out.push(c);
        }
    }
    out
}

/// [`printable`] for text of several lines: line ends stay.
pub fn printable_lines(text: &str) -> String {
    text.lines().map(printable).collect::<Vec<_>>().join("\n")
}

/// What a program prints, escaped so that only line ends and tabs act on a terminal. What is not UTF-8 becomes
/// U+FFFD.
pub fn printable_output(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for c in String::from_utf8_lossy(bytes).chars() {
        match c {
            '\n' | '\t' => text.push(c),
            c => text.push_str(&printable(c.encode_utf8(&mut [0; 4]))),
        }
    }
    text
}

/// [`printable`], and no longer than [`MAX_NAME`] characters before escaping.
pub fn printable_name(text: &str) -> String {
    printable(&clip(text, MAX_NAME))
}

/// The first `most` characters of `text`; if there are more, an ellipsis replaces the last of them.
pub fn clip(text: &str, most: usize) -> Cow<'_, str> {
    match text.char_indices().nth(most) {
        None => Cow::Borrowed(text),
        Some(_) => {
            let kept: String = text.chars().take(most.saturating_sub(1)).collect();
            Cow::Owned(kept + "…")
        }
    }
}

/// Whether a character acts on the display instead of appearing on it.
pub fn is_active(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180e}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_on_a_terminal_is_escaped_and_the_rest_kept() {
        assert_eq!(printable("std::vec::Vec<T>"), "std::vec::Vec<T>");
        assert_eq!(printable("größe 数"), "größe 数");
        assert_eq!(printable("a\x1b[2Jb\r\n"), "a\\u{1b}[2Jb\\u{d}\\u{a}");
        assert_eq!(printable_lines("a\x1b\r\nb\rc\n"), "a\\u{1b}\nb\\u{d}c");
        assert_eq!(printable_output(b"a\tb\n\x1b[2J\r\xff"), "a\tb\n\\u{1b}[2J\\u{d}\u{fffd}");
        assert_eq!(printable("x\u{202e}y\u{9b}z\u{e0041}"), "x\\u{202e}y\\u{9b}z\\u{e0041}");
    }

    #[test]
    fn long_names_are_cut_at_a_character() {
        assert_eq!(clip("ääää", 4), "ääää");
        assert_eq!(clip("äääää", 4), "äää…");
        assert_eq!(printable_name(&"x".repeat(100_000)).chars().count(), MAX_NAME);
    }
}
