//! What may take seconds: searches through a trace, and memory at a distant place. An errand takes the traces to
//! another thread and brings them back when it ends; its progress reports are in `headway.rs`.

mod recording;

use crate::action::CallMove;
use crate::calls::{CallService, LoadService, NO_EVENT_AFTER, NO_EVENT_BEFORE};
use crate::headway::Headway;
use crate::listing;
use crate::more_events::{EventService, NewOutline};
use crate::panel::{Panel, PanelKind};
use crate::picture::Picture;
use crate::traces::{Alike, Direction, Like, Outline, Query, Traces, moment, sides};
use forkpoint_replay::{CallWindow, EventFilter, ReplayError, Side, printable};
use forkpoint_traces::{FarStep, MemoryIndex, Position};

/// The goal of an errand.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Aim {
    /// The nearest unequal pair of events.
    Mismatch(Direction),
    /// The nearest event that matches a query.
    Search(Query, Direction),
    /// The nearest event that wrote the byte under the cursor.
    Writer(Direction),
    /// The nearest event that has this in common with the one under the cursor.
    Alike(Alike, Direction),
    /// The first event of the function with this name or index.
    First(String),
    /// The nearest event that matches a watch.
    Watch(EventFilter, Direction),
    /// The first event that completes these bytes in memory: of the whole run, or after the one under the cursor.
    Appearance(Vec<u8>),
    /// The lines of a list.
    List(PanelKind),
    /// Why the value under the cursor differs, by what both runs loaded.
    WhyByLoads(LoadService),
    /// The picture of the whole run: the side with the focus, and the memory on screen.
    Picture,
    /// The calls around the event under the cursor, and a step by them.
    Calls(CallService, Option<(CallMove, Direction)>),
    /// Where a step by calls from the event under the cursor leads.
    FarStep(CallService, FarStep),
    /// The events around one that the trace leaves out.
    Record(Position),
    /// Memory at the row under the cursor.
    Travel,
}

/// An aim, and the state of the screen when the errand begins.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Errand {
    pub(crate) aim: Aim,
    /// The row under the cursor.
    pub(crate) row: u64,
    /// The row at which memory was shown last.
    pub(crate) settled: u64,
    /// The side with the focus.
    pub(crate) side: Side,
    /// The memory on screen, and the byte under the cursor.
    pub(crate) memory: MemoryIndex,
    pub(crate) address: u64,
    /// The unequal events to pass over.
    pub(crate) ignored: Option<EventFilter>,
    /// Who tells what the traces leave out.
    pub(crate) source: Option<EventService>,
}

/// How an errand ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The row that was searched for.
    Found(u64),
    /// There is no such row.
    Nothing,
    /// There is nothing to search for: why.
    Unknown(String),
    /// Bytes came to stand at an address of a memory with the event of this row.
    Appeared(u64, MemoryIndex, u64),
    /// The list is made.
    Listed(Box<Panel>),
    /// The picture is made.
    Pictured(Box<Picture>),
    /// The calls are known.
    Called(Box<CallWindow>),
    /// The traces hold more events, so there are other rows.
    Recorded(NewOutline, Position),
    /// The user stopped the search.
    Stopped,
    /// Memory is at the requested row.
    Arrived,
    /// The user stopped the move, and memory is where it was shown last.
    Back,
    /// The move was stopped, and the way back was stopped too or failed: memory may be anywhere.
    Failed(String),
}

impl Errand {
    /// Runs the errand.
    pub(crate) fn run(&self, outline: &dyn Outline, traces: &mut dyn Traces, headway: &Headway) -> Ending {
        let ending = match &self.aim {
            Aim::Travel => self.travel(outline, traces, headway),
            Aim::Calls(service, _) => Ok(self.calls(outline, service, headway)),
            Aim::FarStep(service, step) => Ok(self.far_step(outline, service, *step, headway)),
            Aim::Record(position) => Ok(self.record(outline, traces, *position, headway)),
            Aim::WhyByLoads(service) => listing::why_by_loads(self, service, outline, traces, headway),
            _ => self
                .search(outline, traces)
                .or_else(|error| self.writer_left_out(&error, outline, traces, headway).ok_or(error)),
        };
        let ending = ending.or_else(|error| self.needs_left_out(&error).ok_or(error));
        ending.unwrap_or_else(|error| Ending::Failed(printable(&error.to_string())))
    }

