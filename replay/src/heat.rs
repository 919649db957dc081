//! Where and when a run writes, as a picture of counts: time across, addresses down.

use crate::error::ReplayError;
use crate::timeline::Timeline;
use forkpoint_traces::{MemoryIndex, PAGE, Position};
use std::collections::BTreeSet;

/// How often each part of a memory was written in each part of a run. Only pages that are written have room in it, so a heap
/// far from the stack leaves no gap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heat {
    /// Parts of the run, of equal length.
    pub columns: usize,
    /// Parts of the pages, with equal numbers of pages.
    pub rows: usize,
    /// Writes, row by row from the lowest page. A write that spans pages counts in its first.
    pub counts: Vec<u64>,
    /// One past the last position.
    pub events: u64,
}

/// Calls `sink` with position and page of the first byte of each write that the trace holds to a memory.
fn each_write(
    timeline: &mut Timeline,
    memory: MemoryIndex,
    mut sink: impl FnMut(Position, u64),
) -> Result<(), ReplayError> {
    let mut scanner = timeline.trace().scanner();
    for chunk in 0..timeline.trace().chunks().len() {
        timeline.come_to(timeline.trace().chunks()[chunk].first)?;
        timeline.trace().read_writes(&mut scanner, chunk, |position, written, address, width| {
            if written == memory && width > 0 {
                sink(position, address / PAGE);
            }
            Ok::<(), ReplayError>(())
        })?;
    }
    Ok(())
}

/// The 4 KiB pages in which a run's writes to a memory begin, ascending. Writes that the trace leaves out are not seen.
///
/// # Errors
/// When the trace is damaged, and [`ReplayError::Cancelled`].
pub fn written_pages_of(timeline: &mut Timeline, memory: MemoryIndex) -> Result<BTreeSet<u64>, ReplayError> {
    let (mut pages, mut last) = (BTreeSet::new(), None);
    each_write(timeline, memory, |_, page| {
        if last != Some(page) {
            pages.insert(page);
            last = Some(page);
        }
    })?;
    Ok(pages)
}

impl Heat {
    /// Counts the writes of a run to these pages of a memory (ascending), in so many columns and rows (at least 1).
    ///
    /// # Errors
    /// When the trace is damaged, and [`ReplayError::Cancelled`].
    pub fn of(
        timeline: &mut Timeline,
        memory: MemoryIndex,
        pages: &[u64],
        columns: usize,
        rows: usize,
    ) -> Result<Heat, ReplayError> {
        let (columns, rows) = (columns.max(1), rows.max(1));
        let events = timeline.len();
        let mut counts = vec![0u64; columns * rows];
        let (mut last, mut row) = (None, 0);
        each_write(timeline, memory, |position, page| {
            if last != Some(page) {
                let Ok(number) = pages.binary_search(&page) else { return };
                (last, row) = (Some(page), part(number as u64, pages.len() as u64, rows));
            }
            counts[row * columns + part(position.0, events, columns)] += 1;
        })?;
        Ok(Heat { columns, rows, counts, events })
    }

    /// The largest count.
    pub fn most(&self) -> u64 {
        self.counts.iter().copied().max().unwrap_or(0)
    }
}

/// Which of so many equal parts of `all` holds `value`.
pub(crate) fn part(value: u64, all: u64, parts: usize) -> usize {
    let at = u128::from(value) * parts as u128 / u128::from(all.max(1));
    (at as usize).min(parts.saturating_sub(1))
}
