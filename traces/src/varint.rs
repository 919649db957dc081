//! LEB128 and zigzag, the integers of the event columns.

/// Appends `value` as unsigned LEB128 (at most 10 bytes): the plain way, which tests hold the columns against.
#[cfg(test)]
pub(crate) fn write(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Reads an unsigned LEB128 from the front of `input`; `None` when it is cut off or longer than 64 bits.
#[inline]
pub(crate) fn read(input: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    let mut shift = 0;
    loop {
        let (&byte, rest) = input.split_first()?;
        *input = rest;
        let bits = u64::from(byte & 0x7f);
        if shift == 63 && bits > 1 {
            return None;
        }
        value |= bits << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
        shift += 7;
        if shift > 63 {
            return None;
        }
    }
}

/// Maps small signed differences to small unsigned numbers.
#[inline]
pub(crate) fn zigzag(value: u64) -> u64 {
    let value = value as i64;
    ((value << 1) ^ (value >> 63)) as u64
}

/// Inverse of [`zigzag`].
#[inline]
pub(crate) fn unzigzag(value: u64) -> u64 {
    (value >> 1) ^ (value & 1).wrapping_neg()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_width_survives() {
        for shift in 0..64 {
            for value in [1u64 << shift, (1u64 << shift) - 1, u64::MAX << shift] {
                let mut bytes = Vec::new();
                write(&mut bytes, value);
                let mut input = bytes.as_slice();
                assert_eq!(read(&mut input), Some(value));
                assert!(input.is_empty());
                assert_eq!(unzigzag(zigzag(value)), value);
            }
        }
    }

    #[test]
    fn too_long_or_cut_off_is_refused() {
        assert_eq!(read(&mut [0x80u8; 3].as_slice()), None);
        assert_eq!(read(&mut [0xffu8; 11].as_slice()), None);
        let mut overflow = vec![0xff; 9];
        overflow.push(0x02);
        assert_eq!(read(&mut overflow.as_slice()), None);
    }
}
