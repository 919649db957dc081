//! Printing: numbers for people, JSON for programs, quiet when the reader has gone.

use forkpoint_replay::is_active;
use std::io::{self, Write};

/// Whether an error only says that whoever read our output stopped reading.
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .any(|cause| cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe))
}

/// Writes text to standard output. A reader that has gone is no error: the answer, and with it the exit code,
/// does not depend on who reads it.
pub fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Writes a value as indented JSON.
pub fn print_json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    print(&(harmless(serde_json::to_string_pretty(value)?) + "\n"))
}

/// A value as JSON on one line, without the line end.
pub fn json_line(value: &impl serde::Serialize) -> serde_json::Result<String> {
    Ok(harmless(serde_json::to_string(value)?))
}

/// JSON in which no character of a stranger's acts on a terminal. Beyond ASCII they stand in strings only, where an escape
/// is the same text to every reader of JSON.
fn harmless(json: String) -> String {
    if !json.chars().any(|c| c != '\n' && is_active(c)) {
        return json;
    }
    let mut out = String::with_capacity(json.len() + 64);
    for c in json.chars() {
        if c == '\n' || !is_active(c) {
            out.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            out.push_str(&format!("\\u{unit:04x}"));
        }
    }
    out
}

/// A number with a comma at every third digit.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A length in bytes with a fitting unit.
pub fn bytes(length: u64) -> String {
    const UNITS: &[(&str, u64)] = &[("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match UNITS.iter().find(|(_, size)| length >= *size) {
        Some((unit, size)) => format!("{:.1} {unit}", length as f64 / *size as f64),
        None => format!("{length} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_the_same_text_without_what_acts_on_a_terminal() {
        let hostile = "a\x1b[2J\x7f\u{9b}31m\u{202e}\u{2066}\u{e0041}\n\t größe 数";
        let line = json_line(&hostile).expect("a string");
        assert!(!line.chars().any(is_active), "{line:?}");
        assert!(line.contains("größe 数") && line.contains("\\u009b"), "{line}");
        assert_eq!(serde_json::from_str::<String>(&line).expect("JSON"), hostile);
    }

    #[test]
    fn numbers_are_grouped_by_three() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn lengths_have_a_unit() {
        assert_eq!([12, 2048, 3 << 20].map(bytes), ["12 bytes", "2.0 KiB", "3.0 MiB"]);
    }
}
