//! The mouse: which pane, row and byte is under the pointer, by the layout of the last frame.

use crate::app::App;
use crate::focus::Pane;
use crate::layout::inside;
use crate::traces::Direction;

/// Events and lines that a turn of the wheel scrolls.
pub(crate) const WHEEL: u64 = 3;

impl App {
    /// Scrolls what is under the pointer.
    pub(crate) fn wheel(&mut self, column: u16, row: u16, direction: Direction) {
        let Some(focus) = self.areas.pane_at(column, row, self.focus) else { return };
        match focus.pane {
            Pane::Events => self.roll_rows(WHEEL, direction),
            Pane::Memory => self.roll_bytes(WHEEL, direction),
            Pane::Timeline => self.move_time(1, direction),
            Pane::Panel => self.move_in_panel(WHEEL, direction),
            Pane::Wat | Pane::Native => {
                // Code scrolls where the focus is.
                self.set_focus(focus);
                self.scroll_code(WHEEL, direction);
            }
        }
    }

    /// Focuses the pane, and selects what is under the pointer.
    pub(crate) fn click(&mut self, column: u16, row: u16) {
        let Some(focus) = self.areas.pane_at(column, row, self.focus) else { return };
        self.set_focus(focus);
        let area = inside(self.areas.of(focus));
        if row < area.y || column < area.x {
            return;
        }
        let (line, column) = (u64::from(row - area.y), column - area.x);
        match focus.pane {
            Pane::Events if self.top.saturating_add(line) < self.outline.rows() => {
                self.go_to(self.top.saturating_add(line));
            }
            Pane::Memory => {
                if let Some(byte) = self.hex_shape(area.width).byte_at(column) {
                    let address = self
                        .hex_start()
                        .saturating_add(line.saturating_mul(self.bytes_per_line().into()))
                        .saturating_add(byte);
                    self.follow = false;
                    self.set_address(address);
                }
            }
            Pane::Timeline => self.click_time(column),
            Pane::Panel => self.click_panel(line),
            _ => {}
        }
    }
}
