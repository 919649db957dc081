//! What happens before a frame is composed: the screen is laid out, lists and memory scroll so that the cursors are
//! in view, and what is in view is read.

use crate::app::App;
use crate::focus::{Focus, Pane};
use crate::in_view::{BytesInView, InView};
use crate::layout::{Areas, inside};
use crate::screen::{ListRow, RowMark};
use crate::traces::{Code, CodePlace, EventLine, moment, sides};
use forkpoint_replay::{ReplayError, Side, printable};
use forkpoint_traces::{CodeOffset, Position};
use ratatui::layout::Rect;

impl App {
    /// Lays out a screen and reads what is in view. What cannot be read is left out, with a message; while an errand
    /// has the traces, what was seen last stays.
    pub(crate) fn look(&mut self, screen: Rect) {
        self.areas = Areas::new(screen, self.wish());
        if self.is_away() {
            return;
        }
        self.keep_row_in_view();
        let events = self.read_or_say(App::read_events).unwrap_or_default();
        self.seen = InView { row: self.row, events, ..InView::default() };
        let shown = self.seen.event(self.focus.side).cloned();
        self.seek_memory();
        self.follow_event(shown.as_ref());
        self.keep_byte_in_view();
        self.seen.lists = self.read_or_say(App::read_lists).unwrap_or_default();
        for side in sides(&*self.outline) {
            self.seen.bytes[side.index()] = self.read_bytes(side);
        }
        self.read_code(shown.as_ref().and_then(|event| event.place));
        self.refresh_panel();
    }

    fn read_or_say<T>(&mut self, read: impl FnOnce(&mut App) -> Result<T, ReplayError>) -> Option<T> {
        match read(self) {
            Ok(value) => Some(value),
            Err(error) => {
                self.message = Some(printable(&error.to_string()));
                None
            }
        }
    }

    fn keep_row_in_view(&mut self) {
        let side = self.focus.side.index();
        let height = u64::from(inside(self.areas.events[side]).height);
        if height == 0 {
            return;
        }
        // Far jumps land in the middle, steps scroll by a line.
        let below = self.row.saturating_sub(self.top);
        if self.row < self.top && self.top - self.row > 1 || below >= height.saturating_add(1) {
            self.top = self.row.saturating_sub(height / 2);
        } else if self.row < self.top {
            self.top = self.row;
        } else if below == height {
            self.top = self.row - height + 1;
        }
        self.top = self.top.min(self.outline.rows().saturating_sub(height));
    }

    fn read_events(&mut self) -> Result<[Option<EventLine>; 2], ReplayError> {
        let mut read = [None, None];
        let Some(traces) = &mut self.traces else { return Ok([None, None]) };
        let pair = self.outline.row(self.row);
        for side in sides(&*self.outline) {
            if let Some(position) = pair.of(side) {
                let event = traces.event(side, position)?;
                read[side.index()] = Some((position, event));
            }
        }
        let [lhs, rhs] = read;
        let named = |side, found: Option<(Position, EventLine)>| found.map(|(at, event)| self.named(side, at, event));
        Ok([named(Side::Lhs, lhs), named(Side::Rhs, rhs)])
    }

    /// An event with the variable that it writes: one with a fixed address, then one on the stack where calls are known, then what
    /// the instruction alone tells.
    fn named(&self, side: Side, at: Position, event: EventLine) -> EventLine {
        let Some((memory, address, length)) = event.written else { return event };
        let bytes = address..address.saturating_add(length);
        let fixed = self.outline.variable(side, memory, bytes.clone()).map(|variable| variable.to_string());
        let variable = fixed.or_else(|| self.stack_variable(side, at, &event)).or_else(|| {
            let variable = self.outline.written(side, event.place?, memory, bytes)?;
            Some(variable.to_string())
        });
        EventLine { variable, ..event }
    }

    /// Moves memory to its state after the row under the cursor. If it is far, an errand has tried that, and failed.
    fn seek_memory(&mut self) {
        if self.is_far() {
            return;
        }
        for side in sides(&*self.outline) {
            let position = moment(&*self.outline, side, self.row);
            let sought =
                self.read_or_say(|app| app.traces.as_mut().map_or(Ok(()), |traces| traces.seek(side, position)));
            if sought.is_none() {
                return;
            }
        }
        self.settled = self.row;
    }

    /// Moves the byte cursor to what the event under the cursor wrote.
    fn follow_event(&mut self, event: Option<&EventLine>) {
        if std::mem::take(&mut self.arrived)
            && self.follow
            && let Some((memory, address, _)) = event.and_then(|event| event.written)
        {
            self.memory = memory;
            self.set_address(address);
        }
    }

