//! Bytes in hexadecimal.

/// Most bytes of a long write that a line shows.
const SHOWN_BYTES: usize = 16;

/// All of them, for programs.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

/// The first sixteen with spaces between, for people.
pub fn hex_bytes(bytes: &[u8]) -> String {
    let shown = &bytes[..bytes.len().min(SHOWN_BYTES)];
    let mut text = spaced(&hex(shown));
    if bytes.len() > SHOWN_BYTES {
        text.push_str(" ..");
    }
    text
}

/// Spaces between the bytes that [`hex`] has written, sixteen of them at most.
pub fn spaced(hex: &str) -> String {
    let mut text = String::with_capacity(hex.len() * 3 / 2);
    for (i, digit) in hex.chars().take(2 * SHOWN_BYTES).enumerate() {
        if i > 0 && i.is_multiple_of(2) {
            text.push(' ');
        }
        text.push(digit);
    }
    if hex.len() > 2 * SHOWN_BYTES {
        text.push_str(" ..");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_get_spaces_and_sixteen_bytes() {
        assert_eq!(
            (hex(&[0, 0xab]), hex_bytes(&[0, 0xab]), hex_bytes(&[])),
            ("00ab".into(), "00 ab".into(), "".into())
        );
        let long = [0x11; 17];
        assert_eq!(hex_bytes(&long), format!("{} ..", ["11"; 16].join(" ")));
        assert_eq!(spaced(&hex(&long)), hex_bytes(&long));
    }
}
