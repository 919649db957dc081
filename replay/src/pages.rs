//! Comparing two memory images.

use forkpoint_traces::{Image, MemoryIndex, PAGE};
use std::iter::Peekable;
use std::ops::Range;

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
    let mut first = None;
    differing_pages(lhs, rhs, memory, |page, left, right| {
        first = left.iter().zip(right).position(|(left, right)| left != right).map(|at| PageDifference {
            address: page * PAGE + at as u64,
            lhs: left[at],
            rhs: right[at],
        });
        first.is_none()
    });
    first
}

/// The stretches in which a memory of two images differs, ascending: at most so many.
pub(crate) fn differing(lhs: &Image, rhs: &Image, memory: MemoryIndex, most: usize) -> Vec<Range<u64>> {
    let mut found: Vec<Range<u64>> = Vec::new();
    differing_pages(lhs, rhs, memory, |page, left, right| {
        for (address, _) in (page * PAGE..).zip(left.iter().zip(right)).filter(|(_, (left, right))| left != right) {
            let count = found.len();
            match found.last_mut().filter(|last| last.end == address) {
                Some(last) => last.end += 1,
                None if count == most => return false,
                None => found.push(address..address + 1),
            }
        }
        true
    });
    found
}

/// Calls `sink` for the pages that differ, until it returns `false`.
fn differing_pages(lhs: &Image, rhs: &Image, memory: MemoryIndex, mut sink: impl FnMut(u64, &[u8], &[u8]) -> bool) {
    const ZEROS: &[u8] = &[0; PAGE as usize];
    let mut left = lhs.pages_in(memory, 0..u64::MAX).peekable();
    let mut right = rhs.pages_in(memory, 0..u64::MAX).peekable();
    while let Some(page) = [number(&mut left), number(&mut right)].into_iter().flatten().min() {
        let left = left.next_if(|(number, _)| *number == page).map_or(ZEROS, |(_, bytes)| bytes);
        let right = right.next_if(|(number, _)| *number == page).map_or(ZEROS, |(_, bytes)| bytes);
        if left != right && !sink(page, left, right) {
            return;
        }
    }
}

fn number<'a>(pages: &mut Peekable<impl Iterator<Item = (u64, &'a [u8])>>) -> Option<u64> {
    pages.peek().map(|(number, _)| *number)
}
