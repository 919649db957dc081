//! What a frame shows, read from the source just before it is drawn: the rows, bytes and lines of code in
//! view and nothing else.

use crate::app::App;
use crate::focus::{Focus, Pane};
use crate::hex::HexShape;
use crate::layout::inside;
use crate::source::{Code, EventLine, Place};
use forkpoint_replay::{ReplayError, Side, printable};
use forkpoint_traces::{CodeOffset, Position};

/// What is special about a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// Nothing.
    None,
    /// The first divergence.
    Divergence,
    /// Another unequal pair.
    Mismatch,
    /// From here on the runs agree again.
    Resync,
}

/// A row of one event list.
#[derive(Debug, Clone)]
pub(crate) struct ListRow {
    pub(crate) selected: bool,
    pub(crate) mark: Mark,
    /// What happened, `None` in a gap.
    pub(crate) event: Option<(Position, EventLine)>,
}

/// One event list.
#[derive(Debug, Clone)]
pub(crate) struct ListView {
    pub(crate) title: String,
    pub(crate) rows: Vec<ListRow>,
}

/// A byte of memory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Byte {
    pub(crate) value: u8,
    /// Written by the event under the cursor.
    pub(crate) written: bool,
    /// Another one on the other side.
    pub(crate) differs: bool,
}

/// The bytes of one side.
#[derive(Debug, Clone)]
pub(crate) struct HexView {
    pub(crate) title: String,
    pub(crate) shape: HexShape,
    pub(crate) start: u64,
    /// `None` past the end of memory.
    pub(crate) bytes: Vec<Option<Byte>>,
    /// The byte cursor.
    pub(crate) address: u64,
}

/// Lines of code, text format or native.
#[derive(Debug, Clone)]
pub(crate) struct CodeView {
    pub(crate) title: String,
    pub(crate) code: Code,
    /// The first line on screen.
    pub(crate) top: usize,
    /// The instruction that the event stands at.
    pub(crate) site: Option<CodeOffset>,
    /// What to say in place of code.
    pub(crate) empty: &'static str,
}

/// Everything a frame shows.
#[derive(Debug, Clone, Default)]
pub(crate) struct View {
    pub(crate) title: [String; 2],
    pub(crate) focus: Focus,
    pub(crate) lists: [Option<ListView>; 2],
    pub(crate) hex: [Option<HexView>; 2],
    pub(crate) wat: Option<CodeView>,
    pub(crate) native: [Option<CodeView>; 2],
    pub(crate) status: String,
    /// The same without bytes, for where it does not fit: memory shows them, and not what they mean.
    pub(crate) short_status: Option<String>,
    pub(crate) message: Option<String>,
    /// Label, text and cursor (in columns) of an open prompt.
    pub(crate) prompt: Option<(&'static str, String, usize)>,
    pub(crate) help: Option<u16>,
}

impl App {
    /// Reads what is in view. What cannot be read is left out, with a message.
    pub(crate) fn view(&mut self) -> View {
        self.keep_row_in_view();
        let events = self.read_or_say(|app| {
            let pair = app.source.row(app.row);
            let mut events = [None, None];
            for side in app.sides() {
                if let Some(position) = pair.of(side) {
                    events[side.index()] = Some(app.source.event(side, position)?);
                }
            }
            Ok(events)
        });
        let events = events.unwrap_or_default();
        let side = self.focus.side;
        let shown = events[side.index()].as_ref().or(events[side.other().index()].as_ref()).cloned();
        self.seek_memory();
        self.follow_event(shown.as_ref());
        self.keep_byte_in_view();
        let place = shown.as_ref().and_then(|event| event.place);
        let lists = self.read_or_say(App::lists).unwrap_or_default();
        let hex = self.hex_views(&events);
        let (wat, native) = self.code_views(place);
        let status = self.status(shown.as_ref());
        let short_status = shown.as_ref().and_then(EventLine::without_bytes).map(|short| self.status(Some(&short)));
        View {
            title: self.title(),
            focus: self.focus,
            lists,
            hex,
            wat,
            native,
            status,
            short_status,
            message: self.message.clone(),
            prompt: self
                .prompt
                .as_ref()
                .map(|prompt| (prompt.kind.label(), prompt.input.value().to_string(), prompt.input.visual_cursor())),
            help: self.help,
        }
    }

    /// The sides that are there.
    pub(crate) fn sides(&self) -> impl Iterator<Item = Side> + use<> {
        Side::BOTH.into_iter().take(if self.source.is_pair() { 2 } else { 1 })
    }

    pub(crate) fn read_or_say<T>(&mut self, read: impl FnOnce(&mut App) -> Result<T, ReplayError>) -> Option<T> {
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
        self.top = self.top.min(self.source.rows().saturating_sub(height));
    }

    fn lists(&mut self) -> Result<[Option<ListView>; 2], ReplayError> {
        let mut lists = [None, None];
        for side in self.sides() {
            let height = inside(self.areas.events[side.index()]).height;
            if height == 0 {
                continue;
            }
            let end = self.top.saturating_add(height.into()).min(self.source.rows());
            let mut rows = Vec::with_capacity(height.into());
            for row in self.top..end {
                rows.push(self.list_row(side, row)?);
            }
            let info = self.source.info(side);
            let cut = if info.incomplete { ", incomplete" } else { "" };
            let title = format!("{}{}: {} events{cut}", self.side_word(side), info.engine, info.events);
            lists[side.index()] = Some(ListView { title, rows });
        }
        Ok(lists)
    }

