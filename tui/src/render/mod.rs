//! Drawing: pure functions from a [`Screen`] to cells, one file per pane. Nothing here reads a trace or
//! changes the state.

mod cells;
mod code;
mod events;
mod help;
mod memory;
mod panel;
mod status;
mod text;
mod timeline;

pub(crate) use help::{last_top as help_last_top, lines as help_lines};

use crate::focus::{Focus, Pane};
use crate::layout::Areas;
use crate::screen::Screen;
use crate::theme::Theme;
use forkpoint_replay::Side;
use ratatui::Frame;

/// Draws a frame.
pub(crate) fn draw(frame: &mut Frame, areas: &Areas, screen: &Screen, theme: Theme) {
    let buffer = frame.buffer_mut();
    status::title(buffer, areas.title, screen, theme);
    let focused = |pane, side| screen.focus == Focus { pane, side };
    if let Some(timeline) = &screen.timeline {
        timeline::draw(buffer, areas.timeline, timeline, screen.focus.pane == Pane::Timeline, theme);
    }
    if let Some(panel) = &screen.panel {
        panel::draw(buffer, areas.panel, panel, screen.focus.pane == Pane::Panel, theme);
    }
    for side in Side::BOTH {
        let i = side.index();
        if let Some(list) = &screen.lists[i] {
            events::draw(buffer, areas.events[i], list, focused(Pane::Events, side), theme);
        }
        if let Some(hex) = &screen.hex[i] {
            memory::draw(buffer, areas.memory[i], hex, focused(Pane::Memory, side), theme);
        }
        if let Some(native) = &screen.native[i] {
            code::draw(buffer, areas.native[i], native, focused(Pane::Native, side), theme);
        }
    }
    let both = screen.wat.iter().all(Option::is_some);
    for side in Side::BOTH {
        if let Some(wat) = &screen.wat[side.index()] {
            let has_focus = screen.focus.pane == Pane::Wat && (!both || screen.focus.side == side);
            code::draw(buffer, areas.wat[side.index()], wat, has_focus, theme);
        }
    }
    status::draw(buffer, areas, screen, theme);
    if let Some(top) = screen.help {
        help::draw(buffer, buffer.area, top, &screen.own_keys, theme);
    }
    place_cursor(frame, areas, screen);
}

/// The terminal's own cursor shows where typing goes: into the prompt, or to the byte in a focused memory pane.
fn place_cursor(frame: &mut Frame, areas: &Areas, screen: &Screen) {
    let at = if let Some(prompt) = &screen.prompt {
        status::prompt_cursor(areas.status, prompt)
    } else if screen.help.is_none() && screen.focus.pane == Pane::Memory {
        let i = screen.focus.side.index();
        screen.hex[i].as_ref().and_then(|hex| memory::cursor(areas.memory[i], hex))
    } else {
        None
    };
    if let Some(at) = at {
        frame.set_cursor_position(at);
    }
}
