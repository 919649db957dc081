//! The frame, composed of the state and of what was read for it. Nothing here reads a trace or changes the state.

use crate::app::App;
use crate::focus::{Focus, Pane};
use crate::in_view::BytesInView;
use crate::layout::inside;
use crate::look::code_top;
use crate::screen::{Byte, CodeView, HexView, ListView, PromptView, Screen};
use crate::traces::{Code, CodePlace, EventLine, moment, sides};
use forkpoint_replay::{Side, printable};
use forkpoint_traces::{MemoryIndex, Position};

impl App {
    /// What to show.
    pub(crate) fn view(&self) -> Screen {
        let event = self.seen.event(self.focus.side);
        let place = event.and_then(|event| event.place);
        let mut screen = Screen {
            title: self.title(),
            focus: self.focus,
            timeline: self.timeline_view(),
            panel: self.panel.clone().filter(|_| inside(self.areas.panel).height > 0),
            lists: Side::BOTH.map(|side| self.list(side)),
            hex: Side::BOTH.map(|side| self.hex(side)),
            wat: Side::BOTH.map(|side| self.wat(side, self.own_place(side, place))),
            native: Side::BOTH.map(|side| self.native(side, self.own_place(side, place))),
            status: self.status(event),
            short_status: event.and_then(EventLine::without_bytes).map(|short| self.status(Some(&short))),
            message: self.message.clone(),
            prompt: self.prompt.as_ref().map(|prompt| PromptView {
                label: prompt.kind.label(),
                text: prompt.input.value().to_string(),
                column: prompt.input.visual_cursor(),
            }),
            help: self.help,
            own_keys: self.keymap.clone(),
        };
        // Progress is shown where the answer will be.
        if self.is_away()
            && let Some(line) = self.headway.line()
        {
            screen.message = screen.prompt.is_some().then(|| line.clone());
            screen.status = line;
            screen.short_status = None;
        }
        screen
    }

    fn list(&self, side: Side) -> Option<ListView> {
        if !self.is_shown(Pane::Events, side) {
            return None;
        }
        let info = self.outline.info(side);
        let cut = if info.incomplete { ", incomplete" } else { "" };
        let title = format!("{}{}: {} events{cut}", self.side_word(side), info.engine, info.events);
        Some(ListView { title, rows: self.seen.lists[side.index()].clone() })
    }

    fn hex(&self, side: Side) -> Option<HexView> {
        if !self.is_shown(Pane::Memory, side) {
            return None;
        }
        let seen = self.seen.bytes[side.index()].as_ref()?;
        let other = self.seen.bytes[side.other().index()].as_ref();
        let written = self.seen.events[side.index()].as_ref().and_then(|event| event.written);
        let byte = |at: usize| {
            let value = seen.get(at)?;
            let written = is_in(written, self.memory, seen.start.saturating_add(at as u64));
            let differs = other.is_some_and(|other| other.get(at) != Some(value));
            Some(Byte { value, written, differs })
        };
        let bytes = (0..seen.bytes.len()).map(byte).collect();
        let title = self.hex_title(side, seen);
        Some(HexView { title, shape: seen.shape, start: seen.start, bytes, address: self.address })
    }

    fn hex_title(&self, side: Side, seen: &BytesInView) -> String {
        let size = match seen.size {
            Some(bytes) if bytes.is_multiple_of(1024) => format!("{} KiB", bytes / 1024),
            Some(bytes) => format!("{bytes} bytes"),
            None => "not there yet".to_string(),
        };
        let pinned = if self.follow { "" } else { " pinned" };
        let after = match moment(&*self.outline, side, self.seen.row).0.checked_sub(1) {
            Some(last) => format!(" after {}", Position(last)),
            None => String::new(),
        };
        let memory = self.outline.memory_name(self.memory);
        match self.variable_name(side) {
            Some(name) => format!("{memory} @{:#x} {name}{pinned}{after} {size}", self.address),
            None => {
                let region = self.outline.region(side, self.memory, self.address);
                let region = region.map_or(String::new(), |region| format!("  {region}"));
                format!("{memory} @{:#x}{pinned}{after} {size}{region}", self.address)
            }
        }
    }

    /// The variable of the byte under the cursor, with its type.
    fn variable_name(&self, side: Side) -> Option<String> {
        let end = self.address.saturating_add(1);
        let variable = self.outline.variable(side, self.memory, self.address..end)?;
        Some(match &variable.ty {
            Some(ty) => format!("{variable}: {ty}"),
            None => variable.to_string(),
        })
    }

    /// The place whose code is shown for a side: the one of the focused side, unless each has a module of its own.
    fn own_place(&self, side: Side, place: Option<CodePlace>) -> Option<CodePlace> {
        match self.outline.are_builds() {
            true => self.seen.events[side.index()].as_ref().and_then(|event| event.place),
            false => place,
        }
    }

