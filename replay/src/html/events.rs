//! Both lists of events side by side, around where they part.

use super::at;
use crate::alignment::{Alignment, Pair};
use crate::describe::{describe, place_of};
use crate::divergence::Divergence;
use crate::error::ReplayError;
use crate::side::Side;
use crate::timeline::Timeline;
use forkpoint_traces::Position;
use serde::Serialize;
use std::sync::Arc;

/// One row of the list.
#[derive(Serialize)]
pub(super) struct Row {
    cells: Vec<Cell>,
    equal: bool,
    /// Whether the runs part here.
    here: bool,
}

/// The event of a side.
#[derive(Serialize)]
struct Cell {
    position: Option<String>,
    text: String,
    place: Option<String>,
}

/// The rows around a position of the left run; without one, those at the end.
pub(super) fn around(
    lhs: &mut Timeline,
    rhs: &mut Timeline,
    divergence: Option<&Divergence>,
    position: Option<Position>,
    rows: u64,
) -> Result<Vec<Row>, ReplayError> {
    let alignment = Alignment::new(lhs, rhs, divergence);
    let middle = position.map(|position| alignment.row_of_lhs(position));
    let center = middle.unwrap_or(alignment.rows());
    let range = center.saturating_sub(rows)..center.saturating_add(rows + 1).min(alignment.rows());
    let mut shown = Vec::new();
    for number in range {
        let pair = alignment.row(number);
        let equal = alignment.is_equal(lhs, rhs, number)?;
        let cells = vec![cell(lhs, pair, Side::Lhs)?, cell(rhs, pair, Side::Rhs)?];
        shown.push(Row { cells, equal, here: middle == Some(number) });
    }
    Ok(shown)
}

fn cell(timeline: &mut Timeline, pair: Pair, side: Side) -> Result<Cell, ReplayError> {
    let Some(position) = pair.of(side) else { return Ok(Cell { position: None, text: String::new(), place: None }) };
    if let Some(gap) = timeline.trace().gap(position) {
        let text = format!("{} events up to {} are left out", gap.end.0 - position.0, Position(gap.end.0 - 1));
        return Ok(Cell { position: Some(at(position)), text, place: None });
    }
    let symbols = Arc::clone(timeline.symbols());
    let event = timeline.event(position)?;
    let sites = timeline.trace().sites();
    let place = place_of(&event, sites)
        .map(|(func, offset)| format!("{} at {}", symbols.function_name(func), symbols.own_offset(offset)));
    Ok(Cell { position: Some(at(position)), text: describe(&event, sites, &symbols), place })
}
