//! How many bytes a line of the memory view holds, and each one's column.
//!
//! ```text
//! a4f0 2a 00 00*07!08 00 00 00 ........
//! |   |  |                     |
//! |   |  one column for a mark, two for the byte
//! |   first byte                the same bytes as text, where there is room
//! address, with as many digits as the memory needs
//! ```

/// The columns of a memory view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HexShape {
    /// Digits of an address.
    pub(crate) digits: u16,
    /// Bytes in a line: a power of two.
    pub(crate) per_line: u16,
    /// Column of the first byte as text, if there is room.
    pub(crate) text: Option<u16>,
}

impl HexShape {
    /// For a memory of `size` bytes in `width` columns.
    pub(crate) fn new(size: u64, width: u16) -> HexShape {
        let bits = 64 - size.saturating_sub(1).leading_zeros() as u16;
        let digits = bits.div_ceil(4).max(4);
        let room = width.saturating_sub(digits);
        let per_line = [16, 8, 4, 2].into_iter().find(|bytes| room >= 3 * bytes).unwrap_or(1);
        let used = 3 * per_line;
        // The blank before the text is given up first.
        let text = (room >= used + per_line).then(|| digits + used + u16::from(room > used + per_line));
        HexShape { digits, per_line, text }
    }

    /// Column of the mark before byte `i` of a line.
    pub(crate) fn column(self, i: u16) -> u16 {
        self.digits + 3 * i
    }

    /// The byte of a line at a column.
    pub(crate) fn byte_at(self, column: u16) -> Option<u64> {
        let text = self.text.and_then(|text| column.checked_sub(text)).filter(|i| *i < self.per_line);
        let hex = column.checked_sub(self.digits).map(|column| column / 3).filter(|i| *i < self.per_line);
        text.or(hex).map(u64::from)
    }

    /// The address of the line that holds `address`.
    pub(crate) fn line_of(self, address: u64) -> u64 {
        address - address % u64::from(self.per_line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fits_eighty_columns_with_two_sides() {
        // 40 columns each, less the one between panes.
        assert_eq!(HexShape::new(65536, 39), HexShape { digits: 4, per_line: 8, text: Some(29) });
        assert_eq!(HexShape::new(16 << 20, 39), HexShape { digits: 6, per_line: 8, text: Some(31) });
        assert_eq!(HexShape::new(26 << 20, 39), HexShape { digits: 7, per_line: 8, text: Some(31) });
        assert_eq!(HexShape::new(4 << 30, 39), HexShape { digits: 8, per_line: 8, text: None });
        assert_eq!(HexShape::new(4 << 30, 79), HexShape { digits: 8, per_line: 16, text: Some(57) });
        assert_eq!(HexShape::new(0, 0).per_line, 1);
        assert_eq!(HexShape::new(u64::MAX, 20).digits, 16);
    }

    #[test]
    fn columns_and_bytes_agree() {
        for width in 8..100 {
            let shape = HexShape::new(1 << 20, width);
            for i in 0..shape.per_line {
                assert_eq!(shape.byte_at(shape.column(i) + 2), Some(i.into()));
                if let Some(text) = shape.text {
                    assert_eq!(shape.byte_at(text + i), Some(i.into()));
                }
            }
            assert_eq!(shape.byte_at(0), None);
        }
    }
}
