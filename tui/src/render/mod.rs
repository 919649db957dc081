//! Drawing: pure functions from a [`View`] to cells, one file per pane. Nothing here reads a trace or
//! changes the state.

mod code;
mod events;
mod help;
mod memory;
mod status;

pub(crate) use help::{last_top as help_last_top, lines as help_lines};

use crate::focus::{Focus, Pane};
use crate::layout::Areas;
use crate::theme::Theme;
use crate::view::View;
use forkpoint_replay::{Side, is_active, printable};
use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use std::borrow::Cow;

/// A frame to be drawn once more, with the progress of a job in place of its status.
pub(crate) struct Still {
    areas: Areas,
    view: View,
    theme: Theme,
}

impl Still {
    /// What was drawn so.
    pub(crate) fn new(areas: Areas, view: View, theme: Theme) -> Still {
        Still { areas, view: View { message: None, prompt: None, ..view }, theme }
    }

    /// Draws it with another status.
    pub(crate) fn draw(&mut self, frame: &mut Frame, status: String) {
        self.view.status = status;
        self.view.short_status = None;
        draw(frame, &self.areas, &self.view, self.theme);
    }
}

/// Draws a frame.
pub(crate) fn draw(frame: &mut Frame, areas: &Areas, view: &View, theme: Theme) {
    let buffer = frame.buffer_mut();
    status::title(buffer, areas.title, view, theme);
    let focused = |pane, side| view.focus == Focus { pane, side };
    for side in Side::BOTH {
        let i = side.index();
        if let Some(list) = &view.lists[i] {
            events::draw(buffer, areas.events[i], list, focused(Pane::Events, side), theme);
        }
        if let Some(hex) = &view.hex[i] {
            memory::draw(buffer, areas.memory[i], hex, focused(Pane::Memory, side), theme);
        }
        if let Some(native) = &view.native[i] {
            code::draw(buffer, areas.native[i], native, focused(Pane::Native, side), theme);
        }
    }
    if let Some(wat) = &view.wat {
        code::draw(buffer, areas.wat, wat, view.focus.pane == Pane::Wat, theme);
    }
    status::draw(buffer, areas, view, theme);
    if let Some(top) = view.help {
        help::draw(buffer, buffer.area, top, theme);
    }
    place_cursor(frame, areas, view);
}

/// The terminal's own cursor shows where typing goes: in the prompt, or on the byte in a focused memory view.
fn place_cursor(frame: &mut Frame, areas: &Areas, view: &View) {
    let at = if let Some((label, _, column)) = &view.prompt {
        status::prompt_cursor(areas.status, label, *column)
    } else if view.help.is_none() && view.focus.pane == Pane::Memory {
        let i = view.focus.side.index();
        view.hex[i].as_ref().and_then(|hex| memory::cursor(areas.memory[i], hex))
    } else {
        None
    };
    if let Some(at) = at {
        frame.set_cursor_position(at);
    }
}

/// The title line of a pane: a heavy rule tells the focus without colour.
fn rule(buffer: &mut Buffer, pane: Rect, title: &str, focused: bool, theme: Theme) {
    let line = Rect { height: pane.height.min(1), width: pane.width.saturating_sub(1), ..pane };
    let style = theme.rule(focused);
    let stroke = if focused { "━" } else { "─" };
    put(buffer, line, 0, 0, &stroke.repeat(line.width.into()), style);
    put(buffer, line, 1, 0, &fit(&format!(" {title} "), line.width.saturating_sub(2)), style);
}

/// Writes a text at a column and line of a region, cut at its edge. Every cell of the screen comes from here, so nothing
/// acts on the terminal, whoever forgot to escape it.
fn put(buffer: &mut Buffer, area: Rect, column: u16, line: u16, text: &str, style: Style) {
    let area = area.intersection(buffer.area);
    if column < area.width && line < area.height {
        let text = if text.chars().any(is_active) { Cow::Owned(printable(text)) } else { Cow::Borrowed(text) };
        buffer.set_stringn(area.x + column, area.y + line, text, usize::from(area.width - column), style);
    }
}

/// A text cut to a width, with a mark where it was cut.
fn fit(text: &str, width: u16) -> String {
    let width = usize::from(width);
    if text.chars().count() <= width {
        return text.to_string();
    }
    let mut cut: String = text.chars().take(width.saturating_sub(1)).collect();
    if width > 0 {
        cut.push('…');
    }
    cut
}
