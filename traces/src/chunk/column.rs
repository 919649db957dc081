//! A column while it is written.
//!
//! Most columns get a few bytes per event. Appending them one by one, each with a check of the capacity, took a fifth of
//! the recorder's time on values that nothing foresees; here the room is checked once, and what is appended is written as
//! one word of which only the first bytes count.

use super::group::Grouping;
use crate::site::Layout;
use std::ops::{Index, IndexMut};

/// Room that is kept free: as much as one append writes.
const SPARE: usize = 16;

/// The columns of one chunk.
#[derive(Debug, Default)]
pub(crate) struct Columns {
    columns: [Column; super::COLUMNS],
    /// What brings grouped values in order.
    pub(super) grouping: Grouping,
}

impl Columns {
    pub(super) fn iter(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter()
    }

    /// Brings the grouped values in order.
    pub(super) fn group(&mut self, layouts: &[Layout]) {
        let [.., groups, grouped] = &mut self.columns;
        self.grouping.sort(layouts, groups, grouped);
    }

    /// Empties them, and keeps the room.
    pub(super) fn clear(&mut self) {
        self.columns.iter_mut().for_each(Column::clear);
    }
}

impl Index<usize> for Columns {
    type Output = Column;

    fn index(&self, column: usize) -> &Column {
        &self.columns[column]
    }
}

impl IndexMut<usize> for Columns {
    #[inline]
    fn index_mut(&mut self, column: usize) -> &mut Column {
        &mut self.columns[column]
    }
}

/// The bytes of a column so far.
#[derive(Debug, Default)]
pub(crate) struct Column {
    /// The column's bytes, then room.
    room: Vec<u8>,
    length: usize,
}

impl Column {
    /// The column.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.room[..self.length]
    }

    /// The same, to be brought into another order.
    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.room[..self.length]
    }

    /// Empties it, and keeps the room.
    pub(super) fn clear(&mut self) {
        self.length = 0;
    }

    #[inline]
    fn spare(&mut self) -> &mut [u8; SPARE] {
        if self.room.len() - self.length < SPARE {
            self.grow(SPARE);
        }
        let spare = self.room[self.length..].first_chunk_mut();
        spare.expect("there is at least as much room, or it was just made")
    }

    #[cold]
    fn grow(&mut self, more: usize) {
        let length = (2 * self.room.len()).max(self.length + more).max(4096);
        self.room.resize(length, 0);
    }

    /// Appends a byte.
    #[inline]
    pub(super) fn byte(&mut self, byte: u8) {
        self.spare()[0] = byte;
        self.length += 1;
    }

    /// Appends the first `width` bytes of `value`, at most 8.
    #[inline(always)]
    pub(super) fn value(&mut self, value: u64, width: u8) {
        self.spare()[..8].copy_from_slice(&value.to_le_bytes());
        self.length += usize::from(width.min(8));
    }

    /// Appends `value` as unsigned LEB128. Without a branch on its length, which nothing foresees.
    #[inline]
    pub(super) fn varint(&mut self, value: u64) {
        if value >= 1 << 28 {
            return self.long_varint(value);
        }
        // Groups of seven bits, each in its own byte. All but the last one have the eighth bit.
        let groups = value & 0x7f | (value & 0x3f80) << 1 | (value & 0x1f_c000) << 2 | (value & 0xfe0_0000) << 3;
        let more = (70 - (value | 1).leading_zeros()) / 7 - 1;
        self.value(groups | 0x8080_8080 & ((1 << (8 * more)) - 1), more as u8 + 1);
    }

    #[cold]
    fn long_varint(&mut self, mut value: u64) {
        let spare = self.spare();
        let mut length = 0;
        while value >= 0x80 {
            spare[length] = value as u8 | 0x80;
            value >>= 7;
            length += 1;
        }
        spare[length] = value as u8;
        self.length += length + 1;
    }

    /// Appends bytes.
    pub(super) fn extend(&mut self, bytes: &[u8]) {
        if self.room.len() - self.length < bytes.len() {
            self.grow(bytes.len());
        }
        self.room[self.length..self.length + bytes.len()].copy_from_slice(bytes);
        self.length += bytes.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::varint;

    #[test]
    fn integers_of_every_length_are_read_back() {
        let mut column = Column::default();
        let numbers =
            || (0..64).flat_map(|shift| [1u64 << shift, (1 << shift) - 1, u64::MAX << shift, 0x55_5555 << shift]);
        numbers().for_each(|number| column.varint(number));
        let mut rest = column.bytes();
        numbers().for_each(|number| assert_eq!(varint::read(&mut rest), Some(number)));
        assert!(rest.is_empty());
    }

    #[test]
    fn integers_are_as_short_as_those_of_the_plain_way() {
        for number in (0..64).flat_map(|shift| [1u64 << shift, (1 << shift) - 1]) {
            let (mut column, mut plain) = (Column::default(), Vec::new());
            column.varint(number);
            varint::write(&mut plain, number);
            assert_eq!(column.bytes(), plain, "{number:#x}");
        }
    }

    #[test]
    fn values_and_bytes_follow_each_other() {
        let mut column = Column::default();
        for _ in 0..2 {
            column.value(0x0403_0201, 3);
            column.byte(9);
            column.extend(&[7; 5000]);
            assert_eq!(column.bytes()[..5], [1, 2, 3, 9, 7]);
            assert_eq!(column.bytes().len(), 5004);
            column.clear();
        }
    }
}
