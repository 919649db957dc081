//! What may take seconds: searches through a trace, and memory at a place far away. The event loop draws how far a job
//! has come, and Esc stops it.

use crate::app::App;
use crate::source::{Direction, Query, moment};
use forkpoint_replay::{ReplayError, Side, printable};
use forkpoint_traces::Position;

/// So many events of replay are no work that anybody notices.
const NEAR: u64 = 1 << 16;

/// Work that is done between two frames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Job {
    /// The nearest unequal pair of events.
    Mismatch(Direction),
    /// The nearest event that a query fits.
    Search(Query, Direction),
    /// The nearest event that wrote the byte under the cursor.
    Writer(Direction),
    /// Memory at the row under the cursor.
    Travel,
}

impl App {
    /// Does a job and goes where it leads.
    pub(crate) fn perform(&mut self, job: &Job) {
        let done = match job {
            Job::Travel => self.travel(),
            _ => self.search(job),
        };
        self.progress.end();
        if let Err(error) = done {
            self.message = Some(printable(&error.to_string()));
        }
    }

    fn search(&mut self, job: &Job) -> Result<(), ReplayError> {
        self.begin(job);
        let found = match job {
            Job::Mismatch(direction) => self.find_mismatch(*direction),
            Job::Search(query, direction) => self.find_match(query, *direction),
            Job::Writer(direction) => self.find_writer(self.address, *direction),
            Job::Travel => return Ok(()),
        };
        match found {
            Ok(Some(row)) => self.go_to(row),
            Ok(None) => self.message = Some(self.nothing_found(job)),
            Err(ReplayError::Cancelled) => self.message = Some("search stopped".to_string()),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Says what a job is about to do.
    pub(crate) fn begin(&self, job: &Job) {
        let events = self.source.info(self.focus.side).events;
        let (what, direction) = match job {
            Job::Mismatch(direction) => ("mismatch".to_string(), *direction),
            Job::Search(Query::Text(text), direction) => (format!("`{text}`"), *direction),
            Job::Search(Query::Address(address), direction) => (self.writer_of(*address), *direction),
            Job::Writer(direction) => (self.writer_of(self.address), *direction),
            Job::Travel => return self.begin_travel(self.focus.side, true),
        };
        let (which, to) = match direction {
            Direction::Forward => ("next", events),
            Direction::Backward => ("last", 0),
        };
        self.progress.begin(format!("{which} {what}"), Position(to), true);
    }

    fn writer_of(&self, address: u64) -> String {
        format!("writer of {address:#x} in {}", self.source.memory_name(self.memory))
    }

    /// Whether memory at the row under the cursor is far from where it stands.
    pub(crate) fn is_far(&self) -> bool {
        self.sides().any(|side| {
            let here = self.source.position(side).0;
            moment(&*self.source, side, self.row).0.abs_diff(here) > NEAR
        })
    }

    fn begin_travel(&self, side: Side, can_stop: bool) {
        let to = moment(&*self.source, side, self.row);
        let memory = if can_stop { "memory at" } else { "stopped: back to memory at" };
        let side = if self.source.is_pair() { format!(" of {}", side.word()) } else { String::new() };
        self.progress.begin(format!("{memory} {to}{side}"), to, can_stop);
    }

    /// Replays memory up to the row under the cursor. Who stops that is back where memory was shown last.
    fn travel(&mut self) -> Result<(), ReplayError> {
        match self.replay(true) {
            Err(ReplayError::Cancelled) => {}
            done => return done,
        }
        self.go_to(self.settled);
        self.message = Some("stopped, and gone back".to_string());
        self.replay(false)
    }

    fn replay(&mut self, can_stop: bool) -> Result<(), ReplayError> {
        for side in self.sides() {
            self.begin_travel(side, can_stop);
            let to = moment(&*self.source, side, self.row);
            self.source.seek(side, to)?;
        }
        self.settled = self.row;
        Ok(())
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
        match (direction, self.source.row(self.row).of(side)) {
            (Direction::Backward, Some(here)) => here,
            _ => after,
        }
    }

    fn nothing_found(&self, job: &Job) -> String {
        let side = if self.source.is_pair() { format!(" in {}", self.focus.side.word()) } else { String::new() };
        let never = |address: u64, direction: Direction| {
            let when = match direction {
                Direction::Forward => "later",
                Direction::Backward => "earlier",
            };
            let memory = self.source.memory_name(self.memory);
            format!("no {when} event writes byte {address:#x} of {memory}{side}")
        };
        match job {
            Job::Mismatch(Direction::Forward) => "no later mismatch".to_string(),
            Job::Mismatch(Direction::Backward) => "no earlier mismatch".to_string(),
            Job::Search(Query::Text(text), Direction::Forward) => format!("no later `{text}`{side}: N looks back"),
            Job::Search(Query::Text(text), Direction::Backward) => format!("no earlier `{text}`{side}: n looks on"),
            Job::Search(Query::Address(address), direction) => never(*address, *direction),
            Job::Writer(direction) => never(self.address, *direction),
            Job::Travel => String::new(),
        }
    }
}
