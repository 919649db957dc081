//! What may take seconds: searches through a trace. The event loop draws a frame that says so first, and
//! Esc stops them.

use crate::app::App;
use crate::source::{Direction, Query, moment};
use forkpoint_replay::{ReplayError, printable};
use forkpoint_traces::Position;

/// A search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Job {
    /// For the nearest unequal pair of events.
    Mismatch(Direction),
    /// For the nearest event that a query fits.
    Search(Query, Direction),
    /// For the nearest event that wrote the byte under the cursor.
    Writer(Direction),
}

impl App {
    /// Does a job and goes where it leads.
    pub(crate) fn perform(&mut self, job: Job) {
        let found = match &job {
            Job::Mismatch(direction) => self.find_mismatch(*direction),
            Job::Search(query, direction) => self.find_match(query, *direction),
            Job::Writer(direction) => self.find_writer(self.address, *direction),
        };
        self.busy = false;
        match found {
            Ok(Some(row)) => self.go_to(row),
            Ok(None) => self.message = Some(self.nothing_found(&job)),
            Err(ReplayError::Cancelled) => self.message = Some("search stopped".to_string()),
            Err(error) => self.message = Some(printable(&error.to_string())),
        }
    }

    fn find_mismatch(&mut self, direction: Direction) -> Result<Option<u64>, ReplayError> {
        let from = match direction {
            Direction::Forward => self.row.saturating_add(1),
            Direction::Backward => self.row,
        };
        self.source.mismatch(from, direction)
    }

    fn find_match(&mut self, query: &Query, direction: Direction) -> Result<Option<u64>, ReplayError> {
        match query {
            Query::Address(address) => self.find_writer(*address, direction),
            Query::Text(text) => {
                let (side, at) = (self.focus.side, self.edge(direction));
                let found = self.source.find(side, text, at, direction)?;
                Ok(found.map(|position| self.source.row_of(side, position)))
            }
        }
    }

    fn find_writer(&mut self, address: u64, direction: Direction) -> Result<Option<u64>, ReplayError> {
        let (side, at) = (self.focus.side, self.edge(direction));
        let found = self.source.writer(side, self.memory, address, at, direction)?;
        Ok(found.map(|position| self.source.row_of(side, position)))
    }

    /// Where a search starts, so that it never answers with the event under the cursor.
    fn edge(&self, direction: Direction) -> Position {
        let side = self.focus.side;
        let after = moment(&*self.source, side, self.row);
        match (direction, side.of(self.source.row(self.row))) {
            (Direction::Backward, Some(here)) => here,
            _ => after,
        }
    }

    fn nothing_found(&self, job: &Job) -> String {
        let side = if self.source.is_pair() { format!(" in {}", self.focus.side.word()) } else { String::new() };
        let memory = self.memory.0;
        match job {
            Job::Mismatch(Direction::Forward) => "no later mismatch".to_string(),
            Job::Mismatch(Direction::Backward) => "no earlier mismatch".to_string(),
            Job::Search(Query::Text(text), Direction::Forward) => format!("no later `{text}`{side}: N looks back"),
            Job::Search(Query::Text(text), Direction::Backward) => format!("no earlier `{text}`{side}: n looks on"),
            Job::Search(Query::Address(address), direction) => never(*address, memory, *direction, &side),
            Job::Writer(direction) => never(self.address, memory, *direction, &side),
        }
    }
}

fn never(address: u64, memory: u32, direction: Direction, side: &str) -> String {
    let when = match direction {
        Direction::Forward => "later",
        Direction::Backward => "earlier",
    };
    format!("no {when} event writes byte {address:#x} of memory {memory}{side}")
}