    /// Announces the leg that begins.
    pub(crate) fn announce(&self, outline: &dyn Outline, headway: &Headway) {
        let writer_of = |address: u64| format!("writer of {address:#x} in {}", outline.memory_name(self.memory));
        let (what, direction) = match &self.aim {
            Aim::Mismatch(direction) => ("mismatch".to_string(), *direction),
            Aim::Search(Query::Text(text), direction) => (format!("`{text}`"), *direction),
            Aim::Search(Query::Address(address), direction) => (writer_of(*address), *direction),
            Aim::Search(Query::Filter(filter), direction) => (filter.to_string(), *direction),
            Aim::Watch(filter, direction) => (format!("stop at {filter}"), *direction),
            Aim::Appearance(_) | Aim::List(_) => {
                let what = match &self.aim {
                    Aim::List(kind) => kind.word(),
                    _ => "these bytes in memory",
                };
                return headway.begin(what.to_string(), Position(outline.info(self.side).events), true);
            }
            Aim::Writer(direction) => (writer_of(self.address), *direction),
            Aim::Alike(alike, direction) => (format!("event of {}", alike.words()), *direction),
            Aim::First(name) => {
                return headway.begin(
                    format!("first event of `{name}`"),
                    Position(outline.info(self.side).events),
                    true,
                );
            }
            Aim::WhyByLoads(_) => {
                let what = format!("why {:#x} differs", self.address);
                return headway.begin(what, Position(outline.info(self.side).events), true);
            }
            Aim::Picture => {
                let what = format!("timeline of {}{}", outline.memory_name(self.memory), of_side(outline, self.side));
                return headway.begin(what, Position(outline.info(self.side).events), true);
            }
            Aim::Calls(..) => {
                let to = outline.row(self.row).of(self.side).unwrap_or_default();
                let what = format!("calls around {to}{}, by running it again", of_side(outline, self.side));
                return headway.begin(what, to, true);
            }
            Aim::FarStep(_, step) => {
                let from = outline.row(self.row).of(self.side).unwrap_or_default();
                let to = if *step == FarStep::OverBack { from } else { Position(outline.info(self.side).events) };
                let what = format!("where the step leads{}, by running it again", of_side(outline, self.side));
                return headway.begin(what, to, true);
            }
            Aim::Record(position) => return self.announce_recording(outline, headway, self.side, *position),
            Aim::Travel => return self.announce_journey(outline, headway, self.side),
        };
        let (which, to) = match direction {
            Direction::Forward => ("next", outline.info(self.side).events),
            Direction::Backward => ("last", 0),
        };
        headway.begin(format!("{which} {what}"), Position(to), true);
    }

    fn announce_journey(&self, outline: &dyn Outline, headway: &Headway, side: Side) {
        let to = moment(outline, side, self.row);
        headway.begin(format!("memory at {to}{}", of_side(outline, side)), to, true);
    }

    /// Has the recording run again for the calls around the row under the cursor.
    fn calls(&self, outline: &dyn Outline, service: &CallService, headway: &Headway) -> Ending {
        let Some(position) = outline.row(self.row).of(self.side) else {
            return Ending::Unknown("no event is under the cursor on this side".to_string());
        };
        match service.0.calls(self.side, position, &|reached| headway.at(reached)) {
            Ok(Some(window)) => Ending::Called(Box::new(window)),
            Ok(None) => Ending::Stopped,
            Err(why) => Ending::Unknown(why),
        }
    }

    /// Has the recording run again to find where a step leads.
    fn far_step(&self, outline: &dyn Outline, service: &CallService, step: FarStep, headway: &Headway) -> Ending {
        let Some(position) = outline.row(self.row).of(self.side) else {
            return Ending::Unknown("no event is under the cursor on this side".to_string());
        };
        match service.0.far_step(self.side, position, step, &|reached| headway.at(reached)) {
            Ok(Some(Some(found))) => Ending::Found(outline.row_of(self.side, found)),
            Ok(Some(None)) => Ending::Nothing,
            Ok(None) => Ending::Stopped,
            Err(why) => Ending::Unknown(why),
        }
    }