    fn list_row(&mut self, side: Side, row: u64) -> Result<ListRow, ReplayError> {
        let event = match self.source.row(row).of(side) {
            Some(position) => Some((position, self.source.event(side, position)?)),
            None => None,
        };
        let parting = self.source.parting().map(|parting| (parting.row, parting.resync));
        let mark = match parting {
            Some((first, _)) if first == row => Mark::Divergence,
            Some((first, resync)) if row > first && !self.source.is_equal(row)? => {
                if resync == Some(row) {
                    Mark::Resync
                } else {
                    Mark::Mismatch
                }
            }
            Some((_, Some(resync))) if resync == row => Mark::Resync,
            _ => Mark::None,
        };
        Ok(ListRow { selected: row == self.row, mark, event })
    }

    fn code_views(&mut self, place: Option<Place>) -> (Option<CodeView>, [Option<CodeView>; 2]) {
        let wat = inside(self.areas.wat).height;
        let wat = (wat > 0).then(|| {
            let code = place.map_or_else(|| Code::from([]), |place| self.source.wat(place.func));
            let title = match place {
                Some(place) => format!("wat {} @{}", self.source.function_name(place.func), place.offset),
                None => "wat".to_string(),
            };
            let empty =
                if place.is_some() { "this function cannot be printed" } else { "no instruction of the module" };
            self.code_view(title, code, place, wat, empty, Focus { pane: Pane::Wat, side: self.focus.side })
        });
        let mut native = [None, None];
        for side in self.sides() {
            let height = inside(self.areas.native[side.index()]).height;
            if height == 0 {
                continue;
            }
            let code = place.map_or_else(|| Code::from([]), |place| self.source.native(side, place.func));
            let title = format!("native {}{}", self.side_word(side), self.source.info(side).engine);
            let empty = if place.is_some() { "no native code in the trace" } else { "no instruction of the module" };
            native[side.index()] =
                Some(self.code_view(title, code, place, height, empty, Focus { pane: Pane::Native, side }));
        }
        (wat, native)
    }

    fn code_view(
        &mut self,
        title: String,
        code: Code,
        place: Option<Place>,
        height: u16,
        empty: &'static str,
        pane: Focus,
    ) -> CodeView {
        let site = place.map(|place| place.offset);
        let first = code.iter().position(|line| line.offset == site && !line.recorder).unwrap_or(0);
        let last_top = code.len().saturating_sub(height.into());
        let centred = first.saturating_sub(usize::from(height) / 2).min(last_top) as i64;
        // Both sides' native code scrolls together.
        let scroll = if self.focus.pane == pane.pane { self.scroll } else { 0 };
        let top = centred.saturating_add(scroll).clamp(0, last_top as i64);
        if self.focus == pane {
            // Scrolling past an end must not have to be scrolled back.
            self.scroll = top - centred;
        }
        CodeView { title, code, top: top as usize, site, empty }
    }

    /// A side's word before a title; a single trace has no sides.
    fn side_word(&self, side: Side) -> String {
        if self.source.is_pair() { format!("{} ", side.word()) } else { String::new() }
    }

    pub(crate) fn title(&self) -> [String; 2] {
        let lhs = self.source.info(Side::Lhs);
        let rhs = self.source.info(Side::Rhs);
        if !self.source.is_pair() {
            return [format!(" forkpoint  {}  {}  {}", lhs.name, lhs.module, lhs.engine), String::new()];
        }
        let verdict = match self.source.parting() {
            Some(parting) => {
                let position = Side::BOTH.iter().find_map(|side| self.source.row(parting.row).of(*side));
                let at = position.map_or(String::new(), |position| format!(" at {position}"));
                format!("{}{at} ", parting.verdict)
            }
            None => "no divergence ".to_string(),
        };
        [format!(" forkpoint  {}  {} | {}", lhs.module, lhs.name, rhs.name), verdict]
    }

    fn status(&self, event: Option<&EventLine>) -> String {
        let pair = self.source.row(self.row);
        let mut side = self.focus.side;
        if pair.of(side).is_none() {
            side = side.other();
        }
        let (Some(position), Some(event)) = (pair.of(side), event) else {
            return if self.source.rows() == 0 { "the trace has no events".to_string() } else { String::new() };
        };
        let mut parts = vec![position.to_string()];
        if self.source.is_pair() {
            parts.push(side.word().to_string());
        }
        if let Some(place) = event.place {
            parts.push(format!("{}@{}", self.source.function_name(place.func), place.offset));
            parts.extend(self.source.source_line(place.offset));
        }
        parts.push(match &event.value {
            Some(value) => format!("{} = {value}", event.text),
            None => event.text.clone(),
        });
        if let Some(query) = self.query_text() {
            parts.push(format!("/{}", printable(&query)));
        }
        parts.join("  ")
    }
}
