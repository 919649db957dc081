//! The unit in which memory is compared, digested and stored.

/// Bytes in a page of memory as traces count them, whatever a page of a WebAssembly memory has.
pub const PAGE: u64 = 4096;

/// The pages of `bytes` that are not all zero, each with its number counted from the start of `bytes`; the last one may
/// be short.
pub fn written_pages(bytes: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    let pages = bytes.chunks(PAGE as usize).enumerate();
    pages.filter(|(_, page)| !is_zero(page)).map(|(number, page)| (number as u64, page))
}

/// Whether all bytes are zero.
pub(crate) fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_zeros_are_left_out() {
        let mut bytes = vec![0; 2 * PAGE as usize + 3];
        bytes[PAGE as usize] = 1;
        *bytes.last_mut().expect("it has bytes") = 2;
        let found: Vec<(u64, usize)> = written_pages(&bytes).map(|(number, page)| (number, page.len())).collect();
        assert_eq!(found, [(1, PAGE as usize), (2, 3)]);
        assert_eq!(written_pages(&[]).count(), 0);
    }
}
