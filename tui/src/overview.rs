//! The timeline on the screen: a whole run on a few lines. Its picture is made once for each side and memory, on another thread.

use crate::app::App;
use crate::errand::{Aim, Errand};
use crate::focus::{Focus, Pane};
use crate::layout::inside;
use crate::picture::{Picture, column_of, density, start_of};
use crate::screen::{TimelineRow, TimelineView};
use crate::traces::{Direction, moment};
use forkpoint_replay::Side;
use forkpoint_traces::{MemoryIndex, PAGE, Position};

/// Most pictures that are kept.
const KEPT: usize = 16;

/// Events that a trace leaves out.
const GAP: char = '-';

impl App {
    /// An errand for the picture that is to be shown, if it is not there yet.
    pub(crate) fn picture_due(&self) -> Option<Errand> {
        let key = (self.focus.side, self.memory);
        let due = self.timeline
            && !self.is_away()
            && self.unpictured != Some(key)
            && !self.pictures.iter().any(|(kept, _)| *kept == key);
        due.then(|| self.errand(Aim::Picture))
    }

    /// Keeps a picture.
    pub(crate) fn keep_picture(&mut self, key: (Side, MemoryIndex), picture: Picture) {
        if self.pictures.len() >= KEPT {
            self.pictures.remove(0);
        }
        self.pictures.push((key, picture));
    }

    /// Shows or hides the timeline.
    pub(crate) fn toggle_timeline(&mut self) {
        self.timeline = !self.timeline;
        self.unpictured = None;
        let pane = match (self.timeline, self.focus.pane) {
            (true, _) => Pane::Timeline,
            (false, Pane::Timeline) => Pane::Events,
            (false, other) => other,
        };
        self.set_focus(Focus { pane, ..self.focus });
    }

    /// Moves the cursor by columns of the timeline, at least an event each.
    pub(crate) fn move_time(&mut self, columns: u64, direction: Direction) {
        let side = self.focus.side;
        let events = self.outline.info(side).events;
        let Some(last) = events.checked_sub(1) else { return };
        let step = (events / self.timeline_columns().max(1)).max(1).saturating_mul(columns);
        let here = self.time();
        let position = match direction {
            Direction::Forward => here.saturating_add(step).min(last),
            Direction::Backward => here.saturating_sub(step),
        };
        let row = self.outline.row_of(side, Position(position));
        self.go_to(row);
    }

    /// Goes to the position under a column of the pane's inside.
    pub(crate) fn click_time(&mut self, column: u16) {
        let side = self.focus.side;
        let events = self.outline.info(side).events;
        let margin = self.timeline_margin();
        let (Some(column), Some(last)) = (column.checked_sub(margin), events.checked_sub(1)) else { return };
        let position = start_of(column.into(), self.timeline_columns(), events).min(last);
        let row = self.outline.row_of(side, Position(position));
        self.jump_to(row);
    }

    /// The position of the focused side under the cursor, or that of its last event before.
    fn time(&self) -> u64 {
        let side = self.focus.side;
        match self.outline.row(self.row).of(side) {
            Some(position) => position.0,
            None => moment(&*self.outline, side, self.row).0.saturating_sub(1),
        }
    }

    fn picture(&self) -> Option<&Picture> {
        let key = (self.focus.side, self.memory);
        self.pictures.iter().find(|(kept, _)| *kept == key).map(|(_, picture)| picture)
    }

    /// Columns for addresses, with a blank behind.
    fn timeline_margin(&self) -> u16 {
        let last =
            self.picture().and_then(|picture| picture.pages.last()).map_or(0, |page| page.saturating_mul(PAGE));
        format!("{last:x}").len() as u16 + 1
    }

    /// Columns for time.
    fn timeline_columns(&self) -> u64 {
        u64::from(inside(self.areas.timeline).width.saturating_sub(self.timeline_margin())).max(1)
    }

    /// The timeline as it is shown.
    pub(crate) fn timeline_view(&self) -> Option<TimelineView> {
        let area = inside(self.areas.timeline);
        if area.height == 0 {
            return None;
        }
        let side = self.focus.side;
        let info = self.outline.info(side);
        let of = if self.outline.is_pair() { format!(" {}", side.word()) } else { String::new() };
        let head = format!("timeline{of} {}", self.outline.memory_name(self.memory));
        let Some(picture) = self.picture() else {
            let empty = if self.is_away() { "" } else { "not drawn: the timeline's key twice tries again" };
            return Some(TimelineView { title: head, empty, ..TimelineView::default() });
        };
        let across = self.timeline_columns();
        let down = u64::from(area.height.saturating_sub(1)).min(picture.pages.len() as u64);
        let counts: Vec<Vec<u64>> = (0..down)
            .map(|row| (0..across).map(|column| picture.writes(column, across, row, down)).collect())
            .collect();
        let most = counts.iter().flatten().copied().max().unwrap_or(0);
        let cell = |column: u64, count: u64| match picture.is_gap(column, across) {
            true => GAP,
            false => density(count, most),
        };
        let digits = usize::from(self.timeline_margin()) - 1;
        let rows = (0..down)
            .zip(&counts)
            .map(|(row, counts)| TimelineRow {
                margin: format!("{:>digits$x} ", picture.page(row, down).saturating_mul(PAGE)),
                cells: (0..).zip(counts).map(|(column, count)| cell(column, *count)).collect(),
            })
            .collect();
        let pages = picture.pages.len();
        let title = format!(
            "{head}  {} events, {pages} page{} written, at most {most} writes in a cell",
            info.events,
            if pages == 1 { "" } else { "s" }
        );
        Some(TimelineView {
            title,
            marks: self.timeline_marks(side, across),
            margin: self.timeline_margin(),
            cursor: (info.events > 0).then(|| column_of(self.time(), across, info.events) as u16),
            rows,
            empty: if pages == 0 { "no event writes to this memory" } else { "" },
        })
    }

    /// The line of marks: the cursor, the divergence, the user's marks, events that are left out.
    fn timeline_marks(&self, side: Side, across: u64) -> String {
        let events = self.outline.info(side).events;
        let mut marks: Vec<char> = (0..across)
            .map(
                |column| if self.picture().is_some_and(|picture| picture.is_gap(column, across)) { GAP } else { ' ' },
            )
            .collect();
        let mut put = |position: Option<u64>, mark: char| {
            let at = position.filter(|_| events > 0).map(|position| column_of(position, across, events) as usize);
            let Some(cell) = at.and_then(|at| marks.get_mut(at)) else { return };
            *cell = if mark == 'v' && *cell == 'X' { '#' } else { mark };
        };
        let position = |row: u64| {
            let position = self.outline.row(row).of(side).unwrap_or(moment(&*self.outline, side, row));
            Some(position.0)
        };
        for (letter, row) in self.jumps.marks() {
            put(position(row), letter);
        }
        if let Some(parting) = self.outline.parting() {
            put(position(parting.row), 'X');
        }
        put(Some(self.time()), 'v');
        marks.into_iter().collect()
    }
}
