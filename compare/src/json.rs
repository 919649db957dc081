//! JSON in which no character of hostile text acts on a terminal.

use forkpoint_replay::is_active;
use serde::Serialize;

/// A value as JSON on one line, without the line end.
///
/// # Errors
/// Those of the value's own serialization.
pub fn json_line(value: &impl Serialize) -> serde_json::Result<String> {
    Ok(escaped(serde_json::to_string(value)?))
}

/// A value as indented JSON, without the final line end.
///
/// # Errors
/// Those of the value's own serialization.
pub fn json_indented(value: &impl Serialize) -> serde_json::Result<String> {
    Ok(escaped(serde_json::to_string_pretty(value)?))
}

/// Characters beyond ASCII occur in strings only, where an escape means the same to every JSON parser.
fn escaped(json: String) -> String {
    let acts = |c: char| c != '\n' && is_active(c);
    if !json.chars().any(acts) {
        return json;
    }
    let mut out = String::with_capacity(json.len() + 64);
    for c in json.chars() {
        if !acts(c) {
            out.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            out.push_str(&format!("\\u{unit:04x}"));
        }
    }
    out
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
}
