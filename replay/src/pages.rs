//! Comparing two memory images.

use forkpoint_traces::{Image, MemoryIndex, PAGE};
use std::iter::Peekable;

/// The first byte in which two memories differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageDifference {
    /// Its address.
    pub address: u64,
    /// The byte on the left.
    pub lhs: u8,
    /// The byte on the right.
    pub rhs: u8,
}

/// Compares a memory of two images byte for byte, whatever their sizes. Pages that were never written are zero, so
/// the time depends on the pages that either has.
pub(crate) fn difference(lhs: &Image, rhs: &Image, memory: MemoryIndex) -> Option<PageDifference> {
    const ZEROS: &[u8] = &[0; PAGE as usize];
    let mut left = lhs.pages_in(memory, 0..u64::MAX).peekable();
    let mut right = rhs.pages_in(memory, 0..u64::MAX).peekable();
    loop {
        let page = [number(&mut left), number(&mut right)].into_iter().flatten().min()?;
        let left = left.next_if(|(number, _)| *number == page).map_or(ZEROS, |(_, bytes)| bytes);
        let right = right.next_if(|(number, _)| *number == page).map_or(ZEROS, |(_, bytes)| bytes);
        if left != right
            && let Some(at) = left.iter().zip(right).position(|(left, right)| left != right)
        {
            return Some(PageDifference { address: page * PAGE + at as u64, lhs: left[at], rhs: right[at] });
        }
    }
}

fn number<'a>(pages: &mut Peekable<impl Iterator<Item = (u64, &'a [u8])>>) -> Option<u64> {
    pages.peek().map(|(number, _)| *number)
}
