//! Events that the traces leave out: asking for them, and the same place among more rows.

use crate::app::App;
use crate::errand::{Aim, Ending, Errand};
use crate::more_events::NO_RERUNS;
use crate::traces::{Direction, Outline, Query, Traces};
use forkpoint_replay::{ReplayError, Side};
use forkpoint_traces::{Position, TraceError};
use std::ops::Range;
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

impl Errand {
    /// Which way a search through events goes; `None` for what does not look at every event.
    fn looks(&self) -> Option<Direction> {
        match &self.aim {
            Aim::Search(Query::Text(_) | Query::Filter(_), direction)
            | Aim::Watch(_, direction)
            | Aim::Alike(_, direction) => Some(*direction),
            _ => None,
        }
    }

    /// What was passed over on the way to where a search has ended, as the trace leaves it out.
    pub(crate) fn passed_over(&self, outline: &dyn Outline, traces: &dyn Traces, ending: &Ending) -> Option<String> {
        let direction = self.looks()?;
        let end = match (ending, direction) {
            (Ending::Found(row), _) => outline.row(*row).of(self.side)?,
            (Ending::Nothing, Direction::Forward) => Position(outline.info(self.side).events),
            (Ending::Nothing, Direction::Backward) => Position(0),
            _ => return None,
        };
        let from = self.edge(outline, direction);
        let stretch = if from <= end { from..end } else { end..from };
        Some(not_looked_at(&traces.left_out(self.side, stretch)?, self.source.is_some()))
    }

    /// Says what to do about an answer that needs events that the trace leaves out.
    pub(crate) fn needs_left_out(&self, error: &ReplayError) -> Option<Ending> {
        let ReplayError::Trace(TraceError::LeftOut { gap, .. }) = error else { return None };
        Some(Ending::Unknown(not_looked_at(gap, self.source.is_some())))
    }
}

fn not_looked_at(gap: &Range<Position>, can_run: bool) -> String {
    let last = Position(gap.end.0.saturating_sub(1));
    let what = format!("not looked at: {} to {last}, which the trace leaves out", gap.start);
    if can_run { format!("{what}; R on their row, or going to one of them, runs it again") } else { what }
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