    fn wat(&self, side: Side, place: Option<CodePlace>) -> Option<CodeView> {
        let code = self.seen.wat[side.index()].clone()?;
        let builds = self.outline.are_builds();
        let word = if builds { self.side_word(side) } else { String::new() };
        let title = match place {
            Some(place) => {
                let (name, offset) =
                    (self.outline.function_name(side, place.func), self.outline.own_offset(side, place.offset));
                format!("{word}wat {name} @{offset}")
            }
            None => format!("{word}wat"),
        };
        let empty = if place.is_some() { "this function cannot be printed" } else { "no instruction of the module" };
        let side = if builds { side } else { self.focus.side };
        self.code(title, code, place, empty, Focus { pane: Pane::Wat, side })
    }

    fn native(&self, side: Side, place: Option<CodePlace>) -> Option<CodeView> {
        let code = self.seen.native[side.index()].clone()?;
        let title = format!("native {}{}", self.side_word(side), self.outline.info(side).engine);
        let empty = if place.is_some() { "no native code in the trace" } else { "no instruction of the module" };
        self.code(title, code, place, empty, Focus { pane: Pane::Native, side })
    }

    fn code(
        &self,
        title: String,
        code: Code,
        place: Option<CodePlace>,
        empty: &'static str,
        pane: Focus,
    ) -> Option<CodeView> {
        let height = inside(self.areas.of(pane)).height;
        let site = place.map(|place| place.offset);
        // Both sides' native code scrolls together.
        let scroll = if self.focus.pane == pane.pane { self.scroll } else { 0 };
        let top = code_top(&code, site, height, scroll);
        (height > 0).then_some(CodeView { title, code, top, site, empty })
    }

    fn is_shown(&self, pane: Pane, side: Side) -> bool {
        sides(&*self.outline).any(|there| there == side) && inside(self.areas.of(Focus { pane, side })).height > 0
    }

    /// A side's word before a title; a single trace has no sides.
    fn side_word(&self, side: Side) -> String {
        if self.outline.is_pair() { format!("{} ", side.word()) } else { String::new() }
    }

    fn title(&self) -> [String; 2] {
        let lhs = self.outline.info(Side::Lhs);
        let rhs = self.outline.info(Side::Rhs);
        if !self.outline.is_pair() {
            return [format!(" forkpoint  {}  {}  {}", lhs.name, lhs.module, lhs.engine), String::new()];
        }
        let verdict = match self.outline.parting() {
            Some(parting) => {
                let row = self.outline.row(parting.row);
                let position = Side::BOTH.iter().find_map(|side| row.of(*side));
                let at = position.map_or(String::new(), |position| format!(" at {position}"));
                let passed = if self.ignored.is_some() { " (mismatches passed over)" } else { "" };
                format!("{}{at}{passed} ", parting.verdict)
            }
            None => "no divergence ".to_string(),
        };
        let modules = match self.outline.are_builds() {
            true => format!("{} | {}", lhs.module, rhs.module),
            false => lhs.module.clone(),
        };
        [format!(" forkpoint  {modules}  {} | {}", lhs.name, rhs.name), verdict]
    }

    fn status(&self, event: Option<&EventLine>) -> String {
        let pair = self.outline.row(self.seen.row);
        let mut side = self.focus.side;
        if pair.of(side).is_none() {
            side = side.other();
        }
        let (Some(position), Some(event)) = (pair.of(side), event) else {
            return if self.outline.rows() == 0 { "the trace has no events".to_string() } else { String::new() };
        };
        let mut parts = vec![position.to_string()];
        if self.outline.is_pair() {
            parts.push(side.word().to_string());
        }
        if let Some(place) = event.place {
            parts.push(format!(
                "{}@{}",
                self.outline.function_name(side, place.func),
                self.outline.own_offset(side, place.offset)
            ));
            parts.extend(self.outline.source_line(side, place.offset));
        }
        parts.extend(event.variable.clone());
        parts.push(match &event.value {
            Some(value) => format!("{} = {value}", event.text),
            None => event.text.clone(),
        });
        if event.kind.is_none() && self.more_events.is_some() {
            parts.push("R runs it again for them".to_string());
        }
        if let Some(query) = self.query_text() {
            parts.push(format!("/{}", printable(&query)));
        }
        parts.join("  ")
    }
}

fn is_in(written: Option<(MemoryIndex, u64, u64)>, memory: MemoryIndex, address: u64) -> bool {
    written.is_some_and(|(written, start, length)| {
        written == memory && address.checked_sub(start).is_some_and(|offset| offset < length)
    })
}