    /// Replays memory up to the row under the cursor. When stopped, it returns to where memory was shown last.
    fn travel(
        &self,
        outline: &dyn Outline,
        traces: &mut dyn Traces,
        headway: &Headway,
    ) -> Result<Ending, ReplayError> {
        let mut arrived = Ok(());
        for side in sides(outline) {
            self.announce_journey(outline, headway, side);
            arrived = traces.seek(side, moment(outline, side, self.row));
            if arrived.is_err() {
                break;
            }
        }
        match arrived {
            Ok(()) => return Ok(Ending::Arrived),
            Err(ReplayError::Cancelled) => {}
            Err(error) => return Err(error),
        }
        for side in sides(outline) {
            let to = moment(outline, side, self.settled);
            headway.begin(format!("stopped: back to memory at {to}{}", of_side(outline, side)), to, false);
            traces.seek(side, to)?;
        }
        Ok(Ending::Back)
    }

    /// An event like the one under the cursor.
    fn alike(
        &self,
        outline: &dyn Outline,
        traces: &mut dyn Traces,
        alike: Alike,
        direction: Direction,
    ) -> Result<Ending, ReplayError> {
        let event = match outline.row(self.row).of(self.side) {
            Some(position) => Some(traces.event(self.side, position)?),
            None => None,
        };
        let Some(like) = event.as_ref().and_then(|event| alike.like(event)) else {
            let what = match (&event, alike) {
                (None, _) => "no event is under the cursor on this side",
                (_, Alike::Page) => "the event under the cursor writes no bytes",
                (_, Alike::Kind) => "events that are left out have no kind",
                (_, Alike::Function | Alike::Site) => "the event under the cursor is of no instruction",
            };
            return Ok(Ending::Unknown(what.to_string()));
        };
        let found = traces.nearest(self.side, like, self.edge(outline, direction), direction)?;
        Ok(found.map_or(Ending::Nothing, |position| Ending::Found(outline.row_of(self.side, position))))
    }

    /// The first event of a function.
    fn first(&self, outline: &dyn Outline, traces: &mut dyn Traces, name: &str) -> Result<Ending, ReplayError> {
        let Some(func) = traces.function_named(self.side, name) else {
            return Ok(Ending::Unknown(format!("no function `{name}` changes memory: / searches parts of names")));
        };
        let found = traces.nearest(self.side, Like::Function(func), Position(0), Direction::Forward)?;
        Ok(found.map_or(Ending::Nothing, |position| Ending::Found(outline.row_of(self.side, position))))
    }

    fn search(&self, outline: &dyn Outline, traces: &mut dyn Traces) -> Result<Ending, ReplayError> {
        match self.sought(outline, traces) {
            Err(ReplayError::Cancelled) => Ok(Ending::Stopped),
            ended => ended,
        }
    }

    fn sought(&self, outline: &dyn Outline, traces: &mut dyn Traces) -> Result<Ending, ReplayError> {
        let row = match &self.aim {
            Aim::Mismatch(Direction::Forward) => {
                traces.mismatch(self.row.saturating_add(1), Direction::Forward, self.ignored.as_ref())?
            }
            Aim::Mismatch(Direction::Backward) => {
                traces.mismatch(self.row, Direction::Backward, self.ignored.as_ref())?
            }
            Aim::Search(Query::Address(address), direction) => self.writer(outline, traces, *address, *direction)?,
            Aim::Search(Query::Text(text), direction) => traces
                .find(self.side, text, self.edge(outline, *direction), *direction)?
                .map(|position| outline.row_of(self.side, position)),
            Aim::Search(Query::Filter(filter), direction) | Aim::Watch(filter, direction) => traces
                .matching(self.side, filter, self.edge(outline, *direction), *direction)?
                .map(|position| outline.row_of(self.side, position)),
            Aim::Appearance(bytes) => return self.appearance(outline, traces, bytes),
            Aim::List(kind) => return listing::list(self, *kind, outline, traces),
            Aim::Writer(direction) => self.writer(outline, traces, self.address, *direction)?,
            Aim::Alike(alike, direction) => return self.alike(outline, traces, *alike, *direction),
            Aim::First(name) => return self.first(outline, traces, name),
            Aim::Picture => {
                let picture = traces.picture(self.side, self.memory)?;
                return Ok(Ending::Pictured(Box::new(picture)));
            }
            Aim::Calls(..) | Aim::FarStep(..) | Aim::Record(_) | Aim::WhyByLoads(_) | Aim::Travel => None,
        };
        Ok(row.map_or(Ending::Nothing, Ending::Found))
    }

