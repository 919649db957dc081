//! Bytes in hexadecimal.

use serde::{Serialize, Serializer};
use std::fmt;

/// Most bytes that a line for people shows.
const SHOWN_BYTES: usize = 16;

/// Bytes printed as hexadecimal digits: `{}` prints all of them without spaces, for programs; `{:#}` prints the first
/// sixteen with spaces between them, for people. They serialize as the former.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hex<B>(pub B);

impl<B: AsRef<[u8]>> fmt::Display for Hex<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.0.as_ref();
        if !f.alternate() {
            return bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"));
        }
        for (i, byte) in bytes.iter().take(SHOWN_BYTES).enumerate() {
            write!(f, "{}{byte:02x}", if i == 0 { "" } else { " " })?;
        }
        f.write_str(if bytes.len() > SHOWN_BYTES { " .." } else { "" })
    }
}

impl<B: AsRef<[u8]>> Serialize for Hex<B> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_get_spaces_and_sixteen_bytes() {
        assert_eq!(Hex([0, 0xab]).to_string(), "00ab");
        assert_eq!(format!("{:#}", Hex([0, 0xab])), "00 ab");
        assert_eq!(format!("{:#}{}", Hex([]), Hex(vec![])), "");
        assert_eq!(format!("{:#}", Hex([0x11; 16])), ["11"; 16].join(" "));
        assert_eq!(format!("{:#}", Hex([0x11; 17])), format!("{} ..", ["11"; 16].join(" ")));
        assert_eq!(Hex([0x11; 17]).to_string(), "11".repeat(17));
    }
}
