//! Writes over time and addresses, as a picture.

use crate::error::ReplayError;
use crate::heat::{Heat, part, written_pages_of};
use crate::report::Report;
use crate::timeline::Timeline;
use forkpoint_traces::{MemoryIndex, PAGE};
use serde::Serialize;
use std::fmt::Write;

const COLUMNS: usize = 120;
const ROWS: usize = 48;

/// Distances between the addresses beside it.
const TICKS: usize = 4;

/// How many shades there are for cells that were written.
const SHADES: usize = 6;

/// The picture: for each shade the outline of its cells, as the path of an SVG image.
#[derive(Serialize)]
pub(super) struct Picture {
    columns: usize,
    rows: usize,
    shades: Vec<String>,
    /// The cells that the sides wrote differently often.
    unequal: String,
    /// Column and row of the divergence.
    here: Option<(usize, usize)>,
    /// Addresses at equal distances, the highest first.
    ticks: Vec<String>,
    pages: usize,
    events: u64,
    /// Whether events are left out, so that nothing is known of parts of it.
    partial: bool,
}

/// The picture of the memory that the report is about. `None` if it was never written.
pub(super) fn of(lhs: &mut Timeline, rhs: &mut Timeline, report: &Report) -> Result<Option<Picture>, ReplayError> {
    let memory = report.memory.unwrap_or(MemoryIndex(0));
    let mut pages = written_pages_of(lhs, memory)?;
    pages.extend(written_pages_of(rhs, memory)?);
    let pages: Vec<u64> = pages.into_iter().collect();
    let ours = Heat::of(lhs, memory, &pages, COLUMNS, ROWS)?;
    let theirs = Heat::of(rhs, memory, &pages, COLUMNS, ROWS)?;
    let most = ours.most();
    if most == 0 {
        return Ok(None);
    }
    let mut shades = vec![String::new(); SHADES];
    let mut unequal = String::new();
    let same_time = ours.events == theirs.events;
    for (cell, (count, other)) in ours.counts.iter().zip(&theirs.counts).enumerate() {
        let add = |path: &mut String| {
            let (x, y) = (cell % COLUMNS, ROWS - 1 - cell / COLUMNS);
            let _ = write!(path, "M{x} {y}h1v1h-1z");
        };
        if *count > 0 {
            // By magnitude: most cells are written a few times, and some a million times.
            let shade = (count.ilog2() as usize * SHADES / (most.ilog2() as usize + 1)).min(SHADES - 1);
            add(&mut shades[shade]);
        }
        // Of runs of different lengths, the columns are different parts.
        if same_time && count != other {
            add(&mut unequal);
        }
    }
    let here = report.position.zip(report.address).and_then(|(position, address)| {
        let page = pages.binary_search(&(address / PAGE)).ok()? as u64;
        let (column, row) = (part(position.0, ours.events, COLUMNS), part(page, pages.len() as u64, ROWS));
        Some((column, ROWS - 1 - row))
    });
    let tick = |number: usize| {
        let page = pages.get(number * pages.len().saturating_sub(1) / TICKS).copied().unwrap_or_default();
        format!("{:#x}", page.saturating_mul(PAGE))
    };
    Ok(Some(Picture {
        columns: COLUMNS,
        rows: ROWS,
        shades,
        unequal,
        here,
        // From the top down.
        ticks: (0..=TICKS).rev().map(tick).collect(),
        pages: pages.len(),
        events: ours.events,
        partial: lhs.trace().gaps().next().is_some(),
    }))
}
