//! Where both traces are: a row of their alignment.

use crate::{DapTrace, Launch, Traces};
use forkpoint_replay::{
    Alignment, CallSource, Divergence, KnownCalls, NanBits, ReplayError, Side, SourceFiles, Timeline,
    first_divergence,
};
use forkpoint_traces::{Event, Position};
use std::path::PathBuf;
use std::sync::Arc;

/// The traces, and the row that they are at.
pub(crate) struct Place {
    lhs: DapTrace,
    rhs: Option<DapTrace>,
    alignment: Alignment,
    pub(crate) divergence: Option<Divergence>,
    row: u64,
    /// What is known of calls.
    pub(crate) calls: KnownCalls,
    /// The files that may be named.
    pub(crate) files: Arc<SourceFiles>,
}

impl Place {
    /// Lines two traces up, and goes to where the launch says.
    pub(crate) fn new((mut lhs, rhs): Traces, launch: &Launch) -> Result<Place, String> {
        let folder = |error| format!("the folders in `source`: {error}");
        let files = SourceFiles::new(launch.source.iter().map(PathBuf::as_path)).map_err(folder)?;
        let mut rhs = rhs;
        let mut divergence = None;
        let alignment = match &mut rhs {
            None => Alignment::single(&lhs.timeline),
            Some(rhs) => {
                rhs.timeline.share_symbols(&lhs.timeline);
                let found = first_divergence(&mut lhs.timeline, &mut rhs.timeline, NanBits::Report);
                divergence = found.map_err(|error| error.to_string())?.divergence;
                Alignment::new(&lhs.timeline, &rhs.timeline, divergence.as_ref())
            }
        };
        let at = launch.at.map(Position).or(divergence.as_ref().map(|divergence| divergence.position));
        let mut place =
            Place { lhs, rhs, alignment, divergence, row: 0, calls: KnownCalls::default(), files: Arc::new(files) };
        if let Some(at) = at {
            if at.0 >= place.lhs.timeline.len() && launch.at.is_some() {
                let (name, events) = (&place.lhs.name, place.lhs.timeline.len());
                return Err(format!("position {at} is past the end: {name} has {events} events"));
            }
            place.go(place.alignment.row_of_lhs(at)).map_err(|error| error.to_string())?;
        } else {
            place.go(0).map_err(|error| error.to_string())?;
        }
        Ok(place)
    }

    /// The sides that there are.
    pub(crate) fn sides(&self) -> impl Iterator<Item = Side> + use<> {
        Side::BOTH.into_iter().take(1 + usize::from(self.rhs.is_some()))
    }

    /// The side of a thread's number; `None` if there is no such thread.
    pub(crate) fn side(&self, thread: i64) -> Option<Side> {
        self.sides().find(|side| thread_of(*side) == thread)
    }

    /// The name of a trace.
    pub(crate) fn name(&self, side: Side) -> &str {
        self.opened(side).map_or("", |opened| &opened.name)
    }

    /// Who tells of a side's calls.
    pub(crate) fn caller_source(&self, side: Side) -> Option<Arc<dyn CallSource>> {
        self.opened(side)?.calls.clone()
    }

    fn opened(&self, side: Side) -> Option<&DapTrace> {
        match side {
            Side::Lhs => Some(&self.lhs),
            Side::Rhs => self.rhs.as_ref(),
        }
    }

    /// A trace. There is always a left one.
    pub(crate) fn timeline(&mut self, side: Side) -> &mut Timeline {
        match (side, &mut self.rhs) {
            (Side::Rhs, Some(rhs)) => &mut rhs.timeline,
            _ => &mut self.lhs.timeline,
        }
    }

    /// Both traces, if there are two, and how they are lined up.
    pub(crate) fn both(&mut self) -> Option<(&mut Timeline, &mut Timeline, &Alignment)> {
        let rhs = self.rhs.as_mut()?;
        Some((&mut self.lhs.timeline, &mut rhs.timeline, &self.alignment))
    }

    /// The row.
    pub(crate) fn row(&self) -> u64 {
        self.row
    }

    /// Number of the last row.
    pub(crate) fn last_row(&self) -> u64 {
        self.alignment.rows().saturating_sub(1)
    }

    /// Goes to a row, or to the last one if there are fewer.
    pub(crate) fn go(&mut self, row: u64) -> Result<(), ReplayError> {
        self.row = row.min(self.last_row());
        for side in self.sides() {
            let to = self.before(side, self.row);
            self.timeline(side).seek(to)?;
        }
        Ok(())
    }

    /// The row of a side's position.
    pub(crate) fn row_of(&self, side: Side, position: Position) -> u64 {
        match side {
            Side::Lhs => self.alignment.row_of_lhs(position),
            Side::Rhs => self.alignment.row_of_rhs(position),
        }
    }

    /// The position of a side's event in a row, if it has one there.
    pub(crate) fn position_in(&self, side: Side, row: u64) -> Option<Position> {
        self.alignment.row(row).of(side)
    }

    /// The position that a side has come to before a row: that of its event there, or of its next one.
    pub(crate) fn before(&self, side: Side, row: u64) -> Position {
        if let Some(position) = self.position_in(side, row) {
            return position;
        }
        // The first event that has no earlier row.
        let (mut low, mut high) = (0, self.opened(side).map_or(0, |opened| opened.timeline.len()));
        while low < high {
            let middle = low + (high - low) / 2;
            if self.row_of(side, Position(middle)) < row { low = middle + 1 } else { high = middle }
        }
        Position(low)
    }

    /// The event of a side in the row, with its position.
    pub(crate) fn event(&mut self, side: Side) -> Result<Option<(Position, Event)>, ReplayError> {
        let Some(position) = self.position_in(side, self.row) else { return Ok(None) };
        let timeline = self.timeline(side);
        if timeline.trace().gap(position).is_some() {
            return Ok(None);
        }
        Ok(Some((position, timeline.event(position)?)))
    }

    /// Whether the events of the row differ.
    pub(crate) fn differs(&mut self) -> Result<bool, ReplayError> {
        let row = self.row;
        match self.both() {
            Some((lhs, rhs, alignment)) => Ok(!alignment.is_equal(lhs, rhs, row)?),
            None => Ok(false),
        }
    }
}

/// The number of the thread that a side is.
pub(crate) fn thread_of(side: Side) -> i64 {
    side.index() as i64 + 1
}