    /// When bytes first stand in memory; if the cursor is past that, when they do again.
    fn appearance(
        &self,
        outline: &dyn Outline,
        traces: &mut dyn Traces,
        bytes: &[u8],
    ) -> Result<Ending, ReplayError> {
        let found = traces.appearance(self.side, bytes, Position(0))?;
        let here = moment(outline, self.side, self.row);
        let found = match found {
            Some(first) if first.position < here => traces.appearance(self.side, bytes, here)?.or(Some(first)),
            first => first,
        };
        Ok(found.map_or(Ending::Nothing, |found| {
            Ending::Appeared(outline.row_of(self.side, found.position), found.memory, found.address)
        }))
    }

    fn writer(
        &self,
        outline: &dyn Outline,
        traces: &mut dyn Traces,
        address: u64,
        direction: Direction,
    ) -> Result<Option<u64>, ReplayError> {
        let found = traces.writer(self.side, self.memory, address, self.edge(outline, direction), direction)?;
        Ok(found.map(|position| outline.row_of(self.side, position)))
    }

    /// Where a search starts, so that it never finds the event under the cursor.
    pub(crate) fn edge(&self, outline: &dyn Outline, direction: Direction) -> Position {
        match (direction, outline.row(self.row).of(self.side)) {
            // A row of events that are left out stands for all of them.
            (Direction::Backward, Some(here)) if !outline.is_left_out(self.row) => here,
            _ => moment(outline, self.side, self.row),
        }
    }

    /// The message if nothing was found.
    pub(crate) fn nothing_found(&self, outline: &dyn Outline) -> String {
        let side = if outline.is_pair() { format!(" in {}", self.side.word()) } else { String::new() };
        let never = |address: u64, direction: Direction| {
            let when = match direction {
                Direction::Forward => "later",
                Direction::Backward => "earlier",
            };
            format!("no {when} event writes byte {address:#x} of {}{side}", outline.memory_name(self.memory))
        };
        match &self.aim {
            Aim::Mismatch(direction) => {
                let passed = self.ignored.as_ref().map_or(String::new(), |filter| format!(" besides {filter}"));
                let when = if *direction == Direction::Forward { "later" } else { "earlier" };
                format!("no {when} mismatch{passed}")
            }
            Aim::Search(Query::Filter(filter), Direction::Forward) => {
                format!("no later {filter}{side}: N looks back")
            }
            Aim::Search(Query::Filter(filter), Direction::Backward) => {
                format!("no earlier {filter}{side}: n looks on")
            }
            Aim::Watch(_, Direction::Forward) => format!("no later event{side} that a watch stops at"),
            Aim::Watch(_, Direction::Backward) => format!("no earlier event{side} that a watch stops at"),
            Aim::Appearance(_) => format!("these bytes never stand in memory{side}"),
            Aim::List(_) | Aim::WhyByLoads(_) => "the bytes at the cursor are equal on both sides".to_string(),
            Aim::Search(Query::Text(text), Direction::Forward) => format!("no later `{text}`{side}: N looks back"),
            Aim::Search(Query::Text(text), Direction::Backward) => format!("no earlier `{text}`{side}: n looks on"),
            Aim::Search(Query::Address(address), direction) => never(*address, *direction),
            Aim::Writer(direction) => never(self.address, *direction),
            Aim::Alike(alike, Direction::Forward) => format!("no later event of {}{side}", alike.words()),
            Aim::Alike(alike, Direction::Backward) => format!("no earlier event of {}{side}", alike.words()),
            Aim::First(name) => format!("no event of `{name}`{side}"),
            Aim::FarStep(_, FarStep::OverBack) => NO_EVENT_BEFORE.to_string(),
            Aim::FarStep(..) => NO_EVENT_AFTER.to_string(),
            Aim::Picture | Aim::Calls(..) | Aim::Record(_) | Aim::Travel => String::new(),
        }
    }
}

/// Which side, if there are two.
pub(crate) fn of_side(outline: &dyn Outline, side: Side) -> String {
    if outline.is_pair() { format!(" of {}", side.word()) } else { String::new() }
}
