//! Events that the traces leave out: asking for them, and the same place among more rows.

use crate::app::App;
use crate::errand::{Aim, Errand};
use crate::more_events::NO_RERUNS;
use crate::traces::Outline;
use forkpoint_replay::Side;
use forkpoint_traces::Position;
use std::sync::Arc;

impl App {
    /// An errand for the events around the ones under the cursor, which are left out.
    pub(crate) fn record_here(&mut self) -> Option<Errand> {
        let here = self.outline.row(self.row).of(self.focus.side);
        let Some(position) = here.filter(|_| self.outline.is_left_out(self.row)) else {
            self.message = Some("no events are left out here".to_string());
            return None;
        };
        let errand = self.record_around(position);
        if errand.is_none() {
            self.message = Some(NO_RERUNS.to_string());
        }
        errand
    }

    /// An errand for the events around this one of the side with the focus, if it is left out and something can run the recording
    /// again.
    pub(crate) fn record_around(&self, position: Position) -> Option<Errand> {
        let row = self.outline.row_of(self.focus.side, position);
        self.more_events.as_ref().filter(|_| self.outline.is_left_out(row))?;
        Some(self.errand(Aim::Record(position)))
    }

    /// Takes over the rows of traces that hold more events, and goes to where these were asked for.
    pub(crate) fn take_outline(&mut self, outline: Arc<dyn Outline>, side: Side, position: Position) {
        let old = Arc::clone(&self.outline);
        let row = |row: u64| same_row(&*old, &*outline, row);
        (self.top, self.settled) = (row(self.top), row(self.settled));
        self.jumps.map(row);
        // Their lines lead to rows, and their columns tell of what is left out.
        self.panel = None;
        self.pictures.clear();
        let row = row(self.row);
        self.outline = outline;
        self.first_outline.get_or_insert(old);
        self.row = row;
        self.jump_to(self.outline.row_of(side, position));
    }

    /// A row as it was when the viewer began.
    pub(crate) fn first_row(&self, row: u64) -> u64 {
        self.first_outline.as_ref().map_or(row, |first| same_row(&*self.outline, &**first, row))
    }
}

/// The row of the same events in another outline of the same runs.
fn same_row(from: &dyn Outline, to: &dyn Outline, row: u64) -> u64 {
    let pair = from.row(row);
    match (pair.lhs, pair.rhs) {
        (Some(position), _) => to.row_of(Side::Lhs, position),
        (None, Some(position)) => to.row_of(Side::Rhs, position),
        (None, None) => to.rows(),
    }
}