    fn read_lists(&mut self) -> Result<[Vec<ListRow>; 2], ReplayError> {
        let mut lists = [Vec::new(), Vec::new()];
        for side in sides(&*self.outline) {
            let height = inside(self.areas.events[side.index()]).height;
            let end = self.top.saturating_add(height.into()).min(self.outline.rows());
            for row in self.top..end {
                lists[side.index()].push(self.read_row(side, row)?);
            }
        }
        Ok(lists)
    }

    fn read_row(&mut self, side: Side, row: u64) -> Result<ListRow, ReplayError> {
        let (selected, letter) = (row == self.row, self.jumps.letter(row));
        let Some(traces) = &mut self.traces else {
            return Ok(ListRow { selected, mark: RowMark::None, letter, event: None });
        };
        let pair = self.outline.row(row);
        let event = match pair.of(side) {
            Some(position) => Some((position, traces.event(side, position)?)),
            None => None,
        };
        let parting = self.outline.parting().map(|parting| (parting.row, parting.resync));
        let mark = match parting {
            Some((first, _)) if first == row => RowMark::Divergence,
            // Stores that a build lacks, or has elsewhere, are no divergence and still worth seeing.
            _ if self.outline.are_builds() && Side::BOTH.iter().any(|side| pair.of(*side).is_none()) => {
                if event.is_some() { RowMark::Alone } else { RowMark::None }
            }
            Some((first, resync)) if row > first && !traces.is_equal(row)? => {
                if resync == Some(row) {
                    RowMark::Resync
                } else {
                    RowMark::Mismatch
                }
            }
            Some((_, Some(resync))) if resync == row => RowMark::Resync,
            _ if self.outline.are_builds() && !traces.is_equal(row)? => RowMark::Mismatch,
            _ => RowMark::None,
        };
        let event = event.map(|(at, event)| (at, self.named(side, at, event)));
        Ok(ListRow { selected, mark, letter, event })
    }

    /// Both sides are read even if only one is shown: the other decides which bytes differ.
    fn read_bytes(&self, side: Side) -> Option<BytesInView> {
        let traces = self.traces.as_ref().filter(|_| !self.is_far())?;
        let area = inside(self.areas.memory[side.index()]);
        let area = if area.height == 0 { self.hex_area() } else { area };
        let shape = self.hex_shape(area.width);
        let mut bytes = vec![0; usize::from(shape.per_line) * usize::from(area.height)];
        let start = shape.line_of(self.hex_top);
        let inside = traces.read(side, self.memory, start, &mut bytes);
        Some(BytesInView { size: traces.memory_bytes(side, self.memory), shape, start, bytes, inside })
    }

    fn read_code(&mut self, place: Option<CodePlace>) {
        let Some(traces) = &mut self.traces else { return };
        let none = || Code::from([]);
        let builds = self.outline.are_builds();
        let own = Side::BOTH.map(|side| match builds {
            true => self.seen.events[side.index()].as_ref().and_then(|event| event.place),
            false => place,
        });
        for side in Side::BOTH {
            let place = own[side.index()];
            if inside(self.areas.wat[side.index()]).height > 0 {
                self.seen.wat[side.index()] = Some(place.map_or_else(none, |place| traces.wat(side, place.func)));
            }
        }
        for side in sides(&*self.outline) {
            let place = own[side.index()];
            if inside(self.areas.native[side.index()]).height > 0 {
                let code = place.map_or_else(none, |place| traces.native(side, place.func));
                self.seen.native[side.index()] = Some(code);
            }
        }
        self.keep_code_in_view(place.map(|place| place.offset));
    }

    /// Scrolling past an end must not have to be undone.
    fn keep_code_in_view(&mut self, site: Option<CodeOffset>) {
        let Focus { pane, side } = self.focus;
        let code = match pane {
            Pane::Wat => self.seen.wat[side.index()].as_ref().or(self.seen.wat[0].as_ref()),
            Pane::Native => self.seen.native[side.index()].as_ref(),
            Pane::Events | Pane::Memory | Pane::Timeline | Pane::Panel => None,
        };
        if let Some(code) = code {
            let height = inside(self.areas.of(self.focus)).height;
            let at_site = code_top(code, site, height, 0);
            self.scroll = code_top(code, site, height, self.scroll) as i64 - at_site as i64;
        }
    }
}

/// The first line of code on screen: with the site in the middle, or scrolled away from it within the lines.
pub(crate) fn code_top(code: &Code, site: Option<CodeOffset>, height: u16, scroll: i64) -> usize {
    let first = code.iter().position(|line| line.offset == site && !line.recorder).unwrap_or(0);
    let last_top = code.len().saturating_sub(height.into());
    let centred = first.saturating_sub(usize::from(height) / 2).min(last_top) as i64;
    centred.saturating_add(scroll).clamp(0, last_top as i64) as usize
}
