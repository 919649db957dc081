//! Bytes that stand for others.

use std::fmt;

/// How bytes are replaced. Their number stays, and zeros stay zeros, since they end strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strength {
    /// All by the same byte.
    Blank,
    /// By their kind: small and capital letters, digits, bytes beyond ASCII. The rest stays, so numbers stay numbers, and lines
    /// lines.
    Shape,
}

impl Strength {
    /// Replaces bytes.
    pub(super) fn replace(self, bytes: &mut [u8]) {
        for byte in bytes {
            *byte = match (self, *byte) {
                (_, 0) => 0,
                (Strength::Blank, _) | (Strength::Shape, b'a'..=b'z') => b'x',
                (Strength::Shape, b'A'..=b'Z') => b'X',
                (Strength::Shape, b'0'..=b'9') => b'1',
                (Strength::Shape, 0x80..) => 0x80,
                (Strength::Shape, other) => other,
            };
        }
    }

    /// The same for text.
    pub(super) fn text(self, text: &str) -> String {
        let mut bytes = text.as_bytes().to_vec();
        self.replace(&mut bytes);
        // What stood for more than one byte is no character any more.
        bytes.iter().map(|byte| if byte.is_ascii() { char::from(*byte) } else { 'x' }).collect()
    }
}

impl fmt::Display for Strength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Strength::Blank => "every byte is `x`",
            Strength::Shape => "letters are `x`, digits `1`, and what lies between them stays",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_secret_stays() {
        assert_eq!(Strength::Blank.text("KEY=p4ss wörd"), "x".repeat(14));
        assert_eq!(Strength::Shape.text("KEY=p4ss-wörd\n"), "XXX=x1xx-xxxxx\n");
        let mut bytes = *b"ab\0c1";
        Strength::Blank.replace(&mut bytes);
        assert_eq!(&bytes, b"xx\0xx");
    }
}
